"""The emulated Cloud DNS behaves as the real one does towards Google's client: atomic, exact and paged."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import requests
from google.api_core import exceptions
from google.auth import credentials as google_credentials
from google.cloud import dns
from google.oauth2 import credentials as oauth2_credentials
from google.oauth2 import service_account as oauth2_accounts

from detour_lab.clouds.clouddns import CloudDNSEmulator, Quotas, new_service_account
from detour_lab.faults import Fault, FaultKind, Faults
from detour_lab.zones.store import RecordSet, ZoneStore

anonymous: Any = google_credentials.AnonymousCredentials  # google-auth has no types for these
bearer: Any = oauth2_credentials.Credentials
signer: Any = oauth2_accounts.Credentials

PROJECT, ZONE = "lab-project", "example-org"
NAME = "api.example.org."
Set = tuple[str, str, int, list[str]]
Submit = Callable[..., Awaitable[Any]]


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def client_of(emulator: CloudDNSEmulator, who: Any = None) -> Any:
    options = {"api_endpoint": emulator.url}
    return dns.Client(project=PROJECT, credentials=who or anonymous(), client_options=options)


def address(*values: str, name: str = NAME, rrtype: str = "A", ttl: int = 30) -> Set:
    return name, rrtype, ttl, list(values)


def bad(additions: tuple[Set, ...], deletions: tuple[Set, ...], *expected: object) -> Any:
    return pytest.param(additions, deletions, expected, id=str(expected))


async def send(client: Any, additions: tuple[Set, ...] = (), deletions: tuple[Set, ...] = ()) -> Any:
    zone = client.zone(ZONE)
    made = zone.changes()
    for each in additions:
        made.add_record_set(zone.resource_record_set(*each))
    for each in deletions:
        made.delete_record_set(zone.resource_record_set(*each))
    await asyncio.to_thread(made.create)
    return made


async def get(client: Any, path: str, **query: str) -> Any:
    where = f"/projects/{PROJECT}/managedZones/{ZONE}{path}"
    return await asyncio.to_thread(client._connection.api_request, method="GET", path=where, query_params=query)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock: Clock) -> ZoneStore:
    return ZoneStore("example.org", clock=clock)


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
async def emulator(store: ZoneStore, faults: Faults, clock: Clock) -> AsyncIterator[CloudDNSEmulator]:
    zones = {ZONE: store, "internal": ZoneStore("internal.example.org")}
    async with CloudDNSEmulator(
        zones, project=PROJECT, faults=faults, private_zones=["internal"], clock=clock
    ) as running:
        yield running


@pytest.fixture
def client(emulator: CloudDNSEmulator) -> Any:
    return client_of(emulator)


async def test_a_deletion_and_an_addition_swap_a_value(client: Any, store: ZoneStore) -> None:
    await send(client, (address("192.0.2.1", "192.0.2.2"),))
    await send(client, (address("192.0.2.3", ttl=60),), (address("192.0.2.2", "192.0.2.1"),))
    kept = store.get("api.example.org", "A")
    assert kept is not None
    assert (kept.ttl, kept.values) == (60, ("192.0.2.3",))
    assert store.log[-1].by == "clouddns:anonymous"


@pytest.mark.parametrize(
    ("additions", "deletions", "expected"),
    [
        bad((), (address("192.0.2.9"),), 412, "conditionNotMet"),
        bad((), (address("192.0.2.1", ttl=31),), 412, "conditionNotMet"),
        bad((), (address("::1", rrtype="AAAA"),), 404, "notFound"),
        bad((address("192.0.2.1"),), (), 409, "alreadyExists"),
        bad((address("192.0.2.1", name="b.example.org."),) * 2, (), 409, "alreadyExists"),
        bad((address("lb.example.net.", rrtype="CNAME"),), (), 400, "cnameResourceRecordSetConflict"),
        bad((address('"x"', rrtype="TXT", name="www.example.org."),), (), 400, "cnameResourceRecordSetConflict"),
        bad(
            (address("lb.example.net.", rrtype="CNAME", name="example.org."),),
            (),
            400,
            "recordTypeDisallowedAtZoneApex",
        ),
        bad((address("a.test.", "b.test.", rrtype="CNAME", name="c.example.org."),), (), 400, "invalidRecordCount"),
        bad((address("ns.test.", rrtype="NS", name="*.example.org."),), (), 400, "wildcardNotAllowed"),
        bad((address("192.0.2.1", name="api.example.com."),), (), 400, "invalid"),
        bad((address("192.0.2.1", name="relative"),), (), 400, "invalid"),
        bad((address("192.0.2.1", name="a..example.org."),), (), 400, "invalid"),
        bad((address("192.0.2.256", name="b.example.org."),), (), 400, "invalid"),
        bad((address("relative", rrtype="CNAME", name="b.example.org."),), (), 400, "invalid"),
        bad((address(f'"{"x" * 256}"', rrtype="TXT", name="b.example.org."),), (), 400, "invalid"),
        bad((address("192.0.2.1", name="b.example.org.", ttl=-1),), (), 400, "invalid"),
        bad((address("192.0.2.1", name="b.example.org.", rrtype="GROUP"),), (), 400, "invalid"),
        bad((address(name="b.example.org."),), (), 400, "required"),
        bad(
            (),
            (address("ns1.lab.invalid.", "ns2.lab.invalid.", name="example.org.", rrtype="NS", ttl=172800),),
            400,
            "invalidZoneApex",
        ),
        bad(tuple(address("192.0.2.1", name=f"n{n}.example.org.") for n in range(1001)), (), 403, "quotaExceeded"),
        bad(
            (address(*[f"10.0.{n // 250}.{n % 250}" for n in range(101)], name="b.example.org."),),
            (),
            403,
            "quotaExceeded",
        ),
    ],
)
async def test_one_bad_part_refuses_the_whole_change(
    client: Any, store: ZoneStore, additions: tuple[Set, ...], deletions: tuple[Set, ...], expected: tuple[int, str]
) -> None:
    await send(client, (address("192.0.2.1"), address("x.test.", rrtype="CNAME", name="www.example.org.")))
    before = store.serial
    with pytest.raises(exceptions.GoogleAPICallError) as caught:
        await send(client, (address("192.0.2.7", name="good.example.org."), *additions), deletions)
    assert (caught.value.code, caught.value.errors[0]["reason"]) == expected
    assert store.serial == before


async def test_every_invalid_value_is_named(client: Any) -> None:
    with pytest.raises(exceptions.BadRequest) as caught:
        await send(client, (address("192.0.2.1", "x", "y"),))
    assert [each["message"] for each in caught.value.errors] == [
        "Invalid value for 'entity.change.additions[0].rrdata[1]': 'x'",
        "Invalid value for 'entity.change.additions[0].rrdata[2]': 'y'",
    ]


async def test_an_address_takes_the_place_of_a_cname_in_one_change(client: Any, store: ZoneStore) -> None:
    cname = address("lb.example.net.", rrtype="CNAME")
    await send(client, (cname,))
    await send(client, (address("192.0.2.1"),), (cname,))
    assert [each.type for each in store.at_name("api.example.org")] == ["A"]


async def test_a_change_carries_1000_additions_and_1000_deletions(client: Any, store: ZoneStore) -> None:
    sets = tuple(address("192.0.2.1", name=f"n{n}.example.org.") for n in range(1000))
    await send(client, sets)
    await send(client, tuple(address("192.0.2.2", name=each[0]) for each in sets), sets)
    assert len(store.all()) == 1002


async def test_a_zone_has_a_largest_number_of_sets(store: ZoneStore) -> None:
    async with CloudDNSEmulator({ZONE: store}, project=PROJECT, faults=Faults(), sets_per_zone=3) as emulator:
        client = client_of(emulator)
        await send(client, (address("192.0.2.1"),))
        with pytest.raises(exceptions.Forbidden) as caught:
            await send(client, (address("192.0.2.1", name="b.example.org."),))
    assert caught.value.errors[0]["reason"] == "quotaExceeded"


async def test_a_change_is_pending_until_the_name_server_serves_it(client: Any, store: ZoneStore, clock: Clock) -> None:
    store.lag = 10
    made = await send(client, (address("192.0.2.1"),))
    assert (made.status, made.name) == ("pending", "1")
    assert [each["name"] for each in (await get(client, "/rrsets", name=NAME))["rrsets"]] == [NAME]
    clock.now += 10
    await asyncio.to_thread(made.reload)
    assert made.status == "done"
    assert await asyncio.to_thread(made.exists)


async def test_changes_are_listed_in_order(client: Any) -> None:
    for place in range(3):
        await send(client, (address("192.0.2.1", name=f"n{place}.example.org."),))
    listed = await asyncio.to_thread(lambda: list(client.zone(ZONE).list_changes(max_results=2)))
    assert [each.name for each in listed] == ["0", "1"]
    newest = await get(client, "/changes", sortOrder="descending", maxResults="1")
    assert newest["changes"][0]["id"] == "3"


async def test_lists_come_in_pages(store: ZoneStore) -> None:
    async with CloudDNSEmulator({ZONE: store}, project=PROJECT, faults=Faults(), items_per_page=4) as emulator:
        client = client_of(emulator)
        await send(client, tuple(address("192.0.2.1", name=f"n{n}.example.org.") for n in range(10)))
        sets = await asyncio.to_thread(lambda: list(client.zone(ZONE).list_resource_record_sets()))
        assert sorted((each.name, each.record_type) for each in sets) == [
            ("example.org.", "NS"),
            ("example.org.", "SOA"),
            *((f"n{n}.example.org.", "A") for n in range(10)),
        ]
        assert emulator.calls["resourceRecordSets.list"] == 3


async def test_sets_are_read_by_name_and_type(client: Any) -> None:
    await send(
        client, (address("192.0.2.1"), address('"a b" "c"', rrtype="TXT"), address("192.0.2.1", name="*.example.org."))
    )
    assert [each["type"] for each in (await get(client, "/rrsets", name=NAME))["rrsets"]] == ["A", "TXT"]
    found = (await get(client, "/rrsets", name="API.example.org.", type="TXT"))["rrsets"]
    assert [each["rrdatas"] for each in found] == [['"a b" "c"']]
    wildcard = (await get(client, "/rrsets", name="*.example.org."))["rrsets"]
    assert [each["name"] for each in wildcard] == ["*.example.org."]
    with pytest.raises(exceptions.BadRequest):
        await get(client, "/rrsets", type="TXT")
    with pytest.raises(exceptions.BadRequest):
        await get(client, "/rrsets", name="api.example.org")


async def test_a_set_with_a_routing_policy_has_no_values_and_breaks_the_plain_client(
    client: Any, store: ZoneStore
) -> None:
    policy = {"kind": "dns#rRSetRoutingPolicy", "wrr": {"items": [{"weight": 1, "rrdatas": ["192.0.2.1"]}]}}
    store.commit(added=[RecordSet("w.example.org", "A", 30, (), extra={"routingPolicy": policy})], by="test")
    found = (await get(client, "/rrsets", name="w.example.org."))["rrsets"]
    assert found[0]["routingPolicy"]["wrr"]["items"][0]["rrdatas"] == ["192.0.2.1"]
    assert "rrdatas" not in found[0]
    with pytest.raises(KeyError):
        await asyncio.to_thread(lambda: list(client.zone(ZONE).list_resource_record_sets()))
    with pytest.raises(exceptions.PreconditionFailed):
        await send(client, (), (address("192.0.2.1", name="w.example.org."),))


async def test_zones_are_found_by_domain_and_private_ones_are_marked(client: Any) -> None:
    zones = await asyncio.to_thread(lambda: list(client.list_zones()))
    assert {each.name: each.dns_name for each in zones} == {ZONE: "example.org.", "internal": "internal.example.org."}
    path = f"/projects/{PROJECT}/managedZones"
    request = client._connection.api_request
    found = await asyncio.to_thread(request, method="GET", path=path, query_params={"dnsName": "internal.example.org."})
    assert [each["visibility"] for each in found["managedZones"]] == ["private"]
    zone = client.zone(ZONE)
    await asyncio.to_thread(zone.reload)
    assert zone.name_servers == ["ns1.lab.invalid.", "ns2.lab.invalid."]
    assert not await asyncio.to_thread(client.zone("missing").exists)


async def test_a_token_that_is_not_known_is_refused(store: ZoneStore) -> None:
    async with CloudDNSEmulator({ZONE: store}, project=PROJECT, faults=Faults(), tokens={"good"}) as emulator:
        await send(client_of(emulator, bearer("good")), (address("192.0.2.1"),))
        for who in (bearer("bad"), None):
            with pytest.raises(Exception, match=r"refresh|invalid authentication credentials"):
                await get(client_of(emulator, who), "/rrsets")


async def test_a_service_account_fetches_its_own_token(store: ZoneStore) -> None:
    async with CloudDNSEmulator({ZONE: store}, project=PROJECT, faults=Faults(), tokens=()) as emulator:
        trusted = new_service_account("detour", project=PROJECT, token_uri=emulator.token_uri)
        impostor = new_service_account("detour", project=PROJECT, token_uri=emulator.token_uri)
        emulator.tokens.trust(trusted)
        build = signer.from_service_account_info
        scopes = list(dns.Client.SCOPE)
        client = client_of(emulator, build(trusted.key_file, scopes=scopes))
        await send(client, (address("192.0.2.1"),))
        assert store.log[-1].by == f"clouddns:{trusted.email}"
        with pytest.raises(Exception, match="invalid_grant"):
            await get(client_of(emulator, build(impostor.key_file, scopes=scopes)), "/rrsets")
        emulator.tokens.revoke()
        await get(client, "/rrsets")


@pytest.mark.parametrize(("status", "error"), [(403, exceptions.Forbidden), (429, exceptions.TooManyRequests)])
async def test_callers_above_the_rate_are_refused(store: ZoneStore, clock: Clock, status: int, error: Any) -> None:
    quotas = Quotas(requests_per_minute=3, status=status)
    async with CloudDNSEmulator(
        {ZONE: store}, project=PROJECT, faults=Faults(), throttle=quotas, clock=clock
    ) as emulator:
        client = client_of(emulator)
        for _ in range(3):
            await get(client, "/rrsets")
        with pytest.raises(error) as caught:
            await get(client, "/rrsets")
        assert caught.value.errors[0]["reason"] == "rateLimitExceeded"
        clock.now += 20
        await get(client, "/rrsets")
        assert emulator.throttled == {"resourceRecordSets.list": 1}


async def test_faults_meet_the_operation_they_name(
    client: Any, emulator: CloudDNSEmulator, store: ZoneStore, faults: Faults
) -> None:
    emulator.denied.add("managedZones.list")
    with pytest.raises(exceptions.Forbidden):
        await asyncio.to_thread(lambda: list(client.list_zones()))
    for kind, error in (
        (FaultKind.THROTTLE, exceptions.Forbidden),
        (FaultKind.SERVER_ERROR, exceptions.ServiceUnavailable),
    ):
        faults.inject(Fault(kind, "changes.create", "example.org", times=1))
        with pytest.raises(error):
            await send(client, (address("192.0.2.1"),))
    faults.inject(Fault(FaultKind.RESET_AFTER, "changes.create", times=1))
    with pytest.raises(requests.ConnectionError):
        await send(client, (address("192.0.2.1"),))
    assert store.get("api.example.org", "A") is not None


async def test_a_slow_answer_delays_nobody_else(client: Any, emulator: CloudDNSEmulator, faults: Faults) -> None:
    faults.inject(Fault(FaultKind.LATENCY, "changes.create", seconds=600))
    waiting = asyncio.create_task(send(client_of(emulator), (address("192.0.2.1"),)))
    async with asyncio.timeout(5):
        while True:
            if emulator.calls["changes.create"]:
                break
            await asyncio.sleep(0.005)
        await get(client, "/rrsets")
    assert not waiting.done()
    await asyncio.wait_for(emulator.stop(), 60)
    with pytest.raises(requests.ConnectionError):
        await waiting
