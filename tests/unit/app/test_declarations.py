"""Which messages of the API server reach the engine, and as what."""

from collections.abc import Mapping
from typing import Any

import pytest

from detour.app.declarations import Declarations
from detour.kube.cluster import ClusterError
from detour.kube.kinds import DeletionSeen, Kind, Listed, Message, RawObject, Seen
from detour.kube.reporting import Subject
from detour.model.checks import HTTPCheck
from detour.model.endpoint import Region
from detour.model.record import Record
from detour.model.zone import Zone

from .objects import changed, cloud_region, dns_zone, failover_record, subject

FR = Kind.FAILOVER_RECORD


class Engine:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.zones: list[Zone] = []
        self.regions: list[Region] = []
        self.invalids: list[tuple[Subject, str]] = []
        self.lost: list[tuple[Subject, bool]] = []
        self.echoes: list[RawObject] = []

    def record_declared(self, subject: Subject, record: Record, raw: RawObject) -> None:
        self.records.append(record)

    def zone_declared(self, subject: Subject, zone: Zone, raw: RawObject) -> None:
        self.zones.append(zone)

    def region_declared(self, subject: Subject, region: Region, raw: RawObject) -> None:
        self.regions.append(region)

    def invalid(self, subject: Subject, reason: str, message: str, raw: RawObject) -> None:
        self.invalids.append((subject, message))

    def status_seen(self, subject: Subject, raw: RawObject, listed_at: float | None) -> None:
        self.echoes.append(raw)

    def gone(self, subject: Subject, *, observed: bool) -> None:
        self.lost.append((subject, observed))


class World:
    """An engine behind its declarations, and the ConfigMaps that they may read."""

    def __init__(self) -> None:
        self.engine = Engine()
        self.config_maps: dict[tuple[str, str], dict[str, str]] = {}
        self.failure: ClusterError | None = None
        self.declarations = Declarations(self.engine, read_config_map=self.read)

    async def read(self, namespace: str, name: str) -> Mapping[str, str]:
        if self.failure is not None:
            raise self.failure
        if (namespace, name) not in self.config_maps:
            raise ClusterError("not found", 404)
        return self.config_maps[namespace, name]


@pytest.fixture
def world() -> World:
    return World()


def test_an_object_is_declared_once_and_its_echoes_end_here(world: World) -> None:
    raw = failover_record()
    world.declarations.take(Seen(FR, raw), 1.0)
    echo: dict[str, Any] = changed(raw, resourceVersion="2", managedFields=[{"manager": "detour"}])
    world.declarations.take(Seen(FR, {**echo, "status": {"summary": {"serving": "one"}}}), 2.0)
    world.declarations.take(Listed(FR, [echo], 3.0), 3.0)
    assert [each.hostname for each in world.engine.records] == ["api.example.org"]
    assert not world.engine.lost


@pytest.mark.parametrize(
    "news",
    [
        {"generation": 2},
        {"annotations": {"detour.dev/failback": "now"}},
        {"deletionTimestamp": "2026-11-23T21:00:00Z"},
        {"finalizers": ["detour.dev/dns"]},
    ],
)
def test_what_means_something_to_us_is_declared_again(world: World, news: dict[str, Any]) -> None:
    raw = failover_record()
    world.declarations.take(Seen(FR, raw), 1.0)
    world.declarations.take(Seen(FR, changed(raw, **news)), 2.0)
    assert len(world.engine.records) == 2


def test_another_spec_of_the_same_generation_is_declared_as_after_a_restore_of_etcd(world: World) -> None:
    raw = failover_record(ttl=30)
    world.declarations.take(Seen(FR, raw), 1.0)
    world.declarations.take(Listed(FR, [{**raw, "spec": {**raw["spec"], "ttl": 60}}], 2.0), 2.0)
    assert [each.ttl for each in world.engine.records] == [30, 60]


def test_other_peoples_annotations_and_labels_mean_nothing_to_us(world: World) -> None:
    raw = failover_record()
    world.declarations.take(Seen(FR, raw), 1.0)
    world.declarations.take(Seen(FR, changed(raw, annotations={"example.org/x": "y"}, labels={"a": "b"})), 2.0)
    assert len(world.engine.records) == 1


def test_zones_and_regions_are_declared_as_themselves(world: World) -> None:
    world.declarations.take(Seen(Kind.DNS_ZONE, dns_zone()), 1.0)
    world.declarations.take(Seen(Kind.CLOUD_REGION, cloud_region()), 1.0)
    assert [each.domain for each in world.engine.zones] == ["example.org"]
    assert [each.name for each in world.engine.regions] == ["aws-us-east-1"]


def test_a_deletion_that_was_seen_is_told_as_observed(world: World) -> None:
    raw = failover_record()
    world.declarations.take(Seen(FR, raw), 1.0)
    world.declarations.take(DeletionSeen(FR, raw), 2.0)
    world.declarations.take(DeletionSeen(FR, raw), 3.0)
    assert world.engine.lost == [(subject(raw), True)]


def test_an_absence_is_told_as_not_observed(world: World) -> None:
    raw, other = failover_record(), failover_record("www", uid="u-2")
    world.declarations.take(Seen(FR, raw), 1.0)
    world.declarations.take(Seen(FR, other), 1.0)
    world.declarations.take(Listed(FR, [other], 2.0), 3.0)
    assert world.engine.lost == [(subject(raw), False)]


def test_what_was_seen_after_a_list_began_is_not_missing_from_it(world: World) -> None:
    raw = failover_record()
    world.declarations.take(Seen(FR, raw), 5.0)
    world.declarations.take(Listed(FR, [], 4.0), 6.0)
    assert not world.engine.lost


def test_a_list_of_one_kind_says_nothing_of_another(world: World) -> None:
    world.declarations.take(Seen(FR, failover_record()), 1.0)
    world.declarations.take(Listed(Kind.DNS_ZONE, [], 5.0), 5.0)
    assert not world.engine.lost
    assert world.declarations.listed == {Kind.DNS_ZONE}


def test_an_object_made_anew_unwatched_counts_as_another_one(world: World) -> None:
    old, new = failover_record(), failover_record(uid="u-new")
    world.declarations.take(Seen(FR, old), 1.0)
    world.declarations.take(Seen(FR, new), 2.0)
    assert world.engine.lost == [(subject(old), False)]
    assert [each.uid for each in world.engine.records] == ["u-1", "u-new"]
    world.declarations.take(DeletionSeen(FR, old), 3.0)  # the news of the old one's end come late
    assert len(world.engine.lost) == 1


def test_an_object_that_comes_back_is_declared_again(world: World) -> None:
    raw = failover_record()
    messages: list[Message] = [Seen(FR, raw), DeletionSeen(FR, raw), Seen(FR, raw)]
    for moment, message in enumerate(messages):
        world.declarations.take(message, float(moment))
    assert len(world.engine.records) == 2


@pytest.mark.parametrize(
    "raw",
    [
        failover_record(endpoints=[]),
        failover_record(hostname="Not A Name"),
        {"kind": "FailoverRecord", "metadata": {"name": "api", "namespace": "shop", "uid": "u-1"}},
        {"kind": "FailoverRecord", "metadata": {"name": "api", "namespace": "shop", "uid": "u-1"}, "spec": None},
    ],
)
def test_what_cannot_be_translated_is_said_and_never_raised(world: World, raw: dict[str, Any]) -> None:
    world.declarations.take(Seen(FR, raw), 1.0)
    assert not world.engine.records
    assert len(world.engine.invalids) == 1
    assert world.engine.invalids[0][1]


BUNDLED = failover_record(healthCheck={"https": {"path": "/", "caBundleRef": {"name": "authorities", "key": "ca.crt"}}})
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
OTHER_PEM = PEM.replace("MIIB", "MIIC")


def bundle_of(record: Record) -> str | None:
    assert isinstance(record.probe, HTTPCheck)
    return record.probe.ca_bundle


async def test_a_record_waits_for_its_authorities_and_follows_them(world: World) -> None:
    world.declarations.take(Seen(FR, BUNDLED), 1.0)
    assert not world.engine.records
    world.config_maps["shop", "authorities"] = {"ca.crt": PEM}
    await world.declarations.refresh_bundles()
    await world.declarations.refresh_bundles()
    assert [bundle_of(each) for each in world.engine.records] == [PEM]
    world.config_maps["shop", "authorities"] = {"ca.crt": OTHER_PEM}
    await world.declarations.refresh_bundles()
    assert [bundle_of(each) for each in world.engine.records] == [PEM, OTHER_PEM]


@pytest.mark.parametrize("held", [{}, {"other.crt": PEM}])
async def test_missing_authorities_are_named(world: World, held: dict[str, str]) -> None:
    if held:
        world.config_maps["shop", "authorities"] = held
    world.declarations.take(Seen(FR, BUNDLED), 1.0)
    await world.declarations.refresh_bundles()
    assert "shop/authorities" in world.engine.invalids[0][1]
    assert "ca.crt" in world.engine.invalids[0][1]


async def test_authorities_that_were_damaged_are_named_and_those_before_go_on_serving(world: World) -> None:
    world.config_maps["shop", "authorities"] = {"ca.crt": "# F\u0151tan\u00fas\u00edtv\u00e1ny\r\n" + PEM}
    world.declarations.take(Seen(FR, BUNDLED), 1.0)
    await world.declarations.refresh_bundles()
    assert len(world.engine.records) == 1
    world.config_maps["shop", "authorities"] = {"ca.crt": PEM + OTHER_PEM[:40]}
    await world.declarations.refresh_bundles()
    assert len(world.engine.records) == 1
    assert "ends in the middle of its certificate 2" in world.engine.invalids[0][1]
    assert "MIIC" not in world.engine.invalids[0][1]


async def test_authorities_that_cannot_be_read_for_a_while_go_on_serving(world: World) -> None:
    world.config_maps["shop", "authorities"] = {"ca.crt": PEM}
    world.declarations.take(Seen(FR, BUNDLED), 1.0)
    await world.declarations.refresh_bundles()
    world.failure = ClusterError("the API server is away", 0)
    await world.declarations.refresh_bundles()
    assert len(world.engine.records) == 1
    assert not world.engine.invalids


async def test_authorities_that_the_operator_may_not_read_are_named_and_served_once_it_may(world: World) -> None:
    world.config_maps["shop", "authorities"] = {"ca.crt": PEM}
    world.failure = ClusterError("the API server answers 403 Forbidden", 403)
    world.declarations.take(Seen(FR, BUNDLED), 1.0)
    await world.declarations.refresh_bundles()
    assert "may not read ConfigMap shop/authorities" in world.engine.invalids[0][1]
    assert not world.engine.records
    world.failure = None
    await world.declarations.refresh_bundles(missing_only=True)
    assert [bundle_of(each) for each in world.engine.records] == [PEM]
