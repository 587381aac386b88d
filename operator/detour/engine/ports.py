"""What the engine asks of the world around it, and how that may fail."""

import enum
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from detour.enactment.contract import Pace, Provider, ProviderLimits, Secret
from detour.engine.tallies import RecordTallies
from detour.model.memory import DNSZoneMemory, RecordMemory, RegionMemory
from detour.model.objects import Kind, Subject
from detour.model.rrset import RRset
from detour.model.zone import ProviderSettings, Zone

NOT_REACHED = 0
NONSENSE = 200
"""What `ClusterError.status` is where nobody answered, and where the answer is not what it should be."""


STATUS_RESTORED = "StatusRestored"
"""The reason of the event that a status was not what this installation had last written."""


class ClusterError(Exception):
    """A call to the API server failed. `status` is the HTTP status, NOT_REACHED or NONSENSE.

    The text never quotes an answer.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def is_away(error: ClusterError) -> bool:
    """Tell whether a call failed because the API server does not answer, or cannot: not because it says no."""
    return error.status in (NOT_REACHED, NONSENSE) or error.status >= 500


class OpenZone(Protocol):
    """How a zone's provider is opened; `registry.open_zone` says what it may raise."""

    async def __call__(self, zone: Zone, *, secret: Secret | None, pace: Pace) -> Provider: ...


@dataclass(frozen=True, slots=True)
class Providers:
    """The DNS providers, by what a DNSZone declares.

    `name_of` gives what a provider is called, `account_of` a word that is equal for zones that share one account's
    quota, `limits_of` the quotas in force, `delete_command` the command with which a person deletes a set.
    """

    name_of: Callable[[ProviderSettings], str]
    account_of: Callable[[Zone, Secret | None], str]
    limits_of: Callable[[Zone], Awaitable[ProviderLimits]]
    open_zone: OpenZone
    delete_command: Callable[[Zone, RRset], str]


class Command(enum.Enum):
    """What a person asks of an object beside its declaration; the value is what the annotation is called."""

    FAILBACK = "failback"
    TAKE_OVER = "take-over"
    APPROVE = "approve"


@dataclass(frozen=True, slots=True)
class Origin:
    """The object that a declaration came from.

    `created` is the text of its time. `has_finalizer` says that it bears our finalizer. `shown` is the object itself,
    for those who showed it: nothing here looks into it.
    """

    created: str = ""
    generation: int = 0
    is_being_deleted: bool = False
    has_finalizer: bool = False
    shown: Any = None


class Reports(Protocol):
    """Where news go: the status and events of objects, and what we change of their metadata."""

    def follow(self, subject: Subject, origin: Origin, listed_at: float | None = None) -> None:
        """Look at an object of which only the status is new."""

    def adopt(self, subject: Subject, origin: Origin) -> None:
        """Start from the status that an object bears."""

    def kept(self, origin: Origin) -> Origin:
        """Return what is worth keeping of an object whose status was gone on from."""

    def with_status(self, subject: Subject, origin: Origin) -> Origin:
        """Return an object of which that was kept, with the status that it bears as far as is known."""

    def forget(self, subject: Subject) -> None:
        """The object is gone."""

    def begin_term(self, kind: Kind | None = None) -> Mapping[Subject, Origin]:
        """This process leads now: go on from the status that each object bears (of one kind), which is returned."""

    def mark(self, subject: Subject) -> None:
        """There may be news of `subject`."""

    def tell(self, subject: Subject, reason: str, message: str, *, warning: bool = False) -> None:
        """Create an event."""

    def incident(self, subject: Subject, reason: str, message: str) -> None:
        """Create an event about something that was found wrong, and keep it in the status."""

    def is_due(self, subject: Subject, command: Command, origin: Origin) -> bool:
        """Tell whether an object bears a command that was not acted upon yet."""

    def acted_upon(self, subject: Subject, command: Command, origin: Origin, *, outcome: str = "") -> None:
        """The command that an object bears was acted upon."""

    def take_off(self, subject: Subject, command: Command) -> None:
        """Remove a command from an object."""

    def hold(self, subject: Subject, origin: Origin, wanted: bool) -> None:
        """Let an object bear our finalizer, which keeps it from going, or not."""

    def readiness(self) -> Mapping[str, int]:
        """Return how many FailoverRecords are Ready (`True`), not (`False`), or not known yet (`Unknown`)."""

    @property
    def tallies(self) -> RecordTallies:
        """How many FailoverRecords stand how."""

    def record_memory(self, origin: Origin) -> RecordMemory:
        """Return what the status of a FailoverRecord tells."""

    def zone_memory(self, origin: Origin) -> DNSZoneMemory:
        """Return what the status of a DNSZone tells."""

    def override_ended_at(self, origin: Origin) -> float | None:
        """Return when an override was over, as its status tells; None where it is not."""

    def region_memory(self, origin: Origin) -> RegionMemory:
        """Return what the status of a CloudRegion tells."""

    def tells_otherwise(self, origin: Origin, before: Origin) -> bool:
        """Tell whether an object's status says something else than it did before."""
