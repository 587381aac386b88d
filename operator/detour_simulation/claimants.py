"""Two records that claim one name: another one is declared for it, and one of them, or both, go again."""

from typing import TYPE_CHECKING, Any

from detour_simulation.schedule import Step

if TYPE_CHECKING:
    from detour_simulation.run import Run

AGAIN = 6.0
"""Seconds until who was deleted together with a rival is declared again."""

WAYS = 4


def rival_of(name: str) -> str:
    """Return what the second record for the name of a record is called."""
    return f"{name}-rival"


def claimed(run: "Run", step: Step) -> None:
    """Declare a rival with places of its own; later it goes, or who was first does, or both do.

    Half of the rivals may adopt what exists.
    """
    name, rival = step.where, rival_of(step.where)
    spec = run.desired.get(name)
    if spec is None or rival in run.desired or "addresses" not in spec["endpoints"][0]:
        return
    run.declare(rival, {**_with_places(spec, step.number), "adopt": bool(step.number // WAYS % 2)})
    run.loop.later(step.seconds, _end, run, step)


def _end(run: "Run", step: Step) -> None:
    name, rival = step.where, rival_of(step.where)
    match step.number % WAYS:
        case 0 | 1:
            run.undeclare(rival)
        case 2:
            run.undeclare(name)
        case _:
            spec = run.desired.get(name)
            run.undeclare(name)
            run.undeclare(rival)
            if spec is not None:
                run.loop.later(AGAIN, _declare_again, run, name, spec)


def _declare_again(run: "Run", name: str, spec: dict[str, Any]) -> None:
    if name not in run.desired:
        run.declare(name, spec)


def _with_places(spec: dict[str, Any], number: int) -> dict[str, Any]:
    """Return the spec with addresses that only the rival has."""
    first = f"198.51.100.{number % 200 + 20}"
    place = {key: value for key, value in spec["endpoints"][0].items() if key != "state"}  # it may be drained just now
    endpoints = [{**place, "name": "rival", "addresses": [first]}]
    return {**spec, "endpoints": endpoints}
