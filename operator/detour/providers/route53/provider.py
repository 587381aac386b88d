"""A public hosted zone at Amazon Route 53.

A ChangeBatch is applied whole or not at all, and a DELETE that does not give exactly the stored TTL and values fails
it. So DELETE old + CREATE new is compare-and-swap, for the ledger and for every set that it fences; with the same data
on both sides it is a condition on a set that stays. UPSERT, which asks nothing, is never used.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from detour.enactment.contract import (
    Batch,
    OpaqueSet,
    Pace,
    ProviderLimits,
    Secret,
    StoredSet,
    ZoneContents,
    ZoneFacts,
    ZoneMissingError,
)
from detour.model.names import canonical
from detour.model.rrset import RRset
from detour.model.zone import Route53Settings
from detour.providers.contents import gathered, kept_beside, only_at, whole_zone
from detour.providers.endpoints import foreign_origin
from detour.providers.presentation import as_stored, presented, stored
from detour.providers.route53.errors import translated
from detour.providers.route53.limits import PAGE
from detour.providers.route53.session import make_client
from detour.providers.threads import Threads
from detour.providers.translation import Pages, required

if TYPE_CHECKING:
    from mypy_boto3_route53 import Route53Client

PLAIN_KEYS = frozenset({"Name", "Type", "TTL", "ResourceRecords"})
WHY_OPAQUE = {
    "AliasTarget": "alias",
    "Weight": "weighted routing",
    "Region": "latency routing",
    "Failover": "failover routing",
    "GeoLocation": "geolocation routing",
    "GeoProximityLocation": "geoproximity routing",
    "CidrRoutingConfig": "IP-based routing",
    "MultiValueAnswer": "multivalue routing",
    "TrafficPolicyInstanceId": "traffic policy",
    "HealthCheckId": "Route 53 health check",
}
SETS_PER_NAME = 20
"""A name rarely has more sets; where it has, the next page follows."""

Items = list[dict[str, Any]]


class Route53Provider:
    """One hosted zone. Every call runs in a thread of this provider's own."""

    def __init__(
        self,
        *,
        domain: str,
        settings: Route53Settings,
        client: "Route53Client",
        threads: Threads,
        limits: ProviderLimits,
        pace: Pace,
        quotes: bool = True,
    ) -> None:
        """Call nothing yet; `domain` is canonical. Without `quotes` no words of the endpoint's are told."""
        self._translated = translated.of(quotes=quotes)
        self._domain = domain
        self._settings = settings
        self._client = client
        self._threads = threads
        self._limits = limits
        self._pace = pace
        self._zone_id: str | None = None
        self._pages = 1
        self._finding = asyncio.Lock()

    @property
    def limits(self) -> ProviderLimits:
        return self._limits

    async def describe(self) -> ZoneFacts:
        """Find the hosted zone. Raises ZoneMissingError where there is none, several, or a private one."""
        self._zone_id = None
        with self._translated(self._doing("GetHostedZone")):
            zone_id = await self._zone()
            zone = await self._call("GetHostedZone", self._client.get_hosted_zone, Id=zone_id)
            found = required("description of a hosted zone", zone.get("HostedZone"), ("Id", "Name"))
            self._check(zone_id, found)
            delegation = required("description of a public zone", zone.get("DelegationSet"), ("NameServers",))
            self._pages = max(1, -(-int(found.get("ResourceRecordSetCount", 0)) // PAGE))
            servers = tuple(canonical(each) for each in delegation["NameServers"])
            identity = _bare(found["Id"])
            return ZoneFacts(identity, servers, await self._negative_ttl(zone_id), foreign_origin(self._settings))

    async def _negative_ttl(self, zone_id: str) -> int | None:
        start = {"StartRecordName": self._domain, "StartRecordType": "SOA"}
        for each in (await self._list(zone_id, start, 1))["ResourceRecordSets"]:
            if each["Type"] == "SOA" and each.get("ResourceRecords"):
                minimum = int(each["ResourceRecords"][0]["Value"].split()[-1])
                return min(minimum, int(each["TTL"]))  # RFC 2308 §5
        return None

    async def read_zone(self) -> ZoneContents:
        """Read page by page; Route 53 includes changes that its name servers do not serve yet."""
        with self._translated(self._doing("ListResourceRecordSets")):
            items = [each async for page in self._pages_from({}, PAGE) for each in page]
            contents = whole_zone(_in_words(items), self._domain)
        self._pages = max(1, -(-len(items) // PAGE))
        return contents

    async def read_names(self, names: Collection[str]) -> ZoneContents:
        """Read each name by itself, or the whole zone where that takes fewer calls."""
        wanted = set(names)
        if len(wanted) > self._pages:
            return only_at(wanted, await self.read_zone())
        items: Items = []
        with self._translated(self._doing("ListResourceRecordSets")):
            for name in sorted(wanted):
                async for page in self._pages_from({"StartRecordName": name}, SETS_PER_NAME):
                    here = [each for each in page if canonical(each["Name"]) == name]
                    items += here
                    if len(here) < len(page):
                        break
            return gathered(_in_words(items))

    async def _pages_from(self, start: dict[str, str], size: int) -> AsyncIterator[Items]:
        zone_id = await self._zone()
        following: dict[str, Any] | None = start
        pages = Pages()
        while following is not None:
            page = await self._list(zone_id, following, size)
            yield page["ResourceRecordSets"]
            following = None
            if page["IsTruncated"]:
                following = {
                    f"StartRecord{part}": page[f"NextRecord{part}"]
                    for part in ("Name", "Type", "Identifier")
                    if page.get(f"NextRecord{part}")
                }
                pages.next(tuple(following.values()))

    async def _list(self, zone_id: str, start: dict[str, Any], size: int) -> Any:
        page = await self._call(
            "ListResourceRecordSets",
            self._client.list_resource_record_sets,
            HostedZoneId=zone_id,
            MaxItems=str(size),
            **start,
        )
        return required("list of record sets", page, ("ResourceRecordSets", "IsTruncated"))

    async def changed_since(self, mark: str) -> None:
        """Route 53 keeps no account of changes that its DNS API tells of: only reading the zone tells."""

    async def apply(self, batch: Batch) -> ZoneContents:
        """Send the batch as one ChangeBatch. Only an answer that names the change that it made counts as one."""
        doing = self._doing("ChangeResourceRecordSets")
        with self._translated(doing):
            zone_id = await self._zone()
            request = _requested(batch)
        with self._translated(doing, write=True):
            answer = await self._call(
                "ChangeResourceRecordSets",
                self._client.change_resource_record_sets,
                write=True,
                HostedZoneId=zone_id,
                ChangeBatch={"Changes": request},
            )
            required("confirmation of a change", answer.get("ChangeInfo"), ("Id",))
            changed = (batch.ledger, *batch.changes)
            return ZoneContents({change.new.key: StoredSet(change.new) for change in changed if change.new})

    async def close(self) -> None:
        """Release connections and threads."""
        self._threads.close()
        with contextlib.suppress(Exception):  # it is left behind, however it takes that
            self._client.close()

    async def _zone(self) -> str:
        if self._zone_id is None:
            async with self._finding:
                if self._zone_id is None:
                    self._zone_id = self._settings.zone_id or await self._find()
        return self._zone_id

    async def _find(self) -> str:
        zones = [each async for each in self._zones_of_domain()]
        public = [each for each in zones if not each.get("Config", {}).get("PrivateZone")]
        if not public:
            found = (
                "only a private hosted zone, which resolvers on the internet cannot ask," if zones else "no hosted zone"
            )
            raise ZoneMissingError(f"Route 53: the account has {found} for {self._domain}; check domain and account")
        if len(public) > 1:
            ids = ", ".join(_bare(each["Id"]) for each in public)
            raise ZoneMissingError(
                f"Route 53: several hosted zones of {self._domain} ({ids}): set zoneID to one of them"
            )
        return _bare(public[0]["Id"])

    async def _zones_of_domain(self) -> AsyncIterator[dict[str, Any]]:
        """Yield the zones of exactly this domain: they come first, at most 100 a page, and other names after them."""
        following: dict[str, Any] | None = {"DNSName": self._domain}
        pages = Pages()
        while following is not None:
            answer = await self._call("ListHostedZonesByName", self._client.list_hosted_zones_by_name, **following)
            page = required("list of hosted zones", answer, ("HostedZones", "IsTruncated"))
            for each in page["HostedZones"]:
                if canonical(each["Name"]) != self._domain:
                    return
                yield each
            following = None
            if page["IsTruncated"]:
                pages.next(page.get("NextHostedZoneId"))
                following = {"DNSName": page["NextDNSName"], "HostedZoneId": page["NextHostedZoneId"]}

    def _check(self, zone_id: str, zone: Any) -> None:
        if zone.get("Config", {}).get("PrivateZone"):
            raise ZoneMissingError(
                f"Route 53: hosted zone {zone_id} is private, resolvers on the internet cannot ask it"
            )
        if canonical(zone["Name"]) != self._domain:
            raise ZoneMissingError(
                f"Route 53: hosted zone {zone_id} is of {canonical(zone['Name'])}, not {self._domain}: correct zoneID"
            )

    async def _call(self, operation: str, method: Any, *, write: bool = False, **arguments: Any) -> Any:
        """Call the SDK once; its types end here."""
        await self._pace(1)
        try:
            with self._translated(self._doing(operation), write=write):
                answer = await self._threads.run(method, **arguments)
                return required("answer of Route 53's", answer, ())
        except ZoneMissingError:
            self._zone_id = None  # it may have been made again, with another ID: look for it anew
            raise

    def _doing(self, operation: str) -> str:
        return f"Route 53 {operation} ({self._domain})"


def _bare(zone_id: str) -> str:
    """Return a hosted zone's ID without the path that the API puts before it.

    It names the zone in all accounts: its ARN, arn:aws:route53:::hostedzone/ID, has no account (Service Authorization
    Reference, Route 53, resource types).
    """
    return str(zone_id).rpartition("/")[2]


def _requested(batch: Batch) -> list[dict[str, Any]]:
    """Return the Changes of a ChangeBatch."""
    changes = (batch.ledger, *batch.changes)
    kept = [(each.rrset, as_stored(each, 8)) for each in kept_beside(changes)]
    # All deletions first: within a ChangeBatch a name may then pass from one type to another.
    request = [_change("DELETE", change.old.rrset, as_stored(change.old, 8)) for change in changes if change.old]
    request += [_change("DELETE", *each) for each in kept]
    request += [_change("CREATE", change.new, presented(change.new, 8)) for change in changes if change.new]
    request += [_change("CREATE", *each) for each in kept]
    return request


def _change(action: str, rrset: RRset, values: Sequence[str]) -> dict[str, Any]:
    return {
        "Action": action,
        "ResourceRecordSet": {
            "Name": f"{rrset.name}.",
            "Type": rrset.type.value,
            "TTL": rrset.ttl,
            "ResourceRecords": [{"Value": value} for value in values],
        },
    }


def _in_words(items: Items) -> Iterator[StoredSet | OpaqueSet]:
    for item in items:
        name, rrtype = canonical(item["Name"]), str(item["Type"])
        if item.keys() <= PLAIN_KEYS:
            values = [each["Value"] for each in item.get("ResourceRecords", ())]
            yield stored(name, rrtype, int(item.get("TTL", 0)), values, 8)
        else:
            why = next((words for key, words in WHY_OPAQUE.items() if key in item), "a routing policy")
            yield OpaqueSet(name, rrtype, why)


async def open_zone(
    *,
    domain: str,
    settings: Route53Settings,
    secret: Secret | None,
    limits: ProviderLimits,
    pace: Pace,
    quotes: bool = True,
) -> Route53Provider:
    """Return the provider of `domain`; `quotes` as in the constructor.

    Raises CredentialsRefusedError where the Secret lacks a key or there is no identity to assume a role with.
    """
    threads = Threads(f"route53 {domain}")
    try:
        with translated.of(quotes=quotes)(f"Route 53 ({domain})"):
            client = await threads.run(make_client, settings, secret)
    except BaseException:
        threads.close()
        raise
    return Route53Provider(
        domain=domain, settings=settings, client=client, threads=threads, limits=limits, pace=pace, quotes=quotes
    )
