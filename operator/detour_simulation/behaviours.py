"""Behaviours, each taken away in the simulation only: a Detour that harms nobody because it does nothing is no Detour.

Where `mutants` switches protections off, these do not what the design says that Detour does: believe failures, heed
drains, prefer the better tier. The simulation must miss each of them just as well.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from detour.app import declarations
from detour.engine import recordkeeper, targets
from detour.health.thresholds import Streak
from detour.model.checks import CheckResult, CheckTiming
from detour.model.endpoint import AdminState
from detour.model.health import EndpointHealth, Verdict
from detour.model.overrides import Action
from detour.model.record import FailbackMode, Publish, Record, Strategy, WhenAllUnhealthy
from detour.planning import candidates, planner, selection
from detour.planning.situation import Situation
from detour_simulation.mutant import Mutant, Off, Replacement

NEVER_AGAIN = 1e9

# -- what checks say -----------------------------------------------------------------------------------------------


def _observing(change: Callable[[Streak, CheckResult, CheckTiming], CheckTiming | None]) -> Off:
    """Let `change` choose the thresholds with which a result counts, or None where it shall count for nothing."""

    def off() -> tuple[Replacement, ...]:
        before = vars(targets)["observe"]

        def observe(streak: Streak, result: CheckResult, timing: CheckTiming, *at: float, **rest: float) -> Streak:
            counts = change(streak, result, timing)
            found: Streak = streak if counts is None else before(streak, result, counts, *at, **rest)
            return found

        return ((targets, "observe", observe),)

    return off


def _no_recheck() -> tuple[Replacement, ...]:
    return ((targets, "next_delay", lambda streak, timing: timing.interval),)


def _no_second_look_up() -> tuple[Replacement, ...]:
    before = targets.Targets._resolved

    def resolved(self: Any, key: Any, resolution: Any, started: float) -> float:
        delay: float = before(self, key, resolution, started)
        return NEVER_AGAIN if resolution.addresses else delay

    return ((targets.Targets, "_resolved", resolved),)


# -- what is decided -----------------------------------------------------------------------------------------------


def _planning(change: Callable[[Situation], Situation]) -> Off:
    """Let the planner see another situation than the one that it is in."""

    def off() -> tuple[Replacement, ...]:
        before = vars(recordkeeper)["plan_once"]
        return ((recordkeeper, "plan_once", lambda situation, *rest: before(change(situation), *rest)),)

    return off


def _declaring(change: Callable[[Record], Record]) -> Off:
    """Let the operator read another declaration than the one that people made."""

    def off() -> tuple[Replacement, ...]:
        before = vars(declarations)["record_from"]
        return ((declarations, "record_from", lambda raw, bundle: change(before(raw, bundle))),)

    return off


def _all_well(situation: Situation) -> Situation:
    return replace(situation, healths={name: _well(each) for name, each in situation.healths.items()})


def _well(health: EndpointHealth) -> EndpointHealth:
    addresses = tuple((address, Verdict.HEALTHY) for address, _ in health.addresses)
    return replace(health, verdict=Verdict.HEALTHY, addresses=addresses)


def _all_well_in_multivalue(situation: Situation) -> Situation:
    return _all_well(situation) if situation.record.strategy is Strategy.MULTI_VALUE else situation


def _flapping_ones_are_down(situation: Situation) -> Situation:
    most = situation.record.failback.most_changes
    healths = {
        name: replace(each, verdict=Verdict.UNHEALTHY) if 0 < most < len(each.changes) else each
        for name, each in situation.healths.items()
    }
    return replace(situation, healths=healths)


def _nobody_drained(record: Record) -> Record:
    return replace(record, endpoints=tuple(replace(each, state=AdminState.ACTIVE) for each in record.endpoints))


def _with_failback(**changes: Any) -> Callable[[Record], Record]:
    return lambda record: replace(record, failback=replace(record.failback, **changes))


def _first_endpoints() -> tuple[Replacement, ...]:
    def update(self: recordkeeper.RecordKeeper, record: Record) -> None:
        self.record = replace(record, endpoints=self.record.endpoints)

    return ((recordkeeper.RecordKeeper, "update", update),)


def _first_ttl() -> tuple[Replacement, ...]:
    def update(self: recordkeeper.RecordKeeper, record: Record) -> None:
        self.record = replace(record, ttl=self.record.ttl)

    return ((recordkeeper.RecordKeeper, "update", update),)


def _no_pin() -> tuple[Replacement, ...]:
    before = vars(recordkeeper)["overruled"]
    return ((recordkeeper, "overruled", lambda record, found: replace(before(record, found), pin=None)),)


def _no_overrides() -> tuple[Replacement, ...]:
    return ((recordkeeper, "overruled", lambda record, found: record),)


def _nobody_forced_up() -> tuple[Replacement, ...]:
    return ((planner, "_forced_up", lambda record, contenders, now: ()),)


def _nobody_forced_down() -> tuple[Replacement, ...]:
    before = vars(recordkeeper)["overruled"]

    def overruled(record: Record, found: Any) -> Record:
        made: Record = before(record, [each for each in found if each.action is not Action.FORCE_DOWN])
        return made

    return ((recordkeeper, "overruled", overruled),)


def _lower_tier_first() -> tuple[Replacement, ...]:
    return ((selection, "_tier", lambda record, candidate, weak: -candidate.endpoint.priority),)


def _everybody_is_one() -> tuple[Replacement, ...]:
    before = vars(planner)["_everyone"]

    def everyone(contenders: Any) -> Any:
        for option in before(contenders):
            yield dict(list(option.items())[:1])

    return ((planner, "_everyone", everyone),)


def _worst_canonical_name() -> tuple[Replacement, ...]:
    before = vars(planner)["_publish"]

    def publish(situation: Situation, view: Any, values: Any) -> Any:
        if situation.record.publish is not Publish.CNAME:
            return before(situation, view, values)
        worst = max((each for each in situation.record.endpoints), key=lambda each: each.priority)
        return before(situation, view, {worst.name: (worst.hostname,)})

    return ((planner, "_publish", publish),)


def _keep_nothing() -> tuple[Replacement, ...]:
    return ((planner, "_keep", lambda *arguments: ()),)


def _all_addresses() -> tuple[Replacement, ...]:
    return ((candidates, "_values", lambda record, health, declared, published: declared),)


BEHAVIOURS: Mapping[str, Mutant] = {
    each.name: each
    for each in (
        Mutant(name="failures believed", profile="behaviours", off=_observing(
            lambda streak, result, timing: None if result.passed is False else timing)),
        Mutant(name="failures believed in time", profile="behaviours", off=_observing(
            lambda streak, result, timing: replace(timing, fall=60))),
        Mutant(name="recoveries believed", profile="behaviours", off=_observing(
            lambda streak, result, timing: None if result.passed and streak.verdict is Verdict.UNHEALTHY else timing)),
        Mutant(name="fall", profile="blips", off=_observing(lambda streak, result, timing: replace(timing, fall=1))),
        Mutant(name="rise", profile="blips", off=_observing(lambda streak, result, timing: replace(timing, rise=1))),
        Mutant(name="recheck interval", profile="returns", seed=3, off=_no_recheck),
        Mutant(name="health decides", profile="behaviours", off=_planning(_all_well)),
        Mutant(name="MultiValue leaves out the unhealthy", profile="multivalue", off=_planning(
            _all_well_in_multivalue)),
        Mutant(name="drains of endpoints", profile="behaviours", off=_declaring(_nobody_drained)),
        Mutant(name="drains of regions", profile="behaviours", seed=3, off=_planning(
            lambda situation: replace(situation, drained_regions=frozenset()))),
        Mutant(name="suspension", profile="behaviours", seed=3, off=_declaring(
            lambda record: replace(record, suspend=False))),
        Mutant(name="minServing", profile="min serving", off=_declaring(
            lambda record: replace(record, minimum_serving=1))),
        Mutant(name="hold-down", profile="returns", seed=6, off=_declaring(_with_failback(hold_down=0.0))),
        Mutant(name="flapping endpoints stay away", profile="flapping", off=_declaring(_with_failback(most_changes=0))),
        Mutant(name="flapping endpoints serve where nobody else does", profile="flapping", seed=4, off=_planning(
            _flapping_ones_are_down)),
        Mutant(name="failback", profile="behaviours", off=_declaring(_with_failback(mode=FailbackMode.MANUAL))),
        Mutant(name="failback by a person", profile="returns", seed=3, off=_declaring(
            _with_failback(mode=FailbackMode.AUTOMATIC, hold_down=10.0))),
        Mutant(name="the better tier first", profile="behaviours", off=_lower_tier_first),
        Mutant(name="Priority is not MultiValue", profile="behaviours", off=_declaring(
            lambda record: replace(record, strategy=Strategy.MULTI_VALUE))),
        Mutant(name="MultiValue is not Priority", profile="multivalue", off=_declaring(
            lambda record: replace(record, strategy=Strategy.PRIORITY))),
        Mutant(name="KeepLast fills what was emptied", profile="darkness", seed=3, off=_keep_nothing),
        Mutant(name="ServeAll serves all", profile="darkness", seed=1, off=_everybody_is_one),
        Mutant(name="ServeAll is not KeepLast", profile="darkness", seed=4, off=_declaring(
            lambda record: replace(record, when_all_unhealthy=WhenAllUnhealthy.KEEP_LAST))),
        Mutant(name="KeepLast is not ServeAll", profile="darkness", seed=29, off=_declaring(
            lambda record: replace(record, when_all_unhealthy=WhenAllUnhealthy.SERVE_ALL))),
        Mutant(name="pin", profile="pins", seed=5, off=_no_pin),
        Mutant(name="overrides", profile="overrides", off=_no_overrides),
        Mutant(name="what is forced up", profile="overrides", seed=21, off=_nobody_forced_up),
        Mutant(name="what is forced down", profile="overrides", seed=29, off=_nobody_forced_down),
        Mutant(name="look-ups of hostnames", profile="hostnames", off=_no_second_look_up),
        Mutant(name="CNAME leads to the best", profile="canonical names", off=_worst_canonical_name),
        Mutant(name="edited endpoints", profile="behaviours", off=_first_endpoints),
        Mutant(name="edited TTL", profile="behaviours", seed=7, off=_first_ttl),
        Mutant(name="only addresses that pass", profile="addresses", off=_all_addresses),
    )
}  # fmt: skip
