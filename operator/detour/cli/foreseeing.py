"""The commands that say what would happen: plan and simulate. They write nothing.

Both run the operator's own engine over a copy of what the API server holds, on a clock of its own.
"""

import logging
import time
from pathlib import Path
from typing import Annotated

import typer

from detour.cli.connection import CommandError, Everything, Place, read_all
from detour.cli.options import Context, Kubeconfig, Namespace, Output, run
from detour.cli.output import Format, show
from detour.cli.told import Told
from detour.cli.validating import manifests_in
from detour.model.objects import Kind
from detour.model.record import ObjectKey
from detour.model.timestamps import timestamp

ALL = 10**9

InService = Annotated[
    int, typer.Option("--regions-in-service", min=0, help="The installation's own setting of that name.")
]
All = Annotated[bool, typer.Option("--all", help="List everything, however much.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("plan")(plan)
    app.command("simulate")(simulate)


def simulate(
    *,
    fail: Annotated[list[str], typer.Option("--fail", help="A region; may be given again.", metavar="REGION")],
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    output: Output = Format.TEXT,
    seen_by: Annotated[
        int | None, typer.Option("--seen-by", min=0, help="So many votes of vantages see it (default: all).")
    ] = None,
    in_service: InService = 1,
    all_: All = False,
) -> None:
    """Say who would move where if a region failed now, and who would not.

    Exit status: 0 where every name that answers from there would move, 1 where one would not.
    """
    from detour.cli import foreseen  # noqa: PLC0415 - the engine takes a second of imports

    everything = _everything(Place.of(kubeconfig, context, None))
    if unknown := [each for each in fail if each not in foreseen.regions_in(everything)]:
        raise CommandError(f"no endpoint is in region {unknown[0]}, and there is no CloudRegion of that name", 1)
    votes = foreseen.votes_in(everything)
    if seen_by is not None and votes == 1:
        raise CommandError("--seen-by needs vantages: none is declared, so the operator alone decides")
    copy = run(foreseen.copied(everything, in_service=in_service))
    found = foreseen.if_regions_fail(copy, fail, seen_by=seen_by, votes=votes)
    affected = foreseen.answering_from(everything, fail)
    most = ALL if all_ else foreseen.SHOWN
    show(list(foreseen.told_of_failure(found, fail, affected, most=most)), foreseen.document(found), output)
    moved = {each.record for each in found.moved()}
    raise typer.Exit(0 if all(ObjectKey(each.namespace, each.name) in moved for each in affected) else 1)


def plan(
    *,
    files: Annotated[
        list[Path], typer.Option("--file", "-f", help="A manifest, or a folder with such.", metavar="DIR|FILE")
    ],
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    output: Output = Format.TEXT,
    in_service: InService = 1,
    all_: All = False,
) -> None:
    """Say what these manifests would change in DNS and in checks, before they are applied.

    Exit status: 0, also where something would change; 1 where an object would be refused.
    """
    from detour.cli import foreseen, validate  # noqa: PLC0415 - as above

    place = Place.of(kubeconfig, context, namespace)
    manifests, where = manifests_in(files), place.default_namespace
    if refused := [each.line for each in validate.validate(manifests, where) if not each.is_warning]:
        show(refused, {"refused": refused}, output)
        raise typer.Exit(1)
    everything = _everything(place)
    raws = [(validate.KINDS[str(raw["kind"])], raw) for found in manifests.values() for raw in found]
    now = timestamp(time.time())
    changed = [(kind, validate.filled(raw, kind, where, created=now)) for kind, raw in raws if kind in foreseen.KINDS]
    there = {(each.kind, each.shown) for each in everything.objects}
    records = [Told(kind, raw) for kind, raw in changed if kind is Kind.FAILOVER_RECORD]
    new = [each for each in records if (each.kind, each.shown) not in there]
    copy = run(foreseen.copied(everything, more=[raw for _, raw in changed], new=new, in_service=in_service))
    found = foreseen.if_applied(copy, changed)
    most = ALL if all_ else foreseen.SHOWN
    show(list(foreseen.told_of_plan(found, most=most)), foreseen.document(found), output)
    raise typer.Exit(1 if any(each.now and each.now.state == "Refused" for each in found.records) else 0)


def _everything(place: Place) -> Everything:
    """Read all objects. Raises CommandError where one kind cannot be read: what would happen depends on each."""
    logging.getLogger("detour").setLevel(logging.CRITICAL)  # what the engine says of a copy is nobody's log
    cluster = place.cluster()
    try:
        found = run(read_all(cluster, None, tuple(Kind)))
    finally:
        cluster.close()
    if found.unread:
        kind, why = next(iter(found.unread.items()))
        raise CommandError(f"{kind} cannot be read, and what would happen depends on them: {why}")
    return found
