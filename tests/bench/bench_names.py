"""What a number of names costs: from the first publication to a restart, on a real API server and a real BIND.

Run `make bench NAMES="1000 3000"`. All records share their two targets, so that what is measured is the way from a
declaration to DNS and to its status. Everything runs on this machine and shares its cores. Each phase prints a line;
the figures go to build/bench/names-N.json.
"""

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

import dns.asyncquery
import dns.message
import dns.query
import dns.rdatatype
import dns.tsig
import dns.xfr
import dns.zone
import yaml

from detour_lab.controlplane import ControlPlane
from detour_lab.dns.realservers import RealBIND, UpdateKey
from detour_lab.stage.operatorprocess import LogLine, OperatorProcess

DOMAIN = "bench.example"
NAMESPACE = "bench"
EAST, WEST = "127.0.0.10", "127.0.0.20"
PORT = 18_500
SIZES = (1_000, 10_000)
PATIENCE = 900.0
"""Seconds after which a phase is given up; its figure is then infinite."""

EDITS = 15
IDLE = float(os.environ.get("BENCH_IDLE", "60"))
"""Seconds for which the idle operator is watched."""

LOOKS_REST = 4
"""How many times as long as a look takes nobody looks again: so looking costs a fifth of a core at most."""

PLANE_MEMORY = "4GiB"
"""What the API server and etcd may fill; with less the API server spends most of its time on collecting garbage."""

READY = re.compile(r'detour_records{ready="True"} ([0-9.]+)')
LAG = re.compile(r'detour_loop_lag_seconds_bucket{le="([^"]+)"} ([0-9.]+)')
WORK = re.compile(r'detour_loop_work_seconds_bucket{le="([^"]+)"} ([0-9.]+)')

CRDS = Path(__file__).parents[2] / "crds"
RESULTS = Path(__file__).parents[2] / "build" / "bench"
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = 500

ZONE = {
    "apiVersion": "detour.dev/v1alpha1",
    "kind": "DNSZone",
    "metadata": {"name": "zone", "namespace": NAMESPACE},
}


def record(number: int) -> dict[str, Any]:
    """Return one FailoverRecord; all have the same endpoints and the same check."""
    return {
        "apiVersion": "detour.dev/v1alpha1",
        "kind": "FailoverRecord",
        "metadata": {"name": f"r{number}", "namespace": NAMESPACE},
        "spec": {
            "hostname": f"r{number}.{DOMAIN}",
            "zones": [{"name": "zone"}],
            "ttl": 30,
            "endpoints": endpoints(),
            "failback": {"holdDown": "1s"},
            "healthCheck": {
                "tcp": {"port": PORT},
                "interval": "5s",
                "recheckInterval": "1s",
                "timeout": "1s",
                "fall": 2,
                "rise": 2,
            },
        },
    }


def endpoints(*, swapped: bool = False) -> list[dict[str, Any]]:
    """Return the two endpoints, the first by priority in the east unless `swapped`."""
    first, second = (2, 1) if swapped else (1, 2)
    return [
        {"name": "east", "region": "aws-us-east-1", "addresses": [EAST], "priority": first},
        {"name": "west", "region": "gcp-europe-west3", "addresses": [WEST], "priority": second},
    ]


class Service:
    """Takes TCP connections at one address, until it is broken."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._server: asyncio.Server | None = None

    async def mend(self) -> None:
        self._server = await asyncio.start_server(lambda _, writer: writer.close(), self._address, PORT, backlog=512)

    async def break_(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None


class World:
    """An API server with N records, a BIND with their zone, two services, and the operator."""

    def __init__(self, size: int, plane: ControlPlane, server: RealBIND, operator: OperatorProcess) -> None:
        self.size = size
        self.plane = plane
        self.operator = operator
        self._server = server
        key = server.key
        self._keyring = dns.tsig.Key(key.name, key.secret, key.algorithm)
        self.east, self.west = Service(EAST), Service(WEST)

    async def published(self, address: str) -> int:
        """Return how many names the zone has at an address, as a transfer tells."""
        return await asyncio.to_thread(self._count, address)

    def _count(self, address: str) -> int:
        query = dns.message.make_query(DOMAIN, dns.rdatatype.AXFR)
        query.use_tsig(self._keyring)
        zone = dns.zone.Zone(DOMAIN)
        dns.query.inbound_xfr("127.0.0.1", zone, query, port=self._server.port, lifetime=120)
        return sum(
            [str(each) for each in rdataset] == [address] for _, rdataset in zone.iterate_rdatasets(dns.rdatatype.A)
        )

    async def answers(self, number: int) -> list[str]:
        """Return the addresses of one name."""
        query = dns.message.make_query(f"r{number}.{DOMAIN}", "A")
        answer = await dns.asyncquery.udp(query, "127.0.0.1", port=self._server.port, timeout=5)
        return [str(each) for rrset in answer.answer for each in rrset]

    def all_ready(self) -> bool:
        """Tell whether all records are Ready, as a list tells once the operator says so: lists cost the server much."""
        told = READY.search(self.scrape()[1])
        if told is None or float(told[1]) < self.size:
            return False
        path = f"/apis/detour.dev/v1alpha1/namespaces/{NAMESPACE}/failoverrecords"
        return sum(_is_ready(item) for item in _listed(self.plane, path)) >= self.size

    def is_told(self) -> bool:
        """Tell whether every status says that the name is served from the east, as it is."""
        path = f"/apis/detour.dev/v1alpha1/namespaces/{NAMESPACE}/failoverrecords"
        told = (item.get("status", {}).get("summary", {}).get("serving") for item in _listed(self.plane, path))
        return sum(each == "east" for each in told) >= self.size

    async def edit(self, number: int, *, swapped: bool) -> None:
        path = f"/apis/detour.dev/v1alpha1/namespaces/{NAMESPACE}/failoverrecords/r{number}"
        await asyncio.to_thread(self.plane.merge, path, {"spec": {"endpoints": endpoints(swapped=swapped)}})

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


async def all_at(world: World, address: str, start: int) -> None:
    """Wait until all names are at an address: a transfer tells, once the log says from line `start` on that they are.

    A transfer of ten thousand names takes seconds, so none is asked for before.
    """
    accepted = 0

    def are_all_accepted(line: LogLine) -> bool:
        nonlocal accepted
        accepted += line.get("event") == "accepted"
        return accepted >= world.size

    await world.operator.until(are_all_accepted, timeout=PATIENCE, start=start)
    assert await world.published(address) >= world.size


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

    await world.operator.start(wait_until_ready=False)
    began = time.monotonic()
    await all_at(world, EAST, 0)
    tell(first_publication=time.monotonic() - began, first_publication_cpu=world.cpu_seconds())
    await until(all_ready, 1.0)
    tell(all_ready=time.monotonic() - began, all_ready_cpu=world.cpu_seconds())

    seconds = []
    for _ in range(EDITS):
        number = random.randrange(world.size)
        await world.edit(number, swapped=True)
        seconds.append(await until(lambda number=number: _answers(world, number, WEST), 0.005))
        await world.edit(number, swapped=False)
        await until(lambda number=number: _answers(world, number, EAST), 0.005)
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
    await until(lambda: _answers(world, number, WEST), 0.02)
    tell(restart_edit_works=time.monotonic() - began, restart_cpu=world.cpu_seconds())
    return figures


async def fail_over(world: World, tell: Callable[..., None]) -> None:
    """Break the east, and let it return."""
    start, before = len(world.operator.lines), world.cpu_seconds()
    began = time.monotonic()
    await world.east.break_()
    await world.operator.until(
        lambda line: line.get("event") == "verdict" and line.get("verdict") == "Unhealthy",
        timeout=PATIENCE,
        start=start,
    )
    verdict = time.monotonic() - began
    await all_at(world, WEST, start)
    tell(region_moved_after_verdict=time.monotonic() - began - verdict, region_moved_cpu=world.cpu_seconds() - before)
    start = len(world.operator.lines)
    await world.east.mend()
    began = time.monotonic()
    await all_at(world, EAST, start)
    tell(region_returned=time.monotonic() - began)


async def _answers(world: World, number: int, address: str) -> bool:
    return await world.answers(number) == [address]


async def bench(size: int) -> dict[str, float]:
    """Measure one size."""
    async with AsyncExitStack() as stack:
        plane = ControlPlane(memory=PLANE_MEMORY)
        await asyncio.to_thread(plane.start)
        stack.push_async_callback(asyncio.to_thread, plane.stop)
        server = await stack.enter_async_context(RealBIND(DOMAIN, UpdateKey.random(), negative_ttl=30))
        await asyncio.to_thread(declare, plane, server, size)
        arguments = ("--owner=bench", f"--kubeconfig={plane.kubeconfig}", "--allow-networks=127.0.0.0/8")
        operator = OperatorProcess(arguments, environment=plane.environment())
        stack.push_async_callback(operator.close)
        world = World(size, plane, server, operator)
        for service in (world.east, world.west):
            await service.mend()
            stack.push_async_callback(service.break_)
        return await measure(world)


def declare(plane: ControlPlane, server: RealBIND, size: int) -> None:
    """Create the definitions, the zone and all records."""
    print(f"names={size} creating the objects", flush=True)
    plane.kubectl("apply", "-f", str(CRDS))
    plane.kubectl("wait", "--for=condition=Established", "--timeout=180s", "crd", "failoverrecords.detour.dev")
    plane.kubectl("create", "namespace", NAMESPACE)
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "key", "namespace": NAMESPACE},
        "stringData": server.key.as_secret(),
    }
    spec = {
        "domain": DOMAIN,
        "rfc2136": {"server": server.address},
        "credentialsSecretRef": {"name": "key"},
        "verification": {"nameServers": [server.address]},
    }
    for first in [[secret, {**ZONE, "spec": spec}], *_chunks(size)]:
        plane.kubectl("create", "-f", "-", input=yaml.dump_all(first, Dumper=yaml.CSafeDumper), timeout=600)


def _chunks(size: int) -> Iterator[list[dict[str, Any]]]:
    for first in range(0, size, 1000):
        yield [record(number) for number in range(first, min(first + 1000, size))]


def main() -> None:
    """Measure each size that is asked for."""
    sizes = [int(each) for each in sys.argv[1:]] or SIZES
    RESULTS.mkdir(parents=True, exist_ok=True)
    for size in sizes:
        figures = asyncio.run(bench(size))
        (RESULTS / f"names-{size}.json").write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
