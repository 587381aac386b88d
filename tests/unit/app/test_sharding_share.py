"""What a replica's engine gets to see of all that is declared."""

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest

from detour.app.sharding.replica import KubernetesStatuses
from detour.app.sharding.share import Share
from detour.engine.ports import Origin
from detour.kube.origins import origin_of
from detour.kube.translate import record_from, zone_from
from detour.model.objects import Kind, Subject
from detour.model.record import ObjectKey, Record

from .objects import dns_zone, failover_record, subject

Raw = dict[str, Any]
NOBODY = frozenset[ObjectKey]()


class Engine:
    """Keeps what it is shown, as an engine does; `behind` are zones that it knows a record to be leaving."""

    def __init__(self) -> None:
        self.shown: dict[ObjectKey, tuple[Any, Origin | None]] = {}
        self.zones: set[ObjectKey] = set()
        self.told: list[tuple[str, Subject]] = []
        self.behind: dict[ObjectKey, tuple[ObjectKey, ...]] = {}
        self.breaks_at: ObjectKey | None = None
        self.calls: list[str] = []

    def record_declared(self, subject: Subject, record: Record, origin: Origin) -> None:
        if subject.key == self.breaks_at:
            raise KeyError("broken")
        self.shown[subject.key] = record, origin
        self.calls.append("record_declared")

    def zone_declared(self, subject: Subject, zone: Any, origin: Origin) -> None:
        self.zones.add(subject.key)

    def invalid(self, subject: Subject, reason: str, message: str, origin: Origin) -> None:
        self.shown[subject.key] = reason, origin
        self.calls.append(reason)

    def seen_last(self, subject: Subject) -> tuple[Record, Origin] | None:
        record, origin = self.shown.get(subject.key, (None, None))
        return (record, origin) if isinstance(record, Record) and origin is not None else None

    def let_go(self, subject: Subject) -> None:
        self.shown.pop(subject.key, None)
        self.zones.discard(subject.key)

    def gone(self, subject: Subject, *, observed: bool) -> None:
        self.told.append(("gone", subject))
        self.let_go(subject)

    def zones_left_behind(self, record: ObjectKey) -> Iterable[ObjectKey]:
        return self.behind.get(record, ())

    def __getattr__(self, name: str) -> Any:
        return lambda subject, *_: self.told.append((name, subject))


class World:
    """A share with its engine, and what is declared."""

    def __init__(self) -> None:
        self.engine = Engine()
        self.changes = 0
        self.at_zones: list[set[str]] = []
        self.share = Share(
            self.engine,  # type: ignore[arg-type]  # what is only told is taken by `__getattr__`
            statuses=KubernetesStatuses(),
            on_change=self._changed,
            at_once=2,
        )

    def _changed(self) -> None:
        self.changes += 1

    def declare(self, raw: Raw) -> Raw:
        if raw["kind"] == "DNSZone":
            self.share.zone_declared(subject(raw), zone_from(raw), origin_of(raw))
        else:
            self.share.record_declared(subject(raw), record_from(raw, None), origin_of(raw))
        return raw

    async def assign(self, *names: str, elsewhere: Iterable[str] = (), is_first: bool = False) -> None:
        self.share.assign(frozenset(map(zone, names)), frozenset(map(zone, elsewhere)), is_first=is_first)
        await self.share.settle(lambda: self.at_zones.append(self.sees()))

    def sees(self) -> set[str]:
        return {each.name for each in self.engine.shown}


def zone(name: str) -> ObjectKey:
    return ObjectKey("shop", name)


def in_zones(name: str, *zones: str, told: Iterable[str] = (), **spec: Any) -> Raw:
    raw = failover_record(name, uid=f"u-{name}", zones=[{"name": each} for each in zones], **spec)
    return {**raw, "status": {"zones": [{"name": each, "published": True} for each in told]}}


@pytest.fixture
def world() -> World:
    made = World()
    for name in ("a", "b", "c"):
        made.declare(dns_zone(name, uid=f"z-{name}", domain=f"{name}.example.org"))
    return made


async def test_the_engine_sees_the_records_of_its_zones_and_no_others(world: World) -> None:
    for name in ("a", "b", "c"):
        world.declare(in_zones(f"in-{name}", name))
    assert world.sees() == set()
    await world.assign("a", "b", elsewhere=["c"])
    assert (world.sees(), world.engine.zones) == ({"in-a", "in-b"}, {zone("a"), zone("b")})
    await world.assign("b", elsewhere=["a", "c"])
    assert (world.sees(), world.engine.zones) == ({"in-b"}, {zone("b")})
    assert not [what for what, _ in world.engine.told if what == "gone"], "what is let go is not gone"


async def test_a_record_comes_as_it_was_declared_last_with_its_last_status(world: World) -> None:
    raw = world.declare(in_zones("api", "a"))
    world.declare({**raw, "spec": {**raw["spec"], "ttl": 77}})
    newest = {**raw, "status": {"zones": [{"name": "a", "published": True}]}}
    world.share.status_seen(subject(raw), origin_of(newest), None)
    await world.assign("a")
    record, origin = world.engine.shown[zone("api")]
    assert (record.ttl, origin.shown["status"]) == (77, newest["status"])


async def test_a_record_of_two_zones_comes_with_the_last_of_them(world: World) -> None:
    world.declare(in_zones("both", "a", "b"))
    await world.assign("a", elsewhere=["b"])
    assert world.sees() == set()
    assert world.engine.zones == {zone("a")}
    await world.assign("a", "b")
    assert world.sees() == {"both"}


async def test_an_edit_that_ties_zones_waits_until_they_are_in_one_hand(world: World) -> None:
    world.declare(in_zones("api", "a", told=["a"]))
    await world.assign("a", elsewhere=["b"])
    changes = world.changes
    world.declare(in_zones("api", "a", "b", told=["a"], ttl=77))
    record, _ = world.engine.shown[zone("api")]
    assert (record.zones, record.ttl) == ((zone("a"),), 30)
    assert world.changes > changes, "who divides the zones hears of the tie"
    assert world.share.ties.unit_of(zone("a")) == {zone("a"), zone("b")}
    await world.assign("a", "b")
    record, _ = world.engine.shown[zone("api")]
    assert (set(record.zones), record.ttl) == ({zone("a"), zone("b")}, 77)


async def test_a_zone_that_is_left_ties_until_the_status_says_that_it_was(world: World) -> None:
    world.declare(in_zones("api", "a", told=["a"]))
    await world.assign("a", "b")
    moved = world.declare(in_zones("api", "b", told=["a"]))
    world.engine.behind[zone("api")] = (zone("a"),)
    assert world.share.ties.unit_of(zone("b")) == {zone("a"), zone("b")}
    world.share.status_seen(subject(moved), origin_of({**moved, "status": {}}), None)
    assert world.share.ties.unit_of(zone("b")) == {zone("a"), zone("b")}, (
        "a status may be lost: the engine knows better"
    )
    world.engine.behind.clear()
    told = in_zones("api", "b", told=["b"])
    told["status"]["observedGeneration"] = told["metadata"]["generation"]
    world.share.status_seen(subject(moved), origin_of(told), None)
    assert world.share.ties.unit_of(zone("b")) == {zone("b")}


async def test_zones_that_no_status_has_told_of_tie_until_one_was_written_for_the_edit(world: World) -> None:
    """Who published a name may not have told of it yet when the record is moved to the zones of another replica."""
    await world.assign("b", elsewhere=["a"])
    raw = in_zones("moves", "a")
    world.declare({**raw, "status": {}})
    edited = in_zones("moves", "b")
    edited["metadata"]["generation"] = 2
    world.declare({**edited, "status": {}})
    assert world.sees() == set(), "it may be published in the other zone"
    assert set(world.share.ties.zones_of(ObjectKey("shop", "moves"))) == {zone("a"), zone("b")}
    await world.assign("a", "b")
    assert world.sees() == {"moves"}
    told = {**edited, "status": {"observedGeneration": 2, "zones": [{"name": "b", "published": True}]}}
    world.share.status_seen(subject(told), origin_of(told), None)
    assert set(world.share.ties.zones_of(ObjectKey("shop", "moves"))) == {zone("b")}


async def test_a_record_whose_zone_is_gone_is_taken_by_who_has_its_new_one(world: World) -> None:
    """And not kept by the replica that was elected for what is of no zone."""
    await world.assign("a", elsewhere=["b"], is_first=True)
    raw = world.declare(in_zones("moves", "c"))
    world.share.gone(Subject(Kind.DNS_ZONE, zone("c"), "z-c"), observed=True)
    await world.assign("a", elsewhere=["b"], is_first=True)
    assert world.sees() == {"moves"}
    edited = {**raw, "metadata": {**raw["metadata"], "generation": 2}}
    edited["spec"] = {**raw["spec"], "zones": [{"name": "b"}]}
    world.declare(edited)
    assert world.sees() == set()


async def test_a_zone_that_never_permitted_a_record_is_not_tied_by_its_edit_either(world: World) -> None:
    world.declare({**dns_zone("b", uid="z-b", domain="b.example.org", allowedNamespaces={"from": "Same"})})
    foreign = failover_record(
        "guest", uid="u-guest", zones=[{"name": "a", "namespace": "shop"}, {"name": "b", "namespace": "shop"}]
    )
    foreign["metadata"]["namespace"] = "guests"
    for zones in ([*foreign["spec"]["zones"]], [foreign["spec"]["zones"][0]]):
        world.declare({**foreign, "spec": {**foreign["spec"], "zones": zones}, "status": {}})
        assert zone("b") not in world.share.ties.zones_of(ObjectKey("guests", "guest"))


async def test_a_zone_that_does_not_permit_a_record_is_not_tied_by_it(world: World) -> None:
    foreign = {**dns_zone("b", uid="z-foreign", domain="foreign.example.org")}
    foreign["metadata"] = {**foreign["metadata"], "namespace": "dns"}
    theirs = ObjectKey("dns", "b")
    world.declare(foreign)
    raw = failover_record("api", zones=[{"name": "a"}, {"name": "b", "namespace": "dns"}])
    world.declare(raw)
    assert world.share.ties.unit_of(theirs) == {theirs}
    await world.assign("a")
    assert world.sees() == {"api"}
    assert world.share.declared(theirs) is not None, "so that the refusal can say why"
    foreign["spec"] = {**foreign["spec"], "allowedNamespaces": {"from": "All"}}
    world.declare(foreign)
    await world.assign("a")
    assert world.share.ties.unit_of(theirs) == {zone("a"), theirs}


def found(raw: Raw, zone_id: str) -> Raw:
    """Return a DNSZone whose status says what it stands for."""
    return {**raw, "status": {"provider": "route53", "zoneID": zone_id}}


async def test_a_zone_is_not_written_before_it_is_known_what_it_stands_for(world: World) -> None:
    await world.assign("a")
    assert (world.engine.zones, world.share.may_write(zone("a"))) == ({zone("a")}, False)
    raw = dns_zone("a", uid="z-a", domain="a.example.org")
    world.share.status_seen(subject(raw), origin_of(found(raw, "Z1")), None)
    assert world.share.may_write(zone("a"))
    world.share.status_seen(subject(raw), origin_of(raw), None)
    assert world.share.may_write(zone("a")), "a status that is lost takes nothing back"


async def test_zones_that_stand_for_one_are_written_by_no_two(world: World) -> None:
    older = found(dns_zone("a", uid="z-a", domain="a.example.org"), "Z1")
    younger = found(dns_zone("twin", uid="z-twin", domain="a.example.org"), "Z1")
    younger["metadata"] = {**younger["metadata"], "creationTimestamp": "2026-11-24T20:00:00Z"}
    world.declare(older)
    world.declare(dns_zone("twin", uid="z-twin", domain="a.example.org"))
    await world.assign("a", elsewhere=["twin"])
    assert world.engine.zones == {zone("a")}, "a declaration alone stops nobody's zone"
    world.declare(younger)
    await world.assign("a", elsewhere=["twin"])
    assert world.engine.zones == {zone("a")}, "the older one stays where it is"
    await world.assign("twin", elsewhere=["a"])
    assert world.engine.zones == set()
    await world.assign("a", "twin")
    assert world.engine.zones == {zone("a"), zone("twin")}


async def test_what_was_declared_anew_comes_before_the_zone_is_written_and_the_rest_after(world: World) -> None:
    acted = {"observedGeneration": 1, "zones": [{"name": "a", "published": True}]}
    for name in ("one", "two", "three"):
        world.declare({**in_zones(name, "a"), "status": acted})
    edited = in_zones("two", "a")
    world.declare({**edited, "metadata": {**edited["metadata"], "generation": 2}, "status": acted})
    await world.assign("a")
    assert (world.at_zones[-1], world.sees()) == ({"two"}, {"one", "two", "three"})


async def test_a_record_that_breaks_the_engine_holds_up_no_other(world: World) -> None:
    for name in ("bad", "good"):
        world.declare(in_zones(name, "a"))
    world.engine.breaks_at = zone("bad")
    await world.assign("a")
    assert world.sees() == {"good"}
    await world.assign("b", elsewhere=["a"])
    world.engine.breaks_at = None
    await world.assign("a")
    assert world.sees() == {"bad", "good"}


async def test_what_comes_while_others_are_shown_is_not_lost(world: World) -> None:
    for number in range(10):
        world.declare(in_zones(f"r{number}", "a"))
    raw = world.declare(in_zones("both", "a", "b"))
    world.share.assign(frozenset((zone("a"),)), frozenset((zone("b"),)), is_first=False)
    settling = asyncio.ensure_future(world.share.settle(lambda: None))
    await asyncio.sleep(0)
    world.share.gone(subject(dns_zone("b", uid="z-b")), observed=True)
    await settling
    assert raw["metadata"]["name"] in world.sees()
    world.share.assign(frozenset(), frozenset((zone("a"),)), is_first=False)
    await world.share.settle(lambda: None)
    assert world.sees() == set()


async def test_what_is_of_no_zone_is_the_elected_replica_s(world: World) -> None:
    world.declare(in_zones("api", "missing"))
    region = Subject(Kind.CLOUD_REGION, ObjectKey("", "aws-us-east-1"), "r")
    await world.assign("a")
    assert (world.sees(), world.share.leads(region)) == (set(), False)
    await world.assign("a", is_first=True)
    assert (world.sees(), world.share.leads(region)) == ({"api"}, True)
    world.declare(dns_zone("missing", uid="z-missing", domain="missing.example.org"))
    await world.assign("a", elsewhere=["missing"], is_first=True)
    assert world.sees() == set()


async def test_an_object_that_cannot_be_used_is_told_of_by_who_has_its_zones(world: World) -> None:
    raw = world.declare(in_zones("api", "a"))
    world.share.invalid(subject(raw), "Invalid", "no such thing", origin_of(raw))
    await world.assign("b", elsewhere=["a"])
    assert world.sees() == set()
    await world.assign("a", "b")
    assert world.engine.shown[zone("api")][0] == "Invalid"
    assert tuple(world.engine.calls[-2:]) == ("record_declared", "Invalid"), "what it declared before stays in force"


async def test_the_end_of_an_object_reaches_who_knows_it(world: World) -> None:
    raws = [world.declare(in_zones(f"in-{name}", name)) for name in ("a", "b")]
    await world.assign("a", elsewhere=["b"])
    for raw in raws:
        world.share.gone(subject(raw), observed=True)
    told = [(what, each.key.name) for what, each in world.engine.told if what in ("gone", "vanished")]
    assert told == [("gone", "in-a"), ("vanished", "in-b")]
    assert [each.names for each in world.share.ties.units()] == [0, 0, 0]
