"""From the addresses of an endpoint to the endpoint.

An endpoint is Healthy while one of its addresses is, Unhealthy when all are, and Unknown otherwise. An address that has
never passed and cannot be checked from here, such as one of a family without a route, does not count beside one that
is found Unhealthy. Where an endpoint is known by a hostname, the name itself can fail too.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from detour.health.damping import changes_after
from detour.health.resolution import ResolvedName
from detour.health.thresholds import Streak
from detour.model.health import EndpointHealth, Evidence, Verdict
from detour.model.shared import NONE

NO_ADDRESSES = "NoAddresses"
NAME_UNRESOLVED = "NameUnresolved"
NOT_CHECKED_YET = "NotCheckedYet"
CHECKS_PAUSED = "ChecksPaused"
SLOW = "Slow"
SOME_UNCHECKED = "SomeAddressesUnchecked"


@dataclass(frozen=True, slots=True)
class _Finding:
    verdict: Verdict
    reason: str = ""
    message: str = ""


def endpoint_health(
    previous: EndpointHealth | None,
    streaks: Sequence[tuple[str, Streak]],
    name: ResolvedName | None,
    *,
    fall: int,
    now: float,
    is_paused: bool = False,
) -> EndpointHealth:
    """Combine the streaks of an endpoint's addresses, and the state of its hostname if it has one, into its health.

    `fall` empty answers in a row make the endpoint Unhealthy, `fall` unanswered look-ups keep it from being Healthy.
    While it `is_paused` what fails is Unknown: it keeps its place and gains none.
    """
    unjudged = frozenset(each for each, streak in streaks if _is_unjudged(streak, fall)) or NONE
    if is_paused:
        streaks = [(address, _pardoned(streak)) for address, streak in streaks]
    counted = _counted(streaks, fall)
    finding = _finding(counted, name, fall)
    if is_paused and finding.verdict is Verdict.UNHEALTHY:
        finding = _Finding(Verdict.UNKNOWN, CHECKS_PAUSED, _pardon(finding.message))
    is_slow = _is_slow(finding.verdict, streaks)
    if is_slow and not finding.reason:
        finding = _Finding(
            finding.verdict, SLOW, "it passes, but its checks have taken too long for healthCheck.latency"
        )
    changed = previous is None or previous.verdict is not finding.verdict
    if finding.verdict is Verdict.UNHEALTHY:
        failed_at: float | None = now
    else:
        failed_at = previous.failed_at if previous else None
    changes, is_down = changes_after(
        previous.changes if previous else (),
        finding.verdict,
        was_down=previous.is_down if previous else finding.verdict is Verdict.UNHEALTHY,
        now=now,
    )
    return EndpointHealth(
        verdict=finding.verdict,
        since=now if changed or previous is None else previous.since,
        reason=finding.reason,
        message=finding.message,
        failed_at=previous.failed_at if previous and not changed and previous.failed_at is not None else failed_at,
        latency=next((streak.latency for _, streak in streaks if streak.latency is not None), None),
        addresses=tuple((address, streak.verdict) for address, streak in streaks),
        confirmed_at=_confirmed_at(finding.verdict, counted),
        evidence=tuple(
            (address, _through(name, streak.evidence)) for address, streak in streaks if streak.evidence is not None
        ),
        emptiness=name.emptiness if name is not None else None,
        has_passed=any(streak.has_passed for _, streak in streaks),
        unjudged=unjudged,
        fading=name.fading if name is not None else NONE,
        former=name.former if name is not None else (),
        changes=changes,
        is_down=is_down,
        undecided=frozenset(address for address, streak in streaks if streak.lacks_quorum) or NONE,
        is_unanimous=_are_unanimous(finding.verdict, counted),
        is_slow=is_slow,
        slow_until=_slow_until(previous, now, is_slow=is_slow),
        checks=tuple(each for _, streak in streaks for each in streak.checks),
    )


def _is_slow(verdict: Verdict, streaks: Sequence[tuple[str, Streak]]) -> bool:
    """Tell whether all of an endpoint's addresses that pass are slow."""
    passing = [streak for _, streak in streaks if streak.verdict is Verdict.HEALTHY]
    return verdict is Verdict.HEALTHY and bool(passing) and all(each.is_slow for each in passing)


def _slow_until(previous: EndpointHealth | None, now: float, *, is_slow: bool) -> float | None:
    if previous is None:
        return None
    return now if previous.is_slow and not is_slow else previous.slow_until


def _are_unanimous(verdict: Verdict, streaks: Sequence[tuple[str, Streak]]) -> bool:
    """Tell whether vantages agree that all addresses of an endpoint fail."""
    failing = verdict is Verdict.UNHEALTHY and bool(streaks)
    return failing and all(streak.verdict is Verdict.UNHEALTHY and streak.is_unanimous for _, streak in streaks)


def _is_unjudged(streak: Streak, fall: int) -> bool:
    return streak.verdict is Verdict.UNKNOWN and streak.blanks < fall


def _pardoned(streak: Streak) -> Streak:
    """Return a streak in which failures count for nothing."""
    if streak.verdict is not Verdict.UNHEALTHY:
        return streak
    return replace(streak, verdict=Verdict.UNKNOWN, reason=CHECKS_PAUSED, message=_pardon(streak.message))


def _pardon(message: str) -> str:
    return f"it fails, which counts for nothing while healthCheck.pausedUntil is ahead: {message}"


def _counted(streaks: Sequence[tuple[str, Streak]], fall: int) -> Sequence[tuple[str, Streak]]:
    """Return the streaks that say something of the endpoint: where any address fails, not of those out of our reach."""
    if all(streak.verdict is not Verdict.UNHEALTHY for _, streak in streaks):
        return streaks
    return [each for each in streaks if each[1].has_passed or each[1].blanks < fall]


def _through(name: ResolvedName | None, evidence: Evidence) -> Evidence:
    """Return what was seen of an address that a hostname leads to: it passes only since that does."""
    since = name.answering_since if name is not None else None
    if since is None or not evidence.passed or since <= evidence.run_since:
        return evidence
    return replace(evidence, run_since=since)


def _confirmed_at(verdict: Verdict, streaks: Sequence[tuple[str, Streak]]) -> float | None:
    """Return when a check last agreed: for Healthy any address will do, for Unhealthy each must have been seen."""
    times = [streak.confirmed_at for _, streak in streaks if streak.verdict is verdict]
    known = [each for each in times if each is not None]
    if verdict is Verdict.UNKNOWN or not known:
        return None
    return max(known) if verdict is Verdict.HEALTHY else min(known)


def evidence_of(health: EndpointHealth) -> Evidence | None:
    """Return what bears an endpoint's verdict out, None where nothing does: one address that passes, or all that fail.

    An empty answer for its hostname takes the place of them.
    """
    if health.verdict is Verdict.UNHEALTHY and health.emptiness is not None:
        return health.emptiness
    passed = health.verdict is Verdict.HEALTHY
    seen = [each for _, each in health.evidence if each.passed is passed]
    if health.verdict is Verdict.UNKNOWN or not seen:
        return None
    bounds = (min, max) if passed else (max, min)
    run_since, looked_at = bounds[0](each.run_since for each in seen), bounds[1](each.looked_at for each in seen)
    return Evidence(passed, bounds[1](each.began_at for each in seen), run_since, looked_at)


def _finding(streaks: Sequence[tuple[str, Streak]], name: ResolvedName | None, fall: int) -> _Finding:
    if name is not None and name.empties >= fall:
        return _Finding(Verdict.UNHEALTHY, NO_ADDRESSES, name.message)
    checked = _of_addresses(streaks, fall)
    if name is not None and (name.failures >= fall or not streaks) and checked.verdict is not Verdict.UNHEALTHY:
        reason = NAME_UNRESOLVED if name.failures else NOT_CHECKED_YET
        return _Finding(Verdict.UNKNOWN, reason, name.message or "the hostname has not been resolved yet")
    return checked


def _of_addresses(streaks: Sequence[tuple[str, Streak]], fall: int) -> _Finding:
    bad = [(address, streak) for address, streak in streaks if streak.verdict is Verdict.UNHEALTHY]
    if any(streak.verdict is Verdict.HEALTHY for _, streak in streaks):
        if not bad:
            told = next((streak for _, streak in streaks if streak.verdict is Verdict.HEALTHY and streak.reason), None)
            if told is None and (unchecked := [each for each in streaks if _cannot_be_checked(each[1], fall)]):
                why = f"{len(unchecked)} of {len(streaks)} addresses cannot be checked: {_tell(unchecked)}"
                return _Finding(Verdict.HEALTHY, SOME_UNCHECKED, why)
            return _Finding(Verdict.HEALTHY, told.reason, told.message) if told else _Finding(Verdict.HEALTHY)
        return _Finding(
            Verdict.HEALTHY, "SomeAddressesFail", f"{len(bad)} of {len(streaks)} addresses fail: {_tell(bad)}"
        )
    if streaks and len(bad) == len(streaks):
        return _Finding(Verdict.UNHEALTHY, bad[0][1].reason, _tell(bad))
    for _, streak in streaks:
        if streak.verdict is Verdict.UNKNOWN and streak.reason:
            return _Finding(Verdict.UNKNOWN, streak.reason, streak.message)
    return _Finding(Verdict.UNKNOWN, NOT_CHECKED_YET, "not enough checks have ended yet")


def _cannot_be_checked(streak: Streak, fall: int) -> bool:
    return streak.verdict is Verdict.UNKNOWN and streak.blanks >= fall


def _tell(bad: Sequence[tuple[str, Streak]]) -> str:
    others = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
    return f"{bad[0][1].message}{others}"  # which names the address
