"""The three kinds of objects that Detour watches, and the messages that carry them to the engine."""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

GROUP = "detour.dev"
VERSION = "v1alpha1"

RawObject = Mapping[str, Any]
"""An object as the API server sends it."""


class Kind(enum.Enum):
    """A kind, with the plural under which the API serves it."""

    FAILOVER_RECORD = ("FailoverRecord", "failoverrecords")
    DNS_ZONE = ("DNSZone", "dnszones")
    CLOUD_REGION = ("CloudRegion", "cloudregions")

    @property
    def title(self) -> str:
        return self.value[0]

    @property
    def plural(self) -> str:
        return self.value[1]

    @property
    def is_namespaced(self) -> bool:
        return self is not Kind.CLOUD_REGION


@dataclass(frozen=True, slots=True)
class Seen:
    """An object exists, in this state."""

    kind: Kind
    raw: RawObject


@dataclass(frozen=True, slots=True)
class DeletionSeen:
    """The API server reported that an object was deleted; `raw` is its last state."""

    kind: Kind
    raw: RawObject


@dataclass(frozen=True, slots=True)
class Listed:
    """All objects of a kind; who was seen before `began_at` (engine seconds) and is not among them is gone.

    `namespaces` are those that were read, None where all were: of the others it says nothing.
    """

    kind: Kind
    raws: Sequence[RawObject]
    began_at: float
    namespaces: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Unread:
    """Where objects of a kind cannot be read just now, with the reason; the empty namespace is the whole cluster."""

    kind: Kind
    namespaces: Mapping[str, str]


Message = Seen | DeletionSeen | Listed | Unread
