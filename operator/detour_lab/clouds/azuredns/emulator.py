"""The emulator: a call comes in, meets the faults in force, is metered, checked against its preconditions and applied.

Each record set is a resource of its own: there is no call that changes two of them together. What a caller can hold on
to is the ETag of one set, which every write renews (Azure DNS, "DNS zones and records overview", Etags).
"""

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from aiohttp import web

from detour_lab.clouds.apiserver import APIServer
from detour_lab.clouds.azuredns import errors
from detour_lab.clouds.azuredns.body import read_body, require_ttl
from detour_lab.clouds.azuredns.errors import Refusal
from detour_lab.clouds.azuredns.paging import page
from detour_lab.clouds.azuredns.quota import PUBLISHED, Meters, Quota
from detour_lab.clouds.azuredns.routing import Call, route
from detour_lab.clouds.azuredns.rules import check_apex, check_creation, check_preconditions
from detour_lab.clouds.azuredns.versions import Version
from detour_lab.clouds.azuredns.zone import ALIAS_TARGET, AUTHOR, AzureZone, full_name, relative_name
from detour_lab.faults import Faults
from detour_lab.zones.store import RecordSet, ZoneStore


@dataclass(frozen=True, slots=True)
class _Asked:
    """One request, routed and read."""

    call: Call
    version: Version
    request: web.Request
    body: bytes


class AzureDNSEmulator(APIServer):
    """Azure DNS for `zones`, all in one resource group.

    `tokens` are the bearer tokens that are let in. `private` names the domains whose zone is a private one,
    `name_servers` what a zone says was assigned to it (default: the hosts of its NS set). `quota` None means that
    nobody is throttled; `clock` gives seconds. `calls` counts the calls by operation, the refused ones included.
    Commits are made `by` "azuredns:" and the last word of the caller's user agent.
    """

    def __init__(
        self,
        zones: Iterable[ZoneStore],
        *,
        subscription: str,
        resource_group: str,
        tokens: Collection[str],
        faults: Faults | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        quota: Quota | None = PUBLISHED,
        private: Collection[str] = (),
        name_servers: Mapping[str, Sequence[str]] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(host=host, port=port)
        self.faults = faults if faults is not None else Faults()
        self.calls: Counter[str] = Counter()
        self._subscription = subscription
        self._resource_group = resource_group
        self._tokens = frozenset(tokens)
        self._meters = Meters(quota, clock)
        group = f"/subscriptions/{subscription}/resourceGroups/{resource_group}"
        self._zones = {
            store.domain: AzureZone(
                store,
                resource_group_id=group,
                name_servers=tuple((name_servers or {}).get(store.domain) or _apex_hosts(store)),
                private=store.domain in private,
            )
            for store in zones
        }
        self._operations: Mapping[str, Callable[[_Asked], web.Response]] = {
            "Zones_List": self._list_zones,
            "Zones_ListByResourceGroup": self._list_zones,
            "Zones_Get": self._get_zone,
            "RecordSets_ListByDnsZone": self._list_sets,
            "RecordSets_ListAllByDnsZone": self._list_sets,
            "RecordSets_ListByType": self._list_sets,
            "RecordSets_Get": self._get_set,
            "RecordSets_CreateOrUpdate": self._put_set,
            "RecordSets_Update": self._patch_set,
            "RecordSets_Delete": self._delete_set,
        }
        self.app.router.add_route("*", "/{path:.*}", self._answer)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        try:
            self._authenticate(request)
            call, version = route(request)
        except Refusal as refusal:
            return refusal.response()
        self.calls[call.operation] += 1

        async def handle() -> web.StreamResponse:
            try:
                self._find_group(call)
                return self._operations[call.operation](_Asked(call, version, request, body))
            except Refusal as refusal:
                return refusal.response()

        return await self.faults.around(
            request,
            call.operation,
            call.domain,
            handle=handle,
            throttled=errors.throttled(1, call.operation).response,
            server_error=errors.server_error().response,
        )

    def _authenticate(self, request: web.Request) -> None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            what = "Authentication failed. The 'Authorization' header is missing or has no bearer token."
            raise errors.unauthenticated("AuthenticationFailed", what)
        if token not in self._tokens:
            raise errors.unauthenticated("InvalidAuthenticationToken", "The access token is invalid.")

    def _find_group(self, call: Call) -> None:
        if call.subscription.lower() != self._subscription.lower():
            what = f"The subscription '{call.subscription}' could not be found."
            raise Refusal(404, "SubscriptionNotFound", what, wrapped=True)
        if call.resource_group and call.resource_group.lower() != self._resource_group.lower():
            what = f"Resource group '{call.resource_group}' could not be found."
            raise Refusal(404, "ResourceGroupNotFound", what, wrapped=True)

    def _zone(self, call: Call) -> AzureZone:
        if zone := self._zones.get(call.domain):
            return zone
        if call.rrtype:
            raise errors.parent_not_found(call.rrtype, call.domain, call.resource_group)
        raise errors.zone_not_found(call.domain, call.resource_group)

    def _charge(self, asked: _Asked, kind: str) -> dict[str, str]:
        caller = asked.request.headers["Authorization"]
        return self._meters.charge(kind=kind, domain=asked.call.domain, caller=caller, operation=asked.call.operation)

    def _list_zones(self, asked: _Asked) -> web.Response:
        headers = self._charge(asked, "list")
        return page(asked.request, sorted(self._zones.items()), lambda zone: zone.document(), headers)

    def _get_zone(self, asked: _Asked) -> web.Response:
        zone = self._zone(asked.call)
        return web.json_response(zone.document(), headers=self._charge(asked, "zone_get"))

    def _list_sets(self, asked: _Asked) -> web.Response:
        zone, wanted, types = self._zone(asked.call), asked.call.rrtype, asked.version.types
        headers = self._charge(asked, "list")
        suffix = asked.request.query.get("$recordsetnamesuffix", "").lower()
        items = [
            (f"{each.name} {each.type}", each)
            for each in zone.all()
            if wanted in ("", each.type)
            and each.type in types
            and (not suffix or relative_name(each.name, zone.domain).endswith(f".{suffix}"))
        ]
        return page(asked.request, items, lambda each: zone.set_document(each, asked.version), headers)

    def _get_set(self, asked: _Asked) -> web.Response:
        zone, call = self._zone(asked.call), asked.call
        headers = self._charge(asked, "get")
        current = zone.get(full_name(call.relative, zone.domain), call.rrtype)
        if current is None:
            raise self._record_not_found(call)
        return web.json_response(zone.set_document(current, asked.version), headers=headers)

    def _put_set(self, asked: _Asked) -> web.Response:
        zone, call = self._zone(asked.call), asked.call
        name = full_name(call.relative, zone.domain)
        current = zone.get(name, call.rrtype)
        headers = self._charge(asked, "update" if current else "create")
        body = read_body(asked.body, call.rrtype, asked.version)
        check_preconditions(asked.request.headers, current)
        if current is None:
            check_creation(zone, name, call.rrtype)
        wanted = RecordSet(name, call.rrtype, require_ttl(body), body.values or (), extra=body.as_extra({}))
        stored = self._store(asked, zone, current, wanted)
        document = zone.set_document(stored, asked.version)
        return web.json_response(document, status=200 if current else 201, headers=headers)

    def _patch_set(self, asked: _Asked) -> web.Response:
        zone, call = self._zone(asked.call), asked.call
        name = full_name(call.relative, zone.domain)
        current = zone.get(name, call.rrtype)
        headers = self._charge(asked, "update")
        if current is None:
            raise self._record_not_found(call)
        body = read_body(asked.body, call.rrtype, asked.version)
        check_preconditions(asked.request.headers, current)
        changed = RecordSet(
            name,
            call.rrtype,
            current.ttl if body.ttl is None else body.ttl,
            current.values if body.values is None else body.values,
            extra=body.as_extra(current.extra),
        )
        stored = self._store(asked, zone, current, changed)
        return web.json_response(zone.set_document(stored, asked.version), headers=headers)

    def _store(self, asked: _Asked, zone: AzureZone, current: RecordSet | None, wanted: RecordSet) -> RecordSet:
        """Put `wanted` in the place of `current`. Raises Refusal where the apex would lose what it must keep."""
        target = wanted.extra.get(ALIAS_TARGET)
        if target:
            same = current is not None and current.extra.get(ALIAS_TARGET) == target
            wanted = replace(wanted, values=current.values if same and current is not None else ())
        check_apex(zone, current, wanted.type, wanted.values)
        return zone.put(wanted, by=_author(asked.request))

    def _delete_set(self, asked: _Asked) -> web.Response:
        zone, call = self._zone(asked.call), asked.call
        name = full_name(call.relative, zone.domain)
        current = zone.get(name, call.rrtype)
        headers = self._charge(asked, "delete")
        if current is None:
            return web.Response(status=204, headers=headers)
        if name == zone.domain and call.rrtype in ("SOA", "NS"):
            raise errors.bad_request(f"The {call.rrtype} record set at the zone apex cannot be deleted.")
        check_preconditions(asked.request.headers, current)
        zone.remove(current.key, by=_author(asked.request))
        return web.Response(status=200, headers=headers)

    def _record_not_found(self, call: Call) -> Refusal:
        return errors.record_not_found(call.relative, self._resource_group, self._subscription)


def _apex_hosts(store: ZoneStore) -> tuple[str, ...]:
    apex = store.get(store.domain, "NS")
    return apex.values if apex else ()


def _author(request: web.Request) -> str:
    """Who writes: all share one token, so it's the last word of the user agent (`AZURE_HTTP_USER_AGENT` in the SDK)."""
    return f"{AUTHOR}:{request.headers.get('User-Agent', '').rpartition(' ')[2]}"
