"""The event loop of virtual time, for this folder too, and operator processes without Kubernetes."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from ..enactment.conftest import event_loop_policy  # noqa: TID252 - the root is on no path, so a sibling is reached so
from .world import ApiServer, Clouds, World

__all__ = ["event_loop_policy"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say nothing of the loop policy, as in the folder that it comes from."""
    folder = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(folder):
            item.add_marker(pytest.mark.filterwarnings('ignore:Overriding the "event_loop_policy" fixture'))


@pytest.fixture
def clouds() -> Clouds:
    """Zones in memory in place of those that the registry would open."""
    return Clouds()


@pytest.fixture
async def boot(clouds: Clouds) -> AsyncIterator[Callable[..., World]]:
    """Start an operator process; a second one finds what the first one left. No name may ever have been emptied."""
    worlds: list[World] = []
    api = ApiServer()

    def begin(*objects: dict[str, Any], **options: Any) -> World:
        for raw in objects:
            api.apply(raw)
            if raw["kind"] == "FailoverRecord":
                for zone in raw["spec"]["zones"]:
                    clouds.zone(zone["name"]).guarded.add(raw["spec"]["hostname"])
        worlds.append(World(clouds, api, **options))
        return worlds[-1]

    yield begin
    for world in worlds:
        failure = world.engine.zones.failure
        assert not failure.done(), failure.exception()
        failure.cancel()
        await world.kill()
    assert not [emptied for zone in clouds.zones.values() for emptied in zone.emptied]
