"""Pages: which sets or zones an answer holds, and where the next one starts.

Source: Route 53 API reference, ListResourceRecordSets ("Sort order"), ListHostedZones, ListHostedZonesByName.
"""

import heapq
from collections.abc import Collection, Mapping, Sequence
from operator import itemgetter

from detour_lab.clouds.route53 import names, reply
from detour_lab.clouds.route53.document import Content
from detour_lab.clouds.route53.errors import invalid_input
from detour_lab.clouds.route53.members import all_members, identifier
from detour_lab.clouds.route53.reply import HostedZone
from detour_lab.clouds.route53.request import TYPES
from detour_lab.zones.store import RecordSet, ZoneStore

SETS_PER_PAGE = 300
ZONES_PER_PAGE = 100
HEALTH_CHECKS_PER_PAGE = 100


def record_sets(store: ZoneStore, query: Mapping[str, str]) -> Mapping[str, Content]:
    """Return a page of the sets of `store` by reversed name, type and set identifier."""
    limit = _limit(query, SETS_PER_PAGE)
    start = _start(query)
    positioned = ((_position(each), each) for each in all_members(store.all()))
    following = heapq.nsmallest(limit + 1, (pair for pair in positioned if pair[0] >= start), key=itemgetter(0))
    page, rest = [each for _, each in following[:limit]], [each for _, each in following[limit:]]
    content: dict[str, Content] = {
        "ResourceRecordSets": reply.record_sets(page),
        "IsTruncated": bool(rest),
        "MaxItems": limit,
    }
    if rest:
        content |= {"NextRecordName": names.to_api(rest[0].name), "NextRecordType": rest[0].type}
        if (following_identifier := identifier(rest[0])) is not None:
            content["NextRecordIdentifier"] = following_identifier
    return content


def health_checks(known: Collection[str], query: Mapping[str, str]) -> Mapping[str, Content]:
    """Return a page of the account's health checks by ID (ListHealthChecks)."""
    limit, marker = _limit(query, HEALTH_CHECKS_PER_PAGE), query.get("marker", "")
    chosen = sorted(each for each in known if each >= marker)
    page, rest = chosen[:limit], chosen[limit:]
    listed = [("HealthCheck", reply.health_check(each)) for each in page]
    following = {"NextMarker": rest[0]} if rest else {}
    return {"HealthChecks": listed, "Marker": marker, "IsTruncated": bool(rest), **following, "MaxItems": limit}


def zones(all_zones: Sequence[HostedZone], query: Mapping[str, str]) -> Mapping[str, Content]:
    """Return a page of zones by ID."""
    limit, marker = _limit(query, ZONES_PER_PAGE), query.get("marker", "")
    private_only = query.get("hostedzonetype") == "PrivateHostedZone"
    chosen = [each for each in all_zones if each.id >= marker and (each.is_private or not private_only)]
    chosen.sort(key=lambda each: each.id)
    page, rest = chosen[:limit], chosen[limit:]
    following = {"NextMarker": rest[0].id} if rest else {}
    return _zones(page) | {"Marker": marker, "IsTruncated": bool(rest), **following, "MaxItems": limit}


def zones_by_name(all_zones: Sequence[HostedZone], query: Mapping[str, str]) -> Mapping[str, Content]:
    """Return a page of zones by reversed name, from the name (and ID) asked for on: later names follow."""
    limit, name, zone_id = _limit(query, ZONES_PER_PAGE), query.get("dnsname"), query.get("hostedzoneid")
    if zone_id is not None and name is None:
        raise invalid_input("The request must contain DNSName when it contains HostedZoneId")
    start = ("" if name is None else names.list_order(_name(name)), zone_id or "")
    chosen = sorted((each for each in all_zones if _zone_position(each) >= start), key=_zone_position)
    page, rest = chosen[:limit], chosen[limit:]
    content: dict[str, Content] = dict(_zones(page))
    content |= {} if name is None else {"DNSName": names.to_api(_name(name))}
    content |= {} if zone_id is None else {"HostedZoneId": zone_id}
    content["IsTruncated"] = bool(rest)
    if rest:
        content |= {"NextDNSName": names.to_api(rest[0].store.domain), "NextHostedZoneId": rest[0].id}
    return content | {"MaxItems": limit}


def _zones(page: Sequence[HostedZone]) -> dict[str, Content]:
    return {"HostedZones": [("HostedZone", reply.hosted_zone(each)) for each in page]}


def _position(each: RecordSet) -> tuple[str, str, str]:
    return names.list_order(each.name), each.type, identifier(each) or ""


def _zone_position(each: HostedZone) -> tuple[str, str]:
    return names.list_order(each.store.domain), each.id


def _start(query: Mapping[str, str]) -> tuple[str, str, str]:
    name, rrtype, identifier = query.get("name"), query.get("type"), query.get("identifier")
    if (rrtype is not None and name is None) or (identifier is not None and rrtype is None):
        raise invalid_input("StartRecordType needs StartRecordName, and StartRecordIdentifier needs both")
    if rrtype is not None and rrtype not in TYPES:
        raise invalid_input(f"'{rrtype}' is not a record type")
    return "" if name is None else names.list_order(_name(name)), rrtype or "", identifier or ""


def _name(text: str) -> str:
    try:
        return names.from_api(text)
    except ValueError as error:
        raise invalid_input(str(error)) from error


def _limit(query: Mapping[str, str], largest: int) -> int:
    text = query.get("maxitems", str(largest))
    if not text.isdecimal() or int(text) < 1:
        raise invalid_input(f"MaxItems '{text}' is not a number above 0")
    return min(int(text), largest)
