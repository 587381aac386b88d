"""Three replicas that divide the zones: what each holds, and how soon others write what a killed one wrote.

Run `make bench-sharding ZONES=30 NAMES=1000`, on a real API server and a real BIND. First one operator alone publishes
all names, then three divide the zones, and one of them is killed. Each phase prints a line; the figures go to
build/bench/sharding.json.
"""

import asyncio
import json
import os
import re
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from typing import Any
from urllib.error import URLError

import dns.asyncquery
import dns.message
import yaml
from bench_names import CRDS, PATIENCE, PLANE_MEMORY, READY, RESULTS, until
from mixes import EAST, NAMESPACE, PORT, WEST, endpoints, shared_record
from services import TCPService

from detour.app.sharding.division import EVENING_PAUSE
from detour_lab.controlplane import ControlPlane
from detour_lab.dns.realservers import RealBIND, UpdateKey
from detour_lab.stage.operatorprocess import OperatorProcess

DOMAIN = "bench.example"
REPLICAS = 3
SETTLE = 30.0
"""Seconds of quiet before memory is measured."""

MOST_LOOKS = 6
GIFTS = 3
"""Looks at whether the work is evened out, at most, and how often a zone may be claimed until then."""

IN_FORCE = re.compile(r'detour_zone_in_force{[^}]*zone="([^"]+)"[^}]*} 1\.0')
EPOCH = re.compile(r"\bepoch=(\d+)\b")


def zone_name(place: int) -> str:
    return f"z{place}"


def domain_of(place: int) -> str:
    return f"{zone_name(place)}.{DOMAIN}"


class Fleet:
    """The objects, BIND, the two services, and whichever operators run."""

    def __init__(self, plane: ControlPlane, server: RealBIND, zones: int, names: int) -> None:
        self.plane = plane
        self.server = server
        self.zones = zones
        self.names = names

    def operator(self, *flags: str) -> OperatorProcess:
        arguments = ("--owner=bench", f"--kubeconfig={self.plane.kubeconfig}", "--allow-networks=127.0.0.0/8", *flags)
        return OperatorProcess(arguments, environment=self.plane.environment())

    async def answers(self, place: int, number: int) -> list[str]:
        """Return the addresses of one name."""
        query = dns.message.make_query(f"r{number}.{domain_of(place)}", "A")
        answer = await dns.asyncquery.udp(query, "127.0.0.1", port=self.server.port, timeout=5)
        return [str(each) for rrset in answer.answer for each in rrset]

    async def epoch(self, place: int) -> int:
        """Return the epoch of a zone's ledger: how often it has been claimed."""
        query = dns.message.make_query(f"bench._detour.{domain_of(place)}", "TXT")
        answer = await dns.asyncquery.udp(query, "127.0.0.1", port=self.server.port, timeout=5)
        found = EPOCH.search(" ".join(str(each) for rrset in answer.answer for each in rrset))
        return int(found[1]) if found else 0

    async def edit(self, place: int, number: int, *, swapped: bool) -> None:
        path = f"/apis/detour.dev/v1alpha1/namespaces/{NAMESPACE}/failoverrecords/{zone_name(place)}-r{number}"
        await asyncio.to_thread(self.plane.merge, path, {"spec": {"endpoints": endpoints(swapped=swapped)}})


def scraped(operator: OperatorProcess) -> str:
    """Return what an operator says of itself, nothing while it does not serve its metrics."""
    try:
        with urllib.request.urlopen(f"{operator.url}/metrics", timeout=120) as answer:  # noqa: S310 - our own operator
            return str(answer.read().decode())
    except (URLError, ConnectionError, TimeoutError):
        return ""


def zones_of(operator: OperatorProcess) -> set[str]:
    """Return the zones that an operator writes."""
    return set(IN_FORCE.findall(scraped(operator)))


def ready(operators: Sequence[OperatorProcess]) -> float:
    """Return how many records are Ready, as the operators say."""
    return sum(float(told[1]) for each in operators if (told := READY.search(scraped(each))) is not None)


async def all_are_ready(fleet: Fleet, operators: Sequence[OperatorProcess]) -> float:
    """Return the seconds until all records are Ready and every zone is in force."""

    async def look() -> bool:
        return await asyncio.to_thread(_are_ready, fleet, operators)

    return await until(look, 1.0)


def _are_ready(fleet: Fleet, operators: Sequence[OperatorProcess]) -> bool:
    in_force = set[str]().union(*map(zones_of, operators))
    return len(in_force) >= fleet.zones and ready(operators) >= fleet.zones * fleet.names


async def measure(fleet: Fleet, empty: float) -> dict[str, float]:
    """Go through all phases and return their figures; times in seconds, memory in MB."""
    figures: dict[str, float] = {"zones": fleet.zones, "names": fleet.zones * fleet.names, "empty_megabytes": empty}

    def tell(**measured: float) -> None:
        figures.update(measured)
        print(" ".join(f"{key}={value:.1f}" for key, value in measured.items()), flush=True)

    alone = fleet.operator()
    await alone.start(wait_until_ready=False)
    tell(alone_all_ready=await all_are_ready(fleet, [alone]))
    await asyncio.sleep(SETTLE)
    tell(alone_megabytes=alone.rss_megabytes())
    await alone.terminate()
    await alone.close()
    claimed = [await fleet.epoch(place) for place in range(fleet.zones)]

    async with AsyncExitStack() as stack:
        operators = []
        for place in range(REPLICAS):
            flags = ("--sharding", f"--lease={NAMESPACE}/detour", f"--identity=replica-{place}_1")
            operators.append(operator := fleet.operator(*flags))
            stack.push_async_callback(operator.close)
        await asyncio.gather(*(each.start(wait_until_ready=False) for each in operators))
        tell(divided_all_ready=await all_are_ready(fleet, operators))
        await asyncio.sleep(SETTLE)
        shares = await evened_out(operators)
        tell(**{f"zones_{place}": len(each) for place, each in enumerate(shares)})
        assert sum(map(len, shares)) == fleet.zones, "no zone is two replicas'"
        memory = [each.rss_megabytes() for each in operators]
        tell(**{f"megabytes_{place}": each for place, each in enumerate(memory)})
        tell(memory_share=max(each - empty for each in memory) / (figures["alone_megabytes"] - empty))
        twice = [await fleet.epoch(place) - before for place, before in enumerate(claimed)]
        assert all(1 <= each <= GIFTS for each in twice), "a zone changes hands only to even the work out"

        victim = max(range(REPLICAS), key=lambda place: len(shares[place]))
        left = sorted(int(each[1:]) for each in shares[victim])
        others = [each for place, each in enumerate(operators) if place != victim]
        await operators[victim].kill()
        began = time.monotonic()
        for place in left:
            await fleet.edit(place, 0, swapped=True)
        for place in left:
            await until(lambda place=place: _shows(fleet, place, 0, WEST), 0.05)
        tell(zones_of_the_killed=len(left), edits_visible_after=time.monotonic() - began)
        await all_are_ready(fleet, others)
        tell(all_ready_after=time.monotonic() - began)
        thrice = [await fleet.epoch(place) - before for place, before in enumerate(claimed)]
        gained = [after - before for after, before in zip(thrice, twice, strict=True)]
        assert all(gained[place] >= 1 for place in left), "others have claimed what the killed one had"
        assert all(each <= 1 for place, each in enumerate(gained) if place not in left), "no zone goes to and fro"
    return figures


async def evened_out(operators: Sequence[OperatorProcess]) -> list[set[str]]:
    """Return the zones that each operator writes, once no zone has changed hands for a while."""
    before: list[set[str]] = []
    for _ in range(MOST_LOOKS):
        shares = [await asyncio.to_thread(zones_of, each) for each in operators]
        if shares == before:
            break
        before = shares
        await asyncio.sleep(2 * EVENING_PAUSE)
    return before


async def _shows(fleet: Fleet, place: int, number: int, address: str) -> bool:
    return await fleet.answers(place, number) == [address]


def declare(fleet: Fleet) -> None:
    """Create the definitions, the zones and all records."""
    print(f"creating {fleet.zones} zones with {fleet.names} names each", flush=True)
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "key", "namespace": NAMESPACE},
        "stringData": fleet.server.key.as_secret(),
    }
    for first in [[secret, *map(fleet_zone, [fleet] * fleet.zones, range(fleet.zones))], *_records(fleet)]:
        fleet.plane.kubectl("create", "-f", "-", input=yaml.dump_all(first, Dumper=yaml.CSafeDumper), timeout=600)


def fleet_zone(fleet: Fleet, place: int) -> dict[str, Any]:
    """Return one DNSZone."""
    spec = {
        "domain": domain_of(place),
        "rfc2136": {"server": fleet.server.address},
        "credentialsSecretRef": {"name": "key"},
        "verification": {"nameServers": [fleet.server.address]},
    }
    metadata = {"name": zone_name(place), "namespace": NAMESPACE}
    return {"apiVersion": "detour.dev/v1alpha1", "kind": "DNSZone", "metadata": metadata, "spec": spec}


def _records(fleet: Fleet) -> Iterator[list[dict[str, Any]]]:
    for place in range(fleet.zones):
        found = []
        for number in range(fleet.names):
            name, hostname = f"{zone_name(place)}-r{number}", f"r{number}.{domain_of(place)}"
            found.append(shared_record(name, hostname, zone_name(place)))
        yield found


async def empty_memory(plane: ControlPlane) -> float:
    """Return what an operator holds that has nothing to do."""
    operator = OperatorProcess(("--owner=bench", f"--kubeconfig={plane.kubeconfig}"), environment=plane.environment())
    await operator.start()
    await asyncio.sleep(10.0)
    memory = operator.rss_megabytes()
    await operator.terminate()
    await operator.close()
    return memory


async def bench(zones: int, names: int) -> dict[str, float]:
    """Measure it all."""
    async with AsyncExitStack() as stack:
        plane = ControlPlane(memory=PLANE_MEMORY)
        await asyncio.to_thread(plane.start)
        stack.push_async_callback(asyncio.to_thread, plane.stop)
        domains = [domain_of(place) for place in range(zones)]
        server = RealBIND(domains[0], UpdateKey.random(), negative_ttl=30, more_domains=domains[1:])
        await stack.enter_async_context(server)
        plane.kubectl("apply", "-f", str(CRDS))
        plane.kubectl("wait", "--for=condition=Established", "--timeout=180s", "crd", "failoverrecords.detour.dev")
        plane.kubectl("create", "namespace", NAMESPACE)
        empty = await empty_memory(plane)
        fleet = Fleet(plane, server, zones, names)
        await asyncio.to_thread(declare, fleet)
        for address in (EAST, WEST):
            service = TCPService(address, PORT)
            await service.mend()
            stack.push_async_callback(service.break_)
        return await measure(fleet, empty)


def main() -> None:
    """Measure so many zones with so many names."""
    zones, names = (int(each) for each in sys.argv[1:]) if sys.argv[1:] else (30, 1_000)
    RESULTS.mkdir(parents=True, exist_ok=True)
    figures = asyncio.run(asyncio.wait_for(bench(zones, names), 4 * PATIENCE))
    (RESULTS / "sharding.json").write_text(json.dumps(figures, indent=2) + "\n")
    print(os.linesep.join(f"{key:24} {value:.2f}" for key, value in figures.items()))


if __name__ == "__main__":
    main()
