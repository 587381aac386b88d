"""The emulated Route 53 knows its callers, meters them, and breaks on demand without blocking anybody else."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError

from detour_lab.clouds.route53 import Quotas, Route53Emulator
from detour_lab.clouds.throttle import TokenBucket
from detour_lab.faults import Fault, FaultKind, Faults
from detour_lab.zones.store import ZoneStore

ROLE = "arn:aws:iam::123456789012:role/dns"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def client_of(emulator: Route53Emulator, key: str = "AKID", secret: str | None = None, **more: Any) -> Any:
    config = Config(retries={"max_attempts": 0}, connect_timeout=5, read_timeout=60)
    sdk: Any = boto3  # its stubs know no service by variable
    return sdk.client(
        more.pop("service", "route53"),
        region_name="us-east-1",
        endpoint_url=emulator.url,
        config=config,
        aws_access_key_id=key,
        aws_secret_access_key=secret or "right",
        **more,
    )


def upserts(count: int, first: int = 0) -> Any:
    sets = [
        {"Name": f"n{n}.example.org", "Type": "A", "TTL": 30, "ResourceRecords": [{"Value": "192.0.2.1"}]}
        for n in range(first, first + count)
    ]
    return {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": each} for each in sets]}


async def write(client: Any, zone: str, count: int = 1, first: int = 0) -> Any:
    batch = upserts(count, first)
    return await asyncio.to_thread(client.change_resource_record_sets, HostedZoneId=zone, ChangeBatch=batch)


async def code_of(awaitable: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as caught:
        await awaitable
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while True:
            if condition():
                return
            await asyncio.sleep(0.005)


@pytest.fixture
def store() -> ZoneStore:
    return ZoneStore("example.org")


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def emulator(store: ZoneStore, faults: Faults, clock: Clock) -> AsyncIterator[Route53Emulator]:
    running = Route53Emulator([store], faults=faults, access_keys={"AKID": "right"}, roles=[ROLE], clock=clock)
    async with running:
        yield running


async def test_a_wrong_secret_is_a_signature_that_does_not_match(emulator: Route53Emulator) -> None:
    wrong = client_of(emulator, secret="wrong")
    assert await code_of(asyncio.to_thread(wrong.list_hosted_zones)) == ("SignatureDoesNotMatch", 403)
    unknown = client_of(emulator, key="AKIDNOBODY")
    assert await code_of(asyncio.to_thread(unknown.list_hosted_zones)) == ("InvalidClientTokenId", 403)


async def test_every_operation_accepts_the_right_signature(emulator: Route53Emulator, store: ZoneStore) -> None:
    client, zone = client_of(emulator), emulator.zone_id(store)
    made = await write(client, zone)
    await asyncio.to_thread(client.get_change, Id=made["ChangeInfo"]["Id"])
    await asyncio.to_thread(client.list_hosted_zones_by_name, DNSName="example.org", MaxItems="2")
    start = {"StartRecordName": "*.example.org", "StartRecordType": "TXT"}
    await asyncio.to_thread(client.list_resource_record_sets, HostedZoneId=zone, **start)
    assert store.log[-1].by == "route53:AKID"
    assert emulator.calls == {
        "ChangeResourceRecordSets": 1,
        "GetChange": 1,
        "ListHostedZonesByName": 1,
        "ListResourceRecordSets": 1,
    }


async def test_a_role_is_assumed_and_signs_with_its_own_key(emulator: Route53Emulator, store: ZoneStore) -> None:
    sts = client_of(emulator, service="sts")
    other = {"RoleArn": ROLE + "x", "RoleSessionName": "detour"}
    assert await code_of(asyncio.to_thread(sts.assume_role, **other)) == ("AccessDenied", 403)
    answer = await asyncio.to_thread(sts.assume_role, RoleArn=ROLE, RoleSessionName="detour")
    given = answer["Credentials"]
    client = client_of(
        emulator, given["AccessKeyId"], given["SecretAccessKey"], aws_session_token=given["SessionToken"]
    )
    await write(client, emulator.zone_id(store))
    assert store.log[-1].by == f"route53:{ROLE}"
    tokenless = client_of(emulator, given["AccessKeyId"], given["SecretAccessKey"])
    assert await code_of(asyncio.to_thread(tokenless.list_hosted_zones)) == ("InvalidClientTokenId", 403)


async def test_an_operation_can_be_denied(emulator: Route53Emulator, store: ZoneStore) -> None:
    emulator.denied.add("ChangeResourceRecordSets")
    assert await code_of(write(client_of(emulator), emulator.zone_id(store))) == ("AccessDenied", 403)


async def test_the_51st_request_in_a_burst_is_throttled(emulator: Route53Emulator, clock: Clock) -> None:
    client = client_of(emulator)
    for _ in range(50):
        await asyncio.to_thread(client.list_hosted_zones)
    assert await code_of(asyncio.to_thread(client.list_hosted_zones)) == ("Throttling", 400)
    clock.now += 0.1
    await asyncio.to_thread(client.list_hosted_zones)
    assert emulator.throttled == {"ListHostedZones": 1}


async def test_changes_have_a_bucket_of_their_own_where_an_upsert_costs_two(
    emulator: Route53Emulator, store: ZoneStore, clock: Clock
) -> None:
    client, zone = client_of(emulator), emulator.zone_id(store)
    await write(client, zone, 500)
    before = store.serial
    assert await code_of(write(client, zone, 251, 500)) == ("Throttling", 400)
    assert store.serial == before
    await write(client, zone, 250, 500)
    clock.now += 1
    await write(client, zone, 50, 750)
    assert await code_of(write(client, zone, 1)) == ("Throttling", 400)


async def test_one_change_is_in_flight_for_a_zone(emulator: Route53Emulator, store: ZoneStore, clock: Clock) -> None:
    client, zone = client_of(emulator), emulator.zone_id(store)
    emulator.processing = 2
    await write(client, zone)
    assert await code_of(write(client, zone)) == ("PriorRequestNotComplete", 400)
    clock.now += 2
    await write(client, zone)


async def test_quotas_can_be_switched_off_or_chosen(store: ZoneStore, faults: Faults) -> None:
    async with Route53Emulator(
        [store], faults=faults, throttle=Quotas(requests_burst=1, requests_per_second=1e-6)
    ) as one:
        client = client_of(one)
        await asyncio.to_thread(client.list_hosted_zones)
        assert (await code_of(asyncio.to_thread(client.list_hosted_zones)))[0] == "Throttling"


async def test_a_slow_answer_delays_nobody_else(emulator: Route53Emulator, store: ZoneStore, faults: Faults) -> None:
    client, zone = client_of(emulator), emulator.zone_id(store)
    slow = faults.inject(Fault(FaultKind.LATENCY, "ChangeResourceRecordSets", "example.org", seconds=600))
    waiting = asyncio.create_task(write(client_of(emulator), zone))
    await until(lambda: emulator.calls["ChangeResourceRecordSets"] == 1)
    await asyncio.wait_for(asyncio.to_thread(client.list_hosted_zones), 60)
    assert not waiting.done()
    faults.remove(slow)
    await asyncio.wait_for(emulator.stop(), 60)
    with pytest.raises(HTTPClientError):
        await waiting


async def test_a_lost_answer_leaves_the_change_applied(
    emulator: Route53Emulator, store: ZoneStore, faults: Faults
) -> None:
    client, zone = client_of(emulator), emulator.zone_id(store)
    faults.inject(Fault(FaultKind.RESET_BEFORE, "ChangeResourceRecordSets", times=1))
    with pytest.raises(HTTPClientError):
        await write(client, zone)
    assert store.get("n0.example.org", "A") is None
    faults.inject(Fault(FaultKind.RESET_AFTER, "ChangeResourceRecordSets", times=1))
    with pytest.raises(HTTPClientError):
        await write(client, zone)
    assert store.get("n0.example.org", "A") is not None


async def test_a_change_may_land_after_its_connection_broke(
    emulator: Route53Emulator, store: ZoneStore, faults: Faults
) -> None:
    faults.inject(Fault(FaultKind.APPLY_LATE, "ChangeResourceRecordSets", seconds=0.2, times=1))
    with pytest.raises(HTTPClientError):
        await write(client_of(emulator), emulator.zone_id(store))
    assert store.get("n0.example.org", "A") is None
    await until(lambda: store.get("n0.example.org", "A") is not None)


async def test_injected_errors_bear_the_codes_of_the_api(emulator: Route53Emulator, faults: Faults) -> None:
    client = client_of(emulator)
    faults.inject(Fault(FaultKind.THROTTLE, "ListHostedZones", times=1))
    assert await code_of(asyncio.to_thread(client.list_hosted_zones)) == ("Throttling", 400)
    faults.inject(Fault(FaultKind.SERVER_ERROR, "ListHostedZones", times=1))
    assert await code_of(asyncio.to_thread(client.list_hosted_zones)) == ("InternalFailure", 500)


def test_a_token_bucket_tells_how_long_to_wait(clock: Clock) -> None:
    bucket = TokenBucket(10, 5, clock)
    assert bucket.take(5) == 0.0
    assert bucket.take(2) == pytest.approx(0.2)
    clock.now += 0.1
    assert bucket.take(2) == pytest.approx(0.1)
    assert bucket.take() == 0.0
    clock.now += 3600
    assert bucket.take(6) == math.inf
    assert bucket.take(5) == 0.0


def test_a_token_bucket_without_tokens_is_refused(clock: Clock) -> None:
    with pytest.raises(ValueError, match="rate above 0"):
        TokenBucket(0, 5, clock)
