"""Who asks the name servers during the story with Detour, and counts every answer that should not have been."""

from collections.abc import Callable, Collection, Mapping
from typing import Self

from detour_lab.dns.sampling import Question, Sampler
from detour_lab.stage.stage import PATIENCE, StageError
from detour_lab.stories.expectation import Spec, expected_values

MOVE_TIMEOUT = PATIENCE
QUIET_TIMEOUT = PATIENCE
"""Seconds within which every zone shows a decision, and within which servers are asked a few dozen times."""

QUIET_ANSWERS = 50
"""Answers that each server gives, on average, before it counts as quiet."""


class Watch:
    """Asks `servers` (name to `address:port`) for the records in `specs`; an async context manager.

    `empty` and `old` count answers without addresses and answers that were none of those in force, `answers` all that
    had addresses; they grow with each `judge`.
    """

    def __init__(self, servers: Mapping[str, str], specs: Mapping[str, Spec], say: Callable[[str], None]) -> None:
        self._specs = specs
        self._servers = tuple(servers)
        self._say = say
        self._sampler = Sampler(servers, [Question(str(spec["hostname"])) for spec in specs.values()])
        self.empty = self.old = self.answers = 0

    async def __aenter__(self) -> Self:
        await self._sampler.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._sampler.__aexit__(*error)

    def begin(self) -> None:
        """Let nothing count that was answered so far."""
        self._sampler.begin()

    def judge(self, allowed: Collection[Collection[str]]) -> None:
        """Add up what was answered since the last time; right were, for each record, its sets with `allowed` lost."""
        sets = {
            (server, str(spec["hostname"])): [expected(spec, lost=lost) for lost in allowed]
            for spec in self._specs.values()
            for server in self._servers
        }
        old, empty = self._sampler.wrong_answers(sets), self._sampler.empty_answers()
        for each in (*old, *empty):
            self._say(f"wrong: {each}")
        self.old += sum(each.count for each in old)
        self.empty += sum(each.count for each in empty)
        self.answers += self._sampler.tally.answers
        self._sampler.begin()

    async def moved(self, *, lost: Collection[str]) -> bool:
        """Wait until every server shows what is right while `lost` regions are down; False after MOVE_TIMEOUT."""
        wanted = {str(spec["hostname"]): expected(spec, lost=lost) for spec in self._specs.values()}
        return await self._sampler.until(
            lambda: all(self._sampler.shown(zone, name) == wanted[name] for zone in self._servers for name in wanted),
            MOVE_TIMEOUT,
        )

    async def until_moved(self, *, lost: Collection[str]) -> None:
        """Wait as `moved` does. Raises StageError, with what is shown instead, where it does not come about."""
        if not await self.moved(lost=lost):
            shown = [str(each) for each in self._sampler.sightings()[-2 * len(self._servers) :]]
            down = " and ".join(lost) or "nothing"
            raise StageError(
                f"not every zone shows what is right while {down} is down, after {MOVE_TIMEOUT:g} s; seen last:\n"
                + "\n".join(shown)
            )

    async def quiet(self) -> None:
        """Wait until every server was asked a few dozen times more."""
        enough = self._sampler.tally.answers + QUIET_ANSWERS * len(self._servers) * len(self._specs)
        await self._sampler.until(lambda: self._sampler.tally.answers >= enough, QUIET_TIMEOUT)


def expected(spec: Spec, *, lost: Collection[str]) -> frozenset[str]:
    """Return what a record with addresses only should publish while `lost` regions are down."""
    return expected_values(spec, lost=lost, addresses_of=_addresses_only)


def _addresses_only(hostname: str) -> Collection[str]:
    raise ValueError(f"{hostname}: the records of this story have addresses only")
