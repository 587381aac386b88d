"""A cluster with probes beside its operator, each of which sees the same two places through a network of its own.

The probes are releases of the chart (`mode: probe`), run as the pods of their Deployments would be. So are their
Vantages, Leases and permissions real; only the places are not where they would be.
"""

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from detour_lab.controlplane import Binaries
from detour_lab.controlplane.process import Process
from detour_lab.services.regions import HTTP_PORT
from detour_lab.services.services import Mode
from detour_lab.services.views import View, hostname
from detour_lab.stage.chart import CHART, operator_command
from detour_lab.stage.lab import ALLOWED_NETWORKS, Lab
from detour_lab.stage.stage import NAMESPACE, PATIENCE, RELEASE_NAMESPACE, Stage, StageError, wait_for

OPERATOR = "operator"
PLACES = ("one", "two")
REGIONS = ("aws-us-east-1", "azure-westeurope")
ZONE = "shop-route53"
DOMAIN = "shop.example.com"
CHECK = {"interval": "2s", "recheckInterval": "500ms", "timeout": "1s", "fall": 3, "rise": 2}
STATUS_WITHIN = 20.0
"""Seconds for a status to catch up with what DNS says."""

DETECTION = 2.0 + 1.0 + 2 * 1.0
"""Seconds within which a failure is a verdict where it is seen, with `CHECK`."""

Say = Callable[[str], None]


class Vantages:
    """An async context manager: the operator's own vantage, and `probes` beside it. `views` are by their names."""

    def __init__(
        self, *, say: Say, binaries: Binaries | None = None, probes: Sequence[str] = ("east", "west"), records: int = 1
    ) -> None:
        self._say = say
        self._binaries = binaries
        self._probes = tuple(probes)
        self._records = records
        self._stack = AsyncExitStack()
        self._processes: dict[str, Process] = {}
        self.lab = Lab()
        self.views: Mapping[str, View] = {}
        self.stage: Stage

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.lab)
            names = (OPERATOR, *self._probes)
            self.views = {name: View(name, number, PLACES, self.lab.block) for number, name in enumerate(names)}
            for view in self.views.values():
                await view.start()
                stack.push_async_callback(view.stop)
            own = {"resolver": self.views[OPERATOR].resolver.address}
            made = Stage(say=self._say, binaries=self._binaries, records=False, lab=self.lab, values=own)
            self.stage = await stack.enter_async_context(made)
            await self.stage.apply(yaml.safe_dump_all(map(self._record, range(self._records))))
            for name in self._probes:
                self._say(f"installing a probe with Helm: vantage {name}")
                await self._start_probe(name, stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def wait_until_ready(self) -> None:
        """Wait until every record is Ready and every probe is heard. Raises StageError."""
        await self.stage.wait_until_ready()
        for name in self._probes:
            await self.until_state(name, "Trusted")

    async def until_state(self, name: str, state: str) -> None:
        """Wait until a Vantage has this state. Raises StageError."""
        await wait_for(lambda: self._has_state(name, state), timeout=PATIENCE, what=f"{state} at vantage {name}")

    async def _has_state(self, name: str, state: str) -> bool:
        found = json.loads(await self.stage.kubectl("get", "vantage", name, "-o", "json"))
        return bool(found.get("status", {}).get("state") == state)

    async def table(self) -> str:
        """Return what `kubectl get vantages` shows."""
        return await self.stage.kubectl("get", "vantages", "-o", "wide")

    async def endpoints(self) -> list[dict[str, Any]]:
        """Return what the first record's status says of its endpoints."""
        found: list[dict[str, Any]] = (await self.stage.records())[_name(0)]["status"]["endpoints"]
        return found

    async def told_of(self, place: str, text: str) -> str:
        """Return what the first record's status says of a place, once that has this text, or after a while without."""
        message = ""

        async def has_text() -> bool:
            nonlocal message
            message = next(str(each.get("message", "")) for each in await self.endpoints() if each["name"] == place)
            return text in message

        with suppress(StageError):
            await wait_for(has_text, timeout=STATUS_WITHIN, what=text)
        return message

    async def generation(self) -> str:
        """Return the generation of the zone's ledger, which each change of DNS moves on."""
        found = json.loads(await self.stage.kubectl("get", "dz", ZONE, "-n", NAMESPACE, "-o", "json"))
        return str(found["status"]["ledger"]["generation"])

    def addresses(self, place: str) -> frozenset[str]:
        """Return what DNS answers for a place: what the operator's own resolver says of it."""
        return frozenset({self.views[OPERATOR].services[place].address})

    def verdicts_at(self, probe: str, place: str) -> list[float]:
        """Return when a probe has found that a place fails, in seconds since the Unix epoch, by its log."""
        address = self.views[probe].services[place].address
        lines = map(_parsed, self._processes[probe].log.read_text().splitlines())
        return [
            datetime.fromisoformat(each["time"]).timestamp()
            for each in lines
            if each.get("event") == "verdict" and each.get("verdict") == "Unhealthy" and each.get("target") == address
        ]

    async def fail(self, place: str, *, seen_by: Iterable[str]) -> None:
        """Let connections to a place be refused, as far as these vantages see it."""
        for name in seen_by:
            await self.views[name].services[place].switch(Mode.REFUSING)

    async def mend(self) -> None:
        """Let every place work again, for everybody."""
        for view in self.views.values():
            await view.regain_network()

    async def _start_probe(self, name: str, stack: AsyncExitStack) -> None:
        plane = self.stage.plane
        values = {
            "mode": "probe",
            "vantage": {"name": name, "cloud": "Other"},
            "resolver": self.views[name].resolver.address,
            "allowNetworks": [ALLOWED_NETWORKS],
        }
        file = Path(plane.folder) / f"{name}.yaml"
        await asyncio.to_thread(file.write_text, yaml.safe_dump(values))
        where = ("--namespace", RELEASE_NAMESPACE)
        await asyncio.to_thread(plane.helm, "install", name, str(CHART), *where, "--values", str(file))
        command = await asyncio.to_thread(operator_command, plane, name, RELEASE_NAMESPACE)
        log = Path(plane.folder) / f"{name}.log"
        process = await asyncio.to_thread(
            Process, f"probe {name}", command.argv, log=log, environment=command.environment
        )
        self._processes[name] = process
        stack.push_async_callback(asyncio.to_thread, process.stop, 10.0)

    def _record(self, number: int) -> dict[str, Any]:
        endpoints = [
            {"name": place, "region": region, "hostname": hostname(place), "priority": priority}
            for priority, (place, region) in enumerate(zip(PLACES, REGIONS, strict=True), 1)
        ]
        path = f"/{number}"  # so that each has checks of its own
        spec = {
            "hostname": self.hostname(number),
            "zones": [{"name": ZONE}],
            "endpoints": endpoints,
            "healthCheck": {"http": {"port": HTTP_PORT, "path": path}, **CHECK},
            "failback": {"holdDown": "5s"},
        }
        metadata = {"name": _name(number), "namespace": NAMESPACE}
        return {"apiVersion": "detour.dev/v1alpha1", "kind": "FailoverRecord", "metadata": metadata, "spec": spec}

    @staticmethod
    def hostname(number: int = 0) -> str:
        """Return the name of a record."""
        return f"{_name(number)}.{DOMAIN}"


def _name(number: int) -> str:
    return f"view{number}"


def _parsed(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
