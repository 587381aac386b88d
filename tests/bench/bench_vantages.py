"""What two more vantages cost an operator: idle, and when a region fails, beside the same operator alone.

Run `make bench-vantages NAMES=200`. The names have HTTPS targets of their own (see `mixes`), so each vantage makes
three checks for each name; with `MIX=shared` all share two targets, as many names as you like, and what is measured is
what votes cost the decisions. First the operator's own checks decide, then two probes run beside it. All share the
cores of this machine. Each phase prints a line; the figures go to build/bench/vantages.json, or vantages-shared.json.
"""

import asyncio
import json
import math
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from bench_names import IDLE, PATIENCE, PLANE_MEMORY, RESULTS, World, all_at, declare, until
from mixes import MIXES, NAMESPACE

from detour_lab.controlplane import ControlPlane
from detour_lab.controlplane.ports import free_ports
from detour_lab.controlplane.process import Process
from detour_lab.stage.operatorprocess import OperatorProcess

PROBES = ("probe-1", "probe-2")
HTTPS = "https"
SETTLES = 15.0
"""Seconds of quiet before the idle operator is watched."""

MOST_NAMES = 200
"""These ask for 120 HTTPS checks a second of each vantage, and three of them share this machine."""


class Probe:
    """One `detour probe` beside the operator."""

    def __init__(self, name: str, plane: ControlPlane, flags: Sequence[str], folder: Path) -> None:
        (port,) = free_ports(1)
        program = Path(sys.executable).with_name("detour")
        own = (f"--vantage={name}", f"--lease={NAMESPACE}/vantage-{name}", f"--kubeconfig={plane.kubeconfig}")
        command = [str(program), "probe", *own, *flags, f"--listen=127.0.0.1:{port}", "--log-format=json"]
        self._process = Process(name, command, log=folder / f"{name}.log", environment=plane.environment())

    def stop(self) -> None:
        """End it."""
        self._process.stop(10.0)

    def lines(self) -> list[dict[str, Any]]:
        """Return what it has logged."""
        return [json.loads(each) for each in self._process.log.read_text().splitlines() if each.startswith("{")]


def manifests(name: str) -> list[dict[str, Any]]:
    """Return the Vantage and the Lease of a probe."""
    lease = {"name": f"vantage-{name}", "namespace": NAMESPACE, "labels": {"detour.dev/vantage": name}}
    return [
        {
            "apiVersion": "detour.dev/v1alpha1",
            "kind": "Vantage",
            "metadata": {"name": name},
            "spec": {"cloud": "Other"},
        },
        {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": lease, "spec": {}},
    ]


def first_failure(lines: Iterable[dict[str, Any]], since: float) -> float:
    """Return when a vantage first took a place for failed after `since` (Unix time), infinity where it never did."""
    verdicts = (line for line in lines if line.get("event") == "verdict" and line.get("verdict") == "Unhealthy")
    times = (datetime.fromisoformat(line["time"]).timestamp() for line in verdicts)
    return min((at for at in times if at >= since), default=math.inf)


async def measure(world: World, probes: Sequence[Probe], needed: int) -> dict[str, float]:
    """Watch the operator idle, and as the east fails and returns; `needed` vantages have to find it failing."""
    await asyncio.sleep(SETTLES)
    before = world.cpu_seconds()
    await asyncio.sleep(IDLE)
    idle = (world.cpu_seconds() - before) / IDLE * 100
    start, before, broken_at = len(world.operator.lines), world.cpu_seconds(), time.time()
    await world.mix.failing.break_()
    await all_at(world, world.mix.west, start)
    moved_at = time.time()
    cpu = world.cpu_seconds() - before
    logs = [world.operator.lines[start:], *(each.lines() for each in probes)]
    decided_at = sorted(first_failure(lines, broken_at) for lines in logs)[needed - 1]
    figures = {
        "idle_percent": idle,
        "megabytes": float(world.operator.rss_megabytes()),
        "moved": moved_at - broken_at,
        "moved_after_verdict": moved_at - decided_at,
        "moved_cpu": cpu,
    }
    start = len(world.operator.lines)
    await world.mix.failing.mend()
    await all_at(world, world.mix.east, start)
    return figures


async def bench(names: int, kind: str) -> dict[str, float]:
    """Measure one operator alone, and with two probes."""
    found: dict[str, float] = {"names": names}

    def tell(vantages: int, figures: dict[str, float]) -> None:
        print(" ".join([f"vantages={vantages}", *(f"{key}={value:.2f}" for key, value in figures.items())]), flush=True)
        found.update({f"{key}_{vantages}": value for key, value in figures.items()})

    async with AsyncExitStack() as stack:
        plane = ControlPlane(memory=PLANE_MEMORY)
        await asyncio.to_thread(plane.start)
        stack.push_async_callback(asyncio.to_thread, plane.stop)
        mix = MIXES[kind](names)
        await mix.open(stack)
        await asyncio.to_thread(declare, plane, mix, names)
        arguments = (
            "--owner=bench",
            f"--kubeconfig={plane.kubeconfig}",
            f"--vantage-leases={NAMESPACE}",
            *mix.flags,
        )
        operator = OperatorProcess(arguments, environment=plane.environment())
        stack.push_async_callback(operator.close)
        world = World(names, plane, mix, operator)
        await operator.start(wait_until_ready=False)
        await all_at(world, mix.east, 0)
        await until(lambda: asyncio.to_thread(world.all_ready), 1.0)
        tell(1, await measure(world, (), 1))

        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        objects = [each for name in PROBES for each in manifests(name)]
        await asyncio.to_thread(plane.kubectl, "apply", "-f", "-", input=yaml.safe_dump_all(objects))
        probes = [Probe(name, plane, mix.flags, folder) for name in PROBES]
        for each in probes:
            stack.push_async_callback(asyncio.to_thread, each.stop)
        checks = names if kind == HTTPS else 2
        heard = await until(lambda: asyncio.to_thread(are_heard, plane, checks), 1.0)
        assert heard < PATIENCE, "not every probe is heard, with all of its checks known"
        tell(3, await measure(world, probes, 2))
    return found


def are_heard(plane: ControlPlane, checks: int) -> bool:
    """Tell whether each probe is believed, and knows of so many checks at least."""
    found = plane.read("/apis/detour.dev/v1alpha1/vantages")["items"]
    told = {each["metadata"]["name"]: each.get("status", {}) for each in found}
    return all(
        told[name].get("state") == "Trusted" and told[name].get("report", {}).get("checks", 0) >= checks
        for name in PROBES
    )


def main() -> None:
    """Measure so many names, of such a mix, as the arguments say."""
    kind = sys.argv[2] if len(sys.argv) > 2 else HTTPS
    names = int(sys.argv[1]) if len(sys.argv) > 1 else MOST_NAMES
    names = min(names, MOST_NAMES) if kind == HTTPS else names
    RESULTS.mkdir(parents=True, exist_ok=True)
    figures = asyncio.run(bench(names, kind))
    name = "vantages.json" if kind == HTTPS else f"vantages-{kind}.json"
    (RESULTS / name).write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
