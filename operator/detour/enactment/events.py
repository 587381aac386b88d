"""What an enactor has to say of its zone: frozen events, given out as things happen."""

from dataclasses import dataclass

from detour.enactment.wishes import Explanation, NameChange
from detour.model.record import ObjectKey
from detour.model.withdrawal import Withdrawal


@dataclass(frozen=True, slots=True)
class RecordChanged:
    """A record's standing has changed: `Enactor.report` has news of it."""

    record: ObjectKey


@dataclass(frozen=True, slots=True)
class StandingChanged:
    """The zone's own standing has changed: `Enactor.zone_report` has news."""


@dataclass(frozen=True, slots=True)
class Applied:
    """The provider has applied a change."""

    change: NameChange


@dataclass(frozen=True, slots=True)
class Removed:
    """The name of a deleted record is gone, or was found not to be its own."""

    withdrawal: Withdrawal


@dataclass(frozen=True, slots=True)
class Incident:
    """Something happened to the zone that a person should know: refused credentials, a ledger put back."""

    what: Explanation


EnactorEvent = RecordChanged | StandingChanged | Applied | Removed | Incident
STANDING_CHANGED = StandingChanged()
