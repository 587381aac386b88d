"""Whether a routing policy is one that the service takes, and the form in which it is kept and compared.

Source: discovery document `dns.v1.json` (RRSetRoutingPolicy and its parts: one policy, no location twice, targets with
health checks for A and AAAA only, either endpoints or load balancers); Cloud DNS documentation, "Configure DNS routing
policies" (weights of 0.0 to 1000.0; one policy at a time), and "Regions and zones" (locations). Codes are those of
other invalid fields; which field a text names is inferred.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from detour.model.rrset import is_address
from detour_lab.clouds.clouddns.errors import JSON, Problem, invalid, required

POLICIES = ("geo", "primaryBackup", "wrr")
LARGEST_WEIGHT = 1000.0
HEALTH_CHECKED_TYPES = ("A", "AAAA")
UNROUTED_TYPES = ("ALIAS", "DNSKEY", "DS", "NS", "SOA")
"""Types of the zone itself and of delegations, whose answer cannot depend on who asks (inferred)."""

LOCATIONS = frozenset(
    {
        *("africa-south1", "asia-east1", "asia-east2", "asia-northeast1", "asia-northeast2", "asia-northeast3"),
        *("asia-south1", "asia-south2", "asia-southeast1", "asia-southeast2", "asia-southeast3"),
        *("australia-southeast1", "australia-southeast2", "europe-central2", "europe-north1", "europe-north2"),
        *("europe-southwest1", "europe-west1", "europe-west2", "europe-west3", "europe-west4", "europe-west6"),
        *("europe-west8", "europe-west9", "europe-west10", "europe-west12", "me-central1", "me-central2", "me-west1"),
        *("northamerica-northeast1", "northamerica-northeast2", "northamerica-south1", "southamerica-east1"),
        *("southamerica-west1", "us-central1", "us-east1", "us-east4", "us-east5", "us-south1", "us-west1"),
        *("us-west2", "us-west3", "us-west4"),
    }
)
"""The regions of Google Cloud."""

KIND = "dns#rRSetRoutingPolicy"
_KINDS = {
    "geo": "GeoPolicy",
    "backupGeoTargets": "GeoPolicy",
    "wrr": "WrrPolicy",
    "primaryBackup": "PrimaryBackupPolicy",
}
"""What follows in the kind of a part; that of an item repeats it (`...GeoPolicyGeoPolicyItem`)."""

Canonical = Callable[[str, str], str | None]
"""Takes a type and rrdata, and returns it in zone-file form; None for data that the type does not allow."""


def read_policy(policy: JSON, rrtype: str, path: str, canonical: Canonical) -> tuple[JSON, list[Problem]]:
    """Return `policy` (of the schema) as it is kept, without kinds and in zone-file form, and what is wrong with it."""
    chosen = [each for each in POLICIES if each in policy]
    if not chosen:
        return policy, [required(path)]
    if len(chosen) > 1 or rrtype in UNROUTED_TYPES:
        return policy, [invalid(path, ", ".join(chosen))]
    reader = _Reader(rrtype, canonical)
    kept = {key: value for key, value in policy.items() if key == "healthCheck"}
    kept[chosen[0]] = reader.read(chosen[0], policy[chosen[0]], f"{path}.{chosen[0]}")
    return kept, reader.problems


def with_kinds(policy: JSON) -> JSON:
    """Return a kept policy as the service shows it: it, its parts and their items name their kinds."""
    shown: JSON = {"kind": KIND}
    return shown | {key: _part(key, value) for key, value in policy.items()}


def _part(key: str, value: Any) -> Any:
    if key not in _KINDS or not isinstance(value, dict):
        return value
    shown: JSON = {"kind": f"{KIND}{_KINDS[key]}"}
    for inner, each in value.items():
        if inner == "items":
            shown[inner] = [{"kind": f"{KIND}{_KINDS[key]}{_KINDS[key]}Item", **item} for item in each]
        else:
            shown[inner] = _part(inner, each)
    return shown


class _Reader:
    def __init__(self, rrtype: str, canonical: Canonical) -> None:
        self.problems: list[Problem] = []
        self._rrtype = rrtype
        self._canonical = canonical

    def read(self, name: str, content: JSON, path: str) -> JSON:
        if name == "primaryBackup":
            return self._primary_backup(content, path)
        if not content.get("items"):
            self.problems.append(required(f"{path}.items"))
            return content
        items = [self._item(name, each, f"{path}.items[{place}]") for place, each in enumerate(content["items"])]
        if name == "geo":
            seen = Counter(each.get("location") for each in items)
            self.problems.extend(invalid(f"{path}.items", each) for each, times in seen.items() if times > 1)
        return {**_without_kind(content), "items": items}

    def _primary_backup(self, content: JSON, path: str) -> JSON:
        for each in ("backupGeoTargets", "primaryTargets"):
            if each not in content:
                self.problems.append(required(f"{path}.{each}"))
        if not 0 <= content.get("trickleTraffic", 0) <= 1:
            self.problems.append(invalid(f"{path}.trickleTraffic", content["trickleTraffic"]))
        read = _without_kind(content)
        if "primaryTargets" in content:
            self._targets(content["primaryTargets"], f"{path}.primaryTargets")
        if "backupGeoTargets" in content:
            read["backupGeoTargets"] = self.read("geo", content["backupGeoTargets"], f"{path}.backupGeoTargets")
        return read

    def _item(self, name: str, item: JSON, path: str) -> JSON:
        if name == "geo" and item.get("location") not in LOCATIONS:
            self.problems.append(invalid(f"{path}.location", item.get("location", "")))
        if name == "wrr" and not 0 <= item.get("weight", -1) <= LARGEST_WEIGHT:
            self.problems.append(invalid(f"{path}.weight", item.get("weight", "")))
        if not item.get("rrdatas") and "healthCheckedTargets" not in item:
            self.problems.append(required(f"{path}.rrdata"))
        if "healthCheckedTargets" in item:
            self._targets(item["healthCheckedTargets"], f"{path}.healthCheckedTargets")
        read = _without_kind(item)
        if "rrdatas" in item:
            read["rrdatas"] = list(self._rrdatas(item["rrdatas"], path))
        return read

    def _rrdatas(self, rrdatas: list[str], path: str) -> Iterator[str]:
        for place, each in enumerate(rrdatas):
            value = self._canonical(self._rrtype, each)
            if value is None:
                self.problems.append(invalid(f"{path}.rrdata[{place}]", each))
            yield value or each

    def _targets(self, targets: JSON, path: str) -> None:
        both = [each for each in ("externalEndpoints", "internalLoadBalancers") if targets.get(each)]
        if self._rrtype not in HEALTH_CHECKED_TYPES or len(both) != 1:
            self.problems.append(invalid(path, ", ".join(both)))
        addresses = [*targets.get("externalEndpoints", ())]
        addresses += [each.get("ipAddress", "") for each in targets.get("internalLoadBalancers", ())]
        self.problems.extend(invalid(path, each) for each in addresses if not is_address(each))


def _without_kind(content: JSON) -> JSON:
    return {key: value for key, value in content.items() if key not in ("kind", "signatureRrdatas")}
