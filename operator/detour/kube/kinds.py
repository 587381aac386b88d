"""Where the API server has Detour's objects, and the messages that carry them to the engine."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from detour.kube.packed import PackedObjects
from detour.model.objects import Kind, RawObject

GROUP = "detour.dev"
VERSION = "v1alpha1"


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

    Whoever takes it in takes the objects out of `raws`: thousands need not be there twice. `namespaces` are those that
    were read, None where all were: of the others it says nothing.
    """

    kind: Kind
    raws: list[RawObject] | PackedObjects
    began_at: float
    namespaces: frozenset[str] | None = None

    def take(self) -> Iterator[RawObject]:
        """Give all objects in their order, which are not here any more then."""
        if isinstance(self.raws, PackedObjects):
            yield from self.raws.take()
        else:
            self.raws.reverse()
            while self.raws:
                yield self.raws.pop()


@dataclass(frozen=True, slots=True)
class Missing:
    """An object is gone, and nobody has seen how: it was not there when it was looked for at `at` (engine seconds)."""

    kind: Kind
    namespace: str
    name: str
    uid: str
    at: float


@dataclass(frozen=True, slots=True)
class Unread:
    """Where objects of a kind cannot be read just now, with the reason; the empty namespace is the whole cluster."""

    kind: Kind
    namespaces: Mapping[str, str]


Message = Seen | DeletionSeen | Listed | Missing | Unread


METADATA = (
    *("name", "namespace", "uid", "generation", "resourceVersion"),
    *("creationTimestamp", "deletionTimestamp", "finalizers", "annotations"),
)
"""What is looked at of an object's metadata; who owns which field of it is a third of an object, and is not."""


def slim(raw: RawObject) -> RawObject:
    """Return an object without what nobody looks at, so that it can be kept: of the annotations only ours stay."""
    metadata = raw.get("metadata") if isinstance(raw, Mapping) else None
    if not isinstance(metadata, Mapping):
        return raw
    kept = {key: metadata[key] for key in METADATA if key in metadata}
    if isinstance(annotations := kept.get("annotations"), Mapping):
        kept["annotations"] = {key: value for key, value in annotations.items() if str(key).startswith(f"{GROUP}/")}
    return {**raw, "metadata": kept}
