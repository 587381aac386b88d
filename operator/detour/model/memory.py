"""What an earlier status tells of a FailoverRecord: where a process that starts, or comes to lead, goes on from.

What is *published* is never taken from here; the zone itself says that.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from detour.model.generation import NEVER, Generation
from detour.model.health import Verdict
from detour.model.record import ObjectKey


@dataclass(frozen=True, slots=True)
class EndpointMemory:
    """What was believed of an endpoint. Times in seconds since the Unix epoch, latency in seconds."""

    name: str
    verdict: Verdict
    since: float | None = None
    failed_at: float | None = None
    reason: str = ""
    message: str = ""
    latency: float | None = None
    addresses: tuple[tuple[str, Verdict], ...] = ()
    confirmed_at: float | None = None
    held_out_until: float | None = None


@dataclass(frozen=True, slots=True)
class ZoneMemory:
    """What was last known of the record in one zone. `values` are addresses, or one CNAME target.

    `zone_id` is the provider's own name for the zone; `is_leaving` says that the record was leaving it.
    """

    key: ObjectKey
    published: bool = False
    generation: Generation | None = None
    values: tuple[str, ...] = ()
    verified_at: float | None = None
    zone_id: str | None = None
    is_leaving: bool = False


@dataclass(frozen=True, slots=True)
class HistoryMemory:
    """A set that was published under `revision`, or `was_there` before. `at` in seconds since the Unix epoch."""

    revision: int
    values: tuple[str, ...]
    reason: str = ""
    at: float | None = None
    was_there: bool = False


@dataclass(frozen=True, slots=True)
class RecordMemory:
    """One FailoverRecord's earlier status. `revision` 0 and empty tuples where it says nothing.

    `failed_back_at` is in seconds since the Unix epoch.
    """

    observed_generation: int = 0
    revision: int = 0
    plan_reason: str = ""
    decided_at: float | None = None
    serving: tuple[str, ...] = ()
    endpoints: tuple[EndpointMemory, ...] = ()
    zones: tuple[ZoneMemory, ...] = ()
    history: tuple[HistoryMemory, ...] = ()
    failed_back_at: float | None = None


@dataclass(frozen=True, slots=True)
class RegionMemory:
    """One CloudRegion's earlier status: the end of a drain that is over (seconds since the Unix epoch).

    Its endpoints were out by then as it `was_drained`, or failing (`was_out`), by what is enough while a signal stands
    where it `was_signalled`. Of its canaries these have `passed`.
    Users `reported` so often in the hours of the week, for weeks by their number.
    """

    drain_ended: float | None = None
    was_drained: bool = False
    was_out: bool = False
    was_signalled: bool = False
    passed: frozenset[str] = frozenset()
    reported: Mapping[int, Mapping[int, int]] = field(default_factory=dict)


NO_REGION_MEMORY = RegionMemory()


@dataclass(frozen=True, slots=True)
class DNSZoneMemory:
    """One DNSZone's earlier status: the ledger's generation (the lowest where it tells of none).

    `deletions` are how many names were deleted lately, and when the last was; `evacuations` the regions that names have
    left, how many, and when. Times in seconds since the Unix epoch.
    """

    generation: Generation = NEVER
    deletions: tuple[int, float] | None = None
    evacuations: tuple[tuple[str, int, float], ...] = ()
