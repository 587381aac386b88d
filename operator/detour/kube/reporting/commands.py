"""Which commands (annotations) of an object were acted upon: each value once, also before our own status comes back.

What is passed on here as `acted` are, by annotation, the values of one object that were; the last one goes to status.
"""

from collections.abc import Mapping

from detour.kube import annotations
from detour.kube.annotations import COMMANDS, command_in, commands_acted_upon
from detour.model.objects import RawObject

Acted = dict[str, list[str]]


def adopt(acted: Acted, raw: RawObject) -> None:
    """Begin with what an object's status tells.

    Where it has no status yet, what it bears was declared with it, for another day or cluster: it counts as done.
    """
    told = commands_acted_upon(raw)
    if not raw.get("status"):
        told = {name: value for name in COMMANDS if (value := command_in(raw, name)) is not None}
    for annotation, value in told.items():
        note(acted, annotation, value)


def is_new(acted: Acted, annotation: str, value: str) -> bool:
    """Tell whether this value was never acted upon, as far as we know."""
    return value not in acted.get(annotation, ())


def note(acted: Acted, annotation: str, value: str) -> None:
    """This value was acted upon."""
    values = acted.setdefault(annotation, [])
    if value in values:
        values.remove(value)
    values.append(value)


def another_value(acted: Acted, annotation: str) -> str:
    """Return a value that would be acted upon."""
    values = acted.get(annotation)
    return annotations.another_value(values[-1] if values else None)


def status_of(acted: Acted) -> Mapping[str, str]:
    """Return what an object's `status.commands` is to say."""
    return {COMMANDS[name]: values[-1] for name, values in acted.items()}
