"""The commands `simulate` and `mutants`, once they run under a fixed hash seed (`hashing`)."""

import argparse
import time

from detour_simulation.generator import PROFILES, generate
from detour_simulation.playing import Summary, play, play_all, shortest, usual_profile
from detour_simulation.story import tell

PROGRESS_EVERY = 5.0
"""Seconds between two lines that say how far it is."""


def simulate(arguments: list[str]) -> int:
    """Play schedules until one breaks a promise. The last line says PASS or FAIL."""
    parser = argparse.ArgumentParser(prog="python -m detour_simulation simulate")
    parser.add_argument("--schedules", type=int, default=200, help="how many (default: 200)")
    parser.add_argument("--seed", type=int, default=1, help="the first seed; each schedule has the next (default: 1)")
    parser.add_argument("--only", action="append", metavar="PROFILE:SEED", help="just this one; may be repeated")
    parser.add_argument("--profile", choices=sorted(PROFILES), help="one profile instead of the usual mix")
    parser.add_argument("--keep-going", action="store_true", help="play on after a violation, and list them all")
    parser.add_argument("--jobs", type=int, default=1, help="processes to play in (default: 1)")
    parser.add_argument("--trace", action="store_true", help="print a digest of each run")
    given = parser.parse_args(arguments)
    return _play(given)


def _play(given: argparse.Namespace) -> int:
    began = told_at = time.monotonic()
    steps = undone = count = 0
    failed: list[Summary] = []
    schedules = _schedules(given)
    for played in play_all(schedules, jobs=given.jobs, trace=given.trace):
        count += 1
        steps += played.steps
        undone += played.azure_undone
        if given.trace:
            print(f"{played.seed} {played.trace}")
        if played.violations:
            failed.append(played)
            if not given.keep_going:
                break
            first = played.violations[0]
            print(f"{played.profile} {played.seed}: {first.invariant}: {first.message}", flush=True)
        now = time.monotonic()
        if now - told_at >= PROGRESS_EVERY:
            told_at = now
            rate = count / (now - began)
            print(f"== {count} of {len(schedules)} schedules, {steps} steps, {rate:.1f} schedules/s", flush=True)
    seconds = time.monotonic() - began
    if failed:
        _tell(failed[0])
    word = "FAIL" if failed else "PASS"
    print(
        f"{word} schedules={count} steps={steps} violations={len(failed)} azure_undone={undone} seconds={seconds:.1f}"
    )
    return 1 if failed else 0


def _tell(failed: Summary) -> None:
    played = play(generate(failed.seed, failed.profile))
    count = len(played.schedule.steps)
    print(f"== schedule {failed.seed} broke a promise; shortening its {count} steps", flush=True)
    print(tell(shortest(played)))
    print(f"replay: make simulate SEED={failed.seed} SCHEDULES=1{_in_make(failed.seed, failed.profile)}")


def _schedules(given: argparse.Namespace) -> list[tuple[str, int]]:
    """Return profile and seed of each schedule that is asked for."""
    if given.only:
        return [(profile, int(seed)) for profile, _, seed in (each.rpartition(":") for each in given.only)]
    seeds = range(given.seed, given.seed + given.schedules)
    return [(given.profile or usual_profile(seed), seed) for seed in seeds]


def _in_make(seed: int, profile: str) -> str:
    """Return what names a profile in the command that replays a seed; nothing where the seed has it by itself."""
    return "" if usual_profile(seed) == profile else f' PROFILE="{profile}"'


def mutants(arguments: list[str]) -> int:
    """Switch each protection off and see that a promise is broken. The last line says PASS or FAIL."""
    from detour_simulation.mutating import run  # noqa: PLC0415 - only wanted here

    return run(arguments)
