"""DNSZone, as reported: whether it can be written, by whom, and what is waiting."""

from typing import Annotated

from pydantic import Field

from detour.kube.resources.conditions import Commands, Conditions, LastIncident, Time
from detour.kube.resources.rules import Reported
from detour.kube.resources.values import Integer
from detour.model.states import ZoneState

ORPHANS_NAMED = 10
TIES_TOLD = 10
TIES_NAMED = 3


class LedgerStatus(Reported):
    """The fence: who writes the zone, and how far it is."""

    generation: str | None = Field(default=None, description="Generation in force: `epoch.sequence`.")
    site: str | None = Field(default=None, description="The site in force.")


class EvacuationStatus(Reported):
    """A region that names have left because it failed."""

    region: str = Field(description="The region.")
    names: Integer | None = Field(default=None, description="How many names have left it, in all zones.")
    at: Time = Field(description="When the last name left it.")


class DeletionStatus(Reported):
    """Names that were deleted lately."""

    names: Integer = Field(default=0, description="How many names were deleted.")
    at: Time = Field(description="When the last one was.")


class HeldStatus(Reported):
    """Changes that the safety gate holds."""

    count: Integer = Field(default=0, description="How many there are.")
    digest: str | None = Field(
        default=None, description="`kubectl annotate dz/<zone> detour.dev/approve=<digest>` lets exactly these through."
    )
    changes: Annotated[tuple[str, ...], Field(max_length=10)] = Field(default=(), description="The first ten of them.")


class OrphanStatus(Reported):
    """Names whose FailoverRecord is gone without its deletion having been seen."""

    count: Integer = Field(default=0, description="How many there are.")
    names: Annotated[tuple[str, ...], Field(max_length=ORPHANS_NAMED)] = Field(
        default=(), description="The first ten of them."
    )


class VerificationStatus(Reported):
    """How closely the zone is looked at."""

    noticed_within_seconds: Integer | None = Field(
        default=None,
        description="Within so many seconds Detour notices what somebody else changed, and begins to repair it: as "
        "quotas of the provider, and `verification.questionsPerDay` of the installation, let it at this size.",
    )
    oldest_look: Time | None = Field(
        default=None,
        description="Since then every name that stands as it should was looked at through the name servers, told to "
        "ten minutes.",
    )


class TieStatus(Reported):
    """A zone that only the replica which writes this one may write, as records are in both."""

    zone: str = Field(description="The other DNSZone, as `namespace/name`.")
    records: Annotated[tuple[str, ...], Field(max_length=TIES_NAMED)] = Field(
        default=(), description="FailoverRecords that are in both, or leave one of them: the first three."
    )


class DNSZoneStatus(Reported):
    """What Detour says of a zone."""

    observed_generation: Integer | None = Field(
        default=None, description="The `metadata.generation` that this status speaks of."
    )
    state: ZoneState | None = Field(
        default=None,
        description="The zone in one word: OK; Throttled by the provider; Held, where the safety gate holds changes;"
        " Frozen by a person; Standby, where another site writes it; Pending, where it is not read yet; Failing, where"
        " the provider or the ledger keeps it from being written; or Refused as it is declared.",
    )
    provider: str | None = Field(default=None, description="The provider: route53, azuredns, clouddns or rfc2136.")
    zone_id: str | None = Field(default=None, description="The provider's ID of the zone.")
    name_servers: Annotated[tuple[str, ...], Field(max_length=32)] = Field(
        default=(), description="Name servers that the provider assigned to the zone."
    )
    negative_ttl: Integer | None = Field(
        default=None,
        description="How long resolvers keep the answer that a name does not exist, in seconds (RFC 2308 §5).",
    )
    ledger: LedgerStatus | None = Field(default=None, description="The fence: who writes the zone, and how far it is.")
    replica: str | None = Field(
        default=None, description="The replica that writes the zone, where the replicas divide the zones."
    )
    ties: Annotated[tuple[TieStatus, ...], Field(max_length=TIES_TOLD)] = Field(
        default=(), description="Zones that are the same replica's because they share records: the first ten."
    )
    owned_records: Integer | None = Field(default=None, description="Names in the zone that this installation owns.")
    orphaned_records: OrphanStatus | None = Field(
        default=None, description="Owned names whose FailoverRecord is gone; they stay as they are."
    )
    held: HeldStatus | None = Field(default=None, description="Changes that wait for time to pass or for an approval.")
    evacuations: Annotated[tuple[EvacuationStatus, ...], Field(max_length=100)] = Field(
        default=(), description="Regions that names have left within `safety.window`, because they failed."
    )
    deletions: DeletionStatus | None = Field(
        default=None,
        description="Names that were deleted within `safety.window`: what may still go is counted by them.",
    )
    verification: VerificationStatus | None = Field(default=None, description="How closely the zone is looked at.")
    pending_changes: Integer | None = Field(default=None, description="Record sets that still have to be written.")
    pending_until: Time | None = Field(
        default=None,
        description="When the changes that still have to be written will have been sent, as the provider's quota lets"
        " it; told where that takes longer than half a minute.",
    )
    last_error: str | None = Field(default=None, description="What went wrong last and what to do, as a sentence.")
    last_incident: LastIncident = None
    commands: Commands = None
    conditions: Conditions = Field(
        default=(),
        description="Ready, InForce, Frozen, Held, Throttled, Warning, and Reconciling or Stalled where it is not"
        " Ready.",
    )
