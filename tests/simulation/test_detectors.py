"""What a run finds out while it goes on, for Converges and Truthful, is found where it is so, and only there."""

from collections.abc import Callable
from dataclasses import replace

from detour.model.rrset import RRKey, RRset, RRType
from detour_simulation import expectation, honesty
from detour_simulation.generator import generate
from detour_simulation.history import OUTSIDER, ZoneChanged
from detour_simulation.invariants import violations
from detour_simulation.run import Run

SETTLED = 30.0
"""Seconds after which a run without faults has nothing left to do."""


def calm_run(at_rest: Callable[[Run], None]) -> Run:
    """Play a run without faults, and look at it once everything is published."""
    schedule = replace(generate(1, "general"), steps=(), length=SETTLED + 5.0)
    run = Run(schedule)
    run.loop.later(SETTLED, at_rest, run)
    run.play()
    return run


def an_answer(run: Run) -> tuple[str, RRset]:
    """Return a zone and a set in it that answers for a declared name."""
    record = next(expectation.declared(run))
    zone = record.zones[0].name
    held = run.surroundings.zones[zone].sets
    return zone, next(held[key].rrset for kind in RRType if (key := RRKey(record.hostname, kind)) in held)


def test_a_run_at_rest_is_as_it_should_be() -> None:
    found: list[object] = []
    run = calm_run(lambda run: found.extend((*expectation.discrepancies(run), *honesty.misreports(run))))
    assert not found
    assert not violations(run.history)


def test_a_set_that_differs_from_what_a_planner_would_publish_is_found() -> None:
    found: list[str] = []

    def damage(run: Run) -> None:
        zone, rrset = an_answer(run)
        run.surroundings.zones[zone].tamper([(rrset.key, replace(rrset, values=("203.0.113.9",)))])
        found.extend(expectation.discrepancies(run))

    run = calm_run(damage)
    assert "203.0.113.9" in found[0]
    assert "should hold" in found[0]
    assert any(isinstance(each, ZoneChanged) and each.by == OUTSIDER for each in run.history)


def test_a_zone_that_nobody_writes_is_found() -> None:
    found: list[str] = []

    def kill(run: Run) -> None:
        for slot in run.slots.values():
            slot.crash()
        found.extend(expectation.discrepancies(run))

    calm_run(kill)
    assert any("nobody is in force" in each for each in found)


def test_a_controller_that_says_in_sync_of_what_is_not_there_is_found() -> None:
    found: list[str] = []

    def lie(run: Run) -> None:
        zone, rrset = an_answer(run)
        for slot in run.slots.values():
            assert slot.controller is not None
            for key, keeper in slot.controller.engine.zones.keepers.items():
                if key.name == zone and keeper.in_force:
                    truth = keeper.report
                    wrong = (replace(rrset, values=("203.0.113.9",)),)

                    def lying(record: object, truth: Callable[..., object] = truth) -> object:
                        report = truth(record)
                        return replace(report, published=wrong) if report else None  # type: ignore[type-var]  # noqa: B023

                    keeper.report = lying  # type: ignore[assignment,method-assign]
        found.extend(each.hostname for each in honesty.misreports(run))
        for slot in run.slots.values():
            slot.crash()  # the lie ends with its process

    calm_run(lie)
    assert found
