"""The commands that change something. Each shows what it will do, and asks."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated

import typer

from detour.cli import acts
from detour.cli.acts import Act
from detour.cli.connection import CommandError, Place, not_there, read_all, read_one
from detour.cli.options import Context, Force, Kubeconfig, Namespace, Record, Region, Yes, Zone, named, run
from detour.cli.told import Told
from detour.kube.cluster import Cluster
from detour.model.objects import Kind
from detour.model.timestamps import parse_time, timestamp

DURATION = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (drain, undrain, freeze, thaw, approve, failback, pin, unpin, rollback, suspend, resume):
        app.command(command.__name__)(command)


def drain(
    region: Region,
    *,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    yes: Yes = False,
    reason: Annotated[str, typer.Option("--reason", help="Why, for those who see it.")] = "",
    until: Annotated[
        str | None, typer.Option("--until", help="When it ends by itself: 30m, 2h, or 2026-11-30T18:00:00Z.")
    ] = None,
    override: Annotated[
        bool, typer.Option("--override-min-regions", help="Also where too few regions would be left in service.")
    ] = False,
) -> None:
    """Take a region out of service: names leave it where another endpoint is healthy."""

    async def act(cluster: Cluster) -> Act:
        everything = await read_all(cluster, None, [Kind.FAILOVER_RECORD, Kind.CLOUD_REGION])
        if everything.unread:
            kind, why = next(iter(everything.unread.items()))
            raise CommandError(f"{kind} cannot be read, so nobody could say what the drain would do: {why}", 1)
        regions = everything.by_name(Kind.CLOUD_REGION)
        found, records = known_region(regions, region), everything.of(Kind.FAILOVER_RECORD)
        until_at = _time(until)
        return acts.drain(found, records, regions, reason=reason, until=until_at, override=override)

    _do(Place.of(kubeconfig, context, None), act, yes=yes)


def undrain(region: Region, *, kubeconfig: Kubeconfig = None, context: Context = None, yes: Yes = False) -> None:
    """Put a region back into service."""

    async def act(cluster: Cluster) -> Act:
        return acts.undrain(await read_region(cluster, region))

    _do(Place.of(kubeconfig, context, None), act, yes=yes)


def freeze(
    zone: Zone, *, namespace: Namespace = None, kubeconfig: Kubeconfig = None, context: Context = None, yes: Yes = False
) -> None:
    """Let nothing change in a zone, also no failover, until it is thawed."""
    _to_zone(zone, Place.of(kubeconfig, context, namespace), lambda found: acts.freeze(found, frozen=True), yes=yes)


def thaw(
    zone: Zone, *, namespace: Namespace = None, kubeconfig: Kubeconfig = None, context: Context = None, yes: Yes = False
) -> None:
    """End what freeze began."""
    _to_zone(zone, Place.of(kubeconfig, context, namespace), lambda found: acts.freeze(found, frozen=False), yes=yes)


def approve(
    zone: Zone, *, namespace: Namespace = None, kubeconfig: Kubeconfig = None, context: Context = None, yes: Yes = False
) -> None:
    """Let through exactly what the safety gate holds in a zone now."""
    _to_zone(zone, Place.of(kubeconfig, context, namespace), acts.approve, yes=yes)


def failback(
    name: Record,
    *,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    yes: Yes = False,
) -> None:
    """Let endpoints that have recovered take their places again at once."""
    _to_record(name, Place.of(kubeconfig, context, namespace), lambda found: acts.failback(found, time.time()), yes=yes)


def pin(
    name: Record,
    revision: Annotated[str, typer.Argument(help="A revision of `detour history`.")],
    *,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    yes: Yes = False,
    force: Force = False,
) -> None:
    """Serve an earlier set until it is unpinned; checks decide nothing."""
    _to_record(
        name, Place.of(kubeconfig, context, namespace), lambda found: acts.pin(found, revision, force=force), yes=yes
    )


def unpin(
    name: Record,
    *,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    yes: Yes = False,
) -> None:
    """Let checks decide again."""
    _to_record(name, Place.of(kubeconfig, context, namespace), acts.unpin, yes=yes)


def rollback(
    name: Record,
    *,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    yes: Yes = False,
    force: Force = False,
) -> None:
    """Pin what was served before the last change."""
    _to_record(name, Place.of(kubeconfig, context, namespace), lambda found: acts.rollback(found, force=force), yes=yes)


def suspend(
    name: Record,
    *,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    yes: Yes = False,
) -> None:
    """Write nothing for a record until it is resumed."""
    _to_record(
        name, Place.of(kubeconfig, context, namespace), lambda found: acts.suspend(found, suspended=True), yes=yes
    )


def resume(
    name: Record,
    *,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    yes: Yes = False,
) -> None:
    """End what suspend began."""
    _to_record(
        name, Place.of(kubeconfig, context, namespace), lambda found: acts.suspend(found, suspended=False), yes=yes
    )


async def read_region(cluster: Cluster, name: str) -> Told:
    """Read a region. Raises CommandError where there is no CloudRegion of that name."""
    found = await asyncio.to_thread(cluster.list_now, Kind.CLOUD_REGION, None)
    return known_region(
        {each.name: each for each in (Told(Kind.CLOUD_REGION, raw) for raw in found.items.take())}, name
    )


def known_region(regions: Mapping[str, Told], name: str) -> Told:
    """Return a region. Raises CommandError where there is no CloudRegion of that name."""
    if name not in regions:
        told = not_there(Kind.CLOUD_REGION, "", name, regions)
        raise CommandError(f"{told} Declare it first: docs/examples/regions has the public ones", 1)
    return regions[name]


def _to_record(name: str, place: Place, make: Callable[[Told], Act], *, yes: bool) -> None:
    async def act(cluster: Cluster) -> Act:
        return make(await read_one(cluster, Kind.FAILOVER_RECORD, *named(name, place)))

    _do(place, act, yes=yes)


def _to_zone(name: str, place: Place, make: Callable[[Told], Act], *, yes: bool) -> None:
    async def act(cluster: Cluster) -> Act:
        return make(await read_one(cluster, Kind.DNS_ZONE, *named(name, place)))

    _do(place, act, yes=yes)


def _do(place: Place, make: Callable[[Cluster], Awaitable[Act]], *, yes: bool) -> None:
    """Say what an act will do, ask, and do it."""
    cluster = place.cluster()

    async def prepare() -> Act:
        return await make(cluster)

    try:
        act = run(prepare())
        print("This will " + "\n".join(act.will))
        if not yes and not typer.confirm("Go on?"):
            raise CommandError("nothing was changed", 1)
        run(cluster.patch(act.kind, act.namespace, act.name, act.patch, status=False))
        print("done")
    finally:
        cluster.close()


def _time(text: str | None) -> str | None:
    """Return a time as the API server takes it. Raises CommandError where it is none."""
    if text is None:
        return None
    number, unit = text[:-1], text[-1:]
    if number.isascii() and number.isdigit() and unit in DURATION:
        return timestamp(time.time() + int(number) * DURATION[unit])
    try:
        parse_time(text)
    except ValueError:
        raise CommandError(f"--until: {text!r} is no time: write 30m, 2h, or 2026-11-30T18:00:00Z") from None
    return text
