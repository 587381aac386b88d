"""flapping: what the load balancers of October 2025 met. Checks alternate, and then the prober starves as well.

Half of the places of every name stop to answer, then the other half, again and again. Each half would be taken away in
its turn, and half of the capacity with it. Then the prober gets a fifth of a core: what it finds it finds late.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import yaml

from detour_lab.controlplane import Binaries
from detour_lab.dns.sampling import Question, Sampler, Sighting
from detour_lab.services.regions import HTTP_PORT
from detour_lab.services.services import Mode, RegionalService
from detour_lab.stage.stage import NAMESPACE, PATIENCE, Stage
from detour_lab.stories.scenarios.result import Result

ZONE = "shop-bind"
DOMAIN = "shop.example.com"
REGIONS = ("aws-us-east-1", "azure-westeurope")
PLACES = 8
RECORDS = 60
"""Each with checks of its own: more than a fifth of a core makes in time."""

OCTET = 120
"""The third octet of the places' addresses; the lab has others."""

HALF = 4.0
"""Seconds for which one half does not answer, before the other one does not."""

SECONDS = 32.0
"""For which they alternate, and alternate again while the prober starves."""

SHARE = 0.2
"""Of a core is what the prober gets."""

AT_LEAST = 0.75
"""Of the places of every name are published at any time: the rest is what `safety.withdrawal` lets go in a minute."""

LATE = 1.0 + 0.5 + 1.0 + 2.0
"""Seconds after which a place that answers again must not be taken away for what was seen before: the interval, the
timeout, a second by which a check may be late, and two for a write by a process that starves."""

CHECK = {"interval": "1s", "recheckInterval": "200ms", "timeout": "500ms", "fall": 2, "rise": 2}


@dataclass(slots=True)
class _Sight:
    """What was published of each name, against how the places were."""

    places: frozenset[str]
    answers_since: dict[str, float] = field(default_factory=dict)  # by address, of those that answer
    shown: dict[str, frozenset[str]] = field(default_factory=dict)
    fewest: int = PLACES
    taken_away: int = 0
    taken_late: int = 0

    def see(self, sighting: Sighting) -> None:
        """Take note of an answer that is another one than before."""
        name, values = sighting.question.name, sighting.answer.values & self.places
        gone = self.shown.get(name, frozenset()) - values
        self.shown[name] = values
        self.fewest = min(self.fewest, len(values))
        self.taken_away += len(gone)
        self.taken_late += sum(
            sighting.first_at - self.answers_since.get(each, sighting.first_at) > LATE for each in gone
        )

    def begin(self) -> None:
        """Count anew."""
        self.fewest, self.taken_away, self.taken_late = PLACES, 0, 0


class Flapping(Stage):
    """A stage with so many `names` of `PLACES` places each, all of which answer."""

    def __init__(self, names: int, *, say: Callable[[str], None], binaries: Binaries | None) -> None:
        super().__init__(say=say, binaries=binaries, records=False, throttled=False)
        self.names = names

    async def __aenter__(self) -> "Flapping":
        await super().__aenter__()
        try:
            async with AsyncExitStack() as stack:
                addresses = [self.lab.block.address(OCTET, 10 + number) for number in range(PLACES)]
                self.places = [RegionalService(each, HTTP_PORT, body="ok\n") for each in addresses]
                for place in self.places:
                    await place.start()
                    stack.push_async_callback(place.stop)
                await self.apply(yaml.safe_dump_all(self._record(number) for number in range(self.names)))
                self._places_end = stack.pop_all()
        except BaseException:
            await super().__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._places_end.aclose()
        await super().__aexit__(None, None, None)

    def _record(self, number: int) -> dict[str, object]:
        endpoints = [
            {"name": f"place-{index}", "region": REGIONS[index % 2], "addresses": [place.address]}
            for index, place in enumerate(self.places)
        ]
        spec = {
            "hostname": hostname(number),
            "zones": [{"name": ZONE}],
            "endpoints": endpoints,
            "strategy": "MultiValue",
            "healthCheck": {"http": {"port": HTTP_PORT, "path": f"/{number}"}, **CHECK},
            "failback": {"holdDown": "1s", "maxChangesPerHour": 0},
        }
        metadata = {"name": f"balanced-{number}", "namespace": NAMESPACE}
        return {"apiVersion": "detour.dev/v1alpha1", "kind": "FailoverRecord", "metadata": metadata, "spec": spec}


def hostname(number: int) -> str:
    """Return the name of a record."""
    return f"balanced-{number}.{DOMAIN}"


def set_up(*, say: Callable[[str], None], binaries: Binaries | None = None, records: int = RECORDS) -> Flapping:
    """Return the stage that this story needs."""
    return Flapping(records, say=say, binaries=binaries)


async def play(stage: Flapping, say: Callable[[str], None], *, seconds: float = SECONDS) -> Result:
    """Play on a stage whose records are Ready; the places alternate for so many seconds, twice."""
    sight = _Sight(frozenset(each.address for each in stage.places))
    names = [hostname(number) for number in range(stage.names)]
    server = {ZONE: stage.lab.name_servers[ZONE]}
    async with Sampler(server, map(Question, names), interval=0.1, on_change=sight.see) as sampler:

        def all_serve() -> bool:
            return all(sight.shown.get(name) == sight.places for name in names)

        await sampler.until(all_serve, PATIENCE)
        sampler.begin()
        sight.begin()
        say(f"of the {PLACES} places of {stage.names} names one half stops to answer, then the other, every {HALF:g} s")
        await _alternate(stage.places, sight, seconds)
        say(_told("with a prober that has what it needs", sight))
        say(await stage.kubectl("get", "fr/balanced-0", "-n", NAMESPACE, "-o", "jsonpath={.status.plan.reason}"))
        fewest, taken_away, taken_late = sight.fewest, sight.taken_away, sight.taken_late
        all_back = await sampler.until(all_serve, PATIENCE)
        sight.begin()
        say(f"the prober gets {SHARE:.0%} of a core, and they alternate again")
        async with stage.operator.starving(SHARE):
            await _alternate(stage.places, sight, seconds)
        say(_told("with a prober that starves", sight))
        fewest_starved, away_starved, late_starved = sight.fewest, sight.taken_away, sight.taken_late
        all_back = await sampler.until(all_serve, PATIENCE) and all_back
        empty = sampler.tally.empty
    await stage.wait_until_ready()
    enough = min(fewest, fewest_starved) >= AT_LEAST * PLACES
    passed = enough and taken_away > 0 and not taken_late and not late_starved and all_back and not empty
    return Result(
        passed,
        {
            "capacity_percent": f"{100 * fewest / PLACES:.0f}",
            "taken_away": taken_away,
            "capacity_percent_starved": f"{100 * fewest_starved / PLACES:.0f}",
            "taken_away_starved": away_starved,
            "taken_away_on_late_evidence": taken_late + late_starved,
            "all_back": int(all_back),
            "empty_answers": empty,
        },
    )


def _told(when: str, sight: _Sight) -> str:
    return (
        f"{when}: never fewer than {sight.fewest} of {PLACES} places were published, {sight.taken_away} were taken away"
    )


async def _alternate(places: list[RegionalService], sight: _Sight, seconds: float) -> None:
    """Let one half stop to answer, then the other, for so long; then all answer."""
    halves = places[: len(places) // 2], places[len(places) // 2 :]
    ends_at = time.monotonic() + seconds
    while time.monotonic() < ends_at:
        for silent, others in (halves, halves[::-1]):
            await _switch(silent, Mode.BLACK_HOLE, sight)
            await _switch(others, Mode.UP, sight)
            await asyncio.sleep(HALF)
    await _switch(places, Mode.UP, sight)


async def _switch(places: list[RegionalService], mode: Mode, sight: _Sight) -> None:
    for place in places:
        if place.mode is not mode:
            await place.switch(mode)
            if mode is Mode.UP:
                sight.answers_since[place.address] = time.monotonic()
            else:
                sight.answers_since.pop(place.address, None)
