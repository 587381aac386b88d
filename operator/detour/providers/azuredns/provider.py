"""A public zone at Azure DNS.

No call changes two record sets, so a batch is a row of conditional writes: the ledger first, on the ETag it was just
read with, then each set on its own. What fails midway leaves the rest undone, and the enactor finds out by reading.
"""

import asyncio
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from azure.core.exceptions import AzureError

from detour.enactment.contract import (
    Batch,
    BatchRefusedError,
    Change,
    CredentialsRefusedError,
    OpaqueSet,
    OutcomeUnknownError,
    Pace,
    ProviderError,
    ProviderLimits,
    Secret,
    StoredSet,
    ThrottledError,
    UnavailableError,
    ZoneContents,
    ZoneFacts,
    ZoneMissingError,
)
from detour.model.names import MARKER_LABEL, canonical, marker_name
from detour.model.rrset import RRKey, RRType
from detour.model.zone import AzureDNSSettings
from detour.providers.azuredns.client import AzureClient
from detour.providers.azuredns.errors import ForbiddenError, is_precondition_failed, is_record_missing, translated
from detour.providers.azuredns.limits import GETS_PER_MINUTE, LISTS_PER_MINUTE, PAGE
from detour.providers.azuredns.records import RECORD_TYPES, as_model, in_words, relative_name, unchanged
from detour.providers.contents import kept_beside

CONCURRENT_READS = 8
OTHER_FAMILY = {RRType.A: RRType.AAAA, RRType.AAAA: RRType.A}


class AzureDNSProvider:
    """One zone. Calls run on the event loop that `open_zone` was called in."""

    def __init__(
        self, *, domain: str, settings: AzureDNSSettings, client: AzureClient, limits: ProviderLimits, pace: Pace
    ) -> None:
        """Call nothing yet; `domain` is canonical."""
        self._domain = domain
        self._where = (settings.resource_group, domain)
        self._client = client
        self._limits = limits
        self._pace = pace
        self._size: int | None = None

    @property
    def limits(self) -> ProviderLimits:
        return self._limits

    async def describe(self) -> ZoneFacts:
        """Find the zone. Raises ZoneMissingError where there is none or it is a private one."""
        zone = await self._find()
        soa = await self._get(self._domain, "SOA")
        negative = None
        if soa is not None and soa.soa_record is not None and soa.soa_record.minimum_ttl is not None:
            negative = min(int(soa.soa_record.minimum_ttl), int(soa.ttl))  # RFC 2308 §5
        return ZoneFacts(str(zone.id), tuple(canonical(each) for each in zone.name_servers or ()), negative)

    async def read_zone(self) -> ZoneContents:
        """Read page by page, each a call."""
        pages = self._client.record_sets.list_by_dns_zone(*self._where).by_page()
        found: list[Any] = []
        while True:
            await self._pace(1)
            try:
                found += [each async for each in await anext(pages)]
            except AzureError as error:
                raise translated(error, self._doing("list of record sets"), write=False) from None
            if not pages.continuation_token:
                break
        self._size = len(found)
        return self._contents(found)

    async def read_names(self, names: Collection[str]) -> ZoneContents:
        """Read set by set, or the whole zone where that takes the smaller part of its quota."""
        wanted = set(names)
        if self._size is None:
            await self._find()
        keys = [(name, each) for name in sorted(wanted) for each in _types_at(name)]
        if len(keys) / GETS_PER_MINUTE > (1 + (self._size or 0) // PAGE) / LISTS_PER_MINUTE:
            contents = await self.read_zone()
            return ZoneContents(
                {key: each for key, each in contents.sets.items() if key.name in wanted},
                tuple(each for each in contents.opaque if each.name in wanted),
            )
        if self._domain in wanted:
            keys.append((self._domain, "SOA"))
        found: list[Any] = []
        for start in range(0, len(keys), CONCURRENT_READS):
            reads = [self._get(*key) for key in keys[start : start + CONCURRENT_READS]]
            results = await asyncio.gather(*reads, return_exceptions=True)
            for error in results:
                if isinstance(error, BaseException):
                    raise error
            found += [each for each in results if each is not None]
        return self._contents(found)

    async def apply(self, batch: Batch) -> ZoneContents:
        """Compare the ledger with what the batch expects, move it, then make the changes one after the other.

        The result holds besides the new sets those whose ETag was renewed. Once the ledger has moved a refusal of one
        set is a BatchRefusedError that names it, and everything else is an OutcomeUnknownError: also that a name lost
        both its families, the one by us and the other by somebody else in that very moment.
        """
        changes = _families_first(batch.changes)
        etag = await self._confirm(batch.ledger)
        etags = {each.key: each.old.version or await self._confirm(each) for each in changes if each.old is not None}
        for each in _first_publications(changes):
            await self._confirm(each)
        staying, markers = await self._read_staying(changes), _markers_that_go(changes)
        done = [await self._write(batch.ledger, etag)]
        for count, change in enumerate(changes):
            doing = f"{self._doing('batch')}: the ledger moved and {count} of {len(changes)} changes were made"
            try:
                if (marker := markers.get(change.key)) is not None:
                    etags[marker.rrset.key] = await self._prove_ours(marker, etags[marker.rrset.key])
                if change.beside is not None and (other := staying.get(change.beside.rrset.key)) is not None:
                    done.append(await self._renew(other))
                done.append(await self._write(change, etags.get(change.key)))
                if change.beside is not None:
                    done.append(await self._left_beside(change.beside))
            except (BatchRefusedError, ForbiddenError) as error:
                raise BatchRefusedError(f"{doing}; the next one was refused: {error}") from None
            except OutcomeUnknownError as error:
                raise OutcomeUnknownError(f"{doing}, perhaps one more: {error}") from None
            except (ThrottledError, UnavailableError, CredentialsRefusedError, ZoneMissingError) as error:
                raise OutcomeUnknownError(f"{doing}, no more: {error}") from None
        return ZoneContents({each.rrset.key: each for each in done if each is not None})

    async def close(self) -> None:
        """Release connections."""
        await self._client.close()

    async def _find(self) -> Any:
        zone = await self._call("zone", self._client.zones.get)
        if str(zone.zone_type) == "Private":
            raise ZoneMissingError(
                f"{self._doing('zone')}: it is a private zone, which the internet cannot ask: name a public one"
            )
        self._size = int(zone.number_of_record_sets or 0)
        return zone

    async def _get(self, name: str, rrtype: str) -> Any:
        """Return the SDK's model of a set, or None where there is none."""
        await self._pace(1)
        try:
            return await self._client.record_sets.get(*self._where, relative_name(name, self._domain), rrtype)
        except AzureError as error:
            if is_record_missing(error):
                return None
            raise translated(error, self._doing(f"{name} {rrtype}"), write=False) from None

    async def _confirm(self, change: Change) -> str | None:
        """Return the ETag to make `change` on, None for creation. Raises BatchRefusedError if the set isn't so."""
        model = await self._get(*change.key)
        found = in_words(model, self._domain) if model is not None else None
        old = change.old
        if old is None and found is None:
            return str(model.etag) if model is not None else None
        same = old is not None and isinstance(found, StoredSet) and found.rrset == old.rrset
        if old is not None and same and old.version in (None, model.etag):
            return str(model.etag)
        raise BatchRefusedError(f"{self._doing('batch')}: {change.key.name} {change.key.type} is not as last seen")

    async def _read_staying(self, changes: Sequence[Change]) -> dict[RRKey, Any]:
        """Return, for each name that loses a family, the other one as it stands; refuse where that is another one.

        Whoever would withdraw that other family at the same time has to know its ETag. Renewing it, after both were
        read and before the first deletion, lets only one of the two through, so the name never loses both.
        """
        return {each.rrset.key: await self._standing(each) for each in kept_beside(changes)}

    async def _standing(self, kept: StoredSet) -> Any:
        model = await self._get(*kept.rrset.key)
        found = in_words(model, self._domain) if model is not None else None
        if isinstance(found, StoredSet) and found.rrset == kept.rrset and kept.version in (None, model.etag):
            return model
        name, family = kept.rrset.key
        raise BatchRefusedError(
            f"{self._doing('batch')}: {name} {family}, which is to stay, is not as last seen, so nothing goes there"
        )

    async def _prove_ours(self, marker: StoredSet, etag: str | None) -> str | None:
        """Renew the marker of a name that goes, and return its new ETag: whoever has taken the name over is in the way.

        The marker itself goes last, so that a removal that ends midway can be finished.
        """
        renewed = await self._write(Change(marker, marker.rrset), etag)
        return renewed.version if renewed else etag

    async def _renew(self, model: Any) -> StoredSet | None:
        name, rrtype = model.name, model.type.rsplit("/", 1)[-1]
        renewed = await self._put(name, rrtype, unchanged(model), if_match=model.etag)
        found = in_words(renewed, self._domain)
        return found if isinstance(found, StoredSet) else None

    async def _left_beside(self, kept: StoredSet) -> StoredSet:
        """Return the family that was to stay, read after the other one went; no condition spans the two requests."""
        model = await self._get(*kept.rrset.key)
        found = in_words(model, self._domain) if model is not None else None
        if isinstance(found, StoredSet):
            return found
        name, family = kept.rrset.key
        raise OutcomeUnknownError(f"somebody removed {name} {family} while the other family was withdrawn")

    async def _write(self, change: Change, etag: str | None) -> StoredSet | None:
        """Make one change on the condition of `etag`, or of absence. Returns the new set."""
        relative, rrtype = relative_name(change.key.name, self._domain), change.key.type.value
        if change.new is None:
            await self._delete(relative, rrtype, etag)
            return None
        body = as_model(change.new)
        if etag is None:
            model = await self._create(change.key, relative, body)
        else:
            model = await self._put(relative, rrtype, body, if_match=etag)
        return StoredSet(change.new, model.etag)

    async def _create(self, key: RRKey, relative: str, body: Any) -> Any:
        """Create the set; one that is there without records is in the way of that, and takes them instead."""
        try:
            return await self._put(relative, key.type.value, body, if_none_match="*")
        except _PreconditionFailedError:
            there = await self._get(*key)
            if there is None or in_words(there, self._domain) is not None:
                raise
            return await self._put(relative, key.type.value, body, if_match=there.etag)

    async def _put(self, relative: str, rrtype: str, body: Any, **condition: str) -> Any:
        method = self._client.record_sets.create_or_update
        return await self._call(f"{relative} {rrtype}", method, relative, rrtype, body, write=True, **condition)

    async def _delete(self, relative: str, rrtype: str, etag: str | None) -> None:
        status = await self._call(
            f"{relative} {rrtype}",
            self._client.record_sets.delete,
            relative,
            rrtype,
            write=True,
            if_match=etag,
            cls=lambda response, *_: response.http_response.status_code,
        )
        if status == 204:
            raise BatchRefusedError(f"{self._doing(f'{relative} {rrtype}')}: the set to delete is not there any more")

    async def _call(self, what: str, method: Any, *arguments: Any, write: bool = False, **options: Any) -> Any:
        await self._pace(1)
        try:
            return await method(*self._where, *arguments, **options)
        except AzureError as error:
            meaning: ProviderError = translated(error, self._doing(what), write=write)
            if is_precondition_failed(error):
                raise _PreconditionFailedError(str(meaning)) from None
            raise meaning from None

    def _doing(self, what: str) -> str:
        return f"Azure DNS {self._domain}, {what}"

    def _contents(self, found: Iterable[Any]) -> ZoneContents:
        words = [in_words(model, self._domain) for model in found]
        return ZoneContents(
            {each.rrset.key: each for each in words if isinstance(each, StoredSet)},
            tuple(each for each in words if isinstance(each, OpaqueSet)),
        )


class _PreconditionFailedError(BatchRefusedError):
    """412: the set is not as expected."""


def _families_first(changes: Iterable[Change]) -> list[Change]:
    """Return the changes as given, but an address family that a name gets or keeps before the one that it loses."""
    by_key = {change.key: change for change in changes}
    ordered: dict[RRKey, Change] = {}
    for key, change in by_key.items():
        other = by_key.get(RRKey(key.name, OTHER_FAMILY.get(key.type, key.type)))
        if change.new is None and other is not None and other.new is not None:
            ordered.setdefault(other.key, other)
        ordered.setdefault(key, change)
    return list(ordered.values())


def _markers_that_go(changes: Iterable[Change]) -> dict[RRKey, StoredSet]:
    """Return the marker that goes with a name, by the first of the name's sets to be deleted."""
    gone = {change.key: change.old for change in changes if change.new is None and change.old is not None}
    first: dict[str, RRKey] = {}
    for key in gone:
        first.setdefault(key.name, key)
    return {key: found for name, key in first.items() if (found := gone.get(RRKey(marker_name(name), RRType.TXT)))}


def _first_publications(changes: Iterable[Change]) -> list[Change]:
    """Return the sets to be created for names that get their marker along with them, which must not be there yet.

    The marker comes first; beside a set that somebody else has put there meanwhile it would make that one ours.
    """
    created = [change for change in changes if change.old is None]
    markers = {change.key.name for change in created if change.key.type is RRType.TXT}
    return [change for change in created if marker_name(change.key.name) in markers]


async def open_zone(
    *, domain: str, settings: AzureDNSSettings, secret: Secret | None, limits: ProviderLimits, pace: Pace
) -> AzureDNSProvider:
    """Return the provider of `domain`. Raises CredentialsRefusedError where the Secret lacks a key."""
    client = AzureClient(settings, secret)
    return AzureDNSProvider(domain=domain, settings=settings, client=client, limits=limits, pace=pace)


def _types_at(name: str) -> Sequence[str]:
    """Return the types that matter at `name`: of our own names, markers and ledgers, there is nothing but TXT."""
    return ("TXT",) if f".{MARKER_LABEL}." in f".{name}." else RECORD_TYPES
