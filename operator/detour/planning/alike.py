"""Records that share every input of a decision are decided for once: they differ in their names alone. Pure."""

from collections.abc import Hashable, MutableMapping
from dataclasses import replace

from detour.planning.decision import Decision, Undecided
from detour.planning.pace import Pace
from detour.planning.planner import plan
from detour.planning.situation import Situation, Standing

Outcome = Decision | Undecided

Known = MutableMapping[Hashable, tuple[Situation, Outcome]]
"""What was decided at one moment, by what it rests on; with each the situation, so that its objects stay."""

OVER = float("-inf")


def plan_once(situation: Situation, now: float, known: Known) -> Outcome:
    """Decide as `plan` does; what is `known` to have been decided `now` on the same grounds is not worked out again."""
    rests_on = grounds_of(situation, now)
    found = known.get(rests_on)
    if found is None:
        outcome = plan(situation, now)
        known[rests_on] = situation, outcome
        return outcome
    of, outcome = found
    hostname = situation.record.hostname
    return outcome if hostname == of.record.hostname else _named(outcome, hostname)


def grounds_of(situation: Situation, now: float) -> Hashable:
    """Return all that a decision rests on but the record's name: where it is equal, so is what is decided.

    Endpoints, timing, healths and drained regions count as equal only where they are the same objects, which takes no
    time to see (`model.shared`): who keeps the result keeps the situation too.
    """
    record = situation.record
    return (
        id(record.endpoints),
        id(record.timing),
        id(situation.healths),
        id(situation.drained_regions),
        id(situation.failing_regions),
        (record.publish, record.ttl, record.strategy, record.minimum_serving, record.when_all_unhealthy),
        (record.failback, record.pin, record.zones, record.region_failover, record.tier_needs, record.degraded_ttl),
        tuple((zone, _standing(each)) for zone, each in situation.standings.items()),
        situation.value_limit,
        situation.patience_until if now < situation.patience_until else OVER,  # one that is over is like any other
        situation.turns_until if now < situation.turns_until else OVER,
        (situation.pinned, situation.is_pinned_whole, situation.failback_at),
        tuple(situation.drained_since.items()),
        situation.turning,
        (situation.pace.share, _left(situation.pace), situation.pace.late_until),
    )


def _left(pace: Pace) -> Hashable:
    return tuple((zone, tuple(left_at.items())) for zone, left_at in pace.lately.items())


def _standing(standing: Standing) -> Hashable:
    shown = standing.published
    contents = None if shown is None else tuple((each.type, each.ttl, each.values) for each in shown)
    return contents, standing.serving, standing.decided, standing.on_the_way, standing.in_force


def _named(outcome: Outcome, hostname: str) -> Outcome:
    """Return what was decided for a record as it is for one with another hostname."""
    if isinstance(outcome, Undecided):
        return outcome
    rulings = {
        zone: replace(each, sets=tuple(replace(rrset, name=hostname) for rrset in each.sets))
        for zone, each in outcome.rulings.items()
    }
    return replace(outcome, rulings=rulings)
