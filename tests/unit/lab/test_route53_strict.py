"""What the emulated Route 53 refuses and in which words, by raw XML and boto3, and sets that share a name and type."""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any
from xml.etree import ElementTree

import aiohttp
import boto3
import dns.asyncquery
import dns.message
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from detour_lab.clouds.route53 import Account, Route53Emulator
from detour_lab.dns.nameserver import NameServer
from detour_lab.dns.wire import write_data
from detour_lab.faults import Faults
from detour_lab.zones.store import RecordSet, ZoneStore

DOMAIN = "example.org"
NAMESPACE = "https://route53.amazonaws.com/doc/2013-04-01/"
NAME = "api.example.org."
Submit = Callable[..., Any]


@pytest.fixture
def store() -> ZoneStore:
    return ZoneStore(DOMAIN)


@pytest.fixture
async def emulator(store: ZoneStore) -> AsyncIterator[Route53Emulator]:
    account = Account(health_checks=["check-1", "check-2", "check-3"])
    async with Route53Emulator([store], faults=Faults(), throttle=None, account=account) as running:
        yield running


@pytest.fixture
async def client(emulator: Route53Emulator) -> Any:
    sdk: Any = boto3  # its stubs take no keyword dictionary
    keys = {"aws_access_key_id": "AKIDLAB", "aws_secret_access_key": "secret"}
    config = Config(retries={"max_attempts": 0}, parameter_validation=False)
    return await asyncio.to_thread(
        lambda: sdk.client("route53", region_name="us-east-1", endpoint_url=emulator.url, config=config, **keys)
    )


@pytest.fixture
def submit(client: Any, emulator: Route53Emulator, store: ZoneStore) -> Submit:
    async def submit(*changes: Any) -> Any:
        arguments = {"HostedZoneId": emulator.zone_id(store), "ChangeBatch": {"Changes": list(changes)}}
        return await asyncio.to_thread(client.change_resource_record_sets, **arguments)

    return submit


@pytest.fixture
def listed(client: Any, emulator: Route53Emulator, store: ZoneStore) -> Submit:
    async def listed(**query: Any) -> Any:
        return await asyncio.to_thread(client.list_resource_record_sets, HostedZoneId=emulator.zone_id(store), **query)

    return listed


def change(action: str, *values: str, name: str = NAME, rrtype: str = "A", ttl: int = 30, **extra: Any) -> Any:
    records = {"TTL": ttl, "ResourceRecords": [{"Value": each} for each in values]} if values else {}
    return {"Action": action, "ResourceRecordSet": {"Name": name, "Type": rrtype, **records, **extra}}


def weighted(action: str, identifier: str, value: str, weight: int = 10, **more: Any) -> Any:
    return change(action, value, SetIdentifier=identifier, Weight=weight, **more)


async def refusal(awaitable: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        await awaitable
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


async def asked(store: ZoneStore, name: str, rrtype: str = "A") -> list[str]:
    server = NameServer([store])
    await server.start()
    try:
        question = dns.message.make_query(name, rrtype)
        answer = await dns.asyncquery.udp(question, server.host, port=server.port, timeout=5)
    finally:
        await server.stop()
    return sorted(value.to_text() for rrset in answer.answer for value in rrset)


# -- sets that share a name and a type ---------------------------------------------------------------------------------


async def test_sets_with_identifiers_stand_beside_each_other(submit: Submit, listed: Submit) -> None:
    await submit(weighted("CREATE", "green", "192.0.2.2"), weighted("CREATE", "blue", "192.0.2.1"))
    await submit(weighted("UPSERT", "green", "192.0.2.3", 20), weighted("CREATE", "red", "192.0.2.4"))
    await submit(weighted("DELETE", "blue", "192.0.2.1"))
    found = (await listed(StartRecordName=NAME))["ResourceRecordSets"]
    assert [(each["SetIdentifier"], each["Weight"], each["ResourceRecords"]) for each in found] == [
        ("green", 20, [{"Value": "192.0.2.3"}]),
        ("red", 10, [{"Value": "192.0.2.4"}]),
    ]


async def test_pages_go_on_within_a_name_and_type_by_identifier(
    submit: Submit, listed: Submit, client: Any, emulator: Route53Emulator, store: ZoneStore
) -> None:
    names = [f"id-{number:02}" for number in range(7)]
    await submit(*[weighted("CREATE", each, f"192.0.2.{place}") for place, each in enumerate(reversed(names))])
    await submit(change("CREATE", '"x"', rrtype="TXT"))
    page = await listed(StartRecordName=NAME, MaxItems="3")
    assert (page["IsTruncated"], page["NextRecordName"], page["NextRecordType"]) == (True, NAME, "A")
    assert page["NextRecordIdentifier"] == "id-03"
    start = {"StartRecordName": NAME, "StartRecordType": "A", "StartRecordIdentifier": "id-03"}
    assert [each["SetIdentifier"] for each in (await listed(**start, MaxItems="2"))["ResourceRecordSets"]] == names[3:5]
    everything = await asyncio.to_thread(
        lambda: [
            (each["Type"], each.get("SetIdentifier"))
            for page in client.get_paginator("list_resource_record_sets").paginate(
                HostedZoneId=emulator.zone_id(store), PaginationConfig={"PageSize": 2}
            )
            for each in page["ResourceRecordSets"]
        ]
    )
    assert everything == [("NS", None), ("SOA", None), *(("A", each) for each in names), ("TXT", None)]


async def test_each_set_counts(submit: Submit, client: Any, emulator: Route53Emulator, store: ZoneStore) -> None:
    await submit(weighted("CREATE", "blue", "192.0.2.1"), weighted("CREATE", "green", "192.0.2.2"))
    zone = await asyncio.to_thread(client.get_hosted_zone, Id=emulator.zone_id(store))
    assert zone["HostedZone"]["ResourceRecordSetCount"] == 4


async def test_a_plain_set_becomes_weighted_in_one_batch_and_only_in_one(submit: Submit, store: ZoneStore) -> None:
    await submit(change("CREATE", "192.0.2.1"))
    assert await refusal(submit(weighted("UPSERT", "blue", "192.0.2.1"))) == (
        "InvalidChangeBatch",
        "[RRSet with DNS name api.example.org., type A, SetIdentifier blue cannot be created as a non-weighted set"
        " exists with the same name and type.]",
    )
    await submit(change("DELETE", "192.0.2.1"), weighted("CREATE", "blue", "192.0.2.1"))
    assert await refusal(submit(change("UPSERT", "192.0.2.9"))) == (
        "InvalidChangeBatch",
        "[RRSet with DNS name api.example.org., type A cannot be created as other RRSets exist with the same name and"
        " type.]",
    )
    await submit(weighted("DELETE", "blue", "192.0.2.1"), change("CREATE", "192.0.2.1"))
    assert [each.values for each in store.at_name("api.example.org")] == [("192.0.2.1",)]


async def test_a_swap_of_one_member_is_conditional_on_all_that_it_is(submit: Submit, store: ZoneStore) -> None:
    await submit(weighted("CREATE", "blue", "192.0.2.1"), weighted("CREATE", "green", "192.0.2.2"))
    before = store.serial
    for wrong in (
        weighted("DELETE", "blue", "192.0.2.1", 11),
        weighted("DELETE", "blue", "192.0.2.1", HealthCheckId="check-1"),
        weighted("DELETE", "blue", "192.0.2.2"),
    ):
        code, text = await refusal(submit(wrong, weighted("CREATE", "blue", "192.0.2.3")))
        assert "set-identifier='blue'] but the values provided do not match the current values" in text
        assert (code, store.serial) == ("InvalidChangeBatch", before)
    code, text = await refusal(submit(change("DELETE", "192.0.2.1")))
    assert "[name='api.example.org.', type='A'] but it was not found" in text
    await submit(weighted("DELETE", "blue", "192.0.2.1"), weighted("CREATE", "blue", "192.0.2.3"))


async def test_weighted_sets_of_one_name_have_one_ttl(submit: Submit) -> None:
    await submit(weighted("CREATE", "blue", "192.0.2.1"), weighted("CREATE", "green", "192.0.2.2"))
    assert await refusal(submit(weighted("UPSERT", "blue", "192.0.2.1", ttl=60))) == (
        "InvalidChangeBatch",
        "[RRSet with DNS name api.example.org. and type A, SetIdentifier blue cannot be created as weighted sets must"
        " contain the same TTL.]",
    )
    await submit(*[weighted("UPSERT", each, "192.0.2.1", ttl=60) for each in ("blue", "green")])


async def test_a_name_has_at_most_100_weighted_sets(submit: Submit) -> None:
    await submit(*[weighted("CREATE", f"n{number}", "192.0.2.1") for number in range(100)])
    assert await refusal(submit(weighted("CREATE", "n100", "192.0.2.1"))) == (
        "InvalidChangeBatch",
        "[Exceeded limit on number of weighted RRSets for api.example.org., type A in this zone.]",
    )


POLICIES: Mapping[str, tuple[Any, Any]] = {
    "Weight": (1, 2),
    "Region": ("eu-west-1", "us-east-1"),
    "Failover": ("PRIMARY", "SECONDARY"),
    "GeoLocation": ({"CountryCode": "DE"}, {"CountryCode": "*"}),
    "MultiValueAnswer": (True, True),
    "GeoProximityLocation": ({"AWSRegion": "eu-west-1"}, {"AWSRegion": "us-east-1"}),
    "CidrRoutingConfig": (
        {"CollectionId": "00000000-0000-4000-8000-000000000001", "LocationName": "here"},
        {"CollectionId": "00000000-0000-4000-8000-000000000001", "LocationName": "*"},
    ),
}


@pytest.mark.parametrize("policy", POLICIES)
async def test_the_sets_of_one_name_and_type_have_one_policy(submit: Submit, listed: Submit, policy: str) -> None:
    one, two = POLICIES[policy]
    await submit(change("CREATE", "192.0.2.1", SetIdentifier="one", **{policy: one}))
    await submit(change("CREATE", "192.0.2.2", SetIdentifier="two", **{policy: two}))
    other = {"Region": "eu-west-1"} if policy != "Region" else {"Weight": 1}
    _, text = await refusal(submit(change("CREATE", "192.0.2.3", SetIdentifier="three", **other)))
    kind = "latency" if policy != "Region" else "weighted"
    assert f"SetIdentifier three cannot be created as a non-{kind} set exists with the same name and type." in text
    found = (await listed(StartRecordName=NAME))["ResourceRecordSets"]
    assert [each[policy] for each in found] == [one, two]


@pytest.mark.parametrize("policy", ["Region", "Failover", "GeoLocation"])
async def test_a_place_is_taken_once(submit: Submit, policy: str) -> None:
    one, _ = POLICIES[policy]
    await submit(change("CREATE", "192.0.2.1", SetIdentifier="one", **{policy: one}))
    assert "two" in (await refusal(submit(change("CREATE", "192.0.2.2", SetIdentifier="two", **{policy: one}))))[1]


async def test_the_name_server_answers_with_the_heaviest_the_primary_or_all_of_a_multivalue_answer(
    submit: Submit, store: ZoneStore
) -> None:
    await submit(weighted("CREATE", "a", "192.0.2.1", 1), weighted("CREATE", "b", "192.0.2.2", 3))
    assert await asked(store, NAME) == ["192.0.2.2"]
    await submit(weighted("UPSERT", "b", "192.0.2.2", 0))
    assert await asked(store, NAME) == ["192.0.2.1"]
    failover = [
        change("CREATE", f"192.0.2.{place}", name="f.example.org", SetIdentifier=each, Failover=each)
        for place, each in enumerate(["SECONDARY", "PRIMARY"])
    ]
    await submit(*failover)
    assert await asked(store, "f.example.org") == ["192.0.2.1"]
    many = [
        change("CREATE", f"192.0.2.{place}", name="m.example.org", SetIdentifier=f"{place}", MultiValueAnswer=True)
        for place in range(9)
    ]
    await submit(*many)
    assert len(await asked(store, "m.example.org")) == 8


# -- what a set may be -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("extra", "text"),
    [
        ({"Weight": 1}, "Missing field 'SetIdentifier' in Change with [Action=UPSERT, Name=api.example.org., Type=A,"),
        ({"MultiValueAnswer": False}, "Missing field 'SetIdentifier'"),
        ({"SetIdentifier": "x"}, "or CidrRoutingConfig], but found none in Change with"),
        ({"SetIdentifier": "x", "MultiValueAnswer": False}, "but found none in Change with"),
        ({"SetIdentifier": "x", "Weight": 1, "Failover": "PRIMARY"}, "but found more than one in Change with"),
        ({"SetIdentifier": "x", "Weight": 256}, "Value '256' is not facet-valid with respect to maxInclusive '255'"),
        ({"SetIdentifier": "x", "Weight": -1}, "with respect to minInclusive '0'"),
        ({"SetIdentifier": "x" * 129, "Weight": 1}, "with respect to maxLength '128'"),
        ({"SetIdentifier": "x", "Failover": "TERTIARY"}, "It must be a value from the enumeration."),
    ],
)
async def test_a_routing_policy_is_whole_and_the_only_one(submit: Submit, extra: Any, text: str) -> None:
    code, message = await refusal(submit(change("UPSERT", "192.0.2.1", **extra)))
    assert code == "InvalidInput"
    assert text in message


async def test_the_policies_are_named_as_the_service_names_them(submit: Submit) -> None:
    _, message = await refusal(submit(change("UPSERT", "192.0.2.1", SetIdentifier="x")))
    assert message == (
        "Invalid request: Expected exactly one of [Weight, Region, Failover, GeoLocation, MultiValueAnswer,"
        " GeoProximityLocation, or CidrRoutingConfig], but found none in Change with [Action=UPSERT,"
        " Name=api.example.org., Type=A, SetIdentifier=x]"
    )


@pytest.mark.parametrize(
    "refused",
    [
        change("CREATE", "ns1.example.net.", rrtype="NS", name="*.example.org"),
        change("CREATE", "ns1.example.net.", rrtype="NS", name="*.sub.example.org"),
        change("CREATE", "ns1.example.net.", rrtype="NS", SetIdentifier="x", Weight=1),
        change("CREATE", "lb.example.net.", rrtype="CNAME", SetIdentifier="x", MultiValueAnswer=True),
    ],
)
async def test_some_types_are_no_wildcard_and_have_no_policy(submit: Submit, refused: Any) -> None:
    code, text = await refusal(submit(refused))
    assert code == "InvalidChangeBatch"
    assert "is not permitted" in text


async def test_a_health_check_is_one_of_the_account_s(submit: Submit, client: Any) -> None:
    code, text = await refusal(submit(weighted("CREATE", "x", "192.0.2.1", HealthCheckId="nobody-s")))
    assert (code, "nobody-s" in text) == ("NoSuchHealthCheck", True)
    await submit(weighted("CREATE", "x", "192.0.2.1", HealthCheckId="check-2"))
    page = await asyncio.to_thread(client.list_health_checks, MaxItems="2")
    assert ([each["Id"] for each in page["HealthChecks"]], page["NextMarker"]) == (["check-1", "check-2"], "check-3")
    rest = await asyncio.to_thread(client.list_health_checks, Marker=page["NextMarker"])
    assert [each["Id"] for each in rest["HealthChecks"]] == ["check-3"]
    assert (await refusal(asyncio.to_thread(client.get_health_check, HealthCheckId="x")))[0] == "NoSuchHealthCheck"


async def test_an_alias_targets_what_is_there_in_its_own_zone_or_in_one_of_aws(
    submit: Submit, emulator: Route53Emulator, store: ZoneStore
) -> None:
    zone = emulator.zone_id(store)

    def alias(target: str, zone_id: str = zone, *, health: bool = False) -> Any:
        content = {"HostedZoneId": zone_id, "DNSName": target, "EvaluateTargetHealth": health}
        return change("UPSERT", name="alias.example.org", AliasTarget=content)

    where = f"Tried to create an alias that targets api.example.org., type A in zone {zone}"
    assert await refusal(submit(alias("api.example.org"))) == (
        "InvalidChangeBatch",
        f"[{where}, but that target was not found]",
    )
    await submit(change("CREATE", "192.0.2.1"), alias("api.example.org"))
    lies = f"Tried to create an alias that targets lb.example.net., type A in zone {zone}"
    assert await refusal(submit(alias("lb.example.net."))) == (
        "InvalidChangeBatch",
        f"[{lies}, but the alias target name does not lie within the target zone, {lies}, but that target was not"
        " found]",
    )
    assert "but that target was not found" in (await refusal(submit(alias("api.example.org", "Z404"))))[1]
    await submit(alias("d1.cloudfront.net", "Z2FDTNDATAQYW2"))
    assert (
        "EvaluateTargetHealth" in (await refusal(submit(alias("d1.cloudfront.net", "Z2FDTNDATAQYW2", health=True))))[1]
    )
    apex = {"HostedZoneId": zone, "DNSName": "example.org.", "EvaluateTargetHealth": False}
    for rrtype in ("SOA", "NS"):
        refused = change("UPSERT", name="example.org", rrtype=rrtype, AliasTarget=apex)
        assert f"an alias cannot be of type {rrtype}" in (await refusal(submit(refused)))[1]
    weighted_alias = {"HostedZoneId": zone, "DNSName": NAME, "EvaluateTargetHealth": True}
    await submit(change("CREATE", name="w.example.org", AliasTarget=weighted_alias, SetIdentifier="x", Weight=1))


async def test_a_deleted_set_may_be_created_or_upserted_in_its_batch_and_nothing_else(
    submit: Submit, store: ZoneStore
) -> None:
    await submit(change("CREATE", "192.0.2.1"))
    await submit(change("DELETE", "192.0.2.1"), change("UPSERT", "192.0.2.2"))
    kept = store.get("api.example.org", "A")
    assert kept is not None
    assert kept.values == ("192.0.2.2",)
    twice = [change("DELETE", "192.0.2.2"), change("DELETE", "192.0.2.2")]
    assert "invalid set of changes for a resource record set 'A api.example.org.'" in (await refusal(submit(*twice)))[1]


# -- names and values --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("é.example.org", "UnsupportedCharacter (Value contains unsupported characters) encountered with 'é'"),
        ("a b.example.org", "UnsupportedCharacter (Value contains unsupported characters) encountered with ' '"),
        (" a.example.org", "UnsupportedCharacter"),
        ("a..example.org", "DomainLabelEmpty"),
        (".example.org", "DomainLabelEmpty"),
        ("", "DomainNameEmpty (Domain name is empty) encountered with ''"),
        ("x" * 64 + ".example.org", "DomainLabelTooLong"),
        (".".join(["x" * 60] * 5) + ".example.org", "DomainNameTooLong"),
    ],
)
async def test_a_name_is_of_printable_characters(submit: Submit, name: str, problem: str) -> None:
    code, text = await refusal(submit(change("CREATE", "192.0.2.1", name=name)))
    assert code == "InvalidChangeBatch"
    assert problem in text


@pytest.mark.parametrize(
    "forms",
    [
        ("a$b.example.org", r"a\044b.example.org.", r"a\$b.example.org"),
        (r"A\100b.example.org", r"a\100b.example.org.", r"a\@b.example.org"),
        (r"caf\303\251.example.org", r"caf\303\251.example.org.", r"caf\195\169.example.org"),
        (r"a\040b.example.org", r"a\040b.example.org.", r"a\032b.example.org"),
        (r"a\056b.example.org", r"a\056b.example.org.", r"a\.b.example.org"),
        (r"\052.wild.example.org", r"\052.wild.example.org.", "any.wild.example.org"),
        ("_sip._tcp.example.org", "_sip._tcp.example.org.", "_SIP._tcp.example.org"),
    ],
)
async def test_unusual_characters_are_escapes_in_octal_and_are_served(
    submit: Submit, listed: Submit, store: ZoneStore, forms: tuple[str, str, str]
) -> None:
    sent, shown, question = forms
    await submit(change("CREATE", "192.0.2.1", name=sent))
    found = {each["Name"] for each in (await listed())["ResourceRecordSets"]}
    assert found == {"example.org.", shown}
    assert await asked(store, question) == ["192.0.2.1"]
    await submit(change("DELETE", "192.0.2.1", name=shown))


@pytest.mark.parametrize(
    ("rrtype", "value"),
    [("A", " 192.0.2.1 "), ("A", "192.0.2.1\n"), ("CNAME", "é.example.net"), ("TXT", ' "x"'), ("TXT", '"é"')],
)
async def test_a_value_is_of_printable_characters_without_blanks_around_it(
    submit: Submit, rrtype: str, value: str
) -> None:
    code, text = await refusal(submit(change("CREATE", value, rrtype=rrtype)))
    assert code == "InvalidChangeBatch"
    assert "FATAL problem: UnsupportedCharacter (Value contains unsupported characters) encountered with" in text


@pytest.mark.parametrize(
    "case",
    [
        ("CNAME", "lb.example.net", "lb.example.net."),
        ("CNAME", "LB.example.net.", "lb.example.net"),
        ("CNAME", r"\052.example.net", r"\052.example.net."),
        ("MX", "10 mx.example.net", "10 mx.example.net."),
        ("NS", "ns.example.net", "ns.example.net."),
        ("SRV", "1 2 443 a.example.net", "1 2 443 a.example.net."),
        ("AAAA", "2001:DB8:0::1", "2001:db8::1"),
        ("TXT", '"a"    "b"', '"a" "b"'),
    ],
)
async def test_a_value_comes_back_as_it_was_sent_and_is_compared_as_data(
    submit: Submit, listed: Submit, store: ZoneStore, case: tuple[str, str, str]
) -> None:
    rrtype, sent, other = case

    async def shown() -> str:
        page = await listed(StartRecordName=NAME, StartRecordType=rrtype)
        return str(page["ResourceRecordSets"][0]["ResourceRecords"][0]["Value"])

    await submit(change("CREATE", sent, rrtype=rrtype))
    assert await shown() == sent
    await submit(change("UPSERT", other, rrtype=rrtype))
    assert await shown() == sent  # an update that changes nothing but the spelling changes nothing
    await submit(change("DELETE", other, rrtype=rrtype), change("CREATE", other, rrtype=rrtype))
    assert await shown() == other
    if rrtype not in ("NS", "CNAME"):
        assert await asked(store, NAME, rrtype)
    await submit(change("DELETE", sent, rrtype=rrtype))


async def test_an_ech_is_base64_and_nobody_looks_into_it(submit: Submit, listed: Submit, store: ZoneStore) -> None:
    value = '1 svc.example.net. alpn="h2,h3" ech="some+base64+encoded+value///"'
    await submit(change("CREATE", value, rrtype="HTTPS"))
    found = (await listed(StartRecordName=NAME))["ResourceRecordSets"]
    assert found[0]["ResourceRecords"] == [{"Value": value}]
    [wire] = [write_data("HTTPS", each) for each in store.at_name("api.example.org")[0].values]
    assert wire.endswith(b"\0\x05\0\x15" + base64.b64decode("some+base64+encoded+value///"))
    assert "HTTPSRRDATAIllegal" in (await refusal(submit(change("UPSERT", '1 . ech="?"', rrtype="HTTPS"))))[1]


# -- the request and the answer ----------------------------------------------------------------------------------------


class Post:
    """Sends bodies as they are."""

    def __init__(self, emulator: Route53Emulator, store: ZoneStore) -> None:
        self._url = f"{emulator.url}/2013-04-01/hostedzone/{emulator.zone_id(store)}/rrset/"

    async def __call__(self, body: str) -> tuple[int, str, str]:
        async with aiohttp.ClientSession() as session, session.post(self._url, data=body.encode()) as answer:
            root = ElementTree.fromstring(await answer.text())  # noqa: S314 - the emulator's own
        found = [root.findtext(f".//{{{NAMESPACE}}}{each}") or "" for each in ("Code", "Message")]
        return answer.status, found[0], found[1]


@pytest.fixture
def post(emulator: Route53Emulator, store: ZoneStore) -> Post:
    return Post(emulator, store)


def request(record_set: str, *, action: str = "<Action>CREATE</Action>", extra: str = "") -> str:
    body = f"<Change>{action}<ResourceRecordSet>{record_set}</ResourceRecordSet></Change>"
    changes = f"<ChangeBatch><Changes>{body}</Changes>{extra}</ChangeBatch>"
    root = "ChangeResourceRecordSetsRequest"
    return f'<{root} xmlns="{NAMESPACE}">{changes}</{root}>'


NAMED = "<Name>api.example.org</Name><Type>A</Type>"
VALUES = "<TTL>30</TTL><ResourceRecords><ResourceRecord><Value>192.0.2.1</Value></ResourceRecord></ResourceRecords>"


async def test_the_order_of_elements_is_free_as_botocore_needs_it(post: Post) -> None:
    assert (await post(request(f"{VALUES}<Type>A</Type><Name>api.example.org</Name>")))[0] == 200


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (
            request(NAMED + VALUES + "<Colour>red</Colour>"),
            "cvc-complex-type.2.4.a: Invalid content was found starting",
        ),
        (
            request(NAMED + VALUES + "<Name>b.example.org</Name>"),
            "starting with element 'Name'. One of '{\"" + NAMESPACE,
        ),
        (request(NAMED + VALUES, extra="<Surprise/>"), "starting with element 'Surprise'"),
        (request(NAMED + VALUES, action=""), "The content of element 'Change' is not complete. One of"),
        (request("<Type>A</Type>" + VALUES), "of element 'ResourceRecordSet' is not complete."),
        (
            request(NAMED + "<TTL>30</TTL><ResourceRecords/>"),
            "The content of element 'ResourceRecords' is not complete.",
        ),
        (request(NAMED + VALUES.replace("30", "soon")), "'soon' is not a valid value for 'integer'"),
        (request(NAMED + VALUES.replace("30", "2147483648")), "maxInclusive '2147483647'"),
        (request(NAMED.replace(">A<", ">WKS<") + VALUES), "It must be a value from the enumeration."),
        (request(NAMED + VALUES, action="<Action>REPLACE</Action>"), "enumeration '[CREATE, DELETE, UPSERT]'"),
        (request(NAMED + VALUES.replace("192.0.2.1", "<b/>")), "'Value' is a simple type"),
        (request(NAMED + VALUES).replace(NAMESPACE, "https://example.org/"), "Cannot find the declaration of element"),
        (
            request(NAMED + "<AliasTarget><HostedZoneId>Z2</HostedZoneId><DNSName>x</DNSName></AliasTarget>"),
            f"The content of element 'AliasTarget' is not complete. One of '{{\"{NAMESPACE}\":EvaluateTargetHealth}}'"
            " is expected.",
        ),
    ],
)
async def test_what_the_schema_does_not_have_is_refused_in_its_validator_s_words(
    post: Post, store: ZoneStore, body: str, text: str
) -> None:
    before = store.serial
    status, code, message = await post(body)
    assert (status, code) == (400, "InvalidInput")
    assert message.startswith("Invalid XML ; cvc-")
    assert text in message
    assert store.serial == before


@pytest.mark.parametrize("body", ["", "<", "<ChangeBatch/>", "\x00"])
async def test_what_is_no_such_request_is_malformed(post: Post, body: str) -> None:
    assert (await post(body))[:2] == (400, "MalformedInput")


async def test_a_change_is_pending_at_first_even_where_the_servers_are_quick(submit: Submit, client: Any) -> None:
    made = await submit(change("CREATE", "192.0.2.1"))
    assert made["ChangeInfo"]["Status"] == "PENDING"
    later = await asyncio.to_thread(client.get_change, Id=made["ChangeInfo"]["Id"])
    assert later["ChangeInfo"]["Status"] == "INSYNC"


async def test_a_refusal_can_have_the_body_of_the_reference_in_which_botocore_finds_no_code(
    submit: Submit, post: Post, emulator: Route53Emulator
) -> None:
    emulator.lists_refusals = True
    assert await refusal(submit(change("DELETE", "192.0.2.1"))) == ("", "")
    status, code, message = await post(request(NAMED + VALUES, action="<Action>DELETE</Action>"))
    assert (status, code) == (400, "")
    assert message == "Tried to delete resource record set [name='api.example.org.', type='A'] but it was not found"


async def test_a_set_that_a_test_put_into_the_store_can_be_changed(submit: Submit, store: ZoneStore) -> None:
    extra = {"SetIdentifier": "one", "Weight": 10}
    store.commit(added=[RecordSet("api.example.org", "A", 30, ("192.0.2.1",), extra=extra)], by="test")
    await submit(weighted("CREATE", "two", "192.0.2.2"))
    await submit(weighted("DELETE", "one", "192.0.2.1"))
    assert await asked(store, NAME) == ["192.0.2.2"]
