"""Which messages of the API server reach the engine, and as what."""

import asyncio
import copy
import itertools
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detour.app.declarations import Declarations
from detour.engine.ports import ClusterError
from detour.kube.kinds import DeletionSeen, Listed, Message, Seen, Unread
from detour.model.checks import HTTPCheck
from detour.model.external import ExternalVerdict
from detour.model.objects import Kind, RawObject, Subject
from detour.model.overrides import Override
from detour.model.record import Record
from detour.model.region import Region
from detour.model.vantage import Vantage, VantageReport
from detour.model.zone import Zone

from .objects import changed, cloud_region, dns_zone, external_verdict, failover_record, override, subject, vantage

FR = Kind.FAILOVER_RECORD


class Engine:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.zones: list[Zone] = []
        self.regions: list[Region] = []
        self.vantages: list[Vantage] = []
        self.overrides: list[Override] = []
        self.verdicts: list[ExternalVerdict] = []
        self.reports: list[VantageReport] = []
        self.unreadable: list[str] = []
        self.invalids: list[tuple[Subject, str]] = []
        self.lost: list[tuple[Subject, bool]] = []
        self.echoes: list[RawObject] = []
        self.existing: set[Subject] = set()
        self.complete: set[Kind] = set()

    def record_declared(self, subject: Subject, record: Record, raw: RawObject) -> None:
        self.records.append(record)

    def zone_declared(self, subject: Subject, zone: Zone, raw: RawObject) -> None:
        self.zones.append(zone)

    def region_declared(self, subject: Subject, region: Region, raw: RawObject) -> None:
        self.regions.append(region)

    def override_declared(self, subject: Subject, override: Override, raw: RawObject) -> None:
        self.overrides.append(override)

    def vantage_declared(self, subject: Subject, vantage: Vantage, raw: RawObject) -> None:
        self.vantages.append(vantage)

    def external_verdict_declared(self, subject: Subject, verdict: ExternalVerdict, *, is_listed: bool) -> None:
        self.verdicts.append(verdict)

    def vantage_reported(self, subject: Subject, report: VantageReport, *, is_listed: bool) -> None:
        self.reports.append(report)

    def vantage_unreadable(self, subject: Subject, why: str) -> None:
        self.unreadable.append(why)

    def invalid(self, subject: Subject, reason: str, message: str, raw: RawObject) -> None:
        self.invalids.append((subject, message))

    def status_seen(self, subject: Subject, raw: RawObject, listed_at: float | None) -> None:
        self.echoes.append(raw)

    def gone(self, subject: Subject, *, observed: bool) -> None:
        self.lost.append((subject, observed))

    def exists(self, subject: Subject) -> None:
        self.existing.add(subject)

    def all_listed(self, kind: Kind) -> None:
        self.complete.add(kind)


class World:
    """An engine behind its declarations, and the ConfigMaps that they may read."""

    def __init__(self) -> None:
        self.engine = Engine()
        self.config_maps: dict[tuple[str, str], dict[str, str]] = {}
        self.failure: ClusterError | None = None
        self.asked: list[tuple[str, str]] = []
        self.declarations = Declarations(self.engine, read_config_map=self.read)

    async def read(self, namespace: str, name: str) -> Mapping[str, str]:
        self.asked.append((namespace, name))
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


def test_a_list_takes_nothing_back_that_was_seen_after_it_began(world: World) -> None:
    before, after = failover_record(ttl=30), failover_record(ttl=60, generation=2)
    world.declarations.take(Seen(FR, before), 1.0)
    world.declarations.take(Seen(FR, after), 5.0)
    world.declarations.take(Listed(FR, [before], 4.0), 6.0)
    assert [each.ttl for each in world.engine.records] == [30, 60]
    world.declarations.take(Listed(FR, [before], 7.0), 8.0)
    assert [each.ttl for each in world.engine.records] == [30, 60, 30], "as after a restore of etcd"


def test_a_list_that_began_before_the_one_before_it_was_taken_in_counts(world: World) -> None:
    before, after = failover_record(ttl=30), failover_record(ttl=60, generation=2)
    world.declarations.take(Listed(FR, [before], 1.0), 5.0)
    world.declarations.take(Listed(FR, [after], 4.0), 6.0)
    assert [each.ttl for each in world.engine.records] == [30, 60]


def test_a_list_brings_nothing_back_that_was_deleted_after_it_began(world: World) -> None:
    raw = failover_record()
    world.declarations.take(Seen(FR, raw), 1.0)
    world.declarations.take(DeletionSeen(FR, raw), 5.0)
    world.declarations.take(Listed(FR, [raw], 4.0), 6.0)
    assert len(world.engine.records) == 1
    assert world.engine.lost == [(subject(raw), True)]
    world.declarations.take(Listed(FR, [raw], 7.0), 8.0)
    assert len(world.engine.records) == 2, "as after a restore of etcd"


def test_a_list_brings_no_object_back_whose_name_another_one_has_by_now(world: World) -> None:
    old, new = failover_record(), failover_record(uid="u-new")
    world.declarations.take(Seen(FR, old), 1.0)
    world.declarations.take(Seen(FR, new), 5.0)
    world.declarations.take(Listed(FR, [old], 4.0), 6.0)
    assert [each.uid for each in world.engine.records] == ["u-1", "u-new"]
    assert world.engine.lost == [(subject(old), False)]


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
    bundles = world.declarations.bundles
    world.declarations.take(Seen(FR, BUNDLED), 1.0)
    assert not world.engine.records
    world.config_maps["shop", "authorities"] = {"ca.crt": PEM}
    await bundles.refresh(1.0)
    await bundles.refresh(61.0)
    assert [bundle_of(each) for each in world.engine.records] == [PEM]
    world.config_maps["shop", "authorities"] = {"ca.crt": OTHER_PEM}
    await bundles.refresh(121.0)
    assert [bundle_of(each) for each in world.engine.records] == [PEM, OTHER_PEM]


@pytest.mark.parametrize("held", [{}, {"other.crt": PEM}])
async def test_missing_authorities_are_named_and_what_a_config_map_holds_is_not_quoted(
    world: World, held: dict[str, str]
) -> None:
    if held:
        world.config_maps["shop", "authorities"] = held
    world.declarations.take(Seen(FR, BUNDLED), 1.0)
    await world.declarations.bundles.refresh(1.0)
    assert "shop/authorities" in world.engine.invalids[0][1]
    assert "ca.crt" in world.engine.invalids[0][1]
    assert "MIIB" not in world.engine.invalids[0][1]


async def test_text_that_is_no_certificate_is_refused_without_being_quoted(world: World) -> None:
    world.config_maps["shop", "authorities"] = {"ca.crt": "password=hunter2"}
    world.declarations.take(Seen(FR, BUNDLED), 1.0)
    await world.declarations.bundles.refresh(1.0)
    assert "no certificate in PEM form" in world.engine.invalids[0][1]
    assert "hunter2" not in world.engine.invalids[0][1]


async def test_authorities_that_were_damaged_are_named_and_those_before_go_on_serving(world: World) -> None:
    world.config_maps["shop", "authorities"] = {"ca.crt": "# F\u0151tan\u00fas\u00edtv\u00e1ny\r\n" + PEM}
    world.declarations.take(Seen(FR, BUNDLED), 1.0)
    await world.declarations.bundles.refresh(1.0)
    assert len(world.engine.records) == 1
    world.config_maps["shop", "authorities"] = {"ca.crt": PEM + OTHER_PEM[:40]}
    await world.declarations.bundles.refresh(61.0)
    assert len(world.engine.records) == 1
    assert "ends in the middle of its certificate 2" in world.engine.invalids[0][1]
    assert "MIIC" not in world.engine.invalids[0][1]


async def test_authorities_that_cannot_be_read_for_a_while_go_on_serving(world: World) -> None:
    world.config_maps["shop", "authorities"] = {"ca.crt": PEM}
    world.declarations.take(Seen(FR, BUNDLED), 1.0)
    await world.declarations.bundles.refresh(1.0)
    for status in (0, 403, 500):
        world.failure = ClusterError("it does not work", status)
        await world.declarations.bundles.refresh(status + 100.0)
    assert len(world.engine.records) == 1
    assert not world.engine.invalids


async def test_authorities_that_the_operator_may_not_read_are_named_and_served_once_it_may(world: World) -> None:
    world.config_maps["shop", "authorities"] = {"ca.crt": PEM}
    world.failure = ClusterError("the API server answers 403 Forbidden", 403)
    world.declarations.take(Seen(FR, BUNDLED), 1.0)
    await world.declarations.bundles.refresh(1.0)
    assert "may not read it: name it in the chart's value caBundles" in world.engine.invalids[0][1]
    assert not world.engine.records
    world.failure = None
    await world.declarations.bundles.refresh(2.0)
    assert [bundle_of(each) for each in world.engine.records] == [PEM]


@pytest.mark.parametrize("status", [403, 404, 500])
async def test_a_config_map_that_cannot_be_had_is_asked_for_with_growing_pauses(world: World, status: int) -> None:
    world.failure = ClusterError("it does not work", status)
    world.declarations.take(Seen(FR, BUNDLED), 0.0)
    asked_at = []
    for second in range(600):
        before = len(world.asked)
        if world.declarations.bundles.are_due(float(second)):
            await world.declarations.bundles.refresh(float(second))
        asked_at += [second] if len(world.asked) > before else []
    pauses = [later - sooner for sooner, later in itertools.pairwise(asked_at)]
    assert pauses[:6] == [1, 2, 4, 8, 16, 32]
    assert set(pauses[6:]) == {60}
    assert len(world.engine.invalids) == 1, "it is said once"


async def test_one_config_map_is_read_once_for_all_who_need_it_and_by_nobody_once_they_are_gone(world: World) -> None:
    world.config_maps["shop", "authorities"] = {"ca.crt": PEM}
    records = [changed(BUNDLED, name=f"r{number}", uid=f"u-{number}") for number in range(50)]
    for raw in records:
        world.declarations.take(Seen(FR, raw), 1.0)
    await world.declarations.bundles.refresh(1.0)
    assert world.asked == [("shop", "authorities")]
    assert len(world.engine.records) == 50
    for raw in records:
        world.declarations.take(DeletionSeen(FR, raw), 2.0)
    assert not world.declarations.bundles.are_due(1000.0)


async def test_who_needs_another_one_by_then_is_told_nothing_of_the_one_before(world: World) -> None:
    """Records are told a few at a time, and may change between."""
    world.config_maps["shop", "authorities"] = {"ca.crt": PEM}
    records = [changed(BUNDLED, name=f"r{number}", uid=f"u-{number}") for number in range(50)]
    for raw in records:
        world.declarations.take(Seen(FR, raw), 1.0)
    refreshing = asyncio.create_task(world.declarations.bundles.refresh(1.0))
    await asyncio.sleep(0)
    assert 0 < len(world.engine.records) < 45
    check = {"https": {"path": "/", "caBundleRef": {"name": "others", "key": "ca.crt"}}}
    edited = failover_record(healthCheck=check)
    edited["metadata"] |= {**records[45]["metadata"], "generation": 2, "resourceVersion": "2"}
    world.declarations.take(Seen(FR, edited), 2.0)
    await refreshing
    assert not world.engine.invalids
    assert len(world.engine.records) == 49


def test_an_object_in_a_namespace_that_was_not_read_is_not_missing_from_a_list(world: World) -> None:
    raw = failover_record()
    world.declarations.take(Seen(FR, raw), 1.0)
    world.declarations.take(Listed(FR, [], 2.0, frozenset({"team-a"})), 3.0)
    assert not world.engine.lost
    world.declarations.take(Listed(FR, [], 2.0, frozenset({"team-a", "shop"})), 3.0)
    assert world.engine.lost == [(subject(raw), False)]


def test_a_kind_is_known_completely_only_once_every_namespace_was_read(world: World) -> None:
    world.declarations.take(Unread(FR, {"team-b": "403"}), 1.0)
    world.declarations.take(Listed(FR, [], 1.0, frozenset({"shop"})), 1.0)
    assert not world.engine.complete, "what is declared in team-b may be there"
    world.declarations.take(Unread(FR, {}), 2.0)
    world.declarations.take(Listed(FR, [], 2.0, frozenset({"shop", "team-b"})), 2.0)
    assert world.engine.complete == {FR}


def test_an_object_that_cannot_be_used_exists_all_the_same(world: World) -> None:
    raw = failover_record(endpoints=[])
    world.declarations.take(Seen(FR, raw), 1.0)
    assert world.engine.existing == {subject(raw)}


class Fragile(Engine):
    """Breaks on records of this name."""

    broken = "api"

    def record_declared(self, subject: Subject, record: Record, raw: RawObject) -> None:
        if subject.key.name == self.broken:
            raise KeyError("a defect")
        super().record_declared(subject, record, raw)


def test_an_object_that_breaks_us_costs_itself_its_turn_and_is_tried_again_with_growing_pauses(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.declarations._declared = world.engine = engine = Fragile()
    good, bad = failover_record("www", uid="u-2"), failover_record("api")
    world.declarations.take(Listed(FR, [bad, good], 0.0), 0.0)
    assert [each.key.name for each in engine.records] == ["www"]
    assert "(KeyError), a defect of Detour's" in engine.invalids[0][1]
    tried = [0.0]
    for minute in range(1, 400):
        before = len(engine.invalids)
        world.declarations.take(Listed(FR, [bad, good], minute * 60.0), minute * 60.0)
        tried += [minute * 60.0] if len(engine.invalids) > before else []
    pauses = [later - sooner for sooner, later in itertools.pairwise(tried)]
    assert pauses == sorted(pauses)
    assert pauses[-1] == 3600.0
    engine.broken = "nobody"
    world.declarations.take(Seen(FR, changed(bad, generation=2)), 24_000.0)  # a change is looked at there and then
    assert [each.key.name for each in engine.records] == ["www", "api"]
    assert not engine.lost


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    [
        ("metadata",),
        ("spec",),
        ("status",),
        ("metadata", "annotations"),
        ("metadata", "generation"),
        ("metadata", "finalizers"),
        ("metadata", "deletionTimestamp"),
        ("metadata", "creationTimestamp"),
        ("metadata", "resourceVersion"),
        ("metadata", "uid"),
        ("spec", "zones"),
        ("spec", "endpoints"),
        ("spec", "healthCheck"),
        ("spec", "domain"),
        ("spec", "until"),
        ("status", "conditions"),
        ("status", "zones"),
        ("status", "endpoints"),
        ("status", "history"),
        ("status", "ledger"),
    ]
)


@given(st.sampled_from(list(Kind)), FIELDS, ANYTHING)
def test_whatever_an_object_holds_the_others_are_taken_in(kind: Kind, field: tuple[str, ...], value: object) -> None:
    world = World()
    odd = {
        FR: failover_record("odd", uid="u-odd"),
        Kind.DNS_ZONE: dns_zone(),
        Kind.CLOUD_REGION: cloud_region(),
        Kind.VANTAGE: vantage(),
        Kind.EXTERNAL_VERDICT: external_verdict(),
        Kind.OVERRIDE: override(action="Pin", revision=1),
        Kind.CLUSTER_OVERRIDE: override(action="Drain", region="aws-us-east-1"),
    }[kind]
    node = copy.deepcopy(odd)
    inner = node
    for step in field[:-1]:
        inner = inner.setdefault(step, {})
    inner[field[-1]] = value
    for message in (Seen(kind, node), Listed(kind, [node, value], 2.0), DeletionSeen(kind, node)):  # type: ignore[list-item]  # odd
        world.declarations.take(message, 2.0)
    world.declarations.take(Seen(FR, failover_record()), 3.0)
    assert [each.key.name for each in world.engine.records][-1] == "api"


def bundled(name: str, key: str = "ca.crt") -> dict[str, Any]:
    """Return a record whose authorities stand under a key of the one ConfigMap."""
    check = {"https": {"path": "/", "caBundleRef": {"name": "authorities", "key": key}}}
    return failover_record(name, uid=f"u-{name}", hostname=f"{name}.example.org", healthCheck=check)


def bundles_in(world: World) -> dict[str, str | None]:
    """Return the newest authorities of each record that was declared."""
    return {each.key.name: bundle_of(each) for each in world.engine.records}


async def test_records_that_share_a_config_map_have_it_read_once_and_follow_it_all(world: World) -> None:
    world.config_maps["shop", "authorities"] = {"ca.crt": PEM, "other.crt": PEM}
    for each in (bundled("one"), bundled("two"), bundled("three", "other.crt")):
        world.declarations.take(Seen(FR, each), 1.0)
    await world.declarations.bundles.refresh(1.0)
    assert bundles_in(world) == {"one": PEM, "two": PEM, "three": PEM}
    assert world.asked == [("shop", "authorities")]
    told = len(world.engine.records)
    world.config_maps["shop", "authorities"] = {"ca.crt": OTHER_PEM, "other.crt": PEM}
    await world.declarations.bundles.refresh(62.0)
    assert bundles_in(world) == {"one": OTHER_PEM, "two": OTHER_PEM, "three": PEM}
    assert len(world.engine.records) == told + 2, "whom nothing concerns is left alone"
    assert world.asked == [("shop", "authorities")] * 2


async def test_a_key_that_one_of_them_misses_keeps_no_other_from_its_authorities(world: World) -> None:
    world.config_maps["shop", "authorities"] = {"ca.crt": PEM}
    for each in (bundled("one"), bundled("two", "gone.crt")):
        world.declarations.take(Seen(FR, each), 1.0)
    await world.declarations.bundles.refresh(1.0)
    assert bundles_in(world) == {"one": PEM}
    assert [subject.key.name for subject, *_ in world.engine.invalids] == ["two"]
    world.config_maps["shop", "authorities"] = {"ca.crt": OTHER_PEM, "gone.crt": PEM}
    await world.declarations.bundles.refresh(62.0)
    assert bundles_in(world) == {"one": OTHER_PEM, "two": PEM}


async def test_a_record_that_goes_takes_the_config_map_from_no_other(world: World) -> None:
    world.config_maps["shop", "authorities"] = {"ca.crt": PEM}
    for each in (bundled("one"), bundled("two")):
        world.declarations.take(Seen(FR, each), 1.0)
    await world.declarations.bundles.refresh(1.0)
    world.declarations.take(DeletionSeen(FR, bundled("one")), 2.0)
    world.config_maps["shop", "authorities"] = {"ca.crt": OTHER_PEM}
    await world.declarations.bundles.refresh(62.0)
    assert bundles_in(world) == {"one": PEM, "two": OTHER_PEM}
    world.declarations.take(DeletionSeen(FR, bundled("two")), 63.0)
    assert not world.declarations.bundles.are_due(1e9), "nobody needs it any more"
