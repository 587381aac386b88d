"""A public managed zone at Google Cloud DNS.

A Change is applied whole or not at all. Its deletions must match what is stored, TTL and values, and its additions
must not exist but for what it deletes: so deleting the old and adding the new is compare-and-swap, and doing both with
the same data a condition on a set that stays.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from detour.enactment.contract import (
    Batch,
    ChangedNames,
    CredentialsRefusedError,
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
from detour.model.zone import GoogleCloudDNSSettings
from detour.providers.clouddns.errors import translated
from detour.providers.clouddns.limits import PAGE
from detour.providers.clouddns.session import Connection, make_credentials
from detour.providers.contents import gathered, kept_beside, only_at, whole_zone
from detour.providers.endpoints import foreign_origin
from detour.providers.presentation import as_stored, presented, stored
from detour.providers.threads import Threads
from detour.providers.translation import OddAnswerError, Pages, required

CHANGES_PAGE = 100
MOST_CHANGES = 1_000
"""Changes that are gone through, at most: beyond that, reading the zone takes fewer calls."""

NAMES_BY_QUERY = 10
"""At least so many names are asked for one by one, before reading the whole zone is taken to cost less."""

PLAIN_KEYS = frozenset({"kind", "name", "type", "ttl", "rrdatas", "signatureRrdatas"})

Item = dict[str, Any]


class CloudDNSProvider:
    """One managed zone. Every call runs in a thread of this provider's own."""

    def __init__(
        self,
        *,
        domain: str,
        settings: GoogleCloudDNSSettings,
        connection: Connection,
        threads: Threads,
        limits: ProviderLimits,
        pace: Pace,
        quotes: bool = True,
    ) -> None:
        """Call nothing yet; `domain` is canonical. Without `quotes` no words of the endpoint's are told."""
        self._translated = translated.of(quotes=quotes)
        self._domain = domain
        self._settings = settings
        self._connection = connection
        self._threads = threads
        self._limits = limits
        self._pace = pace
        self._zone_name: str | None = None
        self._pages = 1
        self._own: dict[str, None] = {}  # the IDs of our newest changes
        self._finding = asyncio.Lock()

    @property
    def limits(self) -> ProviderLimits:
        return self._limits

    async def describe(self) -> ZoneFacts:
        """Find the managed zone. Raises ZoneMissingError where there is none, several, or one that cannot serve."""
        self._zone_name = None
        with self._translated(self._doing("managedZones.get")):
            zone = await self._get("managedZones.get", f"/managedZones/{await self._zone()}", kind="dns#managedZone")
            required("managed zone", zone, ("name", "dnsName", "id"))
            if zone.get("visibility", "public") != "public":
                raise ZoneMissingError(
                    f"Cloud DNS: managed zone {zone['name']} is private, resolvers on the internet cannot ask it"
                )
            if canonical(zone["dnsName"]) != self._domain:
                raise ZoneMissingError(
                    f"Cloud DNS: managed zone {zone['name']} is of {canonical(zone['dnsName'])}, not {self._domain}: "
                    "correct managedZone"
                )
            required("public managed zone", zone, ("nameServers",))
            servers = tuple(canonical(each) for each in zone["nameServers"])
            # The number is Google's own and is another one for a zone that was made again; the rest is for people.
            identity = f"{self._settings.project}/{zone['name']}/{zone['id']}"
            return ZoneFacts(identity, servers, await self._negative_ttl(), foreign_origin(self._settings))

    async def _negative_ttl(self) -> int | None:
        async for each in self._sets({"name": f"{self._domain}.", "type": "SOA"}):
            if each.get("rrdatas"):
                return min(int(each["rrdatas"][0].split()[-1]), int(each["ttl"]))  # RFC 2308 §5
        return None

    async def read_zone(self) -> ZoneContents:
        """Read page by page, after a look at what the newest change is."""
        mark = await self._newest_mark()
        with self._translated(self._doing("resourceRecordSets.list")):
            items = [each async for each in self._sets({"maxResults": str(PAGE)})]
            contents = whole_zone(_in_words(items), self._domain)
        self._pages = max(1, -(-len(items) // PAGE))
        return replace(contents, mark=mark)

    async def _newest_mark(self) -> str | None:
        """Return the ID of the newest change, None where we may not list them."""
        try:
            with self._translated(self._doing("changes.list")):
                return next(iter((await self._newest_changes(1))[0]), None)
        except CredentialsRefusedError:
            return None  # without that permission the zone is read again and again instead

    async def changed_since(self, mark: str) -> ChangedNames | None:
        """Go back through the zone's changes to the one called `mark`; None where we may not list them.

        A zone is the sum of its Changes (Cloud DNS, reference of the resource Change), a set's own methods included.
        """
        try:
            return await self._changed_since(mark)
        except CredentialsRefusedError:
            return None

    async def _changed_since(self, mark: str) -> ChangedNames:
        with self._translated(self._doing("changes.list")):
            changes, token = await self._newest_changes(1)
            newest, names = next(iter(changes), mark), set[str]()
            if newest != mark:
                changes, token = await self._newest_changes(CHANGES_PAGE)
            seen = 0
            while True:
                for number, change in changes.items():
                    if number == mark:
                        return ChangedNames(newest, frozenset(names))
                    if number not in self._own:
                        names.update(_names_in(change))
                seen += len(changes)
                if token is None or seen >= MOST_CHANGES:
                    return ChangedNames(newest, None)
                changes, token = await self._newest_changes(CHANGES_PAGE, token)

    async def _newest_changes(self, number: int, token: str = "") -> tuple[dict[str, Item], str | None]:
        """Return changes by their IDs, the newest first, and where to go on; a zone has one, its creation, at least."""
        query = {"maxResults": str(number), "sortBy": "changeSequence", "sortOrder": "descending"}
        query |= {"pageToken": token} if token else {}
        path = f"/managedZones/{await self._zone()}/changes"
        page = await self._get("changes.list", path, query, kind="dns#changesListResponse")
        found = [required("change", each, ("id",)) for each in page.get("changes", ())]
        return {str(each["id"]): each for each in found}, page.get("nextPageToken") or None

    async def read_names(self, names: Collection[str]) -> ZoneContents:
        """Read each name by itself, or the whole zone where that takes fewer calls."""
        wanted = set(names)
        if len(wanted) > max(NAMES_BY_QUERY, self._pages):
            return only_at(wanted, await self.read_zone())
        with self._translated(self._doing("resourceRecordSets.list")):
            items = [each for name in sorted(wanted) async for each in self._sets({"name": f"{name}."})]
            return only_at(wanted, gathered(_in_words(items)))

    async def _sets(self, query: Mapping[str, str]) -> AsyncIterator[Item]:
        path = f"/managedZones/{await self._zone()}/rrsets"
        async for each in self._list(
            "resourceRecordSets.list", path, query, "dns#resourceRecordSetsListResponse", "rrsets"
        ):
            yield each

    async def _list(
        self, operation: str, path: str, query: Mapping[str, str], kind: str, key: str
    ) -> AsyncIterator[Item]:
        """Yield what a list holds, page by page."""
        token: str | None = ""
        pages = Pages()
        while token is not None:
            page = await self._get(operation, path, {**query, **({"pageToken": token} if token else {})}, kind=kind)
            for each in page.get(key, ()):
                yield required("list of objects", each, ())
            token = page.get("nextPageToken") or None
            if token is not None:
                pages.next(token)

    async def apply(self, batch: Batch) -> ZoneContents:
        """Send the batch as one Change. Only an answer that is a Change with an ID counts as one."""
        doing = self._doing("changes.create")
        with self._translated(doing):
            zone = await self._zone()
            body = _requested(batch)
        with self._translated(doing, write=True):
            path = f"/managedZones/{zone}/changes"
            answer = await self._call("changes.create", "POST", path, body=body, kind="dns#change")
            required("confirmation of a change", answer, ("id",))
            self._own[str(answer["id"])] = None
            while len(self._own) > MOST_CHANGES:
                del self._own[next(iter(self._own))]
            changed = (batch.ledger, *batch.changes)
            return ZoneContents({change.new.key: StoredSet(change.new) for change in changed if change.new})

    async def close(self) -> None:
        """Release the threads, and with them their sessions."""
        self._threads.close()

    async def _zone(self) -> str:
        if self._zone_name is None:
            async with self._finding:
                if self._zone_name is None:
                    self._zone_name = self._settings.managed_zone or await self._find()
        return self._zone_name

    async def _find(self) -> str:
        query = {"dnsName": f"{self._domain}."}
        listed = self._list("managedZones.list", "/managedZones", query, "dns#managedZonesListResponse", "managedZones")
        zones = [each async for each in listed if canonical(each["dnsName"]) == self._domain]
        public = [str(each["name"]) for each in zones if each.get("visibility", "public") == "public"]
        if len(public) == 1:
            return public[0]
        where = f"Cloud DNS: project {self._settings.project} has"
        if public:
            raise ZoneMissingError(
                f"{where} several managed zones of {self._domain} ({', '.join(public)}): set managedZone to one of them"
            )
        found = (
            "only a private managed zone, which resolvers on the internet cannot ask," if zones else "no managed zone"
        )
        raise ZoneMissingError(f"{where} {found} of {self._domain}; check domain and project")

    async def _get(self, operation: str, path: str, query: Mapping[str, str] | None = None, *, kind: str) -> Item:
        return await self._call(operation, "GET", path, query=query, kind=kind)

    async def _call(
        self,
        operation: str,
        method: str,
        path: str,
        *,
        kind: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Item:
        """Send one request. The answer says itself what `kind` of thing it is (discovery document, every resource)."""
        await self._pace(1)
        try:
            with self._translated(self._doing(operation), write=method != "GET"):
                answer = await self._threads.run(self._connection.request, method, path, query=query, body=body)
                if answer.get("kind") != kind:
                    raise OddAnswerError(f"the answer is no {kind}")
                return answer
        except ZoneMissingError:
            self._zone_name = None  # it may have been made again, under another name: look for it anew
            raise

    def _doing(self, operation: str) -> str:
        return f"Cloud DNS {operation} ({self._domain})"


def _requested(batch: Batch) -> Item:
    """Return the body of a Change."""
    changes = (batch.ledger, *batch.changes)
    kept = [_item(each.rrset, as_stored(each)) for each in kept_beside(changes)]
    return {
        "deletions": [_item(change.old.rrset, as_stored(change.old)) for change in changes if change.old] + kept,
        "additions": [_item(change.new, presented(change.new)) for change in changes if change.new] + kept,
    }


def _item(rrset: RRset, values: Sequence[str]) -> Item:
    return {"name": f"{rrset.name}.", "type": rrset.type.value, "ttl": rrset.ttl, "rrdatas": list(values)}


def _names_in(change: Item) -> Iterator[str]:
    for each in (*change.get("additions", ()), *change.get("deletions", ())):
        if each.get("type") != "SOA":  # every change moves its serial
            yield canonical(required("set of a change", each, ("name",))["name"])


def _in_words(items: Sequence[Item]) -> Iterator[StoredSet | OpaqueSet]:
    for item in items:
        name, rrtype = canonical(item["name"]), str(item["type"])
        if item.keys() <= PLAIN_KEYS and item.get("rrdatas"):
            yield stored(name, rrtype, int(item.get("ttl", 0)), item["rrdatas"])
        else:
            yield OpaqueSet(name, rrtype, "routing policy" if "routingPolicy" in item else "not a plain set of values")


async def open_zone(
    *,
    domain: str,
    settings: GoogleCloudDNSSettings,
    secret: Secret | None,
    limits: ProviderLimits,
    pace: Pace,
    quotes: bool = True,
) -> CloudDNSProvider:
    """Return the provider of `domain`; `quotes` as in the constructor.

    Raises CredentialsRefusedError where the Secret holds no usable key and there is no identity without one.
    """
    threads = Threads(f"clouddns {domain}")
    try:
        with translated.of(quotes=quotes)(f"Cloud DNS ({domain})"):
            credentials = await threads.run(make_credentials, settings, secret)
            connection = Connection(settings, credentials)
    except BaseException:
        threads.close()
        raise
    return CloudDNSProvider(
        domain=domain,
        settings=settings,
        connection=connection,
        threads=threads,
        limits=limits,
        pace=pace,
        quotes=quotes,
    )
