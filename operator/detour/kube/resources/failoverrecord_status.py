"""FailoverRecord, as reported: what serves now, what is believed of each endpoint, what each zone holds."""

from typing import Annotated

from pydantic import Field

from detour.kube.resources.conditions import Commands, Conditions, LastIncident, Time
from detour.kube.resources.failoverrecord import MAXIMUM_ENDPOINTS, MAXIMUM_ZONES
from detour.kube.resources.rules import Reported, Unique
from detour.kube.resources.values import Flag, Integer, Number
from detour.model.health import Verdict
from detour.model.states import RecordState

HISTORY_LENGTH = 10
OVERRIDES_TOLD = 16
MAXIMUM_VALUES = 2048
"""Addresses in one list of values: 64 endpoints of 32."""

Values = Annotated[tuple[str, ...], Field(max_length=MAXIMUM_VALUES)]


class Summary(Reported):
    """The record in a few words, for `kubectl get`."""

    serving: str | None = Field(
        default=None,
        description="Names of the endpoints that serve, separated by commas; with the zones where these differ.",
    )
    healthy: str | None = Field(default=None, description="Healthy endpoints out of all, such as `2/3`.")
    pinned: str | None = Field(default=None, description="The revision that a person pinned; absent without a pin.")
    zones: str | None = Field(default=None, description="Zones that hold the decided set out of all, such as `2/2`.")


class PlanStatus(Reported):
    """The decision in force."""

    revision: Integer | None = Field(
        default=None, description="Counts the sets that this record has published; it only grows."
    )
    reason: str | None = Field(default=None, description="Why this set was chosen, as a sentence.")
    decided_at: Time | None = Field(default=None, description="When it was decided.")


class ServingStatus(Reported):
    """An endpoint that the published set contains."""

    name: str = Field(description="Name of the endpoint.")
    region: str | None = Field(default=None, description="Region of the endpoint.")
    values: Values = Field(default=(), description="What is published for it: addresses, or the CNAME target.")


class AddressStatus(Reported):
    """One address of an endpoint."""

    address: str = Field(description="The address, declared or resolved.")
    verdict: Verdict = Field(description="Healthy, Unhealthy or Unknown.")


class NamedCheckStatus(Reported):
    """What one of several checks says of an endpoint."""

    name: str | None = Field(default=None, description="Its name; `healthCheck` is the one that every endpoint has.")
    verdict: Verdict | None = Field(
        default=None,
        description="Healthy while it passes at any address, Unhealthy where it fails at all of them, else Unknown.",
    )
    message: str | None = Field(default=None, description="Why, where it is not Healthy.")


class EndpointStatus(Reported):
    """What is believed of an endpoint after thresholds."""

    name: str = Field(description="Name of the endpoint.")
    verdict: Verdict = Field(description="Healthy, Unhealthy or Unknown (nothing was learned yet).")
    since: Time | None = Field(default=None, description="When the verdict began.")
    last_failure_at: Time | None = Field(
        default=None, description="When the endpoint last turned Unhealthy; absent if never."
    )
    confirmed_at: Time | None = Field(
        default=None,
        description="When a check of this operator last agreed with the verdict, as of the last write of this status: "
        "no status is written for this alone. Absent where none has yet.",
    )
    held_out_until: Time | None = Field(
        default=None,
        description="Until when it waits, though Healthy, as its verdict has changed too often within an hour "
        "(`failback.maxChangesPerHour`). Absent where it does not.",
    )
    returns_at: Time | None = Field(
        default=None,
        description="When it takes its place again if it stays as it is; absent where it does not wait for a time.",
    )
    reason: str | None = Field(
        default=None,
        description="Why the last check failed, or why a Healthy endpoint waits, one CamelCase word.",
    )
    message: str | None = Field(default=None, description="The same, as a sentence.")
    latency_milliseconds: Number | None = Field(
        default=None, description="How long the last check took, in milliseconds."
    )
    addresses: Annotated[tuple[AddressStatus, ...], Field(max_length=256)] = Field(
        default=(), description="The endpoint's addresses, each with its own verdict."
    )
    checks: Annotated[tuple[NamedCheckStatus, ...], Field(max_length=9)] = Field(
        default=(), description="Where it has several checks: each of them."
    )


class ZoneStatus(Reported):
    """The record in one of its zones."""

    name: str = Field(description="Name of the DNSZone.")
    namespace: str | None = Field(default=None, description="Namespace of the DNSZone.")
    published: Flag = Field(default=False, description="Whether the zone holds the decided set.")
    leaving: Flag = Field(
        default=False,
        description="Whether the record does not declare this zone any more and still has its name there.",
    )
    generation: str | None = Field(
        default=None, description="Generation of the zone's ledger at the last write for this record: `epoch.sequence`."
    )
    zone_id: Annotated[str | None, Field(alias="zoneID")] = Field(
        default=None, description="The provider's own ID of the zone, which this entry speaks of."
    )
    values: Values = Field(default=(), description="What the zone holds at the name.")
    would_publish: Values = Field(
        default=(),
        description="What would be written if the record were not suspended and the operator not on a dry run.",
    )
    verified_at: Time | None = Field(
        default=None, description="When the zone's authoritative servers last answered with the decided set."
    )
    message: str | None = Field(default=None, description="What keeps the zone from holding the set, and what to do.")


class HistoryEntry(Reported):
    """A set that was published."""

    revision: Integer = Field(description="The plan's revision.")
    values: Values = Field(default=(), description="The published set: addresses, or the CNAME target.")
    reason: str | None = Field(default=None, description="Why it was chosen.")
    at: Time | None = Field(default=None, description="When it was decided.")
    was_there: Flag = Field(
        default=False,
        description="Whether the name had this set before the record adopted it; pinned, it is given back as it was.",
    )


class OverrideInForce(Reported):
    """An Override of this record that is in force."""

    name: str | None = Field(default=None, description="Its name: deleting it ends it.")
    action: str | None = Field(default=None, description="Drain, ForceUp, ForceDown, Pin or Freeze.")
    endpoint: str | None = Field(default=None, description="The endpoint that it is about, where it is about one.")
    requested_by: str | None = Field(default=None, description="Who asked for it.")
    reason: str | None = Field(default=None, description="Why.")
    until: Time | None = Field(default=None, description="When it ends by itself.")


class FailoverRecordStatus(Reported):
    """What Detour says of a name."""

    observed_generation: Integer | None = Field(
        default=None, description="The `metadata.generation` that this status speaks of."
    )
    state: RecordState | None = Field(
        default=None,
        description="The record in one word: OK; FailedOver, from another place than usual; Degraded, where something"
        " is missing; Pinned; Suspended; Standby, where another site keeps it; Held by the safety gate; Pending, where"
        " it is not published yet; Down, where nothing that is served works; Refused as it is declared; or Deleting.",
    )
    message: str | None = Field(default=None, description="Why, and what to do, as a sentence.")
    summary: Summary | None = Field(default=None, description="The record in a few words.")
    plan: PlanStatus | None = Field(default=None, description="The decision in force.")
    serving: Annotated[tuple[ServingStatus, ...], Field(max_length=MAXIMUM_ENDPOINTS)] = Field(
        default=(), description="The endpoints that serve, with their values."
    )
    endpoints: Annotated[tuple[EndpointStatus, ...], Field(max_length=MAXIMUM_ENDPOINTS), Unique("name")] = Field(
        default=(), description="What is believed of each endpoint."
    )
    # Twice the declared maximum: zones that were taken out of the record stay until they are cleaned up.
    zones: Annotated[tuple[ZoneStatus, ...], Field(max_length=2 * MAXIMUM_ZONES)] = Field(
        default=(), description="The record in each of its zones."
    )
    history: Annotated[tuple[HistoryEntry, ...], Field(max_length=HISTORY_LENGTH)] = Field(
        default=(), description="The last ten published sets, newest first."
    )
    overrides: Annotated[tuple[OverrideInForce, ...], Field(max_length=OVERRIDES_TOLD)] = Field(
        default=(), description="What people override here just now."
    )
    failed_back_at: Time | None = Field(
        default=None,
        description="When a person last sent the record back (annotation detour.dev/failback): endpoints that had "
        "recovered by then wait for nothing, in whichever zone it is; absent if never.",
    )
    last_incident: LastIncident = None
    commands: Commands = None
    conditions: Conditions = Field(
        default=(),
        description="Ready, Published, Healthy, FailedOver, Degraded, Pinned, Warning where there is something to warn"
        " of, and Reconciling or Stalled where it is not Ready.",
    )
