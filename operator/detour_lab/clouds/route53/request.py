"""A ChangeResourceRecordSets body, taken apart. What the service refuses before it looks at the zone is refused here.

Source: Route 53 API reference, ChangeResourceRecordSets and ResourceRecordSet. The texts are the service's: boto3#2240
(SetIdentifier missing), terraform-provider-aws#1668 and the answers that others quote today (no or several policies).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from detour_lab.clouds.route53 import schema
from detour_lab.clouds.route53.errors import APIError, invalid_input
from detour_lab.clouds.route53.schema import TYPES

__all__ = ["EXTRAS", "POLICIES", "TYPES", "ChangeBatch", "RequestedChange", "parse_change_batch"]

EXTRAS = (
    "SetIdentifier",
    "Weight",
    "Region",
    "GeoLocation",
    "Failover",
    "MultiValueAnswer",
    "AliasTarget",
    "HealthCheckId",
    "TrafficPolicyInstanceId",
    "CidrRoutingConfig",
    "GeoProximityLocation",
)
"""The members of a ResourceRecordSet beyond name, type, TTL and values; the store keeps them in `RecordSet.extra`."""

POLICIES = (
    *("Weight", "Region", "Failover", "GeoLocation", "MultiValueAnswer", "GeoProximityLocation", "CidrRoutingConfig"),
)
"""The members that choose a routing policy, in the order in which the service names them."""


@dataclass(frozen=True, slots=True)
class RequestedChange:
    """One Change of a batch, as sent: `name` and `values` in the API's own form. `ttl` is None with an alias."""

    action: str
    name: str
    type: str
    ttl: int | None
    values: tuple[str, ...]
    extra: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ChangeBatch:
    """The body of a ChangeResourceRecordSets request."""

    changes: tuple[RequestedChange, ...]
    comment: str | None


def parse_change_batch(body: bytes) -> ChangeBatch:
    """Return the batch in `body`. Raises APIError (MalformedInput, InvalidInput) as the real service does."""
    content: Any = schema.read(body)["ChangeBatch"]
    return ChangeBatch(tuple(_change(each) for each in content["Changes"]), content.get("Comment"))


def _change(content: Mapping[str, Any]) -> RequestedChange:
    record_set = content["ResourceRecordSet"]
    values = tuple(each["Value"] for each in record_set.get("ResourceRecords", ()))
    extra = {key: record_set[key] for key in EXTRAS if key in record_set}
    change = RequestedChange(
        content["Action"], record_set["Name"], record_set["Type"], record_set.get("TTL"), values, extra
    )
    _check_kind(change)
    _check_policy(change)
    return change


def _check_kind(change: RequestedChange) -> None:
    """A set has values and a TTL, or is an alias."""
    is_alias, is_plain = "AliasTarget" in change.extra, change.ttl is not None and bool(change.values)
    if is_alias == is_plain or (is_alias and (change.ttl is not None or change.values)):
        kinds = "AliasTarget, all of [TTL, and ResourceRecords], or TrafficPolicyInstanceId"
        raise _expected_one(kinds, "more than one" if is_alias else "none", change)


def _check_policy(change: RequestedChange) -> None:
    """A set with a routing policy has exactly one, and an identifier; one with an identifier has a policy."""
    given = [each for each in POLICIES if each in change.extra]
    if "SetIdentifier" not in change.extra:
        if given:  # MultiValueAnswer also where it is false: aws-sdk#75
            raise invalid_input(f"Invalid request: Missing field 'SetIdentifier' in {_where(change)}")
        return
    chosen = [each for each in given if change.extra[each] is not False]
    if len(chosen) != 1:
        listed = ", ".join([*POLICIES[:-1], f"or {POLICIES[-1]}"])
        raise _expected_one(listed, "more than one" if chosen else "none", change)


def _expected_one(kinds: str, found: str, change: RequestedChange) -> APIError:
    return invalid_input(f"Invalid request: Expected exactly one of [{kinds}], but found {found} in {_where(change)}")


def _where(change: RequestedChange) -> str:
    identifier = change.extra.get("SetIdentifier", "null")
    return f"Change with [Action={change.action}, Name={change.name}, Type={change.type}, SetIdentifier={identifier}]"
