"""The bodies of requests, parsed: what is not JSON, not in the schema or no record data is refused here.

Source: discovery document `dns.v1.json` (Change, ResourceRecordSet); Cloud DNS documentation, "Error messages".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass

from detour_lab.clouds.clouddns import schema
from detour_lab.clouds.clouddns.errors import JSON, Problem, invalid, refuse, required
from detour_lab.clouds.clouddns.routing import read_policy
from detour_lab.dns import servicebinding
from detour_lab.dns.wire import GENERIC
from detour_lab.zones.store import RecordSet

CHANGE_FIELDS = frozenset(schema.CHANGE)
SET_FIELDS = frozenset(schema.RECORD_SET)
ALIAS = "ALIAS"
"""Cloud DNS's own type ("DNS records overview", Alias records): a name whose addresses the apex answers with."""

TYPES = frozenset({"A", "AAAA", "CAA", "CNAME", "DNSKEY", "DS", "HTTPS", "IPSECKEY", "MX", "NAPTR", "NS", "PTR"}) | {
    *(ALIAS, "SOA", "SPF", "SRV", "SSHFP", "SVCB", "TLSA", "TXT")
}
SPELLING = "spelling"
SINGLE_PATH = "entity.resourceRecordSet"


@dataclass(frozen=True, slots=True)
class RequestedChange:
    """The sets of a change in the store's form; `is_single` where one set was asked for by itself."""

    additions: tuple[RecordSet, ...]
    deletions: tuple[RecordSet, ...]
    is_single: bool = False

    def paths(self, side: str) -> list[tuple[str, RecordSet]]:
        """Return each set of `side` ("additions" or "deletions") with the path that a refusal names it by."""
        sets = self.additions if side == "additions" else self.deletions
        return [
            (SINGLE_PATH if self.is_single else f"entity.change.{side}[{place}]", each)
            for place, each in enumerate(sets)
        ]


def parse_change(body: bytes) -> RequestedChange:
    """Return the change in `body`. Raises APIError (400) with a problem for each field that is wrong."""
    content = schema.read(body, schema.CHANGE, "change")
    problems: list[Problem] = []
    sets = {
        side: tuple(
            parsed
            for place, each in enumerate(content.get(side, ()))
            if (parsed := _record_set(each, f"entity.change.{side}[{place}]", problems)) is not None
        )
        for side in ("additions", "deletions")
    }
    if not problems and not any(sets.values()):
        problems.append(required("entity.change"))
    refuse(problems)
    return RequestedChange(sets["additions"], sets["deletions"])


def parse_record_set(body: bytes, present: RecordSet | None = None) -> RecordSet:
    """Return the one set in `body`, over `present` where that is to be patched. Raises APIError (400)."""
    content = schema.read(body, schema.RECORD_SET, "resource_record_set")
    if present is not None:
        content = {**_kept(present, content), **content}
    problems: list[Problem] = []
    parsed = _record_set(content, SINGLE_PATH, problems)
    if parsed is not None and present is not None and parsed.key != present.key:
        problems.append(invalid(f"{SINGLE_PATH}.name", f"{parsed.name}. ({parsed.type})"))
    refuse(problems)
    assert parsed is not None  # noqa: S101 - there would be a problem
    return parsed


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


def _kept(present: RecordSet, content: Mapping[str, Any]) -> JSON:
    """Return what a patch does not mention: it names plain data or a policy, and keeps neither where it gives one."""
    kept: JSON = {"name": f"{present.name}.", "type": present.type, "ttl": present.ttl}
    if "rrdatas" not in content and "routingPolicy" not in content:
        policy = present.extra.get("routingPolicy")
        kept |= {"rrdatas": shown_data(present)} if policy is None else {"routingPolicy": policy}
    return kept


def _record_set(content: JSON, path: str, problems: list[Problem]) -> RecordSet | None:
    found = len(problems)
    missing = [each for each in ("name", "type", "ttl") if each not in content]
    problems.extend(required(f"{path}.{each}") for each in missing)
    if missing:
        return None
    name = name_from_api(content["name"])
    if name is None:
        problems.append(invalid(f"{path}.name", content["name"]))
    rrtype = content["type"]
    if rrtype not in TYPES:
        problems.append(invalid(f"{path}.type", rrtype))
        return None
    if content["ttl"] < 0:
        problems.append(invalid(f"{path}.ttl", content["ttl"]))
    policy, rrdatas = content.get("routingPolicy"), content.get("rrdatas", ())
    if (policy is None) == (not rrdatas):
        problems.append(invalid(f"{path}.rrdata", "") if rrdatas else required(f"{path}.rrdata"))
    values = []
    for place, rrdata in enumerate(rrdatas):
        value = canonical_data(rrtype, rrdata)
        if value is None:
            problems.append(invalid(f"{path}.rrdata[{place}]", rrdata))
        else:
            values.append(value)
    if len(set(values)) < len(values):
        problems.append(invalid(f"{path}.rrdata", next(each for each in values if values.count(each) > 1)))
    # What is kept as octets is shown as it was sent.
    spelling = {value: rrdata for value, rrdata in zip(values, rrdatas, strict=False) if value.startswith(GENERIC)}
    extra: JSON = {SPELLING: spelling} if spelling else {}
    if policy is not None:
        extra["routingPolicy"], wrong = read_policy(policy, rrtype, f"{path}.routingPolicy", canonical_data)
        problems.extend(wrong)
    if len(problems) > found or name is None:
        return None
    return RecordSet(name, rrtype, content["ttl"], tuple(values), extra=extra)


def shown_data(each: RecordSet) -> list[str]:
    """Return the values of a set as the API shows them."""
    spelling: Mapping[str, str] = each.extra.get(SPELLING, {})
    return [spelling.get(value, value) for value in each.values]


def canonical_data(rrtype: str, rrdata: str) -> str | None:
    """Return `rrdata` in zone-file form, or None where the type does not allow it; its names must be absolute."""
    if rrtype == ALIAS:
        name = name_from_api(rrdata)
        return None if name is None else f"{name}."
    try:
        if rrtype in servicebinding.TYPES:
            return servicebinding.with_opaque_ech(rrtype, rrdata)
        rdata = dns.rdata.from_text(dns.rdataclass.IN, rrtype, rrdata, relativize=False)
        rdata.to_wire()  # refuses a relative name
    except (dns.exception.DNSException, ValueError):
        return None
    return rdata.to_text()
