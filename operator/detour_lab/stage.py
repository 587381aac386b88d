"""Everything together, as a user would have it: a real API server, the chart installed with Helm, clouds in a box, and
the operator as a process under the chart's own service account.

The demo, the scenarios and the acceptance rows play on this stage.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from detour_lab.chart import CHART, operator_command
from detour_lab.controlplane import Binaries, ControlPlane
from detour_lab.lab import ALLOWED_NETWORKS, Lab
from detour_lab.operatorprocess import OperatorProcess
from detour_lab.quickstart import CREDENTIALS

OUTSIDE_LOOPBACK = (
    *(
        "0.0.0.0/2",
        "64.0.0.0/3",
        "96.0.0.0/4",
        "112.0.0.0/5",
        "120.0.0.0/6",
        "124.0.0.0/7",
        "126.0.0.0/8",
        "128.0.0.0/1",
    ),
    "::/0",
)
"""Networks that the operator must not probe on this stage, whatever a manifest says: all but 127.0.0.0/8."""

RELEASE = "detour"
RELEASE_NAMESPACE = "detour-system"
NAMESPACE = "shop"
OWNER = "lab"
READY_TIMEOUT = 60.0

Step = Callable[[str], None]


class StageError(RuntimeError):
    """Something did not come about in time; the text says what, and shows how things stand."""


class Stage:
    """An async context manager. `say` is told each step; with `records` False no FailoverRecord is applied."""

    def __init__(
        self,
        *,
        say: Step = lambda _: None,
        binaries: Binaries | None = None,
        records: bool = True,
        throttled: bool = True,
        values: Mapping[str, Any] | None = None,
    ) -> None:
        self._say = say
        self._records = records
        self._values = dict(values or {})
        self._stack = AsyncExitStack()
        self.plane = ControlPlane(binaries)
        self.lab = Lab(throttled=throttled)
        self.operator: OperatorProcess

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            self._say("starting etcd and kube-apiserver, and three clouds and a BIND on loopback addresses")
            started = asyncio.create_task(asyncio.to_thread(self.plane.start))
            try:
                await stack.enter_async_context(self.lab)
            finally:
                await started
                stack.push_async_callback(asyncio.to_thread, self.plane.stop)
            for note in self.lab.notes:
                self._say(f"note: {note}")
            manifests = self.lab.manifests()
            self._say("installing the chart with Helm")
            await self.apply(manifests["00-namespace.yaml"])
            await self._install_chart()
            self._say("applying docs/examples/quickstart with kubectl")
            for name, text in manifests.items():
                if self._records or not name.startswith("30-"):
                    await self.apply(text)
            self._say("starting the operator under the chart's service account")
            self.operator = await self._start_operator(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    # -- Kubernetes ------------------------------------------------------------------------------------------------

    async def kubectl(self, *arguments: str, check: bool = True) -> str:
        """Run kubectl and return what it printed. Raises CommandError where it fails and `check` is set."""
        done = await asyncio.to_thread(self.plane.kubectl, *arguments, check=check)
        return done.stdout

    async def apply(self, manifest: str) -> None:
        """Apply YAML."""
        await asyncio.to_thread(self.plane.kubectl, "apply", "-f", "-", input=manifest)

    async def records(self) -> dict[str, Any]:
        """Return every FailoverRecord by its name."""
        listed = json.loads(await self.kubectl("get", "failoverrecords", "-n", NAMESPACE, "-o", "json"))
        return {each["metadata"]["name"]: each for each in listed["items"]}

    async def wait_until_ready(self, timeout: float = READY_TIMEOUT) -> None:
        """Wait until every FailoverRecord is Ready. Raises StageError with the table that says which is not."""
        try:
            await wait_for(self._all_ready, timeout=timeout, what="Ready on every record", interval=0.3)
        except StageError as error:
            raise StageError(f"{error}:\n{await self.table()}") from error

    async def _all_ready(self) -> bool:
        records = (await self.records()).values()
        return bool(records) and all(condition(each, "Ready") == "True" for each in records)

    async def lift_budgets(self) -> None:
        """Let the operator ask as much of every provider as it likes, where a figure is about something else."""
        budget = dict.fromkeys(("requestsPerSecond", "requestsBurst", "changesPerSecond", "changesBurst"), 100_000)
        patch = json.dumps({"spec": {"budget": budget}})
        for zone in self.lab.zones:
            await self.kubectl("patch", "dnszone", zone, "-n", NAMESPACE, "--type=merge", "-p", patch)

    async def table(self) -> str:
        """Return what `kubectl get fr -o wide` shows."""
        return await self.kubectl("get", "failoverrecords", "-n", NAMESPACE, "-o", "wide")

    async def _install_chart(self) -> None:
        values = {
            "owner": OWNER,
            "resolver": self.lab.resolver.address,
            "allowNetworks": [ALLOWED_NETWORKS],
            "denyNetworks": list(OUTSIDE_LOOPBACK),
            "credentials": {"secrets": [{"namespace": NAMESPACE, "names": _secrets(self.lab)}]},
            "caBundles": [{"namespace": NAMESPACE, "names": ["lab-ca"]}],
            **self._values,
        }
        file = self.plane.folder / "values.yaml"
        await asyncio.to_thread(file.write_text, yaml.safe_dump(values))
        await asyncio.to_thread(
            self.plane.helm,
            "install",
            RELEASE,
            str(CHART),
            "--namespace",
            RELEASE_NAMESPACE,
            "--create-namespace",
            "--values",
            str(file),
        )
        crds = ("failoverrecords.detour.dev", "dnszones.detour.dev", "cloudregions.detour.dev")
        await self.kubectl("wait", "--for=condition=Established", "--timeout=30s", "crd", *crds)

    async def _start_operator(self, stack: AsyncExitStack) -> OperatorProcess:
        argv, environment = await asyncio.to_thread(operator_command, self.plane, RELEASE, RELEASE_NAMESPACE)
        process = OperatorProcess(argv[2:], environment=environment)  # it says `detour run` itself
        return await stack.enter_async_context(process)


def _secrets(lab: Lab) -> list[str]:
    documents = yaml.safe_load_all(lab.manifests()[CREDENTIALS])
    return [each["metadata"]["name"] for each in documents if each and each["kind"] == "Secret"]


async def wait_for(
    condition: Callable[[], Awaitable[bool]], *, timeout: float, what: str, interval: float = 0.1
) -> None:
    """Ask `condition` until it holds. Raises StageError, naming `what`, after `timeout` seconds."""
    loop = asyncio.get_running_loop()
    give_up = loop.time() + timeout
    while not await condition():
        if loop.time() > give_up:
            raise StageError(f"{what} did not come about within {timeout:g} s")
        await asyncio.sleep(interval)


def condition(item: Mapping[str, Any], kind: str) -> str | None:
    """Return the status of one of an object's conditions, None where it has none of that type."""
    conditions = item.get("status", {}).get("conditions", [])
    return next((str(each["status"]) for each in conditions if each["type"] == kind), None)


def spread(values: Sequence[float], share: float) -> float:
    """Return the value below which `share` of `values` lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def repository() -> Path:
    """Return the root of the checkout."""
    return Path(__file__).resolve().parents[2]
