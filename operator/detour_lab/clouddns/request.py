"""A changes.create body, parsed: what is not JSON, not in the schema or no record data is refused here.

Source: discovery document `dns.v1.json` (Change, ResourceRecordSet); Cloud DNS documentation, "Error messages".
"""

import json
from dataclasses import dataclass
from typing import Any

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass

from detour_lab.clouddns.errors import JSON, Problem, invalid, malformed, refuse, required
from detour_lab.store import RecordSet

CHANGE_FIELDS = frozenset({"additions", "deletions", "id", "isServing", "kind", "startTime", "status"})
SET_FIELDS = frozenset({"kind", "name", "routingPolicy", "rrdatas", "signatureRrdatas", "ttl", "type"})
TYPES = frozenset({"A", "AAAA", "CAA", "CNAME", "DNSKEY", "DS", "HTTPS", "IPSECKEY", "MX", "NAPTR", "NS", "PTR"}) | {
    *("SOA", "SPF", "SRV", "SSHFP", "SVCB", "TLSA", "TXT")
}
LARGEST_TTL = 2**31 - 1


@dataclass(frozen=True, slots=True)
class RequestedChange:
    """The sets of a change in the store's form."""

    additions: tuple[RecordSet, ...]
    deletions: tuple[RecordSet, ...]


def parse_change(body: bytes) -> RequestedChange:
    """Return the change in `body`. Raises APIError (400) with a problem for each field that is wrong."""
    try:
        content = json.loads(body)
    except ValueError as error:
        raise malformed(f"Invalid JSON payload received. {error}") from error
    _known(content, CHANGE_FIELDS, "change")
    problems: list[Problem] = []
    sets = {
        side: tuple(
            parsed
            for place, each in enumerate(_list(content, side))
            if (parsed := _record_set(each, f"entity.change.{side}[{place}]", problems)) is not None
        )
        for side in ("additions", "deletions")
    }
    if not problems and not any(sets.values()):
        problems.append(required("entity.change"))
    refuse(problems)
    return RequestedChange(sets["additions"], sets["deletions"])


def name_from_api(text: str) -> str | None:
    """Return the canonical form of an absolute name, or None where `text` is none."""
    if not text.endswith(".") or text == "." or not text.isascii():
        return None
    try:
        dns.name.from_text(text)
    except (dns.exception.DNSException, ValueError):
        return None
    has_blank = any(character.isspace() or character in "{}$\"'" for character in text)
    return None if has_blank else text[:-1].lower()


def _record_set(content: Any, path: str, problems: list[Problem]) -> RecordSet | None:
    _known(content, SET_FIELDS, path.removeprefix("entity."))
    found = len(problems)
    missing = [each for each in ("name", "type", "ttl") if content.get(each) is None]
    problems.extend(required(f"{path}.{each}") for each in missing)
    if missing:
        return None
    name = name_from_api(str(content["name"]))
    if name is None:
        problems.append(invalid(f"{path}.name", content["name"]))
    rrtype = content["type"]
    if rrtype not in TYPES:
        problems.append(invalid(f"{path}.type", rrtype))
        return None
    ttl = _ttl(content["ttl"])
    if ttl is None:
        problems.append(invalid(f"{path}.ttl", content["ttl"]))
    policy, rrdatas = content.get("routingPolicy"), _list(content, "rrdatas")
    if (policy is None) == (not rrdatas):
        problems.append(invalid(f"{path}.rrdata", "") if rrdatas else required(f"{path}.rrdata"))
    values = []
    for place, rrdata in enumerate(rrdatas):
        value = _value(rrtype, rrdata)
        if value is None:
            problems.append(invalid(f"{path}.rrdata[{place}]", rrdata))
        else:
            values.append(value)
    if len(set(values)) < len(values):
        problems.append(invalid(f"{path}.rrdata", next(each for each in values if values.count(each) > 1)))
    if len(problems) > found or name is None or ttl is None:
        return None
    return RecordSet(name, rrtype, ttl, tuple(values), extra={} if policy is None else {"routingPolicy": policy})


def _value(rrtype: str, rrdata: object) -> str | None:
    """Return `rrdata` in zone-file form, or None where the type does not allow it; its names must be absolute."""
    try:
        rdata = dns.rdata.from_text(dns.rdataclass.IN, rrtype, str(rrdata), relativize=False)
        rdata.to_wire()  # refuses a relative name
    except (dns.exception.DNSException, ValueError):
        return None
    return rdata.to_text()


def _ttl(value: object) -> int | None:
    """Return a TTL given as a number or, as JSON clients of int32 fields may, as a string of digits."""
    if isinstance(value, bool) or not isinstance(value, int | str) or not str(value).isdecimal():
        return None
    return int(value) if int(value) <= LARGEST_TTL else None


def _list(content: JSON, key: str) -> list[Any]:
    found = content.get(key, [])
    if not isinstance(found, list):
        raise malformed(f"Invalid JSON payload received. '{key}' is not a list.")
    return found


def _known(content: Any, fields: frozenset[str], path: str) -> None:
    if not isinstance(content, dict):
        raise malformed(f"Invalid JSON payload received. '{path}' is not an object.")
    for key in content:
        if key not in fields:
            raise malformed(f"Invalid JSON payload received. Unknown name \"{key}\" at '{path}': Cannot find field.")
