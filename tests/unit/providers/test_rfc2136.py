"""What the RFC 2136 provider puts into messages and makes of answers; the rest is in the conformance suite."""

import time
from collections.abc import AsyncIterator

import dns.flags
import dns.rdataclass
import dns.rdatatype
import dns.tsig
import pytest

from detour.enactment.contract import (
    Batch,
    BatchRefusedError,
    Change,
    CredentialsRefusedError,
    OutcomeUnknownError,
    Pace,
    Provider,
    StoredSet,
)
from detour.model.rrset import RRset, RRType
from detour.model.zone import RFC2136Settings
from detour.providers.rfc2136 import LIMITS, open_zone
from detour.providers.rfc2136.messages import update_for
from detour_lab.dns.nameserver import NameServer
from detour_lab.dns.realservers import UpdateKey
from detour_lab.faults import Fault, FaultKind
from detour_lab.zones.store import RecordSet, ZoneStore

DOMAIN = "example.com"
LEDGER = RRset("o._detour.example.com", RRType.TXT, 60, ("detour/1 seq=1",))
MOVED = RRset("o._detour.example.com", RRType.TXT, 60, ("detour/1 seq=2",))


def a(name: str, *values: str, ttl: int = 60) -> RRset:
    return RRset(f"{name}.{DOMAIN}", RRType.A, ttl, values or ("192.0.2.1",))


def stored(text: RRset) -> RecordSet:
    return RecordSet(text.name, "TXT", text.ttl, (f'"{text.values[0]}"',))


async def no_pace(requests: int) -> None:
    """Let everything pass."""


class Lab:
    """The lab's name server with one zone and one key; `skew` (seconds) puts its clock wrong."""

    def __init__(self) -> None:
        self.key = UpdateKey.random()
        self.skew = 0.0
        self.store = ZoneStore(DOMAIN)
        key = dns.tsig.Key(self.key.name, self.key.secret, dns.tsig.HMAC_SHA256)
        self.server = NameServer([self.store], keys={DOMAIN: key}, clock=lambda: time.time() + self.skew)

    async def open(self, pace: Pace = no_pace, **secret: str) -> Provider:
        settings = RFC2136Settings(self.server.address)
        data = {**self.key.as_secret(), **secret}
        return await open_zone(domain=DOMAIN, settings=settings, secret=data, limits=LIMITS, pace=pace)


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    lab = Lab()
    await lab.server.start()
    yield lab
    await lab.server.stop()


@pytest.fixture
async def provider(lab: Lab) -> AsyncIterator[Provider]:
    provider = await lab.open()
    yield provider
    await provider.close()


def test_every_replacement_is_conditional_on_all_its_old_values_with_a_ttl_of_zero() -> None:
    old = a("www", "192.0.2.1", "192.0.2.2")
    message = update_for(DOMAIN, Batch(Change(StoredSet(LEDGER), MOVED), (Change(StoredSet(old), a("www")),)))
    expected = {(f"{rrset.name}.", value) for rrset in (LEDGER, old) for value in rrset.values}
    demanded = {(each.name.to_text(), each[0].to_text().strip('"')) for each in message.prerequisite}
    assert demanded == expected
    assert all(each.ttl == 0 for each in message.prerequisite)


def test_creations_demand_that_nothing_is_in_the_way() -> None:
    cname = RRset("alias.example.com", RRType.CNAME, 60, ("target.example.net",))
    message = update_for(DOMAIN, Batch(Change(StoredSet(LEDGER), MOVED), (Change(None, a("www")), Change(None, cname))))
    absences = {
        (each.name.to_text(), dns.rdatatype.to_text(each.rdtype))
        for each in message.prerequisite
        if each.deleting is None and each.rdclass == dns.rdataclass.NONE
    }
    assert absences == {("www.example.com.", "A"), ("www.example.com.", "CNAME"), ("alias.example.com.", "ANY")}


async def test_a_ledger_that_moves_between_the_question_and_the_proof_of_its_existence_is_not_missing(lab: Lab) -> None:
    asked = 0

    async def moves_before_the_proof(requests: int) -> None:
        nonlocal asked
        asked += 1
        if asked == 2:  # the first was the question, the second is its proof
            lab.store.commit(added=[stored(MOVED)], by="another site")

    lab.store.commit(added=[stored(LEDGER)], by="another site")
    provider = await lab.open(moves_before_the_proof)
    try:
        found = await provider.read_names({LEDGER.name})
    finally:
        await provider.close()
    assert asked > 2
    assert found.sets[LEDGER.key].rrset == MOVED


async def test_a_wrong_clock_is_named_as_the_cause(lab: Lab, provider: Provider) -> None:
    lab.skew = 3600.0
    with pytest.raises(CredentialsRefusedError, match=r"BADTIME.*clock.*300 s"):
        await provider.apply(Batch(Change(None, LEDGER)))
    with pytest.raises(CredentialsRefusedError, match="BADTIME"):
        await provider.describe()
    assert lab.store.get(LEDGER.name, "TXT") is None


async def test_an_unknown_key_is_named_as_such(lab: Lab) -> None:
    provider = await lab.open(keyName="somebody-else")
    with pytest.raises(CredentialsRefusedError, match="BADKEY"):
        await provider.read_zone()
    await provider.close()


async def test_a_name_that_policy_forbids_refuses_the_batch_and_changes_nothing(lab: Lab, provider: Provider) -> None:
    lab.server.refuse_names.add("www.example.com")
    with pytest.raises(BatchRefusedError, match=r"REFUSED.*policy"):
        await provider.apply(Batch(Change(None, LEDGER), (Change(None, a("www")),)))
    assert lab.store.get(LEDGER.name, "TXT") is None


async def test_servfail_to_an_update_leaves_open_what_happened(lab: Lab, provider: Provider) -> None:
    lab.server.faults.inject(Fault(FaultKind.SERVER_ERROR, "UPDATE"))
    with pytest.raises(OutcomeUnknownError, match="SERVFAIL"):
        await provider.apply(Batch(Change(None, LEDGER)))


async def test_a_batch_beyond_a_message_is_refused_before_it_is_sent(lab: Lab, provider: Provider) -> None:
    label = ".".join(["x" * 60] * 3)
    changes = tuple(Change(None, a(f"{label}.host-{number}")) for number in range(300))
    with pytest.raises(BatchRefusedError, match="65,535"):
        await provider.apply(Batch(Change(None, LEDGER), changes))
    assert lab.store.get(LEDGER.name, "TXT") is None


async def test_a_name_in_a_zone_signed_by_its_server_shows_no_signatures(lab: Lab, provider: Provider) -> None:
    signature = "A 13 3 60 20300101000000 20200101000000 1 example.com. AAAA"
    lab.store.commit(added=[RecordSet("www.example.com", "A", 60, ("192.0.2.1",))], by="test")
    lab.store.commit(added=[RecordSet("www.example.com", "RRSIG", 60, (signature,))], by="test")
    contents = await provider.read_zone()
    assert {each.type for each in contents.opaque} == {"SOA", "NS"}
    assert (a("www").name, RRType.A) in contents.sets


async def test_an_unsigned_zone_needs_no_secret() -> None:
    store = ZoneStore(DOMAIN)
    server = NameServer([store])
    await server.start()
    provider = await open_zone(
        domain=DOMAIN, settings=RFC2136Settings(server.address), secret=None, limits=LIMITS, pace=no_pace
    )
    await provider.apply(Batch(Change(None, LEDGER)))
    assert (await provider.read_names([LEDGER.name])).sets[LEDGER.key].rrset == LEDGER
    await provider.close()
    await server.stop()
