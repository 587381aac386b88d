"""The witnesses: samplers at every name server, the change logs, and a note of when nobody could have written.

async with Watch(stage, truth) as watch:
    ...
    with watch.hindered("shop-azure"):
        ...                                   # its API is down
    verdict = watch.verdict(left=[])
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from typing import Self

from detour_lab.clouds.clouds import AZURE, DOMAIN
from detour_lab.clouds.labzones import EmulatedZone
from detour_lab.dns.sampling import Question, Sampler
from detour_lab.stage.stage import NAMESPACE, OWNER, PATIENCE, Stage, StageError, condition, wait_for
from detour_lab.stories.soak.history import History, Span, tell
from detour_lab.stories.soak.judge import Verdict, differences, judge, leaderless
from detour_lab.stories.soak.truth import Truth

INTERVAL = 0.05
"""Seconds between two questions for one name at one server."""

REPAIR_WITHIN = 60.0
"""Seconds, as promised."""

TAKE_OVER = 20.0
"""Seconds after which another replica must have taken over, as promised, where there is an API server."""

EVERY_ZONE = ""


class Watch:
    """An async context manager around everything that is done to a stage of emulated zones."""

    def __init__(
        self, stage: Stage, truth: Truth, *, repair_within: float = REPAIR_WITHIN, interval: float = INTERVAL
    ) -> None:
        """Ask for each name every `interval` seconds; an outsider's edit may stand for `repair_within`."""
        self._stage = stage
        self._truth = truth
        self._repair_within = repair_within
        self._stack = AsyncExitStack()
        self._hindered: list[Span] = []
        self._losses: list[Span] = []
        self._away: list[Span] = []
        self._samplers: Mapping[str, Sampler] = {
            zone: Sampler({zone: address}, map(Question, truth.hostnames[zone]), interval=interval)
            for zone, address in stage.lab.name_servers.items()
        }

    async def __aenter__(self) -> Self:
        """Begin with everything as it should be. Raises StageError where it never is."""
        async with AsyncExitStack() as stack:
            for sampler in self._samplers.values():
                await stack.enter_async_context(sampler)
            await self.until_right(PATIENCE)
            for sampler in self._samplers.values():
                sampler.begin()
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()

    @contextmanager
    def hindered(self, zone: str, *, recovery: float) -> Iterator[None]:
        """Note that nobody can write `zone` (EVERY_ZONE) meanwhile, nor `recovery` seconds after."""
        with _noted(self._hindered, zone, recovery=recovery):
            yield

    @contextmanager
    def leader_lost(self, *, comes_back: bool) -> Iterator[None]:
        """Note that the leader cannot write meanwhile; one that never `comes_back` is followed by one that claims."""
        with _noted(self._losses, EVERY_ZONE, recovery=0.0 if comes_back else float("inf")):
            yield

    @contextmanager
    def api_server_away(self) -> Iterator[None]:
        """Note that meanwhile nobody can be elected."""
        with _noted(self._away, EVERY_ZONE):
            yield

    def shown(self) -> dict[tuple[str, str], frozenset[str]]:
        """Return what each name server showed last, by (zone, hostname)."""
        return {
            (zone, name): sampler.shown(zone, name)
            for zone, sampler in self._samplers.items()
            for name in self._truth.hostnames[zone]
        }

    def wrong(self) -> list[str]:
        """Tell each name that doesn't answer what it should now."""
        return differences(self._truth.answers(), self.shown())

    async def until_right(self, timeout: float) -> None:
        """Wait until every name answers what it should. Raises StageError, telling which doesn't, after `timeout` s."""
        try:
            await wait_for(self._is_right, timeout=timeout, what="the right answer of every name", interval=0.05)
        except StageError as error:
            raise StageError(f"{error}: {'; '.join(self.wrong())}") from error

    async def not_ready(self) -> list[str]:
        """Tell each FailoverRecord that isn't Ready, or whose status says something else than what is published.

        Raises CommandError where the API server isn't there.
        """
        records = await self._stage.records()
        wanted = self._truth.answers()
        told = [f"{NAMESPACE}/{name}: the record is gone" for name in self._truth.specs if name not in records]
        for name, item in records.items():
            if condition(item, "Ready") != "True":
                told.append(f"{NAMESPACE}/{name} is not Ready: {_reason(item)}")
            for zone in item.get("status", {}).get("zones", ()):
                values = frozenset(zone.get("values", ()))
                if values != wanted[zone["name"], item["spec"]["hostname"]]:
                    shown = ", ".join(sorted(values)) or "nothing"
                    told.append(f"{NAMESPACE}/{name}: its status says {shown} for {zone['name']}")
        return told

    def verdict(self, *, left: list[str]) -> Verdict:
        """Judge everything until now; `left` tells what isn't right in the end."""
        tallies = [sampler.tally for sampler in self._samplers.values()]
        histories = self.histories()
        without_leader = [
            leaderless(lost, claims=story.claims, away=self._away, take_over=TAKE_OVER, zone=story.zone)
            for story in histories
            for lost in self._losses
        ]
        return judge(
            histories=histories,
            empty=[each for sampler in self._samplers.values() for each in sampler.empty_answers()],
            answers=sum(each.answers for each in tallies),
            hindered=[*self._hindered, *without_leader],
            repair_within=self._repair_within,
            left=left,
            now=time.monotonic(),
        )

    def histories(self) -> list[History]:
        """Tell the story of each zone until now."""
        ledger = f"{OWNER}._detour.{DOMAIN}"
        return [
            tell(name, zone.store.log, names=self._truth.hostnames[name], ledger=ledger, atomic=name != AZURE)
            for name, zone in self._stage.lab.zones.items()
            if isinstance(zone, EmulatedZone)
        ]

    async def _is_right(self) -> bool:
        return not self.wrong()


@contextmanager
def _noted(spans: list[Span], zone: str, *, recovery: float = 0.0) -> Iterator[None]:
    """Add a span that lasts as long as the block and `recovery` seconds more."""
    begin, place = time.monotonic(), len(spans)
    spans.append(Span(zone, "", begin, float("inf")))
    try:
        yield
    finally:
        spans[place] = Span(zone, "", begin, time.monotonic() + recovery)


def _reason(item: Mapping[str, object]) -> str:
    status = item.get("status")
    conditions = status.get("conditions", []) if isinstance(status, dict) else []
    return next((str(each.get("message")) for each in conditions if each.get("type") == "Ready"), "no condition")
