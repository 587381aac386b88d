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

from detour_lab.controlplane import Binaries, ControlPlane
from detour_lab.stage.chart import CHART, operator_command
from detour_lab.stage.lab import ALLOWED_NETWORKS, Lab
from detour_lab.stage.operatorprocess import PERMITTED_ENDPOINTS, OperatorProcess
from detour_lab.stage.quickstart import CREDENTIALS
from detour_lab.stage.steppedclock import SteppedClock

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

IDENTITY = "--identity="
RELEASE = "detour"
RELEASE_NAMESPACE = "detour-system"
NAMESPACE = "shop"
API = "/apis/detour.dev/v1alpha1"
CUSTOM = f"{API}/namespaces/{NAMESPACE}"
"""Where the API server has our objects, and those of the lab's namespace."""

OWNER = "lab"
PATIENCE = 180.0
"""Seconds after which a wait is given up, on whatever machine: no judgement of how long something may take."""

Step = Callable[[str], None]


def leases_of(namespace: str) -> str:
    """Return where the API server has the Leases of a namespace."""
    return f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"


class StageError(RuntimeError):
    """Something did not come about in time; the text says what, and shows how things stand."""


class Stage:
    """An async context manager. `say` is told each step; with `records` False no FailoverRecord is applied.

    `replicas` operators run from the one chart that is installed, as the pods of its Deployment would; `operator` is
    the first of `operators`. `flags` are added to their arguments. With `clocks` each has a wall clock that can be
    moved; `real_bind` False puts the lab's own server, which keeps a log and can fail, in BIND's place.
    `namespaces` are made before the chart is installed, for values that name them. With `lab` the cluster joins a lab
    that runs already and stays with whoever started it, so that several clusters see the same clouds; `name` then
    tells their operators apart. `memory` is what the API server may fill, where it holds thousands of objects.
    """

    def __init__(
        self,
        *,
        say: Step = lambda _: None,
        binaries: Binaries | None = None,
        records: bool = True,
        throttled: bool = True,
        values: Mapping[str, Any] | None = None,
        replicas: int = 1,
        flags: Sequence[str] = (),
        clocks: bool = False,
        real_bind: bool = True,
        namespaces: Sequence[str] = (),
        lab: Lab | None = None,
        name: str = RELEASE,
        memory: str | None = None,
    ) -> None:
        self._say = say
        self._namespaces = tuple(namespaces)
        self._records = records
        self._values = dict(values or {})
        self._replicas = replicas
        self._flags = tuple(flags)
        self._moving_clocks = clocks
        self._stack = AsyncExitStack()
        self.plane = ControlPlane(binaries) if memory is None else ControlPlane(binaries, memory=memory)
        self._lab_is_ours = lab is None
        self._name = name
        self.lab = lab or Lab(throttled=throttled, real_bind=real_bind)
        self.operators: tuple[OperatorProcess, ...] = ()
        self._command: tuple[Sequence[str], Mapping[str, str]] = ((), {})
        self.clocks: Mapping[str, SteppedClock] = {}

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            clouds = ", and three clouds and a BIND on loopback addresses" if self._lab_is_ours else ""
            self._say(f"starting etcd and kube-apiserver{clouds}")
            started = asyncio.create_task(asyncio.to_thread(self.plane.start))
            try:
                if self._lab_is_ours:
                    await stack.enter_async_context(self.lab)
            finally:
                await started
                stack.push_async_callback(asyncio.to_thread, self.plane.stop)
            for note in self.lab.notes if self._lab_is_ours else ():
                self._say(f"note: {note}")
            manifests = self.lab.manifests()
            self._say("installing the chart with Helm")
            await self.apply(manifests["00-namespace.yaml"])
            for name in self._namespaces:  # the chart puts Roles into them
                await self.kubectl("create", "namespace", name)
            await self._install_chart()
            self._say("applying docs/examples/quickstart with kubectl")
            for name, text in manifests.items():
                if self._records or not name.startswith("30-"):
                    await self.apply(text)
            self._say("starting the operator under the chart's service account")
            self.operators = await self._start_operators(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def operator(self) -> OperatorProcess:
        """The first of the operators."""
        return self.operators[0]

    def operator_with(self, *flags: str) -> OperatorProcess:
        """Return one more operator, not started, that runs as the others do but with `flags` behind theirs.

        It bears the first one's name, so only one of the two should run at a time. The caller closes it.
        """
        arguments, environment = self._command
        return OperatorProcess([*arguments, *flags], environment=environment, name=f"{self._name}-0")

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
        return {each["metadata"]["name"]: each for each in await self.read(f"{CUSTOM}/failoverrecords")}

    async def read(self, path: str) -> list[dict[str, Any]]:
        """Return the objects of a list, without a process of kubectl's. Raises CommandError."""
        found = await asyncio.to_thread(self.plane.read, path)
        return list(found["items"])

    async def wait_until_ready(self, timeout: float = PATIENCE) -> None:
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
            "permittedEndpoints": [PERMITTED_ENDPOINTS],
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
        await self.kubectl("wait", "--for=condition=Established", "--timeout=180s", "crd", *crds)

    async def _start_operators(self, stack: AsyncExitStack) -> tuple[OperatorProcess, ...]:
        argv, environment = await asyncio.to_thread(operator_command, self.plane, RELEASE, RELEASE_NAMESPACE)
        # It says `detour run` itself, and has an identity of its own in place of its pod's.
        arguments = [*(each for each in argv[2:] if not each.startswith(IDENTITY)), *self._flags]
        self._command = (arguments, environment)
        names = [f"{self._name}-{number}" for number in range(self._replicas)]
        if self._moving_clocks:
            self.clocks = {name: SteppedClock.find(self.plane.folder / f"{name}.clock") for name in names}
        processes = [
            OperatorProcess(arguments, environment=environment, name=name, clock=self.clocks.get(name))
            for name in names
        ]
        return tuple([await stack.enter_async_context(each) for each in processes])


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
    return Path(__file__).resolve().parents[3]
