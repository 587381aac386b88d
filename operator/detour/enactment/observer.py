"""Who is told what an enactor sees and does."""

from typing import Protocol

from detour.enactment.wishes import Explanation, NameChange
from detour.model.generation import Generation
from detour.model.record import ObjectKey
from detour.model.withdrawal import Withdrawal


class Observer(Protocol):
    """Who is told what happens in a zone."""

    def record_changed(self, record: ObjectKey) -> None:
        """`Enactor.report` has news of this record."""

    def zone_changed(self) -> None:
        """`Enactor.zone_report` has news."""

    def accepted(self, change: NameChange, generation: Generation) -> None:
        """The provider has applied `change`."""

    def withdrawn(self, withdrawal: Withdrawal) -> None:
        """The name of a deleted record is gone, or was found not to be its own."""

    def incident(self, incident: Explanation) -> None:
        """Something happened to the zone that a person should know: refused credentials, a ledger put back."""
