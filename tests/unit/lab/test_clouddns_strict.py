"""The emulated Cloud DNS as Google's client of the discovery document meets it: each method, policies and fields."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import dns.asyncquery
import dns.message
import pytest
from googleapiclient import discovery
from googleapiclient.errors import HttpError
from googleapiclient.http import build_http

from detour_lab.clouds.clouddns import CloudDNSEmulator
from detour_lab.dns.nameserver import NameServer
from detour_lab.faults import Faults
from detour_lab.zones.store import ZoneStore

WHERE = {"project": "lab", "managedZone": "first"}
Call = Callable[..., Any]


@pytest.fixture
def store() -> ZoneStore:
    return ZoneStore("example.org")


@pytest.fixture
async def emulator(store: ZoneStore) -> AsyncIterator[CloudDNSEmulator]:
    zones = {"first": store, "second": ZoneStore("example.net")}
    async with CloudDNSEmulator(
        zones, project="lab", faults=Faults(), throttle=None, private_zones=["second"]
    ) as running:
        yield running


@pytest.fixture
async def call(emulator: CloudDNSEmulator) -> Call:
    api: Any = discovery
    service = await asyncio.to_thread(
        lambda: api.build(
            "dns", "v1", http=build_http(), static_discovery=True, client_options={"api_endpoint": emulator.url}
        )
    )

    async def call(method: str, **arguments: Any) -> Any:
        resource, name = method.split(".")
        request = getattr(getattr(service, resource)(), name)(**arguments)
        return await asyncio.to_thread(request.execute, http=build_http())

    return call


async def refusal(awaitable: Any) -> tuple[int, str, str]:
    with pytest.raises(HttpError) as caught:
        await awaitable
    error = json.loads(caught.value.content)["error"]
    return error["code"], error["errors"][0]["reason"], error["message"]


def address(name: str, *values: str, ttl: int = 30) -> dict[str, Any]:
    return {"name": name, "type": "A", "ttl": ttl, "rrdatas": list(values)}


def routed(policy: Any, *, rrtype: str = "A") -> dict[str, Any]:
    return {"name": "w.example.org.", "type": rrtype, "ttl": 30, "routingPolicy": policy}


async def test_one_set_is_created_read_patched_and_deleted_by_itself(call: Call, store: ZoneStore) -> None:
    made = await call("resourceRecordSets.create", **WHERE, body=address("a.example.org.", "192.0.2.1"))
    assert made == {"kind": "dns#resourceRecordSet", "signatureRrdatas": [], **address("a.example.org.", "192.0.2.1")}
    one = {**WHERE, "name": "a.example.org.", "type": "A"}
    assert await call("resourceRecordSets.get", **one) == made
    patched = await call("resourceRecordSets.patch", **one, body={"ttl": 60})
    assert (patched["ttl"], patched["rrdatas"]) == (60, ["192.0.2.1"])
    patched = await call("resourceRecordSets.patch", **one, body={"rrdatas": ["192.0.2.2"]})
    assert (patched["ttl"], patched["rrdatas"]) == (60, ["192.0.2.2"])
    assert await call("resourceRecordSets.delete", **one) == {}
    assert store.get("a.example.org", "A") is None


async def test_each_of_them_is_a_change_that_can_be_listed(call: Call) -> None:
    one = {**WHERE, "name": "*.example.org.", "type": "A"}
    await call("resourceRecordSets.create", **WHERE, body=address("*.example.org.", "192.0.2.1"))
    await call("resourceRecordSets.patch", **one, body={"ttl": 60})
    await call("resourceRecordSets.delete", **one)
    listed = (await call("changes.list", **WHERE))["changes"]
    made = [(len(each["additions"]), len(each["deletions"])) for each in listed]
    assert made == [(2, 0), (1, 0), (1, 1), (0, 1)], "the first is the zone's creation"


async def test_what_is_there_or_is_not_there_is_said(call: Call) -> None:
    one = {**WHERE, "name": "a.example.org.", "type": "A"}
    for method, more in (("get", {}), ("delete", {}), ("patch", {"body": {"ttl": 60}})):
        assert await refusal(call(f"resourceRecordSets.{method}", **one, **more)) == (
            404,
            "notFound",
            "The 'parameters.name' resource named 'a.example.org. (A)' does not exist.",
        )
    await call("resourceRecordSets.create", **WHERE, body=address("a.example.org.", "192.0.2.1"))
    again = call("resourceRecordSets.create", **WHERE, body=address("a.example.org.", "192.0.2.2"))
    assert await refusal(again) == (
        409,
        "alreadyExists",
        "The resource 'entity.resourceRecordSet' named 'a.example.org. (A)' already exists",
    )
    assert (await refusal(call("resourceRecordSets.patch", **one, body=address("b.example.org.", "192.0.2.1"))))[
        0
    ] == 400
    assert (await refusal(call("resourceRecordSets.get", **{**one, "type": "WKS"})))[1] == "invalid"
    assert (await refusal(call("resourceRecordSets.get", **{**one, "name": "a.example.org"})))[1] == "invalid"
    assert (await refusal(call("resourceRecordSets.get", **{**one, "managedZone": "none"})))[1] == "notFound"
    apex = {**WHERE, "name": "example.org.", "type": "SOA"}
    assert (await refusal(call("resourceRecordSets.delete", **apex)))[1] == "invalidZoneApex"


async def test_a_patch_turns_values_into_a_policy_and_back(call: Call, store: ZoneStore) -> None:
    one = {**WHERE, "name": "w.example.org.", "type": "A"}
    await call("resourceRecordSets.create", **WHERE, body=address("w.example.org.", "192.0.2.1"))
    policy = {"wrr": {"items": [{"weight": 1, "rrdatas": ["192.0.2.1"]}]}}
    patched = await call("resourceRecordSets.patch", **one, body={"routingPolicy": policy})
    assert "rrdatas" not in patched
    assert patched["routingPolicy"]["wrr"]["items"][0]["weight"] == 1.0
    assert "routingPolicy" in await call("resourceRecordSets.patch", **one, body={"ttl": 60})
    assert (await call("resourceRecordSets.patch", **one, body={"rrdatas": ["192.0.2.1"]}))["rrdatas"] == ["192.0.2.1"]
    kept = store.get("w.example.org", "A")
    assert kept is not None
    assert (kept.ttl, kept.extra) == (60, {})


async def test_an_ech_is_base64_and_nobody_looks_into_it(call: Call) -> None:
    one = {**WHERE, "name": "e.example.org.", "type": "HTTPS"}
    value = "1 svc.example.net. alpn=h2,h3 ech=some+base64+encoded+value///"
    made = {"name": "e.example.org.", "type": "HTTPS", "ttl": 30, "rrdatas": [value]}
    await call("resourceRecordSets.create", **WHERE, body=made)
    await call("resourceRecordSets.patch", **one, body={"ttl": 60})
    shown = await call("resourceRecordSets.get", **one)
    assert (shown["rrdatas"], shown["ttl"]) == ([value], 60)
    await call("changes.create", **WHERE, body={"deletions": [shown]})
    wrong = call("resourceRecordSets.create", **WHERE, body={**made, "rrdatas": ["1 . ech=?"]})
    assert (await refusal(wrong))[1] == "invalid"


async def test_a_project_tells_its_quotas(call: Call) -> None:
    project = await call("projects.get", project="lab")
    assert (project["kind"], project["id"], project["quota"]["rrsetsPerManagedZone"]) == ("dns#project", "lab", 10_000)
    assert (await refusal(call("projects.get", project="other")))[0] == 404


async def test_a_change_is_pending_at_first_even_where_the_servers_are_quick(call: Call) -> None:
    made = await call("changes.create", **WHERE, body={"additions": [address("a.example.org.", "192.0.2.1")]})
    assert made["status"] == "pending"
    assert (await call("changes.get", **WHERE, changeId=made["id"]))["status"] == "done"


WRR = {"wrr": {"items": [{"weight": 1.0, "rrdatas": ["192.0.2.1"]}, {"weight": 0.0, "rrdatas": ["192.0.2.2"]}]}}
GEO = {"geo": {"items": [{"location": "us-east1", "rrdatas": ["192.0.2.1"]}]}}
BACKUP = {
    "healthCheck": "https://www.googleapis.com/compute/v1/projects/lab/global/healthChecks/web",
    "primaryBackup": {
        "primaryTargets": {"externalEndpoints": ["192.0.2.1"]},
        "backupGeoTargets": GEO["geo"],
        "trickleTraffic": 0.1,
    },
}


@pytest.mark.parametrize("policy", [WRR, GEO, BACKUP], ids=["wrr", "geo", "primaryBackup"])
async def test_a_routing_policy_is_kept_and_matched_whole(call: Call, store: ZoneStore, policy: Any) -> None:
    await call("changes.create", **WHERE, body={"additions": [routed(policy)]})
    shown = await call("resourceRecordSets.get", **WHERE, name="w.example.org.", type="A")
    assert shown["routingPolicy"]["kind"] == "dns#rRSetRoutingPolicy"
    other = routed({"wrr": {"items": [{"weight": 2, "rrdatas": ["192.0.2.1"]}]}})
    assert (await refusal(call("changes.create", **WHERE, body={"deletions": [other]})))[1] == "conditionNotMet"
    await call("changes.create", **WHERE, body={"deletions": [shown]})
    assert store.get("w.example.org", "A") is None


def wrr(**item: Any) -> Any:
    return {"wrr": {"items": [{"weight": 1, "rrdatas": ["192.0.2.1"], **item}]}}


def geo(*locations: Any) -> Any:
    return {"geo": {"items": [{"location": each, "rrdatas": ["192.0.2.1"]} for each in locations]}}


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        ({}, "required"),
        ({"foo": 1}, "badRequest"),
        ({"wrr": {}}, "required"),
        ({"wrr": {"items": []}}, "required"),
        ({"wrr": [1]}, "badRequest"),
        (wrr(rrdatas=["x"]), "invalid"),
        (wrr(rrdatas=[]), "required"),
        (wrr(rrdatas=[1]), "badRequest"),
        (wrr(weight=-1), "invalid"),
        (wrr(weight=1001), "invalid"),
        (wrr(weight="heavy"), "badRequest"),
        (wrr(weight=True), "badRequest"),
        (wrr(location="us-east1"), "badRequest"),
        (wrr(healthCheckedTargets={}), "invalid"),
        (wrr(healthCheckedTargets={"externalEndpoints": ["x"]}), "invalid"),
        (geo("nowhere"), "invalid"),
        (geo(""), "invalid"),
        (geo("us-east1", "us-east1"), "invalid"),
        ({**WRR, **GEO}, "invalid"),
        ({"primaryBackup": {}}, "required"),
        ({"primaryBackup": {**BACKUP["primaryBackup"], "trickleTraffic": 2}}, "invalid"),  # type: ignore[dict-item]
        ({"primaryBackup": {**BACKUP["primaryBackup"], "backupGeoTargets": geo("nowhere")["geo"]}}, "invalid"),  # type: ignore[dict-item]
    ],
)
async def test_a_policy_that_is_none_is_refused(call: Call, store: ZoneStore, policy: Any, reason: str) -> None:
    before = store.serial
    code, found, _ = await refusal(call("changes.create", **WHERE, body={"additions": [routed(policy)]}))
    assert (code, found) == (400, reason)
    assert store.serial == before


async def test_some_types_have_no_policy(call: Call) -> None:
    ns = {"wrr": {"items": [{"weight": 1, "rrdatas": ["ns1.example.net."]}]}}
    assert (await refusal(call("changes.create", **WHERE, body={"additions": [routed(ns, rrtype="NS")]})))[0] == 400


class Post:
    """Sends the body of a change as it is, which the client of the discovery document would look over first."""

    def __init__(self, emulator: CloudDNSEmulator) -> None:
        self._url = f"{emulator.url}/dns/v1/projects/lab/managedZones/first"

    async def __call__(self, body: str, path: str = "/changes") -> tuple[int, str]:
        async with aiohttp.ClientSession() as session, session.post(self._url + path, data=body) as answer:
            return answer.status, (await answer.json())["error"]["message"]


@pytest.mark.parametrize(
    ("addition", "text"),
    [
        ({"type": {}}, "Invalid value at 'change.additions[0].type' (TYPE_STRING), {}"),
        ({"name": 1}, "Invalid value at 'change.additions[0].name' (TYPE_STRING), 1"),
        ({"ttl": "soon"}, "Invalid value at 'change.additions[0].ttl' (TYPE_INT32), \"soon\""),
        ({"ttl": True}, "(TYPE_INT32), true"),
        ({"ttl": 2**31}, "(TYPE_INT32)"),
        ({"rrdatas": "192.0.2.1"}, "Invalid value at 'change.additions[0].rrdatas' (repeated)"),
        ({"rrdatas": [1]}, "Invalid value at 'change.additions[0].rrdatas[0]' (TYPE_STRING), 1"),
        ({"rrdatas": [None]}, "(TYPE_STRING), null"),
        ({"colour": "red"}, "Unknown name \"colour\" at 'change.additions[0]': Cannot find field."),
        ({"routingPolicy": "x"}, "(TYPE_MESSAGE)"),
    ],
)
async def test_a_field_of_another_kind_is_refused(emulator: CloudDNSEmulator, addition: Any, text: str) -> None:
    content = {"additions": [{**address("a.example.org.", "192.0.2.1"), **addition}]}
    status, message = await Post(emulator)(json.dumps(content))
    assert (status, text in message) == (400, True), message


@pytest.mark.parametrize(
    "body", ["", "[]", "null", "1", "{", "[" * 100_000, '{"additions":{}}', '{"additions":[null]}']
)
async def test_a_body_that_is_no_change_is_refused(emulator: CloudDNSEmulator, body: str) -> None:
    assert (await Post(emulator)(body))[0] == 400
    assert (await Post(emulator)(body, "/rrsets"))[0] == 400


async def test_null_is_as_if_the_field_were_missing(emulator: CloudDNSEmulator, store: ZoneStore) -> None:
    content = {"additions": [{**address("a.example.org.", "192.0.2.1"), "routingPolicy": None}], "deletions": None}
    async with aiohttp.ClientSession() as session:
        url = f"{emulator.url}/dns/v1/projects/lab/managedZones/first/changes"
        async with session.post(url, data=json.dumps(content)) as answer:
            assert answer.status == 200
    assert store.get("a.example.org", "A") is not None


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("rrsets(name,type),nextPageToken", {"rrsets": [{"name": "example.org.", "type": "NS"}], "nextPageToken": ...}),
        ("rrsets/name", {"rrsets": [{"name": "example.org."}]}),
        ("rrsets( name , ttl ) , kind", {"rrsets": [{"name": "example.org.", "ttl": 172800}], "kind": ...}),
        ("rrsets/*", ...),
        ("*", ...),
        ("kind", {"kind": "dns#resourceRecordSetsListResponse"}),
        ("surprise", {}),
    ],
)
async def test_an_answer_has_the_fields_that_are_asked_for(call: Call, fields: str, expected: Any) -> None:
    whole = await call("resourceRecordSets.list", **WHERE, maxResults=1)
    found = await call("resourceRecordSets.list", **WHERE, maxResults=1, fields=fields)
    if expected is ...:
        assert found["rrsets"] == whole["rrsets"]
    else:
        assert found == {key: whole[key] if value is ... else value for key, value in expected.items()}


@pytest.mark.parametrize("fields", ["rrsets(", "rrsets)", "rrsets(name", "(name)", "a,,b", "a/", "/a", "a b", "é"])
async def test_fields_that_are_no_selection_are_refused_before_anything_is_done(
    call: Call, store: ZoneStore, fields: str
) -> None:
    before = store.serial
    body = {"additions": [address("a.example.org.", "192.0.2.1")]}
    refused = await refusal(call("changes.create", **WHERE, body=body, fields=fields))
    assert (refused[0], refused[1], store.serial) == (400, "invalidParameter", before)


async def test_an_alias_is_at_the_apex_of_a_public_zone_and_answers_with_its_target_s_addresses(
    call: Call, store: ZoneStore
) -> None:
    def alias(*targets: str, name: str = "example.org.") -> Any:
        return {"additions": [{"name": name, "type": "ALIAS", "ttl": 60, "rrdatas": list(targets)}]}

    for zone, body in [
        ("first", alias("lb.example.org.", name="a.example.org.")),
        ("first", alias("lb.example.org")),
        ("first", alias("lb.example.org.", "other.example.org.")),
        ("second", alias("lb.example.org.", name="example.net.")),
    ]:
        assert (await refusal(call("changes.create", project="lab", managedZone=zone, body=body)))[0] == 400
    await call("changes.create", **WHERE, body=alias("lb.example.org."))
    await call("changes.create", **WHERE, body={"additions": [address("lb.example.org.", "192.0.2.1")]})
    assert (await refusal(call("changes.create", **WHERE, body={"additions": [address("example.org.", "192.0.2.9")]})))[
        0
    ] == 400
    server = NameServer([store])
    await server.start()
    try:
        for rrtype, expected in (("A", {"192.0.2.1"}), ("AAAA", set())):
            question = dns.message.make_query("example.org", rrtype)
            answer = await dns.asyncquery.udp(question, server.host, port=server.port, timeout=5)
            assert {value.to_text() for rrset in answer.answer for value in rrset} == expected
        everything = await dns.asyncquery.udp(
            dns.message.make_query("example.org", "ANY"), server.host, port=server.port, timeout=5
        )
    finally:
        await server.stop()
    assert len(everything.answer) == 2
    shown = await call("resourceRecordSets.get", **WHERE, name="example.org.", type="ALIAS")
    assert shown["rrdatas"] == ["lb.example.org."]
