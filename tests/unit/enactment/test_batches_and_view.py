"""Filling batches to the provider's limits, and what is believed of a zone."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from detour.enactment.batches import LEDGER_CHARACTERS, BatchFiller
from detour.enactment.contract import Change, OpaqueSet, ProviderLimits, StoredSet, ZoneContents
from detour.enactment.view import ZoneView
from detour.enactment.wishes import NameChange, Urgency
from detour.model.rrset import RRKey, RRset, RRType, address_sets
from detour_simulation.memoryzone import NO_QUOTA

from .writer import API, DOMAIN, ONE, SIX, TWO, a_set, key, marker_of


def moving(name: str, before: int, after: int) -> NameChange:
    """Return the change of a name from `before` to `after` addresses."""
    hostname = f"{name}.{DOMAIN}"
    old, new = (
        a_set(hostname, *(f"192.0.{third}.{n}" for n in range(1, count + 1))) if count else None
        for third, count in ((2, before), (3, after))
    )
    return NameChange(hostname, key(name), (Change(StoredSet(old) if old else None, new),), Urgency.FAILOVER)


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), max_size=60),
    st.integers(2, 80),
    st.integers(600, 9000),
    st.integers(2, 40).map(float) | st.just(float("inf")),
    st.booleans(),
)
def test_no_batch_exceeds_a_limit_and_none_stops_early(
    moves: list[tuple[int, int]], elements: int, characters: int, budget: float, counts_values: bool
) -> None:
    limits = replace(NO_QUOTA, batch_elements=elements, batch_characters=characters, counts_values=counts_values)
    filler = BatchFiller(limits, ledger_elements=2, budget=budget, names=None)
    changes = [moving(f"n{place}", *move) for place, move in enumerate(moves)]
    taken = 0
    while taken < len(changes) and filler.add(changes[taken]):
        taken += 1
    assert filler.taken == changes[:taken]
    assert taken >= min(1, len(changes))
    if taken > 1:
        assert fits(limits, budget, changes[:taken])
    if taken < len(changes):
        assert not fits(limits, budget, changes[: taken + 1])


def fits(limits: ProviderLimits, budget: float, work: list[NameChange]) -> bool:
    changes = [each for name in work for each in name.changes]
    values = [value for c in changes for s in (c.old.rrset if c.old else None, c.new) if s for value in s.values]
    return (
        sum(map(limits.elements, changes)) + 2 <= limits.batch_elements
        and sum(map(limits.cost, changes)) + 2 <= budget
        and sum(len(value) + 2 for value in values) + LEDGER_CHARACTERS <= limits.batch_characters
    )


def test_a_batch_holds_no_more_changes_than_the_account_may_make() -> None:
    filler = BatchFiller(NO_QUOTA, ledger_elements=2, budget=6.0, names=None)
    assert [filler.add(moving(f"n{place}", 1, 1)) for place in range(3)] == [True, True, False]


def test_while_a_bad_name_is_sought_a_batch_holds_no_more_names_than_told() -> None:
    filler = BatchFiller(NO_QUOTA, ledger_elements=2, budget=float("inf"), names=2)
    assert [filler.add(moving(f"n{place}", 1, 1)) for place in range(3)] == [True, True, False]


def test_the_set_beside_a_removal_takes_its_place_in_a_batch_twice() -> None:
    """It is deleted and created again, or asked for and renewed: so it must fit."""
    going, staying = (StoredSet(each) for each in address_sets(API, 30, (ONE, SIX)))
    alone, beside = (
        NameChange(API, key("api"), (Change(going, None, each),), Urgency.FAILOVER) for each in (None, staying)
    )
    taken = len(going.rrset.values[0]) + 2
    room = replace(NO_QUOTA, batch_elements=10, batch_characters=LEDGER_CHARACTERS + 2 * taken + 1)
    for change, fits_twice in ((alone, True), (beside, False)):
        filler = BatchFiller(room, ledger_elements=2, budget=float("inf"), names=None)
        assert filler.add(change)
        assert filler.add(alone) is fits_twice


def test_a_view_lays_readings_and_writes_over_the_full_one() -> None:
    stranger = a_set(f"mail.{DOMAIN}", TWO)
    sets = {each.key: StoredSet(each) for each in (*address_sets(API, 30, (ONE, SIX)), stranger)}
    view = ZoneView(ZoneContents(sets, (OpaqueSet(API, "MX"),)))
    assert [each.type for each in view.at(API).answers] == [RRType.A, RRType.AAAA]
    written = StoredSet(a_set(API, TWO), "v2")
    view.wrote([RRKey(API, RRType.AAAA)], ZoneContents({written.rrset.key: written}))
    assert view.at(API).answers == (a_set(API, TWO),)
    assert view.get(RRKey(API, RRType.A)) == written
    view.reread([API], ZoneContents())
    assert view.at(API).answers == ()
    assert view.at(API).opaque == ()
    assert view.at(f"mail.{DOMAIN}").answers == (stranger,)


def test_a_view_knows_the_marked_names_and_the_delegations() -> None:
    wildcard = replace(moving("x", 0, 1), hostname=f"*.{DOMAIN}")
    assert wildcard.hostname == f"*.{DOMAIN}"
    marks = [marker_of("api"), RRset(f"_detour._any.{DOMAIN}", RRType.TXT, 300, ("detour/1",))]
    cut = OpaqueSet(f"sub.{DOMAIN}", "NS")
    apex = OpaqueSet(DOMAIN, "NS")
    view = ZoneView(ZoneContents({each.key: StoredSet(each) for each in marks}, (cut, apex)))
    assert set(view.marked_hostnames()) == {API, f"*.{DOMAIN}"}
    assert view.shadow_of(f"a.b.sub.{DOMAIN}", DOMAIN) == cut
    assert view.shadow_of(f"sub.{DOMAIN}", DOMAIN) == cut
    assert view.shadow_of(API, DOMAIN) is None
    assert view.shadow_of(DOMAIN, DOMAIN) is None


def test_a_dname_shadows_what_lies_below_it_and_not_its_own_name() -> None:
    inner, apex = OpaqueSet(f"sub.{DOMAIN}", "DNAME"), OpaqueSet(DOMAIN, "DNAME")
    view = ZoneView(ZoneContents({}, (inner,)))
    assert view.shadow_of(f"a.b.sub.{DOMAIN}", DOMAIN) == inner
    assert view.shadow_of(f"sub.{DOMAIN}", DOMAIN) is None
    assert ZoneView(ZoneContents({}, (inner, apex))).shadow_of(f"a.sub.{DOMAIN}", DOMAIN) == apex
    assert ZoneView(ZoneContents({}, (apex,))).shadow_of(DOMAIN, DOMAIN) is None


def test_a_reading_of_some_types_forgets_nothing_of_the_others() -> None:
    """RFC 2136 servers are asked type by type: what nobody asked for is not gone."""
    mail, cut = OpaqueSet(API, "MX"), OpaqueSet(API, "NS")
    text = RRset(API, RRType.TXT, 60, ("text",))
    sets = {each.key: StoredSet(each) for each in (*address_sets(API, 30, (ONE, SIX)), text)}
    view = ZoneView(ZoneContents(sets, (mail, cut)))
    view.reread([API], ZoneContents(partial={API: frozenset({"AAAA", "NS"})}))
    assert view.at(API).answers == (a_set(API, ONE),)
    assert view.get(text.key) == StoredSet(text)
    assert view.at(API).opaque == (mail,)
    view.reread([API], ZoneContents(opaque=(cut,), partial={API: frozenset({"NS"})}))
    assert set(view.at(API).opaque) == {mail, cut}


def test_a_reading_below_a_delegation_tells_of_it_and_when_it_has_gone() -> None:
    below, cut = f"api.sub.{DOMAIN}", OpaqueSet(f"sub.{DOMAIN}", "NS")
    view = ZoneView(ZoneContents())
    view.reread([below], ZoneContents(opaque=(cut,), partial={below: frozenset(), cut.name: frozenset({"NS"})}))
    assert view.shadow_of(below, DOMAIN) == cut
    view.reread([below], ZoneContents(partial={below: frozenset({"A"}), cut.name: frozenset({"NS", "DNAME"})}))
    assert view.shadow_of(below, DOMAIN) is None
