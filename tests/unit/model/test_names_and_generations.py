"""Names keep their meaning on the way into a zone and back; generations order like what they count."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detour.model.generation import NEVER, Generation
from detour.model.names import canonical, hostname_of_marker, is_within, ledger_name, marker_name

LABELS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
HOSTNAMES = st.builds(
    lambda wildcard, labels: ".".join((["*"] if wildcard else []) + labels),
    st.booleans(),
    st.lists(LABELS, min_size=2, max_size=4),
)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("API.Example.ORG.", "api.example.org"),
        ("\\052.example.org.", "*.example.org"),
        ("*.example.org", "*.example.org"),
        ("example.org", "example.org"),
    ],
)
def test_a_name_has_one_canonical_form(written: str, meant: str) -> None:
    assert canonical(written) == meant
    assert canonical(meant) == meant


@pytest.mark.parametrize(
    ("name", "within"),
    [
        ("example.org", True),
        ("api.example.org", True),
        ("a.b.example.org", True),
        ("badexample.org", False),
        ("org", False),
        ("example.org.evil.net", False),
    ],
)
def test_a_zone_holds_its_own_name_and_those_below_it_only(name: str, within: bool) -> None:
    assert is_within(name, "example.org") is within


@given(HOSTNAMES)
def test_a_marker_leads_back_to_its_hostname(hostname: str) -> None:
    assert hostname_of_marker(marker_name(hostname)) == hostname
    assert "*" not in marker_name(hostname)


@given(HOSTNAMES)
def test_a_hostname_is_not_mistaken_for_a_marker(hostname: str) -> None:
    assert hostname_of_marker(hostname) is None


def test_a_ledger_is_no_marker_of_any_hostname() -> None:
    name = ledger_name("production", "example.org")
    assert name == "production._detour.example.org"
    assert hostname_of_marker(name) is None


def test_two_installations_keep_two_ledgers_in_one_zone() -> None:
    assert ledger_name("one", "example.org") != ledger_name("two", "example.org")


GENERATIONS = st.builds(Generation, st.integers(0, 10**12), st.integers(0, 10**12))


@given(GENERATIONS)
def test_a_generation_reads_back_what_it_wrote(generation: Generation) -> None:
    assert Generation.parse(str(generation)) == generation


@pytest.mark.parametrize("text", ["", "7", "7.", ".7", "7.4.2", "-1.2", "7.x", "\u0667.1", "9" * 20 + ".1", "1.5e3"])
def test_what_is_no_generation_is_none(text: str) -> None:
    assert Generation.parse(text) is None


@given(GENERATIONS, GENERATIONS)
def test_a_take_over_outranks_every_batch_before_it(one: Generation, other: Generation) -> None:
    assert Generation(one.epoch + 1, 0) > one
    assert Generation(one.epoch, one.sequence + 1) > one
    assert one >= NEVER
    assert (one < other) == ((one.epoch, one.sequence) < (other.epoch, other.sequence))
