"""The commands that look for what is wrong: zone, doctor, support-bundle. They change nothing."""

import asyncio
import time
from pathlib import Path
from typing import Annotated

import typer

from detour import __version__
from detour.cli import bundle, diagnosis
from detour.cli.connection import CommandError, Everything, Place, read_all, read_one
from detour.cli.options import Context, Kubeconfig, Namespace, Output, Resolver, Zone, named, run
from detour.cli.output import Format, show
from detour.cli.servers import looked_at
from detour.cli.told import Told
from detour.engine.ports import ClusterError
from detour.kube.cluster import Cluster
from detour.model.objects import Kind, RawObject

ZONES_AT_ONCE = 20
"""Zones that are looked at at the same time: each takes a dozen questions."""

COMPONENT = "detour"
"""Who the operator's events come from."""


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("zone")(zone)
    app.command("doctor")(doctor)
    app.command("support-bundle")(support_bundle)


def zone(
    name: Zone,
    *,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    output: Output = Format.TEXT,
    resolver: Resolver = None,
) -> None:
    """Show one zone: its ledger, names that are owned or orphaned, what waits or is held, what its servers say.

    Exit status: 0 where it is OK, 1 where not.
    """
    place = Place.of(kubeconfig, context, namespace)
    cluster = place.cluster()

    async def look() -> tuple[Told, Everything, diagnosis.ZoneSeen]:
        found = await read_one(cluster, Kind.DNS_ZONE, *named(name, place))
        records = await read_all(cluster, None, [Kind.FAILOVER_RECORD])
        return found, records, await looked_at(found, resolver)

    try:
        found, records, seen = run(look())
    finally:
        cluster.close()
    told = diagnosis.zone_lines(found, records.objects, seen, time.time())
    show(told, {"zone": found.shown, "state": found.state, "status": dict(found.status)}, output)
    raise typer.Exit(0 if found.state in ("OK", "Standby") else 1)


def doctor(
    *,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    output: Output = Format.TEXT,
    resolver: Resolver = None,
) -> None:
    """Say what would keep a failover from working today: operator, vantages, zones, DNSSEC, records.

    Exit status: 0 where nothing would, 1 where something would.
    """
    cluster = Place.of(kubeconfig, context, None).cluster()
    try:
        found = diagnosis.diagnosed(run(_facts(cluster, resolver)))
    finally:
        cluster.close()
    show(diagnosis.lines(found), diagnosis.document(found), output)
    raise typer.Exit(1 if any(each.severity is diagnosis.Severity.FAILS for each in found) else 0)


async def _facts(cluster: Cluster, resolver: str | None) -> diagnosis.Facts:
    """Gather what a diagnosis is made of."""
    everything = await read_all(cluster, None)
    zones = everything.by_name(Kind.DNS_ZONE)
    places = asyncio.Semaphore(ZONES_AT_ONCE)

    async def look(zone: Told) -> diagnosis.ZoneSeen:
        async with places:
            return await looked_at(zone, resolver)

    seen = await asyncio.gather(*(look(each) for each in zones.values()))
    return diagnosis.Facts(
        everything.objects,
        everything.replicas,
        dict(zip(zones, seen, strict=True)),
        __version__,
        time.time(),
        everything.unread,
    )


def support_bundle(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write it, such as detour.tar.gz.")],
    *,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    resolver: Resolver = None,
) -> None:
    """Write all of Detour's objects, its events and what doctor finds into one file, to be sent with a report.

    No Secret is read. Look through it before you send it: it has your names and addresses.
    """
    cluster = Place.of(kubeconfig, context, None).cluster()

    async def gather() -> tuple[diagnosis.Facts, list[RawObject]]:
        facts = await _facts(cluster, resolver)
        try:
            return facts, await cluster.list_events(COMPONENT)
        except ClusterError as error:
            return facts, [{"message": f"events cannot be read: {error}"}]

    try:
        facts, events = run(gather())
    finally:
        cluster.close()
    try:
        names = bundle.write(file, facts, events)
    except OSError as error:
        raise CommandError(f"{file} cannot be written: {error.strerror}") from None
    print(f"{file} has {', '.join(names)}")
