"""A record as declared: a hostname, where it may point, and the rules for choosing."""

import enum
from dataclasses import dataclass
from typing import NamedTuple

from detour.model.checks import NO_MORE_CHECKS, CheckTiming, MoreChecks, Probe
from detour.model.endpoint import Endpoint
from detour.model.shares import so_many


class ObjectKey(NamedTuple):
    """Namespace and name of a FailoverRecord or a DNSZone."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class Publish(enum.StrEnum):
    """What is written for an endpoint: its addresses (A/AAAA), or its hostname as a CNAME."""

    ADDRESS = "Address"
    CNAME = "CNAME"


class Strategy(enum.StrEnum):
    """Priority: the best tier answers. MultiValue: every healthy endpoint answers."""

    PRIORITY = "Priority"
    MULTI_VALUE = "MultiValue"


class WhenAllUnhealthy(enum.StrEnum):
    """What to publish when nobody is healthy."""

    KEEP_LAST = "KeepLast"
    SERVE_ALL = "ServeAll"


class FailbackMode(enum.StrEnum):
    """Whether a recovered endpoint returns by itself or waits for a person."""

    AUTOMATIC = "Automatic"
    MANUAL = "Manual"


class DeletionPolicy(enum.StrEnum):
    """What happens to the DNS name when its FailoverRecord is deleted."""

    RETAIN = "Retain"
    DELETE = "Delete"


@dataclass(frozen=True, slots=True)
class Failback:
    """How a recovered endpoint takes its place again. `hold_down` in seconds, counted from its recovery.

    After more than `most_changes` of its verdict within an hour it waits until they are fewer; 0 for never.
    """

    mode: FailbackMode = FailbackMode.AUTOMATIC
    hold_down: float = 300.0
    most_changes: int = 0


class WhenNoQuorum(enum.StrEnum):
    """What decides while the API server is away, so that nobody hears of other vantages: our own one, or nobody."""

    OWN_VANTAGE = "OwnVantage"
    HOLD = "Hold"


@dataclass(frozen=True, slots=True)
class Quorum:
    """How many votes of vantages condemn an endpoint: a `number`, a `share` (above 0, at most 1), or more than half."""

    number: int | None = None
    share: float | None = None
    when_none: WhenNoQuorum = WhenNoQuorum.OWN_VANTAGE


class RegionFailover(enum.StrEnum):
    """Whether a record leaves a region that is failing as a whole, though its own endpoints there may answer."""

    FOLLOW = "Follow"
    IGNORE = "Ignore"


class Importance(enum.StrEnum):
    """Whose names are written first while a quota of the provider's makes names wait, the first first."""

    HIGH = "High"
    NORMAL = "Normal"
    LOW = "Low"


@dataclass(frozen=True, slots=True)
class TierNeeds:
    """How many endpoints of a tier must be fit: a `number`, or a `share` of those not drained (above 0, at most 1)."""

    number: int | None = None
    share: float | None = None

    def of(self, endpoints: int) -> int:
        """Return how many of so many must be: one where neither is given."""
        return so_many(self.number, self.share, endpoints, otherwise=1)


ONE_IS_ENOUGH = TierNeeds()


@dataclass(frozen=True, slots=True)
class Record:
    """One FailoverRecord. `created` in seconds since the Unix epoch; `ttl` in seconds.

    `failback_now` is a person's command, the annotation `detour.dev/failback`, not acted upon yet; `approved`
    the digest of what a person lets happen all the same (`detour.dev/approve`); `adopt` permits taking over a name that
    exists without a marker, `adopt_from` also from that other tool. Until `paused_until` (seconds since the Unix epoch)
    checks that fail count for nothing. While an endpoint is missing that would answer if all were well the TTL is
    `degraded_ttl` (seconds, None for no other). Endpoints have `more_checks` beside `probe`, which must pass. It may be
    on its way for `progress_deadline` seconds before people are told that it got stuck.
    """

    key: ObjectKey
    uid: str
    created: float
    generation: int
    hostname: str
    zones: tuple[ObjectKey, ...]
    ttl: int
    publish: Publish
    endpoints: tuple[Endpoint, ...]
    probe: Probe
    timing: CheckTiming
    strategy: Strategy = Strategy.PRIORITY
    minimum_serving: int = 1
    when_all_unhealthy: WhenAllUnhealthy = WhenAllUnhealthy.KEEP_LAST
    failback: Failback = Failback()
    deletion_policy: DeletionPolicy = DeletionPolicy.RETAIN
    importance: Importance = Importance.NORMAL
    suspend: bool = False
    adopt: bool = False
    adopt_from: str | None = None
    failback_now: bool = False
    approved: str | None = None
    pin: str | None = None
    paused_until: float | None = None
    quorum: Quorum = Quorum()
    region_failover: RegionFailover = RegionFailover.FOLLOW
    tier_needs: TierNeeds = ONE_IS_ENOUGH
    degraded_ttl: int | None = None
    more_checks: MoreChecks = NO_MORE_CHECKS
    progress_deadline: float = 600.0
