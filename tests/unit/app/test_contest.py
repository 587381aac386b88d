"""When a name counts as contested, and what is said of it."""

from detour.enactment.contract import Change, StoredSet
from detour.enactment.wishes import NameChange, Urgency
from detour.engine.contest import QUIET, REPEATED, Contest, after_repair, contested
from detour.model.record import ObjectKey
from detour.model.rrset import RRset, RRType

MAIN, OTHER = ObjectKey("shop", "main"), ObjectKey("shop", "other")
API = "api.example.org"
OURS = RRset(API, RRType.A, 30, ("192.0.2.1",))
WALL = 1_700_000_000.0


def repair(found: RRset | None, put: RRset | None = OURS, claimed_by: str = "") -> NameChange:
    changed = Change(StoredSet(found) if found else None, put)
    return NameChange(API, ObjectKey("shop", "api"), (changed,), Urgency.REPAIR, is_repair=True, claimed_by=claimed_by)


def repaired(*times: float, change: NameChange | None = None, zone: ObjectKey = MAIN) -> Contest:
    contest: Contest | None = None
    for at in times:
        contest = after_repair(contest, zone, change or repair(None), now=at, wall=WALL + at)
    assert contest is not None
    return contest


def message(found: RRset | None, put: RRset | None = OURS, claimed_by: str = "") -> str:
    told = contested([repaired(0.0, 60.0, 120.0, change=repair(found, put, claimed_by))], 121.0)
    assert told is not None
    assert told.reason == "Contested"
    return told.message


def test_one_edit_is_no_contest_and_the_third_in_a_row_is_until_the_name_is_left_alone() -> None:
    times = [60.0 * place for place in range(REPEATED)]
    assert contested([repaired(*times[:-1])], times[-1]) is None
    contest = repaired(*times)
    assert contested([contest], times[-1]) is not None
    assert contested([contest], times[-1] + QUIET - 1) is not None
    assert contested([contest], times[-1] + QUIET) is None


def test_after_a_calm_it_is_counted_anew() -> None:
    assert repaired(0.0, 60.0, 61.0 + QUIET).count == 1
    assert repaired(0.0, 60.0, 60.0 + QUIET).count == 3


def test_what_was_found_is_told_with_what_belongs_there_how_often_and_since_when() -> None:
    told = message(RRset(API, RRType.A, 300, ("203.0.113.9",)))
    assert "api.example.org in zone shop/main was changed by somebody else and put back 3 times" in told
    assert "since 2023-11-14T22:13:20Z, last at 2023-11-14T22:15:20Z, when it had A 203.0.113.9 in place of" in told
    assert "nothing beside the name says who" in told
    assert "when it had A nothing in place of 192.0.2.1" in message(None)
    assert "when it had A with the TTL 300 s in place of 30 s" in message(RRset(API, RRType.A, 300, OURS.values))
    stray = RRset(API, RRType.AAAA, 30, ("2001:db8::9",))
    assert "when it had AAAA 2001:db8::9, which does not belong there" in message(stray, None)
    assert "external-dns, owner x, claims this name: take" in message(
        None, claimed_by="external-dns, owner x, claims this name"
    )


def test_every_zone_where_it_happens_is_named() -> None:
    both = [repaired(0.0, 1.0, 2.0), repaired(0.0, 1.0, 2.0, zone=OTHER), repaired(0.0, zone=ObjectKey("shop", "calm"))]
    told = contested(both, 3.0)
    assert told is not None
    assert "zone shop/main" in told.message
    assert "zone shop/other" in told.message
    assert "shop/calm" not in told.message
