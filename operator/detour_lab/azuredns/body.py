"""What a PUT or PATCH says of a record set, and what the service would not take of it."""

import json
from collections.abc import Mapping
from typing import Any

from detour_lab.azuredns import errors
from detour_lab.azuredns.records import InvalidRecordError, decode
from detour_lab.azuredns.zone import RECORDS_PER_SET

LARGEST_TTL = 2**31 - 1


def read_properties(body: bytes) -> Mapping[str, Any]:
    try:
        properties = json.loads(body)["properties"]
    except (ValueError, KeyError, TypeError):
        properties = None
    if not isinstance(properties, dict):
        raise errors.bad_request("The request content was invalid: it needs a JSON object with 'properties'.")
    return properties


def read_ttl(properties: Mapping[str, Any]) -> int:
    ttl = properties.get("TTL")
    if not isinstance(ttl, int) or not 1 <= ttl <= LARGEST_TTL:
        raise errors.bad_request(f"The TTL '{ttl}' is invalid: it is a number from 1 to {LARGEST_TTL}.")
    return ttl


def read_values(rrtype: str, properties: Mapping[str, Any]) -> tuple[str, ...] | None:
    try:
        values = decode(rrtype, properties)
    except InvalidRecordError as error:
        raise errors.bad_request(str(error)) from error
    if values and len(values) > RECORDS_PER_SET:
        raise errors.bad_request(f"A record set holds at most {RECORDS_PER_SET} records, not {len(values)}.")
    return values


def read_extra(properties: Mapping[str, Any]) -> dict[str, Any]:
    extra = {key: properties[key] for key in ("metadata", "targetResource") if properties.get(key)}
    if "targetResource" in extra and not extra["targetResource"].get("id"):
        del extra["targetResource"]
    return extra
