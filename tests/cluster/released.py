"""Releases of the chart at work: what they are given, and what they run beside, for tests at a real API server."""

import asyncio
import base64
import contextlib
import json
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import dns.name
import dns.tsig

from detour_lab.controlplane import ControlPlane
from detour_lab.controlplane.process import Process
from detour_lab.dns.nameserver import NameServer
from detour_lab.services.services import RegionalService, ServiceCertificates
from detour_lab.stage.chart import CHART, operator_command
from detour_lab.zones.store import ZoneStore

from .operatorprocess import PATIENCE

CRDS = Path(__file__).resolve().parents[2] / "crds"
SYSTEM = "detour-system"
TSIG_SECRET = base64.b64encode(b"between the lab and this test only").decode()
TSIG_KEY = dns.tsig.Key(dns.name.from_text("chart."), base64.b64decode(TSIG_SECRET), "hmac-sha256")
SWIFT = {"interval": "1s", "recheckInterval": "100ms", "timeout": "900ms", "fall": 2, "rise": 1}
DENIALS = re.compile(r'^authorization_attempts_total\{result="(?:denied|no-opinion)"\} (\S+)$', re.MULTILINE)

Manifest = dict[str, Any]


@contextlib.contextmanager
def plane_with_crds() -> Iterator[ControlPlane]:
    """A control plane with the CRDs applied by kubectl, where no other operator is at work."""
    with ControlPlane() as started:
        started.kubectl("apply", "-f", str(CRDS))
        started.kubectl("wait", "--for=condition=Established", "--timeout=180s", "-f", str(CRDS))
        started.kubectl("create", "namespace", SYSTEM)
        yield started


@contextlib.asynccontextmanager
async def lab(domain: str) -> AsyncIterator[tuple[NameServer, ZoneStore]]:
    """A name server whose zone takes updates that the test's key signs."""
    store = ZoneStore(domain)
    server = NameServer()
    server.add_zone(store, key=TSIG_KEY)
    await server.start()
    try:
        yield server, store
    finally:
        await server.stop()


@contextlib.asynccontextmanager
async def service(
    address: str, tls: ServiceCertificates | None = None, *, port: int = 0
) -> AsyncIterator[RegionalService]:
    """A service of one region, at a free port unless one is given."""
    started = RegionalService(address, port, tls=tls)
    await started.start()
    try:
        yield started
    finally:
        await started.stop()


async def kubectl(plane: ControlPlane, *arguments: str, stdin: str | None = None, check: bool = True) -> str:
    return (await asyncio.to_thread(plane.kubectl, *arguments, input=stdin, check=check)).stdout


async def apply(plane: ControlPlane, *manifests: Manifest) -> None:
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests})
    await kubectl(plane, "apply", "-f", "-", stdin=listed)


async def until(look: Callable[[], Any], what: str) -> None:
    """Await that `look`, called in a thread, finds something."""
    deadline = time.monotonic() + PATIENCE
    while not await asyncio.to_thread(look):
        assert time.monotonic() < deadline, f"not within {PATIENCE:g} s: {what}"
        await asyncio.sleep(0.1)


def denials(plane: ControlPlane) -> float:
    """Return how often the API server ever said no."""
    return sum(float(count) for count in DENIALS.findall(plane.kubectl("get", "--raw", "/metrics").stdout))


def may(plane: ControlPlane, account: str, *what: str) -> bool:
    asked = plane.kubectl("auth", "can-i", *what, f"--as=system:serviceaccount:{SYSTEM}:{account}", check=False)
    return asked.stdout.strip() == "yes"


def install(plane: ControlPlane, release: str, values: Manifest, folder: Path) -> None:
    path = folder / f"{release}.json"
    path.write_text(json.dumps(values))
    plane.helm("install", release, str(CHART), f"--namespace={SYSTEM}", f"--values={path}")


@contextlib.asynccontextmanager
async def running(plane: ControlPlane, release: str, folder: Path) -> AsyncIterator[Process]:
    """The operator as the release's Deployment has it, ready; and ended as a pod would be."""
    command = await asyncio.to_thread(operator_command, plane, release, SYSTEM)
    log = folder / f"{release}.log"
    process = Process("detour", command.argv, log=log, environment=command.environment)
    try:
        await _ready(command.url, process)
        yield process
        assert process.running, process.log_tail()
        await asyncio.to_thread(process.stop, PATIENCE)
        assert process.exit_status == 0, process.log_tail()
    finally:
        await asyncio.to_thread(process.stop, 0.0)


async def _ready(url: str, process: Process) -> None:
    deadline = time.monotonic() + PATIENCE
    async with aiohttp.ClientSession() as session:
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(f"{url}/readyz") as answer:
                    if answer.status == 200:
                        return
            assert process.running, process.log_tail()
            assert time.monotonic() < deadline, process.log_tail()
            await asyncio.sleep(0.1)


def namespaced(kind: str, namespace: str, name: str, **content: Any) -> Manifest:
    version = "v1" if kind in ("Secret", "ConfigMap") else "detour.dev/v1alpha1"
    return {"apiVersion": version, "kind": kind, "metadata": {"namespace": namespace, "name": name}, **content}


def namespace(name: str, **labels: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def region(name: str) -> Manifest:
    spec = {"cloud": "AWS", "location": "us-east-1"}
    return {"apiVersion": "detour.dev/v1alpha1", "kind": "CloudRegion", "metadata": {"name": name}, "spec": spec}


def zone(namespace: str, server: NameServer, domain: str, **spec: Any) -> Manifest:
    usual = {"domain": domain, "rfc2136": {"server": server.address}, "credentialsSecretRef": {"name": "tsig"}}
    return namespaced("DNSZone", namespace, "zone", spec=usual | spec)


def tsig(namespace: str, name: str = "tsig") -> Manifest:
    return namespaced("Secret", namespace, name, stringData={"keyName": "chart.", "secret": TSIG_SECRET})


def record(
    namespace: str,
    name: str,
    hostname: str,
    address: str,
    check: Manifest,
    *,
    region: str = "aws-us-east-1",
    **spec: Any,
) -> Manifest:
    usual = {
        "hostname": hostname,
        "zones": [{"name": "zone"}],
        "endpoints": [{"name": "virginia", "region": region, "addresses": [address]}],
        "healthCheck": {**check, **SWIFT},
    }
    return namespaced("FailoverRecord", namespace, name, spec=usual | spec)
