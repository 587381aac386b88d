"""What a status or an event is about."""

from typing import NamedTuple

from detour.kube.kinds import Kind
from detour.model.record import ObjectKey


class Subject(NamedTuple):
    """The object that a status or an event is about; its namespace is empty for a CloudRegion."""

    kind: Kind
    key: ObjectKey
    uid: str
