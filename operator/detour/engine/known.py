"""A FailoverRecord at work, with the object that it came from."""

from dataclasses import dataclass

from detour.engine.ports import Origin
from detour.engine.recordkeeper import RecordKeeper
from detour.model.objects import Subject
from detour.model.record import ObjectKey


@dataclass(slots=True)
class KnownRecord:
    """What the engine has of a record; `awaiting` are the zones that still hold the name of one being deleted."""

    subject: Subject
    origin: Origin
    keeper: RecordKeeper
    awaiting: set[ObjectKey] | None = None
