"""Options that several commands have."""

import asyncio
from collections.abc import Coroutine
from typing import Annotated, Any, TypeVar

import typer

from detour.cli.connection import Place
from detour.cli.output import Format

Result = TypeVar("Result")

Namespace = Annotated[
    str | None, typer.Option("--namespace", "-n", help="Namespace (default: that of the context).", metavar="NAME")
]
Kubeconfig = Annotated[str | None, typer.Option("--kubeconfig", help="Path of a kubeconfig file.", metavar="FILE")]
Context = Annotated[
    str | None, typer.Option("--context", help="Context of the kubeconfig file to use.", metavar="NAME")
]
Output = Annotated[Format, typer.Option("--output", "-o", help="How to print.")]
Resolver = Annotated[
    str | None,
    typer.Option("--resolver", help="Look names up there, instead of as this machine does.", metavar="ADDRESS:PORT"),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")]
Force = Annotated[bool, typer.Option("--force", help="Also where a value of it fails its check now.")]
Record = Annotated[str, typer.Argument(metavar="[NAMESPACE/]NAME", help="A FailoverRecord.")]
Zone = Annotated[str, typer.Argument(metavar="[NAMESPACE/]NAME", help="A DNSZone.")]
Region = Annotated[str, typer.Argument(metavar="REGION", help="A CloudRegion, such as aws-us-east-1.")]


def named(name: str, place: Place) -> tuple[str, str]:
    """Return namespace and name of what a person named, in whichever way."""
    namespace, _, rest = name.rpartition("/")
    return namespace or place.default_namespace, rest


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run what a command does."""
    return asyncio.run(work)
