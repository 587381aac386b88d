"""What the Azure DNS emulator takes and gives back in raw JSON, as clients of other languages and versions see it."""

import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import aiohttp
import dns.asyncquery
import dns.message
import dns.zone
import pytest
import yarl
from hypothesis import given
from hypothesis import strategies as st

from detour_lab.clouds.azuredns import AzureDNSEmulator
from detour_lab.clouds.azuredns.body import read_body
from detour_lab.clouds.azuredns.errors import Refusal
from detour_lab.clouds.azuredns.records import WIRE
from detour_lab.clouds.azuredns.schema import PROPERTIES
from detour_lab.clouds.azuredns.versions import VERSIONS
from detour_lab.dns.nameserver import NameServer
from detour_lab.zones.store import RecordSet, ZoneStore

DOMAIN = "shop.example.com"
NEWEST = "2023-07-01-preview"
TRAFFIC_MANAGER = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/trafficManagerProfiles/web"
ADDRESS = {"TTL": 60, "ARecords": [{"ipv4Address": "192.0.2.1"}]}


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any

    @property
    def properties(self) -> dict[str, Any]:
        found: dict[str, Any] = self.body["properties"]
        return found

    @property
    def message(self) -> str:
        return str(self.body.get("error", self.body)["message"])


class Raw:
    """Speaks to one zone without any SDK; paths are sent as they are given."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._zone = f"{url}/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/dnsZones/{DOMAIN}"

    async def __call__(
        self, method: str, path: str, properties: Any = None, *, version: str = "2018-05-01", body: str | None = None
    ) -> Answer:
        text = body if body is not None else json.dumps({"properties": properties}) if properties is not None else None
        url = yarl.URL(f"{self._zone}{path}?api-version={version}", encoded=True)
        async with self._session.request(method, url, data=text) as answer:
            return Answer(answer.status, json.loads(await answer.text() or "null"))


@pytest.fixture
def store() -> ZoneStore:
    return ZoneStore(DOMAIN)


@pytest.fixture
async def call(store: ZoneStore) -> AsyncIterator[Raw]:
    server = AzureDNSEmulator([store], subscription="s", resource_group="g", tokens=["token"], quota=None)
    async with server, aiohttp.ClientSession(headers={"Authorization": "Bearer token"}) as session:
        yield Raw(session, server.url)


LONG = "a" * 63


@pytest.mark.parametrize(
    "name",
    ["a..b", ".a", "a.", "x" * 64, ".".join([LONG] * 4), "é", "a?b", "a b", "a,b", f"a.{DOMAIN}.", "a.*", "*a", "**"],
)
async def test_a_record_set_s_name_is_a_name(call: Raw, store: ZoneStore, name: str) -> None:
    before = store.serial
    refused = await call("PUT", f"/A/{quote(name)}", ADDRESS)
    assert (refused.status, refused.body) == (
        400,
        {"code": "BadRequest", "message": f"The domain name '{name}' is invalid."},
    )
    assert (await call("GET", f"/A/{quote(name)}")).status == 400
    assert store.serial == before


@pytest.mark.parametrize("name", ["a.b", "_sip._tcp", "xn--caf-dma", "*", "*.wild", "@", "-", "a_b", "1"])
async def test_what_is_a_name_is_taken(call: Raw, name: str) -> None:
    assert (await call("PUT", f"/A/{name}", ADDRESS)).status == 201


async def test_a_name_has_253_octets_with_its_zone_s(call: Raw) -> None:
    room = 253 - len(DOMAIN) - 1
    name = ".".join([LONG, LONG, LONG, "a" * (room - 3 * 64)])
    assert (await call("PUT", f"/A/{name}", ADDRESS)).status == 201
    assert (await call("PUT", f"/A/{name}a", ADDRESS)).status == 400


TARGETS: Mapping[str, Callable[[str], dict[str, Any]]] = {
    "CNAME": lambda target: {"CNAMERecord": {"cname": target}},
    "MX": lambda target: {"MXRecords": [{"preference": 10, "exchange": target}]},
    "NAPTR": lambda target: {
        "NAPTRRecords": [
            {"order": 1, "preference": 2, "flags": "S", "services": "SIP+D2U", "regexp": "", "replacement": target}
        ]
    },
    "NS": lambda target: {"NSRecords": [{"nsdname": target}]},
    "PTR": lambda target: {"PTRRecords": [{"ptrdname": target}]},
    "SRV": lambda target: {"SRVRecords": [{"priority": 1, "weight": 2, "port": 443, "target": target}]},
}


@pytest.mark.parametrize("rrtype", TARGETS)
@pytest.mark.parametrize("target", ["lb.example.net", "lb.example.net.", "LB.example.net."])
async def test_a_target_comes_back_as_it_was_sent_and_is_served_absolute(
    call: Raw, store: ZoneStore, rrtype: str, target: str
) -> None:
    sent = TARGETS[rrtype](target)
    made = await call("PUT", f"/{rrtype}/x", {"TTL": 60, **sent}, version=NEWEST)
    patched = await call("PATCH", f"/{rrtype}/x", {"TTL": 61}, version=NEWEST)
    read = await call("GET", f"/{rrtype}/x", version=NEWEST)
    for each in (made, patched, read):
        assert sent.items() <= each.properties.items()
    kept = store.get(f"x.{DOMAIN}", rrtype)
    assert kept is not None
    assert kept.values[0].endswith("lb.example.net.")


async def test_how_a_target_was_written_is_forgotten_with_it(call: Raw, store: ZoneStore) -> None:
    await call("PUT", "/CNAME/x", {"TTL": 60, "CNAMERecord": {"cname": "a.example.net."}})
    await call("PUT", "/CNAME/x", {"TTL": 60, "CNAMERecord": {"cname": "a.example.net"}})
    assert (await call("GET", "/CNAME/x")).properties["CNAMERecord"] == {"cname": "a.example.net"}
    store.commit(added=[RecordSet(f"x.{DOMAIN}", "CNAME", 60, ("b.example.net.",))], by="outsider")
    assert (await call("GET", "/CNAME/x")).properties["CNAMERecord"] == {"cname": "b.example.net"}


async def test_one_target_written_in_two_ways_is_the_same_record_twice(call: Raw) -> None:
    twice = [{"preference": 10, "exchange": each} for each in ("mx.example.net", "MX.example.net.")]
    assert (await call("PUT", "/MX/x", {"TTL": 60, "MXRecords": twice})).status == 400


@pytest.mark.parametrize(
    ("rrtype", "target"),
    [
        ("CNAME", '"lb.example.net"'),
        ("CNAME", "a..b"),
        ("CNAME", ""),
        ("CNAME", "é.example"),
        ("MX", "."),
        ("PTR", "*"),
    ],
)
async def test_a_target_that_is_no_name_is_refused_in_the_service_s_words(call: Raw, rrtype: str, target: str) -> None:
    refused = await call("PUT", f"/{rrtype}/x", {"TTL": 60, **TARGETS[rrtype](target)})
    assert (refused.status, refused.message) == (400, f"The domain name '{target}' is invalid.")


async def test_a_srv_record_can_say_that_there_is_no_service(call: Raw) -> None:
    assert (await call("PUT", "/SRV/_x._tcp", {"TTL": 60, **TARGETS["SRV"](".")})).status == 201


@pytest.mark.parametrize(("rrtype", "member"), [("A", "ARecords"), ("AAAA", "AAAARecords"), ("CNAME", "CNAMERecord")])
async def test_an_alias_has_no_member_for_records(call: Raw, rrtype: str, member: str) -> None:
    made = await call("PUT", f"/{rrtype}/x", {"TTL": 60, "targetResource": {"id": TRAFFIC_MANAGER}})
    assert made.status == 201
    listed = (await call("GET", f"/{rrtype}")).body["value"]
    for each in (made.body, *listed, (await call("PATCH", f"/{rrtype}/x", {"TTL": 61})).body):
        assert each["properties"]["targetResource"] == {"id": TRAFFIC_MANAGER}
        assert member not in each["properties"]


async def test_a_set_without_records_has_an_empty_member_and_is_no_alias(call: Raw) -> None:
    made = await call("PUT", "/A/x", {"TTL": 60, "ARecords": []})
    assert (made.properties["ARecords"], made.properties["targetResource"]) == ([], {})


async def test_a_set_is_an_alias_or_has_records(call: Raw, store: ZoneStore) -> None:
    both = {**ADDRESS, "targetResource": {"id": TRAFFIC_MANAGER}}
    assert (await call("PUT", "/A/x", both)).status == 400
    assert (await call("PUT", "/MX/x", {"TTL": 60, "targetResource": {"id": TRAFFIC_MANAGER}})).status == 400
    await call("PUT", "/A/x", {"TTL": 60, "targetResource": {"id": TRAFFIC_MANAGER}})
    assert (await call("PATCH", "/A/x", both)).status == 400
    plain = await call("PATCH", "/A/x", {"ARecords": ADDRESS["ARecords"]})
    assert (plain.properties["ARecords"], plain.properties["targetResource"]) == (ADDRESS["ARecords"], {})
    alias = await call("PUT", "/A/x", {"TTL": 60, "targetResource": {"id": TRAFFIC_MANAGER}})
    assert "ARecords" not in alias.properties
    assert store.get(f"x.{DOMAIN}", "A") is None


async def test_an_alias_that_is_written_again_goes_on_answering(call: Raw, store: ZoneStore) -> None:
    extra = {"targetResource": {"id": TRAFFIC_MANAGER}}
    store.commit(added=[RecordSet(f"x.{DOMAIN}", "A", 60, ("192.0.2.9",), extra=extra)], by="test")
    assert "ARecords" not in (await call("GET", "/A/x")).properties
    await call("PUT", "/A/x", {"TTL": 61, "targetResource": {"id": TRAFFIC_MANAGER}})
    kept = store.get(f"x.{DOMAIN}", "A")
    assert kept is not None
    assert (kept.ttl, kept.values) == (61, ("192.0.2.9",))


@pytest.mark.parametrize("resource", ["somewhere", "/subscriptions/s/resourceGroups/g/providers/Microsoft.Web/sites/x"])
async def test_an_alias_refers_to_a_resource_that_can_be_referred_to(call: Raw, resource: str) -> None:
    refused = await call("PUT", "/A/x", {"TTL": 60, "targetResource": {"id": resource}})
    assert refused.status == 400
    assert refused.message == f"Reference records are not supported for resource '{resource}'"


async def test_the_assigned_name_servers_stay_and_others_may_join_them(call: Raw, store: ZoneStore) -> None:
    assigned = [{"nsdname": "ns1.lab.invalid."}, {"nsdname": "ns2.lab.invalid."}]
    for gone in ([], assigned[:1], [{"nsdname": "ns1.example.net."}]):
        assert (await call("PUT", "/NS/@", {"TTL": 60, "NSRecords": gone})).status == 400
        assert (await call("PATCH", "/NS/@", {"NSRecords": gone})).status == 400
    more = [*assigned, {"nsdname": "ns1.example.net."}]
    assert (await call("PUT", "/NS/@", {"TTL": 60, "NSRecords": more})).properties["NSRecords"] == more
    assert (await call("PATCH", "/NS/@", {"TTL": 61})).properties["TTL"] == 61
    assert (await call("PUT", "/NS/@", {"TTL": 60, "NSRecords": assigned})).status == 200
    assert (await call("PUT", "/NS/child", {"TTL": 60, "NSRecords": [{"nsdname": "ns1.example.net."}]})).status == 201


async def test_everything_of_the_soa_can_be_changed_but_its_host(call: Raw) -> None:
    soa = (await call("GET", "/SOA/@")).properties["SOARecord"]
    moved = {**soa, "host": "ns1.example.net."}
    assert (await call("PUT", "/SOA/@", {"TTL": 60, "SOARecord": moved})).status == 400
    assert (await call("PUT", "/SOA/@", {"TTL": 60})).status == 400
    shorter = {**soa, "email": "dns.example.net", "minimumTTL": 5}
    assert (await call("PUT", "/SOA/@", {"TTL": 60, "SOARecord": shorter})).properties["SOARecord"] == shorter


async def test_a_wildcard_is_of_any_type_but_ns(call: Raw) -> None:
    servers = {"TTL": 60, "NSRecords": [{"nsdname": "ns1.example.net."}]}
    for name in ("*", "*.child"):
        assert (await call("PUT", f"/NS/{name}", servers)).status == 400
        assert (await call("PUT", f"/A/{name}", ADDRESS)).status == 201


async def test_a_conflict_with_a_cname_has_the_service_s_words(call: Raw) -> None:
    cname = {"TTL": 60, "CNAMERecord": {"cname": "lb.example.net"}}
    await call("PUT", "/CNAME/web", cname)
    await call("PUT", "/A/api", ADDRESS)
    refused = await call("PUT", "/TXT/web", {"TTL": 60, "TXTRecords": [{"value": ["x"]}]})
    assert refused.status == 409
    assert refused.message == (
        "The record could not be created because a CNAME record with the same name already exists in this zone."
    )
    refused = await call("PUT", "/CNAME/api", cname)
    assert refused.status == 409
    assert refused.message == (
        "The CNAME record could not be created because another record with the same name already exists in this zone."
    )


@pytest.mark.parametrize(
    ("rrtype", "properties"),
    [
        ("A", {**ADDRESS, "TTL": True}),
        ("A", {**ADDRESS, "TTL": "60"}),
        ("A", {**ADDRESS, "TTL": 1.5}),
        ("A", {**ADDRESS, "TTL": None}),
        ("A", {**ADDRESS, "metadata": "."}),
        ("A", {**ADDRESS, "metadata": {"a": 1}}),
        ("A", {**ADDRESS, "metadata": []}),
        ("A", {**ADDRESS, "targetResource": "x"}),
        ("A", {"TTL": 60, "ARecords": {"ipv4Address": "192.0.2.1"}}),
        ("A", {"TTL": 60, "ARecords": ["192.0.2.1"]}),
        ("A", {"TTL": 60, "ARecords": [None]}),
        ("A", {"TTL": 60, "ARecords": [{}]}),
        ("A", {"TTL": 60, "ARecords": [{"ipv4Address": " 192.0.2.1 "}]}),
        ("A", {"TTL": 60, "ARecords": [{"ipv4Address": 1}]}),
        ("CNAME", {"TTL": 60, "CNAMERecord": [None]}),
        ("CNAME", {"TTL": 60, "CNAMERecord": {"cname": [None]}}),
        ("CNAME", {"TTL": 60, "CNAMERecord": {"cname": None}}),
        ("TXT", {"TTL": 60, "TXTRecords": [{"value": "x"}]}),
        ("TXT", {"TTL": 60, "TXTRecords": [{"value": [1]}]}),
        ("TXT", {"TTL": 60, "TXTRecords": [{"value": []}]}),
        ("CAA", {"TTL": 60, "caaRecords": [{"flags": 256, "tag": "issue", "value": "ca.example"}]}),
        ("CAA", {"TTL": 60, "caaRecords": [{"flags": 0, "tag": "is sue", "value": "ca.example"}]}),
        ("SRV", {"TTL": 60, "SRVRecords": [{"priority": -1, "weight": 0, "port": 1, "target": "a.example"}]}),
        ("SOA", {"TTL": 60, "SOARecord": "x"}),
        ("A", []),
        ("A", "x"),
        ("A", None),
    ],
)
async def test_json_that_is_not_of_the_specification_s_kinds_is_refused(
    call: Raw, store: ZoneStore, rrtype: str, properties: Any
) -> None:
    before = store.serial
    name = "@" if rrtype == "SOA" else "x"
    assert (await call("PUT", f"/{rrtype}/{name}", body=json.dumps({"properties": properties}))).status == 400
    assert store.serial == before


@pytest.mark.parametrize("body", ["", "[]", "null", '"x"', "{", '{"properties":', "\u00e9", "[" * 100_000])
async def test_a_body_that_is_no_json_object_is_refused(call: Raw, body: str) -> None:
    assert (await call("PUT", "/A/x", body=body)).status == 400


async def test_what_a_client_read_it_can_send_back(call: Raw) -> None:
    sent = {"TTL": 60, "caaRecords": [{"flags": 0, "tag": "iodef", "value": 'mailto:"x"@example.com \\ é'}]}
    made = await call("PUT", "/CAA/x", sent)
    assert made.properties["caaRecords"] == sent["caaRecords"]
    again = await call("PUT", "/CAA/x", {**made.properties, "surprise": [1], "TXTRecords": None})
    assert (again.status, again.properties) == (200, made.properties)


LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["a.example", "192.0.2.1"])
)
MEMBERS = ["id", "cname", "value", "ipv4Address", "exchange", "preference", "flags", "tag", "host", "email", "digest"]
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(MEMBERS), inner), max_leaves=6
)


@given(
    rrtype=st.sampled_from(sorted(WIRE)),
    properties=VALUES | st.dictionaries(st.sampled_from(sorted(PROPERTIES)), VALUES, max_size=3),
)
def test_no_body_makes_the_emulator_fail(rrtype: str, properties: Any) -> None:
    with contextlib.suppress(Refusal):  # whatever else it raises would be an answer 500
        body = read_body(json.dumps({"properties": properties}).encode(), rrtype, VERSIONS[NEWEST])
        assert body.ttl is None or 1 <= body.ttl < 2**31


DNSSEC: Mapping[str, dict[str, Any]] = {
    "DS": {"DSRecords": [{"keyTag": 60485, "algorithm": 8, "digest": {"algorithmType": 2, "value": "AB" * 32}}]},
    "NAPTR": TARGETS["NAPTR"]("."),
    "TLSA": {"TLSARecords": [{"usage": 3, "selector": 1, "matchingType": 1, "certAssociationData": "CD" * 32}]},
}


@pytest.mark.parametrize("rrtype", DNSSEC)
async def test_the_newest_version_has_types_that_others_do_not_see(call: Raw, rrtype: str) -> None:
    sent = {"TTL": 60, **DNSSEC[rrtype]}
    assert (await call("PUT", f"/{rrtype}/x", sent, version=NEWEST)).status == 201
    assert sent.items() <= (await call("GET", f"/{rrtype}/x", version=NEWEST)).properties.items()
    seen = {each["type"] for each in (await call("GET", "/all", version=NEWEST)).body["value"]}
    assert f"Microsoft.Network/dnszones/{rrtype}" in seen
    seen = {each["type"] for each in (await call("GET", "/all")).body["value"]}
    assert f"Microsoft.Network/dnszones/{rrtype}" not in seen
    refused = await call("GET", f"/{rrtype}/x")
    assert (refused.status, refused.body["error"]["code"]) == (400, "NoRegisteredProviderFound")
    assert refused.message == (
        "No registered resource provider found for location 'global' and API version '2018-05-01' for type"
        f" 'dnszones/{rrtype}'. The supported api-versions are '{NEWEST}'. The supported locations are ', global'."
    )


@pytest.mark.parametrize("version", VERSIONS)
async def test_every_version_reads_and_writes_what_it_knows(call: Raw, version: str) -> None:
    assert (await call("PUT", "/A/x", ADDRESS, version=version)).status == 201
    await call("PUT", "/A/alias", {"TTL": 60, "targetResource": {"id": TRAFFIC_MANAGER}})
    seen = (await call("GET", "/A/alias", version=version)).properties
    assert ("targetResource" in seen) == (version >= "2018-05-01")
    caa = {"TTL": 60, "caaRecords": [{"flags": 0, "tag": "issue", "value": "ca.example"}]}
    assert (await call("PUT", "/CAA/x", caa, version=version)).status == (201 if version >= "2017" else 400)


async def test_a_transfer_of_a_zone_that_clients_have_written_ends(store: ZoneStore, call: Raw) -> None:
    for name in ("a..b", "x" * 64, "é", "a?b", "ok"):
        await call("PUT", f"/A/{quote(name)}", ADDRESS)
    server = NameServer([store])
    await server.start()
    try:
        zone = dns.zone.Zone(DOMAIN)
        await dns.asyncquery.inbound_xfr(server.host, zone, port=server.port, lifetime=5)
    finally:
        await server.stop()
    assert {str(name) for name in zone} == {"@", "ok"}
