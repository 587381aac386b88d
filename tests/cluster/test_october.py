"""October 2025 as a permanent test: what a plain writer comes to. Detour in the same place is in `test_stories`."""

from detour_lab.stories.october import plain
from detour_lab.stories.october.enactor import DONE, KEPT_GENERATIONS, REFUSED
from detour_lab.stories.october.plain import PlainWorld
from detour_lab.stories.october.planzone import ENDPOINTS, REGIONAL, plan_name
from detour_lab.zones.store import RecordSet

OLD = 100
"""The plan that serves when the story begins."""


async def test_plain_writers_that_nothing_delays_keep_every_name_answered() -> None:
    async with PlainWorld(held=False) as world:
        await world.settle(world.planner.make())
        for enactor in (*world.enactors, *world.enactors):
            newest = world.planner.make(KEPT_GENERATIONS)
            ended = await enactor.round()

            assert (ended["at"], ended["plan"]) == (DONE, newest.number)
            assert await world.shown(newest)

        assert world.empty_answers() == 0
        assert world.sampler.tally.answers > 0
        assert world.zone.get(plan_name(OLD), "A") is None, "the clean-up has removed no plan, so it was not tried"


async def test_one_delayed_plain_writer_empties_the_name_and_none_can_mend_it() -> None:
    told: list[str] = []

    outcome = await plain.play(told.append)

    assert outcome.ended_empty, "\n".join(told)
    assert outcome.empty_answers >= plain.STILL_EMPTY
    assert outcome.refusals == outcome.attempts > 0


async def test_the_plain_writers_go_on_once_a_person_has_put_the_name_right() -> None:
    async with PlainWorld() as world:
        assert await plain.empty_the_name(world, lambda _: None)
        newest = world.planner.make()
        assert (await world.third.round())["at"] == REFUSED

        pointing = world.zone.get(ENDPOINTS[0], "A")
        assert pointing is not None
        alias = pointing.extra["AliasTarget"]
        world.zone.commit(added=[RecordSet(REGIONAL, "A", 0, (), extra={"AliasTarget": alias})], by="a person")

        assert (await world.third.round())["plan"] == newest.number
        assert await world.shown(newest)
