"""Whether to believe this vantage: what panic costs a real failure, and what it keeps a blind vantage from."""

import asyncio

from detour.engine.suspicion import REFERENCE_PERIOD, Suspicion
from detour.twin.virtualtime import until

WINDOW, THRESHOLD = 600.0, 0.5


class Vantage:
    """A vantage whose checks and references the test sets; `doubted` are the times since which it was doubted."""

    def __init__(self) -> None:
        self.now = asyncio.get_running_loop().time
        self.share = 0.0
        self.turned_bad_at = float("-inf")
        self.sees = True
        self.round_takes = 0.05
        self.rounds = 0
        self.doubted: list[float] = []
        self.looks = 0
        self.suspicion = Suspicion(
            bad_share=lambda window: self.share,
            newest=lambda: self.turned_bad_at,
            references=self._references,
            on_change=self._look,
            doubt=self.doubted.append,
            clock=self.now,
        )

    def turns_bad(self, share: float) -> None:
        self.share, self.turned_bad_at = share, self.now()

    @property
    def must_wait(self) -> bool:
        return self.suspicion.covers(THRESHOLD, WINDOW)

    def _look(self) -> None:
        self.looks += 1

    async def _references(self) -> bool:
        self.rounds += 1
        await asyncio.sleep(self.round_takes)
        return self.sees


async def test_a_few_bad_checks_are_believed_without_asking_anybody() -> None:
    vantage = Vantage()
    vantage.turns_bad(THRESHOLD)
    assert not vantage.must_wait
    await asyncio.sleep(60)
    assert vantage.rounds == 0


async def test_many_bad_checks_are_believed_as_soon_as_the_references_answer() -> None:
    vantage = Vantage()
    vantage.turns_bad(0.9)
    assert vantage.must_wait
    assert await until(lambda: not vantage.must_wait) < vantage.round_takes + 0.05
    assert vantage.looks >= 1
    assert not vantage.doubted


async def test_a_failure_after_a_clearance_needs_a_clearance_of_its_own_and_gets_it_at_once() -> None:
    vantage = Vantage()
    vantage.turns_bad(0.6)
    await until(lambda: not vantage.must_wait)
    await asyncio.sleep(1)
    vantage.turns_bad(0.7)
    assert vantage.must_wait
    assert await until(lambda: not vantage.must_wait) < 2 * vantage.round_takes + 0.05


async def test_what_turns_bad_during_a_round_is_not_cleared_by_it() -> None:
    vantage = Vantage()
    vantage.round_takes = 1.0
    vantage.turns_bad(0.6)
    assert vantage.must_wait
    await asyncio.sleep(0.5)
    vantage.turns_bad(0.7)
    await asyncio.sleep(0.6)
    assert vantage.must_wait
    assert await until(lambda: not vantage.must_wait) < 1.1


async def test_references_that_waited_for_the_vantage_to_see_again_do_not_speak_for_what_it_found() -> None:
    vantage = Vantage()
    vantage.round_takes = 10.0
    vantage.turns_bad(0.9)
    assert vantage.must_wait
    await asyncio.sleep(10.5)
    assert vantage.must_wait
    vantage.round_takes = 0.1
    await until(lambda: not vantage.must_wait)


async def test_a_blind_vantage_waits_and_withdraws_what_it_found_bad() -> None:
    vantage = Vantage()
    vantage.sees = False
    vantage.turns_bad(0.9)
    began = vantage.now()
    for _ in range(100):
        assert vantage.must_wait
        await asyncio.sleep(1)
    assert vantage.suspicion.is_blind
    assert vantage.doubted
    assert vantage.doubted[0] <= began
    assert vantage.rounds <= 100 / REFERENCE_PERIOD + 2


async def test_a_blind_vantage_stays_so_while_its_references_fail_though_its_checks_look_better() -> None:
    vantage = Vantage()
    vantage.sees = False
    vantage.turns_bad(0.9)
    assert vantage.must_wait
    await until(lambda: vantage.suspicion.is_blind)
    vantage.share = 0.0
    await asyncio.sleep(60)
    assert vantage.must_wait


async def test_a_vantage_that_sees_again_is_believed_after_one_round_and_what_it_found_meanwhile_is_withdrawn() -> None:
    vantage = Vantage()
    vantage.sees = False
    vantage.turns_bad(0.9)
    assert vantage.must_wait
    blind_at = vantage.now()
    await asyncio.sleep(30)
    vantage.sees, vantage.share = True, 0.0
    assert await until(lambda: not vantage.must_wait) < REFERENCE_PERIOD + 1
    assert len(vantage.doubted) == 2
    assert vantage.doubted[1] <= blind_at


async def test_references_end_when_there_is_nothing_to_doubt() -> None:
    vantage = Vantage()
    vantage.turns_bad(0.9)
    assert vantage.must_wait
    await asyncio.sleep(30)
    vantage.share = 0.0
    await asyncio.sleep(REFERENCE_PERIOD + 1)
    rounds = vantage.rounds
    await asyncio.sleep(600)
    assert vantage.rounds == rounds


async def test_reference_checks_that_break_prove_nothing_and_are_run_again() -> None:
    vantage = Vantage()
    runs = vantage.suspicion._references
    broken = [True]

    async def breaks() -> bool:
        if broken:
            vantage.rounds += 1
            raise KeyError("a defect of our own")
        return await runs()

    vantage.suspicion._references = breaks
    vantage.turns_bad(0.9)
    assert vantage.must_wait
    await until(lambda: vantage.suspicion.is_blind)
    await asyncio.sleep(10 * REFERENCE_PERIOD)
    assert 5 < vantage.rounds < 15
    broken.clear()
    await until(lambda: not vantage.suspicion.is_blind)


async def test_what_waits_is_looked_at_once_more_when_the_bad_checks_have_become_few() -> None:
    """A zone with a lower threshold waits for a round of its own then."""
    vantage = Vantage()
    vantage.turns_bad(0.9)
    assert vantage.must_wait
    await asyncio.sleep(1)
    looks = vantage.looks
    vantage.share = 0.3
    await asyncio.sleep(2 * REFERENCE_PERIOD)
    assert vantage.looks > looks
