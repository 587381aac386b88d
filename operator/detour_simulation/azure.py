"""Azure DNS, which changes one record set at a time.

The product's own provider runs here, with the order in which it touches and deletes. Only the SDK below it is
simulated: each GET, PUT and DELETE is a call of its own that can be delayed, lost or refused, on the ETag of one set.
"""

from collections.abc import AsyncIterator, Callable, Collection
from types import SimpleNamespace
from typing import Any, TypeVar

from azure.core.exceptions import AzureError, HttpResponseError, ServiceRequestTimeoutError, ServiceResponseError

from detour.enactment.contract import Batch, Pace, ProviderLimits, StoredSet, ZoneContents, ZoneFacts
from detour.enactment.ledger import Ledger
from detour.model.rrset import RRKey, RRset, RRType
from detour.model.zone import AzureDNSSettings
from detour.providers.azuredns import AzureDNSProvider
from detour.twin.loop import VirtualLoop
from detour_simulation.weather import Caller, CallFailedError, Network, Sky
from detour_simulation.zones import SimulatedZone, ledger_of

T = TypeVar("T")

KIND = "Microsoft.Network/dnszones/"


class OneByOneProvider:
    """One controller's connection: the real provider, with a note of which batch it is at."""

    def __init__(
        self,
        zone: SimulatedZone,
        *,
        domain: str,
        settings: AzureDNSSettings,
        limits: ProviderLimits,
        pace: Pace,
        caller: Caller,
        network: Network,
        loop: VirtualLoop,
    ) -> None:
        self.limits = limits
        self._zone, self._caller = zone, caller
        self._loop = loop
        self._client = _Client(zone, domain=domain, caller=caller, network=network, loop=loop)
        self._real = AzureDNSProvider(
            domain=domain,
            settings=settings,
            client=self._client,  # type: ignore[arg-type]  # the SDK's part of it is all that is asked for
            limits=limits,
            pace=pace,
        )

    async def describe(self) -> ZoneFacts:
        return await self._real.describe()

    async def read_zone(self) -> ZoneContents:
        """Read everything; a list that is read for the sake of a few names leaves the rest unknown."""
        began_at = self._loop.now
        contents = await self._real.read_zone()
        self._zone.was_read(self._caller, began_at, asked_at=began_at)
        return contents

    async def read_names(self, names: Collection[str]) -> ZoneContents:
        return await self._real.read_names(names)

    async def changed_since(self, mark: str) -> None:
        """There is no account of changes."""

    async def apply(self, batch: Batch) -> ZoneContents:
        self._client.begin(ledger_of(batch), self._loop.now)
        return await self._real.apply(batch)

    async def close(self) -> None:
        await self._real.close()


class _Client:
    """What the provider uses of the SDK. Implements `zones` and `record_sets` at once."""

    def __init__(
        self, zone: SimulatedZone, *, domain: str, caller: Caller, network: Network, loop: VirtualLoop
    ) -> None:
        self.zones = _Zones(self)
        self.record_sets = self
        self._zone = zone
        self._domain = domain
        self._caller = caller
        self._network = network
        self._ledger: Ledger | None = None
        self._sent_at = 0.0
        self._loop = loop

    def begin(self, ledger: Ledger | None, sent_at: float) -> None:
        """Note the batch that the next writes belong to."""
        self._ledger, self._sent_at = ledger, sent_at

    async def close(self) -> None:
        """Nothing is held."""

    async def facts(self) -> Any:
        found = SimpleNamespace(
            zone_type="Public",
            number_of_record_sets=len(self._zone.sets),
            id=self._zone.name,
            name_servers=(f"{self._zone.name}:53",),
        )
        return await self._call(lambda: found)

    async def get(self, group: str, domain: str, relative: str, rrtype: str) -> Any:
        if rrtype not in RRType.__members__:  # nobody ever wrote such a set
            raise _http_error(404, "NotFound")
        return await self._call(lambda: self._model(self._key(relative, rrtype)))

    async def create_or_update(
        self,
        group: str,
        domain: str,
        relative: str,
        rrtype: str,
        body: Any,
        *,
        if_match: str | None = None,
        if_none_match: str | None = None,
    ) -> Any:
        key = self._key(relative, rrtype)
        rrset = RRset(key.name, key.type, body.ttl, _values(body, key.type))
        ledger, sent_at = self._ledger, self._sent_at
        return await self._call(
            lambda: self._put(rrset, if_match, if_none_match, ledger=ledger, sent_at=sent_at), write=True
        )

    async def delete(
        self, group: str, domain: str, relative: str, rrtype: str, *, if_match: str | None = None, cls: Callable[..., T]
    ) -> T:
        key = self._key(relative, rrtype)
        ledger, sent_at = self._ledger, self._sent_at
        status = await self._call(lambda: self._drop(key, if_match, ledger=ledger, sent_at=sent_at), write=True)
        return cls(SimpleNamespace(http_response=SimpleNamespace(status_code=status)), None, {})

    def list_by_dns_zone(self, group: str, domain: str) -> Any:
        return SimpleNamespace(by_page=lambda: _Pages(self))

    async def page(self, number: int) -> list[Any]:
        """Return one of two pages."""

        def read() -> list[Any]:
            ordered = sorted(self._zone.sets)
            half = (len(ordered) + 1) // 2
            shown = ordered[:half] if number == 0 else ordered[half:]
            apex = [_apex(each) for each in ("NS", "SOA")] if number == 0 else []
            return apex + [self._model(key) for key in shown]

        return await self._call(read)

    def _put(
        self, rrset: RRset, if_match: str | None, if_none_match: str | None, *, ledger: Ledger | None, sent_at: float
    ) -> Any:
        stored = self._zone.sets.get(rrset.key)
        if (if_none_match == "*" and stored is not None) or (
            if_match is not None and (stored is None or stored.version != if_match)
        ):
            raise _http_error(412, "PreconditionFailed")
        crossed = {
            each for each in RRType if each is not rrset.type and (each is RRType.CNAME or rrset.type is RRType.CNAME)
        }
        if any(RRKey(rrset.name, each) in self._zone.sets for each in crossed):
            raise _http_error(400, "BadRequest")
        if stored is not None and stored.rrset == rrset:
            self._zone.touch(rrset.key)
        else:
            self._zone.write([(rrset.key, rrset)], by=self._caller, ledger=ledger, sent_at=sent_at)
        return self._model(rrset.key)

    def _drop(self, key: RRKey, if_match: str | None, *, ledger: Ledger | None, sent_at: float) -> int:
        stored = self._zone.sets.get(key)
        if stored is None:
            return 204
        if if_match is not None and stored.version != if_match:
            raise _http_error(412, "PreconditionFailed")
        self._zone.write([(key, None)], by=self._caller, ledger=ledger, sent_at=sent_at)
        return 200

    def _key(self, relative: str, rrtype: str) -> RRKey:
        return RRKey(self._domain if relative == "@" else f"{relative}.{self._domain}", RRType(rrtype))

    def _model(self, key: RRKey) -> Any:
        stored = self._zone.sets.get(key)
        if stored is None:
            raise _http_error(404, "NotFound")
        return _as_model(stored, self._domain)

    async def _call(self, act: Callable[[], T], *, write: bool = False) -> T:
        try:
            return await self._network.call(self._caller, self._zone.name, act, write=write, latency=0.03)
        except CallFailedError as error:
            raise self._translated(error) from None

    def _translated(self, error: CallFailedError) -> AzureError:
        if error.sky is Sky.THROTTLED:
            failure = _http_error(429, "TooManyRequests")
            failure.response = SimpleNamespace(
                headers={"Retry-After": f"{1 + self._caller.randomness.random() * 5:.1f}"}
            )
            return failure
        if error.sent:
            return ServiceResponseError("the answer was lost")
        return ServiceRequestTimeoutError("no connection")


class _Zones:
    def __init__(self, client: _Client) -> None:
        self._client = client

    async def get(self, group: str, domain: str) -> Any:
        return await self._client.facts()


class _Pages:
    """The two pages of a list."""

    def __init__(self, client: _Client) -> None:
        self.continuation_token: str | None = None
        self._client = client
        self._next = 0

    async def __anext__(self) -> AsyncIterator[Any]:
        found = await self._client.page(self._next)
        self._next += 1
        self.continuation_token = str(self._next) if self._next == 1 else None
        return _each(found)


def _apex(rrtype: str) -> Any:
    """What every zone has, and nobody here writes."""
    return SimpleNamespace(name="@", type=KIND + rrtype, target_resource=None)


async def _each(found: list[Any]) -> AsyncIterator[Any]:
    for each in found:
        yield each


def _as_model(stored: StoredSet, domain: str) -> Any:
    rrset = stored.rrset
    return SimpleNamespace(
        name="@" if rrset.name == domain else rrset.name.removesuffix(f".{domain}"),
        type=KIND + rrset.type.value,
        ttl=rrset.ttl,
        etag=stored.version,
        target_resource=None,
        metadata=None,
        a_records=[SimpleNamespace(ipv4_address=each) for each in rrset.values] if rrset.type is RRType.A else None,
        aaaa_records=(
            [SimpleNamespace(ipv6_address=each) for each in rrset.values] if rrset.type is RRType.AAAA else None
        ),
        cname_record=SimpleNamespace(cname=rrset.values[0]) if rrset.type is RRType.CNAME else None,
        txt_records=[SimpleNamespace(value=[each]) for each in rrset.values] if rrset.type is RRType.TXT else None,
    )


def _values(body: Any, rrtype: RRType) -> tuple[str, ...]:
    match rrtype:
        case RRType.A:
            return tuple(each.ipv4_address for each in body.a_records)
        case RRType.AAAA:
            return tuple(each.ipv6_address for each in body.aaaa_records)
        case RRType.CNAME:
            return (body.cname_record.cname,)
        case RRType.TXT:
            return tuple("".join(each.value) for each in body.txt_records)


def _http_error(status: int, code: str) -> HttpResponseError:
    error = HttpResponseError(message=code)
    error.status_code = status
    error.error = SimpleNamespace(code=code, message=code)  # type: ignore[assignment]  # of which only these are read
    return error
