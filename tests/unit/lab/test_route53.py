"""The emulated Route 53 behaves as the real one does towards boto3: atomic, exact and paged."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from detour_lab.clouds.route53 import Account, Route53Emulator
from detour_lab.faults import Faults
from detour_lab.zones.store import RecordSet, ZoneStore

DOMAIN = "example.org"
NAME = "api.example.org."
Call = Callable[..., Any]


def client_of(emulator: Route53Emulator, service: str = "route53", **keys: Any) -> Any:
    credentials = keys or {"aws_access_key_id": "AKIDLAB", "aws_secret_access_key": "secret"}
    config = Config(retries={"max_attempts": 0}, connect_timeout=5, read_timeout=60)
    sdk: Any = boto3  # its stubs know no service by variable
    return sdk.client(service, region_name="us-east-1", endpoint_url=emulator.url, config=config, **credentials)


def change(action: str, *values: str, name: str = NAME, rrtype: str = "A", ttl: int = 30, **extra: Any) -> Any:
    records = {"TTL": ttl, "ResourceRecords": [{"Value": each} for each in values]} if values else {}
    return {"Action": action, "ResourceRecordSet": {"Name": name, "Type": rrtype, **records, **extra}}


@pytest.fixture
def store() -> ZoneStore:
    return ZoneStore(DOMAIN)


@pytest.fixture
async def emulator(store: ZoneStore) -> AsyncIterator[Route53Emulator]:
    hidden = ZoneStore("internal.example.org")
    async with Route53Emulator([store], faults=Faults(), throttle=None, private_zones=[hidden]) as running:
        yield running


@pytest.fixture
async def call(emulator: Route53Emulator) -> Call:
    client = await asyncio.to_thread(client_of, emulator)

    async def call(operation: str, **arguments: Any) -> Any:
        return await asyncio.to_thread(getattr(client, operation), **arguments)

    return call


@pytest.fixture
def submit(call: Call, emulator: Route53Emulator, store: ZoneStore) -> Call:
    async def submit(*changes: Any) -> Any:
        batch = {"Changes": list(changes)}
        return await call("change_resource_record_sets", HostedZoneId=emulator.zone_id(store), ChangeBatch=batch)

    return submit


async def refusal(awaitable: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        await awaitable
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


async def test_delete_and_create_in_one_batch_swap_a_value(submit: Call, store: ZoneStore) -> None:
    await submit(change("CREATE", "192.0.2.1"))
    await submit(change("DELETE", "192.0.2.1"), change("CREATE", "192.0.2.2", ttl=60))
    kept = store.get("api.example.org", "A")
    assert kept is not None
    assert (kept.ttl, kept.values) == (60, ("192.0.2.2",))
    assert [each.values for each in store.log[-1].removed] == [("192.0.2.1",)]


async def test_values_are_compared_as_a_set(submit: Call, store: ZoneStore) -> None:
    await submit(change("CREATE", "192.0.2.1", "192.0.2.2"))
    await submit(change("DELETE", "192.0.2.2", "192.0.2.1"))
    assert store.get("api.example.org", "A") is None


@pytest.mark.parametrize(
    ("refused", "message"),
    [
        (change("DELETE", "192.0.2.9"), "do not match the current values"),
        (change("DELETE", "192.0.2.1", ttl=31), "do not match the current values"),
        (change("DELETE", "192.0.2.1", "192.0.2.2"), "do not match the current values"),
        (change("DELETE", "::1", rrtype="AAAA"), "[name='api.example.org.', type='AAAA'] but it was not found"),
        (change("CREATE", "192.0.2.1"), "[name='api.example.org.', type='A'] but it already exists"),
        (change("CREATE", "lb.example.net", rrtype="CNAME"), "conflicts with other records with the same DNS name"),
        (change("CREATE", '"x"', name="www.example.org", rrtype="TXT"), "conflicting RRSet of type CNAME"),
        (change("CREATE", "lb.example.net", name=DOMAIN, rrtype="CNAME"), "not permitted at apex in zone example.org."),
        (change("CREATE", "192.0.2.1", name="api.example.com"), "is not permitted in zone example.org."),
        (change("CREATE", "192.0.2.1", name="badexample.org"), "is not permitted in zone example.org."),
        (change("CREATE", "192.0.2.1", name="a..example.org"), "DomainLabelEmpty"),
        (change("CREATE", "192.0.2.1", name="x" * 64 + ".example.org"), "DomainLabelTooLong"),
        (change("CREATE", "a.example.", "b.example.", name="c.example.org", rrtype="CNAME"), "to have one record"),
        (change("CREATE", "192.0.2.256", name="c.example.org"), "ARRDATAIllegalIPv4Address"),
        (change("CREATE", "192.0.2.1", rrtype="AAAA"), "AAAARRDATAIllegalIPv6Address"),
        (change("CREATE", "two words", name="c.example.org", rrtype="CNAME"), "CNAMERRDATANotSingleField"),
        (change("CREATE", "no quotes", name="t.example.org", rrtype="TXT"), "enclosed in quotation marks"),
        (change("CREATE", '"a"b', name="t.example.org", rrtype="TXT"), "enclosed in quotation marks"),
        (change("CREATE", f'"{"x" * 256}"', name="t.example.org", rrtype="TXT"), "CharacterStringTooLong"),
        (change("CREATE", "192.0.2.5", "192.0.2.5", name="d.example.org"), "Duplicate Resource Record: '192.0.2.5'"),
        (change("UPSERT", *[f"192.0.2.{n}" for n in range(101)], name="d.example.org"), "more than 100 records"),
        (
            change("DELETE", "ns1.lab.invalid.", "ns2.lab.invalid.", name=DOMAIN, rrtype="NS", ttl=172800),
            "one NS record",
        ),
    ],
)
async def test_one_bad_change_refuses_the_whole_batch(
    submit: Call, store: ZoneStore, refused: Any, message: str
) -> None:
    await submit(change("CREATE", "192.0.2.1"), change("CREATE", "x.example.", name="www.example.org", rrtype="CNAME"))
    before, good = store.serial, change("CREATE", "192.0.2.7", name="good.example.org")
    code, text = await refusal(submit(good, refused))
    assert code == "InvalidChangeBatch"
    assert message in text
    assert store.serial == before


async def test_every_reason_for_a_refusal_is_named(submit: Call) -> None:
    _, text = await refusal(submit(change("DELETE", "192.0.2.1"), change("CREATE", "192.0.2.1", name="example.com")))
    assert text == (
        "[Tried to delete resource record set [name='api.example.org.', type='A'] but it was not found,"
        " RRSet with DNS name example.com. is not permitted in zone example.org.]"
    )


@pytest.mark.parametrize("actions", [("CREATE", "CREATE"), ("CREATE", "DELETE"), ("UPSERT", "DELETE")])
async def test_one_set_changes_once_in_a_batch_unless_swapped(submit: Call, actions: tuple[str, str]) -> None:
    code, text = await refusal(submit(*[change(action, "192.0.2.1") for action in actions]))
    assert code == "InvalidChangeBatch"
    assert "The request contains an invalid set of changes for a resource record set 'A api.example.org.'" in text


async def test_an_address_takes_the_place_of_a_cname_in_one_batch(submit: Call, store: ZoneStore) -> None:
    await submit(change("CREATE", "lb.example.net", rrtype="CNAME"))
    await submit(change("DELETE", "lb.example.net.", rrtype="CNAME"), change("CREATE", "192.0.2.1"))
    assert [each.type for each in store.at_name("api.example.org")] == ["A"]


async def test_a_batch_holds_1000_values_and_an_upsert_counts_twice(submit: Call) -> None:
    thousand = [change("CREATE", "192.0.2.1", "192.0.2.2", name=f"n{n}.example.org") for n in range(500)]
    await submit(*thousand)
    code, text = await refusal(submit(*[change("UPSERT", "192.0.2.1", name=f"n{n}.example.org") for n in range(501)]))
    assert (code, text) == ("InvalidChangeBatch", "[Number of records limit of 1000 exceeded.]")


async def test_a_batch_holds_32000_characters_of_values(submit: Call) -> None:
    value = '"' + "x" * 198 + '"'
    texts = [change("CREATE", value, name=f"t{n}.example.org", rrtype="TXT") for n in range(160)]
    one_more = change("CREATE", '"y"', name="t.example.org", rrtype="TXT")
    assert (await refusal(submit(*texts, one_more)))[1] == "[RDATA character limit of 32000 exceeded.]"
    await submit(*texts)


async def test_a_zone_has_a_largest_number_of_records(store: ZoneStore) -> None:
    async with Route53Emulator([store], faults=Faults(), account=Account(records_per_zone=3)) as emulator:
        client = await asyncio.to_thread(client_of, emulator)

        async def create(name: str) -> Any:
            arguments = {
                "HostedZoneId": emulator.zone_id(store),
                "ChangeBatch": {"Changes": [change("CREATE", "192.0.2.1", name=name)]},
            }
            return await asyncio.to_thread(client.change_resource_record_sets, **arguments)

        await create("a.example.org")
        limit = f"[Exceeded limit MAX_RRSETS_BY_ZONE for zone: {emulator.zone_id(store)}]"
        assert await refusal(create("b.example.org")) == ("InvalidChangeBatch", limit)


async def test_lists_come_in_pages_by_reversed_labels(
    call: Call, submit: Call, emulator: Any, store: ZoneStore
) -> None:
    names = ["z.example.org", "a.z.example.org", "*.example.org", "a-b.example.org", "a.example.org"]
    await submit(*[change("CREATE", "192.0.2.1", name=each) for each in names])
    page = await call("list_resource_record_sets", HostedZoneId=emulator.zone_id(store), MaxItems="3")
    seen = [(each["Name"], each["Type"]) for each in page["ResourceRecordSets"]]
    while page["IsTruncated"]:
        page = await call(
            "list_resource_record_sets",
            HostedZoneId=emulator.zone_id(store),
            StartRecordName=page["NextRecordName"],
            StartRecordType=page["NextRecordType"],
            MaxItems="3",
        )
        seen += [(each["Name"], each["Type"]) for each in page["ResourceRecordSets"]]
    assert seen == [
        ("example.org.", "NS"),
        ("example.org.", "SOA"),
        ("\\052.example.org.", "A"),
        ("a-b.example.org.", "A"),
        ("a.example.org.", "A"),
        ("z.example.org.", "A"),
        ("a.z.example.org.", "A"),
    ]


async def test_no_page_holds_more_than_300_sets(call: Call, submit: Call, emulator: Any, store: ZoneStore) -> None:
    await submit(*[change("CREATE", "192.0.2.1", name=f"n{n:03}.example.org") for n in range(299)])
    page = await call("list_resource_record_sets", HostedZoneId=emulator.zone_id(store), MaxItems="1000")
    assert (len(page["ResourceRecordSets"]), page["NextRecordName"]) == (300, "n298.example.org.")


async def test_a_list_starts_at_a_name_and_a_type(call: Call, submit: Call, emulator: Any, store: ZoneStore) -> None:
    await submit(change("CREATE", "192.0.2.1"), change("CREATE", '"x"', rrtype="TXT"))
    where = {"HostedZoneId": emulator.zone_id(store), "StartRecordName": "API.example.org"}
    page = await call("list_resource_record_sets", **where, StartRecordType="AAAA")
    assert [each["Type"] for each in page["ResourceRecordSets"]] == ["TXT"]
    del where["StartRecordName"]
    assert (await refusal(call("list_resource_record_sets", **where, StartRecordType="A")))[0] == "InvalidInput"


async def test_text_keeps_its_quotes_and_octal_escapes(
    call: Call, submit: Call, emulator: Any, store: ZoneStore
) -> None:
    text = '"say \\"hi\\"" "caf\\303\\251"'
    await submit(change("CREATE", text, rrtype="TXT", name="*.Example.org"))
    kept = store.get("*.example.org", "TXT")
    assert kept is not None
    assert kept.values == ('"say \\"hi\\"" "caf\\195\\169"',)
    page = await call(
        "list_resource_record_sets", HostedZoneId=emulator.zone_id(store), StartRecordName="*.example.org"
    )
    assert page["ResourceRecordSets"][0]["ResourceRecords"] == [{"Value": text}]
    await submit(change("DELETE", text, rrtype="TXT", name="\\052.example.org."))


async def test_sets_with_routing_are_seen_and_not_mistaken_for_plain_ones(
    call: Call, submit: Call, emulator: Any, store: ZoneStore
) -> None:
    alias = {"HostedZoneId": "Z2FDTNDATAQYW2", "DNSName": "d1.cloudfront.net.", "EvaluateTargetHealth": False}
    weighted = RecordSet("w.example.org", "A", 30, ("192.0.2.1",), extra={"SetIdentifier": "blue", "Weight": 10})
    store.commit(added=[weighted, RecordSet("x.example.org", "A", 0, (), extra={"AliasTarget": alias})], by="test")
    page = await call(
        "list_resource_record_sets", HostedZoneId=emulator.zone_id(store), StartRecordName="w.example.org"
    )
    first, second = page["ResourceRecordSets"]
    assert (first["SetIdentifier"], first["Weight"]) == ("blue", 10)
    assert second == {"Name": "x.example.org.", "Type": "A", "AliasTarget": alias}
    assert "not found" in (await refusal(submit(change("DELETE", "192.0.2.1", name="w.example.org"))))[1]
    assert "other RRSets exist" in (await refusal(submit(change("UPSERT", "192.0.2.1", name="w.example.org"))))[1]
    await submit(change("DELETE", name="x.example.org", AliasTarget=alias))


async def test_an_alias_and_values_exclude_each_other(submit: Call) -> None:
    assert (await refusal(submit(change("CREATE"))))[0] == "InvalidInput"
    alias = {"HostedZoneId": "Z2FDTNDATAQYW2", "DNSName": "d1.cloudfront.net.", "EvaluateTargetHealth": False}
    code, text = await refusal(submit(change("CREATE", "192.0.2.1", AliasTarget=alias)))
    assert code == "InvalidInput"
    assert "Expected exactly one of [AliasTarget" in text


async def test_a_change_is_pending_until_the_name_server_serves_it() -> None:
    now = [100.0]
    store = ZoneStore(DOMAIN, clock=lambda: now[0])
    store.lag = 60
    async with Route53Emulator([store], faults=Faults(), throttle=None) as emulator:
        client = await asyncio.to_thread(client_of, emulator)
        zone, batch = emulator.zone_id(store), {"Changes": [change("CREATE", "192.0.2.1")], "Comment": "hello"}
        made = await asyncio.to_thread(client.change_resource_record_sets, HostedZoneId=zone, ChangeBatch=batch)
        assert (made["ChangeInfo"]["Status"], made["ChangeInfo"]["Comment"]) == ("PENDING", "hello")
        listed = await asyncio.to_thread(client.list_resource_record_sets, HostedZoneId=zone)
        assert NAME in [each["Name"] for each in listed["ResourceRecordSets"]]
        now[0] += 59
        asked = await asyncio.to_thread(client.get_change, Id=made["ChangeInfo"]["Id"])
        assert asked["ChangeInfo"]["Status"] == "PENDING"
        now[0] += 1
        asked = await asyncio.to_thread(client.get_change, Id=made["ChangeInfo"]["Id"])
        assert asked["ChangeInfo"]["Status"] == "INSYNC"


async def test_zones_are_found_by_name_and_private_ones_are_marked(call: Call, emulator: Any, store: ZoneStore) -> None:
    found = await call("list_hosted_zones_by_name", DNSName="example.org", MaxItems="1")
    assert (found["HostedZones"][0]["Name"], found["IsTruncated"]) == ("example.org.", True)
    assert found["NextDNSName"] == "internal.example.org."
    every = await call("list_hosted_zones")
    flags = {each["Name"]: each["Config"]["PrivateZone"] for each in every["HostedZones"]}
    assert flags == {"example.org.": False, "internal.example.org.": True}
    one = await call("get_hosted_zone", Id=emulator.zone_id(store))
    assert one["DelegationSet"]["NameServers"] == ["ns1.lab.invalid", "ns2.lab.invalid"]
    assert one["HostedZone"]["ResourceRecordSetCount"] == 2


async def test_what_does_not_exist_answers_404(call: Call) -> None:
    assert (await refusal(call("get_hosted_zone", Id="Z404")))[0] == "NoSuchHostedZone"
    assert (await refusal(call("list_resource_record_sets", HostedZoneId="Z404")))[0] == "NoSuchHostedZone"
    assert (await refusal(call("get_change", Id="C404")))[0] == "NoSuchChange"
