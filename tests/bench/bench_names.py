"""What a number of names costs: from the first publication to a restart, on a real API server and real BINDs.

Run `make bench NAMES="1000 3000" MIX=shared`; without MIX both mixes are played (see `mixes`). Everything runs on this
machine and shares its cores. Each phase prints a line; the figures go to build/bench/names-N.json and https-N.json.
"""

import argparse
import asyncio
import json
import os
import random
import re
import statistics
import sys
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.error import URLError

import yaml
from mixes import MIXES, NAMESPACE, Mix, hostname

from detour_lab.controlplane import ControlPlane
from detour_lab.stage.operatorprocess import LogLine, OperatorProcess

SIZES = (1_000, 10_000)
PATIENCE = 900.0
"""Seconds after which a phase is given up; its figure is then infinite."""

EDITS = 15
IDLE = float(os.environ.get("BENCH_IDLE", "60"))
"""Seconds for which the idle operator is watched."""

LOOKS_REST = 4
"""How many times as long as a look takes nobody looks again: so looking costs a fifth of a core at most."""

SAMPLE = 100
"""Names that are asked for before all are counted, which takes seconds."""

PLANE_MEMORY = "4GiB"
"""What the API server and etcd may fill; with less the API server spends most of its time on collecting garbage."""

READY = re.compile(r'detour_records_ready{ready="True"} ([0-9.]+)')
LAG = re.compile(r'detour_loop_lag_seconds_bucket{le="([^"]+)"} ([0-9.]+)')
WORK = re.compile(r'detour_loop_work_seconds_bucket{le="([^"]+)"} ([0-9.]+)')

CRDS = Path(__file__).parents[2] / "crds"
RESULTS = Path(__file__).parents[2] / "build" / "bench"
RECORDS = f"/apis/detour.dev/v1alpha1/namespaces/{NAMESPACE}/failoverrecords"
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = 500


class World:
    """An API server with N records, what the mix needs, and the operator."""

    def __init__(self, size: int, plane: ControlPlane, mix: Mix, operator: OperatorProcess) -> None:
        self.size = size
        self.plane = plane
        self.mix = mix
        self.operator = operator

    async def all_answer(self, values: frozenset[str]) -> bool:
        """Tell whether all names answer with these values, in all their zones: some are asked for first."""
        for number in random.sample(range(self.size), min(SAMPLE, self.size)):
            if not await self.answers(number, values):
                return False
        found = [await asyncio.to_thread(each.addresses) for each in self.mix.places]
        return len([each for place in found for each in place if each == values]) >= self.published

    @property
    def published(self) -> int:
        """How many names all zones have together."""
        return self.size * len(self.mix.places_of(0))

    async def answers(self, number: int, values: frozenset[str]) -> bool:
        """Tell whether one name answers with these values in all its zones."""
        for place in self.mix.places_of(number):
            if await place.answers(hostname(number, place)) != values:
                return False
        return True

    def all_ready(self) -> bool:
        """Tell whether all records are Ready, as a list tells once the operator says so: lists cost the server much."""
        told = READY.search(self.scrape()[1])
        if told is None or float(told[1]) < self.size:
            return False
        return sum(_is_ready(item) for item in _listed(self.plane, RECORDS)) >= self.size

    def is_told(self) -> bool:
        """Tell whether every status says that the name is served from the east, as it is."""
        told = (item.get("status", {}).get("summary", {}).get("serving") for item in _listed(self.plane, RECORDS))
        return sum(each == "east" for each in told) >= self.size

    async def edit(self, number: int, *, swapped: bool) -> None:
        change = {"spec": {"endpoints": self.mix.endpoints(number, swapped=swapped)}}
        await asyncio.to_thread(self.plane.merge, f"{RECORDS}/r{number}", change)

    def cpu_seconds(self) -> float:
        """Return the CPU seconds that the operator has used since it started."""
        fields = Path(f"/proc/{self.operator.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def scrape(self) -> tuple[float, str]:
        """Return the seconds that one scrape of /metrics takes, and what it says."""
        began = time.monotonic()
        url = f"{self.operator.url}/metrics"
        with urllib.request.urlopen(url, timeout=120) as answer:  # noqa: S310 - our own operator
            text = answer.read().decode()
        return time.monotonic() - began, text

    def longest(self, buckets: re.Pattern[str]) -> float:
        """Return the bound in seconds under which all that a histogram has counted stays."""
        found = [(float(bound), float(count)) for bound, count in buckets.findall(self.scrape()[1])]
        return min((bound for bound, count in found if count == found[-1][1]), default=float("inf"))


def _listed(plane: ControlPlane, path: str) -> Iterator[dict[str, Any]]:
    following = ""
    while True:
        page = plane.read(f"{path}?limit={PAGE}{following}", timeout=120)
        yield from page["items"]
        token = page["metadata"].get("continue")
        if not token:
            return
        following = f"&continue={token}"


def _is_ready(item: dict[str, Any]) -> bool:
    conditions = item.get("status", {}).get("conditions", ())
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


async def all_at(world: World, values: frozenset[str], start: int) -> None:
    """Wait until all names answer with these values; they are asked once the log says, from line `start` on, that all
    have been written.

    A transfer of ten thousand names takes seconds, so none is asked for before.
    """
    accepted = set[tuple[str, str]]()

    def are_all_accepted(line: LogLine) -> bool:
        if line.get("event") == "accepted":
            accepted.add((line["zone"], line["hostname"]))
        return len(accepted) >= world.published

    await world.operator.until(are_all_accepted, timeout=PATIENCE, start=start)
    seconds = await until(lambda: world.all_answer(values), 0.5)
    assert seconds < PATIENCE, f"not all names answer with {', '.join(sorted(values))}"


async def until(condition: Callable[[], Awaitable[bool]], interval: float) -> float:
    """Return the seconds until `condition` holds, infinity where that takes too long.

    Who looks takes from what is measured: a look that took long is followed by a pause of several times as long.
    """
    began = time.monotonic()
    while True:
        looked_at = time.monotonic()
        if await condition():
            return time.monotonic() - began
        if time.monotonic() - began > PATIENCE:
            return float("inf")
        await asyncio.sleep(max(interval, LOOKS_REST * (time.monotonic() - looked_at)))


async def measure(world: World) -> dict[str, float]:
    """Go through all phases and return their figures; times in seconds."""
    figures: dict[str, float] = {"names": world.size}

    def tell(**measured: float) -> None:
        figures.update(measured)
        memory = f"rss_megabytes={world.operator.rss_megabytes():.0f}" if world.operator.running else ""
        print(" ".join([f"names={world.size}", *(f"{key}={value:.3f}" for key, value in measured.items()), memory]))
        sys.stdout.flush()

    async def all_ready() -> bool:
        try:
            return await asyncio.to_thread(world.all_ready)
        except URLError:
            return False  # it does not serve its metrics yet

    mix = world.mix
    await world.operator.start(wait_until_ready=False)
    began = time.monotonic()
    await all_at(world, mix.east, 0)
    tell(first_publication=time.monotonic() - began, first_publication_cpu=world.cpu_seconds())
    await until(all_ready, 1.0)
    tell(all_ready=time.monotonic() - began, all_ready_cpu=world.cpu_seconds())

    seconds = []
    for _ in range(EDITS):
        number = random.randrange(world.size)
        await world.edit(number, swapped=True)
        seconds.append(await until(lambda number=number: world.answers(number, mix.west), 0.005))
        await world.edit(number, swapped=False)
        await until(lambda number=number: world.answers(number, mix.east), 0.005)
    tell(edit_median=statistics.median(seconds), edit_worst=max(seconds))

    await asyncio.sleep(15)
    before = world.cpu_seconds()
    await asyncio.sleep(IDLE)
    tell(idle_percent=(world.cpu_seconds() - before) / IDLE * 100, idle_megabytes=world.operator.rss_megabytes())

    scrapes = [await asyncio.to_thread(world.scrape) for _ in range(3)]
    tell(scrape=statistics.median(took for took, _ in scrapes), scrape_bytes=len(scrapes[0][1]))

    await fail_over(world, tell)
    tell(longest_loop_lag=await asyncio.to_thread(world.longest, LAG))
    tell(longest_loop_work=await asyncio.to_thread(world.longest, WORK))
    tell(status_settled=await until(lambda: asyncio.to_thread(world.is_told), 1.0))

    await world.operator.terminate()
    await world.operator.start(wait_until_ready=False)
    began = time.monotonic()
    await until(all_ready, 1.0)
    number = random.randrange(world.size)
    await world.edit(number, swapped=True)
    await until(lambda: world.answers(number, mix.west), 0.02)
    tell(restart_edit_works=time.monotonic() - began, restart_cpu=world.cpu_seconds())
    return figures


async def fail_over(world: World, tell: Callable[..., None]) -> None:
    """Break the east, and let it return."""
    start, before = len(world.operator.lines), world.cpu_seconds()
    began = time.monotonic()
    await world.mix.failing.break_()
    await world.operator.until(
        lambda line: line.get("event") == "verdict" and line.get("verdict") == "Unhealthy",
        timeout=PATIENCE,
        start=start,
    )
    verdict = time.monotonic() - began
    await all_at(world, world.mix.west, start)
    moved = time.monotonic() - began
    tell(region_moved=moved, detection=world.mix.detection)
    tell(region_moved_after_verdict=moved - verdict, region_moved_cpu=world.cpu_seconds() - before)
    start = len(world.operator.lines)
    await world.mix.failing.mend()
    began = time.monotonic()
    await all_at(world, world.mix.east, start)
    tell(region_returned=time.monotonic() - began)


async def bench(size: int, mix: Mix) -> dict[str, float]:
    """Measure one size of a mix."""
    async with AsyncExitStack() as stack:
        plane = ControlPlane(memory=PLANE_MEMORY)
        await asyncio.to_thread(plane.start)
        stack.push_async_callback(asyncio.to_thread, plane.stop)
        await mix.open(stack)
        await asyncio.to_thread(declare, plane, mix, size)
        arguments = ("--owner=bench", f"--kubeconfig={plane.kubeconfig}", *mix.flags)
        operator = OperatorProcess(arguments, environment=plane.environment())
        stack.push_async_callback(operator.close)
        return await measure(World(size, plane, mix, operator))


def declare(plane: ControlPlane, mix: Mix, size: int) -> None:
    """Create the definitions, the zones and all records."""
    print(f"names={size} creating the objects", flush=True)
    plane.kubectl("apply", "-f", str(CRDS))
    plane.kubectl("wait", "--for=condition=Established", "--timeout=180s", "crd", "failoverrecords.detour.dev")
    plane.kubectl("create", "namespace", NAMESPACE)
    zones = [each for place in mix.places for each in place.manifests()]
    for objects in [[*zones, *mix.manifests()], *_chunks(mix, size)]:
        plane.kubectl("create", "-f", "-", input=yaml.dump_all(objects, Dumper=yaml.CSafeDumper), timeout=600)


def _chunks(mix: Mix, size: int) -> Iterator[list[dict[str, Any]]]:
    for first in range(0, size, 1000):
        yield [mix.record(number) for number in range(first, min(first + 1000, size))]


def main() -> None:
    """Measure each mix and size that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", type=int, default=SIZES)
    parser.add_argument("--mix", choices=MIXES, action="append")
    options = parser.parse_args()
    RESULTS.mkdir(parents=True, exist_ok=True)
    for mix in options.mix or MIXES:
        for size in options.names:
            kind = MIXES[mix](size)
            print(f"== {kind.title}: {size:,}", flush=True)
            figures = asyncio.run(bench(size, kind))
            (RESULTS / f"{kind.files}-{size}.json").write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
