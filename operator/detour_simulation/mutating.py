"""Playing the mutants: each must be killed, that is, break a promise, within its number of schedules."""

import argparse
import time
from dataclasses import dataclass

from detour_simulation.generator import generate
from detour_simulation.history import Violation
from detour_simulation.mutant import Mutant, replaced
from detour_simulation.mutants import MUTANTS
from detour_simulation.playing import play


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a mutant: the seed and the promise that it broke, None where it lives."""

    mutant: Mutant
    schedules: int
    seed: int | None = None
    violation: Violation | None = None

    @property
    def is_killed(self) -> bool:
        """Tell whether a promise was broken that holds in the same schedule with the protection on."""
        return self.seed is not None


class UnfitMutantError(Exception):
    """A mutant replaces something that the product no longer has, or uses otherwise."""


def hunt(mutant: Mutant, *, first_seed: int = 1, most: int | None = None) -> Outcome:
    """Play schedules of the mutant's profile until one breaks a promise that it keeps with the protection on.

    Raises UnfitMutantError where the replacement itself is what fails.
    """
    mistake = mutant.mistake() if mutant.mistake else ()
    count = most or mutant.within
    for seed in range(first_seed, first_seed + count):
        schedule = generate(seed, mutant.profile)
        with replaced(*mutant.off(), *mistake):
            found = play(schedule).violations
        if not found:
            continue
        if found[0].invariant == "NoDefects" and not mutant.by_defect:
            raise UnfitMutantError(f"{mutant.name} does not fit the product any more: {found[0].message}")
        with replaced(*mistake):
            protected = play(schedule).violations
        if not _breaks(protected, found[0]):
            return Outcome(mutant=mutant, schedules=seed - first_seed + 1, seed=seed, violation=found[0])
    return Outcome(mutant=mutant, schedules=count)


def _breaks(found: tuple[Violation, ...], violation: Violation) -> bool:
    """Tell whether the same promise is broken with the protection on."""
    return any(each.invariant == violation.invariant for each in found)


def run(arguments: list[str]) -> int:
    """Play all mutants, or those named. The last line says PASS or FAIL."""
    parser = argparse.ArgumentParser(prog="python -m detour_simulation mutants")
    parser.add_argument("names", nargs="*", metavar="NAME", help="mutants to play (default: all)")
    parser.add_argument("--known", action="store_true", help="try the seed first that is known to kill each")
    given = parser.parse_args(arguments)
    if unknown := [name for name in given.names if name not in MUTANTS]:
        parser.error(f"there is no mutant {unknown[0]!r}: choose from {', '.join(MUTANTS)}")
    chosen = [MUTANTS[name] for name in given.names] or list(MUTANTS.values())
    killed = 0
    for mutant in chosen:
        began = time.monotonic()
        try:
            outcome = hunt(mutant, first_seed=mutant.seed, most=1) if given.known else hunt(mutant)
            if given.known and not outcome.is_killed:  # the product has changed, and the run with it
                outcome = hunt(mutant)
        except UnfitMutantError as error:
            print(f"{mutant.name} ({mutant.profile}): {error}", flush=True)
            continue
        killed += outcome.is_killed
        seconds = time.monotonic() - began
        if outcome.violation is None:
            told = f"LIVES after {outcome.schedules} schedules"
        else:
            told = f"killed by seed {outcome.seed}: {outcome.violation.invariant}: {outcome.violation.message}"
        print(f"{mutant.name} ({mutant.profile}): {told[:230]} ({seconds:.1f} s)", flush=True)
    word = "PASS" if killed == len(chosen) else "FAIL"
    print(f"{word} mutants={len(chosen)} killed={killed}")
    return 0 if killed == len(chosen) else 1
