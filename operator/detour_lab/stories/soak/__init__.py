"""Real processes under fire: the operator on a whole stage, beset by faults of every kind, for as long as you like.

    make soak MINUTES=20            a schedule of its own each time, whose seed it prints
    make soak MINUTES=20 SEED=7     that schedule again

At least twice a minute something happens that must not matter: an operator is killed, is paused, or takes the time for
an hour later; the API server goes away, or etcd is put back to what it was a minute ago; a DNS API answers 500, hangs,
or loses its answers; name servers lag behind. Several at once, while regions and services fail and recover and
outsiders edit managed names. The last fault ends 90 s before the end. Every name server is asked for every managed name
20 times a second throughout, and the emulators keep every commit with its author.

The last line says `PASS minutes=20 faults=<n> empty_answers=0 stale_writes=0 unrepaired=0`, or FAIL and why.

empty answer    An authoritative answer without an address, sampled, for a managed name that no outsider had emptied;
                and every commit of Detour's that left such a name without one, whether somebody asked then or not.
                Where an outsider deleted the name, the time until Detour puts it back is counted apart
                (`outsiders_empty`).
stale write     A commit of Detour's that didn't move the ledger on: its generation went back, an epoch had two claims
                (so a batch of a lower epoch came after a higher one), or a managed name changed without it. Azure DNS
                has no transactions: there a set may still be written by a process that another has overtaken after its
                ledger moved. That is counted apart (`overtaken`); what it did wrong would be unrepaired in the end.
unrepaired      In the end, after the quiet: a name whose answer isn't what the true state of the services demands, or a
                record that isn't Ready or whose status tells other values. And at any time: an outsider's edit that
                stood, from when it was visible, for more than 60 s in which Detour could have written that zone. It
                could not while its API was at fault or the leader's clock was wrong, nor as long again but at most 30 s
                (the pauses between its attempts get longer); nor while the only operator was lost; nor, after the
                leader was, until the next had claimed the zone, for at most 20 s in which there was an API server:
                without one nobody is elected, and on a slow machine it takes long to come back.

Outsiders edit addresses and TTLs; markers and ledgers have tests of their own, as their loss may end in a question to
a person. The server for RFC 2136 is the lab's own here: a real BIND keeps no log of who changed what, and doesn't fail
on demand.
"""

import argparse
import asyncio
import random

from detour_lab.controlplane import BuildError, CommandError, ControlPlaneError, find_binaries
from detour_lab.loopback import LoopbackError
from detour_lab.stage.operatorprocess import OperatorError
from detour_lab.stage.stage import StageError
from detour_lab.stage.steppedclock import MissingLibraryError
from detour_lab.stories.scenarios.result import Result
from detour_lab.stories.soak.conduct import Outcome, Say, play
from detour_lab.stories.soak.schedule import Size

__all__ = ["judged", "new_seed", "play", "run", "size_of"]

MINUTES = 20.0
SMALL_MINUTES = 3.0
"""Below this there isn't time enough for the operator's own periods, and those of the small size are taken."""


def size_of(minutes: float) -> Size:
    """Return the size of a soak of so many minutes. Raises ValueError below one."""
    if not 1 <= minutes <= 24 * 60:
        raise ValueError(f"a soak of {minutes:g} minutes: give from 1 to 1440")
    return Size.small(minutes) if minutes < SMALL_MINUTES else Size.full(minutes)


def run(arguments: list[str]) -> int:
    """Play a soak as the command line says; the exit status is 0 for PASS, 1 for FAIL."""
    parser = argparse.ArgumentParser(
        prog="python -m detour_lab soak", description="The operator under fire of every kind."
    )
    parser.add_argument("--minutes", type=float, default=MINUTES, help=f"how long, 1 or more (default: {MINUTES:g})")
    parser.add_argument("--seed", type=int, help="the schedule (default: a new one)")
    given = parser.parse_args(arguments)
    try:
        size = size_of(given.minutes)
    except ValueError as error:
        parser.error(str(error))
    seed = new_seed() if given.seed is None else given.seed
    print(f"SEED={seed}", flush=True)
    try:
        find_binaries()
        outcome = asyncio.run(play(size, seed=seed, say=_say))
    except _TROUBLES as error:
        print(f"{error}\nFAIL minutes={given.minutes:g} seed={seed} could_not_be_played=1", flush=True)
        return 1
    result = judged(outcome, minutes=given.minutes, seed=seed, say=_say)
    print(f"{'PASS' if result.passed else 'FAIL'} {result.figures()}", flush=True)
    return 0 if result.passed else 1


def judged(outcome: Outcome, *, minutes: float, seed: int, say: Say) -> Result:
    """Tell everything about a soak that was played, and return its figures."""
    verdict = outcome.verdict
    for complaint in verdict.complaints:
        say(f"wrong: {complaint}")
    say(
        f"answers={verdict.answers} outsiders_edits={verdict.damages} slowest_repair={verdict.slowest_repair:.1f} "
        f"outsiders_empty={verdict.outsiders_empty} overtaken={verdict.overtaken}"
    )
    say(f"SEED={seed}")
    figures = {
        "minutes": f"{minutes:g}",
        "faults": outcome.faults,
        "empty_answers": verdict.empty_answers,
        "stale_writes": verdict.stale_writes,
        "unrepaired": verdict.unrepaired,
    }
    return Result(verdict.passed, figures)


def new_seed() -> int:
    """Return a seed that nobody chose."""
    return random.SystemRandom().randrange(1_000_000)


def _say(text: str) -> None:
    print(text, flush=True)


_TROUBLES = (
    BuildError,
    StageError,
    LoopbackError,
    OperatorError,
    ControlPlaneError,
    CommandError,
    MissingLibraryError,
    OSError,
)
"""What can keep a soak from being played."""
