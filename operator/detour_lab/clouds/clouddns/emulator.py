"""The server: one project's Cloud DNS, with its own limits, quotas, delays and, on demand, faults.

A request is read, its token checked and counted; then, under the faults in force, it is answered in one go without
awaiting anything, so that checking a change and committing it is one atomic step of the event loop.
"""

import base64
import binascii
import functools
import hashlib
import heapq
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from aiohttp import web

from detour_lab.clouds.apiserver import APIServer
from detour_lab.clouds.clouddns import change, errors, partial, resources
from detour_lab.clouds.clouddns.errors import JSON, APIError
from detour_lab.clouds.clouddns.request import TYPES, RequestedChange, name_from_api, parse_change, parse_record_set
from detour_lab.clouds.clouddns.resources import ManagedZone
from detour_lab.clouds.clouddns.tokens import TokenDesk
from detour_lab.clouds.throttle import TokenBucket
from detour_lab.faults import Faults
from detour_lab.zones.store import Commit, RecordSet, ZoneStore

BASE = "/dns/v1/projects/{project}"
ITEMS_PER_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Quotas:
    """The project's rate of requests. `status` is that of the refusal: 403, as documented for this API, or 429."""

    requests_per_minute: float = 600
    status: int = 403


DEFAULT_QUOTAS = Quotas()


@dataclass(frozen=True, slots=True)
class _Call:
    request: web.Request
    body: bytes
    caller: str

    @property
    def query(self) -> Mapping[str, str]:
        return self.request.query


_Handler = Callable[[_Call], JSON]


class CloudDNSEmulator(APIServer):
    """Serves `zones`, by managed zone name, of `project`; those named in `private_zones` are private.

    With `tokens` None nobody needs one; `tokens.trust(account)` lets a service account fetch its own at `token_uri`.
    `throttle` None meters nobody. `calls` counts each operation's calls, `throttled` those among them that the
    bucket refused. Operations in `denied` answer 403. Commits are made `by` "clouddns:" and the caller.
    """

    def __init__(
        self,
        zones: Mapping[str, ZoneStore],
        *,
        project: str,
        faults: Faults,
        host: str = "127.0.0.1",
        port: int = 0,
        tokens: Collection[str] | None = None,
        throttle: Quotas | None = DEFAULT_QUOTAS,
        private_zones: Collection[str] = (),
        sets_per_zone: int = change.SETS_PER_ZONE,
        items_per_page: int = ITEMS_PER_PAGE,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(host=host, port=port)
        self.calls: Counter[str] = Counter()
        self.throttled: Counter[str] = Counter()
        self.denied: set[str] = set()
        self.tokens = TokenDesk(tokens)
        self._project = project
        self._faults = faults
        self._sets_per_zone = sets_per_zone
        self._items_per_page = items_per_page
        self._wall_clock = wall_clock
        self._refusal_status = DEFAULT_QUOTAS.status if throttle is None else throttle.status
        self._requests: TokenBucket | None = None
        if throttle is not None:
            self._requests = TokenBucket(throttle.requests_per_minute / 60, throttle.requests_per_minute, clock)
        now = wall_clock()
        self._zones = {
            name: _managed_zone(name, store, is_private=name in private_zones, now=now) for name, store in zones.items()
        }
        zone, changes = "/managedZones/{zone}", "/managedZones/{zone}/changes"
        one_set = "/managedZones/{zone}/rrsets/{name}/{type}"
        self._route("GET", "", "projects.get", self._get_project)
        self._route("GET", "/managedZones", "managedZones.list", self._list_zones)
        self._route("GET", zone, "managedZones.get", lambda call: resources.managed_zone(self._zone(call)))
        self._route("GET", f"{zone}/rrsets", "resourceRecordSets.list", self._list_sets)
        self._route("POST", f"{zone}/rrsets", "resourceRecordSets.create", self._create_set)
        self._route("GET", one_set, "resourceRecordSets.get", lambda call: resources.record_set(self._named(call)))
        self._route("PATCH", one_set, "resourceRecordSets.patch", self._patch_set)
        self._route("DELETE", one_set, "resourceRecordSets.delete", self._delete_set)
        self._route("GET", changes, "changes.list", self._list_changes)
        self._route("POST", changes, "changes.create", self._create_change)
        self._route("GET", f"{changes}/{{change}}", "changes.get", self._get_change)
        self.app.router.add_post("/token", self.tokens.exchange)

    @property
    def token_uri(self) -> str:
        """Where service accounts exchange a signed assertion for a token."""
        return f"{self.url}/token"

    def _route(self, method: str, path: str, operation: str, handler: _Handler) -> None:
        async def serve(request: web.Request) -> web.StreamResponse:
            return await self._serve(request, operation, handler)

        self.app.router.add_route(method, BASE + path, serve)

    async def _serve(self, request: web.Request, operation: str, handler: _Handler) -> web.StreamResponse:
        body = await request.read()
        self.calls[operation] += 1
        try:
            call = _Call(request, body, self.tokens.caller(request))
            self._meter(operation)
            if operation in self.denied:
                raise errors.forbidden(operation)
            if request.match_info["project"] != self._project:
                raise APIError(errors.not_found("parameters.project", request.match_info["project"]))
        except APIError as error:
            return _failure(error)

        async def answer() -> web.StreamResponse:
            try:
                partial.select({}, request.query.get("fields"))  # is judged before anything is done
                content = partial.select(handler(call), request.query.get("fields"))
            except APIError as error:
                return _failure(error)
            return web.json_response(content)

        zone = self._find(request.match_info.get("zone", ""))
        domain = request.query.get("dnsName", "").rstrip(".").lower() if zone is None else zone.store.domain
        return await self._faults.around(
            request,
            operation,
            domain,
            handle=answer,
            throttled=lambda: _failure(errors.rate_limited(self._refusal_status, self._project)),
            server_error=lambda: _failure(errors.unavailable()),
        )

    def _meter(self, operation: str) -> None:
        if self._requests is not None and self._requests.take() > 0:
            self.throttled[operation] += 1
            raise errors.rate_limited(self._refusal_status, self._project)

    def _list_zones(self, call: _Call) -> JSON:
        name = call.query.get("dnsName")
        if name is not None and name_from_api(name) is None:
            raise APIError(errors.invalid("parameters.dnsName", name))
        chosen = {
            each.name: resources.managed_zone(each)
            for each in self._zones.values()
            if name is None or each.store.domain == name_from_api(name)
        }
        return self._page(call, "dns#managedZonesListResponse", "managedZones", chosen)

    def _list_sets(self, call: _Call) -> JSON:
        name, rrtype = call.query.get("name"), call.query.get("type")
        if rrtype is not None and name is None:
            raise APIError(errors.required("parameters.name"))
        if name is not None and name_from_api(name) is None:
            raise APIError(errors.invalid("parameters.name", name))
        if rrtype is not None and rrtype not in TYPES:
            raise APIError(errors.invalid("parameters.type", rrtype))
        wanted = None if name is None else name_from_api(name)
        chosen = {
            f"{each.name} {each.type}": each
            for each in self._zone(call).store.all()
            if wanted in (None, each.name) and rrtype in (None, each.type)
        }
        page = self._page(call, "dns#resourceRecordSetsListResponse", "rrsets", chosen)
        return page | {"rrsets": [resources.record_set(each) for each in page["rrsets"]]}

    def _create_change(self, call: _Call) -> JSON:
        made = self._apply(call, parse_change(call.body))
        return resources.change(self._zone(call), made, is_new=True)

    def _create_set(self, call: _Call) -> JSON:
        self._zone(call)
        added = parse_record_set(call.body)
        self._apply(call, RequestedChange((added,), (), is_single=True))
        return resources.record_set(added)

    def _patch_set(self, call: _Call) -> JSON:
        present = self._named(call)
        patched = parse_record_set(call.body, present)
        self._apply(call, RequestedChange((patched,), (present,), is_single=True))
        return resources.record_set(patched)

    def _delete_set(self, call: _Call) -> JSON:
        self._apply(call, RequestedChange((), (self._named(call),), is_single=True))
        return {}

    def _named(self, call: _Call) -> RecordSet:
        """Return the set that the path names. Raises APIError for none, or for no name or type."""
        store, text, rrtype = self._zone(call).store, call.request.match_info["name"], call.request.match_info["type"]
        name = name_from_api(text)
        if name is None:
            raise APIError(errors.invalid("parameters.name", text))
        if rrtype not in TYPES:
            raise APIError(errors.invalid("parameters.type", rrtype))
        found = store.get(name, rrtype)
        if found is None:
            raise APIError(errors.not_found("parameters.name", f"{name}. ({rrtype})"))
        return found

    def _apply(self, call: _Call, asked: RequestedChange) -> Commit:
        """Apply a change."""
        zone = self._zone(call)
        change.review(zone.store, asked, self._sets_per_zone, is_private=zone.is_private)
        removed = [each.key for each in asked.deletions]
        zone.store.commit(removed=removed, added=asked.additions, by=f"clouddns:{call.caller}")
        return zone.store.log[-1]

    def _get_project(self, _: _Call) -> JSON:
        quota = {
            "resourceRecordsPerRrset": change.VALUES_PER_SET,
            "rrsetAdditionsPerChange": change.SETS_PER_SIDE,
            "rrsetDeletionsPerChange": change.SETS_PER_SIDE,
            "rrsetsPerManagedZone": self._sets_per_zone,
            "totalRrdataSizePerChange": change.CHARACTERS_PER_CHANGE,
        }
        return resources.project(self._project, quota=quota)

    def _get_change(self, call: _Call) -> JSON:
        asked, zone = call.request.match_info["change"], self._zone(call)
        for commit in zone.store.log:
            if asked == str(commit.number - 1):
                return resources.change(zone, commit)
        raise APIError(errors.not_found("parameters.changeId", asked))

    def _list_changes(self, call: _Call) -> JSON:
        """A zone is the sum of its changes, whoever made them and by whichever method (Change, description)."""
        zone = self._zone(call)
        is_descending = call.query.get("sortOrder") == "descending"
        ordered = reversed(zone.store.log) if is_descending else zone.store.log
        chosen = {f"{place:012d}": each for place, each in enumerate(ordered)}
        shown = functools.partial(resources.change, zone)
        return self._page(call, "dns#changesListResponse", "changes", chosen, shown)

    def _page(
        self,
        call: _Call,
        kind: str,
        key: str,
        chosen: Mapping[str, Any],
        shown: Callable[[Any], object] = lambda it: it,
    ) -> JSON:
        """Return the page of `chosen`, by its keys in order, that `maxResults` and `pageToken` ask for, as `shown`."""
        text = call.query.get("maxResults", str(self._items_per_page))
        if not text.isdecimal() or int(text) < 1:
            raise APIError(errors.invalid("parameters.maxResults", text))
        limit = min(int(text), self._items_per_page)
        start = _position(call.query.get("pageToken"))
        following = heapq.nsmallest(limit + 1, (pair for pair in chosen.items() if pair[0] >= start), key=itemgetter(0))
        token = base64.urlsafe_b64encode(following[limit][0].encode()).decode() if len(following) > limit else None
        return resources.page(kind, key, [shown(item) for _, item in following[:limit]], token)

    def _find(self, name_or_id: str) -> ManagedZone | None:
        by_id = (each for each in self._zones.values() if each.id == name_or_id)
        return self._zones.get(name_or_id) or next(by_id, None)

    def _zone(self, call: _Call) -> ManagedZone:
        asked = call.request.match_info["zone"]
        zone = self._find(asked)
        if zone is None:
            raise APIError(errors.not_found("parameters.managedZone", asked))
        return zone


def _managed_zone(name: str, store: ZoneStore, *, is_private: bool, now: float) -> ManagedZone:
    number = int(hashlib.sha256(f"{name}/{store.domain}".encode()).hexdigest()[:15], 16)
    apex = store.get(store.domain, "NS")
    servers = () if apex is None or is_private else apex.values
    return ManagedZone(name, str(number), store, is_private, servers, now, now - store.now())


def _position(token: str | None) -> str:
    try:
        return base64.b64decode((token or "").encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise APIError(errors.invalid("parameters.pageToken", token)) from None


def _failure(error: APIError) -> web.Response:
    return web.json_response(error.to_json(), status=error.status)
