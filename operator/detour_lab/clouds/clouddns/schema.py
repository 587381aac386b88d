"""The JSON of requests, field by field, and how Google's front end refuses what is not of its kind.

Source: discovery document `dns.v1.json` (Change, ResourceRecordSet, RRSetRoutingPolicy and what they hold). The texts
are those that Google's front ends give for any API that is described by protocol buffers, and null is as if the field
were missing (protobuf.dev, "ProtoJSON format"). A whole number may come as a text of digits, as that page allows.
"""

import json
from typing import Any

from detour_lab.clouds.clouddns.errors import JSON, APIError, malformed

LARGEST_INT32 = 2**31 - 1

Shape = Any
"""`"int32"`, `"string"`, `"double"`, `"bool"`, a list of one shape, an object by field, or a set of words."""

_TARGETS = {
    "externalEndpoints": ["string"],
    "internalLoadBalancers": [
        {
            "ipAddress": "string",
            "ipProtocol": frozenset({"undefined", "tcp", "udp"}),
            "kind": "string",
            "loadBalancerType": frozenset({"none", "globalL7ilb", "regionalL4ilb", "regionalL7ilb"}),
            "networkUrl": "string",
            "port": "string",
            "project": "string",
            "region": "string",
        }
    ],
}
_ITEM = {"healthCheckedTargets": _TARGETS, "kind": "string", "rrdatas": ["string"], "signatureRrdatas": ["string"]}
_GEO = {"enableFencing": "bool", "items": [{**_ITEM, "location": "string"}], "kind": "string"}
ROUTING_POLICY: Shape = {
    "geo": _GEO,
    "healthCheck": "string",
    "kind": "string",
    "primaryBackup": {
        "backupGeoTargets": _GEO,
        "kind": "string",
        "primaryTargets": _TARGETS,
        "trickleTraffic": "double",
    },
    "wrr": {"items": [{**_ITEM, "weight": "double"}], "kind": "string"},
}
RECORD_SET: Shape = {
    "kind": "string",
    "name": "string",
    "routingPolicy": ROUTING_POLICY,
    "rrdatas": ["string"],
    "signatureRrdatas": ["string"],
    "ttl": "int32",
    "type": "string",
}
CHANGE: Shape = {
    "additions": [RECORD_SET],
    "deletions": [RECORD_SET],
    "id": "string",
    "isServing": "bool",
    "kind": "string",
    "startTime": "string",
    "status": frozenset({"pending", "done"}),
}


def read(body: bytes, shape: Shape, root: str) -> JSON:
    """Return the object in `body`, without fields that are null. Raises APIError (400) for what the schema forbids."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise malformed(f"Invalid JSON payload received. {type(error).__name__}") from error
    if not isinstance(content, dict):
        raise malformed('Invalid JSON payload received. Unknown name "": Root element must be a message.')
    found: JSON = _read(content, shape, root)
    return found


def _read(value: Any, shape: Shape, path: str) -> Any:
    if isinstance(shape, dict):
        return _message(value, shape, path)
    if isinstance(shape, list):
        if not isinstance(value, list):
            raise _wrong(path, "repeated", value)
        return [_read(each, shape[0], f"{path}[{place}]") for place, each in enumerate(value)]
    if isinstance(shape, frozenset):
        if not isinstance(value, str) or value not in shape:
            raise _wrong(path, "TYPE_ENUM", value)
        return value
    return _scalar(value, shape, path)


def _message(value: Any, shape: dict[str, Shape], path: str) -> JSON:
    if not isinstance(value, dict):
        raise _wrong(path, "TYPE_MESSAGE", value)
    for key in value:
        if key not in shape:
            raise malformed(f"Invalid JSON payload received. Unknown name \"{key}\" at '{path}': Cannot find field.")
    return {key: _read(each, shape[key], f"{path}.{key}") for key, each in value.items() if each is not None}


def _scalar(value: Any, kind: str, path: str) -> Any:
    match kind:
        case "string" if isinstance(value, str):
            return value
        case "bool" if isinstance(value, bool):
            return value
        case "int32" if _is_number(value, str(value).removeprefix("-").isdecimal()):
            if abs(int(value)) <= LARGEST_INT32:
                return int(value)
        case "double" if _is_number(value, _is_float(value)):
            return float(value)
    raise _wrong(path, f"TYPE_{kind.upper()}", value)


def _is_number(value: Any, is_one: bool) -> bool:
    return is_one and not isinstance(value, bool) and isinstance(value, int | float | str)


def _is_float(value: Any) -> bool:
    try:
        return abs(float(value)) < float("inf")
    except (TypeError, ValueError, OverflowError):
        return False


def _wrong(path: str, kind: str, value: Any) -> APIError:
    return malformed(f"Invalid value at '{path}' ({kind}), {json.dumps(value)[:100]}")
