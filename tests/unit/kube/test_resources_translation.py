"""From raw objects to the model: what comes out of good ones, and that bad ones end in a sentence."""

import contextlib
import copy
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detour.kube.resources.definitions import RESOURCES
from detour.kube.translate import DeclarationError, ca_bundle_reference, record_from, region_from, zone_from
from detour.model.checks import CheckTiming, DNSCheck, HTTPCheck, StatusRange, TCPCheck
from detour.model.endpoint import AdminState, Endpoint
from detour.model.record import Failback, FailbackMode, Importance, ObjectKey, Publish, Record
from detour.model.region import Region
from detour.model.timestamps import parse_time, timestamp
from detour.model.zone import (
    AllowedNamespaces,
    AzureDNSSettings,
    BudgetOverride,
    GoogleCloudDNSSettings,
    LabelRequirement,
    NamespacesFrom,
    RFC2136Settings,
    Route53Settings,
)
from detour_lab.stories.manifests import hostile_manifests

BUNDLE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
METADATA = {
    "name": "api",
    "namespace": "shop",
    "uid": "u-1",
    "generation": 3,
    "creationTimestamp": "2026-11-23T20:00:00Z",
}
RECORD: dict[str, Any] = {
    "apiVersion": "detour.dev/v1alpha1",
    "kind": "FailoverRecord",
    "metadata": METADATA,
    "spec": {
        "hostname": "api.example.com",
        "zones": [{"name": "primary"}, {"name": "second", "namespace": "dns"}],
        "endpoints": [
            {"name": "virginia", "region": "aws-us-east-1", "addresses": ["192.0.2.10", "2001:db8::10"]},
            {"name": "frankfurt", "region": "gcp", "hostname": "lb.example.net", "priority": 2, "state": "Drained"},
        ],
        "healthCheck": {"https": {"path": "/healthz"}},
    },
}
ZONE: dict[str, Any] = {"metadata": METADATA, "spec": {"domain": "example.com", "route53": {}}, "kind": "DNSZone"}
REGION: dict[str, Any] = {
    "kind": "CloudRegion",
    "metadata": {key: value for key, value in METADATA.items() if key != "namespace"},
    "spec": {"cloud": "AWS", "location": "us-east-1"},
}
READERS = {
    "FailoverRecord": lambda item: record_from(item, BUNDLE),
    "DNSZone": zone_from,
    "CloudRegion": region_from,
}


def record(**spec: Any) -> dict[str, Any]:
    """The good record with some fields of its spec replaced."""
    return RECORD | {"spec": RECORD["spec"] | spec}


def zone(**spec: Any) -> dict[str, Any]:
    """A zone of example.com with these fields."""
    return ZONE | {"spec": {"domain": "example.com"} | spec}


def annotated(item: dict[str, Any], value: Any) -> dict[str, Any]:
    """The object with both of Detour's annotations set to `value`."""
    annotations = {"detour.dev/failback": value, "detour.dev/take-over": value}
    return item | {"metadata": item["metadata"] | {"annotations": annotations}}


def test_a_record_is_translated_with_every_default() -> None:
    assert record_from(RECORD, None) == Record(
        key=ObjectKey("shop", "api"),
        uid="u-1",
        created=1795464000.0,
        generation=3,
        hostname="api.example.com",
        zones=(ObjectKey("shop", "primary"), ObjectKey("dns", "second")),
        ttl=30,
        publish=Publish.ADDRESS,
        endpoints=(
            Endpoint("virginia", "aws-us-east-1", ("192.0.2.10", "2001:db8::10")),
            Endpoint("frankfurt", "gcp", (), "lb.example.net", 2, AdminState.DRAINED),
        ),
        probe=HTTPCheck(
            tls=True,
            port=443,
            path="/healthz",
            host="api.example.com",
            server_name="api.example.com",
            expected_statuses=(StatusRange(200, 299),),
        ),
        timing=CheckTiming(interval=10.0, recheck_interval=1.0, timeout=2.0, fall=3, rise=3),
        failback=Failback(most_changes=6),
    )


def test_what_is_written_beats_the_defaults() -> None:
    translated = record_from(
        record(
            ttl=60.0,
            minServing=2,
            strategy="MultiValue",
            whenAllUnhealthy="ServeAll",
            deletionPolicy="Delete",
            suspend=True,
            importance="High",
            adopt=True,
            failback={"mode": "Manual", "holdDown": "1h1m1s1ms", "maxChangesPerHour": 4},
            healthCheck={
                "tcp": {"port": 5432},
                "interval": "1m30s",
                "recheckInterval": "250ms",
                "timeout": "1s",
                "fall": 1,
            },
        ),
        None,
    )
    assert translated.ttl == 60
    assert translated.failback == Failback(FailbackMode.MANUAL, 3661.001, 4)
    assert translated.probe == TCPCheck(5432)
    assert translated.timing == CheckTiming(90.0, 0.25, 1.0, 1, 3)
    assert (translated.suspend, translated.adopt, translated.minimum_serving) == (True, True, 2)
    assert (translated.importance, record_from(record(), None).importance) == (Importance.HIGH, Importance.NORMAL)


def test_http_and_dns_checks_are_translated() -> None:
    http = {
        "http": {
            "port": 8080,
            "host": "a.example.com",
            "expectedStatuses": ["204", "300-399"],
            "expectedBody": "ok",
            "headers": [{"name": "X", "value": "1"}],
        }
    }
    assert record_from(record(healthCheck=http), None).probe == HTTPCheck(
        tls=False,
        port=8080,
        path="/",
        host="a.example.com",
        server_name="a.example.com",
        expected_statuses=(StatusRange(204, 204), StatusRange(300, 399)),
        expected_body="ok",
        headers=(("X", "1"),),
    )
    dns = {"dns": {"name": "x.example.com", "type": "TXT", "minAnswers": 2, "expectedAnswers": ["a"]}}
    assert record_from(record(healthCheck=dns), None).probe == DNSCheck(53, "x.example.com", "TXT", 2, ("a",))


def test_the_server_name_is_the_host_unless_it_is_written() -> None:
    named = record_from(record(healthCheck={"https": {"host": "a.example.com", "serverName": "b.example.com"}}), None)
    hosted = record_from(record(healthCheck={"https": {"host": "a.example.com"}}), None)
    assert isinstance(named.probe, HTTPCheck)
    assert isinstance(hosted.probe, HTTPCheck)
    assert (named.probe.server_name, hosted.probe.server_name) == ("b.example.com", "a.example.com")


def test_a_bundle_is_found_and_required() -> None:
    item = record(healthCheck={"https": {"caBundleRef": {"name": "company-ca"}}})
    assert ca_bundle_reference(item) == ("company-ca", "ca.crt")
    assert ca_bundle_reference(RECORD) is None
    translated = record_from(item, BUNDLE).probe
    assert isinstance(translated, HTTPCheck)
    assert translated.ca_bundle == BUNDLE
    for missing in (None, "", "not a certificate"):
        with pytest.raises(DeclarationError, match=r"key ca\.crt of ConfigMap company-ca holds no certificate"):
            record_from(item, missing)


def test_a_bundle_that_nobody_refers_to_is_not_used() -> None:
    probe = record_from(RECORD, BUNDLE).probe
    assert isinstance(probe, HTTPCheck)
    assert probe.ca_bundle is None


@pytest.mark.parametrize(
    ("value", "acted_on"),
    [
        *[(value, True) for value in ("now", "7", "1764341000", "2026-11-28", "2026-11-28T15:00:00Z")],
        *[
            (value, False)
            for value in ("NOW", "later", "true", "false", "", "-1", "7 ", "\u0667", "2026-13-01", "9" * 21)
        ],
        (None, False),
        (7, False),
    ],
)
def test_only_now_a_number_or_a_time_is_acted_on(value: Any, acted_on: bool) -> None:
    assert record_from(annotated(RECORD, value), None).failback_now is acted_on
    assert zone_from(annotated(ZONE, value)).take_over_now is acted_on


def test_a_zone_named_twice_by_way_of_the_own_namespace_is_refused() -> None:
    with pytest.raises(DeclarationError, match=r"^spec\.zones: names one DNSZone twice"):
        record_from(record(zones=[{"name": "primary"}, {"name": "primary", "namespace": "shop"}]), None)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (
            {"route53": {"zoneID": "Z1", "region": "eu-west-1", "roleARN": "arn:aws:iam::111122223333:role/a"}},
            Route53Settings("Z1", "eu-west-1", "arn:aws:iam::111122223333:role/a"),
        ),
        ({"route53": {"endpointURL": "http://127.0.0.1:5000"}}, Route53Settings(endpoint_url="http://127.0.0.1:5000")),
        (
            {"azureDNS": {"subscriptionID": "00000000-0000-4000-8000-000000000000", "resourceGroup": "dns"}},
            AzureDNSSettings("00000000-0000-4000-8000-000000000000", "dns"),
        ),
        (
            {"googleCloudDNS": {"project": "example-dns", "managedZone": "a"}},
            GoogleCloudDNSSettings("example-dns", "a"),
        ),
        (
            {"rfc2136": {"server": "[2001:db8::53]:53"}, "credentialsSecretRef": {"name": "tsig"}},
            RFC2136Settings("[2001:db8::53]:53"),
        ),
    ],
    ids=["route53", "route53 elsewhere", "azureDNS", "googleCloudDNS", "rfc2136"],
)
def test_each_providers_settings_are_translated(spec: dict[str, Any], expected: object) -> None:
    assert zone_from(zone(**spec)).settings == expected


def test_a_zone_is_translated_in_full() -> None:
    selector = {"matchLabels": {"team": "shop"}, "matchExpressions": [{"key": "old", "operator": "DoesNotExist"}]}
    translated = zone_from(
        zone(
            route53={},
            credentialsSecretRef={"name": "aws"},
            allowedNamespaces={"from": "Selector", "selector": selector},
            budget={"requestsPerSecond": 5, "changesBurst": 750.5},
            verification={"nameServers": ["127.0.0.1:5353"]},
        )
    )
    assert translated.secret_name == "aws"
    assert translated.allowed == AllowedNamespaces(
        NamespacesFrom.SELECTOR, (LabelRequirement("team", "In", ("shop",)), LabelRequirement("old", "DoesNotExist"))
    )
    assert translated.budget == BudgetOverride(requests_per_second=5, changes_burst=750.5)
    assert translated.verification_servers == ("127.0.0.1:5353",)
    assert zone_from(ZONE).allowed == AllowedNamespaces()


def test_a_region_is_translated() -> None:
    drained = REGION | {"spec": REGION["spec"] | {"state": "Drained", "until": "2026-12-01T18:00:00+01:00"}}
    assert region_from(REGION) == Region("api", "AWS", "us-east-1", generation=3)
    assert region_from(drained) == Region("api", "AWS", "us-east-1", AdminState.DRAINED, 1796144400.0, 3)
    explained = REGION | {"spec": REGION["spec"] | {"state": "Drained", "reason": "new switches"}}
    assert region_from(explained) == Region("api", "AWS", "us-east-1", AdminState.DRAINED, None, 3, "new switches")


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-12:00", "9999-12-31T23:59:59.9Z"])
def test_a_time_at_the_end_of_the_calendar_can_be_told_again(text: str) -> None:
    """The API server takes it, so it has to be read; and a status has to be able to tell it."""
    assert timestamp(parse_time(text)) in ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z")


def test_the_end_of_a_pause_is_translated_or_refused_with_its_field() -> None:
    check = RECORD["spec"]["healthCheck"]
    paused = record_from(record(healthCheck={**check, "pausedUntil": "2026-12-01T18:00:00+01:00"}), None)
    assert paused.paused_until == 1796144400.0
    with pytest.raises(DeclarationError, match=r"^spec.healthCheck.pausedUntil: .*; write one such as 2026-11-30T18"):
        record_from(record(healthCheck={**check, "pausedUntil": "Sunday"}), None)


@pytest.mark.parametrize(
    ("item", "sentence"),
    [
        (record(ttl=4), "^spec.ttl: input should be greater than or equal to 5$"),
        (record(ttl="30"), "^spec.ttl: input should be a valid integer$"),
        (record(ttl=True), "^spec.ttl: input should be a valid integer$"),
        (record(safety={"frozen": True}), "^spec.safety: this version of Detour has no such field; remove it"),
        (record(hostname="API.example.com"), "^spec.hostname: hostname must be in lower case: write"),
        (RECORD | {"metadata": {"name": "a", "namespace": "b"}}, "^metadata.uid: is missing"),
        ({}, "^metadata: is not an object"),
        (RECORD | {"spec": None}, "^spec: input should be"),
        (RECORD | {"spec": {}}, "^spec.hostname: is required; .*; and 1 more$"),
    ],
    ids=["range", "text", "boolean", "unknown field", "rule", "no uid", "empty", "null spec", "empty spec"],
)
def test_what_cannot_be_translated_is_told_in_a_sentence(item: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DeclarationError, match=sentence):
        record_from(item, None)


def test_a_header_that_may_be_a_credential_is_never_shown() -> None:
    headers = [{"name": "Authorization", "value": "Bearer s3cret\n"}]
    with pytest.raises(DeclarationError) as caught:
        record_from(record(healthCheck={"https": {"headers": headers}}), None)
    assert "headers[0].value" in str(caught.value)
    assert "s3cret" not in str(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=15,
)


def spots(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of everything inside a JSON value."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(spot for key, inner in pairs for spot in spots(inner, (*path, key)))]


@pytest.mark.slow
@given(data=st.data())
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@pytest.mark.parametrize("base", [RECORD, ZONE, REGION], ids=lambda base: base["kind"])
def test_any_json_in_any_place_is_translated_or_refused_but_never_raises_otherwise(
    base: dict[str, Any], data: st.DataObject
) -> None:
    item = copy.deepcopy(base)
    path = data.draw(st.sampled_from(spots(item)[1:]))
    holder: Any = item
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = data.draw(JSON)
    with contextlib.suppress(DeclarationError):
        READERS[base["kind"]](item)
    assert ca_bundle_reference(item) is None


@pytest.mark.slow
@given(item=st.dictionaries(st.sampled_from(["metadata", "spec", "status", "kind"]), JSON))
@settings(max_examples=300, deadline=None)
def test_nonsense_is_refused_with_a_sentence(item: dict[str, Any]) -> None:
    for read in READERS.values():
        with pytest.raises(DeclarationError):
            read(item)


@pytest.mark.slow
def test_a_thousand_hostile_objects_are_translated_or_refused_with_a_sentence() -> None:
    schemas = {resource.kind: resource.schema() for resource in RESOURCES}
    bases = [RECORD, ZONE, REGION]
    refused = 0
    for hostile in hostile_manifests(bases, schemas, seed=7, count=1000):
        json.dumps(hostile.manifest)
        kind = hostile.description.partition(":")[0]
        try:
            READERS[kind](hostile.manifest)
        except DeclarationError:
            refused += 1
    assert refused > 600


def test_the_same_seed_makes_the_same_hostile_manifests() -> None:
    schemas = {resource.kind: resource.schema() for resource in RESOURCES}
    first, again, other = (
        list(hostile_manifests([RECORD, ZONE, REGION], schemas, seed=seed, count=60)) for seed in (1, 1, 2)
    )
    assert first == again != other
    assert len({hostile.description for hostile in first}) > 30


@pytest.mark.parametrize("name", ["../other/tsig", "other/tsig", "..", ".", "tsig?x=y", "tsig#", "TSIG", "%2e%2e", ""])
def test_the_name_of_a_secret_or_config_map_leads_to_no_other_place(name: str) -> None:
    zone = copy.deepcopy(ZONE)
    zone["spec"]["credentialsSecretRef"] = {"name": name}
    with pytest.raises(DeclarationError, match=r"credentialsSecretRef[.]name"):
        zone_from(zone)
    record = copy.deepcopy(RECORD)
    record["spec"]["healthCheck"] = {"https": {"path": "/", "caBundleRef": {"name": name}}}
    assert ca_bundle_reference(record) is None
    with pytest.raises(DeclarationError, match=r"caBundleRef[.]name"):
        record_from(record, None)


@pytest.mark.parametrize("field", ["credentialsSecretRef", "caBundleRef"])
def test_a_reference_to_another_namespace_is_refused_with_its_field(field: str) -> None:
    reference = {"name": "tsig", "namespace": "kube-system"}
    item = copy.deepcopy(ZONE if field == "credentialsSecretRef" else RECORD)
    if field == "credentialsSecretRef":
        item["spec"][field] = reference
    else:
        item["spec"]["healthCheck"] = {"https": {"path": "/", field: reference}}
        assert ca_bundle_reference(item) is None, "it is not even asked for"
    with pytest.raises(DeclarationError, match=f"{field}.namespace: this version of Detour has no such field"):
        zone_from(item) if field == "credentialsSecretRef" else record_from(item, None)
