"""A cell of the suite: one damage at one DNS service, with a zone, a FailoverRecord and names of its own.

All cells of a damage share a namespace, which holds nothing else: so its records can be deleted all together.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from detour.kube.kinds import GROUP
from detour_lab.stories.repair.damages import DAMAGES, Damage
from detour_lab.stories.repair.servers import Servers, Service

API_VERSION = f"{GROUP}/v1alpha1"
TTL = 30
CHECK = {"interval": "1s", "recheckInterval": "200ms", "timeout": "800ms", "fall": 2, "rise": 2}
"""Short, as the suite is about what follows after the verdict."""
CHECKED_HOST = "repair.example.org"
"""One for all, so that equal checks run once, however many cells there are."""


@dataclass(frozen=True, slots=True)
class Region:
    """Where an endpoint is: the region's name, and the address and port of its service."""

    name: str
    address: str
    port: int


@dataclass(frozen=True, slots=True)
class Cell:
    """One damage at one service. Its record and its DNSZone both bear the service's name."""

    damage: Damage
    service: Service

    def __str__(self) -> str:
        return f"{self.damage.name} at {self.service}"

    @property
    def namespace(self) -> str:
        return f"repair-{self.damage.name}"

    @property
    def name(self) -> str:
        """The name of the record and of its DNSZone."""
        return self.service.value

    @property
    def domain(self) -> str:
        return f"{self.damage.name}.{self.service}.example.org"

    @property
    def hostname(self) -> str:
        return f"api.{self.domain}"

    @property
    def marker_name(self) -> str:
        return f"_detour.{self.hostname}"

    def ledger_name(self, owner: str) -> str:
        """Return the name of the ledger that the installation `owner` has in this zone."""
        return f"{owner}._detour.{self.domain}"

    def fill(self, text: str) -> str:
        """Return `text` with the cell's own names in the place of {hostname}, {marker} and so on."""
        return text.format(
            hostname=self.hostname,
            marker=self.marker_name,
            label="api",
            domain=self.domain,
            namespace=self.namespace,
            name=self.name,
        )

    def record_manifest(self, first: Region, second: Region) -> Mapping[str, Any]:
        """Return the FailoverRecord: `first` as long as it is well, else `second`."""
        endpoints = [
            {"name": name, "region": region.name, "addresses": [region.address], "priority": priority}
            for priority, (name, region) in enumerate((("first", first), ("second", second)), start=1)
        ]
        spec = {
            "hostname": self.hostname,
            "zones": [{"name": self.name}],
            "ttl": TTL,
            "endpoints": endpoints,
            "healthCheck": {"http": {"port": first.port, "host": CHECKED_HOST}, **CHECK},
            "failback": {"holdDown": "0s", "maxChangesPerHour": 0},
        }
        return self._object("FailoverRecord", self.name, spec=spec)

    def zone_manifests(self, servers: Servers) -> Sequence[Mapping[str, Any]]:
        """Return the Secret and the DNSZone."""
        secret = {"kind": "Secret", "apiVersion": "v1", "stringData": dict(servers.secret(self.service))}
        metadata = {"name": self.service.value, "namespace": self.namespace}
        zone = self._object("DNSZone", self.name, spec=servers.zone_spec(self.service, self.domain))
        return {**secret, "metadata": metadata}, zone

    def _object(self, kind: str, name: str, **content: Any) -> Mapping[str, Any]:
        metadata = {"name": name, "namespace": self.namespace}
        return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, **content}


def cells_of(damages: Iterable[Damage] = DAMAGES, services: Iterable[Service] = tuple(Service)) -> tuple[Cell, ...]:
    """Return the cells of these damages at these services."""
    listed = tuple(services)
    return tuple(Cell(damage, service) for damage in damages for service in listed)


def namespaces_of(cells: Iterable[Cell]) -> tuple[str, ...]:
    """Return the namespaces of these cells, each once."""
    return tuple(dict.fromkeys(cell.namespace for cell in cells))


def as_list(objects: Iterable[Mapping[str, Any]]) -> str:
    """Return one manifest that holds all these objects."""
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
