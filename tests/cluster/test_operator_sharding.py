"""Replicas that divide the zones: each has some, a zone and a record only one, and what one leaves others take."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from detour_lab.services.services import Mode
from detour_lab.stage.operatorprocess import OperatorProcess
from detour_lab.zones.store import ZoneStore

from .measuring import metric
from .operating import Stage
from .operatorprocess import PATIENCE, until
from .stories import solo
from .test_operator_replicas import replica

pytestmark = pytest.mark.asyncio(loop_scope="session")

ZONES = ("east", "north", "south", "west")


@asynccontextmanager
async def replicas(stage: Stage, *names: str) -> AsyncIterator[list[OperatorProcess]]:
    """Run replicas that divide the zones; their identities are their names and a process's own part."""
    async with AsyncExitStack() as stack:
        flags = [("--sharding", f"--identity={name}_1") for name in names]
        made = [replica(stage, name, *each) for name, each in zip(names, flags, strict=True)]
        yield [await stack.enter_async_context(each) for each in made]


async def zones_with_records(stage: Stage) -> dict[str, ZoneStore]:
    """Declare four zones, with one record in each; return what each zone holds."""
    virginia, netherlands = await stage.places("virginia", "netherlands")
    stores = {name: stage.serve(f"{name}.{stage.domain}") for name in ZONES}
    zones = [stage.zone(name, domain=f"{name}.{stage.domain}") for name in ZONES]
    records = [
        stage.record([virginia, netherlands], name, hostname=f"api.{name}.{stage.domain}", zones=[{"name": name}])
        for name in ZONES
    ]
    basics = [each for each in stage.basics() if each["kind"] != "DNSZone"]
    await stage.apply(*basics, *zones, *records)
    return stores


async def written_by(stage: Stage, zone: str) -> str:
    """Return the replica that the status of a DNSZone names."""
    return str((await stage.status(zone, "dz")).get("replica") or "")


async def have(operators: Sequence[OperatorProcess], zone: str) -> list[str]:
    """Return the replicas that say that they write a zone."""
    found = [await metric(each.url, "detour_zone_in_force", zone=zone) for each in operators]
    return [each.name for each, has in zip(operators, found, strict=True) if has]


async def divided(stage: Stage, operators: Sequence[OperatorProcess]) -> dict[str, str]:
    """Wait until every zone is one replica's, as its status says too, and each has some; return whose each is."""
    whose: dict[str, str] = {}

    async def look() -> bool:
        for zone in ZONES:
            writers = await have(operators, zone)
            if len(writers) != 1 or await written_by(stage, zone) != writers[0]:
                return False
            whose[zone] = writers[0]
        return set(whose.values()) == {each.name for each in operators}

    await until(look, lambda: f"every zone has one replica, and each replica a zone; it is {whose}", PATIENCE)
    return whose


@solo
async def test_replicas_divide_the_zones_and_take_over_what_one_of_them_leaves(stage: Stage) -> None:
    stores = await zones_with_records(stage)
    virginia, netherlands = (f"{each.address}" for each in stage.services)
    async with replicas(stage, "first", "second") as (first, second):
        for zone in ZONES:
            await stage.ready(zone)
        whose = await divided(stage, (first, second))
        assert set(whose.values()) == {"first", "second"}
        assert await metric(first.url, "detour_replicas") == 2
        assert sum([await metric(each.url, "detour_leader") or 0.0 for each in (first, second)]) == 1
        targets = [await metric(each.url, "detour_records_ready", ready="True") or 0.0 for each in (first, second)]
        assert sum(targets) == len(ZONES), "each record is one replica's"

        await stage.services[0].switch(Mode.REFUSING)
        for zone, store in stores.items():
            await stage.serves(netherlands, name=f"api.{zone}.{stage.domain}", store=store)
        await stage.services[0].switch(Mode.UP)
        for zone, store in stores.items():
            await stage.serves(virginia, name=f"api.{zone}.{stage.domain}", store=store)

        await first.kill()

        async def all_is_the_second_s() -> bool:
            return {await written_by(stage, zone) for zone in ZONES} == {"second"}

        await until(all_is_the_second_s, "the second replica has all zones")
        await stage.services[0].switch(Mode.REFUSING)
        for zone, store in stores.items():
            await stage.serves(netherlands, name=f"api.{zone}.{stage.domain}", store=store)
            await stage.ready(zone)


@solo
async def test_zones_that_a_record_ties_together_come_into_one_hand(stage: Stage) -> None:
    stores = await zones_with_records(stage)
    async with replicas(stage, "first", "second") as operators:
        for zone in ZONES:
            await stage.ready(zone)
        whose = await divided(stage, operators)
        here = ZONES[0]
        there = next(zone for zone in ZONES if whose[zone] != whose[here])
        before = {zone: len(store.log) for zone, store in stores.items()}

        await stage.apply(
            stage.record(
                [{"name": "only", "region": "somewhere", "addresses": [stage.services[1].address]}],
                "both",
                hostname=f"both.{here}.{stage.domain}",
                zones=[{"name": here}, {"name": there}],
            )
        )

        async def are_one_s() -> bool:
            return await written_by(stage, here) == await written_by(stage, there) != ""

        await until(are_one_s, "both zones are one replica's")
        await divided(stage, operators)
        ties = (await stage.status(here, "dz"))["ties"]
        assert [each["zone"] for each in ties] == [f"{stage.namespace}/{there}"]
        assert f"{stage.namespace}/both" in ties[0]["records"]
        wide = await stage.kubectl("get", "dz", "-o", "wide")
        assert "REPLICA" in wide
        assert await written_by(stage, here) in wide
        for zone in ZONES:
            await stage.ready(zone)
        others = [zone for zone in ZONES if zone not in (here, there)]
        assert all(len(stores[zone].log) == before[zone] for zone in others), "other zones are none of its business"
