"""A seed is a run: the same each time, in each process; and what fails is told shortly."""

import re
from dataclasses import replace

import pytest

from detour_simulation.generator import PROFILES, generate
from detour_simulation.history import Violation
from detour_simulation.mutant import replaced
from detour_simulation.mutants import MUTANTS
from detour_simulation.playing import play, shortest
from detour_simulation.schedule import Fault, Schedule
from detour_simulation.shrink import shortened
from detour_simulation.story import tell

from .commands import simulator


def test_the_same_seed_gives_the_same_trace_in_every_process() -> None:
    arguments = ("simulate", "--schedules=6", "--seed=40", "--trace")
    (_, first), (_, second) = simulator(*arguments), simulator(*arguments, hash_seed="7")
    traces = [line for line in first if re.fullmatch(r"\d+ [0-9a-f]{64}", line)]
    assert len(traces) == 6
    assert traces == [line for line in second if line in traces]


def test_the_same_seed_gives_the_same_trace_twice_in_one_process() -> None:
    assert play(generate(41)).trace == play(generate(41)).trace


def test_seeds_give_different_schedules() -> None:
    assert len({generate(seed).steps for seed in range(50)}) == 50


def test_every_fault_is_drawn_by_some_profile() -> None:
    drawn = {fault for profile in PROFILES.values() for fault in profile.weights}
    assert drawn | {Fault.ALL_OFF} == set(Fault)


@pytest.mark.parametrize("name", [name for name, each in PROFILES.items() if each.off is not None])
def test_everybody_is_off_once_where_a_profile_says_so(name: str) -> None:
    for seed in range(1, 20):
        schedule = generate(seed, name)
        (off,) = (each for each in schedule.steps if each.fault is Fault.ALL_OFF)
        assert PROFILES[name].off is not None
        assert PROFILES[name].off[0] <= off.seconds <= PROFILES[name].off[1]
        assert max(each.at for each in schedule.steps) <= schedule.length


def test_a_failing_schedule_is_shortened_to_the_steps_that_matter() -> None:
    schedule = generate(3)
    needed = {schedule.steps[0], schedule.steps[-1]}

    def still_fails(tried: Schedule) -> bool:
        return needed <= set(tried.steps)

    assert set(shortened(schedule, still_fails).steps) == needed


def test_a_schedule_that_fails_without_any_step_is_left_without_one() -> None:
    assert shortened(generate(3), lambda tried: True).steps == ()


def test_the_story_of_a_failure_names_what_befell_it_and_what_was_written() -> None:
    mutant = MUTANTS["epoch bump"]
    with replaced(*mutant.off()):
        failed = play(generate(mutant.seed, mutant.profile))
        told = tell(shortest(failed))
    assert "claims the zone" in told
    assert failed.violations[0].invariant in told.splitlines()[-1]


def test_the_story_ends_with_the_violation() -> None:
    played = replace(
        play(generate(42)), violations=(Violation(invariant="NeverEmpty", at=1010.0, message="nobody answers"),)
    )
    assert tell(played).splitlines()[-1] == "   10.00  NeverEmpty: nobody answers"
