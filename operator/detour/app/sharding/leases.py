"""The Leases by which replicas divide the zones.

Each replica renews one of its own, which says that it lives, and what the others have to know of it. A zone's Lease
says who has the zone; nobody renews it: it holds for as long as its holder lives. So a replica costs one write every
few seconds, however many zones it has.
"""

import hashlib
import heapq
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from detour.kube.lease import Lease, lease_body, lease_from
from detour.model.record import ObjectKey

LABEL = "detour.dev/replicas-of"
"""The label of all these Leases; its value is the name of the Lease by which one replica is elected for the rest."""

ZONE = "detour.dev/zone"
TOLD = "detour.dev/replica"
FREE = "detour.dev/free-regions"
"""Annotations: which DNSZone a Lease is about, what a replica tells of itself, and which regions names may leave."""

MOST_TOLD = 200_000
"""Characters of what a replica tells at most: the API server takes 256 KiB of annotations."""

REGIONS_COUNTED = 300
REGIONS_LEFT = 1_000
"""Regions whose endpoints are told of at most, and regions that names have left: those with most come first."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a replica tells the others.

    `shares` is in how many it divides the quotas, `sees` that its checks are to be believed; `managed` how many names
    it keeps, `left` how many of these have left which region because that failed, `namespaces` which regions those of
    a namespace have left (None: that is too much to tell), and `endpoints` how many endpoints of each region have which
    verdict.
    """

    shares: int = 1
    sees: bool = True
    managed: int = 0
    left: Mapping[str, int] = field(default_factory=dict)
    namespaces: Mapping[str, tuple[str, ...]] | None = field(default_factory=dict)
    endpoints: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def text(self) -> str:
        """Return it as it stands in the annotation; what makes it too long is left out."""
        whole = {
            "shares": self.shares,
            "sees": self.sees,
            "managed": self.managed,
            "left": _most(self.left, REGIONS_LEFT, lambda number: number),
            "namespaces": None if self.namespaces is None else dict(self.namespaces),
            "endpoints": _most(self.endpoints, REGIONS_COUNTED, lambda counts: sum(counts.values())),
        }
        in_turn: tuple[dict[str, Any], ...] = (
            {},
            {"namespaces": None},
            {"namespaces": None, "endpoints": {}, "left": {}},
        )
        for left_out in in_turn:
            text = json.dumps({**whole, **left_out}, separators=(",", ":"), sort_keys=True)
            if len(text) <= MOST_TOLD:
                break
        return text


def _most(found: Mapping[str, Any], most: int, weight: Callable[[Any], int]) -> dict[str, Any]:
    if len(found) <= most:
        return dict(found)
    return {each: found[each] for each in heapq.nlargest(most, found, key=lambda each: weight(found[each]))}


def told_in(text: object) -> Told:
    """Return what makes sense of an annotation; what does not counts as said the least. Never raises."""
    try:
        found = json.loads(text) if isinstance(text, str) else {}
    except ValueError:
        found = {}
    given = found if isinstance(found, dict) else {}
    return Told(
        shares=max(1, _count(given.get("shares"))),
        sees=given.get("sees") is not False,
        managed=_count(given.get("managed")),
        left=_counts(given.get("left")),
        namespaces=_lists(given["namespaces"]) if isinstance(given.get("namespaces"), dict) else None,
        endpoints={str(region): _counts(counts) for region, counts in _mapping(given.get("endpoints")).items()},
    )


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**9 else 0


def _counts(value: object) -> dict[str, int]:
    return {str(key): _count(number) for key, number in _mapping(value).items()}


def _lists(value: object) -> dict[str, tuple[str, ...]]:
    return {str(key): tuple(map(str, found)) for key, found in _mapping(value).items() if isinstance(found, list)}


@dataclass(frozen=True, slots=True)
class Free:
    """The regions that names may leave because they fail, and those that names of a namespace may, the first first.

    `asked` is how often any replica has asked for each, by namespace (empty: for all) and region: who takes one back
    sees by that whether anybody has asked meanwhile.
    """

    regions: tuple[str, ...] = ()
    namespaces: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    asked: Mapping[tuple[str, str], int] = field(default_factory=dict)

    def text(self) -> str:
        """Return it as it stands in the annotation."""
        asked = {f"{namespace}/{region}": number for (namespace, region), number in self.asked.items()}
        whole = {"regions": self.regions, "namespaces": dict(self.namespaces), "asked": asked}
        return json.dumps(whole, separators=(",", ":"), sort_keys=True)


def free_in(text: object) -> Free:
    """Return what makes sense of an annotation; what does not is not free. Never raises."""
    try:
        found = json.loads(text) if isinstance(text, str) else {}
    except ValueError:
        found = {}
    given = _mapping(found)
    asked = {(key.partition("/")[0], key.partition("/")[2]): n for key, n in _counts(given.get("asked")).items()}
    return Free(_lists({"": given.get("regions")}).get("", ()), _lists(given.get("namespaces")), asked)


def _mapping(value: object) -> Mapping[Any, Any]:
    return value if isinstance(value, Mapping) else {}


@dataclass(frozen=True, slots=True)
class Listed:
    """All these Leases as one list showed them: those of replicas, by name, and of zones, by DNSZone.

    `ended` are the Leases, by name, of replicas that have ended in order, `free` is what names may leave, None where
    no Lease says so.
    """

    replicas: Mapping[str, tuple[Lease, Told]]
    zones: Mapping[ObjectKey, Lease]
    ended: Mapping[str, Lease] = field(default_factory=dict)
    free: Free | None = None


class Names:
    """What these Leases are called beside the Lease `first`, and how they are written."""

    def __init__(self, first: str) -> None:
        self.first = first
        self.selector = f"{LABEL}={_label(first)}"

    def of_replica(self, identity: str) -> str:
        """Return the name of a replica's own Lease."""
        return f"{self.first}-replica-{_digest(identity)}"

    def of_zone(self, zone: ObjectKey) -> str:
        """Return the name of a zone's Lease."""
        return f"{self.first}-zone-{_digest(str(zone))}"

    @property
    def of_free_regions(self) -> str:
        """The name of the Lease that says which regions names may leave."""
        return f"{self.first}-free-regions"

    def free_body(self, lease: Lease | None, identity: str, free: Free, wall: float) -> dict[str, Any]:
        """Return the Lease that says which regions names may leave, written last by `identity`."""
        return self._body(lease_body(self.of_free_regions, lease, identity, wall), {FREE: free.text()})

    def listed(self, items: Iterable[Mapping[str, Any]]) -> Listed:
        """Return what a list of Leases shows; what is not named for what it is about is left out. Never raises."""
        replicas: dict[str, tuple[Lease, Told]] = {}
        zones: dict[ObjectKey, Lease] = {}
        ended: dict[str, Lease] = {}
        free: Free | None = None
        for item in items:
            metadata = _mapping(_mapping(item).get("metadata"))
            annotations, name = _mapping(metadata.get("annotations")), metadata.get("name")
            lease, zone = lease_from(item), _zone_in(annotations.get(ZONE))
            if zone is not None and name == self.of_zone(zone):
                zones[zone] = lease
            elif TOLD in annotations and lease.holder and name == self.of_replica(lease.holder):
                replicas[name] = (lease, told_in(annotations[TOLD]))
            elif TOLD in annotations and not lease.holder and isinstance(name, str):
                ended[name] = lease
            elif FREE in annotations and name == self.of_free_regions:
                free = free_in(annotations[FREE])
        return Listed(replicas, zones, ended, free)

    def replica_body(
        self, lease: Lease | None, identity: str, told: Told, wall: float, *, has_ended: bool = False
    ) -> dict[str, Any]:
        """Return the Lease with which a replica says that it lives at `wall` (seconds since the Unix epoch).

        Or that it `has_ended`: then nobody holds it.
        """
        holder = "" if has_ended else identity
        return self._body(lease_body(self.of_replica(identity), lease, holder, wall), {TOLD: told.text()})

    def zone_body(self, zone: ObjectKey, lease: Lease | None, holder: str, wall: float) -> dict[str, Any]:
        """Return the Lease with which `holder` (empty: nobody) has a zone."""
        return self._body(lease_body(self.of_zone(zone), lease, holder, wall), {ZONE: str(zone)})

    def _body(self, body: dict[str, Any], annotations: dict[str, str]) -> dict[str, Any]:
        metadata = {**body["metadata"], "labels": {LABEL: _label(self.first)}, "annotations": annotations}
        return {**body, "metadata": metadata}


def _zone_in(text: object) -> ObjectKey | None:
    namespace, slash, name = text.partition("/") if isinstance(text, str) else ("", "", "")
    return ObjectKey(namespace, name) if slash else None


def free_of(item: Mapping[str, Any]) -> Free:
    """Return what the Lease says that names may leave."""
    return free_in(_mapping(_mapping(_mapping(item).get("metadata")).get("annotations")).get(FREE))


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=10).hexdigest()


def _label(name: str) -> str:
    """Return a label's value for a name, which may be longer than one."""
    return name if len(name) <= 63 else _digest(name)
