"""The Azure DNS provider over the wire against the emulator: what it reads, how it writes, what it makes of trouble."""

import asyncio
import dataclasses
import itertools
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from azure.mgmt.dns import models

from detour.enactment.contract import (
    Batch,
    BatchRefusedError,
    Change,
    CredentialsRefusedError,
    OpaqueSet,
    OutcomeUnknownError,
    Pace,
    Secret,
    StoredSet,
    ThrottledError,
    UnavailableError,
    ZoneMissingError,
)
from detour.model.names import marker_name
from detour.model.rrset import RRKey, RRset, RRType
from detour.model.zone import AzureDNSSettings
from detour.providers.azuredns import LIMITS, AzureDNSProvider, account, open_zone
from detour_lab.clouds.azuredns import AzureDNSEmulator
from detour_lab.faults import Fault, FaultKind, Faults
from detour_lab.zones.store import RecordSet, ZoneStore

DOMAIN = "example.org"
PRIVATE = "internal.example.org"
TOKEN = "very-secret-token"
LEDGER = f"prod._detour.{DOMAIN}"
PUT, DELETE, GET = "RecordSets_CreateOrUpdate", "RecordSets_Delete", "RecordSets_Get"


async def no_pace(_: int) -> None:
    return None


@pytest.fixture
def store() -> ZoneStore:
    return ZoneStore(DOMAIN, negative_ttl=45)


@pytest.fixture
async def emulator(store: ZoneStore) -> AsyncIterator[AzureDNSEmulator]:
    server = AzureDNSEmulator(
        [store, ZoneStore(PRIVATE)],
        subscription="sub",
        resource_group="rg",
        tokens={TOKEN},
        private={PRIVATE},
        quota=None,
    )
    async with server:
        yield server


class Desk:
    """Opens providers and closes them."""

    def __init__(self, emulator: AzureDNSEmulator) -> None:
        self.url = emulator.url
        self.opened: list[AzureDNSProvider] = []

    async def open(
        self, *, domain: str = DOMAIN, token: str = TOKEN, pace: Pace = no_pace, **more: Any
    ) -> AzureDNSProvider:
        settings = AzureDNSSettings(more.get("subscription", "sub"), more.get("group", "rg"), self.url)
        provider = await open_zone(
            domain=domain, settings=settings, secret={"accessToken": token}, limits=LIMITS, pace=pace
        )
        self.opened.append(provider)
        return provider


@pytest.fixture
async def desk(emulator: AzureDNSEmulator) -> AsyncIterator[Desk]:
    desk = Desk(emulator)
    yield desk
    for provider in desk.opened:
        await provider.close()


@pytest.fixture
async def provider(desk: Desk) -> AzureDNSProvider:
    return await desk.open()


@pytest.fixture
def faults(emulator: AzureDNSEmulator) -> Faults:
    return emulator.faults


def a(name: str, *addresses: str, ttl: int = 30) -> RRset:
    return RRset(f"{name}.{DOMAIN}", RRType.A, ttl, addresses or ("192.0.2.1",))


def aaaa(name: str, *addresses: str) -> RRset:
    return RRset(f"{name}.{DOMAIN}", RRType.AAAA, 30, addresses or ("2001:db8::1",))


def ledger(sequence: int) -> RRset:
    return RRset(LEDGER, RRType.TXT, 1, (f"detour/1 epoch=1 seq={sequence}",))


async def put(provider: AzureDNSProvider, *rrsets: RRset) -> dict[RRKey, StoredSet]:
    """Move or create the ledger, create the sets, and return everything as stored."""
    found = dict((await provider.read_names([LEDGER])).sets)
    old = found.get(RRKey(LEDGER, RRType.TXT))
    sequence = int(old.rrset.values[0].rsplit("=", 1)[1]) + 1 if old else 1
    batch = Batch(Change(old, ledger(sequence)), tuple(Change(None, each) for each in rrsets))
    return dict((await provider.apply(batch)).sets)


def moving(held: dict[RRKey, StoredSet], *changes: Change, to: int = 2) -> Batch:
    return Batch(Change(held[RRKey(LEDGER, RRType.TXT)], ledger(to)), changes)


def served(store: ZoneStore, name: str, rrtype: str = "A") -> tuple[str, ...]:
    found = store.served().get((f"{name}.{DOMAIN}", rrtype))
    return found.values if found else ()


async def test_it_describes_the_zone(provider: AzureDNSProvider) -> None:
    facts = await provider.describe()
    assert facts.zone_id.endswith(f"/dnszones/{DOMAIN}")
    assert facts.name_servers == ("ns1.lab.invalid", "ns2.lab.invalid")
    assert facts.negative_ttl == 45


async def test_a_private_or_missing_zone_is_named_as_such(desk: Desk) -> None:
    with pytest.raises(ZoneMissingError, match="private"):
        await (await desk.open(domain=PRIVATE)).describe()
    for each in ({"domain": "example.net"}, {"group": "other"}, {"subscription": "other"}):
        stranger = await desk.open(**each)  # type: ignore[arg-type]  # every value is a str
        with pytest.raises(ZoneMissingError, match="check domain, subscriptionID and resourceGroup"):
            await stranger.describe()
        with pytest.raises(ZoneMissingError):
            await stranger.read_names([f"api.{DOMAIN}"])
        with pytest.raises(ZoneMissingError):
            await stranger.apply(Batch(Change(None, ledger(1))))


@pytest.mark.parametrize(
    "rrset",
    [
        a("api", "192.0.2.1", "192.0.2.2"),
        aaaa("api"),
        RRset(f"*.wild.{DOMAIN}", RRType.A, 30, ("192.0.2.1",)),
        RRset(DOMAIN, RRType.A, 30, ("192.0.2.1",)),
        RRset(f"www.{DOMAIN}", RRType.CNAME, 30, ("lb.example.net",)),
        RRset(f"t.{DOMAIN}", RRType.TXT, 30, ('say "hi" \\ ' + "x" * 600, "second", "")),
    ],
    ids=lambda rrset: f"{rrset.name} {rrset.type}",
)
async def test_what_it_writes_it_reads_back(provider: AzureDNSProvider, rrset: RRset) -> None:
    held = await put(provider, rrset)
    assert held[rrset.key].rrset == rrset
    for contents in (await provider.read_names([rrset.name]), await provider.read_zone()):
        assert contents.sets[rrset.key] == held[rrset.key]


async def test_a_full_read_follows_every_page_and_paces_each(store: ZoneStore, desk: Desk) -> None:
    store.commit(added=[RecordSet(f"n{i}.{DOMAIN}", "A", 60, ("192.0.2.1",)) for i in range(250)], by="test")
    paced: list[int] = []

    async def pace(count: int) -> None:
        paced.append(count)

    provider = await desk.open(pace=pace)
    contents = await provider.read_zone()
    assert len(contents.sets) == 250
    assert {each.type for each in contents.opaque} == {"SOA", "NS"}
    assert paced == [1, 1, 1]


async def test_a_few_names_of_a_large_zone_are_read_one_by_one(
    store: ZoneStore, provider: AzureDNSProvider, emulator: AzureDNSEmulator
) -> None:
    store.commit(added=[RecordSet(f"n{i}.{DOMAIN}", "A", 60, ("192.0.2.1",)) for i in range(1000)], by="test")
    contents = await provider.read_names([f"n1.{DOMAIN}", f"none.{DOMAIN}"])
    assert set(contents.sets) == {RRKey(f"n1.{DOMAIN}", RRType.A)}
    assert emulator.calls["RecordSets_ListByDnsZone"] == 0
    many = await provider.read_names([f"n{i}.{DOMAIN}" for i in range(100)])
    assert len(many.sets) == 100
    assert emulator.calls["RecordSets_ListByDnsZone"] == 11


async def test_sets_without_words_are_opaque_and_break_nothing(store: ZoneStore, provider: AzureDNSProvider) -> None:
    alias = {"targetResource": {"id": "/subscriptions/s/providers/Microsoft.Network/publicIPAddresses/ip"}}
    store.commit(
        added=[
            RecordSet(f"api.{DOMAIN}", "A", 60, ("192.0.2.9",), extra=alias),
            RecordSet(f"api.{DOMAIN}", "MX", 60, ("10 mx.example.net.",)),
            RecordSet(f"api.{DOMAIN}", "AAAA", 60, ("2001:db8::1",)),
        ],
        by="test",
    )
    for contents in (await provider.read_names([f"api.{DOMAIN}"]), await provider.read_zone()):
        here = {each for each in contents.opaque if each.name == f"api.{DOMAIN}"}
        assert here == {
            OpaqueSet(f"api.{DOMAIN}", "A", "alias of an Azure resource"),
            OpaqueSet(f"api.{DOMAIN}", "MX"),
        }
        assert set(contents.sets) == {RRKey(f"api.{DOMAIN}", RRType.AAAA)}


async def test_replacing_moves_the_ledger_and_gives_new_versions(store: ZoneStore, provider: AzureDNSProvider) -> None:
    held = await put(provider, a("api"))
    result = await provider.apply(moving(held, Change(held[a("api").key], a("api", "192.0.2.7"))))
    assert served(store, "api") == ("192.0.2.7",)
    assert result.sets[a("api").key].version not in (None, held[a("api").key].version)
    again = await provider.apply(
        Batch(
            Change(result.sets[RRKey(LEDGER, RRType.TXT)], ledger(3)),
            (Change(result.sets[a("api").key], a("api", "192.0.2.8")),),
        )
    )
    assert again.sets[a("api").key].rrset.values == ("192.0.2.8",)
    assert served(store, "api") == ("192.0.2.8",)


async def test_a_ledger_that_moved_refuses_everything(store: ZoneStore, provider: AzureDNSProvider) -> None:
    held = await put(provider, a("api"))
    await provider.apply(moving(held))
    before = store.serial
    with pytest.raises(BatchRefusedError, match="_detour"):
        await provider.apply(moving(held, Change(held[a("api").key], a("api", "192.0.2.7")), to=3))
    with pytest.raises(BatchRefusedError, match="_detour"):
        await provider.apply(Batch(Change(None, ledger(9)), (Change(None, a("other")),)))
    assert store.serial == before


async def test_a_ledger_of_the_same_value_but_another_etag_refuses_too(
    store: ZoneStore, provider: AzureDNSProvider
) -> None:
    held = await put(provider)
    kept = store.get(LEDGER, "TXT")
    assert kept is not None
    store.commit(added=[kept], by="outsider")
    with pytest.raises(BatchRefusedError):
        await provider.apply(moving(held))


async def test_of_two_writers_of_one_ledger_one_wins(desk: Desk, store: ZoneStore) -> None:
    first, second = await desk.open(), await desk.open()
    held = await put(first, a("api"))
    batches = [moving(held, Change(held[a("api").key], a("api", address))) for address in ("192.0.2.7", "192.0.2.8")]
    outcomes = await asyncio.gather(first.apply(batches[0]), second.apply(batches[1]), return_exceptions=True)
    assert sorted(isinstance(each, BatchRefusedError) for each in outcomes) == [False, True]
    winner = 0 if isinstance(outcomes[1], BatchRefusedError) else 1
    assert served(store, "api") == (("192.0.2.7",), ("192.0.2.8",))[winner]


async def test_a_refusal_midway_names_the_set_and_ends_the_batch(store: ZoneStore, provider: AzureDNSProvider) -> None:
    held = await put(provider, a("one"), a("two"), a("three"))
    two = store.get(f"two.{DOMAIN}", "A")
    assert two is not None
    store.commit(added=[two], by="outsider")
    changes = [Change(held[a(name).key], a(name, "192.0.2.7")) for name in ("one", "two", "three")]
    with pytest.raises(BatchRefusedError, match=r"two\.example\.org A"):
        await provider.apply(moving(held, *changes))
    assert [served(store, name) for name in ("one", "two", "three")] == [
        ("192.0.2.7",),
        ("192.0.2.1",),
        ("192.0.2.1",),
    ]


@pytest.mark.parametrize("old", [None, StoredSet(a("api", "192.0.2.99")), StoredSet(a("api"), "stale")])
async def test_old_and_stored_must_agree(store: ZoneStore, provider: AzureDNSProvider, old: StoredSet | None) -> None:
    held = await put(provider, a("api"))
    with pytest.raises(BatchRefusedError, match="api"):
        await provider.apply(moving(held, Change(old, a("api", "192.0.2.7"))))
    assert served(store, "api") == ("192.0.2.1",)


async def test_an_old_set_without_a_version_is_compared_by_its_values(
    store: ZoneStore, provider: AzureDNSProvider
) -> None:
    held = await put(provider, a("api"))
    await provider.apply(moving(held, Change(StoredSet(a("api")), a("api", "192.0.2.7"))))
    assert served(store, "api") == ("192.0.2.7",)


async def test_a_removal_of_what_is_gone_is_refused(store: ZoneStore, provider: AzureDNSProvider) -> None:
    held = await put(provider, a("api"))
    store.commit(removed=[(f"api.{DOMAIN}", "A")], by="outsider")
    with pytest.raises(BatchRefusedError, match="not there any more"):
        await provider.apply(moving(held, Change(held[a("api").key], None)))


async def test_a_whole_name_goes_with_its_marker(store: ZoneStore, provider: AzureDNSProvider) -> None:
    marker = RRset(f"_detour.api.{DOMAIN}", RRType.TXT, 300, ("owner=prod",))
    held = await put(provider, marker, a("api"), aaaa("api"))
    doomed = [Change(held[each.key], None) for each in (a("api"), aaaa("api"), marker)]
    result = await provider.apply(moving(held, *doomed))
    assert set(result.sets) == {RRKey(LEDGER, RRType.TXT)}
    assert {each.name for each in store.all()} == {DOMAIN, LEDGER}


async def test_a_set_that_somebody_emptied_counts_as_absent_and_is_filled_again(
    store: ZoneStore, provider: AzureDNSProvider
) -> None:
    held = await put(provider, a("api"))
    await empty(provider, "api", "A")
    assert served(store, "api") == ()
    assert a("api").key not in (await provider.read_names([f"api.{DOMAIN}"])).sets
    assert a("api").key not in (await provider.read_zone()).sets
    with pytest.raises(BatchRefusedError):
        await provider.apply(moving(held, Change(held[a("api").key], a("api"))))
    current = await provider.read_names([LEDGER])
    await provider.apply(Batch(Change(current.sets[RRKey(LEDGER, RRType.TXT)], ledger(3)), (Change(None, a("api")),)))
    assert served(store, "api") == ("192.0.2.1",)


async def test_an_emptied_ledger_can_be_claimed(provider: AzureDNSProvider, store: ZoneStore) -> None:
    await put(provider)
    await empty(provider, "prod._detour", "TXT")
    await provider.apply(Batch(Change(None, ledger(7))))
    kept = store.get(LEDGER, "TXT")
    assert kept is not None
    assert "seq=7" in kept.values[0]


async def empty(provider: AzureDNSProvider, relative: str, rrtype: str) -> None:
    """Do what an outsider can at Azure: leave a record set without records."""
    body = models.RecordSet(ttl=30, a_records=[], txt_records=[])
    await provider._client.record_sets.create_or_update("rg", DOMAIN, relative, rrtype, body)


async def test_the_family_that_stays_gets_a_new_version_before_the_other_goes(
    store: ZoneStore, provider: AzureDNSProvider
) -> None:
    held = await put(provider, a("api"), aaaa("api"))
    result = await provider.apply(moving(held, Change(held[aaaa("api").key], None, held[a("api").key])))
    assert served(store, "api") == ("192.0.2.1",)
    assert served(store, "api", "AAAA") == ()
    renewed = result.sets[a("api").key]
    assert renewed.rrset == a("api")
    assert renewed.version != held[a("api").key].version
    assert (await provider.read_names([f"api.{DOMAIN}"])).sets[a("api").key] == renewed


async def test_a_staying_family_keeps_its_metadata(store: ZoneStore, provider: AzureDNSProvider) -> None:
    held = await put(provider, aaaa("api"))
    extra = {"metadata": {"team": "shop"}}
    store.commit(added=[RecordSet(f"api.{DOMAIN}", "A", 60, ("192.0.2.9",), extra=extra)], by="outsider")
    staying = (await provider.read_names([f"api.{DOMAIN}"])).sets[a("api").key]
    await provider.apply(moving(held, Change(held[aaaa("api").key], None, staying)))
    kept = store.get(f"api.{DOMAIN}", "A")
    assert kept is not None
    assert (kept.extra, kept.values, kept.ttl) == (extra, ("192.0.2.9",), 60)


async def test_a_family_that_is_not_as_last_seen_keeps_the_other_and_the_ledger_where_they_are(
    store: ZoneStore, provider: AzureDNSProvider
) -> None:
    held = await put(provider, a("api"), aaaa("api"))
    kept = store.get(f"api.{DOMAIN}", "A")
    assert kept is not None
    store.commit(added=[kept], by="outsider")  # the same values, but somebody has written them
    before = store.serial
    with pytest.raises(BatchRefusedError, match=r"api\..* A, which is to stay"):
        await provider.apply(moving(held, Change(held[aaaa("api").key], None, held[a("api").key])))
    assert store.serial == before


async def test_a_family_that_goes_between_its_renewal_and_our_deletion_is_noticed_at_once(
    desk: Desk, store: ZoneStore
) -> None:
    writer = Writer()
    provider = await desk.open(pace=writer.pace)
    held = await put(provider, a("api"), aaaa("api"))
    await writer.start(provider, moving(held, Change(held[aaaa("api").key], None, held[a("api").key])))
    await writer.step(4)  # ledger and family are read, the ledger moves, the family is renewed: the deletion is next
    store.commit(removed=[(f"api.{DOMAIN}", "A")], by="outsider")
    writer.free = True
    await writer.step()
    assert writer.task is not None
    with pytest.raises(OutcomeUnknownError, match="somebody removed api"):
        await writer.task


OTHERS = {"metadata": {"costcentre": "4711", "managedBy": "network-team"}}
"""What Azure keeps with a set besides its records, for tools and accountants of its owners."""


async def test_what_others_keep_with_an_adopted_set_stays(store: ZoneStore, provider: AzureDNSProvider) -> None:
    await put(provider)
    store.commit(added=[RecordSet(f"api.{DOMAIN}", "A", 60, ("192.0.2.9",), extra=OTHERS)], by="outsider")
    for number in (1, 2):  # adopted, then moved on with what the first answer said
        held = dict((await provider.read_names([LEDGER, f"api.{DOMAIN}"])).sets)
        result = await provider.apply(
            moving(held, Change(held[a("api").key], a("api", f"192.0.2.{number}")), to=number + 1)
        )
        assert (await provider.read_names([f"api.{DOMAIN}"])).sets[a("api").key] == result.sets[a("api").key]
        kept = store.get(f"api.{DOMAIN}", "A")
        assert kept is not None
        assert (kept.extra, kept.values) == (OTHERS, (f"192.0.2.{number}",))


async def test_what_others_keep_with_a_set_without_records_stays_when_it_is_filled(provider: AzureDNSProvider) -> None:
    held = await put(provider)
    body = models.RecordSet(ttl=30, a_records=[], metadata=OTHERS["metadata"])
    await provider._client.record_sets.create_or_update("rg", DOMAIN, "api", "A", body)
    await provider.apply(moving(held, Change(None, a("api"))))
    filled = await provider._client.record_sets.get("rg", DOMAIN, "api", "A")
    assert filled.metadata == OTHERS["metadata"]


async def test_metadata_that_changed_meanwhile_is_not_undone(store: ZoneStore, provider: AzureDNSProvider) -> None:
    held = await put(provider, a("api"))
    kept = store.get(f"api.{DOMAIN}", "A")
    assert kept is not None
    store.commit(added=[dataclasses.replace(kept, extra=OTHERS)], by="outsider")
    with pytest.raises(BatchRefusedError):
        await provider.apply(moving(held, Change(held[a("api").key], a("api", "192.0.2.7"))))
    assert served(store, "api") == ("192.0.2.1",)


async def test_a_renewed_family_keeps_what_others_keep_with_it(store: ZoneStore, provider: AzureDNSProvider) -> None:
    await put(provider, aaaa("api"))
    store.commit(added=[RecordSet(f"api.{DOMAIN}", "A", 60, ("192.0.2.9",), extra=OTHERS)], by="outsider")
    held = dict((await provider.read_names([LEDGER, f"api.{DOMAIN}"])).sets)
    result = await provider.apply(moving(held, Change(held[aaaa("api").key], None, held[a("api").key])))
    kept = store.get(f"api.{DOMAIN}", "A")
    assert kept is not None
    assert kept.extra == OTHERS
    assert result.sets[a("api").key] == (await provider.read_names([f"api.{DOMAIN}"])).sets[a("api").key]


async def test_the_same_zone_is_recognised_in_any_spelling(desk: Desk) -> None:
    lower, upper = await desk.open(), await desk.open(group="RG", subscription="SUB")
    assert (await lower.describe()).identity == (await upper.describe()).identity


@pytest.mark.parametrize("turned", [False, True])
async def test_a_family_comes_before_the_other_goes_whatever_the_order(
    store: ZoneStore, provider: AzureDNSProvider, turned: bool
) -> None:
    held = await put(provider, a("api"))
    changes = [Change(None, aaaa("api")), Change(held[a("api").key], None)]
    await provider.apply(moving(held, *(reversed(changes) if turned else changes)))
    assert served(store, "api", "AAAA") == ("2001:db8::1",)
    created, deleted = list(store.log)[-2:]
    assert [each.type for each in created.added] == ["AAAA"]
    assert [each.type for each in deleted.removed] == ["A"]


async def test_a_family_that_goes_right_after_we_wrote_it_is_noticed_at_once(desk: Desk, store: ZoneStore) -> None:
    writer = Writer()
    provider = await desk.open(pace=writer.pace)
    held = await put(provider, a("api"), aaaa("api"))
    changes = (Change(held[aaaa("api").key], None), Change(held[a("api").key], a("api", "192.0.2.7")))
    await writer.start(provider, moving(held, *changes))
    await writer.step(3)  # the ledger is read and moves, the family that stays is written: the deletion is next
    store.commit(removed=[(f"api.{DOMAIN}", "A")], by="outsider")
    writer.free = True
    await writer.step()
    assert writer.task is not None
    with pytest.raises(OutcomeUnknownError, match="somebody removed api"):
        await writer.task


class Writer:
    """A provider whose every request waits for the conductor."""

    def __init__(self) -> None:
        self.at_gate = asyncio.Event()
        self._go: asyncio.Queue[None] = asyncio.Queue()
        self.free = True
        self.task: asyncio.Task[Any] | None = None

    async def pace(self, _: int) -> None:
        if not self.free:
            self.at_gate.set()
            await self._go.get()

    async def start(self, provider: AzureDNSProvider, batch: Batch) -> None:
        self.free = False
        self.task = asyncio.ensure_future(provider.apply(batch))
        await self._wait()

    async def step(self, requests: int = 1) -> None:
        """Let the next requests through, and return when the writer waits again or is done."""
        assert self.task is not None
        for _ in range(requests):
            if not self.task.done():
                self.at_gate.clear()
                self._go.put_nowait(None)
                await self._wait()

    async def _wait(self) -> None:
        assert self.task is not None
        waiting = asyncio.ensure_future(self.at_gate.wait())
        await asyncio.wait({self.task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()


def interleavings() -> Iterator[tuple[int, ...]]:
    """Yield every order of three steps of writer 0 and three of writer 1."""
    for firsts in itertools.combinations(range(6), 3):
        yield tuple(0 if place in firsts else 1 for place in range(6))


@pytest.mark.slow
async def test_two_writers_that_withdraw_one_family_each_never_empty_the_name(desk: Desk, store: ZoneStore) -> None:
    withdrawn = 0
    for number, order in enumerate(interleavings()):
        name = f"n{number}"
        writers = [Writer(), Writer()]
        providers = [await desk.open(pace=writer.pace) for writer in writers]
        held = await put(providers[0], a(name), aaaa(name))
        for mine, (writer, provider) in enumerate(zip(writers, providers, strict=True)):
            own = RRset(f"o{mine}-{number}._detour.{DOMAIN}", RRType.TXT, 1, ("detour/1",))
            family = (a(name), aaaa(name))[mine]
            staying = held[(aaaa(name), a(name))[mine].key]
            await writer.start(provider, Batch(Change(None, own), (Change(held[family.key], None, staying),)))
            await writer.step()  # its ledger is read
        part = [0, 0]
        for mine in order:
            # read the other family; move the ledger and renew; delete and look what is left
            await writers[mine].step((1, 2, 3)[part[mine]])
            part[mine] += 1
            assert served(store, name) or served(store, name, "AAAA"), f"empty after {order}"
        outcomes = await asyncio.gather(*(each.task for each in writers if each.task), return_exceptions=True)
        assert all(not isinstance(each, Exception) or isinstance(each, BatchRefusedError) for each in outcomes)
        withdrawn += sum(not isinstance(each, Exception) for each in outcomes)
    assert withdrawn >= 2  # in the orders where one is through before the other reads, both succeed or one does


async def test_a_name_whose_marker_is_another_one_by_now_is_not_removed(
    provider: AzureDNSProvider, store: ZoneStore
) -> None:
    marker = RRset(marker_name(f"api.{DOMAIN}"), RRType.TXT, 30, ("detour/1 owner=ours",))
    held = await put(provider, a("api"), aaaa("api"), marker)
    ledger = held.pop(RRKey(LEDGER, RRType.TXT))
    store.commit(added=[RecordSet(marker.name, "TXT", 30, ("detour/1 owner=theirs",))], by="theirs")

    moved = RRset(LEDGER, RRType.TXT, 5, ("detour/1 batch=next",))
    with pytest.raises(BatchRefusedError):
        await provider.apply(Batch(Change(ledger, moved), tuple(Change(each, None) for each in held.values())))

    assert served(store, "api")
    assert served(store, "api", "AAAA")


async def test_no_marker_is_put_beside_a_name_that_somebody_else_has_created_meanwhile(
    provider: AzureDNSProvider, store: ZoneStore
) -> None:
    held = await put(provider)
    store.commit(added=[RecordSet(f"api.{DOMAIN}", "A", 60, ("203.0.113.9",))], by="theirs")
    marker = RRset(marker_name(f"api.{DOMAIN}"), RRType.TXT, 30, ("detour/1 owner=ours",))

    with pytest.raises(BatchRefusedError):
        await provider.apply(moving(held, Change(None, marker), Change(None, a("api"))))

    assert (marker.name, "TXT") not in store.served()
    assert served(store, "api") == ("203.0.113.9",)


async def test_a_name_is_removed_with_its_marker(provider: AzureDNSProvider, store: ZoneStore) -> None:
    marker = RRset(marker_name(f"api.{DOMAIN}"), RRType.TXT, 30, ("detour/1 owner=ours",))
    held = await put(provider, a("api"), aaaa("api"), marker)
    ledger = held.pop(RRKey(LEDGER, RRType.TXT))

    moved = RRset(LEDGER, RRType.TXT, 5, ("detour/1 batch=next",))
    await provider.apply(Batch(Change(ledger, moved), tuple(Change(each, None) for each in held.values())))

    assert not {("api." + DOMAIN, "A"), ("api." + DOMAIN, "AAAA"), (marker.name, "TXT")} & set(store.served())


@pytest.mark.parametrize("kind", [FaultKind.RESET_AFTER, FaultKind.RESET_BEFORE, FaultKind.SERVER_ERROR])
async def test_an_unclear_ledger_write_is_sent_once_and_its_outcome_unknown(
    provider: AzureDNSProvider, faults: Faults, emulator: AzureDNSEmulator, kind: FaultKind
) -> None:
    held = await put(provider, a("api"))
    sent = emulator.calls[PUT]
    faults.inject(Fault(kind, PUT, times=1))
    with pytest.raises(OutcomeUnknownError):
        await provider.apply(moving(held, Change(held[a("api").key], a("api", "192.0.2.7"))))
    assert emulator.calls[PUT] == sent + 1


@pytest.mark.parametrize("kind", [FaultKind.RESET_AFTER, FaultKind.SERVER_ERROR, FaultKind.THROTTLE])
async def test_trouble_after_the_ledger_moved_is_an_unknown_outcome(
    provider: AzureDNSProvider, faults: Faults, emulator: AzureDNSEmulator, store: ZoneStore, kind: FaultKind
) -> None:
    held = await put(provider, a("one"), a("two"))
    sent = emulator.calls[DELETE]
    faults.inject(Fault(kind, DELETE, times=1))
    with pytest.raises(OutcomeUnknownError, match="the ledger moved and 1 of 2 changes were made"):
        await provider.apply(
            moving(held, Change(held[a("one").key], a("one", "192.0.2.7")), Change(held[a("two").key], None))
        )
    assert emulator.calls[DELETE] == sent + 1
    assert served(store, "one") == ("192.0.2.7",)


async def test_a_throttled_ledger_changes_nothing_and_names_the_wait(
    provider: AzureDNSProvider, faults: Faults, store: ZoneStore, emulator: AzureDNSEmulator
) -> None:
    held = await put(provider, a("api"))
    before, sent = store.serial, emulator.calls[PUT]
    faults.inject(Fault(FaultKind.THROTTLE, PUT))
    with pytest.raises(ThrottledError) as caught:
        await provider.apply(moving(held, Change(held[a("api").key], a("api", "192.0.2.7"))))
    assert caught.value.retry_after == 1.0
    assert (store.serial, emulator.calls[PUT]) == (before, sent + 1)


async def test_reads_in_trouble_are_unavailable_or_throttled(provider: AzureDNSProvider, faults: Faults) -> None:
    for kind, expected in [
        (FaultKind.THROTTLE, ThrottledError),
        (FaultKind.SERVER_ERROR, UnavailableError),
        (FaultKind.RESET_BEFORE, UnavailableError),
    ]:
        fault = faults.inject(Fault(kind))
        for read in (provider.describe(), provider.read_zone(), provider.read_names([f"api.{DOMAIN}"])):
            with pytest.raises(expected):
                await read
        faults.remove(fault)


async def test_a_refused_connection_was_certainly_not_sent(desk: Desk, emulator: AzureDNSEmulator) -> None:
    provider = await desk.open()
    held = await put(provider)
    await emulator.stop()
    with pytest.raises(UnavailableError, match="no connection"):
        await provider._put(a("api"), None)
    with pytest.raises(UnavailableError):
        await provider.apply(moving(held))


async def test_a_token_that_is_not_accepted_is_refused_without_being_told(desk: Desk) -> None:
    provider = await desk.open(token="wrong-but-secret")
    for call in (provider.describe(), provider.read_zone(), provider.apply(Batch(Change(None, ledger(1))))):
        with pytest.raises(CredentialsRefusedError) as caught:
            await call
        assert "wrong-but-secret" not in str(caught.value)
        assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("secret", "url", "expected"),
    [
        ({}, None, "'tenantID'"),
        ({"tenantID": "t"}, None, "'clientID'"),
        ({"tenantID": "t", "clientID": "c", "clientSecret": " "}, None, "'clientSecret'"),
        ({"accessToken": ""}, None, "'accessToken'"),
        ({"tenantID": "a b", "clientID": "c", "clientSecret": "hush"}, None, "tenantID"),
        ({"tenantID": "t", "clientID": "c", "clientSecret": "hush"}, "http://127.0.0.1:1", "accessToken"),
        (None, "http://127.0.0.1:1", "accessToken"),
    ],
)
async def test_an_unusable_secret_is_refused_with_the_key_s_name(
    secret: Secret | None, url: str | None, expected: str
) -> None:
    settings = AzureDNSSettings("sub", "rg", url)
    with pytest.raises(CredentialsRefusedError, match=expected) as caught:
        await open_zone(domain=DOMAIN, settings=settings, secret=secret, limits=LIMITS, pace=no_pace)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("secret", [None, {"tenantID": "t", "clientID": "c", "clientSecret": "s"}])
async def test_opening_with_an_identity_calls_nothing_yet(secret: Secret | None) -> None:
    settings = AzureDNSSettings("sub", "rg", "https://127.0.0.1:1")
    provider = await open_zone(domain=DOMAIN, settings=settings, secret=secret, limits=LIMITS, pace=no_pace)
    assert provider.limits is LIMITS
    await provider.close()


def test_zones_of_one_subscription_and_principal_share_an_account() -> None:
    settings, other = AzureDNSSettings("sub", "one"), AzureDNSSettings("SUB", "two")
    secret = {"tenantID": "t", "clientID": "app", "clientSecret": "hush"}
    assert account(settings, secret) == account(other, {**secret, "clientSecret": "renewed"})
    assert account(settings, secret) != account(settings, {**secret, "clientID": "another"})
    assert account(settings, secret) != account(AzureDNSSettings("sub2", "one"), secret)
    assert account(settings, None) != account(settings, secret)
    assert "app" not in account(settings, secret)
