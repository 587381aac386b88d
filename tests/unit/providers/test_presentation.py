"""Texts survive the way to an API and back, in either way of writing an octet."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detour.enactment.contract import OpaqueSet, StoredSet
from detour.model.rrset import RRset, RRType
from detour.providers.presentation import EscapeBase, as_stored, character_strings, presented, stored

TEXTS = st.text(st.characters(codec="utf-8"), max_size=600)


@given(TEXTS, st.sampled_from([8, 10]))
def test_a_text_is_read_as_it_was_written(text: str, base: EscapeBase) -> None:
    rrset = RRset("t.example.com", RRType.TXT, 60, (text,))
    assert stored(rrset.name, "TXT", 60, presented(rrset, base), base) == StoredSet(rrset)


@given(TEXTS)
def test_no_character_string_is_longer_than_255_octets(text: str) -> None:
    strings = character_strings(text)
    assert b"".join(strings) == text.encode()
    assert all(len(each) <= 255 for each in strings)


def test_octets_are_octal_for_route_53_and_decimal_in_zone_files() -> None:
    rrset = RRset("t.example.com", RRType.TXT, 60, ("\t",))
    assert presented(rrset, 8) == ('"\\011"',)
    assert presented(rrset, 10) == ('"\\009"',)


@pytest.mark.parametrize("values", [('"de" "tour"',), ("detour",)], ids=["cut", "bare"])
def test_another_spelling_is_given_back_verbatim(values: tuple[str, ...]) -> None:
    read = stored("t.example.com", "TXT", 60, values)
    assert isinstance(read, StoredSet)
    assert read.rrset.values == ("detour",)
    assert as_stored(read) == values


def test_a_target_in_capitals_is_given_back_in_capitals() -> None:
    read = stored("c.example.com", "CNAME", 60, ["LB.Example.com."])
    assert isinstance(read, StoredSet)
    assert read.rrset.values == ("lb.example.com",)
    assert as_stored(read) == ("LB.Example.com.",)


@pytest.mark.parametrize(
    ("rrtype", "values"),
    [("MX", ["10 mx.example.com."]), ("A", []), ("A", ["nonsense"]), ("TXT", ['"open']), ("TXT", ['"\\255"'])],
)
def test_what_detour_has_no_words_for_is_opaque(rrtype: str, values: list[str]) -> None:
    read = stored("x.example.com", rrtype, 60, values)
    assert isinstance(read, OpaqueSet)
    assert read.type == rrtype
