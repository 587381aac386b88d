"""An endpoint with two address families, one of which cannot be checked from here."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from detour.model.rrset import RRKey, RRType, address_sets

from .objects import dns_zone, failover_record
from .world import Clouds, World

Boot = Callable[..., World]
ONE, SIX, TWO = "192.0.2.1", "2001:db8::1", "192.0.2.2"
API = "api.example.org"


def dual_stack(**spec: Any) -> dict[str, Any]:
    raw = failover_record(**spec)
    raw["spec"]["endpoints"][0]["addresses"] = [ONE, SIX]
    return raw


@pytest.mark.parametrize("found", [(), (ONE, SIX), (SIX,)], ids=["nothing in DNS", "both in DNS", "the other in DNS"])
async def test_an_endpoint_fails_over_where_its_only_address_that_can_be_checked_fails(
    boot: Boot, clouds: Clouds, found: tuple[str, ...]
) -> None:
    world = boot()
    world.lost = {SIX}
    for raw in (dns_zone(), dual_stack()):
        world.api.apply(raw)
    await world.until(lambda: world.api.condition("Ready")[0] == "True")
    await asyncio.sleep(60)
    assert world.answers() == {ONE}
    if found:
        await world.kill()
        clouds.zone().drop(RRKey(API, RRType.A))
        clouds.zone().put(*address_sets(API, 30, found))
        world = boot()
        world.lost = {SIX}
    if found == (SIX,):
        world.down = {ONE}
    await asyncio.sleep(60)
    world.down = {ONE}
    await world.until(lambda: world.answers() == {TWO})


async def test_so_does_one_that_is_published_by_its_hostname(boot: Boot) -> None:
    raw = failover_record(publish="CNAME")
    for each in raw["spec"]["endpoints"]:
        del each["addresses"]
        each["hostname"] = f"{each['name']}.example.net"
    world = boot()
    world.names = {"one.example.net": (ONE, SIX), "two.example.net": (TWO,)}
    world.lost = {SIX}
    for each in (dns_zone(), raw):
        world.api.apply(each)
    await world.until(lambda: world.answers() == {"one.example.net"})
    await asyncio.sleep(60)
    world.down = {ONE}
    await world.until(lambda: world.answers() == {"two.example.net"})


async def test_an_address_that_worked_a_moment_ago_keeps_its_endpoint_in_place(boot: Boot) -> None:
    """Its route is what fails now, and perhaps that of the other one too."""
    world = boot(dns_zone(), dual_stack())
    await world.until(lambda: world.answers() == {ONE, SIX})
    await asyncio.sleep(60)
    world.lost, world.down = {SIX}, {ONE}
    await asyncio.sleep(120)
    assert SIX in world.answers()
    assert TWO not in world.answers()
