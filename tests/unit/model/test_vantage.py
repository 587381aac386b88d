"""What a vantage says of its checks, as text: whole, small, and harmless whatever stands in it."""

import base64
import math

import pytest
from hypothesis import given
from hypothesis import strategies as some

from detour.model.checks import CheckTiming, HTTPCheck, StatusRange, Target, TCPCheck
from detour.model.health import Verdict
from detour.model.vantage import LONGEST_TEXT, MOST_FINDINGS, Finding, check_key, digest, packed, unpacked

TIMING = CheckTiming(10.0, 1.0, 2.0, 3, 3)
FINDINGS = some.dictionaries(
    some.binary(min_size=8, max_size=8),
    some.builds(
        Finding,
        some.sampled_from(Verdict),
        some.integers(0, 10**7).map(lambda ticks: ticks / 100),
        some.integers(0, 6 * 10**4).map(lambda ticks: ticks / 100),
    ),
    max_size=50,
)


def http(path: str) -> HTTPCheck:
    return HTTPCheck(True, 443, path, "www.example.org", "www.example.org", (StatusRange(200, 299),))


@given(FINDINGS)
def test_what_was_packed_is_read_again(findings: dict[bytes, Finding]) -> None:
    read = unpacked(packed(findings))
    assert {key: each.state for key, each in read.items()} == {key: each.state for key, each in findings.items()}
    for key, each in findings.items():
        assert 0 <= read[key].age - each.age <= 0.0101
        assert 0 <= each.looked - read[key].looked <= 0.0101


def test_a_look_that_is_long_ago_shows_nothing() -> None:
    assert unpacked(packed({b"12345678": Finding(Verdict.HEALTHY, 1.0, 4000.0)}))[b"12345678"].looked == math.inf


@given(some.text() | some.binary().map(lambda octets: base64.b64encode(octets).decode()))
def test_whatever_stands_there_is_read_or_refused(text: str) -> None:
    try:
        found = unpacked(text)
    except ValueError:
        return
    assert all(isinstance(each.state, Verdict) and each.age >= 0 for each in found.values())


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_ten_thousand_checks_fit_into_a_quarter_of_a_megabyte_however_many_fail(share: float) -> None:
    bad = int(share * MOST_FINDINGS)
    findings = {
        number.to_bytes(8): Finding(Verdict.UNHEALTHY if number < bad else Verdict.HEALTHY, 1e12, 1e12)
        for number in range(MOST_FINDINGS)
    }
    text = packed(findings)
    assert len(text) <= LONGEST_TEXT <= 250_000
    assert sum(each.state is Verdict.UNHEALTHY for each in unpacked(text).values()) == bad


def test_more_than_that_is_refused_on_both_sides() -> None:
    findings = {number.to_bytes(8): Finding(Verdict.HEALTHY, 0, 0) for number in range(MOST_FINDINGS + 1)}
    with pytest.raises(ValueError, match="10001"):
        packed(findings)
    with pytest.raises(ValueError, match="more than"):
        unpacked("A" * (LONGEST_TEXT + 4))


def test_equal_checks_have_equal_keys_wherever_they_were_declared() -> None:
    one, same = (Target("192.0.2.1", http("/health"), CheckTiming(10.0, 1.0, 2.0, 3, 3)) for _ in range(2))
    assert one is not same
    assert check_key(one) == check_key(same)


def test_whatever_differs_in_a_check_makes_another_key() -> None:
    checks = [
        Target("192.0.2.1", http("/health"), TIMING),
        Target("192.0.2.2", http("/health"), TIMING),
        Target("192.0.2.1", http("/other"), TIMING),
        Target("192.0.2.1", TCPCheck(443), TIMING),
        Target("192.0.2.1", http("/health"), CheckTiming(11.0, 1.0, 2.0, 3, 3)),
    ]
    assert len({check_key(each) for each in checks}) == len(checks)


def test_vantages_with_the_same_checks_have_the_same_digest() -> None:
    keys = [number.to_bytes(8) for number in range(3)]
    finding = Finding(Verdict.HEALTHY, 0, 0)
    assert digest(dict.fromkeys(keys, finding)) == digest(dict.fromkeys(reversed(keys), finding))
    assert digest(dict.fromkeys(keys, finding)) != digest(dict.fromkeys(keys[1:], finding))
