"""From a choice of endpoints to the RRsets that each zone should hold. Never to nothing.

Where nobody is healthy, the worst that can be done is to empty the name: resolvers keep an empty answer for minutes
after the repair (RFC 2308). So what is published stays, or everybody answers.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import islice, zip_longest

from detour.health.endpoints import NOT_CHECKED_YET
from detour.model.health import EndpointHealth, Verdict
from detour.model.record import ObjectKey, Publish, Record, WhenAllUnhealthy
from detour.model.rrset import RRset, RRType, address_sets, address_type
from detour.planning.candidates import Candidate, candidates
from detour.planning.decision import Basis, Decision, Ruling, Serving, Undecided, together
from detour.planning.grounds import NO_LOOKS, Grounded, Looks, choose_on_grounds, joined
from detour.planning.pace import Slowed, slowed, told_of
from detour.planning.rotation import is_rotation
from detour.planning.selection import Choice, choose, usually_serving
from detour.planning.situation import Situation, View, views

NOBODY = "no endpoint is healthy"


def plan(situation: Situation, now: float) -> Decision | Undecided:
    """Decide what the record's zones should hold. The same situation always gives the same decision."""
    found = views(situation)
    if not found:
        return Undecided("none of the record's zones has been read yet", zones=frozenset(situation.record.zones))
    return _with_its_ttl(situation, together(_plan(situation, view, now) for view in found))


def _with_its_ttl(situation: Situation, outcome: Decision | Undecided) -> Decision | Undecided:
    """Return the decision with the TTL of a record of which an endpoint is missing, in the zones where one is."""
    record = situation.record
    if record.degraded_ttl is None or isinstance(outcome, Undecided):
        return outcome
    usual = usually_serving(record, situation.drained_regions)
    rulings = {
        zone: replace(each, sets=tuple(replace(rrset, ttl=record.degraded_ttl) for rrset in each.sets))
        if each.basis is not Basis.PINNED and not usual <= {serving.endpoint for serving in each.serving}
        else each
        for zone, each in outcome.rulings.items()
    }
    return replace(outcome, rulings=rulings)


def _plan(situation: Situation, view: View, now: float) -> Decision | Undecided:
    """Decide for the zones that stand alike."""
    record = situation.record
    contenders = candidates(
        record,
        situation.healths,
        drained_regions=situation.drained_regions,
        published=view.published,
        on_the_way=view.on_the_way,
        serving=view.serving,
        failback_at=situation.failback_at,
        failing_regions=situation.failing_regions,
    )
    if pinned := _pinned(situation, view, contenders):
        reason = f"pinned to revision {record.pin} by a person"
        return _decision(situation, contenders, Basis.PINNED, reason, sets=dict.fromkeys(view.zones, pinned))
    if wait := _reason_to_wait(situation, view, contenders, now):
        return wait
    grounded = choose_on_grounds(
        record,
        contenders,
        now,
        drained_since=situation.drained_since,
        patience_until=situation.patience_until,
    )
    choice = grounded.choice
    if forced := _forced_up(record, contenders, now):
        named = ", ".join(each.name for each in forced)
        reason = f"no endpoint passes; {named} {'is' if len(forced) == 1 else 'are'} forced up by a person"
        sets = _publish(situation, view, {each.name: each.values for each in forced})
        return _decision(situation, forced, Basis.FORCED, reason, sets=dict.fromkeys(view.zones, sets))
    everyone = _serve_all(situation, view, contenders)
    if choice.chosen and not _goes_on(choice, contenders, everyone):
        slow = slowed(record, contenders, choice.chosen, situation.pace.of(view.zones), now)
        serving = (*choice.chosen, *slow.stays)  # nobody else: who shares an address with them has no place by that
        sets = _publish(situation, view, {each.name: each.values for each in serving})
        why = [_reason(grounded), told_of(slow, situation.pace.share)]
        decided = _decision(
            situation,
            serving,
            Basis.CHOSEN,
            "; ".join(filter(None, why)),
            sets=dict.fromkeys(view.zones, sets),
            decide_again_at=_earliest(choice.decide_again_at, slow.again_at),
            looks=joined(grounded.looks, _looks_of(slow, now - record.timing.interval - record.timing.timeout)),
        )
        return _gathered(situation, view, serving, decided, now)
    if grounded.is_short and view.serving is not None:
        return Undecided(_reason(grounded), choice.decide_again_at, grounded.looks, frozenset(view.zones))
    if everyone and not grounded.is_short:
        reason = f"{NOBODY}: every endpoint answers"
        all_of_them = dict.fromkeys(view.zones, everyone)
        decided = _decision(situation, contenders, Basis.SERVE_ALL, reason, sets=all_of_them)
        return _gathered(situation, view, contenders, decided, now)
    held = {zone: kept for zone in view.zones if (kept := _keep(situation, view, contenders, zone, now))}
    if not held:
        told = "no endpoint has an address yet: its hostname has not been resolved"
        return Undecided(told, zones=frozenset(view.zones))
    return _decision(
        situation,
        contenders,
        Basis.KEEP_LAST,
        f"{_reason(grounded) if grounded.is_short else NOBODY}: what is published stays",
        sets=held,
        decide_again_at=choice.decide_again_at,
        looks=grounded.looks,
    )


def _earliest(*times: float | None) -> float | None:
    return min((each for each in times if each is not None), default=None)


def _looks_of(found: Slowed, since: float) -> Looks:
    """Return that the next check of those counts who stay as theirs came late: at once, where none began `since`."""
    addresses = frozenset(address for each in found.late for address, _ in each.health.addresses)
    return Looks(addresses, dict.fromkeys(addresses, since)) if addresses else NO_LOOKS


def _gathered(
    situation: Situation, view: View, contenders: tuple[Candidate, ...], decided: Decision, now: float
) -> Decision:
    """Return what was decided; where a hostname only rotates, what stands, until the time for a write has come."""
    standing = view.decided or view.published
    wanted = frozenset(value for sets in decided.sets.values() for each in sets for value in each.values)
    if not is_rotation(contenders, standing, wanted, nobody_passes=decided.basis is Basis.SERVE_ALL):
        return decided
    turning = situation.turning.waiting(now)
    due_at = turning.due_at(now)
    if now >= due_at:
        return replace(decided, turning=turning.written(now))
    waiting = _decision(
        situation,
        contenders,
        decided.basis,
        f"{decided.reason}; changed addresses of hostnames are gathered",
        sets=dict.fromkeys(decided.sets, _sets(situation.record, standing)),
        decide_again_at=min(due_at, decided.decide_again_at or due_at),
        looks=decided.looks,
    )
    return replace(waiting, turning=turning)


def _reason(grounded: Grounded) -> str:
    """Return why this is chosen, and what it waits for."""
    told = [grounded.choice.reason] if grounded.choice.chosen else []
    if grounded.stays:
        keeps = "keeps its place" if len(grounded.stays) == 1 else "keep their places"
        told.append(f"{', '.join(grounded.stays[:4])} {keeps}: no other one has been seen to work meanwhile")
    if grounded.waits_for:
        told.append(f"waiting for a check of {', '.join(grounded.waits_for[:4])}")
    return "; ".join(told) or "waiting for checks of the endpoints that are healthy"


def _pinned(situation: Situation, view: View, contenders: tuple[Candidate, ...]) -> tuple[RRset, ...]:
    """Return the sets of the pinned revision, as far as they are still declared; none where nothing is left of it.

    They are capped like all others: a zone that was added since may hold fewer values.
    """
    declared = {value for each in contenders for value in each.declared_values}
    is_whole = situation.is_pinned_whole
    values = tuple(value for value in situation.pinned or () if is_whole or value in declared)
    return _sets(situation.record, _capped(situation, view, [values])) if values else ()


def _reason_to_wait(
    situation: Situation, view: View, contenders: tuple[Candidate, ...], now: float
) -> Undecided | None:
    if view.serving is not None or any(each.in_place for each in contenders):  # not so with who is being adopted
        return None
    able = [each for each in contenders if not each.drained]
    unknown = [each.name for each in able if _is_awaited(each.health, situation.record.publish)]
    until = situation.patience_until
    if any(_had_no_turn(each.health, situation.record.publish) for each in able):
        until = max(until, situation.turns_until)
    if unknown and now < until:
        told = f"waiting for the first verdicts of {', '.join(unknown[:4])}"
        return Undecided(told, until, zones=frozenset(view.zones))
    return None


def _is_awaited(health: EndpointHealth, publish: Publish) -> bool:
    """Tell whether an endpoint has no verdict, or one of the addresses that would be published has none yet.

    Of a name that begins with one address family alone, resolvers remember for minutes that it has no other.
    """
    return health.verdict is Verdict.UNKNOWN or (publish is Publish.ADDRESS and bool(health.unjudged))


def _had_no_turn(health: EndpointHealth, publish: Publish) -> bool:
    """Tell whether an endpoint may have had too few checks, or look-ups, for a verdict of which nothing is known."""
    return _is_awaited(health, publish) and (health.verdict is not Verdict.UNKNOWN or health.reason == NOT_CHECKED_YET)


def _forced_up(record: Record, contenders: tuple[Candidate, ...], now: float) -> tuple[Candidate, ...]:
    """Return who answers because a person says so: nobody where any endpoint is fit that is not forced down."""
    wanted = tuple(
        replace(each, in_place=True, keeps_place=True, values=each.lasting_values)
        for each in contenders
        if each.is_forced_up and each.lasting_values
    )
    if not wanted or any(each.is_eligible and not each.is_forced_down for each in contenders):
        return ()
    return choose(record, wanted, now).chosen


def _serve_all(situation: Situation, view: View, contenders: tuple[Candidate, ...]) -> tuple[RRset, ...]:
    """Return the sets with which everybody answers; none where the record does not ask for that."""
    if situation.record.when_all_unhealthy is not WhenAllUnhealthy.SERVE_ALL:
        return ()
    everyone = _first_filled(_everyone(contenders))
    return _publish(situation, view, everyone) if everyone else ()


def _goes_on(choice: Choice, contenders: tuple[Candidate, ...], everyone: tuple[RRset, ...]) -> bool:
    """Tell whether everybody goes on answering because nobody is known to be healthy.

    Who is Unknown would else owe its place to ServeAll, and push out the others a moment after it.
    """
    if not everyone or any(each.is_eligible and each.health.verdict is Verdict.HEALTHY for each in contenders):
        return False
    written = {value for each in everyone for value in each.values}
    if written == {value for each in choice.chosen for value in each.values}:
        return False
    return all(each.in_place for each in contenders if written.intersection(each.declared_values))


def _everyone(contenders: tuple[Candidate, ...]) -> Iterable[dict[str, tuple[str, ...]]]:
    """Give the last resorts in order: every endpoint that is not drained; every endpoint."""
    yield {each.name: each.lasting_values for each in contenders if not each.drained and each.declared_values}
    yield {each.name: each.lasting_values for each in contenders if each.declared_values}


def _first_filled(options: Iterable[dict[str, tuple[str, ...]]]) -> dict[str, tuple[str, ...]] | None:
    return next((option for option in options if option), None)


def _keep(
    situation: Situation, view: View, contenders: tuple[Candidate, ...], zone: ObjectKey, now: float
) -> tuple[RRset, ...]:
    """Return the first not empty: what this zone holds and is still declared; what another zone does; everyone.

    What a hostname led to before counts as declared: it worked, and nothing else does. Of everyone those who are not
    known to fail come first: once published they would be chosen by themselves.
    """
    declared = {value for each in contenders for value in (*each.declared_values, *each.health.former)}
    others = [each for each in situation.record.zones if each != zone]
    for source in (zone, *others):
        values = {value for each in situation.published(source) or () for value in each.values if value in declared}
        if values:
            return _sets(situation.record, values if source == zone else _capped(situation, view, [values]))
    hopeful = tuple(replace(each, in_place=True, values=each.hopeful_values) for each in contenders)
    promising = {each.name: each.values for each in choose(situation.record, hopeful, now).chosen}
    everyone = promising or _first_filled(_last_resorts(situation.record, contenders, now))
    return _publish(situation, view, everyone) if everyone else ()


def _last_resorts(
    record: Record, contenders: tuple[Candidate, ...], now: float
) -> Iterable[dict[str, tuple[str, ...]]]:
    """Give who answers where nobody is known to work and nothing can be kept.

    A check that has never passed, for anybody, is more likely wrong than everything is down. So it does not put the
    tiers side by side: the best one answers, as if there were no checks.
    """
    if any(each.health.has_passed for each in contenders):
        yield from _everyone(contenders)
        return
    trusted = tuple(replace(each, in_place=True, keeps_place=True, values=each.lasting_values) for each in contenders)
    for able in (trusted, tuple(replace(each, drained=False) for each in trusted)):
        yield {each.name: each.values for each in choose(record, able, now).chosen}


def _publish(situation: Situation, view: View, values: Mapping[str, tuple[str, ...]]) -> tuple[RRset, ...]:
    """Return the sets for the values of these endpoints, capped to what every zone can hold."""
    record = situation.record
    if record.publish is Publish.CNAME:
        best = min((each for each in record.endpoints if each.name in values), key=lambda each: each.priority)
        return _sets(record, values[best.name])
    return _sets(record, _capped(situation, view, values.values()))


def _capped(situation: Situation, view: View, groups: Iterable[Iterable[str]]) -> tuple[str, ...]:
    """Return of each family no more values than every zone can hold.

    The endpoints, each with a group of values, take turns, so that none is left out for another one's many; of one
    endpoint those already published win over others.
    """
    if situation.record.publish is Publish.CNAME:
        return tuple(value for group in groups for value in group)
    queues = [sorted(group, key=lambda value: (value not in view.published, value)) for group in groups]
    taken: list[str] = []
    for kind in (RRType.A, RRType.AAAA):
        of_kind = [[value for value in queue if address_type(value) is kind] for queue in queues]
        in_turns = dict.fromkeys(value for turn in zip_longest(*of_kind) for value in turn if value is not None)
        taken += islice(in_turns, situation.value_limit)
    return tuple(taken)


def _sets(record: Record, values: Iterable[str]) -> tuple[RRset, ...]:
    if record.publish is Publish.CNAME:
        return (RRset(record.hostname, RRType.CNAME, record.ttl, tuple(values)),)
    return address_sets(record.hostname, record.ttl, values)


def _decision(
    situation: Situation,
    contenders: tuple[Candidate, ...],
    basis: Basis,
    reason: str,
    *,
    sets: Mapping[ObjectKey, tuple[RRset, ...]],
    decide_again_at: float | None = None,
    looks: Looks = NO_LOOKS,
) -> Decision:
    rulings = {zone: Ruling(basis, reason, _serving(contenders, each), each) for zone, each in sets.items()}
    return Decision(rulings, decide_again_at, looks, situation.turning.settled())


def _serving(contenders: tuple[Candidate, ...], sets: tuple[RRset, ...]) -> tuple[Serving, ...]:
    written = {value for rrset in sets for value in rrset.values}
    return tuple(
        Serving(each.name, each.endpoint.region, each.endpoint.priority, values)
        for each in contenders
        if (values := tuple(value for value in each.declared_values if value in written))
    )
