"""From several checks of one address to what is believed of the address.

    Required   each of them must pass
    Counted    so many of them must
    Observed   it is shown, and decides nothing

Each check has a verdict by thresholds of its own, and by all vantages where these make it. So a check that fails now
and then does not add up with another that does.

Pure.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from detour.health.thresholds import Streak
from detour.model.checks import CheckRole
from detour.model.health import CheckFinding, Evidence, Verdict

MAIN = "healthCheck"
"""What the check is called that every endpoint has."""


class Part(NamedTuple):
    """What is believed by one check of an address."""

    name: str
    role: CheckRole
    streak: Streak


def combined(address: str, parts: Sequence[Part], at_least: int) -> Streak:
    """Return what several checks say of an address together; the first of them is the one that every endpoint has.

    At least `at_least` of those that are counted must pass, or all of them where they are fewer.
    """
    checks = tuple(CheckFinding(address, each.name, each.streak.verdict, each.streak.message) for each in parts)
    required = [each for each in parts if each.role is CheckRole.REQUIRED]
    counted = [each for each in parts if each.role is CheckRole.COUNTED]
    needed = min(at_least, len(counted))
    bad = [each for each in required if each.streak.verdict is Verdict.UNHEALTHY]
    failing = [each for each in counted if each.streak.verdict is Verdict.UNHEALTHY]
    spare = len(counted) - needed  # so many of the counted ones may fail
    lacking = failing if len(failing) > spare else []
    if bad or lacking:
        worked = all(each.streak.has_passed for each in required)
        worked = worked and sum(each.streak.has_passed for each in counted) >= needed
        return replace(_failing(bad, lacking, spare), has_passed=worked, checks=checks)
    passing = [each for each in counted if each.streak.verdict is Verdict.HEALTHY]
    unknown = [each for each in required if each.streak.verdict is Verdict.UNKNOWN]
    if not unknown and len(passing) >= needed:
        return replace(_passing([*required, *passing], parts[0].streak), checks=checks)
    return replace(_unknown(unknown or counted, parts[0].streak), checks=checks)


def _unknown(parts: Sequence[Part], main: Streak) -> Streak:
    """Return a streak of which nothing is known, as of some of these; whether it is in reach the main check says."""
    unknown = [each for each in parts if each.streak.verdict is Verdict.UNKNOWN]
    lead = unknown[0]
    blanks = main.blanks if main.verdict is Verdict.UNKNOWN else min(each.streak.blanks for each in unknown)
    return replace(lead.streak, message=_message(lead), blanks=blanks, has_passed=main.has_passed)


def _failing(required: Sequence[Part], counted: Sequence[Part], spare: int) -> Streak:
    """Return a streak that is Unhealthy as these are: any that is required, or more than may of those that count."""
    bad = [*required, *counted]
    first = min(bad, key=lambda each: each.streak.since)
    seen = [each.streak.evidence for each in bad if each.streak.evidence is not None]
    against = [each for each in seen if not each.passed]
    return replace(
        first.streak,
        message=_message(first) + (f" (and {len(bad) - 1} more checks)" if len(bad) > 1 else ""),
        since=_reached([each.streak.since for each in required], [each.streak.since for each in counted], spare),
        evidence=_since(_newest(against), required, counted, spare) if against else _oldest(seen),
        confirmed_at=_last(bad),
        lacks_quorum=any(each.streak.lacks_quorum for each in bad),
        is_unanimous=any(each.streak.is_unanimous for each in bad),
    )


def _passing(good: Sequence[Part], main: Streak) -> Streak:
    """Return a streak that is Healthy as all of these checks are: as of the one of which least is known."""
    seen = [each.streak.evidence for each in good]
    known = [each for each in seen if each is not None]
    against = [each for each in known if not each.passed]
    confirmed = [each.streak.confirmed_at for each in good]
    is_confirmed = all(each is not None for each in confirmed)
    return replace(
        main,
        verdict=Verdict.HEALTHY,
        since=max(each.streak.since for each in good),
        passes=min(each.streak.passes for each in good),
        failures=max(each.streak.failures for each in good),
        evidence=_newest(against) if against else _oldest(known) if len(known) == len(seen) else None,
        has_passed=True,
        confirmed_at=min(each for each in confirmed if each is not None) if is_confirmed else None,
        lacks_quorum=any(each.streak.lacks_quorum for each in good),
        is_slow=main.is_slow,
    )


def _newest(seen: Sequence[Evidence]) -> Evidence:
    """Return what checks showed that failed."""
    return Evidence(
        False,
        max(each.began_at for each in seen),
        min(each.run_since for each in seen),
        max(each.looked_at for each in seen),
    )


def _since(seen: Evidence, required: Sequence[Part], counted: Sequence[Part], spare: int) -> Evidence:
    """Return what was seen as of the moment from which it was too much."""
    return replace(seen, run_since=_reached(_runs(required), _runs(counted), spare))


def _runs(parts: Sequence[Part]) -> list[float]:
    seen = [each.streak.evidence for each in parts if each.streak.evidence is not None]
    return [each.run_since for each in seen if not each.passed]


def _reached(required: Sequence[float], counted: Sequence[float], spare: int) -> float:
    """Return the first time of a required one, or the time by which more of the others had failed than may."""
    times = [*required, *sorted(counted)[spare : spare + 1]]
    return min(times) if times else max(counted)


def _oldest(seen: Sequence[Evidence]) -> Evidence | None:
    """Return what checks showed that passed, as of the one that did longest ago."""
    if not seen:
        return None
    return Evidence(
        True,
        min(each.began_at for each in seen),
        max(each.run_since for each in seen),
        min(each.looked_at for each in seen),
    )


def _last(parts: Sequence[Part]) -> float | None:
    return max((each.streak.confirmed_at for each in parts if each.streak.confirmed_at is not None), default=None)


def _message(part: Part) -> str:
    return (
        part.streak.message if part.name == MAIN or not part.streak.message else f"{part.name}: {part.streak.message}"
    )
