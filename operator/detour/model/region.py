"""Regions: failure domains of a cloud, with the checks that tell of the region itself."""

import enum
from dataclasses import dataclass

from detour.model.checks import CheckTiming, Probe
from detour.model.endpoint import AdminState
from detour.model.signals import NO_SIGNALS, SignalRules


class SafetyRule(enum.StrEnum):
    """A rule that a person's drain may set aside, by name."""

    MIN_REGIONS_IN_SERVICE = "MinRegionsInService"


@dataclass(frozen=True, slots=True)
class Canary:
    """A check of a region itself: a hostname of the cloud's there, of which an address passes `probe`."""

    name: str
    hostname: str
    probe: Probe
    timing: CheckTiming


@dataclass(frozen=True, slots=True)
class FailingRules:
    """When a region counts as failing. Times in seconds.

    So many canaries must fail, a `number` or a `share` (above 0, at most 1), else more than half, for `after`; it is
    back once enough pass for `hold_down`. Whether endpoints alone may make it fail is `by_endpoints`.
    """

    number: int | None = None
    share: float | None = None
    after: float = 60.0
    hold_down: float = 600.0
    by_endpoints: bool = False


@dataclass(frozen=True, slots=True)
class SignalledRules:
    """What is enough to fail while a signal stands, as far as that is less than what FailingRules say."""

    number: int | None = 1
    share: float | None = None
    after: float = 30.0
    by_endpoints: bool = False


@dataclass(frozen=True, slots=True)
class Region:
    """A failure domain of a cloud. `until` (seconds since the Unix epoch) ends a drain; None means no end.

    `why` is what people say of their drain, which `sets_aside` these rules. While one of its `signals` stands it fails
    by the rules that are `signalled`.
    """

    name: str
    cloud: str
    location: str
    state: AdminState = AdminState.ACTIVE
    until: float | None = None
    generation: int = 0
    why: str = ""
    canaries: tuple[Canary, ...] = ()
    failing: FailingRules = FailingRules()
    sets_aside: frozenset[SafetyRule] = frozenset()
    signals: SignalRules = NO_SIGNALS
    signalled: SignalledRules = SignalledRules()
