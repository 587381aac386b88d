"""Every answer of the emulated Route 53 conforms to botocore's own model of the service, element for element."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any
from xml.etree import ElementTree

import boto3
import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.model import ListShape, OperationModel, Shape, StructureShape

from detour_lab.clouds.route53 import Account, Quotas, Route53Emulator
from detour_lab.faults import Fault, FaultKind, Faults
from detour_lab.zones.store import ZoneStore

NAMESPACE = "{https://route53.amazonaws.com/doc/2013-04-01/}"
COMMON_ERRORS = {
    *("AccessDenied", "InternalFailure", "InvalidClientTokenId", "MissingAuthenticationToken", "SignatureDoesNotMatch"),
    *("MalformedInput", "Throttling", "ExpiredToken"),
}
PLAIN: dict[str, Any] = {"Name": "a.example.org", "Type": "A", "TTL": 30, "ResourceRecords": [{"Value": "192.0.2.1"}]}
EVERY_KIND: list[dict[str, Any]] = [
    {**PLAIN, "Name": "weighted.example.org", "SetIdentifier": "blue", "Weight": 10, "HealthCheckId": "abc"},
    {**PLAIN, "Name": "latency.example.org", "SetIdentifier": "blue", "Region": "eu-west-1"},
    {**PLAIN, "Name": "failover.example.org", "SetIdentifier": "blue", "Failover": "PRIMARY"},
    {**PLAIN, "Name": "multi.example.org", "SetIdentifier": "blue", "MultiValueAnswer": True},
    {**PLAIN, "Name": "geo.example.org", "SetIdentifier": "blue", "GeoLocation": {"CountryCode": "DE"}},
    {
        **PLAIN,
        "Name": "near.example.org",
        "SetIdentifier": "blue",
        "GeoProximityLocation": {"Coordinates": {"Latitude": "49.22", "Longitude": "-74.01"}, "Bias": -5},
    },
    {
        "Name": "alias.example.org",
        "Type": "A",
        "AliasTarget": {
            "HostedZoneId": "Z35SXDOTRQ7X7K",
            "DNSName": "lb.us-east-1.elb.amazonaws.com.",
            "EvaluateTargetHealth": True,
        },
    },
    {"Name": "mail.example.org", "Type": "MX", "TTL": 60, "ResourceRecords": [{"Value": "10 mx.example.net."}]},
    {"Name": "text.example.org", "Type": "TXT", "TTL": 60, "ResourceRecords": [{"Value": '"a" "<&>"'}]},
]


class Recorder:
    """Keeps the raw body of every answer that a client parses, with the model of its operation."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.answers: list[tuple[OperationModel, int, bytes]] = []
        client.meta.events.register("before-parse.route-53.*", self._keep)

    def _keep(self, operation_model: OperationModel, response_dict: Any, **_: Any) -> None:
        self.answers.append((operation_model, response_dict["status_code"], response_dict["body"]))

    async def __call__(self, operation: str, **arguments: Any) -> Any:
        return await asyncio.to_thread(getattr(self.client, operation), **arguments)


def recorder_of(emulator: Route53Emulator, secret: str | None = None) -> Recorder:
    config = Config(retries={"max_attempts": 0})
    keys = {"aws_access_key_id": "AKID", "aws_secret_access_key": secret or "right"}
    sdk: Any = boto3  # its stubs take no keyword dictionary
    return Recorder(sdk.client("route53", region_name="us-east-1", endpoint_url=emulator.url, config=config, **keys))


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def store() -> ZoneStore:
    return ZoneStore("example.org")


@pytest.fixture
async def emulator(store: ZoneStore, faults: Faults) -> AsyncIterator[Route53Emulator]:
    hidden = [ZoneStore("internal.example.org")]
    keys = {"AKID": "right"}
    account = Account(health_checks=["abc", "def"])
    async with Route53Emulator(
        [store], faults=faults, throttle=None, private_zones=hidden, access_keys=keys, account=account
    ) as running:
        yield running


@pytest.fixture
def recorder(emulator: Route53Emulator) -> Recorder:
    return recorder_of(emulator)


def parsed(body: bytes | str) -> ElementTree.Element:
    return ElementTree.fromstring(body)  # noqa: S314 - written by the emulator of this very process


def deviations(node: ElementTree.Element, shape: Shape, path: str) -> Iterator[str]:
    """Yield how `node` differs from `shape`: unknown, missing or repeated elements, values that the model forbids."""
    if isinstance(shape, StructureShape):
        known = {member.serialization.get("name", name): member for name, member in shape.members.items()}
        found = [child.tag.removeprefix(NAMESPACE) for child in node]
        yield from (f"{path}: {name} is not in the model" for name in found if name not in known)
        yield from (f"{path}: {name} is there twice" for name in set(found) if found.count(name) > 1)
        yield from (f"{path}: {name} is missing" for name in shape.required_members if name not in found)
        for child in node:
            if (member := known.get(child.tag.removeprefix(NAMESPACE))) is not None:
                yield from deviations(child, member, f"{path}/{child.tag.removeprefix(NAMESPACE)}")
    elif isinstance(shape, ListShape):
        name = shape.member.serialization.get("name", "member")
        if len(node) < shape.metadata.get("min", 0):
            yield f"{path}: has {len(node)} elements"
        for child in node:
            if child.tag != NAMESPACE + name:
                yield f"{path}: {child.tag} is not {name}"
            yield from deviations(child, shape.member, f"{path}/{name}")
    else:
        yield from (f"{path}: {problem}" for problem in scalar_deviations(node.text or "", shape))


def scalar_deviations(text: str, shape: Shape) -> Iterator[str]:
    rules = shape.metadata
    if shape.type_name in ("integer", "long") and not re.fullmatch("-?[0-9]+", text):
        yield f"'{text}' is no number"
    elif shape.type_name in ("integer", "long"):
        if not rules.get("min", int(text)) <= int(text) <= rules.get("max", int(text)):
            yield f"{text} is out of range"
    elif shape.type_name == "boolean" and text not in ("true", "false"):
        yield f"'{text}' is no boolean"
    elif shape.type_name == "timestamp" and not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", text):
        yield f"'{text}' is no time"
    elif shape.type_name == "string":
        if "enum" in rules and text not in rules["enum"]:
            yield f"'{text}' is not one of {rules['enum']}"
        if not rules.get("min", 0) <= len(text) <= rules.get("max", len(text)):
            yield f"'{text}' has {len(text)} characters"
        if "pattern" in rules and not re.search(rules["pattern"], text):
            yield f"'{text}' does not match {rules['pattern']}"


async def test_every_answer_holds_only_and_all_what_the_model_knows(
    recorder: Recorder, emulator: Route53Emulator, store: ZoneStore
) -> None:
    zone = emulator.zone_id(store)
    batch = {
        "Comment": "all kinds",
        "Changes": [{"Action": "CREATE", "ResourceRecordSet": each} for each in EVERY_KIND],
    }
    made = await recorder("change_resource_record_sets", HostedZoneId=zone, ChangeBatch=batch)
    await recorder("get_change", Id=made["ChangeInfo"]["Id"])
    await recorder("get_hosted_zone", Id=zone)
    await recorder("list_resource_record_sets", HostedZoneId=zone)
    await recorder("list_resource_record_sets", HostedZoneId=zone, MaxItems="3")
    await recorder("list_hosted_zones", MaxItems="1")
    hidden = next(
        each["Id"] for each in (await recorder("list_hosted_zones"))["HostedZones"] if each["Config"]["PrivateZone"]
    )
    await recorder("get_hosted_zone", Id=hidden)
    await recorder("list_hosted_zones_by_name", MaxItems="1")
    await recorder("list_hosted_zones_by_name", DNSName="example.org", HostedZoneId=zone)
    await recorder("list_health_checks")
    await recorder("list_health_checks", MaxItems="1")
    await recorder("get_health_check", HealthCheckId="abc")
    assert len({model.name for model, _, _ in recorder.answers}) == 8
    for model, status, body in recorder.answers:
        root = parsed(body)
        assert status == 200
        assert root.tag == f"{NAMESPACE}{model.name}Response"
        assert model.output_shape is not None
        assert list(deviations(root, model.output_shape, model.name)) == []


async def test_whatever_boto3_sends_comes_back_the_same(
    recorder: Recorder, emulator: Route53Emulator, store: ZoneStore
) -> None:
    zone = emulator.zone_id(store)
    batch = {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": each} for each in EVERY_KIND]}
    await recorder("change_resource_record_sets", HostedZoneId=zone, ChangeBatch=batch)
    listed = (await recorder("list_resource_record_sets", HostedZoneId=zone))["ResourceRecordSets"]
    found = {each["Name"]: each for each in listed if each["Name"] != "example.org."}
    assert found == {f"{each['Name']}.": {**each, "Name": f"{each['Name']}."} for each in EVERY_KIND}
    back = {"Changes": [{"Action": "DELETE", "ResourceRecordSet": each} for each in found.values()]}
    await recorder("change_resource_record_sets", HostedZoneId=zone, ChangeBatch=back)
    assert len(store.all()) == 2


async def test_every_error_has_the_form_and_a_code_that_the_model_knows(
    recorder: Recorder, emulator: Route53Emulator, store: ZoneStore, faults: Faults
) -> None:
    zone, create = emulator.zone_id(store), {"Changes": [{"Action": "CREATE", "ResourceRecordSet": PLAIN}]}
    seen = []

    async def fails(operation: str, caller: Recorder = recorder, **arguments: Any) -> None:
        with pytest.raises(ClientError) as caught:
            await caller(operation, **arguments)
        seen.append(caught.value.response["Error"]["Code"])
        model, status, body = caller.answers[-1]
        root = parsed(body)
        assert root.tag == f"{NAMESPACE}ErrorResponse"
        assert [each.tag.removeprefix(NAMESPACE) for each in root] == ["Error", "RequestId"]
        assert [each.tag.removeprefix(NAMESPACE) for each in root[0]] == ["Type", "Code", "Message"]
        declared = {
            shape.name: shape.metadata.get("error", {}).get("httpStatusCode", 400) for shape in model.error_shapes
        }
        assert seen[-1] in declared.keys() | COMMON_ERRORS
        assert status == declared.get(seen[-1], status)
        assert caught.value.response["Error"]["Message"]

    await fails("get_hosted_zone", Id="Z404")
    await fails("get_change", Id="C404")
    await fails("list_resource_record_sets", HostedZoneId=zone, MaxItems="many")
    await fails("list_hosted_zones", recorder_of(emulator, "wrong"))
    await recorder("change_resource_record_sets", HostedZoneId=zone, ChangeBatch=create)
    await fails("change_resource_record_sets", HostedZoneId=zone, ChangeBatch=create)
    emulator.processing = 60
    again = {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": PLAIN}]}
    await recorder("change_resource_record_sets", HostedZoneId=zone, ChangeBatch=again)
    await fails("change_resource_record_sets", HostedZoneId=zone, ChangeBatch=again)
    emulator.denied.add("ListHostedZones")
    await fails("list_hosted_zones")
    for kind in (FaultKind.THROTTLE, FaultKind.SERVER_ERROR):
        faults.inject(Fault(kind, "GetHostedZone", times=1))
        await fails("get_hosted_zone", Id=zone)
    assert seen == [
        *("NoSuchHostedZone", "NoSuchChange", "InvalidInput", "SignatureDoesNotMatch", "InvalidChangeBatch"),
        *("PriorRequestNotComplete", "AccessDenied", "Throttling", "InternalFailure"),
    ]


def test_the_check_itself_notices_a_wrong_element() -> None:
    model = botocore.session.get_session().get_service_model("route53").operation_model("GetChange")
    body = (
        f'<GetChangeResponse xmlns="{NAMESPACE[1:-1]}"><ChangeInfo><Id>C1</Id><Status>LATE</Status><Extra/>'
        "</ChangeInfo></GetChangeResponse>"
    )
    assert model.output_shape is not None
    assert list(deviations(parsed(body), model.output_shape, "GetChange")) == [
        "GetChange/ChangeInfo: Extra is not in the model",
        "GetChange/ChangeInfo: SubmittedAt is missing",
        "GetChange/ChangeInfo/Status: 'LATE' is not one of ['PENDING', 'INSYNC']",
    ]


async def test_the_default_quotas_are_the_documented_ones() -> None:
    assert Quotas() == Quotas(requests_per_second=10, requests_burst=50, changes_per_second=100, changes_burst=1500)
