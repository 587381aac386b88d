"""Stories: tests of the operator that run side by side, since each of them mostly waits.

    from .stories import solo, story, stage          (the fixtures come with the folder's conftest)

    @story                      with the operator that all stories share
    @solo                       after that one has left: the story starts operators of its own, for its namespace alone
    async def test_...(stage):  none of both: after every story has ended

pytest still reports each story as the test that it is; what it reports as its duration is how long it waited for the
story's end. Chosen alone (`-k`), a story runs alone.
"""

import asyncio
import enum
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from .operating import Lab, Stage

SIDE_BY_SIDE = 7
"""Stories at the same time: more would keep two cores so busy that checks miss their deadlines."""

OPERATORS = 3
"""Stories at the same time that start operators of their own, each a few seconds of work for a core."""

Tale = Callable[..., Awaitable[None]]


class Cast(enum.Enum):
    """Which operators a story plays with."""

    SHARED = enum.auto()
    OWN = enum.auto()


@dataclass(frozen=True)
class _Part:
    tale: Tale
    cast: Cast
    parameters: dict[str, Any]


def story(tale: Tale) -> Tale:
    """Run this test beside others, on a stage of its own with the shared operator at work."""
    return _as_test(tale, Cast.SHARED)


def solo(tale: Tale) -> Tale:
    """Run this test beside others of its kind, on a stage where no operator is at work but those it starts."""
    return _as_test(tale, Cast.OWN)


def _as_test(tale: Tale, cast: Cast) -> Tale:
    async def test(playbill: "Playbill", request: pytest.FixtureRequest, **_: Any) -> None:
        await playbill.end_of(request.node.nodeid)

    own = [each for name, each in inspect.signature(test).parameters.items() if name in ("playbill", "request")]
    others = [
        each.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for name, each in inspect.signature(tale).parameters.items()
        if name != "stage"
    ]
    signature = inspect.Signature([*own, *others])
    vars(test).update(
        __signature__=signature, __doc__=tale.__doc__, __module__=tale.__module__, part=(tale, cast), **vars(tale)
    )
    test.__name__ = test.__qualname__ = tale.__name__
    return test


class Playbill:
    """The stories of this run, which one process plays: it begins them all at once."""

    def __init__(self, lab: Lab, items: list[pytest.Item]) -> None:
        self._lab = lab
        self._slots = asyncio.Semaphore(SIDE_BY_SIDE)
        self._own_slots = asyncio.Semaphore(OPERATORS)
        self._parts: dict[str, _Part] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._departures: list[asyncio.Task[None]] = []
        for item in items:
            found = getattr(getattr(item, "function", None), "part", None)
            if found is not None:
                called = getattr(item, "callspec", None)
                self._parts[item.nodeid] = _Part(found[0], found[1], dict(called.params) if called else {})

    async def end_of(self, nodeid: str) -> None:
        """Wait until a story has ended, and raise what it raised."""
        if not self._tasks:
            self._begin(self._parts)
        await self._tasks[nodeid]

    async def over(self) -> None:
        """Wait until every story that was begun has ended, well or not."""
        if self._tasks:
            await asyncio.wait(self._tasks.values())

    async def close(self) -> None:
        """End what still runs, for a run that was interrupted."""
        under_way = (*self._departures, *self._tasks.values())
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    def _begin(self, parts: Mapping[str, _Part]) -> None:
        shared = {nodeid: part for nodeid, part in parts.items() if part.cast is Cast.SHARED}
        begun = {nodeid: asyncio.create_task(self._perform(part)) for nodeid, part in shared.items()}
        own = {nodeid: part for nodeid, part in parts.items() if part.cast is Cast.OWN}
        if own:
            departure = asyncio.create_task(self._departure(list(begun.values())))
            self._departures.append(departure)
            begun |= {nodeid: asyncio.create_task(self._perform(part, after=departure)) for nodeid, part in own.items()}
        self._tasks |= begun

    async def _departure(self, shared: list[asyncio.Task[None]]) -> None:
        """Send the shared operator away once nobody needs it any more."""
        if shared:
            await asyncio.wait(shared)
        await self._lab.send_operator_away()

    async def _perform(self, part: _Part, after: asyncio.Task[None] | None = None) -> None:
        if after is not None:
            await asyncio.shield(after)
        async with self._slots if part.cast is Cast.SHARED else self._own_slots:
            operator = await self._lab.operator() if part.cast is Cast.SHARED else None
            stage = await self._lab.stage("stage")
            try:
                await part.tale(stage, **part.parameters)
                assert operator is None or operator.runs, f"the operator has ended:\n{operator.tail()}"
            finally:
                await stage.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def playbill(lab: Lab, request: pytest.FixtureRequest) -> AsyncIterator[Playbill]:
    """The stories of this run."""
    made = Playbill(lab, request.session.items)
    try:
        yield made
    finally:
        await made.close()


@pytest_asyncio.fixture(loop_scope="session")
async def stage(lab: Lab, playbill: Playbill) -> AsyncIterator[Stage]:
    """A stage with the shared operator, and no story anywhere else."""
    await playbill.over()
    operator = await lab.operator()
    made = await lab.stage("stage")
    try:
        yield made
        assert operator.runs, f"the operator has ended:\n{operator.tail()}"
    finally:
        await made.close()
