"""The commands that change something. Each shows what it will do, and asks."""

import asyncio
import enum
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Annotated

import typer

from detour.cli import acts
from detour.cli.acts import Act, Asked, Create, Delete, Patch
from detour.cli.connection import CommandError, Place, not_there, read_all, read_one
from detour.cli.options import Context, Force, Kubeconfig, Namespace, Record, Region, Yes, Zone, named, run
from detour.cli.told import Told
from detour.kube.cluster import Cluster
from detour.model.objects import Kind
from detour.model.overrides import LONGEST, Action
from detour.model.timestamps import parse_time, timestamp

DURATION = {"s": 1, "m": 60, "h": 3600, "d": 86400}


LASTS = "24h"

Reason = Annotated[str, typer.Option("--reason", help="Why, for those who see it.", metavar="TEXT")]
Until = Annotated[
    str,
    typer.Option(
        "--until", help="When it ends by itself, within 7 days: 30m, 2h, 3d, or 2026-11-30T18:00:00Z.", metavar="TIME"
    ),
]
Endpoint = Annotated[str, typer.Argument(metavar="ENDPOINT", help="One of its endpoints.")]


class How(enum.StrEnum):
    """What an endpoint is forced to be."""

    UP = "up"
    DOWN = "down"
    DRAINED = "drained"

    @property
    def action(self) -> Action:
        return {How.UP: Action.FORCE_UP, How.DOWN: Action.FORCE_DOWN, How.DRAINED: Action.DRAIN}[self]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (drain, undrain, freeze, thaw, pin, rollback, unpin, force, unforce, suspend, resume):
        app.command(command.__name__)(command)
    for name, told, plain in PLAIN:
        app.command(name, help=told)(plain)


def drain(
    region: Region,
    reason: Reason,
    *,
    until: Until = LASTS,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    yes: Yes = False,
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
        asked = await _asked(cluster, reason, until)
        return acts.drain(found, records, regions, asked, sets_minimum_aside=override)

    _do(Place.of(kubeconfig, context, None), act, yes=yes)


def undrain(region: Region, *, kubeconfig: Kubeconfig = None, context: Context = None, yes: Yes = False) -> None:
    """Put a region back into service."""

    async def act(cluster: Cluster) -> Act:
        return acts.undrain(await read_region(cluster, region), await _overrides(cluster, Kind.CLUSTER_OVERRIDE))

    _do(Place.of(kubeconfig, context, None), act, yes=yes)


def freeze(
    zone: Zone,
    reason: Reason,
    *,
    until: Until = LASTS,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    yes: Yes = False,
) -> None:
    """Let nothing change in a zone, also no failover, for a while or until it is thawed."""
    place = Place.of(kubeconfig, context, namespace)

    async def act(cluster: Cluster) -> Act:
        found = await read_one(cluster, Kind.DNS_ZONE, *named(zone, place))
        overrides = await _overrides(cluster, Kind.CLUSTER_OVERRIDE)
        return acts.freeze(found, overrides, await _asked(cluster, reason, until))

    _do(place, act, yes=yes)


def thaw(
    zone: Zone,
    *,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    yes: Yes = False,
) -> None:
    """End what freeze began."""
    place = Place.of(kubeconfig, context, namespace)

    async def act(cluster: Cluster) -> Act:
        found = await read_one(cluster, Kind.DNS_ZONE, *named(zone, place))
        return acts.thaw(found, await _overrides(cluster, Kind.CLUSTER_OVERRIDE))

    _do(place, act, yes=yes)


def pin(
    name: Record,
    revision: Annotated[str, typer.Argument(help="A revision of `detour history`.")],
    reason: Reason,
    *,
    until: Until = LASTS,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    yes: Yes = False,
    force: Force = False,
) -> None:
    """Serve an earlier set for a while; checks decide nothing."""
    make = partial(acts.pin, revision=revision, force=force)
    _override(Place.of(kubeconfig, context, namespace), name, make, reason=reason, until=until, yes=yes)


def rollback(
    name: Record,
    reason: Reason,
    *,
    until: Until = LASTS,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    yes: Yes = False,
    force: Force = False,
) -> None:
    """Pin what was served before the last change."""
    make = partial(acts.rollback, force=force)
    _override(Place.of(kubeconfig, context, namespace), name, make, reason=reason, until=until, yes=yes)


def unpin(
    name: Record,
    *,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    yes: Yes = False,
) -> None:
    """Let checks decide again."""
    _end(Place.of(kubeconfig, context, namespace), name, acts.unpin, yes=yes)


def force(
    name: Record,
    endpoint: Endpoint,
    how: Annotated[
        How, typer.Argument(help="up: it answers where no endpoint passes; down: where nobody else is fit.")
    ],
    reason: Reason,
    *,
    until: Until = LASTS,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    yes: Yes = False,
) -> None:
    """Set an endpoint of a record above, or below, what its checks say."""
    make = partial(acts.force, endpoint=endpoint, action=how.action)
    _override(Place.of(kubeconfig, context, namespace), name, make, reason=reason, until=until, yes=yes)


def unforce(
    name: Record,
    endpoint: Endpoint,
    *,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    yes: Yes = False,
) -> None:
    """Let checks decide about an endpoint again."""
    _end(Place.of(kubeconfig, context, namespace), name, partial(acts.unforce, endpoint=endpoint), yes=yes)


def suspend(
    name: Record,
    reason: Reason,
    *,
    until: Until = LASTS,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    yes: Yes = False,
) -> None:
    """Write nothing for a record for a while, or until it is resumed."""
    place = Place.of(kubeconfig, context, namespace)

    async def act(cluster: Cluster) -> Act:
        found = await read_one(cluster, Kind.FAILOVER_RECORD, *named(name, place))
        overrides = await _overrides(cluster, Kind.OVERRIDE, found.namespace)
        return acts.suspend(found, overrides, await _asked(cluster, reason, until))

    _do(place, act, yes=yes)


def resume(
    name: Record,
    *,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    yes: Yes = False,
) -> None:
    """End what suspend began."""
    _end(Place.of(kubeconfig, context, namespace), name, acts.resume, yes=yes)


def _override(
    place: Place, name: str, make: Callable[[Told, Asked], Act], *, reason: str, until: str, yes: bool
) -> None:
    """Override something of a record."""

    async def act(cluster: Cluster) -> Act:
        found = await read_one(cluster, Kind.FAILOVER_RECORD, *named(name, place))
        return make(found, await _asked(cluster, reason, until))

    _do(place, act, yes=yes)


def _end(place: Place, name: str, make: Callable[[Told, list[Told]], Act], *, yes: bool) -> None:
    """End what overrides something of a record."""

    async def act(cluster: Cluster) -> Act:
        found = await read_one(cluster, Kind.FAILOVER_RECORD, *named(name, place))
        return make(found, await _overrides(cluster, Kind.OVERRIDE, found.namespace))

    _do(place, act, yes=yes)


async def _overrides(cluster: Cluster, kind: Kind, namespace: str | None = None) -> list[Told]:
    """Return the overrides of a kind, in a namespace where they have one."""
    found = await asyncio.to_thread(cluster.list_now, kind, namespace)
    return [Told(kind, raw) for raw in found.items.take()]


async def _asked(cluster: Cluster, reason: str, until: str) -> Asked:
    """Return what a person asks for. Raises CommandError where the time is none."""
    if not reason.strip():
        raise CommandError("--reason: say why, in a few words")
    now = time.time()
    return Asked(await cluster.who_am_i(), reason, _time(until, now), now)


def _on(kind: Kind, make: Callable[[Told], Act], metavar: str) -> Callable[..., None]:
    """Return a command that does one thing to an object of a kind."""

    def command(
        name: Annotated[str, typer.Argument(metavar="[NAMESPACE/]NAME", help=metavar)],
        *,
        namespace: Namespace = None,
        kubeconfig: Kubeconfig = None,
        context: Context = None,
        yes: Yes = False,
    ) -> None:
        place = Place.of(kubeconfig, context, namespace)

        async def act(cluster: Cluster) -> Act:
            return make(await read_one(cluster, kind, *named(name, place)))

        _do(place, act, yes=yes)

    return command


def _failback(record: Told) -> Act:
    return acts.failback(record, time.time())


PLAIN: tuple[tuple[str, str, Callable[..., None]], ...] = (
    (
        "approve",
        "Let through exactly what the safety gate holds in a zone now.",
        _on(Kind.DNS_ZONE, acts.approve, "A DNSZone."),
    ),
    (
        "failback",
        "Let endpoints that have recovered take their places again at once.",
        _on(Kind.FAILOVER_RECORD, _failback, "A FailoverRecord."),
    ),
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
        run(_change(cluster, act))
        print("done")
    finally:
        cluster.close()


async def _change(cluster: Cluster, act: Act) -> None:
    for each in act.changes:
        match each:
            case Patch(kind, namespace, name, body):
                await cluster.patch(kind, namespace, name, body, status=False)
            case Create(kind, namespace, body):
                await cluster.create(kind, namespace, body)
            case Delete(kind, namespace, name):
                await cluster.delete(kind, namespace, name)


def _time(text: str, now: float) -> str:
    """Return a time as the API server takes it. Raises CommandError where it is none, over, or too far away."""
    number, unit = text[:-1], text[-1:]
    if number.isascii() and number.isdigit() and unit in DURATION:
        at = now + int(number) * DURATION[unit]
    else:
        try:
            at = parse_time(text)
        except ValueError:
            raise CommandError(f"--until: {text!r} is no time: write 30m, 2h, or 2026-11-30T18:00:00Z") from None
    if not now < at <= now + LONGEST:
        raise CommandError(f"--until: {text!r} is over, or more than 7 days away")
    return timestamp(at)
