"""The commands that look and change nothing: status, explain, check, history."""

import asyncio
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.live import Live

from detour import __version__
from detour.cli.connection import CommandError, Everything, Place, read_all, read_one, replicas
from detour.cli.explain import KINDS, Served, Surroundings, document, explanation, text_of, zone_names
from detour.cli.following import Stage, stages
from detour.cli.options import Context, Kubeconfig, Namespace, Output, Record, Resolver, named, run
from detour.cli.output import Format, coloured, show
from detour.cli.overview import Overview, lines, overview
from detour.cli.servers import answers_of
from detour.cli.told import Told, clock, mapping, words
from detour.cli.trail import lines_of, trail_of
from detour.engine.ports import ClusterError
from detour.kube.cluster import Cluster
from detour.model.objects import Kind

EVERY = 1.0
"""Seconds between two looks of a command that watches."""


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("status")(status)
    app.command("explain")(explain)
    app.command("check")(check)
    app.command("history")(history)


def print_versions() -> None:
    """Print our version and that of the operator that leads, and warn where they are far apart."""
    print(f"detour {__version__}")
    place = Place.of(None, None, None)
    if place.kubeconfig is None:
        return
    cluster = place.cluster()
    try:
        found = run(replicas(cluster))
    finally:
        cluster.close()
    for each in found:
        print(f"operator {each.version or 'of an unknown version'} ({each.lease})")
        if each.version and _minor(each.version) != _minor(__version__):
            print(
                f"detour: this command is {__version__} and the operator {each.version}: install the same version, or "
                "what they say of each other may not fit",
                file=sys.stderr,
            )


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def status(
    name: Annotated[str | None, typer.Argument(metavar="[[NAMESPACE/]NAME]", help="One FailoverRecord.")] = None,
    *,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    output: Output = Format.TEXT,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Go on, until Ctrl-C.")] = False,
    all_: Annotated[bool, typer.Option("--all", help="List all that is not well, however much.")] = False,
) -> None:
    """Show how things stand, and what is not well, with the reason and the next step.

    Exit status: 0 where all is well, 1 where something is not.
    """
    place = Place.of(kubeconfig, context, namespace)
    cluster = place.cluster()

    async def look() -> tuple[list[str], dict[str, Any], bool]:
        if name is None:
            return _overview(await read_all(cluster, namespace), most=10**9 if all_ else 20)
        record = await read_one(cluster, Kind.FAILOVER_RECORD, *named(name, place))
        return _one(record, time.time()), {**_raw(record)}, record.state in ("OK", "Standby")

    try:
        if watch:
            run(_watch(look))
        else:
            told, found, is_well = run(look())
            show(told, found, output)
            raise typer.Exit(0 if is_well else 1)
    except KeyboardInterrupt:
        raise typer.Exit(0) from None
    finally:
        cluster.close()


def _overview(everything: Everything, *, most: int) -> tuple[list[str], dict[str, Any], bool]:
    told: Overview = overview(everything.objects, everything.replicas, everything.unread)
    return lines(told, most=most), told.document(), told.is_well


def _raw(record: Told) -> dict[str, Any]:
    return {"namespace": record.namespace, "name": record.name, "state": record.state, "status": dict(record.status)}


def _one(record: Told, now: float) -> list[str]:
    """Return a record in a few lines."""
    summary = mapping(record.status.get("summary"))
    found = [f"{record.shown}  {record.spec.get('hostname', '')}  {record.state}", f"  {record.message}", ""]
    found.append(f"  serving   {summary.get('serving', '-')}")
    for each in record.listed("endpoints"):
        why = f": {each['message']}" if each.get("message") else ""
        found.append(
            f"  endpoint  {each.get('name')}  {each.get('verdict')} since {clock(each.get('since'), now)}{why}"
        )
    for each in record.listed("zones"):
        seen = f", seen {clock(each['verifiedAt'], now)}" if each.get("verifiedAt") else ""
        values = ", ".join(words(each.get("values"))) or "nothing"
        found.append(f"  zone      {each.get('namespace')}/{each.get('name')}  {values}{seen}")
    return [*found, "", f"`detour explain {record.shown}` says how this came to be."]


async def _watch(look: Any) -> None:
    """Print again and again what there is to see."""
    with Live(auto_refresh=False) as live:
        while True:
            try:
                told, _, _ = await look()
            except ClusterError as error:
                told = [f"{error}; looking again"]
            live.update(coloured(told), refresh=True)
            await asyncio.sleep(EVERY)


def explain(
    name: Record,
    *,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    output: Output = Format.TEXT,
    resolver: Resolver = None,
) -> None:
    """Tell of one record all that led to what it answers: checks, votes, regions, decision, gate, zones, servers."""
    place = Place.of(kubeconfig, context, namespace)
    cluster = place.cluster()

    async def look() -> tuple[Told, Surroundings, tuple[Served, ...]]:
        record = await read_one(cluster, Kind.FAILOVER_RECORD, *named(name, place))
        around = await _around(cluster, record)
        return record, around, await answers_of(record, around.zones, resolver)

    try:
        record, around, served = run(look())
    finally:
        cluster.close()
    parts = explanation(record, around, served, time.time())
    show(text_of(parts), {"record": record.shown, "state": record.state, **document(parts)}, output)


async def _around(cluster: Cluster, record: Told) -> Surroundings:
    """Read what a record has to do with, and nothing else: there may be thousands of zones."""
    zones = dict.fromkeys(zone_names(record))
    for each in zones:
        namespace, _, name = each.partition("/")
        try:
            zones[each] = await read_one(cluster, Kind.DNS_ZONE, namespace, name)
        except (CommandError, ClusterError):
            continue
    rest = await read_all(cluster, None, [each for each in KINDS if each is not Kind.DNS_ZONE])
    return Surroundings(
        zones={name: zone for name, zone in zones.items() if zone is not None},
        regions=rest.by_name(Kind.CLOUD_REGION),
        vantages=rest.by_name(Kind.VANTAGE),
    )


def check(
    what: Annotated[
        str,
        typer.Argument(
            metavar="FILE|[NAMESPACE/]NAME",
            help="A file with FailoverRecords and CloudRegions, - for standard input, or a record by its name.",
        ),
    ],
    *,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    resolver: Annotated[
        str | None,
        typer.Option(
            "--resolver", envvar="DETOUR_RESOLVER", help="Resolver for endpoint hostnames.", metavar="ADDRESS:PORT"
        ),
    ] = None,
    allow_networks: Annotated[
        str,
        typer.Option(
            "--allow-networks",
            envvar="DETOUR_ALLOW_NETWORKS",
            help="Networks to probe though refused by default.",
            metavar="LIST",
        ),
    ] = "",
    deny_networks: Annotated[
        str,
        typer.Option(
            "--deny-networks", envvar="DETOUR_DENY_NETWORKS", help="Networks that must not be probed.", metavar="LIST"
        ),
    ] = "",
    checks_in_flight: Annotated[
        int, typer.Option("--checks-in-flight", min=1, help="Checks at the same time at most.")
    ] = 500,
    wait: Annotated[
        bool,
        typer.Option(
            "--wait", help="Make no check: wait until the operator has the record Ready, and say how far it is."
        ),
    ] = False,
    timeout: Annotated[float, typer.Option("--timeout", min=1.0, help="Seconds to wait at most.")] = 300.0,
) -> None:
    """Make the checks of a record, or of all in a file, once and from here. Nothing is published.

    Exit status: 0 where every endpoint passes (with --wait: the record is Ready), 1 where one does not (it is stalled),
    2 where nothing could be checked, 3 where the time was over.
    """
    from detour.cli import check as checking  # noqa: PLC0415 - checks take half a second of imports

    place = Place.of(kubeconfig, context, namespace)
    if wait:
        raise typer.Exit(run(_wait(place, *named(what, place), timeout)))
    is_file = what == "-" or Path(what).is_file()
    chosen = checking.CheckSettings(
        what=what,
        namespace=namespace or ("default" if is_file else place.default_namespace),
        kubeconfig=place.kubeconfig,
        context=context,
        resolver=resolver,
        allow_networks=_listed(allow_networks),
        deny_networks=_listed(deny_networks),
        checks_in_flight=checks_in_flight,
    )
    try:
        raise typer.Exit(run(checking.run(chosen)))
    except ValueError as error:
        raise CommandError(f"check: {error}") from None


def _listed(text: str) -> tuple[str, ...]:
    return tuple(each.strip() for each in text.split(",") if each.strip())


async def _wait(place: Place, namespace: str, name: str, timeout: float) -> int:
    """Follow a record until it is Ready; return the exit status."""
    cluster, until, told = place.cluster(), time.monotonic() + timeout, dict[Stage, str]()
    try:
        while True:
            record = await read_one(cluster, Kind.FAILOVER_RECORD, namespace, name)
            reached = stages(record)
            for stage, message in reached.done.items():
                if told.get(stage) != message:
                    told[stage] = message
                    print(message, flush=True)
            if reached.is_ready:
                return 0
            if reached.stalled:
                print(reached.stalled, file=sys.stderr)
                return 1
            if time.monotonic() >= until:
                print(f"not Ready after {timeout:g} s: {record.message}", file=sys.stderr)
                return 3
            await asyncio.sleep(EVERY / 2)
    finally:
        cluster.close()


def history(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAMESPACE/]NAME", help="A FailoverRecord; with --audit also a hostname, or nothing."),
    ] = None,
    *,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    output: Output = Format.TEXT,
    audit: Annotated[
        Path | None,
        typer.Option(
            "--audit", help="An audit file of the operator's: it is read in place of the cluster.", metavar="FILE"
        ),
    ] = None,
    last: Annotated[int, typer.Option("--last", min=1, help="Changes of the audit file that are shown at most.")] = 50,
) -> None:
    """Show what a record has published, newest first, and why. With --audit no cluster is needed."""
    if audit is not None:
        _history_of(audit, name, Place.of(kubeconfig, context, namespace), last, output)
        return
    if name is None:
        raise CommandError("say of which record; an audit file (--audit FILE) tells of all")
    place = Place.of(kubeconfig, context, namespace)
    cluster = place.cluster()
    try:
        record = run(read_one(cluster, Kind.FAILOVER_RECORD, *named(name, place)))
    finally:
        cluster.close()
    entries, now = record.listed("history"), time.time()
    told = [
        f"{each.get('revision', ''):>4}  {clock(each.get('at'), now):19}  {', '.join(words(each.get('values')))}"
        f"  {each.get('reason', '')}{'  (was there before)' if each.get('wasThere') else ''}"
        for each in entries
    ]
    show(told or [f"{record.shown} has published nothing yet"], {"history": [dict(each) for each in entries]}, output)


def _history_of(audit: Path, name: str | None, place: Place, last: int, output: Format) -> None:
    """Show what an audit file tells of a record, of a hostname, or of everything."""
    about = None if name is None else {name, name if "/" in name else f"{place.default_namespace}/{name}"}
    trail = trail_of(lines_of(audit), about)
    shown, now = trail.changes[: -last - 1 : -1], time.time()
    told = [each.line(now) for each in shown] or [f"{audit} tells of no change{f' of {name}' if name else ''}"]
    if len(trail.changes) > last:
        told.append(f"and {len(trail.changes) - last} more: --last {len(trail.changes)} shows all")
    if trail.unread:
        one = trail.unread == 1
        lines = "line was left out: it is no entry" if one else "lines were left out: they are no entries"
        told.append(f"{trail.unread} {lines} of an audit")
    show(told, {"changes": [asdict(each) for each in shown], "unread": trail.unread}, output)
