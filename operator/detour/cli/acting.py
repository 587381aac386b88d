"""The commands that change something. Each shows what it will do, and asks."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
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
    for command in (drain, undrain, pin, rollback):
        app.command(command.__name__)(command)
    for name, told, plain in PLAIN:
        app.command(name, help=told)(plain)


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
    place = Place.of(kubeconfig, context, namespace)
    make = partial(acts.pin, revision=revision, force=force)
    _do(place, partial(_read, Kind.FAILOVER_RECORD, name, place, make), yes=yes)


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
    place = Place.of(kubeconfig, context, namespace)
    _do(place, partial(_read, Kind.FAILOVER_RECORD, name, place, partial(acts.rollback, force=force)), yes=yes)


def _on_record(make: Callable[[Told], Act]) -> Callable[..., None]:
    """Return a command that does one thing to a record."""

    def command(
        name: Record,
        *,
        namespace: Namespace = None,
        kubeconfig: Kubeconfig = None,
        context: Context = None,
        yes: Yes = False,
    ) -> None:
        place = Place.of(kubeconfig, context, namespace)
        _do(place, partial(_read, Kind.FAILOVER_RECORD, name, place, make), yes=yes)

    return command


def _on_zone(make: Callable[[Told], Act]) -> Callable[..., None]:
    """Return a command that does one thing to a zone."""

    def command(
        zone: Zone,
        *,
        namespace: Namespace = None,
        kubeconfig: Kubeconfig = None,
        context: Context = None,
        yes: Yes = False,
    ) -> None:
        place = Place.of(kubeconfig, context, namespace)
        _do(place, partial(_read, Kind.DNS_ZONE, zone, place, make), yes=yes)

    return command


async def _read(kind: Kind, name: str, place: Place, make: Callable[[Told], Act], cluster: Cluster) -> Act:
    """Return what is to be done to an object that is read now."""
    return make(await read_one(cluster, kind, *named(name, place)))


def _failback(record: Told) -> Act:
    return acts.failback(record, time.time())


PLAIN: tuple[tuple[str, str, Callable[..., None]], ...] = (
    (
        "freeze",
        "Let nothing change in a zone, also no failover, until it is thawed.",
        _on_zone(partial(acts.freeze, frozen=True)),
    ),
    ("thaw", "End what freeze began.", _on_zone(partial(acts.freeze, frozen=False))),
    ("approve", "Let through exactly what the safety gate holds in a zone now.", _on_zone(acts.approve)),
    ("failback", "Let endpoints that have recovered take their places again at once.", _on_record(_failback)),
    ("unpin", "Let checks decide again.", _on_record(acts.unpin)),
    (
        "suspend",
        "Write nothing for a record until it is resumed.",
        _on_record(partial(acts.suspend, suspended=True)),
    ),
    ("resume", "End what suspend began.", _on_record(partial(acts.suspend, suspended=False))),
)
"""Commands that need nothing but the name of an object: what each is called, and what it does."""


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
