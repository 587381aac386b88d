"""The server: one account's Route 53, with its own limits, quotas, delays and, on demand, faults.

A request is read, its signature verified and its token taken; then, under the faults in force, it is answered in one
go without awaiting anything, so that checking a batch and committing it is one atomic step of the event loop.
"""

import hashlib
import itertools
import math
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from aiohttp import web

from detour_lab.clouds.apiserver import APIServer
from detour_lab.clouds.route53 import batch, errors, listing, names, reply, sts
from detour_lab.clouds.route53.batch import Account
from detour_lab.clouds.route53.document import Content, document
from detour_lab.clouds.route53.errors import APIError, InvalidChangeBatchError
from detour_lab.clouds.route53.reply import HostedZone, SubmittedChange
from detour_lab.clouds.route53.request import parse_change_batch
from detour_lab.clouds.route53.signature import KeyRing
from detour_lab.clouds.throttle import TokenBucket
from detour_lab.faults import Faults
from detour_lab.zones.store import ZoneStore

VERSION = "/2013-04-01"


@dataclass(frozen=True, slots=True)
class Quotas:
    """The account's token buckets, refilled per second.

    Source: Route 53 developer guide, "Throttling for Amazon Route 53 API requests" (in force since 30 July 2026).
    """

    requests_per_second: float = 10
    requests_burst: float = 50
    changes_per_second: float = 100
    changes_burst: float = 1500


DEFAULT_QUOTAS = Quotas()


@dataclass(frozen=True, slots=True)
class _Call:
    request: web.Request
    body: bytes
    caller: str

    @property
    def query(self) -> Mapping[str, str]:
        return self.request.query


_Answer = tuple[str, Content]
_Handler = Callable[[_Call], _Answer]


class Route53Emulator(APIServer):
    """Serves `zones` and `private_zones`. Without `access_keys` (ID to secret) nobody has to sign.

    `roles` are the ARNs that AssumeRole grants. `throttle` None meters nobody. `calls` counts each operation's
    calls, `throttled` those among them that a bucket refused. `processing` is how long (seconds) a change keeps its
    zone busy, during which another one is refused with PriorRequestNotComplete. Operations in `denied` answer
    AccessDenied. `lists_refusals` gives a refused batch the body that the API reference shows, instead of the one that
    clients quote. `account` has the limit, the health checks and the foreign zones that sets may refer to. Commits are
    made `by` "route53:" and the caller's access key ID or role.
    """

    def __init__(
        self,
        zones: Sequence[ZoneStore],
        *,
        faults: Faults,
        host: str = "127.0.0.1",
        port: int = 0,
        access_keys: Mapping[str, str] | None = None,
        roles: Collection[str] = (),
        throttle: Quotas | None = DEFAULT_QUOTAS,
        private_zones: Sequence[ZoneStore] = (),
        account: Account | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(host=host, port=port)
        self.calls: Counter[str] = Counter()
        self.throttled: Counter[str] = Counter()
        self.denied: set[str] = set()
        self.processing = 0.0
        self.lists_refusals = False
        self.keys = KeyRing(access_keys, wall_clock)
        self._faults = faults
        self._roles = roles
        self._account = account or Account()
        self._clock = clock
        self._wall_clock = wall_clock
        self._numbers = itertools.count(1)
        self._requests: TokenBucket | None = None
        self._changes: TokenBucket | None = None
        if throttle is not None:
            self._requests = TokenBucket(throttle.requests_per_second, throttle.requests_burst, clock)
            self._changes = TokenBucket(throttle.changes_per_second, throttle.changes_burst, clock)
        stores = [(store, False) for store in zones] + [(store, True) for store in private_zones]
        self._zones = {zone.id: zone for zone in itertools.starmap(_hosted_zone, enumerate(stores))}
        self._submitted: dict[str, SubmittedChange] = {}
        self._busy_until: dict[str, float] = {}
        self._route("GET", "/hostedzone", "ListHostedZones", self._list_zones)
        self._route("GET", "/hostedzonesbyname", "ListHostedZonesByName", self._list_zones_by_name)
        self._route("GET", "/hostedzone/{id}", "GetHostedZone", self._get_zone)
        self._route("GET", "/hostedzone/{id}/rrset", "ListResourceRecordSets", self._list_sets)
        self._route("POST", "/hostedzone/{id}/rrset/", "ChangeResourceRecordSets", self._change_sets)
        self._route("POST", "/hostedzone/{id}/rrset", "ChangeResourceRecordSets", self._change_sets)
        self._route("GET", "/change/{change}", "GetChange", self._get_change)
        self._route("GET", "/healthcheck", "ListHealthChecks", self._list_health_checks)
        self._route("GET", "/healthcheck/{check}", "GetHealthCheck", self._get_health_check)
        self.app.router.add_post("/", self._assume_role)

    def zone_id(self, store: ZoneStore) -> str:
        """Return the hosted zone ID of `store`. Raises KeyError for a store of somebody else."""
        for zone in self._zones.values():
            if zone.store is store:
                return zone.id
        raise KeyError(store.domain)

    def _route(self, method: str, path: str, operation: str, handler: _Handler) -> None:
        async def serve(request: web.Request) -> web.StreamResponse:
            return await self._serve(request, operation, handler)

        self.app.router.add_route(method, VERSION + path, serve)

    async def _serve(self, request: web.Request, operation: str, handler: _Handler) -> web.StreamResponse:
        body = await request.read()
        self.calls[operation] += 1
        try:
            call = _Call(request, body, self.keys.caller(request, body))
            self._spend(self._requests, 1, operation)
            if operation in self.denied:
                raise errors.access_denied(call.caller, f"route53:{operation}", request.path)
        except APIError as error:
            return self._failure(error)

        async def answer() -> web.StreamResponse:
            try:
                root, content = handler(call)
            except APIError as error:
                return self._failure(error)
            return _xml(document(root, content))

        return await self._faults.around(
            request,
            operation,
            self._domain(request),
            handle=answer,
            throttled=lambda: self._failure(errors.throttling()),
            server_error=lambda: self._failure(errors.internal_failure()),
        )

    def _domain(self, request: web.Request) -> str:
        zone = self._zones.get(request.match_info.get("id", ""))
        change = self._submitted.get(request.match_info.get("change", ""))
        zone = change.zone if change is not None else zone
        return zone.store.domain if zone is not None else request.query.get("dnsname", "").rstrip(".").lower()

    def _spend(self, bucket: TokenBucket | None, tokens: int, operation: str) -> None:
        if bucket is not None and bucket.take(tokens) > 0:
            self.throttled[operation] += 1
            raise errors.throttling()

    def _list_zones(self, call: _Call) -> _Answer:
        return "ListHostedZonesResponse", listing.zones(list(self._zones.values()), call.query)

    def _list_zones_by_name(self, call: _Call) -> _Answer:
        return "ListHostedZonesByNameResponse", listing.zones_by_name(list(self._zones.values()), call.query)

    def _get_zone(self, call: _Call) -> _Answer:
        zone = self._zone(call)
        return "GetHostedZoneResponse", {"HostedZone": reply.hosted_zone(zone), **reply.delegation(zone)}

    def _list_sets(self, call: _Call) -> _Answer:
        return "ListResourceRecordSetsResponse", listing.record_sets(self._zone(call).store, call.query)

    def _change_sets(self, call: _Call) -> _Answer:
        zone = self._zone(call)
        asked = parse_change_batch(call.body)
        self._spend(self._changes, batch.cost(asked.changes), "ChangeResourceRecordSets")
        if self._clock() < self._busy_until.get(zone.id, -math.inf):
            raise errors.prior_request_not_complete()
        accepted = batch.review(zone.store, zone.id, asked.changes, self._account)
        zone.store.commit(removed=accepted.removed, added=accepted.added, by=f"route53:{call.caller}")
        self._busy_until[zone.id] = self._clock() + self.processing
        change_id = f"C{next(self._numbers):020d}"
        change = SubmittedChange(change_id, zone, zone.store.serial, self._wall_clock(), asked.comment)
        self._submitted[change_id] = change
        return "ChangeResourceRecordSetsResponse", reply.change_info(change, is_new=True)

    def _list_health_checks(self, call: _Call) -> _Answer:
        return "ListHealthChecksResponse", listing.health_checks(self._account.health_checks, call.query)

    def _get_health_check(self, call: _Call) -> _Answer:
        check_id = call.request.match_info["check"]
        if check_id not in self._account.health_checks:
            raise errors.no_such_health_check(check_id)
        return "GetHealthCheckResponse", {"HealthCheck": reply.health_check(check_id)}

    def _get_change(self, call: _Call) -> _Answer:
        change_id = call.request.match_info["change"]
        if change_id not in self._submitted:
            raise errors.no_such_change(change_id)
        return "GetChangeResponse", reply.change_info(self._submitted[change_id])

    async def _assume_role(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.calls["AssumeRole"] += 1
        request_id = self._request_id()
        try:
            caller = self.keys.caller(request, body)
            return _xml(sts.assume_role(body, self.keys, caller, self._roles, request_id))
        except APIError as error:
            return _xml(errors.to_xml(error, request_id, sts.NAMESPACE), error.status)

    def _zone(self, call: _Call) -> HostedZone:
        zone_id = call.request.match_info["id"]
        if zone_id not in self._zones:
            raise errors.no_such_hosted_zone(zone_id)
        return self._zones[zone_id]

    def _failure(self, error: APIError) -> web.Response:
        if self.lists_refusals and isinstance(error, InvalidChangeBatchError):
            return _xml(errors.to_listed_xml(error, self._request_id()), error.status)
        return _xml(errors.to_xml(error, self._request_id()), error.status)

    def _request_id(self) -> str:
        return f"00000000-0000-0000-0000-{next(self._numbers):012d}"


def _hosted_zone(place: int, zone: tuple[ZoneStore, bool]) -> HostedZone:
    store, is_private = zone
    digest = hashlib.sha256(f"{place}/{store.domain}".encode()).hexdigest()
    apex = store.get(store.domain, "NS")
    servers = () if apex is None or is_private else tuple(names.from_api(each) for each in apex.values)
    return HostedZone(f"Z{digest[:13].upper()}", store, is_private, servers)


def _xml(body: bytes, status: int = 200) -> web.Response:
    return web.Response(body=body, status=status, content_type="text/xml", charset="utf-8")
