"""A soak from beginning to end: the stage, the events of its schedule at their times, the quiet, the verdict."""

import asyncio
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from detour_lab.controlplane import CommandError
from detour_lab.stage.stage import NAMESPACE, Stage
from detour_lab.stories.soak.fire import Fire
from detour_lab.stories.soak.judge import Verdict
from detour_lab.stories.soak.schedule import Event, Kind, Places, Size, draw
from detour_lab.stories.soak.truth import Truth
from detour_lab.stories.soak.watch import Watch
from detour_lab.stories.soak.weather import Weather

REPLICAS = 2
SINGLE_SERVICES = ("api", "www", "images")
"""Those of which every region has one that a record names."""

LOOK_AGAIN = 0.5
"""Seconds."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many faults there were, and the verdict."""

    faults: int
    verdict: Verdict


async def play(size: Size, *, seed: int, say: Say, replicas: int = REPLICAS) -> Outcome:
    """Play a soak. Raises what a stage raises where it cannot be set up."""
    flags = (f"--audit-every={size.audit_every:g}", f"--read-every={size.read_every:g}")
    async with Stage(say=say, records=False, replicas=replicas, flags=flags, clocks=True, real_bind=False) as stage:
        truth = Truth(stage.lab)
        await allow_outages(stage)
        await stage.apply(truth.manifest)
        await stage.wait_until_ready()
        outcome = await play_on(stage, truth, size, seed=seed, say=say)
        # The verdict is reached; whether they end politely has tests of its own.
        await asyncio.gather(*(each.kill() for each in stage.operators))
        return outcome


async def play_on(stage: Stage, truth: Truth, size: Size, *, seed: int, say: Say) -> Outcome:
    """Play a soak on a stage whose records are Ready."""
    events = draw(seed, size, places(stage, truth))
    async with Watch(stage, truth, repair_within=size.repair_within) as watch:
        soak = _Soak(stage, watch, say=say, chance=random.Random(seed))
        await soak.run(events, size.seconds)
        left = await _left(watch, size.patience)
        verdict = watch.verdict(left=left)
        if not verdict.passed:
            say(f"the operators said last:\n{soak.log_tails()}")
    return Outcome(sum(each.is_fault for each in events), verdict)


async def allow_outages(stage: Stage) -> None:
    """Let every region of the lab be evacuated within the safety gate's window: here they fail one after the other."""
    patch = json.dumps({"spec": {"safety": {"maxRegionsEvacuated": len(stage.lab.regions)}}})
    for zone in stage.lab.zones:
        await stage.kubectl("patch", "dnszone", zone, "-n", NAMESPACE, "--type=merge", "-p", patch)


def places(stage: Stage, truth: Truth) -> Places:
    """Return what of a stage can be hit."""
    return Places(
        zones=tuple(stage.lab.zones),
        regions=tuple(stage.lab.regions),
        services=tuple(f"{region}/{service}" for region in stage.lab.regions for service in SINGLE_SERVICES),
        names=tuple(f"{zone}/{name}" for zone, names in truth.hostnames.items() for name in names),
        replicas=len(stage.operators),
    )


class _Soak:
    """Carries out events at their times."""

    def __init__(self, stage: Stage, watch: Watch, *, say: Say, chance: random.Random) -> None:
        self._stage = stage
        self._watch = watch
        self._say_plainly = say
        self._began = time.monotonic()
        self._fire = Fire(stage, watch, self._say)
        self._weather = Weather(stage, chance)

    async def run(self, events: list[Event], seconds: float) -> None:
        """Carry out `events`, and return `seconds` after the beginning. Raises what an event raises."""
        self._began = time.monotonic()
        last = max((each.until for each in events if each.is_fault), default=0.0)
        faults = sum(each.is_fault for each in events)
        self._say(f"{faults} faults begin, the last ends {seconds - last:.0f} s before the end")
        try:
            async with asyncio.TaskGroup() as group:
                for each in events:
                    group.create_task(self._happen(each))
                await self._until(seconds)
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from errors
        self._say("the time is over")

    def log_tails(self) -> str:
        """Return the last words of each operator."""
        return "\n".join(f"-- {each.name}\n{each.log_tail(30)}" for each in self._stage.operators)

    async def _happen(self, event: Event) -> None:
        await self._until(event.at)
        if event.kind is Kind.EDIT:
            self._say(self._weather.edit(event.target))
        elif event.is_fault:
            self._say(f"{event}")
            async with self._fire.fault(event):
                await asyncio.sleep(event.seconds)
            self._say(f"{event.kind} {event.target}".rstrip() + " is over")
        else:
            self._say(await self._weather.begin(event))
            if event.seconds < float("inf"):
                await asyncio.sleep(event.seconds)
                self._say(await self._weather.end(event))

    async def _until(self, at: float) -> None:
        await asyncio.sleep(max(0.0, self._began + at - time.monotonic()))

    def _say(self, text: str) -> None:
        self._say_plainly(f"{time.monotonic() - self._began:7.1f} s  {text}")


async def _left(watch: Watch, patience: float) -> list[str]:
    """Return what isn't right, once all is or `patience` seconds have passed."""
    give_up = time.monotonic() + patience
    while True:
        try:
            left = watch.wrong() + await watch.not_ready()
        except CommandError as error:
            left = [f"the records could not be read in the end: {error}"]
        if not left or time.monotonic() > give_up:
            return left
        await asyncio.sleep(LOOK_AGAIN)
