"""What users report, against what they usually do at that hour of the week.

Pure; times in seconds since the Unix epoch.
"""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass

from detour.health.signals import Said
from detour.model.signals import ReportRules

HOUR = 3600.0
WEEK = 168
"""Hours of a week."""

WEEKS_KEPT = 4
"""Weeks of which the hours are kept, beside the one that is going on."""

WINDOW = 300.0
"""Seconds of reports that are looked at together."""

Weeks = Mapping[int, Mapping[int, int]]
"""Reports by hour of the week, for weeks by their number."""

_FIRST_MONDAY = 4 * 24
"""Hours from the Unix epoch, a Thursday, to the first Monday."""


def hour_number(at: float) -> int:
    """Return the number of the hour that `at` is in: 0 is the first of Monday, 5 January 1970."""
    return int(at // HOUR) - _FIRST_MONDAY


def begins(hour: int) -> float:
    """Return when an hour begins, by its number."""
    return (hour + _FIRST_MONDAY) * HOUR


@dataclass(frozen=True, slots=True)
class Heard:
    """What was reported within the last WINDOW seconds: so many reports, by so many different clients."""

    reports: int = 0
    clients: int = 0


def usual(weeks: Weeks, hour: int) -> float | None:
    """Return how many reports are usual in an hour: the median of that hour in the weeks before, None if unknown.

    `weeks` has the reports by hour of the week, for each week by its number.
    """
    week, of_week = divmod(hour, WEEK)
    known = [weeks[each][of_week] for each in range(week - WEEKS_KEPT, week) if of_week in weeks.get(each, {})]
    return statistics.median(known) if known else None


def said_by_users(heard: Heard, usually: float | None, rules: ReportRules) -> Said:
    """Return what reports say; `usually` is how many there are in an hour like this one."""
    expected = (usually or 0.0) * WINDOW / HOUR
    if heard.clients < rules.clients or heard.reports <= rules.times * expected:
        return Said(False)
    minutes = WINDOW / 60
    than = "with none on record for this hour" if usually is None else f"where {expected:.3g} are usual at this hour"
    return Said(True, f"{heard.clients} users report trouble within {minutes:g} minutes, {than}")
