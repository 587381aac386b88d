"""The story with the plain writer: five steps, after which a name answers nothing and no enactor can mend it.

1  the first enactor checks that its plan is the newest, begins to write, and is delayed before the regional name
2  the planner goes on; the second enactor applies a plan many generations newer
3  the second enactor begins to clean up: it has listed the plans to delete
4  the first one wakes, and overwrites the newer plan with its old one; the clean-up then deletes that old plan
5  the regional name points at a plan that does not exist: every enactor refuses, whatever plan it is given
"""

import tempfile
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from detour_lab.clouds.route53 import Route53Emulator
from detour_lab.dns.nameserver import NameServer
from detour_lab.dns.sampling import Outcome, Question, Sampler
from detour_lab.faults import Faults
from detour_lab.stories.october.aliases import AliasZone
from detour_lab.stories.october.enactor import APPLIED, CHECKED, CLEAN_UP, DONE, KEPT_GENERATIONS, REFUSED, before
from detour_lab.stories.october.plans import Plan, Planner
from detour_lab.stories.october.planzone import DOMAIN, ENDPOINTS, REGIONAL, Account
from detour_lab.stories.october.writers import EnactorProcess, Point

SERVER = "plain"
SHOW_TIMEOUT = 180.0
"""Seconds within which the name server shows what was written."""

ROUNDS_AFTERWARDS = 2
"""Rounds, each with a newer plan, that every enactor is given to mend the name."""

STILL_EMPTY = 25
"""Empty answers that must follow the last attempt to mend the name before it counts as staying empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainOutcome:
    """What the story showed. `refusals` counts rounds in which an enactor could not go on, of `attempts`."""

    ended_empty: bool
    empty_answers: int
    answers: int
    attempts: int
    refusals: int


class PlainWorld:
    """A zone at Route 53, three enactor processes, a planner, and somebody who asks all the time.

    An async context manager. `first`, `second` and `third` are the enactors; `held` says that the first waits before
    it moves the regional name, and the second before it deletes what its clean-up has found.
    """

    def __init__(self, *, held: bool = True) -> None:
        self._held = held
        self._stack = AsyncExitStack()
        self.zone = AliasZone(DOMAIN, name_servers=("ns1.route53.test", "ns2.route53.test"))
        self.planner: Planner
        self.first: EnactorProcess
        self.second: EnactorProcess
        self.third: EnactorProcess
        self.sampler: Sampler

    async def __aenter__(self) -> Self:
        """Start everything. Raises EnactorError where an enactor does not start."""
        async with AsyncExitStack() as stack:
            plans = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="detour-october-")))
            self.planner = Planner(plans)
            server = NameServer([self.zone], answers_only=True)
            await server.start()
            stack.push_async_callback(server.stop)
            keys = {f"ENACTOR{number}": f"secret-{number}" for number in ("FIRST", "SECOND", "THIRD")}
            api = Route53Emulator([self.zone], faults=Faults(), access_keys=keys, throttle=None)
            await stack.enter_async_context(api)
            accounts = [
                Account(endpoint_url=api.url, zone_id=api.zone_id(self.zone), access_key=key, secret_key=secret)
                for key, secret in keys.items()
            ]
            waits: Sequence[Sequence[str]] = ([before(REGIONAL)], [CLEAN_UP], []) if self._held else ([], [], [])
            self.first, self.second, self.third = [
                await stack.enter_async_context(
                    EnactorProcess(name=name, account=account, plans=plans, wait_at=wait_at)
                )
                for name, account, wait_at in zip(("first", "second", "third"), accounts, waits, strict=True)
            ]
            questions = [Question(name) for name in ENDPOINTS]
            self.sampler = await stack.enter_async_context(Sampler({SERVER: server.address}, questions))
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def enactors(self) -> tuple[EnactorProcess, ...]:
        return self.first, self.second, self.third

    async def settle(self, plan: Plan) -> None:
        """Let the third enactor apply `plan`, and count answers from when every name shows it."""
        await self.third.round()
        await self.shown(plan)
        self.sampler.begin()

    async def shown(self, plan: Plan | None, *, name: str | None = None) -> bool:
        """Wait until `name`, or every endpoint, shows the addresses of `plan`, or nothing; False after SHOW_TIMEOUT."""
        wanted = frozenset(plan.addresses if plan is not None else ())
        names = ENDPOINTS if name is None else (name,)
        return await self.sampler.until(
            lambda: all(self.sampler.shown(SERVER, each) == wanted for each in names), SHOW_TIMEOUT
        )

    def empty_answers(self) -> int:
        """Return how many empty answers there were since the counting began."""
        return sum(each.count for each in self.sampler.empty_answers())


async def play(say: Callable[[str], None]) -> PlainOutcome:
    """Play the five steps. Raises EnactorError where an enactor does not come to the point that a step needs."""
    async with PlainWorld() as world:
        emptied = await empty_the_name(world, say)
        refusals = await try_to_mend(world, say)
        seen = world.empty_answers()
        stays = await world.sampler.until(lambda: world.empty_answers() >= seen + STILL_EMPTY, SHOW_TIMEOUT)
        last = world.sampler.sightings(SERVER, REGIONAL)[-1]
        return PlainOutcome(
            ended_empty=emptied and stays and last.answer.outcome is Outcome.EMPTY,
            empty_answers=world.empty_answers(),
            answers=world.sampler.tally.answers,
            attempts=ROUNDS_AFTERWARDS * len(world.enactors),
            refusals=refusals,
        )


async def empty_the_name(world: PlainWorld, say: Callable[[str], None]) -> bool:
    """Play the first four steps; tell whether the regional name answers nothing after them."""
    first = world.planner.make()
    await world.settle(first)
    say(f"    {REGIONAL} is served by plan {first.number}; three enactors run, and every name is asked for every 20 ms")
    old = await _delay_the_first(world, say)
    newest = world.planner.make(2 * KEPT_GENERATIONS)
    found = await _overtake(world, newest, say)
    say(f"3   its clean-up finds plans at least {KEPT_GENERATIONS} generations older: {_list(found['old'])}")
    await _wake_the_first(world, old, say)
    world.second.go()
    await world.second.until(DONE)
    emptied = await world.shown(None, name=REGIONAL)
    answer = "answers nothing" if emptied else "still answers"
    say(f"    the clean-up deletes plan {old.number}, and {REGIONAL} {answer}")
    return emptied


async def try_to_mend(world: PlainWorld, say: Callable[[str], None]) -> int:
    """Play the fifth step: give every enactor newer plans to apply, and return how often one refused."""
    refused: list[Point] = []
    for _ in range(ROUNDS_AFTERWARDS):
        for enactor in world.enactors:
            world.planner.make()
            ended = await enactor.round()
            refused += [ended] if ended["at"] == REFUSED else []
    if refused:
        rounds = ROUNDS_AFTERWARDS * len(world.enactors)
        say(f"5   {rounds} rounds with newer plans, {len(refused)} refusals: {refused[-1]['reason']}")
    return len(refused)


async def _delay_the_first(world: PlainWorld, say: Callable[[str], None]) -> Plan:
    """Stop the first enactor in the middle of a plan, and return that plan."""
    plan = world.planner.make()
    world.first.begin()
    checked = await world.first.until(CHECKED)
    await world.first.until(before(REGIONAL))
    await world.first.pause()
    say(
        f"1   the first enactor checks that plan {plan.number} is newer than {checked['in_force']}, moves "
        f"{len(ENDPOINTS) - 1} of {len(ENDPOINTS)} names, and is delayed (SIGSTOP)"
    )
    return plan


async def _overtake(world: PlainWorld, newest: Plan, say: Callable[[str], None]) -> Point:
    """Let the second enactor apply the newest plan, and return what its clean-up is about to delete."""
    world.second.begin()
    await world.second.until(APPLIED)
    await world.shown(newest)
    say(f"2   the planner has made plans up to {newest.number}; the second enactor applies that one to every name")
    return await world.second.until(CLEAN_UP)


async def _wake_the_first(world: PlainWorld, old: Plan, say: Callable[[str], None]) -> None:
    world.first.go()
    world.first.wake()
    await world.first.until(DONE)
    await world.shown(old, name=REGIONAL)
    say(f"4   the first enactor wakes (SIGCONT) and moves {REGIONAL} back to plan {old.number}; its check is long past")


def _list(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers)) or "none"
