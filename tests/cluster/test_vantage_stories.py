"""The scenarios with several vantages, each with a network of its own."""

from detour_lab.stories import acceptance
from detour_lab.stories.scenarios import blind_operator, majority_sees_it, vantage_partition


async def test_what_two_of_three_see_moves_the_name() -> None:
    told: list[str] = []
    async with majority_sees_it.set_up(say=told.append) as vantages:
        await vantages.wait_until_ready()
        result = await majority_sees_it.play(vantages, told.append, slack=acceptance.UNTIMED)
    assert result.passed, f"{result.figures()}\n" + "\n".join(told)


async def test_what_one_of_three_sees_moves_none() -> None:
    told: list[str] = []
    async with vantage_partition.set_up(say=told.append, records=20) as vantages:
        await vantages.wait_until_ready()
        result = await vantage_partition.play(vantages, told.append, seconds=15.0)
    assert result.passed, f"{result.figures()}\n" + "\n".join(told)


async def test_what_a_blind_operator_sees_moves_none_where_it_is_the_only_vantage() -> None:
    told: list[str] = []
    async with blind_operator.set_up(say=told.append) as vantages:
        await vantages.wait_until_ready()
        result = await blind_operator.play(vantages, told.append, seconds=20.0)
    assert result.passed, f"{result.figures()}\n" + "\n".join(told)
