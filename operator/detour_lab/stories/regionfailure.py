"""A region fails and comes back, while every authoritative server is asked every 20 ms: the story of the demo."""

import asyncio
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

import dns.asyncquery
import dns.message
import dns.rcode

from detour_lab.dns.sampling import Question, Sampler, Sighting
from detour_lab.stage.operatorprocess import LogLine
from detour_lab.stage.stage import PATIENCE, Stage, StageError, condition, wait_for
from detour_lab.stories.expectation import Spec, expected_values, zones_of

MAIN_RECORD = "api"
"""The record that is in all four zones, and whose way is told."""

MOVE_TIMEOUT = PATIENCE
FAILBACK_TIMEOUT = PATIENCE
"""Seconds within which every record must have moved, and moved back."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the story showed. `seconds` from the break to the last zone; `wrong` counts answers that nobody decided."""

    zones: int
    rerouted: int
    seconds: float
    empty_answers: int
    wrong_answers: int
    unanswered: int
    asked: int
    complaints: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return (
            self.rerouted == self.zones
            and self.empty_answers == self.wrong_answers == self.unanswered == 0
            and not self.complaints
        )

    def figures(self) -> str:
        """Return the figures as `key=value`."""
        return (
            f"rerouted={self.rerouted}/{self.zones} seconds={self.seconds:.1f} "
            f"empty_answers={self.empty_answers} wrong_answers={self.wrong_answers}"
        )


class RegionFailure:
    """Plays the story on a stage; `say` gets lines for people."""

    def __init__(self, stage: Stage, region: str, say: Callable[[str], None]) -> None:
        self._stage = stage
        self._region = region
        self._say = say
        self._specs: dict[str, Spec] = {}

    async def play(self) -> Outcome:
        """Break the region, wait until DNS has moved, mend it, wait until DNS is back; judge what was answered."""
        stage = self._stage
        self._specs = {name: item["spec"] for name, item in (await stage.records()).items()}
        before = {name: self._expected(spec, lost=()) for name, spec in self._specs.items()}
        after = {name: self._expected(spec, lost=(self._region,)) for name, spec in self._specs.items()}
        questions = {
            zone: [Question(self._specs[name]["hostname"]) for name in self._in(zone)]
            for zone in stage.lab.name_servers
        }
        samplers = {
            zone: Sampler({zone: address}, questions[zone], clock=time.time)
            for zone, address in stage.lab.name_servers.items()
        }
        for sampler in samplers.values():
            await sampler.__aenter__()
        try:
            return await self._play(samplers, before, after)
        finally:
            for sampler in samplers.values():
                await sampler.__aexit__(None, None, None)

    async def _play(
        self, samplers: dict[str, Sampler], before: dict[str, frozenset[str]], after: dict[str, frozenset[str]]
    ) -> Outcome:
        stage, say = self._stage, self._say
        await wait_for(lambda: self._shown(samplers, before), timeout=MOVE_TIMEOUT, what="the first answers")
        for sampler in samplers.values():
            sampler.begin()
        say(f"\nBefore: everything is well, and {len(samplers)} name servers are asked every 20 ms\n")
        say(await stage.table())
        api = stage.lab.region(self._region).regional_api
        say(f"Breaking {self._region}: its services refuse, and {api} answers nothing, as in October 2025\n")
        first_line = len(stage.operator.lines)
        broken_at = time.time()
        await stage.lab.break_region(self._region)
        say(f"  {time.time() - broken_at:7.3f} s  {await self._asked(api)}")
        teller = asyncio.create_task(self._tell(first_line, broken_at))
        complaints: list[str] = []
        try:
            await wait_for(lambda: self._shown(samplers, after), timeout=MOVE_TIMEOUT, what="the move of every record")
        except StageError as error:
            complaints.append(str(error))
        moved_at = self._moved_at(samplers, after[MAIN_RECORD], broken_at)
        await asyncio.sleep(0.7)  # for the last lines of the operator, and for status to catch up
        await wait_for(self._told_failed_over, timeout=MOVE_TIMEOUT, what="the status of the failover")
        say(f"\nDuring: {self._region} is down\n")
        say(await stage.table())
        say(f"Mending {self._region}; each record waits for its hold-down, one for a person:")
        say("  kubectl annotate fr orders-db -n shop --overwrite detour.dev/failback=$(date +%s)\n")
        await stage.lab.mend_region(self._region)
        await wait_for(self._all_healthy, timeout=FAILBACK_TIMEOUT, what="the recovery of every endpoint")
        word = f"detour.dev/failback={time.time():.0f}"
        await stage.kubectl("annotate", "fr", "orders-db", "-n", "shop", "--overwrite", word)
        try:
            await wait_for(lambda: self._shown(samplers, before), timeout=FAILBACK_TIMEOUT, what="the way back")
        except StageError as error:
            complaints.append(str(error))
        await stage.wait_until_ready()
        teller.cancel()
        say(f"\nAfter: {self._region} serves again\n")
        say(await stage.table())
        return self._judge(samplers, before, after, moved_at=moved_at, broken_at=broken_at, complaints=complaints)

    def _judge(
        self,
        samplers: dict[str, Sampler],
        before: dict[str, frozenset[str]],
        after: dict[str, frozenset[str]],
        *,
        moved_at: dict[str, float | None],
        broken_at: float,
        complaints: list[str],
    ) -> Outcome:
        empty: list[Sighting] = [each for sampler in samplers.values() for each in sampler.empty_answers()]
        wrong: list[Sighting] = []
        for zone, sampler in samplers.items():
            allowed = {(zone, self._specs[name]["hostname"]): (before[name], after[name]) for name in self._in(zone)}
            wrong += sampler.wrong_answers(allowed)
        tallies = [sampler.tally for sampler in samplers.values()]
        complaints += [f"empty: {each}" for each in empty] + [f"wrong: {each}" for each in wrong]
        times = [at for at in moved_at.values() if at is not None]
        return Outcome(
            zones=len(moved_at),
            rerouted=len(times),
            seconds=max(times, default=broken_at) - broken_at,
            empty_answers=sum(each.count for each in empty),
            wrong_answers=sum(each.count for each in wrong),
            unanswered=sum(each.unanswered + each.failed for each in tallies),
            asked=sum(each.answers + each.empty + each.failed + each.unanswered for each in tallies),
            complaints=tuple(complaints),
        )

    def _in(self, zone: str) -> list[str]:
        return [name for name, spec in self._specs.items() if zone in zones_of(spec)]

    def _expected(self, spec: Spec, lost: Collection[str]) -> frozenset[str]:
        return expected_values(spec, lost=lost, addresses_of=self._addresses_of)

    def _addresses_of(self, hostname: str) -> Collection[str]:
        return [
            region.services[region.hostnames[hostname]].address
            for region in self._stage.lab.regions.values()
            if hostname in region.hostnames
        ]

    async def _shown(self, samplers: dict[str, Sampler], wanted: dict[str, frozenset[str]]) -> bool:
        return all(
            sampler.shown(zone, self._specs[name]["hostname"]) == wanted[name]
            for zone, sampler in samplers.items()
            for name in self._in(zone)
        )

    def _moved_at(
        self, samplers: dict[str, Sampler], wanted: frozenset[str], broken_at: float
    ) -> dict[str, float | None]:
        spec = self._specs[MAIN_RECORD]
        return {
            zone: samplers[zone].first_shown(zone, spec["hostname"], wanted, since=broken_at) for zone in zones_of(spec)
        }

    async def _asked(self, name: str) -> str:
        """Ask the lab's resolver for `name`, and say what it answers."""
        resolver = self._stage.lab.resolver
        query = dns.message.make_query(name, "A")
        answer = await dns.asyncquery.udp(query, resolver.host, port=resolver.port, timeout=2.0)
        count = sum(len(rrset) for rrset in answer.answer)
        return f"the regional API       dig {name}: {dns.rcode.to_text(answer.rcode())}, {count} answers"

    async def _all_healthy(self) -> bool:
        records = await self._stage.records()
        return all(condition(item, "Healthy") == "True" for item in records.values())

    async def _told_failed_over(self) -> bool:
        records = await self._stage.records()
        return all(
            condition(item, "FailedOver") == "True" and condition(item, "Ready") == "True" for item in records.values()
        )

    async def _tell(self, start: int, broken_at: float) -> None:
        """Tell what the operator does, as it logs it, in seconds since the break."""
        hostname = self._specs[MAIN_RECORD]["hostname"]
        addresses = {address for each in self._specs[MAIN_RECORD]["endpoints"] for address in each.get("addresses", ())}
        async for line in self._stage.operator.follow(start):
            if line.get("hostname") == hostname or line.get("target") in addresses:
                word = _WORDS.get(str(line.get("event")), "")
                self._say(f"  {_seconds(line) - broken_at:7.3f} s  {word}{line['message']}")


_WORDS = {
    "first-failure": "first failed check   ",
    "verdict": "verdict              ",
    "decision": "decision             ",
    "accepted": "accepted by provider ",
    "visible": "visible              ",
}


def _seconds(line: LogLine) -> float:
    return datetime.fromisoformat(line["time"]).timestamp()
