"""What objects of the API server tell, read with care: a status may be of another version, or missing. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from detour.model.objects import Kind, RawObject
from detour.model.timestamps import parse_time

NOT_LOOKED_AT = "Unseen"
"""The state of an object that the operator has not looked at, in the version that it has."""

ZONE_TELLS = ("Ready", "Held", "Frozen", "Throttled", "Warning")
"""Conditions of a DNSZone, in the order in which people should hear of them; Ready is bad where it is not True."""


@dataclass(frozen=True, slots=True)
class Told:
    """An object, and what its status tells."""

    kind: Kind
    raw: RawObject

    @property
    def name(self) -> str:
        return str(mapping(self.raw.get("metadata")).get("name") or "")

    @property
    def namespace(self) -> str:
        return str(mapping(self.raw.get("metadata")).get("namespace") or "")

    @property
    def shown(self) -> str:
        """The object as people name it."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name

    @property
    def spec(self) -> Mapping[str, Any]:
        return mapping(self.raw.get("spec"))

    @property
    def status(self) -> Mapping[str, Any]:
        return mapping(self.raw.get("status"))

    @property
    def is_seen(self) -> bool:
        """Tell whether the operator has looked at the object as it is now."""
        return self.status.get("observedGeneration") == mapping(self.raw.get("metadata")).get("generation")

    @property
    def state(self) -> str:
        """The object in one word, as its own column says it."""
        if not self.is_seen:
            return NOT_LOOKED_AT
        key = "phase" if self.kind is Kind.CLOUD_REGION else "state"
        return str(self.status.get(key) or NOT_LOOKED_AT)

    @property
    def message(self) -> str:
        """Why it is as it is, as a sentence."""
        if not self.is_seen:
            return "the operator has not looked at this version of it yet: is it running?"
        if self.kind is not Kind.DNS_ZONE:
            return str(self.status.get("message") or "")
        bad = (each for each in ZONE_TELLS if (self.condition(each).get("status") == "True") == (each != "Ready"))
        return str(self.condition(next(bad, "Ready")).get("message") or "")

    def condition(self, type_: str) -> Mapping[str, Any]:
        """Return a condition, empty where it has none of that type."""
        return next((each for each in self.listed("conditions") if each.get("type") == type_), {})

    def listed(self, field: str) -> tuple[Mapping[str, Any], ...]:
        """Return the objects in a list of the status."""
        return tuple(mappings(self.status.get(field)))


def mapping(value: object) -> Mapping[str, Any]:
    """Return what is an object, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def mappings(value: object) -> Iterator[Mapping[str, Any]]:
    """Give the objects in what may be a list."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        yield from (each for each in value if isinstance(each, Mapping))


def words(value: object) -> list[str]:
    """Return the texts in what may be a list."""
    return [str(each) for each in value] if isinstance(value, Sequence) and not isinstance(value, str) else []


def seconds_of(value: object) -> float | None:
    """Return a time as seconds since the Unix epoch, None where it is none."""
    try:
        return parse_time(str(value))
    except ValueError:
        return None


def ago(value: object, now: float) -> str:
    """Return for how long something has been so, as kubectl writes it; `-` where that is not known."""
    at = seconds_of(value)
    return "-" if at is None else lasting(now - at)


def lasting(seconds: float) -> str:
    """Return a time span in its largest unit, two where the first is small."""
    left = max(0, round(seconds))
    if left < 120:
        return f"{left}s"
    if left < 2 * 3600:
        return f"{left // 60}m" if left >= 600 else f"{left // 60}m{left % 60}s"
    if left < 48 * 3600:
        return f"{left // 3600}h"
    return f"{left // 86400}d"


def clock(value: object, now: float) -> str:
    """Return a time of day (UTC), with the date where it is not today's; `-` where it is none."""
    at = seconds_of(value)
    if at is None:
        return "-"
    told, today = datetime.fromtimestamp(at, UTC), datetime.fromtimestamp(now, UTC).date()
    return told.strftime("%H:%M:%S" if told.date() == today else "%Y-%m-%d %H:%M:%S")
