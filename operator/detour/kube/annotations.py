"""What people ask of an object with annotations.

`approve` names what it means (a digest), so it does not matter how often it is read. But `failback` and `take-over`
are commands: each value is acted upon once, and remembered in status, because a GitOps
controller puts an annotation back at every sync, and a restart reads it again. A value is `now`, a number or a time:
whoever asks again gives another one.
"""

import difflib
import re
from collections.abc import Mapping
from typing import Any

from detour.engine.ports import Command
from detour.kube.kinds import GROUP
from detour.model.objects import Kind
from detour.model.timestamps import parse_time

ANNOTATIONS = {each: f"{GROUP}/{each.value}" for each in Command}
FAILBACK_ANNOTATION = ANNOTATIONS[Command.FAILBACK]
TAKE_OVER_ANNOTATION = ANNOTATIONS[Command.TAKE_OVER]
APPROVE_ANNOTATION = ANNOTATIONS[Command.APPROVE]

KNOWN = {
    Kind.FAILOVER_RECORD: (FAILBACK_ANNOTATION, APPROVE_ANNOTATION),
    Kind.DNS_ZONE: (TAKE_OVER_ANNOTATION, APPROVE_ANNOTATION),
    Kind.CLOUD_REGION: (),
    Kind.VANTAGE: (),
    Kind.EXTERNAL_VERDICT: (),
    Kind.OVERRIDE: (),
    Kind.CLUSTER_OVERRIDE: (),
}
COMMANDS = {FAILBACK_ANNOTATION: "failback", TAKE_OVER_ANNOTATION: "takeOver"}
"""The annotations that are commands, and the field of `status.commands` that has the value last acted upon."""

NOW = "now"
_NUMBER = re.compile(r"[0-9]{1,20}", re.ASCII)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
LIKE = 0.85
"""How much two names must be alike (0 to 1) for one to be taken for the other misspelt; they all begin alike."""

SHOWN = 3
LONGEST_SHOWN = 40


def annotations_of(raw: Mapping[str, Any]) -> Mapping[Any, Any]:
    """Return the annotations of an object, whatever stands in their place."""
    metadata = raw.get("metadata")
    found = metadata.get("annotations") if isinstance(metadata, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def command_in(raw: Mapping[str, Any], annotation: str) -> str | None:
    """Return the value of a command that an object bears, None without one that is valid."""
    value = annotations_of(raw).get(annotation)
    return value if isinstance(value, str) and _is_valid(value) else None


def commands_acted_upon(raw: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the values last acted upon by annotation, as an object's status has them."""
    status = raw.get("status")
    told = status.get("commands") if isinstance(status, Mapping) else None
    found = told if isinstance(told, Mapping) else {}
    values = {name: found.get(key) for name, key in COMMANDS.items()}
    return {name: value for name, value in values.items() if isinstance(value, str) and _is_valid(value)}


def is_due(raw: Mapping[str, Any], annotation: str) -> bool:
    """Tell whether an object bears a command that was not acted upon yet, as its status tells."""
    value = command_in(raw, annotation)
    return value is not None and commands_acted_upon(raw).get(annotation) != value


def another_value(before: str | None) -> str:
    """Return a value that is new after `before`, to be shown in the command that a person is asked to run."""
    if before is None:
        return NOW
    return str(int(before) + 1) if _NUMBER.fullmatch(before) else "2"


def complaints(kind: Kind, raw: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a sentence for each of an object's annotations that is meant for us and means nothing."""
    found = []
    for name, value in sorted((str(name), value) for name, value in annotations_of(raw).items()):
        if not name.startswith(f"{GROUP}/"):
            continue
        if name not in KNOWN[kind]:
            found.append(_unknown(kind, name))
        elif name in COMMANDS and not (isinstance(value, str) and _is_valid(value)):
            shown = f"{name}={_shown(str(value))}"
            found.append(
                f"annotation {shown} is not acted upon: give it a time or a number that it did not have before"
            )
    return tuple(found)


def _is_valid(value: str) -> bool:
    if value == NOW or _NUMBER.fullmatch(value):
        return True
    try:
        parse_time(f"{value}T00:00:00Z" if _DAY.fullmatch(value) else value)
    except ValueError:
        return False
    return True


def _unknown(kind: Kind, name: str) -> str:
    for other, names in KNOWN.items():
        if name in names:
            return f"annotation {name} means nothing on a {kind.title}: it is for a {other.title}"
    near = difflib.get_close_matches(name, KNOWN[kind], n=1, cutoff=LIKE)
    told = f"did you mean {near[0]}?" if near else f"known here are {', '.join(KNOWN[kind]) or 'none'}"
    return f"annotation {_shown(name)} is unknown and means nothing: {told}"


def _shown(text: str) -> str:
    plain = text.encode("ascii", "backslashreplace").decode()
    return plain if len(plain) <= LONGEST_SHOWN else f"{plain[:LONGEST_SHOWN]}..."
