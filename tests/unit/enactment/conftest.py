"""An event loop for the tests of this folder whose time passes only while everybody waits."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from detour.twin.loop import VirtualPolicy

from .writer import Writer


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say nothing of the loop policy: what is to take its place would change the loops of every other folder too."""
    folder = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(folder):
            item.add_marker(pytest.mark.filterwarnings('ignore:Overriding the "event_loop_policy" fixture'))


@pytest.fixture
def event_loop_policy() -> asyncio.AbstractEventLoopPolicy:
    return VirtualPolicy()


@pytest.fixture
async def start() -> AsyncIterator[Callable[..., Writer]]:
    """Start a writer; no guarded name may ever have gone without an answer by its hand."""
    writers: list[Writer] = []

    def begin(*arguments: Any, **options: Any) -> Writer:
        writers.append(Writer(*arguments, **options))
        return writers[-1]

    yield begin
    for writer in writers:
        writer.task.cancel()
    results = await asyncio.gather(*(writer.task for writer in writers), return_exceptions=True)
    assert not [each for each in results if isinstance(each, Exception)]
    assert not [emptied for writer in writers for emptied in writer.zone.emptied]
