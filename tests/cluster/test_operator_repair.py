"""What outsiders break in the zone is put back, without a person. How long that takes is the row `repair`."""

import asyncio

import pytest

from .operating import OUTSIDER, Stage
from .operatorprocess import until
from .stories import story

pytestmark = pytest.mark.asyncio(loop_scope="session")


@story
async def test_what_an_outsider_changes_or_deletes_is_put_back(stage: Stage) -> None:
    (virginia,) = await stage.places("virginia")
    names = ("edited", "deleted", "doubled", "unmarked")
    await stage.apply(*stage.basics(), *(stage.record([virginia], name) for name in names))
    for name in names:
        await stage.ready(name)
    ledger = f"lab._detour.{stage.domain}"
    await stage.edit_zone(f"edited.{stage.domain}", "A", "192.0.2.66")
    await stage.edit_zone(f"deleted.{stage.domain}", "A")
    await stage.edit_zone(f"doubled.{stage.domain}", "AAAA", "2001:db8::66")
    await stage.edit_zone(f"_detour.unmarked.{stage.domain}", "TXT")
    await stage.edit_zone(f"unmarked.{stage.domain}", "A")
    await stage.edit_zone(ledger, "TXT")

    await asyncio.gather(*(stage.serves(virginia.address, name=name) for name in names))
    assert stage.store.get(f"_detour.unmarked.{stage.domain}", "TXT") is not None
    assert stage.store.get(ledger, "TXT") is not None, "a ledger that was deleted is claimed anew"
    for name in names:
        await stage.ready(name)
    repaired = [
        await stage.saw(f"Warning Repaired: {name}.{stage.domain}") for name in ("edited", "deleted", "doubled")
    ]
    assert all("was put back" in line for line in repaired)
    by_us = [each.number for each in stage.store.log if each.by not in (OUTSIDER, "zone creation")]
    assert by_us == sorted(by_us)


@story
async def test_a_ledger_that_was_deleted_does_not_hold_up_the_next_failover(stage: Stage) -> None:
    virginia, netherlands = await stage.places("virginia", "netherlands")
    await stage.apply(*stage.basics(), stage.record([virginia, netherlands]))
    await stage.ready()
    await stage.edit_zone(f"lab._detour.{stage.domain}", "TXT")
    await virginia.service.stop()
    await stage.serves(netherlands.address)
    await stage.ready()
    assert stage.store.get(f"lab._detour.{stage.domain}", "TXT") is not None


@story
async def test_a_garbled_ledger_is_claimed_anew(stage: Stage) -> None:
    virginia, netherlands = await stage.places("virginia", "netherlands")
    await stage.apply(*stage.basics(), stage.record([virginia, netherlands]))
    await stage.ready()
    await stage.edit_zone(f"lab._detour.{stage.domain}", "TXT", '"not a ledger at all"')
    await virginia.service.stop()
    await stage.serves(netherlands.address)
    await stage.ready()


@story
async def test_an_outside_edit_of_a_name_that_is_about_to_move_does_not_stop_the_move(stage: Stage) -> None:
    virginia, netherlands = await stage.places("virginia", "netherlands")
    await stage.apply(*stage.basics(), stage.record([virginia, netherlands]))
    await stage.ready()
    await stage.edit_zone(f"api.{stage.domain}", "A", "192.0.2.66")
    await virginia.service.stop()
    await stage.serves(netherlands.address)
    assert not stage.was_ever_empty()
    await stage.ready()

    async def tells_generation() -> bool:
        return bool((await stage.status("zone", "dz")).get("ledger"))

    await until(tells_generation, "the zone tells its ledger")
