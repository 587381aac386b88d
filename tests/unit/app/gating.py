"""Records in three regions, and what their users see of the safety gate."""

from collections.abc import Callable
from typing import Any

from detour.model.objects import Kind

from .objects import changed, failover_record
from .world import World

Boot = Callable[..., World]
FR, DZ = Kind.FAILOVER_RECORD, Kind.DNS_ZONE
EAST, WEST, NORTH = "aws-us-east-1", "azure-westeurope", "gcp-europe-west3"
ZONES_FIRST, RECORDS_FIRST = (DZ, FR, Kind.CLOUD_REGION), (FR, DZ, Kind.CLOUD_REGION)
WINDOW = 600.0
CALM = {"safety": {"panicThreshold": 100, "withdrawal": 100}}
"""Panic and the pace of withdrawals out of the way, for tests of the other protections."""


def record(name: str, *endpoints: tuple[str, str, int], uid: str = "", **spec: Any) -> dict[str, Any]:
    """Return a FailoverRecord with endpoints of (region, address, priority)."""
    listed = [
        {"name": f"e{place}", "region": region, "addresses": [address], "priority": priority}
        for place, (region, address, priority) in enumerate(endpoints)
    ]
    return failover_record(name, uid=uid or f"u-{name}", endpoints=listed, **spec)


def api() -> dict[str, Any]:
    return record("api", (EAST, "192.0.2.1", 1), (NORTH, "192.0.2.3", 2))


def www() -> dict[str, Any]:
    return record("www", (WEST, "192.0.2.2", 1), (NORTH, "192.0.2.4", 2))


def held(world: World, name: str = "main") -> tuple[str, str]:
    return world.api.condition("Held", name, DZ)


def message(world: World, type: str, name: str = "main", kind: Kind = DZ) -> str:
    found = [each for each in world.api.status(name, kind).get("conditions", ()) if each["type"] == type]
    return str(found[0]["message"]) if found else ""


def ready(world: World, *names: str) -> bool:
    return all(world.api.condition("Ready", name)[0] == "True" for name in names or ("api",))


def annotate(world: World, raw: dict[str, Any], **annotations: str) -> None:
    """Set `detour.dev/` annotations (underscores become dashes)."""
    given = {f"detour.dev/{name.replace('_', '-')}": value for name, value in annotations.items()}
    world.api.apply(changed(raw, annotations=given))


def digest(world: World) -> str:
    return str(world.api.status("main", DZ)["held"]["digest"])


def told(world: World, reason: str) -> list[str]:
    return [text for what, text in world.api.events if what == reason]
