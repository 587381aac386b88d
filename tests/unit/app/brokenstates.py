"""Ways in which things go wrong, or are meant to be so, and what people should be told of each.

The statuses that come of them are looked at twice: by people's words here, and by what deployment tools make of them
(`tests/gitops`).
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from detour.enactment.contract import ThrottledError
from detour.enactment.markers import Marker
from detour.engine.ports import ClusterError
from detour.model.objects import Kind
from detour.model.record import ObjectKey
from detour.model.rrset import RRset, RRType
from detour.model.states import RecordState as State

from .gating import EAST, NORTH, WEST, record
from .objects import changed, cloud_region, dns_zone, failover_record, override
from .world import Clouds, World

Boot = Callable[..., World]
Story = Callable[[Boot, Clouds], Awaitable[World]]

IPV6 = [
    {"name": "one", "region": EAST, "addresses": ["192.0.2.1", "2001:db8::1"], "priority": 1},
    {"name": "two", "region": WEST, "addresses": ["192.0.2.2"], "priority": 2},
]
CALM = {"safety": {"panicThreshold": 100}}


class Broken(NamedTuple):
    """One way, the state that it shows as, and words of the cause and of what to do (or of when it ends).

    Where it does not become what was declared without a person it `is_stalled`.
    """

    name: str
    story: Story
    state: State
    cause: str
    cure: str = ""
    stalls: bool | None = None

    @property
    def is_stalled(self) -> bool:
        """By its state, unless it is said."""
        by_state = self.state in (State.DOWN, State.HELD, State.REFUSED)
        return by_state if self.stalls is None else self.stalls


async def settled(world: World, seconds: float = 40.0) -> World:
    await asyncio.sleep(seconds)
    return world


def stands(**options: Any) -> Story:
    """Return the story of one record that is declared with these fields."""

    async def story(boot: Boot, clouds: Clouds) -> World:
        return await settled(boot(dns_zone(**CALM), failover_record(**options)))

    return story


def then(happen: Callable[[World, Clouds], object], *, seconds: float = 40.0, **options: Any) -> Story:
    """Return the story of a record that is well until something happens."""

    async def story(boot: Boot, clouds: Clouds) -> World:
        world = await settled(boot(dns_zone(**CALM), failover_record(**options)))
        assert world.api.status()["state"] in ("OK", "Degraded"), world.api.status()
        happen(world, clouds)
        return await settled(world, seconds)

    return story


def down(*addresses: str) -> Callable[[World, Clouds], None]:
    def happen(world: World, _: Clouds) -> None:
        world.down = set(addresses)

    return happen


def lost(*addresses: str) -> Callable[[World, Clouds], None]:
    def happen(world: World, _: Clouds) -> None:
        world.lost = set(addresses)

    return happen


def edited(*, kind: str = "FailoverRecord", annotations: dict[str, str] | None = None, **spec: Any) -> Any:
    def happen(world: World, _: Clouds) -> None:
        raw = failover_record(**spec) if kind == "FailoverRecord" else dns_zone(**spec)
        world.api.apply(changed(raw, annotations=annotations) if annotations else raw)

    return happen


def overridden(**spec: Any) -> Any:
    return lambda world, _: world.api.apply(override(**spec))


def at_first(prepare: Callable[[Clouds], object], **options: Any) -> Story:
    """Return the story of a record that comes to a zone as it was prepared."""

    async def story(boot: Boot, clouds: Clouds) -> World:
        prepare(clouds)
        return await settled(boot(dns_zone(**CALM), failover_record(**options)))

    return story


async def checks_fail_from_the_start(boot: Boot, clouds: Clouds) -> World:
    world = boot(dns_zone(**CALM), failover_record())
    world.down = {"192.0.2.1", "192.0.2.2"}
    return await settled(world)


async def recovers(boot: Boot, clouds: Clouds, **options: Any) -> World:
    world = await then(down("192.0.2.1"), **options)(boot, clouds)
    world.down = set()
    return await settled(world, 30)


async def waits_for_a_person(boot: Boot, clouds: Clouds) -> World:
    return await recovers(boot, clouds, failback={"mode": "Manual"})


async def held_down(boot: Boot, clouds: Clouds) -> World:
    return await recovers(boot, clouds)


async def pinned_to_what_died(boot: Boot, clouds: Clouds) -> World:
    world = await then(overridden(action="Pin", revision=1))(boot, clouds)
    world.down = {"192.0.2.1"}
    return await settled(world)


async def forced_up_and_dead(boot: Boot, clouds: Clouds) -> World:
    world = await then(overridden(action="ForceUp", endpoint="two"))(boot, clouds)
    world.down = {"192.0.2.1", "192.0.2.2"}
    return await settled(world)


async def suspended_and_dead(boot: Boot, clouds: Clouds) -> World:
    world = await then(edited(suspend=True))(boot, clouds)
    world.down = {"192.0.2.1"}
    return await settled(world)


async def held_by_the_gate(boot: Boot, clouds: Clouds) -> World:
    """An edit to places at which no check has passed, while what they replace works."""
    world = await settled(boot(dns_zone(**CALM), failover_record()))
    world.down = {"192.0.2.8", "192.0.2.9"}
    ends = [
        {"name": "one", "region": EAST, "addresses": ["192.0.2.8"], "priority": 1},
        {"name": "two", "region": WEST, "addresses": ["192.0.2.9"], "priority": 2},
    ]
    world.api.apply(failover_record(endpoints=ends))
    return await settled(world, 3)


async def two_regions_fail(boot: Boot, clouds: Clouds) -> World:
    fewer = dns_zone(**CALM)
    api = failover_record()
    others = [record(f"w{each}", (WEST, "192.0.2.3", 1), (NORTH, "192.0.2.4", 2)) for each in range(12)]
    api["spec"]["endpoints"][1]["region"] = NORTH
    world = await settled(boot(fewer, api, *others, free_departures=0))
    world.down = {"192.0.2.3"}
    await settled(world, 60)
    world.down |= {"192.0.2.1"}
    return await settled(world, 60)


async def blind(boot: Boot, clouds: Clouds) -> World:
    world = await settled(boot(dns_zone(), failover_record()))
    world.is_blind = True
    return await settled(world)


async def deletion_held(boot: Boot, clouds: Clouds) -> World:
    raws = [record(f"r{each}", (EAST, "192.0.2.1", 1), deletionPolicy="Delete") for each in range(15)]
    api = failover_record(deletionPolicy="Delete")
    world = await settled(boot(dns_zone(**CALM), *raws, api))
    for raw in (*raws, api):
        world.api.delete(Kind.FAILOVER_RECORD, raw["metadata"]["name"])
    return await settled(world)


def in_two_zones(prepare: Callable[[Clouds], object], *second: dict[str, Any]) -> Story:
    async def story(boot: Boot, clouds: Clouds) -> World:
        prepare(clouds)
        two = failover_record(zones=[{"name": "main"}, {"name": "second"}])
        return await settled(boot(dns_zone(**CALM), *second, two))

    return story


SECOND = dns_zone("second", uid="z-2", **CALM)


def credentials_die(world: World, clouds: Clouds) -> None:
    world.secret_error = None
    clouds.refusing.add("main")
    world.secret = {"key": "another"}
    world.api.apply(changed(dns_zone(credentialsSecretRef={"name": "aws"}, **CALM), generation=2))


def drained(world: World, _: Clouds) -> None:
    world.api.apply(cloud_region(EAST, state="Drained", reason="maintenance"))


def flaps(times: int) -> Story:
    async def story(boot: Boot, clouds: Clouds) -> World:
        world = await settled(boot(dns_zone(**CALM), failover_record(failback={"holdDown": "0s"})))
        for _ in range(times):
            world.down = {"192.0.2.1"}
            await asyncio.sleep(60)
            world.down = set()
            await asyncio.sleep(60)
        return await settled(world, 5)

    return story


def marker_of(owner: str, key: ObjectKey) -> RRset:
    return Marker(owner, key, "u-9").rrset("api.example.org")


def name_is_taken(clouds: Clouds) -> None:
    clouds.zone().put(RRset("api.example.org", RRType.A, 300, ("203.0.113.1",)))


def throttled_at_first(clouds: Clouds) -> None:
    clouds.throttled["main"] = ThrottledError("the provider takes no more for now")


async def silent_name_servers(boot: Boot, clouds: Clouds, seconds: float) -> World:
    world = boot(dns_zone(**CALM), failover_record())
    world.is_silent_about = {"A", "AAAA"}
    return await settled(world, seconds)


async def silent_for_long(boot: Boot, clouds: Clouds) -> World:
    return await silent_name_servers(boot, clouds, 900)


async def dry_run(boot: Boot, clouds: Clouds) -> World:
    return await settled(boot(dns_zone(**CALM), failover_record(), dry_run=True))


async def two_of_one_name(boot: Boot, clouds: Clouds) -> World:
    first = failover_record("first", uid="u-0", hostname="api.example.org")
    first["metadata"]["creationTimestamp"] = "2026-11-20T20:00:00Z"
    return await settled(boot(dns_zone(**CALM), first, failover_record()))


async def no_zone(boot: Boot, clouds: Clouds) -> World:
    return await settled(boot(failover_record()))


async def zone_is_deleted(boot: Boot, clouds: Clouds) -> World:
    world = await settled(boot(dns_zone(**CALM), failover_record()))
    world.api.delete(Kind.DNS_ZONE, "main")
    return await settled(world)


async def misspelt_region(boot: Boot, clouds: Clouds) -> World:
    ends = [
        {"name": "one", "region": EAST, "addresses": ["192.0.2.1"], "priority": 1},
        {"name": "two", "region": "aws-us-eats-1", "addresses": ["192.0.2.2"], "priority": 2},
    ]
    return await settled(boot(cloud_region(EAST), dns_zone(**CALM), failover_record(endpoints=ends)))


async def refused_namespace(boot: Boot, clouds: Clouds) -> World:
    elsewhere = dns_zone(**CALM)
    elsewhere["metadata"]["namespace"] = "dns"
    return await settled(boot(elsewhere, failover_record(zones=[{"name": "main", "namespace": "dns"}])))


async def hostname_without_addresses(boot: Boot, clouds: Clouds) -> World:
    ends = [
        {"name": "one", "region": EAST, "hostname": "lb.example.net", "priority": 1},
        {"name": "two", "region": WEST, "addresses": ["192.0.2.2"], "priority": 2},
    ]
    world = boot(dns_zone(**CALM), failover_record(endpoints=ends))
    world.names = {"lb.example.net": ()}
    return await settled(world)


async def hostname_unknown(boot: Boot, clouds: Clouds) -> World:
    ends = [{"name": "one", "region": EAST, "hostname": "lb.example.net"}]
    return await settled(boot(dns_zone(**CALM), failover_record(endpoints=ends)))


def secret_missing(boot: Boot, clouds: Clouds) -> Awaitable[World]:
    async def story() -> World:
        world = boot()
        world.secret_error = ClusterError("not found", 404)
        world.api.apply(dns_zone(credentialsSecretRef={"name": "aws"}, **CALM))
        world.api.apply(failover_record())
        return await settled(world)

    return story()


async def contested(boot: Boot, clouds: Clouds) -> World:
    world = await settled(boot(dns_zone(**CALM), failover_record()))
    for _ in range(8):
        clouds.zone().put(RRset("api.example.org", RRType.A, 30, ("203.0.113.1",)))
        await asyncio.sleep(90)
    return world


MULTI = {"strategy": "MultiValue"}

TABLE = (
    Broken("all is well", stands(), State.OK, "every zone answers"),
    Broken("the check asks for a path that is not there", checks_fail_from_the_start, State.DOWN, "refused", "check"),
    Broken("the first place fails", then(down("192.0.2.1")), State.FAILED_OVER, "one is unhealthy"),
    Broken("the first place is held down", held_down, State.FAILED_OVER, "held down", "returns if it stays healthy"),
    Broken("the first place waits for a person", waits_for_a_person, State.FAILED_OVER, "waits", "detour.dev/failback"),
    Broken("the first place comes and goes", flaps(4), State.FAILED_OVER, "comes and goes too often", "returns"),
    Broken("every place fails", then(down("192.0.2.1", "192.0.2.2")), State.DOWN, "connection refused", "detour check"),
    Broken("the spare place fails", then(down("192.0.2.2")), State.DEGRADED, "two is unhealthy: connection refused"),
    Broken("the spare cannot be checked", then(lost("192.0.2.2")), State.DEGRADED, "two is not known to work"),
    Broken("nothing can be checked", then(lost("192.0.2.1", "192.0.2.2")), State.DEGRADED, "nobody knows"),
    Broken(
        "the operator has no IPv6",
        then(lost("2001:db8::1"), endpoints=IPV6),
        State.DEGRADED,
        "1 of 2 addresses cannot be checked",
    ),
    Broken("a pin to what works", then(overridden(action="Pin", revision=1)), State.PINNED, "pinned to revision"),
    Broken("a pin to what died", pinned_to_what_died, State.DOWN, "nothing that is pinned", "delete override"),
    Broken("what is forced up is dead", forced_up_and_dead, State.DOWN, "forced up by a person", "delete override"),
    Broken(
        "what is in place is forced down",
        then(overridden(action="ForceDown", endpoint="one")),
        State.FAILED_OVER,
        "one is forced down",
    ),
    Broken("frozen by a person", then(overridden(action="Freeze")), State.SUSPENDED, "frozen by override"),
    Broken(
        "a pin to what never was",
        then(overridden(action="Pin", revision=77)),
        State.DEGRADED,
        "no revision '77'",
        "delete the override",
        stalls=True,
    ),
    Broken("suspended", then(edited(suspend=True)), State.SUSPENDED, "spec.suspend is true"),
    Broken("suspended from the start", stands(suspend=True), State.SUSPENDED, "would publish", stalls=True),
    Broken("suspended while what is served dies", suspended_and_dead, State.DOWN, "connection refused"),
    Broken("a dry run", dry_run, State.SUSPENDED, "--dry-run", stalls=True),
    Broken("no such zone", no_zone, State.REFUSED, "does not exist", "create it"),
    Broken("the zone is deleted", zone_is_deleted, State.REFUSED, "does not exist", "create it"),
    Broken("no such Secret", secret_missing, State.PENDING, "aws", "Secret", stalls=True),
    Broken(
        "the wrong Secret",
        at_first(lambda c: c.refusing.add("main")),
        State.PENDING,
        "does not accept the key",
        stalls=True,
    ),
    Broken("the Secret turns wrong", then(credentials_die), State.DEGRADED, "does not accept the key"),
    Broken("the name is taken", at_first(name_is_taken), State.REFUSED, "exists", "adopt"),
    Broken(
        "another installation's name",
        at_first(lambda c: c.zone().put(marker_of("staging", ObjectKey("shop", "api")))),
        State.REFUSED,
        "staging",
        "give it up",
    ),
    Broken("a name of another zone", stands(hostname="api.example.com"), State.REFUSED, "not within", "spec.zones"),
    Broken("a zone that takes no records from here", refused_namespace, State.REFUSED, "takes no records", "allowed"),
    Broken("a field that is no field", stands(ttl="soon"), State.REFUSED, "ttl"),
    Broken("two records of one name", two_of_one_name, State.REFUSED, "already published", "delete one"),
    Broken("an edit to what never passed", held_by_the_gate, State.HELD, "the safety gate holds", "kubectl describe"),
    Broken("a second region fails", two_regions_fail, State.DOWN, "the safety gate holds", "kubectl describe"),
    Broken("the operator hears nothing", blind, State.DOWN, "nothing was heard", "detour check"),
    Broken(
        "a deletion that is held",
        deletion_held,
        State.DELETING,
        "the safety gate holds",
        "kubectl describe",
        stalls=True,
    ),
    Broken(
        "one zone of two cannot be written",
        in_two_zones(lambda c: c.refusing.add("second"), SECOND),
        State.DEGRADED,
        "second",
        stalls=True,
    ),
    Broken(
        "one zone of two is missing", in_two_zones(lambda c: None), State.DEGRADED, "second", "create it", stalls=True
    ),
    Broken(
        "a region that is misspelt",
        misspelt_region,
        State.DEGRADED,
        "aws-us-eats-1",
        "nearest",
        stalls=True,
    ),
    Broken(
        "an annotation that is misspelt",
        then(edited(annotations={"detour.dev/pinn": "1"})),
        State.DEGRADED,
        "detour.dev/pinn",
        stalls=True,
    ),
    Broken("a region that is drained", then(drained), State.FAILED_OVER, "one is drained"),
    Broken(
        "an endpoint that is drained",
        stands(
            endpoints=[
                {"name": "one", "region": EAST, "addresses": ["192.0.2.1"], "state": "Drained"},
                {"name": "two", "region": WEST, "addresses": ["192.0.2.2"], "priority": 2},
            ]
        ),
        State.FAILED_OVER,
        "one is drained",
    ),
    Broken(
        "a slow place",
        then(
            lambda w, _: w.slow.add("192.0.2.1"),
            seconds=180,
            healthCheck={"tcp": {"port": 443}, "latency": {"above": "800ms", "for": "1m"}},
        ),
        State.FAILED_OVER,
        "one is slow",
    ),
    Broken("one of several that serve fails", then(down("192.0.2.2"), **MULTI), State.DEGRADED, "two is unhealthy"),
    Broken("a hostname without addresses", hostname_without_addresses, State.FAILED_OVER, "one is unhealthy"),
    Broken("a hostname that nobody knows", hostname_unknown, State.PENDING, "has not been resolved"),
    Broken("the provider is rate-limited", at_first(throttled_at_first), State.PENDING, "takes no more for now"),
    Broken(
        "name servers are silent",
        silent_for_long,
        State.DEGRADED,
        "not done after 10 minutes",
        "does not answer",
        stalls=True,
    ),
    Broken("somebody else writes the name", contested, State.DEGRADED, "api.example.org"),
)
