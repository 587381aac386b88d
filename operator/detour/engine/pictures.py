"""What there is to report of each object, in the engine's terms: the input of status and events.

Times are seconds since the Unix epoch.
"""

from dataclasses import dataclass, field

from detour.enactment.wishes import Explanation, ZoneReport
from detour.health.regions import CanaryFinding, EndpointCounts, Judgement, RegionPhase
from detour.health.reports import Weeks
from detour.health.signals import SignalFinding
from detour.health.vantages import Doubt
from detour.model.health import EndpointHealth, Verdict
from detour.model.overrides import Override
from detour.model.record import ObjectKey, Record
from detour.model.region import Region
from detour.model.states import OverrideState
from detour.model.vantage import Vantage
from detour.model.zone import Zone
from detour.planning.decision import Basis
from detour.planning.safety.held import NOTHING_HELD, Holds
from detour.planning.safety.rules import HoldReason

LOOKS_TOLD_EVERY = 600.0
"""Seconds between two statuses that differ by nothing but the time of the oldest look."""


@dataclass(frozen=True, slots=True)
class Revision:
    """A set that a record has published, or `was_there` when it took the name over."""

    number: int
    values: tuple[str, ...]
    reason: str
    at: float
    was_there: bool = False


@dataclass(frozen=True, slots=True)
class ZonePicture:
    """A record in one zone: what stands there, and what keeps it from being what was decided.

    `standby` says that somebody else decides for this zone, `held` why the safety gate holds the change; `zone_id` is
    the provider's own name for the zone. `trouble` is what the zone as a whole suffers from, also while nothing is to
    be written.
    """

    zone: ObjectKey
    published: bool
    values: tuple[str, ...] = ()
    would_publish: tuple[str, ...] | None = None
    generation: str | None = None
    verified_at: float | None = None
    refusal: Explanation | None = None
    message: str = ""
    standby: Explanation | None = None
    held: HoldReason | None = None
    zone_id: str | None = None
    trouble: Explanation | None = None


@dataclass(frozen=True, slots=True)
class RecordPicture:
    """A record: verdicts, decision, zones. `refusal` keeps the whole record from being served.

    `warnings` are what does not keep it from being Ready. `leaving` are the zones that it does not declare any more and
    still has its name in, with what keeps it there. `pending` says why nothing is decided yet. At `failed_back_at` a
    person last sent the record back; this, `since` of each health, until when endpoints are `held_out` as their verdict
    has changed too often, and when those that are `returning` take their places again if they stay as they are, in
    seconds since the Unix epoch here. `overrides` are those in force.
    """

    record: Record
    healths: tuple[tuple[str, EndpointHealth], ...]
    basis: Basis | None
    reason: str
    revisions: tuple[Revision, ...]
    zones: tuple[ZonePicture, ...]
    dry_run: bool
    refusal: Explanation | None = None
    pending: str | None = None
    being_deleted: bool = False
    pin_refusal: Explanation | None = None
    leaving: tuple[tuple[ZonePicture, Explanation | None], ...] = ()
    warnings: tuple[Explanation, ...] = ()
    failed_back_at: float | None = None
    held_out: tuple[tuple[str, float], ...] = ()
    returning: tuple[tuple[str, float], ...] = ()
    overrides: tuple[Override, ...] = ()

    @property
    def healthy(self) -> int:
        return sum(1 for _, health in self.healths if health.verdict is Verdict.HEALTHY)


@dataclass(frozen=True, slots=True)
class ZoneObjectPicture:
    """A DNSZone. `warnings` are messages that do not keep it from being Ready.

    `evacuated` are regions that names have left because they fail, how many, and when the last did; `deleted` how many
    names were deleted lately, and when the last was; `take_over` is a value with which the annotation of that name
    would be acted upon. Every name was looked at since `oldest_look` (seconds since the Unix epoch). Where replicas
    divide the zones `replica` writes this one, and those in `ties`, each with some of the records that are in both.
    """

    zone: Zone
    provider: str
    report: ZoneReport
    warnings: tuple[Explanation, ...] = ()
    holds: Holds = NOTHING_HELD
    evacuated: tuple[tuple[str, int, float], ...] = ()
    deleted: tuple[int, float] | None = None
    take_over: str = "now"
    oldest_look: float | None = None
    replica: str | None = None
    ties: tuple[tuple[ObjectKey, tuple[ObjectKey, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class RegionPicture:
    """A CloudRegion; `since` is when its phase began, `drain_ended` the declared end of a drain that is over.

    Its endpoints are out as it fails where it `is_out`. So many `records` answer with places there; those that are
    `stuck`, `stuck_count` in all, would leave and have no other place that is fit. Where it is wanted out and is not,
    that would leave fewer regions than `needed_in_service`. Its checks are made more often until `closer_look_until` at
    the latest, None where they are not. `reports` are what users reported in the hours of the last weeks, `overrides`
    those in force.
    """

    region: Region
    judgement: Judgement
    phase: RegionPhase
    endpoints: EndpointCounts
    canaries: tuple[CanaryFinding, ...]
    since: float
    is_out: bool = False
    drain_ended: float | None = None
    records: int = 0
    stuck: tuple[str, ...] = ()
    stuck_count: int = 0
    needed_in_service: int | None = None
    signals: tuple[SignalFinding, ...] = ()
    closer_look_until: float | None = None
    reports: Weeks = field(default_factory=dict)
    overrides: tuple[Override, ...] = ()


@dataclass(frozen=True, slots=True)
class OverridePicture:
    """An override, and how it stands. `missing` says what it is about that is not there, empty where all is.

    It was over `ended_at` (seconds since the Unix epoch). Who asked for it is proved where that `is_verified`.
    """

    override: Override
    state: OverrideState
    missing: str
    ended_at: float | None
    is_verified: bool


@dataclass(frozen=True, slots=True)
class VantagePicture:
    """A Vantage; it has stood as it does `since`, and was heard at `heard_at` (seconds since the Unix epoch).

    `doubt` says why it is not believed. `is_own` is the process's own, which makes no checks where that `is_off`. Of
    its `checks` so many are `failing`. `defect` is what makes no sense of what it wrote last.
    """

    vantage: Vantage
    doubt: Doubt | None
    since: float
    is_own: bool
    is_off: bool
    heard_at: float | None
    checks: int
    failing: int
    defect: str
