"""The command line: `detour`, and `kubectl detour`.

`run` and `probe` are the operator's own; all else is for people, and does without the clouds' SDKs.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from detour import __version__
from detour.cli import acting, diagnosing, foreseeing, looking, validating
from detour.cli.acts import RefusedError
from detour.cli.connection import CommandError
from detour.engine.ports import NOT_REACHED, ClusterError
from detour.kube.cluster import why_refused

AS_IT_IS = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
"""The arguments of `run` and `probe` are read by the settings of those processes, which the environment fills in."""

app = typer.Typer(
    name="detour",
    help="Keep DNS names pointing at places that work.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
looking.add_to(app)
foreseeing.add_to(app)
diagnosing.add_to(app)
validating.add_to(app)
acting.add_to(app)


def main() -> None:
    """Run the command that the arguments name. A thing that cannot be done is told in one sentence."""
    name = "kubectl detour" if Path(sys.argv[0]).name.startswith("kubectl-") else "detour"
    try:
        app(prog_name=name)
    except CommandError as error:
        _end(str(error), error.status)
    except RefusedError as error:
        _end(str(error), 1)
    except ClusterError as error:
        _end(f"{error}{f': {why}' if (why := why_refused(error)) else ''}", 2 if error.status == NOT_REACHED else 1)


def _end(message: str, status: int) -> None:
    print(f"detour: {message}", file=sys.stderr)
    sys.exit(status)


@app.callback(invoke_without_command=True)
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version, and that of the operator where one can be reached.")
    ] = False,
) -> None:
    """Options of the command line as a whole."""
    if version:
        looking.print_versions()
        raise typer.Exit


@app.command("version")
def _version() -> None:
    """Print the version."""
    print(__version__)


@app.command("run", context_settings=AS_IT_IS)
def _run(context: typer.Context) -> None:
    """Run the operator: `detour run --help` lists its options."""
    from detour.app import main as process  # noqa: PLC0415 - the SDKs take a second, which nothing else need spend

    process.run(context.args)


@app.command("probe", context_settings=AS_IT_IS)
def _probe(context: typer.Context) -> None:
    """Check from another place, and report to the operator: `detour probe --help` lists its options."""
    from detour.app import main as process  # noqa: PLC0415 - as above

    process.probe(context.args)
