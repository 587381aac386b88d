"""An RRset without values does not exist, and equal sets compare equal however they were written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detour.model.rrset import MAXIMUM_TTL, EmptyRRsetError, RRset, RRType, address_sets, address_type

NAME = "api.example.org"
V4 = st.ip_addresses(v=4).map(str)
V6 = st.ip_addresses(v=6).map(str)


@pytest.mark.parametrize("kind", list(RRType))
def test_no_type_can_be_built_empty(kind: RRType) -> None:
    with pytest.raises(EmptyRRsetError, match=f"{NAME} {kind}"):
        RRset(NAME, kind, 30, ())


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (RRType.A, ("2001:db8::1",)),
        (RRType.A, ("192.0.2.300",)),
        (RRType.A, ("",)),
        (RRType.AAAA, ("192.0.2.1",)),
        (RRType.CNAME, ("a.example.org", "b.example.org")),
    ],
)
def test_values_that_the_type_cannot_carry_are_refused(kind: RRType, values: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"."):
        RRset(NAME, kind, 30, values)


@pytest.mark.parametrize("ttl", [-1, MAXIMUM_TTL + 1])
def test_a_ttl_outside_the_protocol_is_refused(ttl: int) -> None:
    with pytest.raises(ValueError, match="TTL"):
        RRset(NAME, RRType.A, ttl, ("192.0.2.1",))


@given(st.lists(V4, min_size=1, max_size=6), st.randoms())
def test_order_and_repeats_make_no_difference(values: list[str], random: object) -> None:
    shuffled = [*values, values[0]]
    getattr(random, "shuffle")(shuffled)  # noqa: B009 - hypothesis gives random.Random without saying so
    assert RRset(NAME, RRType.A, 30, tuple(shuffled)) == RRset(NAME, RRType.A, 30, tuple(values))


def test_addresses_and_targets_take_their_shortest_form() -> None:
    assert RRset(NAME, RRType.AAAA, 30, ("2001:DB8:0:0:0:0:0:1",)).values == ("2001:db8::1",)
    assert RRset(NAME, RRType.CNAME, 30, ("LB.Example.NET.",)).values == ("lb.example.net",)
    assert RRset(NAME, RRType.CNAME, 30, ("LB.example.net.", "lb.example.net")).values == ("lb.example.net",)


def test_text_is_kept_as_it_is() -> None:
    assert RRset(NAME, RRType.TXT, 30, ("Some Text.",)).values == ("Some Text.",)


@given(st.lists(st.one_of(V4, V6), max_size=8))
def test_addresses_fall_into_their_families_and_none_is_lost(addresses: list[str]) -> None:
    sets = address_sets(NAME, 30, addresses)
    assert {value for each in sets for value in each.values} == set(addresses)
    assert all(address_type(value) is each.type for each in sets for value in each.values)
    assert len({each.type for each in sets}) == len(sets)


def test_what_is_no_address_has_no_family() -> None:
    with pytest.raises(ValueError, match="example"):
        address_type("lb.example.net")
