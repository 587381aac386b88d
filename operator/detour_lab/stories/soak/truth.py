"""What every name should answer, from the state that the services are really in.

The records are the quickstart's, but for the one whose way back a person decides: what that one should answer depends
on its past. Outsiders' values are addresses that no endpoint has.
"""

from collections.abc import Collection, Mapping
from typing import Any

import yaml

from detour_lab.services.services import Mode
from detour_lab.stage.lab import Lab
from detour_lab.stories.expectation import Spec, expected_values, zones_of

FOREIGN = ("203.0.113.66", "203.0.113.67")
RECORDS = "30-records.yaml"
OTHERS_DECIDE = ("orders-db",)


class Truth:
    """The records of a lab, and what each should answer now."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._documents = [
            each
            for each in yaml.safe_load_all(lab.manifests()[RECORDS])
            if each is not None and each["metadata"]["name"] not in OTHERS_DECIDE
        ]
        self.specs: Mapping[str, Spec] = {each["metadata"]["name"]: each["spec"] for each in self._documents}

    @property
    def manifest(self) -> str:
        """The records as YAML, to apply."""
        return yaml.safe_dump_all(self._documents)

    @property
    def hostnames(self) -> Mapping[str, tuple[str, ...]]:
        """The managed names in each zone."""
        return {
            zone: tuple(str(spec["hostname"]) for spec in self.specs.values() if zone in zones_of(spec))
            for zone in self._lab.zones
        }

    def answers(self) -> dict[tuple[str, str], frozenset[str]]:
        """Return the values that each name should have in each zone, by (zone, hostname)."""
        found: dict[tuple[str, str], frozenset[str]] = {}
        for spec in self.specs.values():
            alive: dict[str, Any] = {**spec, "endpoints": [each for each in spec["endpoints"] if self._is_alive(each)]}
            values = expected_values(alive, lost=(), addresses_of=self._addresses_of)
            found |= {(zone, str(spec["hostname"])): values for zone in zones_of(spec)}
        return found

    def _is_alive(self, endpoint: Mapping[str, Any]) -> bool:
        addresses = endpoint.get("addresses") or self._addresses_of(endpoint["hostname"])
        services = [each for region in self._lab.regions.values() for each in region.services.values()]
        return any(each.address in addresses and each.mode is Mode.UP for each in services)

    def _addresses_of(self, hostname: str) -> Collection[str]:
        return [
            region.services[region.hostnames[hostname]].address
            for region in self._lab.regions.values()
            if hostname in region.hostnames
        ]
