"""What the deletion of a record asks for."""

from dataclasses import dataclass

from detour.model.record import ObjectKey


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """The observed deletion of a FailoverRecord whose policy is to take its name along."""

    record: ObjectKey
    uid: str
    hostname: str
