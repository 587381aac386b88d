"""What would happen: who moves where if a region fails, and what manifests would change. Answered by a twin."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from detour.model.objects import Kind, RawObject
from detour.model.record import ObjectKey
from detour.model.rrset import RRset
from detour.twin.twin import Standing, Twin, play

Raws = Sequence[tuple[Kind, RawObject]]
Values = tuple[str, ...]

SERVING = frozenset({"OK", "FailedOver", "Pinned", "Degraded"})
UNMOVED = SERVING | {"Standby", "Suspended"}
"""States of which there is nothing more to say than what the zones answer."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a zone would answer for a name, before and after; written `after` so many seconds, None where it is not."""

    zone: ObjectKey
    hostname: str
    before: Values
    now: Values
    after: float | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """A record of which there is something to say: how it would stand, and whether that is new."""

    record: ObjectKey
    before: Standing | None
    now: Standing | None


@dataclass(frozen=True, slots=True)
class Foresight:
    """What would happen. `unsettled` is what would be written even if nothing happened, as statuses are behind.

    `records` are those that would stand otherwise than before; `checks` how many different checks are made, before and
    after. `strange` are records of which the copy, before anything happens, is in another state than the status tells:
    what is said of them is not to be relied on.
    """

    changes: tuple[Change, ...]
    records: tuple[Told, ...]
    unsettled: tuple[Change, ...] = ()
    checks: tuple[int, int] = (0, 0)
    strange: tuple[tuple[ObjectKey, str, str], ...] = ()

    def moved(self) -> list[Told]:
        """Return the records whose answers change, all of them, to something that works."""
        return [each for each in self.records if _values(each.before) != _values(each.now) and not _is_bad(each.now)]

    def unmoved(self) -> list[Told]:
        """Return the records that are worse off than before, and are not moved, or not in every zone."""
        return [each for each in self.records if _is_bad(each.now)]


@dataclass(frozen=True, slots=True)
class Copy:
    """What a twin begins with: objects, the time (seconds since the Unix epoch), and what was found elsewhere.

    See `Twin` for the rest.
    """

    raws: Raws
    wall: float
    addresses: Mapping[str, Values] = field(default_factory=dict)
    found: tuple[tuple[ObjectKey, RRset], ...] = ()
    regions_in_service: int = 1

    def twin(self) -> Twin:
        """Return a twin that has just started."""
        return Twin(
            self.raws,
            wall=self.wall,
            addresses=self.addresses,
            found=self.found,
            regions_in_service=self.regions_in_service,
        )


def if_regions_fail(copy: Copy, regions: Iterable[str], *, seen_by: int | None = None, votes: int = 1) -> Foresight:
    """Return what would happen if these regions failed as a whole now, and so many of all votes saw it (None: all)."""
    failing = set(regions)
    return _foreseen(copy, lambda twin: twin.fail(failing, seen_by=seen_by, votes=votes))


def if_applied(copy: Copy, changed: Raws) -> Foresight:
    """Return what would happen if these objects were applied now."""

    def happen(twin: Twin) -> None:
        for kind, raw in changed:
            twin.apply(kind, raw)

    return _foreseen(copy, happen)


def _foreseen(copy: Copy, happen: Callable[[Twin], None]) -> Foresight:
    """Let something happen to a twin that has come to rest, and return what comes of it."""

    async def story() -> Foresight:
        twin = copy.twin()
        start, checks = twin.answers(), twin.targets()
        await twin.settle()
        before, stood = twin.answers(), _standings(twin)
        began = asyncio.get_running_loop().time()
        happen(twin)
        await twin.settle()
        now = _standings(twin)
        keys = [key for key in sorted({*stood, *now}) if stood.get(key) != now.get(key)]
        return Foresight(
            changes=_between(before, twin.answers(), twin, began),
            records=tuple(Told(key, stood.get(key), now.get(key)) for key in keys),
            unsettled=_between(start, before, twin, None),
            checks=(checks, twin.targets()),
            strange=tuple(_strange(copy.raws, stood)),
        )

    return play(story)


def _strange(raws: Raws, stood: Mapping[ObjectKey, Standing]) -> Iterator[tuple[ObjectKey, str, str]]:
    """Give the records that a copy does not show as their statuses do, as far as these are of their declarations."""
    for kind, raw in raws:
        metadata, status = raw["metadata"], raw.get("status") or {}
        if kind is not Kind.FAILOVER_RECORD or status.get("observedGeneration") != metadata.get("generation"):
            continue
        key = ObjectKey(str(metadata.get("namespace")), str(metadata.get("name")))
        told, found = str(status.get("state", "")), stood[key].state if key in stood else ""
        if told and told != found and not {told, found} <= SERVING:
            yield key, told, found


Answers = Mapping[ObjectKey, Mapping[str, Values]]


def _between(before: Answers, now: Answers, twin: Twin, began: float | None) -> tuple[Change, ...]:
    found = []
    for zone in sorted({*before, *now}):
        old, new = before.get(zone, {}), now.get(zone, {})
        for hostname in sorted({*old, *new}):
            if old.get(hostname, ()) != new.get(hostname, ()):
                at = twin.zones[zone].written_at.get(hostname)
                after = at - began if at is not None and began is not None else None
                found.append(Change(zone, hostname, old.get(hostname, ()), new.get(hostname, ()), after))
    return tuple(found)


def _standings(twin: Twin) -> dict[ObjectKey, Standing]:
    return {key: found for key in twin.records() if (found := twin.standing(key)) is not None}


def _is_bad(standing: Standing | None) -> bool:
    return standing is not None and standing.state not in UNMOVED


def _values(standing: Standing | None) -> Mapping[str, Values]:
    return standing.values if standing is not None else {}
