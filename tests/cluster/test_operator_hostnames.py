"""Endpoints known by a hostname: its addresses rotate, it may vanish, its servers may fail, it may lead in a circle."""

import pytest

from detour_lab.faults import Fault, FaultKind
from detour_lab.services.services import Mode
from detour_lab.zones.store import RecordSet

from .operating import Manifest, Stage
from .operatorprocess import until
from .stories import story

pytestmark = pytest.mark.asyncio(loop_scope="session")


def named(stage: Stage, name: str, priority: int) -> Manifest:
    """Return an endpoint that is known by the hostname of a load balancer."""
    return {"name": name, "region": "other-1", "hostname": balancer(stage, name), "priority": priority}


def balancer(stage: Stage, name: str) -> str:
    return f"{name}.{stage.names.store.domain}"


async def endpoint(stage: Stage, name: str, verdict: str, reason: str | None = None, saying: str = "") -> Manifest:
    """Wait until an endpoint has this verdict, with `saying` in its message, and return what the status says of it."""

    async def look() -> Manifest | None:
        listed = {each["name"]: each for each in (await stage.status()).get("endpoints", ())}
        found: Manifest = listed.get(name, {})
        fits = found.get("verdict") == verdict and reason in (None, found.get("reason"))
        return found if fits and saying in found.get("message", "") else None

    return await until(look, f"endpoint {name} is {verdict} {reason} {saying!r}") or {}


async def asked_twice(stage: Stage) -> None:
    """Wait until the stage's hostnames were asked for twice more, for both families: the second time tells of now."""
    counted = Fault(FaultKind.LATENCY, "QUERY", stage.names.store.domain, seconds=0.001, times=4)
    fault = stage.lab.server.faults.inject(counted)
    await until(lambda: fault.times == 0, "the hostname is asked for twice")


@story
async def test_addresses_that_rotate_are_published_together_and_then_change_nothing(stage: Stage) -> None:
    one, two = await stage.places("one", "two")
    names, host = stage.names, balancer(stage, "virginia")
    names.set_addresses(host, one.address)
    await stage.apply(*stage.basics(), stage.record([named(stage, "virginia", 1)]))
    await stage.serves(one.address)
    names.set_addresses(host, two.address)
    await stage.serves(one.address, two.address)
    before = stage.commits()
    for turn in (one, two, one):
        names.set_addresses(host, turn.address)
        await asked_twice(stage)
    assert stage.commits() == before

    await one.service.switch(Mode.REFUSING)
    await stage.serves(two.address)
    await endpoint(stage, "virginia", "Healthy")


@pytest.mark.parametrize("how", ["vanish", "remove"])
@story
async def test_a_hostname_without_addresses_fails_its_endpoint_and_nothing_empty_is_published(
    stage: Stage, how: str
) -> None:
    one, two = await stage.places("one", "two")
    names, host = stage.names, balancer(stage, "virginia")
    names.set_addresses(host, one.address)
    await stage.apply(*stage.basics(), stage.record([named(stage, "virginia", 1), two]))
    await stage.serves(one.address)
    names.vanish(host) if how == "vanish" else names.remove(host)
    await stage.serves(two.address)
    await endpoint(stage, "virginia", "Unhealthy", "NoAddresses", saying=host)
    assert not stage.was_ever_empty()
    names.set_addresses(host, one.address)
    await stage.serves(one.address)


@story
async def test_the_only_hostname_vanishes_and_its_last_addresses_stay_published(stage: Stage) -> None:
    (one,) = await stage.places("one")
    names, host = stage.names, balancer(stage, "virginia")
    names.set_addresses(host, one.address)
    await stage.apply(*stage.basics(), stage.record([named(stage, "virginia", 1)]))
    await stage.serves(one.address)
    names.vanish(host)
    await stage.condition("api", "Ready", "False", "NoHealthyEndpoint")
    assert stage.published() == (one.address,)


@story
async def test_a_name_server_that_fails_makes_the_verdict_unknown_and_moves_nothing(stage: Stage) -> None:
    one, two = await stage.places("one", "two")
    names, host = stage.names, balancer(stage, "virginia")
    names.set_addresses(host, one.address)
    await stage.apply(*stage.basics(), stage.record([named(stage, "virginia", 1), two]))
    await stage.serves(one.address)
    await stage.ready()
    before = stage.commits()
    fault = stage.lab.server.faults.inject(Fault(FaultKind.SERVER_ERROR, "QUERY", stage.names.store.domain))
    try:
        await endpoint(stage, "virginia", "Unknown", "NameUnresolved", saying=host)
        assert stage.commits() == before
        await stage.condition("api", "Ready", "Unknown", "CannotBeChecked", saying=host)
    finally:
        stage.lab.server.faults.remove(fault)
    await endpoint(stage, "virginia", "Healthy")
    await stage.ready()
    assert stage.commits() == before


@story
async def test_a_hostname_that_leads_back_to_the_record_is_refused(stage: Stage) -> None:
    (one,) = await stage.places("one")
    host = balancer(stage, "virginia")
    stage.names.set_addresses(host, one.address)
    await stage.apply(*stage.basics(), stage.record([named(stage, "virginia", 1)]))
    await stage.serves(one.address)
    await stage.ready()
    loop = RecordSet(host, "CNAME", 1, (f"api.{stage.domain}.",))
    stage.names.store.commit(removed=[(host, "A")], added=[loop], by="a careless person")
    told = await stage.condition("api", "Published", "False", "HostnameLoop")
    assert host in told
    assert stage.published() == (one.address,)
    stage.names.store.commit(removed=[(host, "CNAME")], by="the same person")
    stage.names.set_addresses(host, one.address)
    await stage.ready()


@story
async def test_a_record_that_publishes_a_cname_moves_its_target(stage: Stage) -> None:
    one, two = await stage.places("one", "two")
    names = stage.names
    names.set_addresses(balancer(stage, "virginia"), one.address)
    names.set_addresses(balancer(stage, "netherlands"), two.address)
    listed = [named(stage, "virginia", 1), named(stage, "netherlands", 2)]
    await stage.apply(*stage.basics(), stage.record(listed, publish="CNAME"))
    await stage.serves(f"{balancer(stage, 'virginia')}.")
    await stage.ready()
    await one.service.switch(Mode.REFUSING)
    await stage.serves(f"{balancer(stage, 'netherlands')}.")
    await stage.ready()
    assert not stage.was_ever_empty()


@story
async def test_a_hostname_that_never_resolved_publishes_nothing_and_says_why(stage: Stage) -> None:
    await stage.apply(*stage.basics(), stage.record([named(stage, "virginia", 1)]))
    await endpoint(stage, "virginia", "Unhealthy", "NoAddresses", saying=balancer(stage, "virginia"))
    # Before, it waits for the zone to be read, and for the first verdict.
    await stage.condition("api", "Published", "Unknown", "Pending", saying="its hostname has not been resolved")
    assert stage.published() == ()
