"""The Azure DNS emulator as the real SDK meets it: every operation, its preconditions, refusals and pages."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from azure.core.exceptions import AzureError, HttpResponseError
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.mgmt.dns import DnsManagementClient, models
from azure.mgmt.dns.aio import DnsManagementClient as AsyncDnsManagementClient

from detour_lab.clouds.azuredns import PUBLISHED, AzureDNSEmulator
from detour_lab.faults import Fault, FaultKind
from detour_lab.zones.store import RecordSet, ZoneStore

SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
GROUP = "rg"
DOMAIN = "example.org"
TOKEN = "lab-token"
WHERE = (GROUP, DOMAIN)


class Bearer(SansIOHTTPPolicy[Any, Any]):
    """Puts a fixed token on each request, over plain http too."""

    def __init__(self, token: str = TOKEN) -> None:
        self.token = token

    def on_request(self, request: Any) -> None:
        request.http_request.headers["Authorization"] = f"Bearer {self.token}"


UNUSED_CREDENTIAL: Any = object()
"""The clients want one, but the policy above speaks instead of it."""


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def store() -> ZoneStore:
    return ZoneStore(DOMAIN)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def emulator(store: ZoneStore, clock: Clock) -> AsyncIterator[AzureDNSEmulator]:
    zones = [store, ZoneStore("internal.example.org")]
    server = AzureDNSEmulator(
        zones,
        subscription=SUBSCRIPTION,
        resource_group=GROUP,
        tokens={TOKEN, "other"},
        private={"internal.example.org"},
        quota=replace(PUBLISHED, writes=(10.0, 1000), deletes=(10.0, 1000)),
        clock=clock,
    )
    async with server:
        yield server


def options(emulator: AzureDNSEmulator, token: str = TOKEN) -> dict[str, Any]:
    return {"base_url": emulator.url, "authentication_policy": Bearer(token), "retry_total": 0}


@pytest.fixture
async def client(emulator: AzureDNSEmulator) -> AsyncIterator[AsyncDnsManagementClient]:
    async with AsyncDnsManagementClient(UNUSED_CREDENTIAL, SUBSCRIPTION, **options(emulator)) as sdk:
        yield sdk


@pytest.fixture
def sets(client: AsyncDnsManagementClient) -> Any:
    return client.record_sets


def addresses(*texts: str, ttl: int = 30, **more: Any) -> models.RecordSet:
    return models.RecordSet(ttl=ttl, a_records=[models.ARecord(ipv4_address=text) for text in texts], **more)


async def refusal(call: Any) -> Any:
    with pytest.raises(HttpResponseError) as caught:
        await call
    return caught.value


async def test_a_created_set_comes_back_as_the_sdk_s_model(sets: Any, store: ZoneStore) -> None:
    made = await sets.create_or_update(
        *WHERE, "api.shop", "A", addresses("192.0.2.2", "192.0.2.1", metadata={"team": "shop"})
    )
    assert made.name == "api.shop"
    assert made.type == "Microsoft.Network/dnszones/A"
    assert made.id.endswith(f"/resourceGroups/{GROUP}/providers/Microsoft.Network/dnszones/{DOMAIN}/A/api.shop")
    assert (made.ttl, made.fqdn, made.provisioning_state) == (30, "api.shop.example.org.", "Succeeded")
    assert [each.ipv4_address for each in made.a_records] == ["192.0.2.2", "192.0.2.1"]
    assert made.metadata == {"team": "shop"}
    kept = store.get("api.shop.example.org", "A")
    assert kept is not None
    assert (kept.values, kept.etag) == (("192.0.2.2", "192.0.2.1"), made.etag)


RECORDS: dict[str, dict[str, Any]] = {
    "A": {"a_records": [models.ARecord(ipv4_address="192.0.2.1")]},
    "AAAA": {"aaaa_records": [models.AaaaRecord(ipv6_address="2001:db8::1")]},
    "CAA": {"caa_records": [models.CaaRecord(flags=0, tag="issue", value="ca.example.net")]},
    "CNAME": {"cname_record": models.CnameRecord(cname="lb.example.net")},
    "MX": {"mx_records": [models.MxRecord(preference=10, exchange="mx.example.net")]},
    "NS": {"ns_records": [models.NsRecord(nsdname="ns1.example.net.")]},
    "PTR": {"ptr_records": [models.PtrRecord(ptrdname="host.example.net")]},
    "SRV": {"srv_records": [models.SrvRecord(priority=1, weight=2, port=443, target="a.example.net")]},
    "TXT": {"txt_records": [models.TxtRecord(value=['say "hi" \\ bye', "x" * 255])]},
}


@pytest.mark.parametrize("rrtype", RECORDS)
async def test_every_type_survives_the_way_into_the_store_and_back(sets: Any, rrtype: str) -> None:
    await sets.create_or_update(*WHERE, "name", rrtype, models.RecordSet(ttl=60, **RECORDS[rrtype]))
    read = await sets.get(*WHERE, "name", rrtype)
    [(member, expected)] = RECORDS[rrtype].items()
    assert getattr(read, member) == expected


async def test_txt_is_quoted_in_the_store_so_that_the_name_server_can_read_it(sets: Any, store: ZoneStore) -> None:
    await sets.create_or_update(
        *WHERE, "t", "TXT", models.RecordSet(ttl=1, txt_records=[models.TxtRecord(value=["a b", 'c"'])])
    )
    kept = store.get("t.example.org", "TXT")
    assert kept is not None
    assert kept.values == ('"a b" "c\\""',)


async def test_the_zone_s_own_soa_carries_its_negative_ttl(sets: Any) -> None:
    soa = await sets.get(*WHERE, "@", "SOA")
    assert (soa.name, soa.fqdn, soa.soa_record.minimum_ttl) == ("@", "example.org.", 30)


async def test_if_match_is_a_compare_and_swap(sets: Any) -> None:
    first = await sets.create_or_update(*WHERE, "api", "A", addresses("192.0.2.1"))
    second = await sets.create_or_update(*WHERE, "api", "A", addresses("192.0.2.2"), if_match=first.etag)
    assert second.etag != first.etag
    lost = await refusal(sets.create_or_update(*WHERE, "api", "A", addresses("192.0.2.3"), if_match=first.etag))
    assert (lost.status_code, lost.error.code) == (412, "PreconditionFailed")
    assert [each.ipv4_address for each in (await sets.get(*WHERE, "api", "A")).a_records] == ["192.0.2.2"]


async def test_a_write_of_the_same_values_renews_the_etag(sets: Any) -> None:
    first = await sets.create_or_update(*WHERE, "api", "A", addresses("192.0.2.1"))
    again = await sets.create_or_update(*WHERE, "api", "A", addresses("192.0.2.1"))
    assert again.etag != first.etag


async def test_if_match_never_creates(sets: Any) -> None:
    for condition in ("*", "some-etag"):
        error = await refusal(sets.create_or_update(*WHERE, "api", "A", addresses("192.0.2.1"), if_match=condition))
        assert error.status_code == 412


async def test_if_none_match_creates_only(sets: Any) -> None:
    await sets.create_or_update(*WHERE, "api", "A", addresses("192.0.2.1"), if_none_match="*")
    error = await refusal(sets.create_or_update(*WHERE, "api", "A", addresses("192.0.2.2"), if_none_match="*"))
    assert error.status_code == 412
    assert "If-None-Match" in error.error.message


async def test_creation_answers_201_and_update_200(sets: Any) -> None:
    def status(response: Any, *_: Any) -> int:
        return int(response.http_response.status_code)

    assert await sets.create_or_update(*WHERE, "api", "A", addresses("192.0.2.1"), cls=status) == 201
    assert await sets.create_or_update(*WHERE, "api", "A", addresses("192.0.2.1"), cls=status) == 200
    assert await sets.delete(*WHERE, "api", "A", cls=status) == 200
    assert await sets.delete(*WHERE, "api", "A", if_match="gone", cls=status) == 204


async def test_deletion_honours_the_etag(sets: Any, store: ZoneStore) -> None:
    first = await sets.create_or_update(*WHERE, "api", "A", addresses("192.0.2.1"))
    second = await sets.create_or_update(*WHERE, "api", "A", addresses("192.0.2.2"))
    assert (await refusal(sets.delete(*WHERE, "api", "A", if_match=first.etag))).status_code == 412
    assert store.get("api.example.org", "A") is not None
    await sets.delete(*WHERE, "api", "A", if_match=second.etag)
    assert store.get("api.example.org", "A") is None


async def test_patch_changes_what_it_names_and_keeps_the_rest(sets: Any) -> None:
    made = await sets.create_or_update(*WHERE, "api", "A", addresses("192.0.2.1", metadata={"team": "shop"}))
    changed = await sets.update(*WHERE, "api", "A", models.RecordSet(ttl=77), if_match=made.etag)
    assert (changed.ttl, changed.metadata) == (77, {"team": "shop"})
    assert [each.ipv4_address for each in changed.a_records] == ["192.0.2.1"]
    stale = await refusal(sets.update(*WHERE, "api", "A", models.RecordSet(ttl=78), if_match=made.etag))
    assert stale.status_code == 412
    assert (await refusal(sets.update(*WHERE, "none", "A", models.RecordSet(ttl=78)))).status_code == 404


async def test_a_set_without_records_is_accepted_and_never_served(sets: Any, store: ZoneStore) -> None:
    made = await sets.create_or_update(*WHERE, "api", "A", addresses("192.0.2.1"))
    emptied = await sets.create_or_update(*WHERE, "api", "A", models.RecordSet(ttl=30, a_records=[]))
    assert emptied.a_records == []
    assert emptied.etag != made.etag
    assert store.get("api.example.org", "A") is None
    assert ("api.example.org", "A") not in store.served()
    assert (await sets.get(*WHERE, "api", "A")).a_records == []
    assert (
        await refusal(sets.create_or_update(*WHERE, "api", "A", addresses("192.0.2.1"), if_none_match="*"))
    ) is not None
    await sets.create_or_update(*WHERE, "api", "A", addresses("192.0.2.1"), if_match=emptied.etag)
    assert ("api.example.org", "A") in store.served()


async def test_an_emptied_set_can_be_deleted(sets: Any) -> None:
    await sets.create_or_update(*WHERE, "api", "A", models.RecordSet(ttl=30, a_records=[]))
    await sets.delete(*WHERE, "api", "A")
    assert (await refusal(sets.get(*WHERE, "api", "A"))).status_code == 404


async def test_an_alias_shows_its_target_resource_and_a_plain_set_an_empty_one(sets: Any, store: ZoneStore) -> None:
    target = {"id": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/publicIPAddresses/ip"}
    alias = RecordSet("alias.example.org", "A", 60, ("192.0.2.9",), extra={"targetResource": target})
    store.commit(added=[alias], by="test")
    await sets.create_or_update(*WHERE, "plain", "A", addresses("192.0.2.1"))
    assert (await sets.get(*WHERE, "alias", "A")).target_resource.id == target["id"]
    assert (await sets.get(*WHERE, "plain", "A")).target_resource.id is None


@pytest.mark.parametrize(("first", "second"), [("A", "CNAME"), ("CNAME", "A"), ("CNAME", "TXT")])
async def test_a_cname_shares_its_name_with_nothing(sets: Any, first: str, second: str) -> None:
    await sets.create_or_update(*WHERE, "www", first, models.RecordSet(ttl=60, **RECORDS[first]))
    error = await refusal(sets.create_or_update(*WHERE, "www", second, models.RecordSet(ttl=60, **RECORDS[second])))
    assert (error.status_code, error.error.code) == (409, "Conflict")
    await sets.delete(*WHERE, "www", first)
    await sets.create_or_update(*WHERE, "www", second, models.RecordSet(ttl=60, **RECORDS[second]))


@pytest.mark.parametrize(
    ("relative", "rrtype", "record_set"),
    [
        ("many", "A", addresses(*(f"192.0.2.{last}" for last in range(1, 22)))),
        ("twice", "A", addresses("192.0.2.1", "192.0.2.1")),
        ("bad", "A", addresses("192.0.2.300")),
        ("ttl", "A", addresses("192.0.2.1", ttl=0)),
        ("other", "A", models.RecordSet(ttl=60, **RECORDS["AAAA"])),
        ("long", "TXT", models.RecordSet(ttl=60, txt_records=[models.TxtRecord(value=["x" * 256])])),
        ("@", "CNAME", models.RecordSet(ttl=60, **RECORDS["CNAME"])),
    ],
)
async def test_nonsense_is_refused_and_nothing_is_stored(
    sets: Any, store: ZoneStore, relative: str, rrtype: str, record_set: models.RecordSet
) -> None:
    before = store.serial
    error = await refusal(sets.create_or_update(*WHERE, relative, rrtype, record_set))
    assert (error.status_code, error.error.code) == (400, "BadRequest")
    assert store.serial == before


async def test_the_apex_keeps_its_soa_and_ns(sets: Any, store: ZoneStore) -> None:
    for rrtype in ("SOA", "NS"):
        assert (await refusal(sets.delete(*WHERE, "@", rrtype))).status_code == 400
        assert store.get(DOMAIN, rrtype) is not None


async def test_a_list_comes_in_pages_that_hold_each_set_once(
    sets: Any, store: ZoneStore, emulator: AzureDNSEmulator
) -> None:
    store.commit(added=[RecordSet(f"n{i:03}.{DOMAIN}", "A", 60, ("192.0.2.1",)) for i in range(250)], by="test")
    listed = [each.name async for each in sets.list_by_dns_zone(*WHERE)]
    assert len(listed) == 252
    assert len(set(listed)) == 251  # the apex has two
    assert emulator.calls["RecordSets_ListByDnsZone"] == 3
    assert len([each async for each in sets.list_all_by_dns_zone(*WHERE, top=1000)]) == 252
    assert emulator.calls["RecordSets_ListAllByDnsZone"] == 1
    assert len([each async for each in sets.list_by_type(*WHERE, "A", top=7)]) == 250
    assert emulator.calls["RecordSets_ListByType"] == 36


async def test_a_list_goes_on_rightly_when_sets_vanish_between_its_pages(sets: Any, store: ZoneStore) -> None:
    store.commit(added=[RecordSet(f"n{i:03}.{DOMAIN}", "A", 60, ("192.0.2.1",)) for i in range(150)], by="test")
    pages = sets.list_by_type(*WHERE, "A", top=100).by_page()
    first = [each.name async for each in await anext(pages)]
    store.commit(removed=[(f"{name}.{DOMAIN}", "A") for name in first[:50]], by="test")
    second = [each.name async for each in await anext(pages)]
    assert second == [f"n{i:03}" for i in range(100, 150)]


async def test_a_suffix_filters_a_list(sets: Any, store: ZoneStore) -> None:
    names = ("a.shop", "b.shop", "shop", "workshop", "a.office")
    store.commit(added=[RecordSet(f"{name}.{DOMAIN}", "A", 60, ("192.0.2.1",)) for name in names], by="test")
    listed = [each.name async for each in sets.list_by_dns_zone(*WHERE, recordsetnamesuffix="shop")]
    assert listed == ["a.shop", "b.shop"]


async def test_zones_are_described_and_listed(client: AsyncDnsManagementClient, store: ZoneStore) -> None:
    zone = await client.zones.get(*WHERE)
    assert (zone.name, zone.zone_type, zone.location) == (DOMAIN, "Public", "global")
    assert zone.name_servers == ["ns1.lab.invalid.", "ns2.lab.invalid."]
    assert (zone.number_of_record_sets, zone.max_number_of_record_sets) == (2, 10_000)
    assert zone.etag
    assert (await client.zones.get(GROUP, "internal.example.org")).zone_type == "Private"
    assert [each.name async for each in client.zones.list()] == [DOMAIN, "internal.example.org"]
    assert [each.name async for each in client.zones.list_by_resource_group(GROUP, top=1)] == [
        DOMAIN,
        "internal.example.org",
    ]


async def test_what_is_missing_is_named(client: AsyncDnsManagementClient, emulator: AzureDNSEmulator) -> None:
    sets: Any = client.record_sets
    async with AsyncDnsManagementClient(UNUSED_CREDENTIAL, "another", **options(emulator)) as stranger:
        expected = [
            (sets.get(*WHERE, "none", "A"), "NotFound"),
            (sets.get(GROUP, "example.net", "api", "A"), "ParentResourceNotFound"),
            (client.zones.get(GROUP, "example.net"), "ResourceNotFound"),
            (client.zones.get("another", DOMAIN), "ResourceGroupNotFound"),
            (stranger.zones.get(*WHERE), "SubscriptionNotFound"),
        ]
        for call, code in expected:
            error = await refusal(call)
            assert (error.status_code, error.error.code) == (404, code)


@pytest.mark.parametrize(("token", "code"), [("wrong", "InvalidAuthenticationToken"), ("", "AuthenticationFailed")])
async def test_an_unknown_token_is_let_in_nowhere(emulator: AzureDNSEmulator, token: str, code: str) -> None:
    async with AsyncDnsManagementClient(UNUSED_CREDENTIAL, SUBSCRIPTION, **options(emulator, token)) as client:
        error = await refusal(client.zones.get(*WHERE))
    assert (error.status_code, error.error.code) == (401, code)
    assert not emulator.calls


async def test_the_synchronous_client_works_too(emulator: AzureDNSEmulator) -> None:
    def work() -> tuple[str | None, list[str | None]]:
        with DnsManagementClient(UNUSED_CREDENTIAL, SUBSCRIPTION, **options(emulator)) as client:
            made = client.record_sets.create_or_update(*WHERE, "*.wild", "A", addresses("192.0.2.1"))
            client.record_sets.update(*WHERE, "*.wild", "A", models.RecordSet(ttl=9), if_match=made.etag)
            listed = [each.name for each in client.record_sets.list_by_dns_zone(*WHERE, top=1)]
            client.record_sets.delete(*WHERE, "*.wild", "A")
            return client.record_sets.get(*WHERE, "@", "NS").fqdn, listed

    assert await asyncio.to_thread(work) == ("example.org.", ["*.wild", "@", "@"])


WRITES: dict[str, tuple[int, Callable[[Any, int], Any]]] = {
    "create": (PUBLISHED.create, lambda sets, n: sets.create_or_update(*WHERE, f"n{n}", "A", addresses("192.0.2.1"))),
    "update": (PUBLISHED.update, lambda sets, n: sets.create_or_update(*WHERE, "api", "A", addresses("192.0.2.1"))),
    "delete": (PUBLISHED.delete, lambda sets, n: sets.delete(*WHERE, "none", "A")),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", WRITES)
async def test_each_kind_of_write_has_200_a_minute(sets: Any, store: ZoneStore, clock: Clock, kind: str) -> None:
    store.commit(added=[RecordSet("api.example.org", "A", 60, ("192.0.2.1",))], by="test")
    limit, write = WRITES[kind]
    assert limit == 200
    for number in range(limit):
        await write(sets, number)
    error = await refusal(write(sets, 1000))
    assert (error.status_code, error.error.code) == (429, "TooManyRequests")
    await sets.get(*WHERE, "api", "A")  # reading has a quota of its own
    clock.now += int(error.response.headers["Retry-After"])
    await write(sets, 2000)


async def test_resource_manager_counts_each_caller_over_all_zones(store: ZoneStore, clock: Clock) -> None:
    quota = replace(PUBLISHED, reads=(1.0, 2))
    zones = [store, ZoneStore("example.net")]
    manager = AzureDNSEmulator(
        zones, subscription=SUBSCRIPTION, resource_group=GROUP, tokens={TOKEN, "other"}, quota=quota, clock=clock
    )
    async with manager as emulator:
        first: Any = AsyncDnsManagementClient(UNUSED_CREDENTIAL, SUBSCRIPTION, **options(emulator))
        other: Any = AsyncDnsManagementClient(UNUSED_CREDENTIAL, SUBSCRIPTION, **options(emulator, "other"))
        async with first, other:
            await first.zones.get(GROUP, DOMAIN)
            await first.zones.get(GROUP, "example.net")
            assert (await refusal(first.zones.get(GROUP, DOMAIN))).status_code == 429
            await other.zones.get(GROUP, DOMAIN)


async def test_answers_tell_what_is_left(emulator: AzureDNSEmulator) -> None:
    path = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Network/dnsZones/{DOMAIN}/all"
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as session:
        async with session.get(f"{emulator.url}{path}?api-version=2018-05-01") as answer:
            assert answer.headers["x-ms-ratelimit-remaining-subscription-reads"] == "249"
            assert answer.headers["x-ms-ratelimit-remaining-subscription-resource-requests"] == "59"
        async with session.get(f"{emulator.url}{path}?api-version=2019-01-01") as answer:
            assert answer.status == 400
        async with session.get(f"{emulator.url}{path}") as answer:
            assert (await answer.json())["error"]["code"] == "MissingApiVersionParameter"


async def test_a_throttle_fault_looks_like_the_service_s_own(sets: Any, emulator: AzureDNSEmulator) -> None:
    emulator.faults.inject(Fault(FaultKind.THROTTLE, "RecordSets_Get", DOMAIN, times=1))
    error = await refusal(sets.get(*WHERE, "@", "SOA"))
    assert (error.status_code, error.response.headers["Retry-After"]) == (429, "1")
    emulator.faults.inject(Fault(FaultKind.SERVER_ERROR, "RecordSets_Get", times=1))
    assert (await refusal(sets.get(*WHERE, "@", "SOA"))).status_code == 500


async def test_a_lost_answer_was_applied_and_aiohttp_sends_the_put_twice(
    sets: Any, emulator: AzureDNSEmulator, store: ZoneStore
) -> None:
    emulator.faults.inject(Fault(FaultKind.RESET_AFTER, "RecordSets_CreateOrUpdate", times=None))
    with pytest.raises(AzureError):
        await sets.create_or_update(*WHERE, "api", "A", addresses("192.0.2.1"))
    assert store.get("api.example.org", "A") is not None
    assert emulator.calls["RecordSets_CreateOrUpdate"] == 2  # the trap that the provider has to step around


def keys(document: Any, model: Any, where: str = "") -> Iterator[str]:
    """Yield the members of `document` that `model`'s attribute map does not know."""
    known: dict[str, Any] = {}
    for each in model._attribute_map.values():
        head, _, rest = each["key"].partition(".")
        if rest:
            known.setdefault(head, {})[rest] = each["type"]
        else:
            known[head] = each["type"]
    yield from _unknown(document, known, where)


def _unknown(document: Any, known: dict[str, Any], where: str) -> Iterator[str]:
    for member, value in document.items():
        if member not in known:
            yield f"{where}{member}"
        elif isinstance(known[member], dict):
            yield from _unknown(value, known[member], f"{where}{member}.")
        elif hasattr(models, name := known[member].strip("[]{}")):
            for each in value if isinstance(value, list) else [value]:
                yield from keys(each, getattr(models, name), f"{where}{member}.")


async def test_every_json_member_is_one_that_the_sdk_s_models_know(
    sets: Any, emulator: AzureDNSEmulator, store: ZoneStore
) -> None:
    for number, (rrtype, records) in enumerate(RECORDS.items()):
        made = models.RecordSet(ttl=60, metadata={"a": "b"}, **records)
        await sets.create_or_update(*WHERE, f"n{number}", rrtype, made)
    base = f"{emulator.url}/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Network/dnsZones"
    query = "?api-version=2018-05-01&$top=5"
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as session:
        for path, model, members in [
            (f"/{DOMAIN}/all", models.RecordSetListResult, {"value", "nextLink"}),
            ("", models.ZoneListResult, {"value"}),
            (f"/{DOMAIN}", models.Zone, {"properties"}),
            (f"/{DOMAIN}/A/none", models.CloudErrorBody, {"code", "message"}),
        ]:
            async with session.get(base + path + query) as answer:
                document = await answer.json()
            assert members <= document.keys()
            assert list(keys(document, model)) == []
        async with session.get(f"{base}/{DOMAIN}/all?api-version=2018-05-01") as answer:
            types = {each["type"].rsplit("/")[-1] for each in (await answer.json())["value"]}
        assert types == {*RECORDS, "SOA"}
    assert list(keys({"properties": {"surprise": 1}}, models.Zone)) == ["properties.surprise"]
