"""What the XML schema of the service says of a request body: its elements, and the values that they may have.

The kinds and ranges are those of botocore's service model. The texts are those of the validator that the service uses
(Xerces), seen in aws-sdk-ruby#137, goamz#160 and ruby_route_53#35 for elements; for values they are inferred.

An element that is unknown, repeated or missing is refused. Their order is not looked at, although the API reference
demands it: botocore sends what its caller gave in the caller's order, its own examples (examples-1.json) have another
order than the reference, and goamz#160 shows the service expecting elements that belong before those that it had read.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.etree import ElementTree

from detour_lab.clouds.route53.document import NAMESPACE
from detour_lab.clouds.route53.errors import APIError, invalid_input

ROOT = "ChangeResourceRecordSetsRequest"
ACTIONS = ("CREATE", "DELETE", "UPSERT")
TYPES = (
    *("SOA", "A", "TXT", "NS", "CNAME", "MX", "NAPTR", "PTR", "SRV", "SPF", "AAAA", "CAA", "DS", "TLSA", "SSHFP"),
    *("SVCB", "HTTPS"),
)


@dataclass(frozen=True, slots=True)
class Text:
    """A text of `shortest` to `longest` characters, or one of `enumeration`."""

    shortest: int = 0
    longest: int = 1024
    enumeration: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Number:
    """A whole number from `smallest` to `largest`."""

    smallest: int
    largest: int


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false."""


@dataclass(frozen=True, slots=True)
class Structure:
    """Elements that are there once, or at most once where they are not `required`."""

    members: Mapping[str, "Shape"]
    required: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class Items:
    """At least one element `name`."""

    name: str
    shape: "Shape"


Shape = Text | Number | Flag | Structure | Items

_CODE = Text(1, 3)
RECORD_SET = Structure(
    {
        "Name": Text(),
        "Type": Text(enumeration=TYPES),
        "SetIdentifier": Text(1, 128),
        "Weight": Number(0, 255),
        "Region": Text(1, 64),
        "GeoLocation": Structure({"ContinentCode": Text(2, 2), "CountryCode": Text(1, 2), "SubdivisionCode": _CODE}),
        "Failover": Text(enumeration=("PRIMARY", "SECONDARY")),
        "MultiValueAnswer": Flag(),
        "TTL": Number(0, 2**31 - 1),
        "ResourceRecords": Items(
            "ResourceRecord", Structure({"Value": Text(longest=4000)}, required=frozenset({"Value"}))
        ),
        "AliasTarget": Structure(
            {"HostedZoneId": Text(longest=32), "DNSName": Text(), "EvaluateTargetHealth": Flag()},
            required=frozenset({"HostedZoneId", "DNSName", "EvaluateTargetHealth"}),
        ),
        "HealthCheckId": Text(longest=64),
        "TrafficPolicyInstanceId": Text(1, 36),
        "CidrRoutingConfig": Structure(
            {"CollectionId": Text(), "LocationName": Text(1, 16)}, required=frozenset({"CollectionId", "LocationName"})
        ),
        "GeoProximityLocation": Structure(
            {
                "AWSRegion": Text(1, 64),
                "LocalZoneGroup": Text(1, 64),
                "Coordinates": Structure(
                    {"Latitude": Text(1, 6), "Longitude": Text(1, 7)}, required=frozenset({"Latitude", "Longitude"})
                ),
                "Bias": Number(-99, 99),
            }
        ),
    },
    required=frozenset({"Name", "Type"}),
)
CHANGE = Structure(
    {"Action": Text(enumeration=ACTIONS), "ResourceRecordSet": RECORD_SET},
    required=frozenset({"Action", "ResourceRecordSet"}),
)
REQUEST = Structure(
    {
        "ChangeBatch": Structure(
            {"Comment": Text(longest=256), "Changes": Items("Change", CHANGE)}, required=frozenset({"Changes"})
        )
    },
    required=frozenset({"ChangeBatch"}),
)

Content = str | int | bool | list["Content"] | dict[str, "Content"]


def read(body: bytes) -> dict[str, "Content"]:
    """Return the content of a ChangeResourceRecordSets request. Raises APIError for what the schema forbids."""
    try:
        root = ElementTree.fromstring(body)  # noqa: S314 - the lab's own clients, on loopback
    except (ElementTree.ParseError, ValueError) as error:
        raise APIError("MalformedInput", f"Invalid XML ; {error}") from error
    if root.tag.rpartition("}")[2] != ROOT:
        # The service's words: dns-update#44.
        found = root.tag.rpartition("}")[2]
        raise APIError("MalformedInput", f"{found} is not valid, expected {ROOT}")
    if root.tag != f"{{{NAMESPACE}}}{ROOT}":
        raise invalid_input(f"Invalid XML ; cvc-elt.1: Cannot find the declaration of element '{ROOT}'.")
    content = _read(root, REQUEST)
    assert isinstance(content, dict)  # noqa: S101 - a structure is read into one
    return content


def _read(node: ElementTree.Element, shape: Shape) -> Content:
    match shape:
        case Structure():
            return _structure(node, shape)
        case Items():
            return _items(node, shape)
        case _:
            if len(node):
                child = _local(node[0])
                raise _invalid(
                    f"cvc-type.3.1.2: Element '{_local(node)}' is a simple type, so it must have no '{child}'."
                )
            return _value(node.text or "", shape)


def _structure(node: ElementTree.Element, shape: Structure) -> dict[str, Content]:
    content: dict[str, Content] = {}
    for child in node:
        name = child.tag.removeprefix(f"{{{NAMESPACE}}}")
        if name not in shape.members or name in content:
            left = [each for each in shape.members if each not in content]
            if not left:
                what = f"Invalid content was found starting with element '{_local(child)}'."
                raise _invalid(f"cvc-complex-type.2.4.d: {what} No child element is expected at this point.")
            what = f"Invalid content was found starting with element '{_local(child)}'."
            raise _invalid(f"cvc-complex-type.2.4.a: {what} One of '{{{_listed(left)}}}' is expected.")
        content[name] = _read(child, shape.members[name])
    if missing := [each for each in shape.members if each in shape.required and each not in content]:
        raise _incomplete(node, missing)
    return content


def _items(node: ElementTree.Element, shape: Items) -> list[Content]:
    for child in node:
        if child.tag != f"{{{NAMESPACE}}}{shape.name}":
            what = f"Invalid content was found starting with element '{_local(child)}'."
            raise _invalid(f"cvc-complex-type.2.4.a: {what} One of '{{{_listed([shape.name])}}}' is expected.")
    if not len(node):
        raise _incomplete(node, [shape.name])
    return [_read(child, shape.shape) for child in node]


def _value(text: str, shape: Text | Number | Flag) -> str | int | bool:
    match shape:
        case Flag():
            if text.strip() not in ("true", "false", "1", "0"):
                raise _invalid(f"cvc-datatype-valid.1.2.1: '{text}' is not a valid value for 'boolean'.")
            return text.strip() in ("true", "1")
        case Number(smallest, largest):
            if not re.fullmatch(r"[+-]?[0-9]{1,18}", text.strip(), re.ASCII):
                raise _invalid(f"cvc-datatype-valid.1.2.1: '{text}' is not a valid value for 'integer'.")
            number = int(text)
            bound, facet = (smallest, "minInclusive") if number < smallest else (largest, "maxInclusive")
            if not smallest <= number <= largest:
                raise _invalid(
                    f"cvc-{facet}-valid: Value '{text}' is not facet-valid with respect to {facet} '{bound}'."
                )
            return number
        case Text(shortest, longest, enumeration):
            if enumeration and text not in enumeration:
                listed = ", ".join(enumeration)
                what = f"Value '{text}' is not facet-valid with respect to enumeration '[{listed}]'."
                raise _invalid(f"cvc-enumeration-valid: {what} It must be a value from the enumeration.")
            if not shortest <= len(text) <= longest:
                facet, bound = ("maxLength", longest) if len(text) > longest else ("minLength", shortest)
                what = f"Value '{text[:64]}' with length = '{len(text)}' is not facet-valid with respect to {facet}"
                raise _invalid(f"cvc-{facet}-valid: {what} '{bound}'.")
            return text


def _incomplete(node: ElementTree.Element, missing: list[str]) -> APIError:
    what = f"The content of element '{_local(node)}' is not complete. One of '{{{_listed(missing)}}}' is expected."
    return _invalid(f"cvc-complex-type.2.4.b: {what}")


def _listed(names: list[str]) -> str:
    return ", ".join(f'"{NAMESPACE}":{each}' for each in names)


def _local(node: ElementTree.Element) -> str:
    return node.tag.rpartition("}")[2]


def _invalid(text: str) -> APIError:
    return invalid_input(f"Invalid XML ; {text}")
