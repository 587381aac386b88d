"""The last look before a write: a name never loses its last answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detour.model.rrset import ANSWER_TYPES, RRKey, RRType
from detour.planning.safety.rules import never_empty

NAME = "api.example.org"
KEYS = {kind: RRKey(NAME, kind) for kind in RRType}
SETS = st.sets(st.sampled_from(list(KEYS.values())))


@pytest.mark.parametrize(
    ("before", "after", "allowed"),
    [
        ([RRType.A, RRType.AAAA], [RRType.A], True),
        ([RRType.A, RRType.AAAA], [RRType.AAAA], True),
        ([RRType.A, RRType.AAAA], [], False),
        ([RRType.A], [], False),
        ([RRType.A], [RRType.TXT], False),
        ([RRType.CNAME], [], False),
        ([RRType.CNAME], [RRType.A], True),
        ([RRType.A], [RRType.CNAME], True),
        ([], [RRType.A], True),
        ([], [], False),
        ([], [RRType.TXT], False),
    ],
)
def test_a_family_may_go_only_while_another_answers(before: list[RRType], after: list[RRType], allowed: bool) -> None:
    verdict = never_empty([KEYS[each] for each in before], [KEYS[each] for each in after], deletion_observed=False)
    assert (verdict is None) is allowed
    if verdict is not None and before:
        assert NAME in verdict


@given(SETS, SETS)
def test_without_an_observed_deletion_an_answer_always_remains(before: set[RRKey], after: set[RRKey]) -> None:
    passes = never_empty(before, after, deletion_observed=False) is None
    assert passes == any(key.type in ANSWER_TYPES for key in after)


@given(SETS, SETS)
def test_an_observed_deletion_may_take_all_of_a_name(before: set[RRKey], after: set[RRKey]) -> None:
    assert never_empty(before, after, deletion_observed=True) is None
