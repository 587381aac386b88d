"""Whether to believe a vantage, by its signs of life, what it says of itself, and how it stands beside the others.

Each vantage is believed or not, none is believed more than another. Who is not believed abstains: it condemns nothing
and acquits nothing. Pure; times in seconds on the engine's clock.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

from detour.model.vantage import References, VantageReport

HEARTBEAT = 5.0
"""Seconds between two signs of life of a vantage."""

STALE_AFTER = 3 * HEARTBEAT
"""Seconds without one, after which what a vantage said last counts no more."""

MOST_CLOCK_OFFSET = 5.0
"""Seconds by which a vantage's clock may differ from the API server's, which tells it in whole seconds."""

LATE = 1.0
"""Seconds by which a vantage's checks may be late: one that has no CPU or no network to check with sees failures."""

PANIC_SHARE = 0.5
PANIC_WINDOW = 600.0
"""A vantage of which more than this share of the checks turned bad within so many seconds is doubted, where others
disagree."""

NEW_FOR = 15.0
"""Seconds after its creation before a vantage counts: by then its network is there, and it has looked at everything."""

CLOCKS_APART = 60.0
"""Seconds by which the API server's clock may be ahead of ours, where that says when a vantage was created."""

NOT_HEARD = "NotHeard"
NEW = "New"
STALE = "Stale"
CLOCK_OFF = "ClockOff"
REFERENCES_FAIL = "ReferencesFail"
CHECKS_LATE = "ChecksLate"
STANDS_ALONE = "StandsAlone"
UNSTEADY = "Unsteady"

LATE_CHECKS = f"its checks start more than {LATE:g} s late: it lacks CPU or network"

MOST_CHANGES = 6.0
"""So often a minute a vantage may say something else of each of its checks, on the average: a region that fails is one
change, and one that comes and goes a few."""


class Doubt(NamedTuple):
    """Why a vantage is not believed, as a word and as a sentence that stays the same while the reason does."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How a vantage stands. `heard_at` is its last sign of life that vouches for `report`, None before the first.

    `turned_bad` is the share of its checks that turned bad lately, `disputed` the share of these of which most of the
    others say that they pass. `changes` is how often within a minute it has said something else of a check, on the
    average; `clock` (seconds) by how much all clocks differ from the API server's, which then is the one that is wrong.
    It was created `existed` seconds ago.
    """

    report: VantageReport | None
    heard_at: float | None
    turned_bad: float = 0.0
    disputed: float = 0.0
    changes: float = 0.0
    clock: float = 0.0
    existed: float = math.inf


def doubt(standing: Standing, now: float) -> Doubt | None:
    """Return why a vantage is not believed, None where it is."""
    report = standing.report
    if -CLOCKS_APART < standing.existed < NEW_FOR:
        return Doubt(NEW, f"it is new: it counts from {NEW_FOR:g} s after its creation on")
    if report is None or standing.heard_at is None:
        return Doubt(NOT_HEARD, "it has not been heard yet: start its probe, or look at the probe's log")
    if now - standing.heard_at > STALE_AFTER:
        return Doubt(STALE, f"no sign of life for more than {STALE_AFTER:g} s")
    if report.references is References.FAILING:
        return Doubt(REFERENCES_FAIL, "its reference checks fail: it has lost its own network")
    if report.lateness > LATE:
        return Doubt(CHECKS_LATE, LATE_CHECKS)
    if standing.changes > MOST_CHANGES:
        return Doubt(UNSTEADY, "it says something else of its checks again and again")
    if report.clock_offset is not None and abs(report.clock_offset - standing.clock) > MOST_CLOCK_OFFSET:
        return Doubt(CLOCK_OFF, f"its clock differs from the API server's by more than {MOST_CLOCK_OFFSET:g} s")
    if standing.turned_bad > PANIC_SHARE and standing.disputed > 0.5:
        return Doubt(STANDS_ALONE, f"more than {PANIC_SHARE:.0%} of its checks turned bad, and the others disagree")
    return None
