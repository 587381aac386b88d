"""What a twin begins with, and how people are told what it foresees. It takes a second to load."""

import asyncio
import socket
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from detour.cli.connection import Everything
from detour.cli.diagnosis import votes
from detour.cli.servers import answers_of
from detour.cli.told import Told, mapping, mappings
from detour.model.objects import Kind
from detour.model.record import ObjectKey
from detour.model.rrset import RRset
from detour.twin.foresight import Change, Copy, Foresight, if_applied, if_regions_fail
from detour.twin.twin import KINDS, Standing
from detour.twin.zone import answer_sets

__all__ = ["KINDS", "if_applied", "if_regions_fail"]

SHOWN = 30
LOOK_UP_AT_ONCE = 20

WHAT_IS_NOT_KNOWN = "endpoints that were never checked are taken to pass; quotas of providers are not looked at"


async def copied(
    everything: Everything, *, more: Sequence[Mapping[str, Any]] = (), new: Sequence[Told] = (), in_service: int
) -> Copy:
    """Return what a twin begins with: all objects, and what has to be looked up for `more` of them that are to come.

    Of those that are `new` the name servers are asked whether their names are there already.
    """
    known = {
        str(endpoint["hostname"])
        for record in everything.objects
        for status in record.listed("endpoints")
        for endpoint in mappings(record.spec.get("endpoints"))
        if endpoint.get("name") == status.get("name") and status.get("addresses") and endpoint.get("hostname")
    }
    wanted = {
        str(each["hostname"])
        for spec in (*(each.spec for each in everything.objects), *(mapping(raw.get("spec")) for raw in more))
        for each in mappings(spec.get("endpoints"))
        if each.get("hostname")
    }
    return Copy(
        raws=[(each.kind, each.raw) for each in everything.objects],
        wall=time.time(),
        addresses=await _resolved(wanted - known),
        found=tuple(await _found(new, everything)),
        regions_in_service=in_service,
    )


def regions_in(everything: Everything) -> set[str]:
    """Return the regions that endpoints name, or that are declared."""
    named = {
        str(each.get("region"))
        for record in everything.objects
        if record.kind is Kind.FAILOVER_RECORD
        for each in mappings(record.spec.get("endpoints"))
    }
    return named | set(everything.by_name(Kind.CLOUD_REGION))


def votes_in(everything: Everything) -> int:
    """Return how many votes there are: those of the vantages that are declared, or the operator's own."""
    return votes(everything.objects)[0]


def answering_from(everything: Everything, regions: Sequence[str]) -> list[Told]:
    """Return the records that answer from these regions now."""
    return [
        record
        for record in everything.objects
        if record.kind is Kind.FAILOVER_RECORD
        and any(str(each.get("region")) in regions for each in record.listed("serving"))
    ]


async def _resolved(hostnames: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return the addresses of hostnames, as far as this machine finds them."""
    places = asyncio.Semaphore(LOOK_UP_AT_ONCE)

    async def one(hostname: str) -> tuple[str, tuple[str, ...]]:
        async with places:
            try:
                found = await asyncio.get_running_loop().getaddrinfo(hostname, None, type=socket.SOCK_STREAM)
            except OSError:
                return hostname, ()
            return hostname, tuple(sorted({str(each[4][0]) for each in found}))

    return dict(await asyncio.gather(*(one(each) for each in sorted(hostnames))))


async def _found(new: Sequence[Told], everything: Everything) -> list[tuple[ObjectKey, RRset]]:
    """Return what the name servers say of the names of new records: a name that is there may be somebody else's."""
    zones = everything.by_name(Kind.DNS_ZONE)
    found = []
    for record in new:
        mine = {
            name: zones[name]
            for each in mappings(record.spec.get("zones"))
            if (name := f"{each.get('namespace') or record.namespace}/{each.get('name')}") in zones
        }
        for each in await answers_of(record, mine, None):
            namespace, _, name = each.zone.partition("/")
            hostname, is_cname = str(record.spec.get("hostname", "")), record.spec.get("publish") == "CNAME"
            sets = answer_sets(hostname, each.ttl or 30, each.values, is_cname=is_cname)
            found += [(ObjectKey(namespace, name), rrset) for rrset in sets]
    return found


def told_of_failure(
    found: Foresight, regions: Sequence[str], affected: Sequence[Told], *, most: int = SHOWN
) -> Iterator[str]:
    """Give what to say of a region that fails, with at most so many records of each kind."""
    number = f"{len(affected)} {'record answers' if len(affected) == 1 else 'records answer'} from there now"
    yield f"If {' and '.join(regions)} failed as a whole: {number}."
    seconds = {each.hostname: each.after for each in found.changes}
    hostnames = {each.shown: str(each.spec.get("hostname")) for each in affected}
    moved, worse = found.moved(), found.unmoved()
    if moved:
        yield "Would move:"
    for each in moved[:most]:
        before = ", ".join(each.before.serving) if each.before else ""
        now = ", ".join(each.now.serving) if each.now else ""
        after = seconds.get(hostnames.get(str(each.record), ""))
        told = f", {after:.1f} s after the failure" if after is not None else ""
        yield f"  {each.record}: {before or 'nothing'} -> {now or 'nothing'}{told}"
    yield from _more(len(moved), most)
    if worse:
        yield "Would not:"
    for each in worse[:most]:
        if each.now is not None:
            yield f"  {each.record}: {each.now.state}: {each.now.message}"
    yield from _more(len(worse), most)
    if not moved and not worse:
        yield "Nothing would change."
    if moved:
        yield f"Seconds are those until it is decided and sent; {WHAT_IS_NOT_KNOWN}"
    yield from _unsettled(found)


def told_of_plan(found: Foresight, *, most: int = SHOWN) -> Iterator[str]:
    """Give what to say of manifests, with at most so many names of each zone."""
    by_zone: dict[ObjectKey, list[Change]] = {}
    for each in found.changes:
        by_zone.setdefault(each.zone, []).append(each)
    for zone, changes in by_zone.items():
        yield f"zone {zone}"
        for change in changes[:most]:
            yield f"  {_diff(change)}"
        yield from _more(len(changes), most)
    if not by_zone:
        yield "No zone would change."
    told = [each for each in found.records if each.now is not None and _differs(each.before, each.now)]
    if told:
        yield "records"
    for record in told[:most]:
        if record.now is not None:
            yield f"  {record.record}: {record.now.state}: {record.now.message}"
    yield from _more(len(told), most)
    before, now = found.checks
    yield f"checks: {before} now, {now} then"
    yield WHAT_IS_NOT_KNOWN
    yield from _unsettled(found)


def _differs(before: Standing | None, now: Standing) -> bool:
    return before is None or (before.state, before.values) != (now.state, now.values)


def _diff(change: Change) -> str:
    before, now = ", ".join(change.before), ", ".join(change.now)
    if not before:
        return f"+ {change.hostname}  {now}"
    return f"~ {change.hostname}  {before} -> {now}" if now else f"- {change.hostname}  {before}"


def _unsettled(found: Foresight) -> Iterator[str]:
    if found.strange:
        yield "Not to be relied on: these stand otherwise in the copy than their statuses say, before anything happens:"
        yield from (f"  {key}: {told}, in the copy {copy}" for key, told, copy in found.strange[:SHOWN])
        yield from _more(len(found.strange), SHOWN)
    if found.unsettled:
        yield "On its way already, whatever happens, as the statuses say that it is decided and not written:"
        yield from (f"  {each.zone}: {_diff(each)}" for each in found.unsettled[:SHOWN])
        yield from _more(len(found.unsettled), SHOWN)


def _more(number: int, most: int) -> Iterator[str]:
    if number > most:
        yield f"  and {number - most} more: --all lists them"


def document(found: Foresight) -> dict[str, Any]:
    """Return it for programs."""

    def change(each: Change) -> dict[str, Any]:
        return {
            "zone": str(each.zone),
            "hostname": each.hostname,
            "before": list(each.before),
            "after": list(each.now),
            **({"seconds": round(each.after, 1)} if each.after is not None else {}),
        }

    return {
        "changes": [change(each) for each in found.changes],
        "records": [
            {
                "record": str(each.record),
                "state": each.now.state if each.now else None,
                "message": each.now.message if each.now else None,
                "serving": list(each.now.serving) if each.now else [],
            }
            for each in found.records
        ],
        "strange": [{"record": str(key), "state": told, "inCopy": copy} for key, told, copy in found.strange],
        "unsettled": [change(each) for each in found.unsettled],
        "checks": {"before": found.checks[0], "after": found.checks[1]},
    }
