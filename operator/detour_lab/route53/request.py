"""A ChangeResourceRecordSets body, parsed. What the XML schema forbids is refused here, before any rule of DNS.

Source: Route 53 API reference, ChangeResourceRecordSets and ResourceRecordSet.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from detour_lab.route53.document import NAMESPACE
from detour_lab.route53.errors import APIError, invalid_input

ACTIONS = ("CREATE", "DELETE", "UPSERT")
TYPES = frozenset({"A", "AAAA", "CAA", "CNAME", "DS", "HTTPS", "MX", "NAPTR", "NS", "PTR", "SOA", "SPF", "SRV"}) | {
    *("SSHFP", "SVCB", "TLSA", "TXT")
}
LARGEST_TTL = 2**31 - 1
STRUCTURES = ("AliasTarget", "GeoLocation", "CidrRoutingConfig", "GeoProximityLocation", "Coordinates")
FLAGS = ("EvaluateTargetHealth", "MultiValueAnswer")
NUMBERS = ("Weight", "Bias")
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
    try:
        root = ElementTree.fromstring(body)  # noqa: S314 - the lab's own clients, on loopback
    except ElementTree.ParseError as error:
        raise APIError("MalformedInput", f"Invalid XML ; {error}") from error
    if root.tag != _tag("ChangeResourceRecordSetsRequest"):
        raise invalid_input(f"Invalid XML ; cannot find the declaration of element '{root.tag}'.")
    batch = _required(root, "ChangeBatch")
    changes = tuple(_change(each) for each in _required(batch, "Changes").findall(_tag("Change")))
    if not changes:
        raise invalid_input("Invalid XML ; the content of element 'Changes' is not complete.")
    return ChangeBatch(changes, batch.findtext(_tag("Comment")))


def _change(node: ElementTree.Element) -> RequestedChange:
    action = _text(node, "Action")
    if action not in ACTIONS:
        raise invalid_input(f"Invalid XML ; value '{action}' is not one of {', '.join(ACTIONS)}.")
    record_set = _required(node, "ResourceRecordSet")
    name, rrtype = _text(record_set, "Name"), _text(record_set, "Type")
    if rrtype not in TYPES:
        raise invalid_input(f"Invalid XML ; value '{rrtype}' is not a record type.")
    records = record_set.find(_tag("ResourceRecords"))
    values = () if records is None else tuple(_text(each, "Value") for each in records.findall(_tag("ResourceRecord")))
    if records is not None and not values:
        raise invalid_input("Invalid XML ; the content of element 'ResourceRecords' is not complete.")
    extra = {key: _extra(record_set.find(_tag(key)), key) for key in EXTRAS if record_set.find(_tag(key)) is not None}
    ttl = _ttl(record_set.findtext(_tag("TTL")))
    is_alias, is_plain = "AliasTarget" in extra, ttl is not None and bool(values)
    if is_alias == is_plain or (is_alias and (ttl is not None or values)):
        found = "more than one" if is_alias else "none"
        raise invalid_input(
            "Invalid request: Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or"
            f" TrafficPolicyInstanceId], but found {found} in Change with [Action={action}, Name={name},"
            f" Type={rrtype}, SetIdentifier={extra.get('SetIdentifier', 'null')}]"
        )
    return RequestedChange(action, name, rrtype, ttl, values, extra)


def _ttl(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isdecimal() or int(text) > LARGEST_TTL:
        raise invalid_input(f"Invalid XML ; TTL '{text}' is not a number between 0 and {LARGEST_TTL}.")
    return int(text)


def _extra(node: ElementTree.Element | None, key: str) -> Any:
    text = "" if node is None or node.text is None else node.text
    if node is not None and key in STRUCTURES:
        return {child.tag.removeprefix(_tag("")): _extra(child, child.tag.removeprefix(_tag(""))) for child in node}
    if key in FLAGS:
        return text == "true"
    if key in NUMBERS:
        if not text.removeprefix("-").isdecimal():
            raise invalid_input(f"Invalid XML ; {key} '{text}' is not a number.")
        return int(text)
    return text


def _required(node: ElementTree.Element, name: str) -> ElementTree.Element:
    found = node.find(_tag(name))
    if found is None:
        parent = node.tag.removeprefix(_tag(""))
        raise invalid_input(f"Invalid XML ; the content of element '{parent}' is not complete: '{name}' is expected.")
    return found


def _text(node: ElementTree.Element, name: str) -> str:
    return _required(node, name).text or ""


def _tag(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"
