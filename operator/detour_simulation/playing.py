"""Playing schedules one after the other, and telling of the first that breaks a promise."""

import gc
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context

from detour_simulation.generator import generate
from detour_simulation.history import History, Violation
from detour_simulation.invariants import violations
from detour_simulation.invariants.generations import undone_at_azure
from detour_simulation.run import Run
from detour_simulation.schedule import Schedule
from detour_simulation.shrink import shortened

ROUND = 64
"""Seeds after which the profiles of the usual mix come again."""

RARE = {
    1: "reads",
    2: "accounts",
    3: "min serving",
    4: "shards",
    5: "oddities",
    6: "readings",
    18: "overrides",
    8: "vantages",
    10: "vantages amiss",
    14: "vantages inward",
    9: "zones",
    11: "pins",
    12: "shards and regions",
    13: "families",
    15: "behind",
    17: "claimants",
    19: "staggered",
    20: "shards and ties",
    21: "uplink",
    23: "flapping",
    25: "power cuts",
    27: "frozen",
    28: "shards on the move",
    29: "regions of two zones",
    31: "clones",
    33: "pauses",
    35: "blips",
    37: "returns",
    39: "apart",
    41: "zones",
    43: "darkness",
    45: "multivalue",
    47: "one of two frozen",
    49: "unchecked",
    51: "hostnames",
    53: "canonical names",
    55: "slow lists",
    57: "rotations",
    59: "addresses",
    61: "old readings",
    63: "frozen regions",
}
"""Profiles of which one in so many seeds is played, by its place among them."""

COLLECT_EVERY = 10
"""Runs between two collections of garbage; between them nothing is collected, which takes a third of the time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """One run: its schedule, how many steps it took, and the promises that it broke, the earliest first."""

    schedule: Schedule
    history: History
    steps: int
    violations: tuple[Violation, ...]

    @property
    def trace(self) -> str:
        """A digest of everything that happened."""
        digest = hashlib.sha256()
        for event in self.history:
            digest.update(repr(event).encode())
        return digest.hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What is told of a run.

    `azure_undone` is how many sets of an older plan landed late at a provider without transactions, and were undone.
    """

    profile: str
    seed: int
    steps: int
    violations: tuple[Violation, ...]
    azure_undone: int
    trace: str


def play(schedule: Schedule) -> Played:
    """Play one schedule."""
    run = Run(schedule)
    history = run.play()
    return Played(schedule=schedule, history=history, steps=run.steps, violations=tuple(violations(history)))


def play_all(schedules: Sequence[tuple[str, int]], *, jobs: int = 1, trace: bool = False) -> Iterator[Summary]:
    """Play the schedules of these profiles and seeds, in order, in so many processes.

    The garbage collector is held back meanwhile. Without `trace` none is made: it takes a tenth of the time.
    """
    task = partial(_summarise, trace=trace)
    if jobs == 1:
        with _uncollected():
            yield from map(task, enumerate(schedules))
    else:
        with get_context("fork").Pool(jobs, initializer=_hold_back) as pool:
            yield from pool.imap(task, enumerate(schedules), chunksize=COLLECT_EVERY)


def _summarise(numbered: tuple[int, tuple[str, int]], *, trace: bool) -> Summary:
    number, (profile, seed) = numbered
    played = play(generate(seed, profile))
    if number % COLLECT_EVERY == COLLECT_EVERY - 1:
        gc.collect()
        if number < COLLECT_EVERY:
            gc.freeze()  # what the first runs have imported stays for ever
    return Summary(
        profile=profile,
        seed=seed,
        steps=played.steps,
        violations=played.violations,
        azure_undone=undone_at_azure(played.history),
        trace=played.trace if trace else "",
    )


def _hold_back() -> None:
    gc.collect()
    gc.freeze()
    gc.disable()


@contextmanager
def _uncollected() -> Iterator[None]:
    _hold_back()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


def usual_profile(seed: int) -> str:
    """Return the profile of `make simulate` for a seed.

    Most have everything in them. Every fourth is one in which little but the places and the declarations change, so
    that what Detour has to do shows; now and then comes one that brings about what is rare.
    """
    if (rare := RARE.get(seed % ROUND)) is not None:
        return rare
    if seed % 8 == 0:
        return "sites"
    if seed % 4 == 2:
        return "behaviours"
    if seed % 16 == 7:
        return "late at azure"
    return "general"


def shortest(failed: Played) -> Played:
    """Return the shortest schedule found that breaks the same promise first."""
    wanted = failed.violations[0].invariant

    def still_fails(schedule: Schedule) -> bool:
        found = play(schedule).violations
        return bool(found) and found[0].invariant == wanted

    found = play(shortened(failed.schedule, still_fails))
    return found if found.violations else failed
