"""For one hostname: from what is wished and what stands in the zone to the changes to make, or why not.

Pure. Ownership is decided here: a name that is not ours is never touched.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from detour.enactment.contract import Change, OpaqueSet, StoredSet
from detour.enactment.markers import Marker, parse_marker
from detour.enactment.registries import EXTERNAL_DNS, is_claim
from detour.enactment.view import NameView
from detour.enactment.wishes import Explanation, NameChange, Urgency, Wish
from detour.model.names import is_within
from detour.model.record import ObjectKey
from detour.model.rrset import ANSWER_TYPES, RRset, RRType
from detour.model.withdrawal import Withdrawal
from detour.planning.safety.rules import never_empty

OPAQUE_ANSWERS = frozenset({*ANSWER_TYPES, "ALIAS", "ANAME"})
"""Types of opaque sets that answer in place of addresses: those that Detour writes, and what providers have beside."""

DeleteCommand = Callable[[RRset], str]
"""Gives the command by which a person deletes a set at the provider, "" where unknown."""


RecordExists = Callable[[ObjectKey], bool]
"""Tells whether a FailoverRecord is there, valid or not, or may be for all that is known."""


def nobody_exists(record: ObjectKey) -> bool:
    """Know of no record."""
    return False


def no_command(rrset: RRset) -> str:
    """Know of no command."""
    return ""


@dataclass(frozen=True, slots=True)
class ZoneRules:
    """What holds for every name of the zone. Where `atomic` is False a type cannot be swapped for another.

    With `several_sites` a record is the same in all of them, though each cluster gave its object a UID of its own.
    """

    domain: str
    owner: str
    atomic: bool
    delete_command: DeleteCommand = no_command
    several_sites: bool = False
    record_exists: RecordExists = nobody_exists


@dataclass(frozen=True, slots=True)
class Outcome:
    """What to do at one hostname; `refusals` say for each record that is not served why.

    `denied` is the record that the name is not to be had for, whatever it wants there; `is_put_off` says that what
    is to be done waits for a while.
    """

    change: NameChange | None
    refusals: dict[ObjectKey, Explanation]
    owner: ObjectKey | None = None
    denied: ObjectKey | None = None
    is_put_off: bool = False


def reconcile(
    hostname: str,
    wishes: Sequence[Wish],
    withdrawal: Withdrawal | None,
    *,
    found: NameView,
    shadow: OpaqueSet | None,
    rules: ZoneRules,
) -> Outcome:
    """Decide what to do at `hostname`; `shadow` is what keeps the zone from answering for it (`ZoneView.shadow_of`)."""
    marker = parse_marker(found.marker.rrset if found.marker else None)
    if not wishes:
        change = _withdraw(withdrawal, found, marker, rules) if withdrawal else None
        return Outcome(change, {})
    winner = _winner(wishes, marker)
    refusals = {each.record: _conflict(each, winner) for each in wishes if each is not winner}
    left = withdrawal is not None and is_marked_for(marker, withdrawal, rules)
    refusal = _refusal(winner, found, marker, shadow, rules, left=left)
    if refusal is not None:
        gives_up = _withdraw(withdrawal, found, marker, rules) if withdrawal and left else None
        return Outcome(gives_up, {**refusals, winner.record: refusal}, denied=winner.record)
    if winner.sets is not None:
        refusal = _across_types(winner, marker, found) or _obstacle(winner.sets, found, rules)
    if refusal is not None:
        gives_up = _withdraw(withdrawal, found, marker, rules) if withdrawal and left else None
        return Outcome(gives_up, {**refusals, winner.record: refusal})
    if winner.sets is None:
        return Outcome(None, refusals, winner.record)
    changes = _changes(winner, winner.sets, found, rules)
    if not changes:
        return Outcome(None, refusals, winner.record)
    if empty := _empties(found, changes, deletion_observed=False):
        return Outcome(None, {**refusals, winner.record: Explanation("WouldBeEmpty", empty)})
    adopts = marker is None and not winner.was_published
    change = NameChange(
        hostname,
        winner.record,
        changes,
        Urgency.FAILOVER,
        claimed_by=found.claims[0].told if found.claims else "",
        was_there=found.answers if adopts else (),
    )
    return Outcome(change, refusals, winner.record)


def _winner(wishes: Sequence[Wish], marker: Marker | None) -> Wish:
    """Return whose the name is of those who claim it: the marker's record, else who published it, else the oldest."""
    marked = [each for each in wishes if marker is not None and each.record == marker.record]
    return marked[0] if marked else min(wishes, key=lambda each: (not each.was_published, each.created, each.record))


def _conflict(loser: Wish, winner: Wish) -> Explanation:
    return Explanation(
        "NameConflict",
        f"{loser.hostname} is already published by FailoverRecord {winner.record}: delete one of the two, "
        "or give this one another hostname",
    )


def is_marked_for(marker: Marker | None, withdrawal: Withdrawal, rules: ZoneRules) -> bool:
    """Tell whether a name bears the mark of exactly the object that was deleted."""
    return marker is not None and marker.owner == rules.owner and _is_of(marker, withdrawal, rules)


def _is_of(marker: Marker, withdrawal: Withdrawal, rules: ZoneRules) -> bool:
    return marker.record == withdrawal.record and (rules.several_sites or marker.uid == withdrawal.uid)


def _refusal(
    wish: Wish, found: NameView, marker: Marker | None, shadow: OpaqueSet | None, rules: ZoneRules, *, left: bool
) -> Explanation | None:
    """Return why the name is not to be had; `left` says that the record in the marker is giving it up just now."""
    if not is_within(wish.hostname, rules.domain):
        return Explanation(
            "HostnameOutsideZone",
            f"{wish.hostname} is not within {rules.domain}: name a DNSZone whose domain holds it in spec.zones",
        )
    if shadow is not None:
        return _in_shadow(wish, shadow, rules)
    if marker is not None and marker.owner != rules.owner:
        return Explanation(
            "OwnedByAnother",
            f"{wish.hostname} belongs to the Detour installation {marker.owner!r} (record {marker.record}): "
            f"let that one give it up first, then delete the marker {found.marker.rrset.name if found.marker else ''}"
            f"{_by_hand(rules, found.marker.rrset if found.marker else None)}",
        )
    is_anothers = marker is not None and marker.record != wish.record and not left
    if is_anothers and marker is not None and rules.record_exists(marker.record):
        return Explanation(
            "OwnedByAnotherRecord",
            f"{wish.hostname} is published by FailoverRecord {marker.record}, which is there, or was a moment ago: "
            "delete that one first, or choose another hostname",
        )
    if is_anothers and marker is not None and not wish.adopt:
        return Explanation(
            "OwnedByAnotherRecord",
            f"{wish.hostname} was published by FailoverRecord {marker.record}, which is gone and left it: set "
            "spec.adopt to true to take it over",
        )
    if found.opaque_marker is not None and not wish.was_published:
        return Explanation(
            "MarkerUnreadable",
            f"the TXT record at {found.opaque_marker.name} cannot be read ({found.opaque_marker.why}), so it is "
            f"unclear who owns {wish.hostname}: remove that record",
        )
    if marker is None and found.marker is not None and not (wish.was_published or wish.adopt):
        return Explanation(
            "MarkerUnreadable",
            f"the TXT record at {found.marker.rrset.name} is no marker of Detour's, so it is unclear who owns "
            f"{wish.hostname}: set spec.adopt to true, or remove that record"
            f"{_by_hand(rules, found.marker.rrset)}",
        )
    if found.claims and marker is None and not wish.was_published and wish.adopt_from != EXTERNAL_DNS:
        return Explanation(
            "OwnedByExternalDNS",
            f"{found.claims[0].told}, and would write over it again and again: take {wish.hostname} out of the source "
            f"that it reads, or take the name over together with its mark: `{_adopt(wish, EXTERNAL_DNS)}`",
        )
    taken = marker is None and not wish.was_published and (found.answers or _opaque_answers(found))
    if taken and not wish.adopt:
        return Explanation(
            "NameTaken",
            f"{wish.hostname} exists and bears no mark of Detour's: choose another hostname, or take it over with "
            f"`{_adopt(wish)}`",
        )
    return None


def _in_shadow(wish: Wish, shadow: OpaqueSet, rules: ZoneRules) -> Explanation:
    if shadow.type == "DNAME":
        return Explanation(
            "BelowDNAME",
            f"{shadow.name} has a DNAME, which sends every name below it elsewhere, so {wish.hostname} would not be "
            "seen in this zone: remove the DNAME, or choose another hostname",
        )
    return Explanation(
        "BelowZoneCut",
        f"{shadow.name} is delegated away from {rules.domain}, so {wish.hostname} would not be seen there: "
        f"use a DNSZone for {shadow.name}",
    )


def _across_types(wish: Wish, marker: Marker | None, found: NameView) -> Explanation | None:
    """Return why a name that is being adopted cannot be: it is of another kind."""
    adopts = marker is None and not wish.was_published and found.answers
    if not adopts or wish.sets is None or not _crosses_types(wish.sets, found):
        return None
    return Explanation(
        "AdoptAcrossTypes",
        f"{wish.hostname} exists with types {_types(found)}: a name can only be adopted by a record that publishes the "
        "same kind (addresses or CNAME)",
    )


def _adopt(wish: Wish, tool: str | None = None) -> str:
    wanted = "true" if tool is None else f'{{"from":"{tool}"}}'
    patch = f"""--type=merge -p '{{"spec":{{"adopt":{wanted}}}}}'"""
    return f"kubectl patch failoverrecord/{wish.record.name} -n {wish.record.namespace} {patch}"


def _obstacle(sets: tuple[RRset, ...], found: NameView, rules: ZoneRules) -> Explanation | None:
    """Return what else stands at the name and is in the way."""
    name = sets[0].name
    if blocking := _opaque_answers(found):
        each = blocking[0]
        return Explanation(
            "OpaqueSet",
            f"{name} has a set that Detour cannot represent ({each.type} {each.why}): remove it, or choose another "
            "hostname",
        )
    publishes_cname = sets[0].type is RRType.CNAME
    others = [each.type for each in found.opaque] + [kind.value for kind in found.sets if kind is RRType.TXT]
    if publishes_cname and others:
        return Explanation(
            "NameInUse",
            f"{name} has other data ({', '.join(sorted(others))}) and a CNAME cannot stand beside any (RFC 1034 "
            "§3.6.2): remove it, or use publish: Address",
        )
    if not rules.atomic and _crosses_types(sets, found):
        return Explanation(
            "TypeReplaced",
            f"{name} now has type {_types(found)} and this provider cannot swap types in one step: delete that set by "
            f"hand, and Detour will publish the name again{_by_hand(rules, *found.answers)}",
        )
    return None


def _by_hand(rules: ZoneRules, *sets: RRset | None) -> str:
    """Return what a person types to delete these sets, to follow what says so."""
    commands = [text for each in sets if each is not None and (text := rules.delete_command(each))]
    return f": `{'; '.join(commands)}`" if commands else ""


def _opaque_answers(found: NameView) -> list[OpaqueSet]:
    """Return the opaque sets that answer for the name: what else stands there is none of our business."""
    return [each for each in found.opaque if each.type in OPAQUE_ANSWERS]


def _types(found: NameView) -> str:
    return ", ".join(each.type for each in found.answers) or "none"


def _crosses_types(sets: tuple[RRset, ...], found: NameView) -> bool:
    wants_cname = sets[0].type is RRType.CNAME
    return any((each.type is RRType.CNAME) != wants_cname for each in found.answers)


def _changes(wish: Wish, sets: tuple[RRset, ...], found: NameView, rules: ZoneRules) -> tuple[Change, ...]:
    """Return what to change, in an order that is safe also one by one: marker, new and changed sets, removals.

    Across types the removal has to come first; only atomic providers get that far.
    """
    wanted = {each.type: each for each in sets}
    marker = Marker(rules.owner, wish.record, wish.uid)
    present = parse_marker(found.marker.rrset if found.marker else None)
    if present is not None and rules.several_sites:
        present = replace(present, uid=marker.uid)
    is_marked = present == marker or found.opaque_marker is not None  # whoever spoilt it is told of by the audits
    claims = [] if is_marked else [Change(found.marker, marker.rrset(wish.hostname))]
    writes = [
        Change(found.sets.get(kind), each)
        for kind, each in sorted(wanted.items())
        if kind not in found.sets or found.sets[kind].rrset != each
    ]
    written = {each.key.type for each in writes}
    staying = next((found.sets[kind] for kind in sorted(wanted) if kind in found.sets and kind not in written), None)
    beside = staying if not written.intersection(ANSWER_TYPES) else None  # what is written is a condition by itself
    removals = [
        Change(found.sets[kind], None, beside) for kind in ANSWER_TYPES if kind in found.sets and kind not in wanted
    ]
    if wish.adopt_from == EXTERNAL_DNS:
        removals += [_without_claim(each.stored) for each in found.claims]
    if _crosses_types(sets, found):
        return (*claims, *removals, *writes)
    return (*claims, *writes, *removals)


def _without_claim(stored: StoredSet) -> Change:
    """Return the change that takes another tool's mark out of a TXT set, and nothing else that it holds."""
    kept = tuple(value for value in stored.rrset.values if not is_claim(value))
    return Change(stored, replace(stored.rrset, values=kept) if kept else None)


def _withdraw(withdrawal: Withdrawal, found: NameView, marker: Marker | None, rules: ZoneRules) -> NameChange | None:
    """Return the removal of a name whose marker names exactly the object that was deleted."""
    if not is_marked_for(marker, withdrawal, rules):
        return None
    doomed: list[StoredSet] = [found.sets[kind] for kind in ANSWER_TYPES if kind in found.sets]
    doomed += [found.marker] if found.marker else []
    changes = tuple(Change(each, None) for each in doomed)
    return NameChange(withdrawal.hostname, withdrawal.record, changes, Urgency.HOUSEKEEPING)


def _empties(found: NameView, changes: Sequence[Change], *, deletion_observed: bool) -> str | None:
    before = {each.key for each in found.answers}
    gone = {change.key for change in changes if change.new is None}
    came = {change.key for change in changes if change.new is not None}
    return never_empty(before, (before - gone) | came, deletion_observed=deletion_observed)
