"""Who comes first where the ledger is somebody else's, row by row of the table in the module."""

import pytest

from detour.enactment.ledger import Ledger
from detour.enactment.sites import STAGGER, Site
from detour.enactment.takeover import (
    LOST_LEDGER_PATIENCE,
    STANDBY,
    STANDSTILL,
    Takeover,
    Yielding,
)
from detour.model.generation import Generation
from detour.model.rrset import RRset

from .writer import DOMAIN, OWNER

RENEWS = 20.0
PATIENCE = 90.0


class Election:
    """Leadership whose last renewal the test sets."""

    leads = True

    def __init__(self) -> None:
        self.confirmed_at = float("-inf")

    def confirmed_since(self, at: float) -> bool:
        return self.confirmed_at > at


class Post:
    """A site that would like to have a zone, and the clock by which it looks."""

    def __init__(self, site: Site) -> None:
        self.now = 1000.0
        self.election = Election()
        self.takeover = Takeover(
            owner=OWNER, domain=DOMAIN, site=site, leadership=self.election, clock=lambda: self.now
        )

    def judge(self, stored: RRset | None, *, is_fresh: bool = False) -> Yielding | None:
        return self.takeover.judge(stored, is_fresh=is_fresh)

    def looks(self, ledger: Ledger, seconds: float, *, step: float = 5.0) -> None:
        """See this same ledger at the name servers for so long."""
        end = self.now + seconds
        while self.now < end:
            self.now = min(end, self.now + step)
            self.takeover.saw(ledger)


def alone() -> Post:
    return Post(Site("here"))


def one_of_several(rank: int = 1) -> Post:
    return Post(Site("here", rank=rank, renew_every=RENEWS, take_over_after=PATIENCE))


def ledger(epoch: int, sequence: int = 0, *, site: str = "there", renew: int = 20, claim: str = "feed") -> Ledger:
    return Ledger(site, claim, Generation(epoch, sequence), renew)


def stored(found: Ledger) -> RRset:
    return found.rrset(OWNER, DOMAIN)


def test_a_zone_without_a_ledger_is_claimed_at_once_by_the_only_site() -> None:
    assert alone().judge(None) is None
    assert alone().judge(RRset(f"{OWNER}._detour.{DOMAIN}", stored(ledger(1)).type, 5, ("garbage",))) is None


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_a_zone_that_was_never_ours_goes_to_the_first_rank_first(rank: int) -> None:
    post = one_of_several(rank)
    seconds = 0.0
    while post.judge(None, is_fresh=True) is not None:
        post.now += 1.0
        seconds += 1.0
    assert seconds == STAGGER * rank


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_a_ledger_that_vanished_is_left_for_a_while_to_the_site_in_force(rank: int) -> None:
    post = one_of_several(rank)
    assert post.judge(stored(ledger(3))) is not None
    seconds = 0.0
    while post.judge(None) is not None:
        post.now += 1.0
        seconds += 1.0
    assert seconds == LOST_LEDGER_PATIENCE * RENEWS + STAGGER * rank


def test_a_ledger_that_comes_back_begins_the_wait_anew() -> None:
    post = one_of_several()
    assert post.judge(None) is not None
    post.now += 60.0
    assert post.judge(stored(ledger(3))) is not None
    post.now += 60.0
    assert post.judge(None) is not None


def test_the_ledger_of_a_predecessor_here_is_claimed_at_once() -> None:
    for post in (alone(), one_of_several()):
        assert post.judge(stored(ledger(3, site="here"))) is None


def test_a_writer_here_that_superseded_us_is_claimed_above_once_it_stands_still_and_we_still_lead() -> None:
    post = alone()
    post.takeover.superseded_by(stored(ledger(9, site="here")))
    post.now += STANDSTILL + 1
    assert post.judge(stored(ledger(9, site="here"))) is not None, "the Lease was not renewed since"
    post.election.confirmed_at = post.now
    assert post.judge(stored(ledger(9, site="here"))) is None


def test_a_writer_here_that_superseded_us_and_goes_on_is_left_alone_for_ever() -> None:
    post = alone()
    post.takeover.superseded_by(stored(ledger(9, site="here")))
    for sequence in range(1, 50):
        post.now += STANDSTILL - 1
        post.election.confirmed_at = post.now
        assert post.judge(stored(ledger(9, sequence, site="here"))) is not None


def test_another_site_that_does_not_renew_is_never_claimed_above_without_a_person() -> None:
    for post in (alone(), one_of_several()):
        found = ledger(9, renew=0)
        assert post.judge(stored(found)) is not None
        post.now += 1_000_000.0
        yielding = post.judge(stored(found))
        assert yielding is not None
        assert yielding.trouble is not None
        assert yielding.trouble.reason == "HeldByAnotherSite"
        post.takeover.may_take_over = True
        assert post.judge(stored(found)) is None


def test_the_only_site_never_takes_over_from_one_that_renews() -> None:
    post = alone()
    assert post.judge(stored(ledger(9))) is not None
    post.now += 1_000_000.0
    assert post.judge(stored(ledger(9))) is not None


@pytest.mark.parametrize("rank", [0, 1, 3])
def test_another_site_that_stands_still_is_claimed_above_after_patience_and_stagger(rank: int) -> None:
    post = one_of_several(rank)
    found = ledger(9)
    assert post.judge(stored(found)) is not None
    post.looks(found, PATIENCE + STAGGER * rank - 1)
    assert post.judge(stored(found)) is not None
    post.looks(found, 1)
    assert post.judge(stored(found)) is None


def test_another_site_that_renews_is_left_alone_for_ever() -> None:
    post = one_of_several(0)
    assert post.judge(stored(ledger(9))) is not None
    for sequence in range(1, 200):
        post.looks(ledger(9, sequence), PATIENCE - 1)
        yielding = post.judge(stored(ledger(9, sequence)))
        assert yielding is not None
        assert yielding.trouble is not None
        assert yielding.trouble.reason == STANDBY


def test_silence_is_not_standstill() -> None:
    """Our own vantage was blind: nothing was seen for an hour, and then a ledger that did move meanwhile."""
    post = one_of_several(0)
    assert post.judge(stored(ledger(9))) is not None
    post.now += 3600.0
    assert post.judge(stored(ledger(9, 180))) is not None
    post.looks(ledger(9, 180), PATIENCE - 1)
    assert post.judge(stored(ledger(9, 180))) is not None


def test_a_name_server_that_lags_neither_renews_nor_undoes_what_another_showed() -> None:
    post = one_of_several(0)
    assert post.judge(stored(ledger(9, 5))) is not None
    moved = post.takeover.moved_at
    post.now += 10.0
    post.takeover.saw(ledger(9, 3))
    post.takeover.saw(ledger(8, 900))
    assert post.takeover.moved_at == moved
    assert post.takeover.seen_at == moved


def test_name_servers_that_all_lag_cannot_make_a_living_site_look_dead() -> None:
    """They show one old ledger for minutes (a transfer that hangs); the provider's own answer has moved on."""
    post = one_of_several(0)
    assert post.judge(stored(ledger(9, 5))) is not None
    post.looks(ledger(9, 5), 300.0)
    assert post.takeover.keeps_waiting() is None, "look yourself"
    assert post.judge(stored(ledger(9, 20))) is not None


def test_a_site_that_renews_more_slowly_than_we_are_patient_is_not_taken_for_dead() -> None:
    """The ledger says how often it moves: two clusters whose values differ must not take the zone from each other."""
    post = one_of_several(0)
    slow = ledger(9, renew=300)
    assert post.judge(stored(slow)) is not None
    post.looks(slow, 299.0)
    assert post.judge(stored(slow)) is not None


def test_a_permission_by_hand_counts_for_one_claim() -> None:
    post = one_of_several()
    post.takeover.may_take_over = True
    assert post.judge(stored(ledger(9))) is None
    post.takeover.claimed()
    assert post.judge(stored(ledger(30))) is not None


def test_a_new_term_forgets_who_superseded_us_here_but_not_another_site() -> None:
    post = one_of_several()
    post.takeover.superseded_by(stored(ledger(9, site="here")))
    post.takeover.begin_term()
    assert post.judge(stored(ledger(9, site="here"))) is None
    post.judge(stored(ledger(10)))
    moved = post.takeover.moved_at
    post.now += 30.0
    post.takeover.begin_term()
    assert post.takeover.moved_at == moved


def test_a_claim_of_a_third_site_begins_the_wait_anew() -> None:
    post = one_of_several(2)
    assert post.judge(stored(ledger(9))) is not None
    post.looks(ledger(9), PATIENCE)
    post.takeover.saw(ledger(10, site="elsewhere", claim="beef"))
    post.looks(ledger(10, site="elsewhere", claim="beef"), PATIENCE)
    assert post.judge(stored(ledger(10, site="elsewhere", claim="beef"))) is not None
