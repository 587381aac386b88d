"""Which operation a request asks for: Resource Manager's paths, whose fixed parts take any case."""

from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web

from detour_lab.clouds.azuredns.errors import Refusal, bad_request, unknown_version
from detour_lab.clouds.azuredns.names import InvalidNameError, check_relative
from detour_lab.clouds.azuredns.records import WIRE
from detour_lab.clouds.azuredns.versions import VERSIONS, Version, knowing

PROVIDER = ("providers", "microsoft.network", "dnszones")
RECORD_SET_OPERATIONS = {
    "GET": "RecordSets_Get",
    "PUT": "RecordSets_CreateOrUpdate",
    "PATCH": "RecordSets_Update",
    "DELETE": "RecordSets_Delete",
}


@dataclass(frozen=True, slots=True)
class Call:
    """An operation by its name in the API's specification, and what its path names; empty where it names nothing."""

    operation: str
    subscription: str
    resource_group: str = ""
    domain: str = ""
    rrtype: str = ""
    relative: str = ""


def route(request: web.Request) -> tuple[Call, Version]:
    """Return the call that `request` makes, and in which version of the API.

    Raises Refusal for a path or method that is not served, for an api-version that does not know what is asked for, and
    for a record set's name that is none.
    """
    parts = [part for part in request.path.split("/") if part]
    call = _match(request.method, parts)
    if call is None:
        what = f"No resource of the emulator answers {request.method} {request.path}."
        raise Refusal(404, "InvalidResourceType", what, wrapped=True)
    asked = request.query.get("api-version")
    if asked is None:
        what = "The api-version query parameter (?api-version=) is required for all requests."
        raise Refusal(400, "MissingApiVersionParameter", what, wrapped=True)
    version = VERSIONS.get(asked)
    if version is None or (call.rrtype and call.rrtype not in version.types):
        resource = f"dnszones/{call.rrtype}" if call.rrtype else "dnszones"
        raise unknown_version(asked, resource, knowing(call.rrtype or "A"))
    try:
        check_relative(call.relative or "@", call.domain)
    except InvalidNameError as error:
        raise bad_request(str(error)) from error
    return call, version


def _match(method: str, parts: Sequence[str]) -> Call | None:
    if len(parts) < 2 or parts[0].lower() != "subscriptions":
        return None
    subscription, rest = parts[1], parts[2:]
    if _is_provider(rest[:3]) and len(rest) == 3 and method == "GET":
        return Call("Zones_List", subscription)
    if len(rest) < 5 or rest[0].lower() != "resourcegroups" or not _is_provider(rest[2:5]):
        return None
    return _below_group(method, subscription, rest[1], rest[5:])


def _below_group(method: str, subscription: str, group: str, rest: Sequence[str]) -> Call | None:
    domain = rest[0].lower() if rest else ""
    of_zone = {"recordsets": "RecordSets_ListByDnsZone", "all": "RecordSets_ListAllByDnsZone"}
    call: Call | None = None
    match method, len(rest):
        case "GET", 0:
            call = Call("Zones_ListByResourceGroup", subscription, group)
        case "GET", 1:
            call = Call("Zones_Get", subscription, group, domain)
        case "GET", 2 if rest[1].lower() in of_zone:
            call = Call(of_zone[rest[1].lower()], subscription, group, domain)
        case "GET", 2:
            call = Call("RecordSets_ListByType", subscription, group, domain, _record_type(rest[1]))
        case _, 3 if method in RECORD_SET_OPERATIONS:
            call = Call(RECORD_SET_OPERATIONS[method], subscription, group, domain, _record_type(rest[1]), rest[2])
    return call


def _is_provider(parts: Sequence[str]) -> bool:
    return tuple(part.lower() for part in parts) == PROVIDER


def _record_type(text: str) -> str:
    if text.upper() not in WIRE:
        raise bad_request(f"The record type '{text}' is not supported.")
    return text.upper()
