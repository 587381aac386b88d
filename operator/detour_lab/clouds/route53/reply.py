"""The XML of Route 53's answers, element for element as in botocore's service model (API version 2013-04-01)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from detour_lab.clouds.route53 import names, values
from detour_lab.clouds.route53.document import Content
from detour_lab.clouds.route53.members import SPELLING, all_members
from detour_lab.clouds.route53.request import EXTRAS
from detour_lab.zones.store import RecordSet, ZoneStore


@dataclass(frozen=True, slots=True)
class HostedZone:
    """A zone of the account. `name_servers` (no trailing dot) is its DelegationSet, none for a private zone."""

    id: str
    store: ZoneStore
    is_private: bool
    name_servers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SubmittedChange:
    """A change that was accepted. `commit` is its number in the store, `at` seconds since the Unix epoch."""

    id: str
    zone: HostedZone
    commit: int
    at: float
    comment: str | None

    @property
    def is_in_sync(self) -> bool:
        return self.zone.store.is_served(self.commit)


def hosted_zone(zone: HostedZone) -> Mapping[str, Content]:
    return {
        "Id": f"/hostedzone/{zone.id}",
        "Name": names.to_api(zone.store.domain),
        "CallerReference": f"lab-{zone.id}",
        "Config": {"PrivateZone": zone.is_private},
        "ResourceRecordSetCount": sum(1 for _ in all_members(zone.store.all())),
    }


def delegation(zone: HostedZone) -> Mapping[str, Content]:
    """Return what GetHostedZone says besides the zone: its servers, or the networks of a private one."""
    if zone.is_private:
        return {"VPCs": [("VPC", {"VPCRegion": "us-east-1", "VPCId": "vpc-00000000"})]}
    return {"DelegationSet": {"NameServers": [("NameServer", each) for each in zone.name_servers]}}


def change_info(change: SubmittedChange, *, is_new: bool = False) -> Mapping[str, Content]:
    """Return what is known of a change; one that was just submitted is PENDING whatever the servers do (GetChange)."""
    submitted = datetime.fromtimestamp(change.at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    comment = {} if change.comment is None else {"Comment": change.comment}
    status = "INSYNC" if change.is_in_sync and not is_new else "PENDING"
    return {"ChangeInfo": {"Id": f"/change/{change.id}", "Status": status, "SubmittedAt": submitted, **comment}}


def record_sets(sets: Sequence[RecordSet]) -> list[tuple[str, Content]]:
    return [("ResourceRecordSet", _record_set(each)) for each in sets]


def health_check(check_id: str) -> Mapping[str, Content]:
    """Return a health check of the account; what it checks does not matter here."""
    config = {"Type": "CALCULATED", "HealthThreshold": 0}
    return {"Id": check_id, "CallerReference": f"lab-{check_id}", "HealthCheckConfig": config, "HealthCheckVersion": 1}


def _record_set(each: RecordSet) -> Mapping[str, Content]:
    content: dict[str, Content] = {"Name": names.to_api(each.name), "Type": each.type}
    content |= {key: each.extra[key] for key in EXTRAS if key in each.extra and key != "AliasTarget"}
    if "AliasTarget" in each.extra:
        return content | {"AliasTarget": _alias_target(each.extra["AliasTarget"])}
    spelling: Mapping[str, str] = each.extra.get(SPELLING, {})
    records = [
        ("ResourceRecord", {"Value": spelling.get(value) or values.to_api(each.type, value)}) for value in each.values
    ]
    return content | {"TTL": each.ttl, "ResourceRecords": records}


def _alias_target(alias: Mapping[str, Content]) -> Mapping[str, Content]:
    """The name of a target comes back in lower case and with its final dot, as a set's own name does (inferred)."""
    return {**alias, "DNSName": f"{str(alias['DNSName']).lower().removesuffix('.')}."}
