"""How the Route 53 provider finds its zone, who it is, and what it spends; the rest is in the conformance suite."""

from collections.abc import AsyncIterator

import pytest

from detour.enactment.contract import (
    Batch,
    Change,
    CredentialsRefusedError,
    Provider,
    Scope,
    ThrottledError,
    ZoneMissingError,
)
from detour.model.rrset import RRKey, RRset, RRType
from detour.model.zone import Route53Settings
from detour.providers.route53 import LIMITS, open_zone
from detour_lab.clouds.route53 import Route53Emulator
from detour_lab.faults import Faults
from detour_lab.zones.store import RecordSet, ZoneStore

DOMAIN = "example.com"
ROLE = "arn:aws:iam::111122223333:role/dns"
KEYS = {"aws_access_key_id": "AKIALABLABLABLABLAB1", "aws_secret_access_key": "a-long-secret"}
LEDGER = RRset("o._detour.example.com", RRType.TXT, 60, ("detour/1 seq=1",))
MOVED = RRset("o._detour.example.com", RRType.TXT, 60, ("detour/1 seq=2",))


class Spent:
    """Counts the requests that a provider asked its budget for."""

    def __init__(self) -> None:
        self.requests = 0

    async def pace(self, requests: int) -> None:
        self.requests += requests


class Account:
    """An emulated account: one zone of our domain, two of another one, and private ones."""

    def __init__(self) -> None:
        self.store = ZoneStore(DOMAIN)
        self.twice = ZoneStore("twice.example")
        keys = {KEYS["aws_access_key_id"]: KEYS["aws_secret_access_key"]}
        self.api = Route53Emulator(
            [self.store, self.twice, ZoneStore("twice.example")],
            faults=Faults(),
            access_keys=keys,
            roles=[ROLE],
            throttle=None,
            private_zones=[ZoneStore(DOMAIN), ZoneStore("inside.example")],
        )


@pytest.fixture
async def account() -> AsyncIterator[Account]:
    account = Account()
    async with account.api:
        yield account


async def opened(account: Account, domain: str = DOMAIN, *, spent: Spent | None = None, **settings: str) -> Provider:
    return await open_zone(
        domain=domain,
        settings=Route53Settings(endpoint_url=account.api.url, **settings),
        secret=KEYS,
        limits=LIMITS,
        pace=(spent or Spent()).pace,
    )


async def test_the_public_zone_is_found_beside_a_private_one(account: Account) -> None:
    provider = await opened(account)
    facts = await provider.describe()
    assert facts.zone_id == account.api.zone_id(account.store)
    assert facts.name_servers == ("ns1.lab.invalid", "ns2.lab.invalid")
    await provider.close()


async def test_the_public_zone_is_found_behind_more_private_ones_than_a_page_holds() -> None:
    """One private zone of the domain for each network: ListHostedZonesByName gives 100 a page."""
    public = ZoneStore(DOMAIN)
    private = [ZoneStore(DOMAIN) for _ in range(120)]
    async with Route53Emulator([public], private_zones=private, faults=Faults(), throttle=None) as api:
        provider = await open_zone(
            domain=DOMAIN, settings=Route53Settings(endpoint_url=api.url), secret=KEYS, limits=LIMITS, pace=Spent().pace
        )
        assert (await provider.describe()).zone_id == api.zone_id(public)
        await provider.close()
        pages = api.calls["ListHostedZonesByName"]
        absent = await open_zone(
            domain="zz." + DOMAIN,
            settings=Route53Settings(endpoint_url=api.url),
            secret=KEYS,
            limits=LIMITS,
            pace=Spent().pace,
        )
        with pytest.raises(ZoneMissingError):
            await absent.describe()
        await absent.close()
    assert pages >= 1


async def test_a_zone_that_was_deleted_and_made_again_is_found_by_itself(account: Account) -> None:
    provider = await opened(account)
    before = await provider.describe()
    fresh = ZoneStore(DOMAIN)
    async with Route53Emulator([ZoneStore("first.example"), fresh], faults=Faults(), throttle=None) as other:
        account.api._zones.pop(before.zone_id)
        account.api._zones[other.zone_id(fresh)] = other._zones[other.zone_id(fresh)]
        with pytest.raises(ZoneMissingError):
            await provider.read_zone()
        await provider.apply(Batch(Change(None, LEDGER)))
        after = await provider.describe()
        assert (after.zone_id, fresh.get(LEDGER.name, "TXT") is not None) == (other.zone_id(fresh), True)
        assert after.identity != before.identity
    await provider.close()


async def test_a_zone_id_that_was_declared_is_not_replaced_by_another(account: Account) -> None:
    declared = account.api.zone_id(account.store)
    provider = await opened(account, zone_id=declared)
    await provider.describe()
    account.api._zones.pop(declared)
    for _ in range(2):
        with pytest.raises(ZoneMissingError, match="zoneID"):
            await provider.read_zone()
    await provider.close()


async def test_the_same_zone_is_recognised_with_and_without_its_id(account: Account) -> None:
    by_name, by_id = await opened(account), await opened(account, zone_id=account.api.zone_id(account.store))
    assert (await by_name.describe()).identity == (await by_id.describe()).identity
    for each in (by_name, by_id):
        await each.close()


async def test_one_domain_in_two_accounts_is_two_zones(account: Account) -> None:
    other = Account()
    async with other.api:
        here, there = await opened(account), await opened(other)
        assert (await here.describe()).identity != (await there.describe()).identity
        for each in (here, there):
            await each.close()


async def test_several_zones_of_a_domain_ask_for_the_zone_id(account: Account) -> None:
    provider = await opened(account, "twice.example")
    with pytest.raises(ZoneMissingError, match="zoneID") as refusal:
        await provider.describe()
    await provider.close()
    zone_id = account.api.zone_id(account.twice)
    assert zone_id in str(refusal.value)
    provider = await opened(account, "twice.example", zone_id=zone_id)
    assert (await provider.describe()).zone_id == zone_id
    await provider.close()


async def test_a_private_zone_is_refused(account: Account) -> None:
    provider = await opened(account, "inside.example")
    with pytest.raises(ZoneMissingError, match="private"):
        await provider.describe()
    await provider.close()


async def test_a_zone_id_of_another_domain_is_refused(account: Account) -> None:
    provider = await opened(account, "twice.example", zone_id=account.api.zone_id(account.store))
    with pytest.raises(ZoneMissingError, match=r"is of example\.com"):
        await provider.describe()
    await provider.close()


async def test_an_unknown_zone_id_is_a_missing_zone(account: Account) -> None:
    provider = await opened(account, zone_id="ZNOTHERE")
    with pytest.raises(ZoneMissingError, match="zoneID"):
        await provider.read_zone()
    await provider.close()


async def test_a_role_is_assumed_and_its_credentials_sign(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", account.api.url)
    provider = await opened(account, role_arn=ROLE)
    await provider.apply(Batch(Change(None, LEDGER)))
    assert account.store.log[-1].by == f"route53:{ROLE}"
    await provider.close()


async def test_a_role_that_may_not_be_assumed_is_refused_by_name(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", account.api.url)
    provider = await opened(account, role_arn="arn:aws:iam::111122223333:role/other")
    with pytest.raises(CredentialsRefusedError, match="role/other"):
        await provider.describe()
    await provider.close()


async def test_a_denied_call_says_which_permission_is_missing(account: Account) -> None:
    account.api.denied.add("ListResourceRecordSets")
    provider = await opened(account)
    with pytest.raises(CredentialsRefusedError, match="route53:ListResourceRecordSets"):
        await provider.read_zone()
    await provider.close()


async def test_a_change_in_flight_asks_for_half_a_second(account: Account) -> None:
    account.api.processing = 60.0
    provider = await opened(account)
    stored = (await provider.apply(Batch(Change(None, LEDGER)))).sets[LEDGER.key]
    with pytest.raises(ThrottledError, match="in flight") as refusal:
        await provider.apply(Batch(Change(stored, MOVED)))
    assert refusal.value.retry_after == 0.5
    assert refusal.value.scope is Scope.ZONE
    await provider.close()


async def test_the_budget_is_asked_before_every_request(account: Account) -> None:
    spent = Spent()
    provider = await opened(account, spent=spent)
    await provider.describe()
    await provider.read_zone()
    await provider.read_names([LEDGER.name])
    await provider.apply(Batch(Change(None, LEDGER)))
    assert spent.requests == sum(account.api.calls.values())
    await provider.close()


async def test_one_name_in_a_large_zone_costs_one_call(account: Account) -> None:
    sets = [RecordSet(f"h{number}.{DOMAIN}", "A", 60, ("192.0.2.1",)) for number in range(900)]
    account.store.commit(added=sets, by="test")
    provider = await opened(account)
    await provider.describe()
    account.api.calls.clear()
    contents = await provider.read_names([f"h77.{DOMAIN}"])
    assert set(contents.sets) == {RRKey(f"h77.{DOMAIN}", RRType.A)}
    assert account.api.calls["ListResourceRecordSets"] == 1
    await provider.close()


@pytest.mark.parametrize("part", ["aws_access_key_id", "aws_secret_access_key"])
async def test_a_secret_that_lacks_a_part_is_refused_with_its_name(part: str) -> None:
    secret = {key: value for key, value in KEYS.items() if key != part}
    with pytest.raises(CredentialsRefusedError, match=f"'{part}'") as refusal:
        await open_zone(domain=DOMAIN, settings=Route53Settings(), secret=secret, limits=LIMITS, pace=Spent().pace)
    assert not any(value in str(refusal.value) for value in secret.values())


ALIAS = {"AliasTarget": {"DNSName": "x.example.net.", "HostedZoneId": "Z1", "EvaluateTargetHealth": "false"}}


@pytest.mark.parametrize(
    ("extra", "word"),
    [
        (ALIAS, "alias"),
        ({"SetIdentifier": "one", "Region": "eu-west-1"}, "latency"),
        ({"SetIdentifier": "one", "Failover": "PRIMARY"}, "failover"),
    ],
)
async def test_routing_is_named_in_plain_words(account: Account, extra: dict[str, object], word: str) -> None:
    values = () if word == "alias" else ("192.0.2.1",)
    account.store.commit(added=[RecordSet(f"r.{DOMAIN}", "A", 60, values, extra=extra)], by="test")
    provider = await opened(account)
    (opaque,) = (await provider.read_names([f"r.{DOMAIN}"])).opaque
    assert word in opaque.why
    await provider.close()
