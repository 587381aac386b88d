"""What a write must not break: its preconditions, and the rules of a zone and of its apex."""

from collections.abc import Collection, Mapping

import dns.rdata

from detour_lab.clouds.azuredns import errors
from detour_lab.clouds.azuredns.errors import Refusal
from detour_lab.clouds.azuredns.zone import SETS_PER_ZONE, AzureZone
from detour_lab.zones.store import RecordSet

CONFLICT = "Conflict"


def check_preconditions(headers: Mapping[str, str], current: RecordSet | None) -> None:
    """Judge If-Match and If-None-Match as Azure reads them: the latter only with `*`, other values are ignored."""
    etag = current.etag if current else "n/a"
    match = headers.get("If-Match")
    if match is not None and (current is None or match not in ("*", etag)):
        raise errors.precondition_failed("If-Match", match, etag)
    if headers.get("If-None-Match") == "*" and current is not None:
        raise errors.precondition_failed("If-None-Match", "*", etag)


def check_creation(zone: AzureZone, name: str, rrtype: str) -> None:
    """Raise Refusal where no set of `rrtype` can come to be at `name`.

    Texts of the conflicts: azure-docs#85496 (beside a CNAME) and the service's answer to a CNAME beside other sets, as
    quoted in rcl-letsencrypt-auto-ssl/Lets-Encrypt-Auto#26.
    """
    if rrtype == "SOA":
        raise errors.bad_request("A record set of type SOA cannot be created; it comes with the zone.")
    if rrtype == "CNAME" and name == zone.domain:
        raise errors.bad_request("A CNAME record set cannot be created at the zone apex.")
    if rrtype == "NS" and name.startswith("*."):
        # "Overview of DNS zones and records", Wildcard records: all types except NS and SOA.
        raise errors.bad_request("A wildcard record set cannot be of type NS.")
    others = zone.types_at(name)
    if others and rrtype == "CNAME":
        what = "The CNAME record could not be created because another record with the same name already exists"
        raise Refusal(409, CONFLICT, f"{what} in this zone.")
    if "CNAME" in others:
        what = "The record could not be created because a CNAME record with the same name already exists"
        raise Refusal(409, CONFLICT, f"{what} in this zone.")
    if zone.count() >= SETS_PER_ZONE:
        raise Refusal(409, CONFLICT, f"The zone holds {SETS_PER_ZONE} record sets, which is the most that it may.")


def check_apex(zone: AzureZone, current: RecordSet | None, rrtype: str, values: Collection[str]) -> None:
    """Raise Refusal where the sets that came with the zone would lose what they must keep.

    "Overview of DNS zones and records", NS records: names may be added to the assigned servers, none of those removed.
    SOA records: everything can be modified except for the host. The texts are ours.
    """
    if current is None or current.name != zone.domain:
        return
    if rrtype == "NS" and not zone.name_servers <= set(values):
        raise errors.bad_request("The name servers that Azure DNS has assigned to the zone cannot be removed.")
    if rrtype == "SOA" and {_host(each) for each in values} != {_host(each) for each in current.values}:
        raise errors.bad_request("The host of the SOA record cannot be changed.")


def _host(soa: str) -> str:
    return dns.rdata.from_text("IN", "SOA", soa).mname.to_text().lower()  # type: ignore[attr-defined, no-any-return]  # a SOA has it
