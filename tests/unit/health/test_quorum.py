"""How many votes condemn a check, how many acquit it, and who may cast one."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as some

from detour.health.quorum import NO_QUORUM, Ballot, Electorate, Voter, electorate, judged, votes_needed
from detour.health.thresholds import Streak
from detour.model.health import Evidence, Verdict
from detour.model.record import Quorum

UP, DOWN, UNKNOWN = Verdict.HEALTHY, Verdict.UNHEALTHY, Verdict.UNKNOWN
HALF = Quorum()
REGION = "aws-us-east-1"


def voters(*regions: str) -> list[Voter]:
    """Return a voter with one vote in each of these regions, called a, b, c, ..."""
    return [Voter(chr(ord("a") + number), 1, region) for number, region in enumerate(regions)]


def verdict(says: dict[str, Verdict], among: Electorate, before: Verdict = UP) -> Verdict:
    """Return what is believed where the able voters say so."""
    ballots = [Ballot(each, says[each.name]) for each in among.voters if each.name in says]
    return judged(None, ballots, among, before, at=0.0).verdict


THREE = electorate(voters("", "", ""), REGION, HALF)


@pytest.mark.parametrize(
    ("quorum", "total", "needed"),
    [
        (HALF, 1, 1),
        (HALF, 2, 2),
        (HALF, 3, 2),
        (HALF, 4, 3),
        (HALF, 5, 3),
        (Quorum(number=1), 5, 1),
        (Quorum(number=9), 5, 5),
        (Quorum(share=0.6), 5, 3),
        (Quorum(share=0.67), 3, 3),
        (Quorum(share=0.66), 3, 2),
        (Quorum(share=1.0), 4, 4),
        (Quorum(share=0.01), 4, 1),
    ],
)
def test_so_many_votes_condemn(quorum: Quorum, total: int, needed: int) -> None:
    assert votes_needed(quorum, total) == needed


def test_two_of_three_condemn_and_two_of_three_acquit() -> None:
    assert verdict({"a": DOWN, "b": DOWN, "c": UP}, THREE) is DOWN
    assert verdict({"a": UP, "b": DOWN, "c": UP}, THREE, DOWN) is UP


def test_of_what_nothing_was_known_one_vote_will_do_where_nobody_contradicts() -> None:
    assert verdict({"a": UP, "b": UNKNOWN, "c": UNKNOWN}, THREE, UNKNOWN) is UP
    assert verdict({"a": UP, "b": DOWN, "c": UNKNOWN}, THREE, UNKNOWN) is UNKNOWN
    assert verdict({"a": DOWN, "b": UNKNOWN, "c": UNKNOWN}, THREE, UNKNOWN) is UNKNOWN
    assert verdict({"a": UP, "b": UNKNOWN, "c": UNKNOWN}, THREE, DOWN) is DOWN


@pytest.mark.parametrize("before", [UP, DOWN, UNKNOWN])
@pytest.mark.parametrize("liar", ["a", "b", "c"])
def test_one_liar_among_three_moves_nothing(liar: str, before: Verdict) -> None:
    for lie, truth in itertools.product(Verdict, (UP, DOWN)):
        says = {"a": truth, "b": truth, "c": truth, liar: lie}
        assert verdict(says, THREE, before) is truth


@pytest.mark.parametrize("before", [UP, DOWN])
def test_without_a_quorum_the_verdict_stays(before: Verdict) -> None:
    assert verdict({"a": DOWN, "b": UNKNOWN, "c": UP}, THREE, before) is before
    assert verdict({"a": UNKNOWN, "b": UNKNOWN, "c": UNKNOWN}, THREE, before) is before


def test_who_abstains_counts_all_the_same() -> None:
    a, b, c = voters("", "", "")
    among = electorate([a, Voter("b", 1, "", "stale"), Voter("c", 1, "", "stale")], REGION, HALF)
    assert (among.needed, among.total) == (2, 3)
    assert verdict({"a": DOWN}, among) is UP, "its own vote is no majority of three"
    assert [each.name for each in among.voters] == ["a"]
    assert verdict({"a": DOWN, "b": DOWN}, electorate([a, b, Voter("c", 1, "", "stale")], REGION, HALF)) is DOWN
    assert c.abstains == ""


def test_a_vantage_without_votes_decides_nothing() -> None:
    among = electorate([*voters(""), Voter("shown", 0)], REGION, HALF)
    assert (among.needed, among.total) == (1, 1)
    assert [each.name for each in among.voters] == ["a"]


def test_where_nobody_has_a_vote_nothing_is_believed_anew() -> None:
    among = electorate([], REGION, HALF)
    for before in Verdict:
        assert verdict({}, among, before) is before


def test_a_vantage_has_no_say_on_its_own_region_but_on_others() -> None:
    declared = voters(REGION, "x", "y")
    here, there = electorate(declared, REGION, HALF), electorate(declared, "x", HALF)
    assert [each.name for each in here.voters] == ["b", "c"]
    assert (here.needed, here.total) == (2, 3)
    assert verdict({"a": UP, "b": DOWN, "c": DOWN}, here) is DOWN
    assert [each.name for each in there.voters] == ["a", "c"]


def test_it_has_one_where_no_other_voting_vantage_is_declared() -> None:
    assert [each.name for each in electorate(voters(REGION), REGION, HALF).voters] == ["a"]
    with_a_guest = [*voters(REGION), Voter("guest", 0, "x")]
    assert [each.name for each in electorate(with_a_guest, REGION, HALF).voters] == ["a"]


def test_exclusions_alone_never_put_a_verdict_out_of_reach() -> None:
    """Of two vantages one goes down with its region: the other one must be able to say so."""
    among = electorate(voters(REGION, "x"), REGION, HALF)
    assert (among.needed, among.total) == (1, 1)
    assert verdict({"b": DOWN}, among) is DOWN


def test_votes_weigh() -> None:
    among = electorate([Voter("a", 3), Voter("b", 1), Voter("c", 1)], REGION, HALF)
    assert verdict({"a": DOWN, "b": UP, "c": UP}, among) is DOWN
    assert verdict({"a": UP, "b": DOWN, "c": DOWN}, among, DOWN) is UP


@given(
    some.lists(some.tuples(some.integers(0, 3), some.sampled_from(Verdict), some.booleans()), max_size=6),
    some.none() | some.integers(1, 9),
    some.sampled_from(Verdict),
)
def test_who_can_still_be_condemned_is_never_acquitted(
    said: list[tuple[int, Verdict, bool]], number: int | None, before: Verdict
) -> None:
    declared = [Voter(str(each), votes, "", "x" if out else "") for each, (votes, _, out) in enumerate(said)]
    says = {str(each): state for each, (_, state, _) in enumerate(said)}
    among = electorate(declared, REGION, Quorum(number=number))
    found = verdict(says, among, before)
    against = sum(each.votes for each in among.voters if says[each.name] is DOWN)
    in_favour = sum(each.votes for each in among.voters if says[each.name] is UP)
    if found is DOWN and before is not DOWN:
        assert against >= among.needed
    if found is UP and before is UNKNOWN:
        assert in_favour > 0
    if found is UP and before is DOWN:
        assert in_favour > 0
        assert among.total - in_favour < among.needed, "the rest could not condemn it"


def test_a_verdict_tells_whose_it_is() -> None:
    a, b, c = THREE.voters
    own = Streak(DOWN, 0.0, reason="Timeout", message="192.0.2.1 port 443 did not answer within 2 s")
    found = judged(own, [Ballot(a, DOWN), Ballot(b, DOWN), Ballot(c, UP)], THREE, UP, at=0.0)
    assert found.reason == "Timeout"
    assert found.message == f"{own.message} (a, b find it failing: 2 of 3 votes)"
    dissent = judged(Streak(UP, 0.0), [Ballot(a, UP), Ballot(b, UP), Ballot(c, DOWN)], THREE, UP, at=0.0)
    assert (dissent.verdict, dissent.message) == (UP, "c finds it failing: 1 of 3 votes")


def test_where_there_is_no_quorum_it_says_what_would_be_one_and_who_abstains() -> None:
    a, b, _ = voters("", "", "")
    among = electorate([a, b, Voter("c", 1, "", "no sign of life for more than 15 s")], REGION, HALF)
    found = judged(Streak(UP, 0.0), [Ballot(a, UP), Ballot(b, DOWN)], among, DOWN, at=0.0)
    assert found.reason == NO_QUORUM
    assert found.message == (
        "no quorum, so it counts as before: b finds it failing: 1 of 3 votes; 2 of 3 votes would condemn it; "
        "c abstains: no sign of life for more than 15 s"
    )


def test_what_all_believe_as_before_needs_no_word_though_many_abstain() -> None:
    a, b, c = voters("", "", "")
    among = electorate([a, Voter("b", 1, "", "stale"), Voter("c", 1, "", "stale")], REGION, HALF)
    assert judged(Streak(UP, 0.0), [Ballot(a, UP)], among, UP, at=0.0).message == ""
    assert b != c


def seen(passed: bool, began_at: float, run_since: float = 0.0) -> Evidence:
    return Evidence(passed, began_at, run_since, began_at)


def test_what_this_process_has_seen_itself_is_the_evidence_where_it_agrees() -> None:
    a, b, c = THREE.voters
    mine = seen(True, 50.0)
    own = Streak(UP, 0.0, evidence=mine)
    ballots = [Ballot(a, UP, mine), Ballot(b, UP, seen(True, 60.0)), Ballot(c, DOWN, seen(False, 60.0))]
    assert judged(own, ballots, THREE, UP, at=0.0).evidence is mine


def test_a_failure_began_when_enough_had_begun_to_see_it() -> None:
    a, b, c = THREE.voters
    ballots = [
        Ballot(a, UP, seen(True, 50.0)),
        Ballot(b, DOWN, seen(False, 60.0, 57.0)),
        Ballot(c, DOWN, seen(False, 99.0, 3.0)),
    ]
    found = judged(Streak(UP, 0.0, evidence=seen(True, 50.0)), ballots, THREE, UP, at=0.0).evidence
    assert found == Evidence(False, 99.0, 57.0, 99.0), "the one that claims to have known it for long does not set it"


def test_that_a_place_passes_is_as_new_as_the_newest_look_of_those_who_say_so() -> None:
    a, b, c = THREE.voters
    ballots = [Ballot(a, UP, seen(True, 50.0)), Ballot(b, UP, seen(True, 60.0)), Ballot(c, DOWN, seen(False, 99.0))]
    assert judged(None, ballots, THREE, UP, at=0.0).evidence == seen(True, 60.0)


def test_where_two_condemn_one_with_evidence_gives_no_grounds() -> None:
    a, b, c = THREE.voters
    found = judged(None, [Ballot(a, DOWN, seen(False, 50.0)), Ballot(b, DOWN), Ballot(c, UP)], THREE, UP, at=0.0)
    assert found.verdict is DOWN
    assert found.evidence is None


def test_a_condemnation_is_unanimous_where_several_vote_and_nobody_says_otherwise() -> None:
    def unanimous(*says: Verdict, beyond: int = 0) -> bool:
        ballots = [Ballot(each, said) for each, said in zip(THREE.voters, says, strict=False)]
        ballots += [Ballot(each, UNKNOWN, is_out_of_reach=True) for each in THREE.voters[len(says) :][:beyond]]
        found = judged(None, ballots, THREE, UP, at=0.0)
        assert found.verdict is DOWN
        return found.is_unanimous

    assert unanimous(DOWN, DOWN, DOWN)
    assert not unanimous(DOWN, DOWN, UP)
    assert not unanimous(DOWN, DOWN, UNKNOWN), "one that has not learned of it has not agreed"
    assert unanimous(DOWN, DOWN, beyond=1), "one that can never make the check has no say"
    assert unanimous(DOWN, DOWN), "nor has one that abstains"


def test_a_vantage_that_votes_alone_is_not_unanimous() -> None:
    alone = electorate(voters(""), REGION, HALF)
    found = judged(None, [Ballot(alone.voters[0], DOWN)], alone, UP, at=0.0)
    assert found.verdict is DOWN
    assert not found.is_unanimous
