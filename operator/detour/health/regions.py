"""Whether a region as a whole is failing: by checks of the region itself, and by what its endpoints show.

A region can be dying while its endpoints still answer: in October 2025 the name of one of its services led nowhere, and
hours later everything that needed it had failed. So canaries watch the cloud's own names and services there.

    Healthy     nothing speaks against it
    Suspect     a canary fails, or most of the endpoints that worked do; nothing moves by that
    Failing     enough canaries have failed for long enough: its endpoints leave DNS where others are fit
    Recovering  enough pass again, for not long enough yet: its endpoints stay out
    Unknown     nothing is known; it stays as it was, in or out

Endpoints are weaker evidence, as anybody may say that theirs are in a region: each namespace has one vote, and all of
them together make a region Suspect at most, unless its administrator says otherwise.

Signals from outside (see `health.signals`) are hints: while one stands the region is Suspect, and where it surely means
this region less is enough to make it Failing; but something of its own must fail.

Pure; times in seconds on the engine's clock.
"""

import enum
from dataclasses import dataclass, replace

from detour.health.signals import SignalFinding, stands_surely
from detour.model.health import Verdict
from detour.model.overrides import Action, Override
from detour.model.region import FailingRules, SignalledRules
from detour.model.shares import majority, so_many

NAMES_TOLD = 3


class RegionPhase(enum.StrEnum):
    """How a region is; Drained is apart, as a person says so."""

    HEALTHY = "Healthy"
    SUSPECT = "Suspect"
    FAILING = "Failing"
    RECOVERING = "Recovering"
    DRAINED = "Drained"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class CanaryFinding:
    """What is believed of one canary, and why where it fails; one that never `has_passed` condemns nothing."""

    name: str
    verdict: Verdict
    message: str = ""
    has_passed: bool = True


@dataclass(frozen=True, slots=True)
class EndpointCounts:
    """The endpoints of a region by verdict, over all records; and how the namespaces vote that have any there.

    Of `namespaces`, with endpoints that ever worked, in `failing_namespaces` most of the places fail that did.
    """

    healthy: int = 0
    unhealthy: int = 0
    unknown: int = 0
    namespaces: int = 0
    failing_namespaces: int = 0

    @property
    def total(self) -> int:
        return self.healthy + self.unhealthy + self.unknown

    @property
    def speak_against(self) -> bool:
        """Tell whether more than half of the namespaces find the region failing."""
        return 2 * self.failing_namespaces > self.namespaces


@dataclass(frozen=True, slots=True)
class Course:
    """What a region has been through: whether its endpoints are out, since when it is condemned, or is good again.

    It `is_signalled` where that was by what is enough while a signal stands: as much must be well before it is back.
    """

    is_out: bool = False
    condemned_since: float | None = None
    good_since: float | None = None
    is_signalled: bool = False


@dataclass(frozen=True, slots=True)
class Judgement:
    """A region's phase, why, and when to look again if nothing happens before.

    `message` is what was found, `effect` what follows from that for its endpoints, where anything does.
    """

    phase: RegionPhase
    reason: str
    message: str
    effect: str = ""
    course: Course = Course()
    look_at: float | None = None


def judged(
    canaries: tuple[CanaryFinding, ...],
    endpoints: EndpointCounts,
    rules: FailingRules,
    course: Course,
    now: float,
    *,
    signals: tuple[SignalFinding, ...] = (),
    signalled: SignalledRules | None = None,
) -> Judgement:
    """Judge a region by its canaries and endpoints, on top of what it has been through.

    While one of its `signals` stands that surely means it, what is enough by the rules that are `signalled` is enough.
    """
    is_signalled = course.is_signalled if course.is_out else signalled is not None and stands_surely(signals)
    if course.is_signalled and not is_signalled:
        course = replace(course, condemned_since=None)  # by other rules the time begins anew
    if is_signalled and signalled is not None:
        rules = _lowered(rules, signalled, len(canaries))
    found = _judged(canaries, endpoints, rules, replace(course, is_signalled=is_signalled), now)
    told = "; ".join(each.message for each in signals if each.stands)
    if not told:
        return found
    if found.phase in (RegionPhase.HEALTHY, RegionPhase.UNKNOWN) and not found.course.is_out:
        return replace(found, phase=RegionPhase.SUSPECT, reason="SignalStands", message=f"{told}; {found.message}")
    return replace(found, message=f"{found.message}; {told}")


def forced(overrides: tuple[Override, ...]) -> Judgement | None:
    """Return what a person makes of a region, whatever is found: failing or healthy; None where nobody does."""
    for action, phase, effect in (
        (Action.FORCE_DOWN, RegionPhase.FAILING, "its endpoints leave DNS where others are fit"),
        (Action.FORCE_UP, RegionPhase.HEALTHY, ""),
    ):
        for each in overrides:
            if each.action is action:
                told = f"{action.value} by override {each.key.name} ({each.requested_by}: {each.reason})"
                return Judgement(phase, "Overridden", told, effect, Course(is_out=action is Action.FORCE_DOWN))
    return None


def _lowered(rules: FailingRules, signalled: SignalledRules, total: int) -> FailingRules:
    """Return the rules by which a region with so many canaries fails while a signal stands: whatever is less."""
    usual = so_many(rules.number, rules.share, total, otherwise=majority(total))
    return FailingRules(
        number=min(usual, so_many(signalled.number, signalled.share, total, otherwise=usual)),
        after=min(rules.after, signalled.after),
        hold_down=rules.hold_down,
        by_endpoints=rules.by_endpoints or signalled.by_endpoints,
    )


def _judged(
    canaries: tuple[CanaryFinding, ...], endpoints: EndpointCounts, rules: FailingRules, course: Course, now: float
) -> Judgement:
    failing = [each for each in canaries if each.verdict is Verdict.UNHEALTHY]
    needed = so_many(rules.number, rules.share, len(canaries), otherwise=majority(len(canaries)))
    believed = [each for each in failing if each.has_passed]  # else it is the canary that is wrong, more likely
    by_canaries = bool(canaries) and len(believed) >= needed
    by_endpoints = rules.by_endpoints and endpoints.speak_against
    if by_canaries or by_endpoints:
        why = _told_of(believed, len(canaries)) if by_canaries else _told_of_endpoints(endpoints)
        return _condemned("CanariesFail" if by_canaries else "EndpointsFail", why, rules, course, now)
    passing = sum(each.verdict is Verdict.HEALTHY for each in canaries)
    is_acquitted = passing >= len(canaries) - needed + 1 if canaries else endpoints.healthy > 0
    if course.is_out:
        return _after_failing(endpoints, rules, course, now, is_acquitted=is_acquitted)
    if failing:
        told = _told_of(failing, len(canaries))
        if not believed:
            told += "; none of those has ever passed, so look at their names, and whether they may be reached from here"
        return Judgement(RegionPhase.SUSPECT, "SomeCanariesFail" if believed else "NeverPassed", told)
    if endpoints.speak_against:
        return Judgement(RegionPhase.SUSPECT, "EndpointsFail", _told_of_endpoints(endpoints))
    return _at_ease(canaries, endpoints, passing)


def _condemned(reason: str, why: str, rules: FailingRules, course: Course, now: float) -> Judgement:
    since = now if course.condemned_since is None else course.condemned_since
    fails_at = since + rules.after
    if course.is_out or now >= fails_at:
        course = Course(is_out=True, condemned_since=since, is_signalled=course.is_signalled)
        return Judgement(RegionPhase.FAILING, reason, why, "its endpoints take no traffic where others are fit", course)
    effect = f"it counts as failing after {rules.after:g} s of that"
    return Judgement(RegionPhase.SUSPECT, reason, why, effect, replace(course, condemned_since=since), fails_at)


def _after_failing(
    endpoints: EndpointCounts, rules: FailingRules, course: Course, now: float, *, is_acquitted: bool
) -> Judgement:
    """Judge a region whose endpoints are out, and that nothing condemns now."""
    waiting = replace(course, condemned_since=None, good_since=None)
    if not is_acquitted:
        return Judgement(
            RegionPhase.UNKNOWN, "TooLittleKnown", "too little is known of it", "its endpoints stay out", waiting
        )
    since = now if course.good_since is None else course.good_since
    good = replace(waiting, good_since=since)
    # Endpoints that speak against it put that off by as much again, and no more: they may be gone for good.
    wait = rules.hold_down * (2 if endpoints.speak_against else 1)
    if now < since + wait:
        reason = "EndpointsFail" if endpoints.speak_against else "HeldDown"
        message = (
            f"it works again, but {_told_of_endpoints(endpoints)}" if endpoints.speak_against else "it works again"
        )
        effect = f"its endpoints come back once it has for {wait:g} s"
        return Judgement(RegionPhase.RECOVERING, reason, message, effect, good, since + wait)
    return Judgement(RegionPhase.HEALTHY, "Recovered", "it has worked again for long enough")


def _at_ease(canaries: tuple[CanaryFinding, ...], endpoints: EndpointCounts, passing: int) -> Judgement:
    if canaries and not passing:
        return Judgement(RegionPhase.UNKNOWN, "NotCheckedYet", "nothing is known of its canaries yet")
    if canaries:
        return Judgement(RegionPhase.HEALTHY, "CanariesPass", f"{passing} of {len(canaries)} canaries pass, none fails")
    if endpoints.total == 0:
        return Judgement(RegionPhase.UNKNOWN, "NoEndpoints", "no FailoverRecord has an endpoint in this region")
    if endpoints.healthy:
        message = f"{endpoints.healthy} of {endpoints.total} endpoints are healthy"
        return Judgement(RegionPhase.HEALTHY, "EndpointsHealthy", message)
    if endpoints.unhealthy:
        message = f"none of {endpoints.total} endpoints is healthy; none of those that fail has ever worked"
        return Judgement(RegionPhase.UNKNOWN, "NeverWorked", message)
    return Judgement(RegionPhase.UNKNOWN, "NotCheckedYet", "no endpoint has a verdict yet")


def _told_of(failing: list[CanaryFinding], total: int) -> str:
    named = "; ".join(f"{each.name}: {each.message}" if each.message else each.name for each in failing[:NAMES_TOLD])
    more = f"; and {len(failing) - NAMES_TOLD} more" if len(failing) > NAMES_TOLD else ""
    verb = "canary fails" if total == 1 else "canaries fail"
    return f"{len(failing)} of {total} {verb} ({named}{more})"


def _told_of_endpoints(endpoints: EndpointCounts) -> str:
    if endpoints.namespaces == 1:
        return f"most of its endpoints that worked fail ({endpoints.unhealthy} of {endpoints.total} are unhealthy)"
    return (
        f"most of the endpoints that worked fail in {endpoints.failing_namespaces} of {endpoints.namespaces} namespaces"
        f" ({endpoints.unhealthy} of {endpoints.total} are unhealthy)"
    )
