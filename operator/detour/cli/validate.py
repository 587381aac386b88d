"""`detour validate`: what the API server or the operator would refuse of manifests, without a cluster, for CI.

The schema and its rules are those of the CRDs; the operator's own refusals are those that manifests alone show. Pure.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Any

import yaml

from detour.cli.told import mapping
from detour.health.regionnames import nearest_region
from detour.kube.annotations import complaints
from detour.kube.kinds import GROUP, VERSION
from detour.kube.translate import (
    DeclarationError,
    external_verdict_from,
    override_from,
    record_from,
    region_from,
    vantage_from,
    without_ca_bundle,
    zone_from,
)
from detour.model.names import is_within
from detour.model.objects import Kind
from detour.model.record import ObjectKey, Record
from detour.model.region import Region
from detour.model.zone import Zone

API_VERSION = f"{GROUP}/{VERSION}"
EPOCH = "1970-01-01T00:00:00Z"

READ: Mapping[str, Callable[[Mapping[str, Any]], object]] = {
    Kind.FAILOVER_RECORD.title: lambda raw: record_from(without_ca_bundle(raw), None),
    Kind.DNS_ZONE.title: zone_from,
    Kind.CLOUD_REGION.title: region_from,
    Kind.VANTAGE.title: vantage_from,
    Kind.EXTERNAL_VERDICT.title: external_verdict_from,
    Kind.OVERRIDE.title: partial(override_from, namespaced=True),
    Kind.CLUSTER_OVERRIDE.title: partial(override_from, namespaced=False),
}
KINDS = {each.title: each for each in Kind}


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with an object of a file. A warning alone lets the object be applied and used."""

    file: str
    object: str
    message: str
    is_warning: bool = False

    @property
    def line(self) -> str:
        return f"{self.file}: {self.object}: {'warning: ' if self.is_warning else ''}{self.message}"


def objects_in(text: str) -> Iterator[dict[str, Any]]:
    """Give Detour's objects of some YAML or JSON documents, those in lists too. Raises yaml.YAMLError."""
    yield from _ours(yaml.safe_load_all(text))


def _ours(documents: Iterable[Any]) -> Iterator[dict[str, Any]]:
    for each in documents:
        if not isinstance(each, dict):
            continue
        if isinstance(each.get("items"), list):
            yield from _ours(each["items"])
        elif str(each.get("apiVersion", "")).partition("/")[0] == GROUP or each.get("kind") in KINDS:
            yield each


def validate(files: Mapping[str, Iterable[dict[str, Any]]], namespace: str = "default") -> list[Finding]:
    """Return what is wrong with the objects of some files; those without a namespace are looked at in `namespace`."""
    found: list[Finding] = []
    records: list[tuple[str, str, Record]] = []
    zones: dict[ObjectKey, Zone] = {}
    regions: dict[str, Region] = {}
    for file, raws in files.items():
        for raw in raws:
            name = _named(raw)
            kind = KINDS.get(str(raw.get("kind")))
            if raw.get("apiVersion") != API_VERSION or kind is None:
                message = (
                    f"there is no kind {raw.get('kind')} in {raw.get('apiVersion')}: write apiVersion: {API_VERSION}"
                )
                found.append(Finding(file, name, message))
                continue
            found += [Finding(file, name, each, is_warning=True) for each in complaints(kind, raw)]
            try:
                read = READ[kind.title](filled(raw, kind, namespace))
            except DeclarationError as error:
                found.append(Finding(file, name, str(error)))
                continue
            if isinstance(read, Record):
                records.append((file, name, read))
            elif isinstance(read, Zone):
                zones[read.key] = read
            elif isinstance(read, Region):
                regions[read.name] = read
    found += _between(records, zones, regions)
    return found


def _between(
    records: list[tuple[str, str, Record]], zones: Mapping[ObjectKey, Zone], regions: Mapping[str, Region]
) -> Iterator[Finding]:
    """Give what the operator would refuse, or warn of, as objects do not fit together."""
    used = {each.region for _, _, record in records for each in record.endpoints}
    for file, name, record in records:
        for key in record.zones:
            zone = zones.get(key)
            if zone is None:
                if zones:
                    yield Finding(file, name, f"DNSZone {key} is not among these manifests", is_warning=True)
            elif not is_within(record.hostname, zone.domain):
                yield Finding(file, name, f"{record.hostname} is not within {zone.domain}, the domain of DNSZone {key}")
        for each in record.endpoints:
            meant = nearest_region(each.region, declared=regions.keys(), used=used)
            if meant is not None:
                message = f"endpoint {each.name} names region {each.region}, which is not known; did you mean {meant}?"
                yield Finding(file, name, message, is_warning=True)
    by_hostname: dict[str, list[tuple[str, str, Record]]] = {}
    for found in records:
        by_hostname.setdefault(found[2].hostname, []).append(found)
    pairs = (pair for same in by_hostname.values() for pair in combinations(same, 2))
    for (_, first, one), (file, name, other) in pairs:
        shared = set(one.zones) & set(other.zones)
        if shared:
            zone_name = min(shared)
            yield Finding(
                file,
                name,
                f"{other.hostname} is published in DNSZone {zone_name} by {first} too: delete one of the two",
            )


def _named(raw: Mapping[str, Any]) -> str:
    return f"{raw.get('kind', 'an object without a kind')} {mapping(raw.get('metadata')).get('name', 'without a name')}"


def filled(raw: Mapping[str, Any], kind: Kind, namespace: str, *, created: str = EPOCH) -> dict[str, Any]:
    """Return an object as the API server would hold it, once applied in a namespace."""
    metadata = mapping(raw.get("metadata"))
    place = {"namespace": namespace} if kind.is_namespaced else {}
    usual = {"uid": f"not-applied-{metadata.get('name')}", "generation": 1, "creationTimestamp": created}
    return {**raw, "metadata": {**usual, **place, **metadata}}
