"""Whose a name is, and what may be done to it: every rule of ownership."""

import dataclasses

import pytest

from detour.enactment.contract import OpaqueSet, StoredSet
from detour.enactment.markers import Marker, parse_marker
from detour.enactment.reconcile import Outcome, ZoneRules, reconcile
from detour.enactment.view import NameView
from detour.enactment.wishes import Urgency, Wish
from detour.model.names import marker_name
from detour.model.rrset import ANSWER_TYPES, RRKey, RRset, RRType
from detour.model.withdrawal import Withdrawal

from .writer import API, DOMAIN, ONE, OWNER, SIX, TWO, a_set, key, marker_of, wish

ATOMIC, ONE_BY_ONE = ZoneRules(DOMAIN, OWNER, True), ZoneRules(DOMAIN, OWNER, False)
A, AAAA, CNAME, TXT = RRType.A, RRType.AAAA, RRType.CNAME, RRType.TXT
V6 = RRset(API, AAAA, 30, (SIX,))
TARGET = RRset(API, CNAME, 30, ("lb.example.net",))
NOTE = RRset(API, TXT, 300, ("a note",))
GARBLED = RRset(marker_name(API), TXT, 300, ("a note",))
ALIAS = OpaqueSet(API, "A", "alias")
MAIL = OpaqueSet(API, "MX")


def view(*sets: RRset, marker: RRset | None = None, opaque: tuple[OpaqueSet, ...] = ()) -> NameView:
    return NameView({each.type: StoredSet(each) for each in sets}, opaque, StoredSet(marker) if marker else None)


def judge(
    *wishes: Wish,
    found: NameView,
    withdrawal: Withdrawal | None = None,
    rules: ZoneRules = ATOMIC,
    shadow: OpaqueSet | None = None,
) -> Outcome:
    hostname = wishes[0].hostname if wishes else API
    return reconcile(hostname, wishes, withdrawal, found=found, shadow=shadow, rules=rules)


def steps(outcome: Outcome) -> list[str]:
    """Return the changes in words and in order: `+A` new, `~A` replaced, `-A` removed; the marker is `M`."""
    told = []
    for each in outcome.change.changes if outcome.change else ():
        sign = "+" if each.old is None else "-" if each.new is None else "~"
        told.append(sign + ("M" if each.key.name == marker_name(API) else each.key.type.value))
    return told


def reason(outcome: Outcome, name: str = "api") -> str | None:
    refusal = outcome.refusals.get(key(name))
    return refusal.reason if refusal else None


MINE = marker_of("api")
THEIRS = marker_of("api", owner="someone")
OTHERS = Marker(OWNER, key("other"), "uid-other").rrset(API)


@pytest.mark.parametrize(
    ("found", "wanted", "expected"),
    [
        (view(), wish("api", ONE), ["+M", "+A"]),
        (view(), wish("api", ONE, SIX), ["+M", "+A", "+AAAA"]),
        (view(), wish("api", "lb.example.net"), ["+M", "+CNAME"]),
        (view(a_set(API, ONE), marker=MINE), wish("api", ONE), []),
        (view(a_set(API, ONE), marker=MINE), wish("api", TWO), ["~A"]),
        (view(a_set(API, ONE, ttl=99), marker=MINE), wish("api", ONE), ["~A"]),
        (view(a_set(API, ONE), V6, marker=MINE), wish("api", ONE), ["-AAAA"]),
        (view(a_set(API, ONE), V6, marker=MINE), wish("api", TWO), ["~A", "-AAAA"]),
        (view(a_set(API, ONE), marker=MINE), wish("api", SIX), ["+AAAA", "-A"]),
        (view(TARGET, marker=MINE), wish("api", ONE), ["-CNAME", "+A"]),
        (view(a_set(API, ONE), V6, marker=MINE), wish("api", "lb.example.net"), ["-A", "-AAAA", "+CNAME"]),
        (view(marker=MINE), wish("api", ONE), ["+A"]),
        (view(NOTE), wish("api", ONE), ["+M", "+A"]),
        (view(opaque=(MAIL,)), wish("api", ONE), ["+M", "+A"]),
        (view(a_set(API, ONE), marker=marker_of("api", uid="older")), wish("api", ONE), ["~M"]),
        (view(a_set(API, ONE)), wish("api", TWO, adopt=True), ["+M", "~A"]),
        (view(a_set(API, ONE), V6), wish("api", TWO, adopt=True), ["+M", "~A", "-AAAA"]),
        (view(a_set(API, ONE), marker=OTHERS), wish("api", TWO, adopt=True), ["~M", "~A"]),
        (view(a_set(API, ONE), marker=GARBLED), wish("api", TWO, adopt=True), ["~M", "~A"]),
        (view(a_set(API, ONE)), wish("api", TWO, was_published=True), ["+M", "~A"]),
        (view(a_set(API, ONE), marker=GARBLED), wish("api", TWO, was_published=True), ["~M", "~A"]),
        (view(a_set(API, ONE), marker=MINE), wish("api"), []),
    ],
)
def test_what_is_ours_or_free_becomes_what_is_wished(found: NameView, wanted: Wish, expected: list[str]) -> None:
    outcome = judge(wanted, found=found)
    assert steps(outcome) == expected
    assert outcome.owner == wanted.record
    assert not outcome.refusals


@pytest.mark.parametrize(
    ("found", "wanted", "why"),
    [
        (view(a_set(API, ONE)), wish("api", ONE), "NameTaken"),
        (view(TARGET), wish("api", ONE), "NameTaken"),
        (view(opaque=(ALIAS,)), wish("api", ONE), "NameTaken"),
        (view(a_set(API, ONE), marker=THEIRS), wish("api", TWO), "OwnedByAnother"),
        (view(a_set(API, ONE), marker=THEIRS), wish("api", TWO, adopt=True), "OwnedByAnother"),
        (view(a_set(API, ONE), marker=THEIRS), wish("api", TWO, was_published=True), "OwnedByAnother"),
        (view(marker=THEIRS), wish("api", TWO), "OwnedByAnother"),
        (view(a_set(API, ONE), marker=OTHERS), wish("api", TWO), "OwnedByAnotherRecord"),
        (view(a_set(API, ONE), marker=OTHERS), wish("api", TWO, was_published=True), "OwnedByAnotherRecord"),
        (view(a_set(API, ONE), marker=GARBLED), wish("api", TWO), "MarkerUnreadable"),
        (view(marker=GARBLED), wish("api", TWO), "MarkerUnreadable"),
        (view(TARGET), wish("api", ONE, adopt=True), "AdoptAcrossTypes"),
        (view(a_set(API, ONE)), wish("api", "lb.example.net", adopt=True), "AdoptAcrossTypes"),
        (view(opaque=(ALIAS,)), wish("api", ONE, adopt=True), "OpaqueSet"),
        (view(opaque=(ALIAS,), marker=MINE), wish("api", ONE), "OpaqueSet"),
        (view(NOTE), wish("api", "lb.example.net"), "NameInUse"),
        (view(opaque=(MAIL,)), wish("api", "lb.example.net"), "NameInUse"),
        (view(NOTE, TARGET, marker=MINE), wish("api", "other.example.net"), "NameInUse"),
    ],
)
def test_what_is_not_ours_is_never_touched(found: NameView, wanted: Wish, why: str) -> None:
    outcome = judge(wanted, found=found)
    assert reason(outcome) == why
    assert outcome.change is None
    assert outcome.owner is None
    assert len(outcome.refusals[key("api")].message) > 20


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (view(TARGET, marker=MINE), wish("api", ONE)),
        (view(a_set(API, ONE), marker=MINE), wish("api", "lb.example.net")),
    ],
)
def test_types_are_swapped_only_where_that_is_one_step(found: NameView, wanted: Wish) -> None:
    assert judge(wanted, found=found).change is not None
    refused = judge(wanted, found=found, rules=ONE_BY_ONE)
    assert (reason(refused), refused.change) == ("TypeReplaced", None)


@pytest.mark.parametrize(("kind", "why"), [("NS", "BelowZoneCut"), ("DNAME", "BelowDNAME")])
def test_a_name_for_which_the_zone_does_not_answer_is_refused_with_what_shadows_it(kind: str, why: str) -> None:
    refused = judge(wish("api", ONE), found=view(), shadow=OpaqueSet(f"sub.{DOMAIN}", kind))
    assert (reason(refused), refused.change) == (why, None)
    assert f"sub.{DOMAIN}" in next(iter(refused.refusals.values())).message


@pytest.mark.parametrize(
    "foreign", [OpaqueSet(API, "TXT", "its text is not UTF-8"), OpaqueSet(API, "MX", "weighted set")]
)
def test_a_foreign_set_of_another_type_does_not_hold_up_our_addresses(foreign: OpaqueSet) -> None:
    found = view(a_set(API, ONE), marker=MINE, opaque=(foreign,))
    moved = judge(wish("api", TWO), found=found).change
    assert moved is not None
    assert [each.new for each in moved.changes] == [a_set(API, TWO)]


def test_a_name_outside_the_zone_is_refused() -> None:
    stray = wish("api", ONE, hostname="api.example.com", sets=(RRset("api.example.com", A, 30, (ONE,)),))
    assert reason(judge(stray, found=view())) == "HostnameOutsideZone"


SECOND = wish("api", TWO, record=key("second"), uid="uid-second", created=2.0)


def test_of_two_who_claim_a_free_name_the_older_gets_it() -> None:
    for wishes in ((wish("api", ONE), SECOND), (SECOND, wish("api", ONE))):
        outcome = judge(*wishes, found=view())
        assert outcome.owner == key("api")
        assert reason(outcome, "second") == "NameConflict"
        assert str(key("api")) in outcome.refusals[key("second")].message


def test_of_two_who_claim_a_name_the_one_in_the_marker_keeps_it() -> None:
    found = view(a_set(API, TWO), marker=Marker(OWNER, key("second"), "uid-second").rrset(API))
    outcome = judge(wish("api", ONE), SECOND, found=found)
    assert outcome.owner == key("second")
    assert outcome.change is None
    assert reason(outcome, "api") == "NameConflict"


def test_two_of_the_same_age_are_told_apart_the_same_way_every_time() -> None:
    twin = dataclasses.replace(SECOND, created=1.0)
    assert {judge(*pair, found=view()).owner for pair in ((wish("api", ONE), twin), (twin, wish("api", ONE)))} == {
        key("api")
    }


GONE = Withdrawal(key("api"), "uid-api", API)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (view(a_set(API, ONE), V6, marker=MINE), ["-A", "-AAAA", "-M"]),
        (view(TARGET, NOTE, marker=MINE), ["-CNAME", "-M"]),
        (view(marker=MINE), ["-M"]),
        (view(a_set(API, ONE)), []),
        (view(a_set(API, ONE), marker=GARBLED), []),
        (view(a_set(API, ONE), marker=THEIRS), []),
        (view(a_set(API, ONE), marker=OTHERS), []),
        (view(a_set(API, ONE), marker=marker_of("api", uid="another object")), []),
        (view(), []),
    ],
)
def test_a_deletion_takes_only_what_the_marker_says_is_its_own(found: NameView, expected: list[str]) -> None:
    outcome = judge(found=found, withdrawal=GONE)
    assert steps(outcome) == expected
    if outcome.change:
        assert outcome.change.urgency is Urgency.HOUSEKEEPING


def test_an_objects_absence_alone_deletes_nothing() -> None:
    assert judge(found=view(a_set(API, ONE), marker=MINE)).change is None


def test_a_successor_takes_over_from_the_deleted_one_without_an_empty_moment() -> None:
    outcome = judge(SECOND, found=view(a_set(API, ONE), marker=MINE), withdrawal=GONE)
    assert steps(outcome) == ["~M", "~A"]
    assert outcome.change is not None
    marker = parse_marker(outcome.change.changes[0].new)
    assert marker is not None
    assert marker.record == key("second")


def test_a_successor_gains_nothing_from_a_deletion_of_another_object() -> None:
    stale = Withdrawal(key("api"), "uid-of-an-older-object", API)
    outcome = judge(SECOND, found=view(a_set(API, ONE), marker=MINE), withdrawal=stale)
    assert reason(outcome, "second") == "OwnedByAnotherRecord"


@pytest.mark.parametrize("rules", [ATOMIC, ONE_BY_ONE])
def test_one_by_one_the_marker_comes_first_and_removals_last(rules: ZoneRules) -> None:
    outcome = judge(wish("api", SIX), found=view(a_set(API, ONE), marker=marker_of("api", uid="old")), rules=rules)
    assert steps(outcome) == ["~M", "+AAAA", "-A"]


@pytest.mark.parametrize(
    "wanted", [wish("api", ONE), wish("api", SIX), wish("api", ONE, SIX), wish("api", "lb.example.net")]
)
@pytest.mark.parametrize(
    "found", [view(), view(a_set(API, TWO)), view(V6), view(a_set(API, TWO), V6), view(TARGET)], ids=repr
)
def test_no_change_leaves_a_name_without_an_answer(wanted: Wish, found: NameView) -> None:
    """Also not in between, where sets are written one by one."""
    found = dataclasses.replace(found, marker=StoredSet(MINE))
    for rules in (ATOMIC, ONE_BY_ONE):
        outcome = judge(wanted, found=found, rules=rules)
        if outcome.change is None:
            continue
        answers = {each.key for each in found.answers}
        answered = bool(answers)
        for change in outcome.change.changes:
            if change.key.type in ANSWER_TYPES:
                answers = answers | {change.key} if change.new else answers - {change.key}
            if answered and not rules.atomic:
                assert answers
        assert answers == {RRKey(API, each.type) for each in wanted.sets or ()}
