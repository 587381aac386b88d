"""The command that looks at manifests without a cluster, and reading them for others."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from detour.cli.connection import CommandError
from detour.cli.options import Output
from detour.cli.output import Format, show

SUFFIXES = (".yaml", ".yml", ".json")


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("validate")(validate_files)


def validate_files(
    paths: Annotated[list[Path], typer.Argument(metavar="DIR|FILE...", help="Manifests, and folders with such.")],
    namespace: Annotated[
        str, typer.Option("--namespace", "-n", help="Namespace of objects that have none.", metavar="NAME")
    ] = "default",
    output: Output = Format.TEXT,
) -> None:
    """Say what the API server or the operator would refuse of manifests. It needs no cluster.

    Exit status: 0 where nothing would be refused, 1 where something would, 2 where a file cannot be read.
    """
    from detour.cli.validate import validate  # noqa: PLC0415 - schemas take half a second of imports

    files = manifests_in(paths)
    found = validate(files, namespace)
    number = sum(len(each) for each in files.values())
    wrong = sum(not each.is_warning for each in found)
    told = [each.line for each in found]
    counted = f"{number} {'object' if number == 1 else 'objects'} of Detour's in {len(files)}"
    told.append(f"{counted} {'file' if len(files) == 1 else 'files'}: {wrong} would be refused")
    listed = [
        {"file": each.file, "object": each.object, "message": each.message, "warning": each.is_warning}
        for each in found
    ]
    show(told, {"objects": number, "findings": listed}, output)
    raise typer.Exit(1 if wrong else 0)


def manifests_in(paths: Sequence[Path]) -> dict[str, list[dict[str, Any]]]:
    """Return Detour's objects by the file that they are in. Raises CommandError where one cannot be read."""
    return {str(path): _objects(path) for path in _manifests(paths)}


def _manifests(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(each for each in path.rglob("*") if each.suffix in SUFFIXES and each.is_file())
        elif path.is_file():
            yield path
        else:
            raise CommandError(f"there is no file or folder {path}")


def _objects(path: Path) -> list[dict[str, Any]]:
    from detour.cli.validate import objects_in  # noqa: PLC0415 - as above

    try:
        return list(objects_in(path.read_text()))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CommandError(f"{path} cannot be read: {_first_line(error)}") from None


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())
