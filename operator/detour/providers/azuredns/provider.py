"""A public zone at Azure DNS.

No call changes two record sets, so a batch is a row of conditional writes: the ledger first, on the ETag it was just
read with, then each set on its own. What fails midway leaves the rest undone, and the enactor finds out by reading.
"""

import asyncio
import contextlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from detour.enactment.contract import (
    Batch,
    BatchRefusedError,
    Change,
    OpaqueSet,
    OutcomeUnknownError,
    Pace,
    ProviderError,
    ProviderLimits,
    Secret,
    StoredSet,
    ZoneContents,
    ZoneFacts,
    ZoneMissingError,
)
from detour.model.names import MARKER_LABEL, canonical
from detour.model.rrset import RRKey, RRset
from detour.model.zone import AzureDNSSettings
from detour.providers.azuredns.client import AzureClient
from detour.providers.azuredns.errors import ForbiddenError, SetChangedError, SetMissingError, translated
from detour.providers.azuredns.limits import GETS_PER_MINUTE, LISTS_PER_MINUTE, PAGE
from detour.providers.azuredns.order import families_first, family_that_stays, first_publications, markers_that_go
from detour.providers.azuredns.records import (
    RECORD_TYPES,
    as_model,
    check_is,
    etag_of,
    in_words,
    relative_name,
    version_of,
)
from detour.providers.contents import gathered, kept_beside, only_at, whole_zone
from detour.providers.endpoints import foreign_origin
from detour.providers.translation import OddAnswerError, Pages

CONCURRENT_READS = 8


class AzureDNSProvider:
    """One zone. Calls run on the event loop that `open_zone` was called in."""

    def __init__(
        self,
        *,
        domain: str,
        settings: AzureDNSSettings,
        client: AzureClient,
        limits: ProviderLimits,
        pace: Pace,
        quotes: bool = True,
    ) -> None:
        """Call nothing yet; `domain` is canonical. Without `quotes` no words of the endpoint's are told."""
        self._translated = translated.of(quotes=quotes)
        self._domain = domain
        self._where = (settings.resource_group, domain)
        self._at = foreign_origin(settings)
        self._client = client
        self._limits = limits
        self._pace = pace
        self._size: int | None = None

    @property
    def limits(self) -> ProviderLimits:
        return self._limits

    async def describe(self) -> ZoneFacts:
        """Find the zone. Raises ZoneMissingError where there is none or it is a private one."""
        with self._translated(self._doing("zone")):
            zone = await self._find()
            if not zone.id or not zone.name_servers:
                raise OddAnswerError("the answer is no description of a public zone")
            soa = await self._get(self._domain, "SOA")
            negative = None
            if soa is not None and soa.soa_record is not None and soa.soa_record.minimum_ttl is not None:
                negative = min(int(soa.soa_record.minimum_ttl), int(soa.ttl))  # RFC 2308 §5
            servers = tuple(canonical(each) for each in zone.name_servers)
            # Resource Manager takes every part of an ID in any case ("Naming rules and restrictions").
            return ZoneFacts(str(zone.id).lower(), servers, negative, self._at)

    async def read_zone(self) -> ZoneContents:
        """Read page by page, each a call."""
        with self._translated(self._doing("list of record sets")):
            pages = self._client.record_sets.list_by_dns_zone(*self._where).by_page()
            found: list[Any] = []
            positions = Pages()
            while True:
                await self._pace(1)
                found += [each async for each in await anext(pages)]
                if not pages.continuation_token:
                    break
                positions.next(pages.continuation_token)
            contents = whole_zone(self._in_words(found), self._domain)
        self._size = len(found)
        return contents

    async def read_names(self, names: Collection[str]) -> ZoneContents:
        """Read set by set, or the whole zone where that takes the smaller part of its quota."""
        wanted = set(names)
        if self._size is None:
            await self._find()
        keys = [(name, each) for name in sorted(wanted) for each in _types_at(name)]
        if len(keys) / GETS_PER_MINUTE > (1 + (self._size or 0) // PAGE) / LISTS_PER_MINUTE:
            return only_at(wanted, await self.read_zone())
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
        with self._translated(self._doing("record sets")):
            return gathered(self._in_words(found))

    async def changed_since(self, mark: str) -> None:
        """Azure DNS keeps no account of changes that its DNS API tells of: only reading the zone tells."""

    async def apply(self, batch: Batch) -> ZoneContents:
        """Compare the ledger with what the batch expects, move it, then make the changes one after the other.

        The result holds besides the new sets those whose ETag was renewed. Once the ledger has moved a refusal of one
        set is a BatchRefusedError that names it, and everything else is an OutcomeUnknownError: also that a name lost
        both its families, the one by us and the other by somebody else in that very moment.
        """
        with self._translated(self._doing("batch")):
            changes = families_first(batch.changes)
            version = await self._confirm(batch.ledger)
            versions = {
                each.key: each.old.version or await self._confirm(each) for each in changes if each.old is not None
            }
            for each in first_publications(changes):
                await self._confirm(each)
            staying = {each.rrset.key: await self._standing(each) for each in kept_beside(changes)}
            markers = markers_that_go(changes)
        done = [await self._write(batch.ledger, version)]
        for count, change in enumerate(changes):
            with self._midway(f"the ledger moved and {count} of {len(changes)} changes were made"):
                if (marker := markers.get(change.key)) is not None:
                    versions[marker.rrset.key] = await self._prove_ours(marker, versions[marker.rrset.key])
                if change.beside is not None and (kept := staying.get(change.beside.rrset.key)) is not None:
                    done.append(await self._put(kept.rrset, kept.version))
                done.append(await self._write(change, versions.get(change.key)))
                if (left := family_that_stays(change, changes)) is not None:
                    done.append(await self._still_there(left))
        return ZoneContents({each.rrset.key: each for each in done if each is not None})

    @contextlib.contextmanager
    def _midway(self, so_far: str) -> Iterator[None]:
        """Say of an error how far the batch had come; whatever is no refusal of one set leaves its outcome open."""
        doing = f"{self._doing('batch')}: {so_far}"
        try:
            with self._translated(doing, write=True):
                yield
        except (BatchRefusedError, ForbiddenError) as error:
            raise BatchRefusedError(f"{doing}; the next one was refused: {error}") from None
        except OutcomeUnknownError as error:
            raise OutcomeUnknownError(f"{doing}, perhaps one more: {error}") from None
        except ProviderError as error:
            raise OutcomeUnknownError(f"{doing}, no more: {error}") from None

    async def close(self) -> None:
        """Release connections."""
        with contextlib.suppress(Exception):  # they are left behind, however the SDK takes that
            await self._client.close()

    async def _find(self) -> Any:
        zone = await self._call("zone", self._client.zones.get)
        with self._translated(self._doing("zone")):
            if str(zone.zone_type) == "Private":
                raise ZoneMissingError(
                    f"{self._doing('zone')}: it is a private zone, which the internet cannot ask: name a public one"
                )
            self._size = int(zone.number_of_record_sets or 0)
        return zone

    async def _get(self, name: str, rrtype: str) -> Any:
        """Return the SDK's model of a set, or None where there is none."""
        relative, what = relative_name(name, self._domain), f"{name} {rrtype}"
        try:
            model = await self._call(what, self._client.record_sets.get, relative, rrtype)
        except SetMissingError:
            return None
        with self._translated(self._doing(what)):
            check_is(model, relative, rrtype)
        return model

    async def _read(self, key: RRKey) -> tuple[Any, StoredSet | OpaqueSet | None]:
        """Return the SDK's model of a set and what it holds, None for what is not there."""
        model = await self._get(*key)
        return model, in_words(model, self._domain) if model is not None else None

    async def _confirm(self, change: Change) -> str | None:
        """Return the version to make `change` on, None for creation. Raises BatchRefusedError if the set isn't so."""
        model, found = await self._read(change.key)
        old = change.old
        if old is None and found is None:
            return version_of(model) if model is not None else None
        same = old is not None and isinstance(found, StoredSet) and found.rrset == old.rrset
        if old is not None and same and old.version in (None, version_of(model)):
            return version_of(model)
        raise BatchRefusedError(f"{self._doing('batch')}: {change.key.name} {change.key.type} is not as last seen")

    async def _standing(self, kept: StoredSet) -> StoredSet:
        """Return the family that stays as it stands; refuse where it is another one than was seen.

        Whoever would withdraw it at the same time has to know its ETag. Renewing that, after both were read and before
        the first deletion, lets only one of the two through, so the name never loses both.
        """
        _, found = await self._read(kept.rrset.key)
        if isinstance(found, StoredSet) and found.rrset == kept.rrset and kept.version in (None, found.version):
            return found
        name, family = kept.rrset.key
        raise BatchRefusedError(
            f"{self._doing('batch')}: {name} {family}, which is to stay, is not as last seen, so nothing goes there"
        )

    async def _prove_ours(self, marker: StoredSet, version: str | None) -> str | None:
        """Renew the marker of a name that goes, and return its new version.

        Whoever has taken the name over is in the way of that. The marker itself goes last, so that a removal that ends
        midway can be finished.
        """
        return (await self._put(marker.rrset, version)).version

    async def _still_there(self, key: RRKey) -> StoredSet:
        """Return the family that was to stay, read after the other one went; no condition spans the two requests."""
        _, found = await self._read(key)
        if isinstance(found, StoredSet):
            return found
        raise OutcomeUnknownError(f"somebody removed {key.name} {key.type} while the other family was withdrawn")

    async def _write(self, change: Change, version: str | None) -> StoredSet | None:
        """Make one change on the condition of `version`, or of absence. Returns the new set."""
        if change.new is None:
            await self._delete(change.key, version)
            return None
        if version is not None:
            return await self._put(change.new, version)
        return await self._create(change.new)

    async def _create(self, rrset: RRset) -> StoredSet:
        """Create the set; one that is there without records is in the way of that, and takes them instead."""
        try:
            return await self._put(rrset, None)
        except SetChangedError:
            there, found = await self._read(rrset.key)
            if there is None or found is not None:
                raise
            return await self._put(rrset, version_of(there))

    async def _put(self, rrset: RRset, version: str | None) -> StoredSet:
        """Write a set in place of `version`, or where there is none, and return it as stored.

        What others keep with the set goes along. Only an answer that shows the set counts as one.
        """
        relative, what = relative_name(rrset.name, self._domain), f"{rrset.name} {rrset.type}"
        condition = {"if_none_match": "*"} if version is None else {"if_match": etag_of(version)}
        method = self._client.record_sets.create_or_update
        body = as_model(rrset, version)
        model = await self._call(what, method, relative, rrset.type.value, body, write=True, **condition)
        with self._translated(self._doing(what), write=True):
            check_is(model, relative, rrset.type)
            found = in_words(model, self._domain)
            if not isinstance(found, StoredSet) or found.rrset != rrset:
                raise OddAnswerError("the answer shows another set than the one that was sent")
            return found

    async def _delete(self, key: RRKey, version: str | None) -> None:
        """Delete a set in place of `version`. The answer has no body to tell by, so it is asked whether it is gone."""
        what = f"{key.name} {key.type}"
        status = await self._call(
            what,
            self._client.record_sets.delete,
            relative_name(key.name, self._domain),
            key.type.value,
            write=True,
            if_match=None if version is None else etag_of(version),
            cls=lambda response, *_: response.http_response.status_code,
        )
        if status == 204:
            raise BatchRefusedError(f"{self._doing(what)}: the set to delete is not there any more")
        if (await self._read(key))[1] is not None:
            raise OutcomeUnknownError(f"{self._doing(what)}: a set is there though its deletion was confirmed")

    async def _call(self, what: str, method: Any, *arguments: Any, write: bool = False, **options: Any) -> Any:
        await self._pace(1)
        with self._translated(self._doing(what), write=write):
            return await method(*self._where, *arguments, **options)

    def _doing(self, what: str) -> str:
        return f"Azure DNS {self._domain}, {what}"

    def _in_words(self, found: Iterable[Any]) -> Iterator[StoredSet | OpaqueSet]:
        return (each for model in found if (each := in_words(model, self._domain)) is not None)


async def open_zone(
    *,
    domain: str,
    settings: AzureDNSSettings,
    secret: Secret | None,
    limits: ProviderLimits,
    pace: Pace,
    quotes: bool = True,
) -> AzureDNSProvider:
    """Return the provider of `domain`; `quotes` as in the constructor.

    Raises CredentialsRefusedError where the Secret lacks a key.
    """
    with translated.of(quotes=quotes)(f"Azure DNS {domain}"):
        client = AzureClient(settings, secret)
    return AzureDNSProvider(domain=domain, settings=settings, client=client, limits=limits, pace=pace, quotes=quotes)


def _types_at(name: str) -> Sequence[str]:
    """Return the types that matter at `name`: of our own names, markers and ledgers, there is nothing but TXT."""
    return ("TXT",) if f".{MARKER_LABEL}." in f".{name}." else RECORD_TYPES
