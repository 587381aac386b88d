"""What a PUT or PATCH says of a record set, and what the service would not take of it."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from detour_lab.clouds.azuredns import errors, schema
from detour_lab.clouds.azuredns.records import SPELLING, InvalidRecordError, decode
from detour_lab.clouds.azuredns.versions import Version
from detour_lab.clouds.azuredns.zone import ALIAS_TARGET, RECORDS_PER_SET

LARGEST_TTL = 2**31 - 1
ALIASED_TYPES = ("A", "AAAA", "CNAME")
"""Azure DNS, "Alias records overview"."""

_RESOURCE = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/"
    r"(Microsoft\.Network/(publicIPAddresses|trafficManagerProfiles|frontDoors|dnszones/[^/]+/(A|AAAA|CNAME))"
    r"|Microsoft\.Cdn/profiles/[^/]+/(endpoints|afdEndpoints))/[^/]+",
    re.IGNORECASE,
)
"""What an alias can refer to: "Alias records overview", Capabilities; Front Door: Azure DNS FAQ, Alias records."""


@dataclass(frozen=True, slots=True)
class Body:
    """The content of a request; None for what it does not mention.

    `target` is the resource that an alias refers to, empty where the request says that the set is none.
    """

    ttl: int | None
    values: tuple[str, ...] | None
    spelling: Mapping[str, str]
    metadata: Mapping[str, str] | None
    target: str | None

    def as_extra(self, kept: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the store keeps besides values and TTL; `kept` is what it has had of a set that is patched."""
        target = kept.get(ALIAS_TARGET) if self.target is None else {"id": self.target}
        metadata = kept.get("metadata") if self.metadata is None else dict(self.metadata)
        spelling = kept.get(SPELLING) if self.values is None else dict(self.spelling)
        is_alias = target is not None and target["id"] and not self.values
        found = {ALIAS_TARGET: target if is_alias else None, "metadata": metadata, SPELLING: spelling}
        return {key: value for key, value in found.items() if value}


def read_body(body: bytes, rrtype: str, version: Version) -> Body:
    """Return what `body` says of a set of `rrtype`. Raises Refusal (400) for what the service would not take."""
    properties = _properties(body, version)
    try:
        decoded = decode(rrtype, properties)
    except InvalidRecordError as error:
        raise errors.bad_request(str(error)) from error
    if decoded and len(decoded) > RECORDS_PER_SET:
        raise errors.bad_request(f"A record set holds at most {RECORDS_PER_SET} records, not {len(decoded)}.")
    return Body(
        _ttl(properties),
        None if decoded is None else tuple(decoded),
        {value: text for value, text in (decoded or {}).items() if text},
        properties.get("metadata"),
        _target(properties, rrtype, has_records=bool(decoded)),
    )


def require_ttl(body: Body) -> int:
    if body.ttl is None:
        raise errors.bad_request("The record set has no 'TTL'.")
    return body.ttl


def _properties(body: bytes, version: Version) -> Mapping[str, Any]:
    try:
        content = json.loads(body)
        properties = schema.read_properties(content["properties"])
    except schema.ShapeError as error:
        raise errors.bad_request(f"The request content was invalid: {error}") from error
    except (ValueError, KeyError, TypeError, RecursionError):
        what = "The request content was invalid: it needs a JSON object with 'properties'."
        raise errors.bad_request(what) from None
    if not version.aliases:
        properties.pop(ALIAS_TARGET, None)
    return properties


def _ttl(properties: Mapping[str, Any]) -> int | None:
    ttl = properties.get("TTL")
    if ttl is not None and not 1 <= ttl <= LARGEST_TTL:
        # "Overview of DNS zones and records", Time-to-live.
        raise errors.bad_request(f"The TTL '{ttl}' is invalid: it is a number from 1 to {LARGEST_TTL}.")
    return None if ttl is None else int(ttl)


def _target(properties: Mapping[str, Any], rrtype: str, *, has_records: bool) -> str | None:
    if ALIAS_TARGET not in properties:
        return None
    target = str(properties[ALIAS_TARGET].get("id", ""))
    if not target:
        return ""
    if has_records:
        # Inferred: a set is an alias or has records of its own ("Alias records overview"), and clients know it by that.
        raise errors.bad_request(f"A record set has either '{ALIAS_TARGET}' or records, not both.")
    if rrtype not in ALIASED_TYPES:
        raise errors.bad_request(f"A record set of type '{rrtype}' cannot be an alias.")
    if not _RESOURCE.fullmatch(target):
        # The service's words: terraform-provider-azurerm#8191.
        raise errors.bad_request(f"Reference records are not supported for resource '{target}'")
    return target
