"""The JSON of a record set's `properties`, member by member, as the specification has it.

Source: azure-rest-api-specs, specification/dns, version 2023-07-01-preview: RecordSetProperties and the records' types.
A value of another kind is refused with 400; that the service does so, instead of reading `true` as 1, is inferred. A
member that the specification does not have, or that can only be read (`fqdn`), is passed over, and null is as if the
member were missing: clients send back what they have read.
"""

from collections.abc import Mapping
from typing import Any

Shape = Any  # of type[int] | type[str] | list[Shape] | dict[str, Shape], which mypy cannot follow through a get
"""A number, a text, a list of one shape, or an object by member; `{"*": shape}` is an object with any members."""

PROPERTIES: dict[str, Shape] = {
    "TTL": int,
    "metadata": {"*": str},
    "targetResource": {"id": str},
    "trafficManagementProfile": {"id": str},
    "ARecords": [{"ipv4Address": str}],
    "AAAARecords": [{"ipv6Address": str}],
    "caaRecords": [{"flags": int, "tag": str, "value": str}],
    "CNAMERecord": {"cname": str},
    "DSRecords": [{"keyTag": int, "algorithm": int, "digest": {"algorithmType": int, "value": str}}],
    "MXRecords": [{"preference": int, "exchange": str}],
    "NAPTRRecords": [
        {"order": int, "preference": int, "flags": str, "services": str, "regexp": str, "replacement": str}
    ],
    "NSRecords": [{"nsdname": str}],
    "PTRRecords": [{"ptrdname": str}],
    "SOARecord": {
        "host": str,
        "email": str,
        "serialNumber": int,
        "refreshTime": int,
        "retryTime": int,
        "expireTime": int,
        "minimumTTL": int,
    },
    "SRVRecords": [{"priority": int, "weight": int, "port": int, "target": str}],
    "TLSARecords": [{"usage": int, "selector": int, "matchingType": int, "certAssociationData": str}],
    "TXTRecords": [{"value": [str]}],
}

_KINDS: Mapping[type, str] = {int: "a number", str: "a text"}


class ShapeError(ValueError):
    """A value that is not of its member's kind; the text says where."""


def read_properties(content: Any) -> dict[str, Any]:
    """Return what `content` says in the specification's members, without those that are null. Raises ShapeError."""
    read: dict[str, Any] = _read(content, dict(PROPERTIES), "properties")
    return read


def _read(value: Any, shape: Shape, where: str) -> Any:
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            raise ShapeError(f"'{where}' is not an object.")
        return {
            name: _read(each, shape.get(name, shape.get("*", str)), f"{where}.{name}")
            for name, each in value.items()
            if each is not None and (name in shape or "*" in shape)
        }
    if isinstance(shape, list):
        if not isinstance(value, list):
            raise ShapeError(f"'{where}' is not a list.")
        return [_read(each, shape[0], f"{where}[{place}]") for place, each in enumerate(value)]
    if not isinstance(value, shape) or isinstance(value, bool):
        raise ShapeError(f"'{where}' is not {_KINDS[shape]}.")
    return value
