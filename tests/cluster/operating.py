"""The stage on which the operator is tried as its users meet it: kubectl in front, DNS behind.

One `Lab` serves the whole run: a real control plane, one operator process, one name server that takes signed updates.
Each test has a `Stage` of its own there, a namespace with a zone and regional services, so that tests share what takes
long to start and nothing else. What people would do goes through kubectl; what tests only wait for is read through the
API, which is cheaper on small machines.
"""

import asyncio
import base64
import contextlib
import itertools
import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dns.name
import dns.tsig
import pytest
import pytest_asyncio
from kubernetes import client, config

from detour.model.timestamps import timestamp
from detour_lab.controlplane import ControlPlane
from detour_lab.controlplane.ports import free_ports
from detour_lab.dns.nameserver import NameServer
from detour_lab.loopback import LoopbackBlock
from detour_lab.services.names import ServiceNames
from detour_lab.services.services import RegionalService
from detour_lab.zones.store import RecordSet, ZoneStore

from .operatorprocess import PATIENCE, OperatorProcess, until

Manifest = dict[str, Any]

OUTSIDER = "an outsider"
TSIG_SECRET = base64.b64encode(b"known to the lab alone, in no log").decode()
TSIG_KEY = dns.tsig.Key(dns.name.from_text("detour-lab."), base64.b64decode(TSIG_SECRET), "hmac-sha256")
REGIONS = {"virginia": "aws-us-east-1", "netherlands": "azure-westeurope", "frankfurt": "gcp-europe-west3"}
KINDS = {"fr": "failoverrecords", "dz": "dnszones", "region": "cloudregions", "override": "overrides"}
SWIFT = {"interval": "1s", "recheckInterval": "100ms", "timeout": "800ms", "fall": 2, "rise": 2}


@dataclass(frozen=True)
class Place:
    """An endpoint with the service behind it."""

    name: str
    service: RegionalService

    @property
    def address(self) -> str:
        return self.service.address

    def endpoint(self, priority: int, **more: Any) -> Manifest:
        """Return it as `spec.endpoints` has it."""
        region = REGIONS.get(self.name, "other-1")
        return {"name": self.name, "region": region, "addresses": [self.address], "priority": priority} | more


class Lab:
    """What all stories share. `port` is the one of every regional service, each at an address of its own."""

    def __init__(self, plane: ControlPlane, folder: Path) -> None:
        self.plane = plane
        self.folder = folder
        self.server = NameServer()
        (self.port,) = free_ports(1)
        self.block = LoopbackBlock.claim(first=100, last=199)  # several runs at once must not meet
        connect: Any = config.new_client_from_config  # has no types
        api = connect(str(plane.kubeconfig))
        self.custom: Any = client.CustomObjectsApi(api)
        self.core: Any = client.CoreV1Api(api)
        self._numbers = itertools.count(1)
        self._operator: OperatorProcess | None = None
        self._starting = asyncio.Lock()

    async def start(self) -> None:
        """Start the name server; the operator comes with the first test that wants it."""
        await self.server.start()

    async def stop(self) -> None:
        """End everything."""
        if self._operator is not None:
            await self._operator.end()
        await self.server.stop()
        self.block.release()

    def make_operator(self, *flags: str, owner: str = "lab") -> OperatorProcess:
        """Return an operator that is not started; without flags it is the one that most tests share."""
        usual = ("--allow-networks=127.0.0.0/8,::1/128", f"--resolver={self.server.address}")
        return OperatorProcess(self.plane, self.folder, *(flags or usual), owner=owner)

    async def operator(self) -> OperatorProcess:
        """Return the shared operator, running."""
        async with self._starting:
            if self._operator is None:
                self._operator = self.make_operator()
            if not self._operator.runs:
                await self._operator.start()
        return self._operator

    async def send_operator_away(self) -> None:
        """End the shared operator; the next who asks for it gets it anew."""
        async with self._starting:
            if self._operator is not None:
                await self._operator.end()

    async def stage(self, title: str) -> "Stage":
        """Return a new stage with a namespace, a TSIG secret, and a zone object named `zone`, not yet applied."""
        number = next(self._numbers)
        return Stage(self, f"{title}-{number}", f"{title}{number}.example.com", number)

    async def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True) -> str:
        """Run kubectl and return what it printed."""
        done = await asyncio.to_thread(self.plane.kubectl, *arguments, input=stdin, check=check)
        return done.stdout + done.stderr


class Stage:
    """A namespace of one test, with the zone `domain` behind it. `store` is what that zone holds."""

    def __init__(self, lab: Lab, namespace: str, domain: str, number: int) -> None:
        self.lab = lab
        self.namespace = namespace
        self.domain = domain
        self.store = self.serve(domain)
        self.names = ServiceNames(f"{namespace}.cloud.test", ttl=1, negative_ttl=1)
        lab.server.add_zone(self.names.store)
        self.services: list[RegionalService] = []
        self._subnet = f"127.{lab.block.number}.{number}"

    def serve(self, domain: str) -> ZoneStore:
        """Let the lab's name server serve one more zone, updated with the lab's key."""
        store = ZoneStore(domain)
        self.lab.server.add_zone(store, key=TSIG_KEY)
        return store

    async def places(self, *names: str) -> list[Place]:
        """Start one regional service for each of `names`."""
        found = []
        for name in names:
            service = RegionalService(f"{self._subnet}.{len(self.services) + 1}", self.lab.port)
            await service.start()
            self.services.append(service)
            found.append(Place(name, service))
        return found

    @contextlib.asynccontextmanager
    async def operator(self, *flags: str, owner: str = "lab") -> AsyncIterator[OperatorProcess]:
        """Run an operator for this namespace alone."""
        made = self.lab.make_operator(f"--namespaces={self.namespace}", *flags, owner=owner)
        try:
            await made.start()
            yield made
        finally:
            await made.end()

    # -- manifests -------------------------------------------------------------------------------------------------

    def basics(self) -> list[Manifest]:
        """Return the namespace, the secret and the zone that most tests begin with."""
        return [{"kind": "Namespace", "metadata": {"name": self.namespace}}, self.secret(), self.zone()]

    def secret(self, name: str = "tsig", **data: str) -> Manifest:
        """Return a Secret, by default the one that opens the lab's zones."""
        good = {"keyName": "detour-lab.", "secret": TSIG_SECRET}
        return self._object("Secret", name, stringData=data or good)

    def zone(self, name: str = "zone", **spec: Any) -> Manifest:
        """Return a DNSZone of the stage's domain at the lab's name server; a value None takes a field out."""
        usual = {
            "domain": self.domain,
            "rfc2136": {"server": self.lab.server.address},
            "credentialsSecretRef": {"name": "tsig"},
        }
        return self._object("DNSZone", name, spec=_without_nones(usual | spec))

    def record(self, endpoints: Sequence[Place | Manifest], name: str = "api", **spec: Any) -> Manifest:
        """Return a FailoverRecord that is checked as often as the schema allows; places get priorities 1, 2, 3 ..."""
        listed = [
            each.endpoint(place) if isinstance(each, Place) else each for place, each in enumerate(endpoints, start=1)
        ]
        usual = {
            "hostname": f"{name}.{self.domain}",
            "zones": [{"name": "zone"}],
            "endpoints": listed,
            "healthCheck": {"http": {"port": self.lab.port, "path": "/healthz"}, **SWIFT},
            "failback": {"holdDown": "0s", "maxChangesPerHour": 0},
        }
        return self._object("FailoverRecord", name, spec=_without_nones(usual | spec))

    def override(self, name: str, *, lasts: float = 3600.0, **spec: Any) -> Manifest:
        """Return an Override of this namespace that lasts so many seconds from now."""
        asked = {"reason": "a test", "requestedBy": "alice", "expiresAt": timestamp(time.time() + lasts)}
        return self._object("Override", name, spec={**asked, **spec})

    def _object(self, kind: str, name: str, **content: Any) -> Manifest:
        return {"kind": kind, "metadata": {"name": name, "namespace": self.namespace}, **content}

    # -- what a user does ------------------------------------------------------------------------------------------

    async def apply(self, *manifests: Manifest) -> str:
        """`kubectl apply` these manifests."""
        listed = [{"apiVersion": _version(each["kind"]), **each} for each in manifests]
        return await self.lab.kubectl(
            "apply", "-f", "-", stdin=json.dumps({"kind": "List", "apiVersion": "v1", "items": listed})
        )

    async def kubectl(self, *arguments: str) -> str:
        """Run kubectl in this namespace and return what it printed."""
        return await self.lab.kubectl("--namespace", self.namespace, *arguments, check=False)

    async def patch(self, name: str, spec: Mapping[str, Any], kind: str = "fr") -> None:
        """Change some fields of an object's spec."""
        await self.lab.kubectl(
            "patch", kind, name, "-n", self.namespace, "--type=merge", "-p", json.dumps({"spec": spec})
        )

    async def edit_zone(self, name: str, rrtype: str, *values: str, ttl: int = 60) -> None:
        """Change, or without values remove, a set in the zone behind everybody's back."""
        if values:
            self.store.commit(added=[RecordSet(name, rrtype, ttl, values)], by=OUTSIDER)
        else:
            self.store.commit(removed=[(name, rrtype)], by=OUTSIDER)

    # -- what there is to see --------------------------------------------------------------------------------------

    async def read(self, name: str = "api", kind: str = "fr") -> Manifest:
        """Return an object as the API server has it; empty where it does not exist."""
        where: tuple[str, ...] = ("detour.dev", "v1alpha1", self.namespace, KINDS[kind], name)
        get = self.lab.custom.get_namespaced_custom_object
        if kind == "region":
            where, get = ("detour.dev", "v1alpha1", KINDS[kind], name), self.lab.custom.get_cluster_custom_object
        try:
            found: Manifest = await asyncio.to_thread(get, *where)
        except client.ApiException as error:
            if error.status != 404:
                raise
            return {}
        return found

    async def status(self, name: str = "api", kind: str = "fr") -> Manifest:
        """Return an object's status."""
        found: Manifest = (await self.read(name, kind)).get("status") or {}
        return found

    async def condition(
        self,
        name: str,
        type_: str,
        status: str,
        reason: str | None = None,
        *,
        saying: str | Sequence[str] = (),
        kind: str = "fr",
        within: float = PATIENCE,
    ) -> str:
        """Wait until a condition is so for the newest generation, with `saying` in its message, which is returned.

        A condition may be so for another cause before: who means one message says it here.
        """
        fragments = (saying,) if isinstance(saying, str) else saying
        last: list[Manifest] = []

        async def look() -> Manifest | None:
            read = await self.read(name, kind)
            last[:] = (read.get("status") or {}).get("conditions") or []
            for each in last:
                fits = each["type"] == type_ and each["status"] == status and reason in (None, each["reason"])
                is_newest = each["observedGeneration"] == read["metadata"]["generation"]
                if fits and is_newest and all(fragment in each["message"] for fragment in fragments):
                    return each
            return None

        def told() -> str:
            listed = "\n".join(f"{each['type']}={each['status']} {each['reason']}: {each['message']}" for each in last)
            return f"{kind}/{name} {type_}={status} {reason or ''} {saying!r}; it has\n{listed}"

        return str((await until(look, told, within))["message"])

    async def ready(self, name: str = "api", kind: str = "fr", within: float = PATIENCE) -> None:
        """Wait until an object is Ready."""
        await self.condition(name, "Ready", "True", kind=kind, within=within)

    def published(self, name: str = "api", store: ZoneStore | None = None) -> tuple[str, ...]:
        """Return every address and CNAME target that the zone holds for `name`, a label or a full name."""
        full = name if "." in name else f"{name}.{self.domain}"
        found = [(store or self.store).get(full, rrtype) for rrtype in ("A", "AAAA", "CNAME")]
        return tuple(sorted(value for each in found if each is not None for value in each.values))

    async def serves(
        self, *values: str, name: str = "api", store: ZoneStore | None = None, within: float = PATIENCE
    ) -> None:
        """Wait until the zone holds exactly these values for `name`."""
        wanted = tuple(sorted(values))
        await until(
            lambda: self.published(name, store) == wanted,
            lambda: f"{name} is {wanted} in the zone; it is {self.published(name, store)}",
            within,
        )

    def was_ever_empty(self, name: str = "api") -> bool:
        """Tell whether the name, once it was published, ever was without an answer in the zone."""
        full, present, seen = f"{name}.{self.domain}", set[str](), False
        for commit in self.store.log:
            present -= {each.type for each in commit.removed if each.name == full}
            present |= {each.type for each in commit.added if each.name == full}
            if seen and not present:
                return True
            seen = seen or bool(present)
        return False

    def commits(self) -> list[int]:
        """Return the numbers of all changes that were ever made to the zone."""
        return [each.number for each in self.store.log]

    async def events(self, *reasons: str) -> list[str]:
        """Return the events of this namespace as `Type Reason: message`, oldest first; only these reasons, if any."""
        return [told for told, _ in await self.events_and_who_told_them(*reasons)]

    async def events_and_who_told_them(self, *reasons: str) -> list[tuple[str, str]]:
        """Return the same, each with the replica that told it."""
        listed = await asyncio.to_thread(self.lab.core.list_namespaced_event, self.namespace)
        ordered = sorted(listed.items, key=lambda each: each.metadata.name.rsplit(".", 2)[1:])
        return [
            (f"{each.type} {each.reason}: {each.message}", each.reporting_instance or "")
            for each in ordered
            if not reasons or each.reason in reasons
        ]

    async def told(self, *reasons: str, times: int) -> list[str]:
        """Wait for so many events of these reasons, and return them: they are written after what they tell of."""

        async def look() -> list[str]:
            found = await self.events(*reasons)
            return found if len(found) >= times else []

        found = await until(look, f"{times} events {', '.join(reasons)}")
        return list(found)

    async def saw(self, fragment: str, within: float = PATIENCE) -> str:
        """Wait for an event whose line contains `fragment`, and return the line."""

        async def look() -> str | None:
            return next((line for line in await self.events() if fragment in line), None)

        return await until(look, f"an event with {fragment!r}", within) or ""

    async def close(self) -> None:
        """Delete what was applied, so that the operator has nothing left to do here, and stop the services."""
        for kind in ("fr", "dz"):
            found: Any = await asyncio.to_thread(
                self.lab.custom.list_namespaced_custom_object, "detour.dev", "v1alpha1", self.namespace, KINDS[kind]
            )
            for each in found["items"]:
                await self._let_go(KINDS[kind], each["metadata"]["name"])
        await asyncio.gather(*(service.stop() for service in self.services))

    async def _let_go(self, plural: str, name: str) -> None:
        where = ("detour.dev", "v1alpha1", self.namespace, plural, name)
        patch, delete = self.lab.custom.patch_namespaced_custom_object, self.lab.custom.delete_namespaced_custom_object
        with contextlib.suppress(client.ApiException):
            await asyncio.to_thread(lambda: patch(*where, {"metadata": {"finalizers": []}}))
            await asyncio.to_thread(lambda: delete(*where))


def _without_nones(spec: Mapping[str, Any]) -> Manifest:
    return {key: value for key, value in spec.items() if value is not None}


def _version(kind: str) -> str:
    return "v1" if kind in ("Namespace", "Secret", "ConfigMap") else "detour.dev/v1alpha1"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def lab(operated_cluster: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lab]:
    """What all tests of the operator share."""
    made = Lab(operated_cluster, tmp_path_factory.mktemp("operator"))
    await made.start()
    try:
        yield made
    finally:
        await made.stop()
