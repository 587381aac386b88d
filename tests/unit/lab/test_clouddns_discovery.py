"""Every request and answer of the emulated Cloud DNS conforms to Google's own discovery document of the API."""

import json
from collections.abc import AsyncIterator, Iterator
from importlib import resources
from typing import Any

import aiohttp
import pytest

from detour_lab.clouds.clouddns import CloudDNSEmulator, Quotas
from detour_lab.clouds.clouddns.request import CHANGE_FIELDS, SET_FIELDS
from detour_lab.faults import Fault, FaultKind, Faults
from detour_lab.zones.store import RecordSet, ZoneStore

TYPES: dict[str, type | tuple[type, ...]] = {"string": str, "integer": int, "boolean": bool, "array": list}
POLICY = {
    "kind": "dns#rRSetRoutingPolicy",
    "wrr": {
        "kind": "dns#rRSetRoutingPolicyWrrPolicy",
        "items": [{"kind": "dns#rRSetRoutingPolicyWrrPolicyWrrPolicyItem", "weight": 1.5, "rrdatas": ["192.0.2.1"]}],
    },
}


@pytest.fixture(scope="module")
def document() -> Any:
    path = resources.files("googleapiclient") / "discovery_cache" / "documents" / "dns.v1.json"
    return json.loads(path.read_text())


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
async def emulator(faults: Faults) -> AsyncIterator[CloudDNSEmulator]:
    store = ZoneStore("example.org")
    store.commit(added=[RecordSet("w.example.org", "A", 30, (), extra={"routingPolicy": POLICY})], by="test")
    zones = {"first": store, "second": ZoneStore("example.net")}
    async with CloudDNSEmulator(
        zones, project="lab", faults=faults, private_zones=["second"], tokens={"good"}
    ) as running:
        yield running


class API:
    """Calls methods by their names in the discovery document, with the path and parameters that it gives them."""

    def __init__(self, document: Any, url: str) -> None:
        self.document = document
        self.url = url
        self.token = "good"

    async def __call__(self, method: str, body: Any = None, **parameters: str) -> tuple[int, Any]:
        resource, name = method.split(".")
        declared = self.document["resources"][resource]["methods"][name]
        assert parameters.keys() <= declared["parameters"].keys()
        if body is not None:
            schema = self.document["schemas"][declared["request"]["$ref"]]
            assert list(deviations(body, schema, self.document, "body")) == []
        url = f"{self.url}/{declared['flatPath'].format(project='lab', **parameters)}"
        query = {key: value for key, value in parameters.items() if declared["parameters"][key]["location"] == "query"}
        headers = {"Authorization": f"Bearer {self.token}"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.request(declared["httpMethod"], url, params=query, json=body) as response,
        ):
            assert response.content_type == "application/json"
            content = await response.json()
        if response.status == 200:
            schema = self.document["schemas"][declared["response"]["$ref"]]
            assert list(deviations(content, schema, self.document, method)) == []
            assert content["kind"] == schema["properties"]["kind"]["default"]
        return response.status, content


@pytest.fixture
def api(document: Any, emulator: CloudDNSEmulator) -> API:
    return API(document, emulator.url)


def deviations(content: Any, schema: Any, document: Any, path: str) -> Iterator[str]:
    """Yield how `content` differs from `schema`: unknown fields, other types, values that it does not allow."""
    if "$ref" in schema:
        yield from deviations(content, document["schemas"][schema["$ref"]], document, path)
        return
    kind = schema["type"]
    if kind == "object" and isinstance(content, dict):
        known = schema.get("properties", {})
        for key, value in content.items():
            if key in known:
                yield from deviations(value, known[key], document, f"{path}.{key}")
            elif "additionalProperties" not in schema:
                yield f"{path}.{key} is not in the schema"
    elif kind == "array" and isinstance(content, list):
        for place, each in enumerate(content):
            yield from deviations(each, schema["items"], document, f"{path}[{place}]")
    elif kind == "number" and isinstance(content, int | float):
        return
    elif kind in {"object", "number"} or not isinstance(content, TYPES[kind]):
        yield f"{path} is {content!r}, no {kind}"
    elif schema.get("format") == "uint64" and not str(content).isdecimal():
        yield f"{path} is {content!r}, no uint64"
    elif "enum" in schema and content not in schema["enum"]:
        yield f"{path} is {content!r}, none of {schema['enum']}"


def change(*additions: Any, deletions: Any = ()) -> Any:
    return {"kind": "dns#change", "additions": list(additions), "deletions": list(deletions)}


def address(name: str, *values: str) -> Any:
    return {"kind": "dns#resourceRecordSet", "name": name, "type": "A", "ttl": 30, "rrdatas": list(values)}


async def test_every_answer_conforms(api: API) -> None:
    created = await api("changes.create", change(address("a.example.org.", "192.0.2.1")), managedZone="first")
    swap = change(address("a.example.org.", "192.0.2.2"), deletions=[address("a.example.org.", "192.0.2.1")])
    statuses = [
        created[0],
        (await api("changes.create", swap, managedZone="first"))[0],
        (await api("changes.get", managedZone="first", changeId=created[1]["id"]))[0],
        (await api("changes.list", managedZone="first", maxResults="1", sortBy="changeSequence"))[0],
        (await api("managedZones.get", managedZone="second"))[0],
        (await api("managedZones.list", maxResults="1"))[0],
        (await api("managedZones.list", dnsName="example.org."))[0],
        (await api("resourceRecordSets.list", managedZone="first"))[0],
        (await api("resourceRecordSets.list", managedZone="first", name="w.example.org.", type="A"))[0],
    ]
    assert statuses == [200] * 9


async def test_a_zone_is_also_known_by_its_number(api: API) -> None:
    _, zone = await api("managedZones.get", managedZone="first")
    assert (await api("managedZones.get", managedZone=zone["id"]))[1] == zone


async def test_pages_lead_through_every_list(api: API) -> None:
    seen: list[tuple[str, str]] = []
    token: dict[str, str] = {}
    while True:
        _, page = await api("resourceRecordSets.list", managedZone="first", maxResults="1", **token)
        seen += [(each["name"], each["type"]) for each in page["rrsets"]]
        if "nextPageToken" not in page:
            break
        token = {"pageToken": page["nextPageToken"]}
    assert seen == [("example.org.", "NS"), ("example.org.", "SOA"), ("w.example.org.", "A")]
    assert (await api("managedZones.list", pageToken="%%%"))[0] == 400


async def test_a_routing_policy_can_be_added_and_deleted_whole(api: API) -> None:
    policy_set = {"name": "v.example.org.", "type": "A", "ttl": 30, "routingPolicy": POLICY}
    assert (await api("changes.create", change(policy_set), managedZone="first"))[0] == 200
    assert (await api("changes.create", change(deletions=[policy_set]), managedZone="first"))[0] == 200


async def test_every_error_has_googles_form(api: API, emulator: CloudDNSEmulator, faults: Faults) -> None:
    async def fails(method: str, body: Any = None, **parameters: str) -> tuple[int, str]:
        status, content = await api(method, body, **parameters)
        error = content["error"]
        assert content.keys() == {"error"}
        assert {"code", "message", "errors"} <= error.keys() <= {"code", "message", "errors", "status"}
        assert (error["code"], error["message"]) == (status, error["errors"][0]["message"])
        assert all({"domain", "reason", "message"} <= each.keys() for each in error["errors"])
        return status, error["errors"][0]["reason"]

    exists = change(address("a.example.org.", "192.0.2.1"))
    await api("changes.create", exists, managedZone="first")
    assert await fails("changes.create", exists, managedZone="first") == (409, "alreadyExists")
    assert await fails("changes.create", change(), managedZone="first") == (400, "required")
    assert await fails("changes.create", change({"name": "a.example.org."}), managedZone="first") == (400, "required")
    assert await fails("changes.get", managedZone="first", changeId="99") == (404, "notFound")
    assert await fails("managedZones.get", managedZone="none") == (404, "notFound")
    for kind, expected in (
        (FaultKind.THROTTLE, (403, "rateLimitExceeded")),
        (FaultKind.SERVER_ERROR, (503, "backendError")),
    ):
        faults.inject(Fault(kind, times=1))
        assert await fails("managedZones.list") == expected
    emulator.denied.add("managedZones.list")
    assert await fails("managedZones.list") == (403, "forbidden")
    api.token = "bad"
    assert await fails("managedZones.list") == (401, "authError")


@pytest.mark.parametrize("body", ["{", "[]", '{"additions": {}}', '{"extra": 1}', '{"additions": [{"values": []}]}'])
async def test_a_body_outside_the_schema_is_refused(emulator: CloudDNSEmulator, body: str) -> None:
    url = f"{emulator.url}/dns/v1/projects/lab/managedZones/first/changes"
    headers = {"Authorization": "Bearer good"}
    async with aiohttp.ClientSession() as session, session.post(url, data=body, headers=headers) as response:
        assert response.status == 400
        assert (await response.json())["error"]["status"] == "INVALID_ARGUMENT"


def test_the_fields_that_a_change_may_have_are_those_of_the_schema(document: Any) -> None:
    assert document["schemas"]["Change"]["properties"].keys() == CHANGE_FIELDS
    assert document["schemas"]["ResourceRecordSet"]["properties"].keys() == SET_FIELDS


def test_the_check_itself_notices_a_wrong_field(document: Any) -> None:
    wrong = {"id": 1, "status": "late", "extra": 0, "additions": [{"ttl": "30"}]}
    assert list(deviations(wrong, {"$ref": "Change"}, document, "change")) == [
        "change.id is 1, no string",
        "change.status is 'late', none of ['pending', 'done']",
        "change.extra is not in the schema",
        "change.additions[0].ttl is '30', no integer",
    ]


def test_the_default_refusal_is_403() -> None:
    assert Quotas().status == 403
