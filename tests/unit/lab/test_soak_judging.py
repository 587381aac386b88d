"""The judge of a soak finds what it is there to find: each kind of guilt in a history made by hand, and no other."""

from collections.abc import Mapping

from detour_lab.clouds.labzones import OUTSIDER
from detour_lab.dns.sampling import Answer, Outcome, Question, Sighting
from detour_lab.stories.soak.history import History, Span, tell
from detour_lab.stories.soak.judge import Verdict, differences, judge, leaderless
from detour_lab.zones.store import RecordSet, ZoneStore

DOMAIN = "example.com"
NAME = f"www.{DOMAIN}"
LEDGER = f"lab._detour.{DOMAIN}"
ZONE = "zone"


class Scene:
    """A zone whose clock and authors are ours."""

    def __init__(self, *, atomic: bool = True) -> None:
        self.now = 1000.0
        self.store = ZoneStore(DOMAIN, clock=lambda: self.now)
        self._atomic = atomic

    def write(self, *values: str, epoch: int, sequence: int, claim: str = "aa", by: str = "one") -> None:
        """Publish an address set and move the ledger, as a batch of the operator does."""
        ledger = f'"detour/1 site=default claim={claim} renew=0 epoch={epoch} seq={sequence} batch=-"'
        self.store.commit(added=[RecordSet(LEDGER, "TXT", 5, (ledger,)), *_addresses(values)], by=by)

    def put(self, *values: str, by: str) -> None:
        """Publish an address set alone."""
        self.store.commit(added=_addresses(values), by=by)

    def remove(self, *, by: str) -> None:
        self.store.commit(removed=[(NAME, "A")], by=by)

    def history(self) -> History:
        return tell(ZONE, self.store.log, names=[NAME], ledger=LEDGER, atomic=self._atomic)

    def verdict(self, *empty: Sighting, hindered: tuple[Span, ...] = (), left: tuple[str, ...] = ()) -> Verdict:
        return judge(
            histories=[self.history()],
            empty=empty,
            answers=100,
            hindered=hindered,
            repair_within=60.0,
            left=left,
            now=self.now,
        )


def _addresses(values: tuple[str, ...]) -> list[RecordSet]:
    return [RecordSet(NAME, "A", 10, values)] if values else []


def empty_between(first: float, last: float) -> Sighting:
    return Sighting(ZONE, Question(NAME), Answer(Outcome.EMPTY, frozenset(), "NXDOMAIN"), first, last, 7)


def test_writes_that_move_the_ledger_on_are_right() -> None:
    scene = Scene()
    scene.write("192.0.2.1", epoch=1, sequence=0)
    scene.write("192.0.2.2", epoch=1, sequence=1)
    scene.write("192.0.2.1", epoch=2, sequence=0, claim="bb", by="two")

    assert scene.verdict().passed
    assert len(scene.history().claims) == 2


def test_a_generation_that_goes_back_is_stale() -> None:
    scene = Scene()
    scene.write("192.0.2.1", epoch=2, sequence=0, claim="bb", by="two")
    scene.write("192.0.2.2", epoch=1, sequence=7)

    assert scene.verdict().stale_writes == 1


def test_two_claims_in_one_epoch_are_stale() -> None:
    scene = Scene()
    scene.write("192.0.2.1", epoch=1, sequence=0)
    scene.write("192.0.2.2", epoch=1, sequence=1, claim="bb")

    assert scene.verdict().stale_writes == 1


def test_a_write_without_the_ledger_is_stale() -> None:
    scene = Scene()
    scene.write("192.0.2.1", epoch=1, sequence=0)
    scene.put("192.0.2.2", by="one")

    assert scene.verdict().stale_writes == 1


def test_without_transactions_a_set_follows_its_writer_s_own_ledger() -> None:
    scene = Scene(atomic=False)
    scene.write(epoch=1, sequence=0, by="one")
    scene.put("192.0.2.1", by="one")
    scene.write(epoch=2, sequence=0, claim="bb", by="two")
    scene.put("192.0.2.2", by="two")
    right = scene.verdict()
    scene.put("192.0.2.1", by="one")

    overtaken = scene.verdict()
    assert (right.stale_writes, right.overtaken) == (0, 0)
    assert (overtaken.stale_writes, overtaken.overtaken) == (0, 1)


def test_without_transactions_a_writer_that_never_moved_the_ledger_is_stale() -> None:
    scene = Scene(atomic=False)
    scene.put("192.0.2.1", by="nobody")

    assert scene.verdict().stale_writes == 1


def test_a_write_that_empties_a_name_counts_though_nobody_asked() -> None:
    scene = Scene()
    scene.write("192.0.2.1", epoch=1, sequence=0)
    ledger = RecordSet(LEDGER, "TXT", 5, ('"detour/1 site=default claim=aa renew=0 epoch=1 seq=1 batch=-"',))
    scene.store.commit(removed=[(NAME, "A")], added=[ledger], by="one")

    assert scene.verdict().empty_answers == 1


def test_an_empty_answer_that_nobody_explains_counts() -> None:
    scene = Scene()
    scene.write("192.0.2.1", epoch=1, sequence=0)

    assert scene.verdict(empty_between(1001.0, 1002.0)).empty_answers == 7


def test_an_empty_answer_after_an_outsider_s_deletion_is_counted_apart_until_the_repair() -> None:
    scene = Scene()
    scene.write("192.0.2.1", epoch=1, sequence=0)
    scene.now = 1010.0
    scene.remove(by=OUTSIDER)
    scene.now = 1020.0
    scene.write("192.0.2.1", epoch=1, sequence=1)
    scene.now = 1100.0

    during, after = scene.verdict(empty_between(1010.1, 1020.2)), scene.verdict(empty_between(1010.1, 1025.0))
    assert (during.empty_answers, during.outsiders_empty) == (0, 7)
    assert (after.empty_answers, after.outsiders_empty) == (7, 0)


def test_a_name_that_an_outsider_emptied_stays_explained_while_the_name_server_lags() -> None:
    scene = Scene()
    scene.write("192.0.2.1", epoch=1, sequence=0)
    scene.store.lag = 5.0
    scene.remove(by=OUTSIDER)
    scene.now = 1010.0
    scene.write("192.0.2.1", epoch=1, sequence=1)

    assert scene.verdict(empty_between(1005.0, 1014.9)).empty_answers == 0
    assert scene.verdict(empty_between(1000.5, 1004.0)).empty_answers == 7


def test_damage_that_stands_too_long_is_unrepaired_even_if_it_is_gone_in_the_end() -> None:
    scene = Scene()
    scene.write("192.0.2.1", epoch=1, sequence=0)
    scene.put("203.0.113.66", by=OUTSIDER)
    scene.now = 1061.0
    scene.write("192.0.2.1", epoch=1, sequence=1)

    assert scene.verdict().unrepaired == 1
    assert scene.verdict(hindered=(Span(ZONE, "", 1005.0, 1010.0),)).unrepaired == 0
    assert scene.verdict(hindered=(Span("another", "", 1005.0, 1010.0),)).unrepaired == 1
    assert scene.verdict(hindered=(Span("", "", 900.0, 1000.5), Span("", "", 1000.0, 1000.5))).unrepaired == 1


def test_damage_that_is_never_repaired_is_unrepaired_once_its_time_is_over() -> None:
    scene = Scene()
    scene.write("192.0.2.1", epoch=1, sequence=0)
    scene.put("203.0.113.66", by=OUTSIDER)
    scene.now = 1030.0
    early = scene.verdict()
    scene.now = 1061.0

    assert early.unrepaired == 0
    assert scene.verdict().unrepaired == 1


def test_what_is_left_in_the_end_is_unrepaired_and_nothing_passes_without_an_answer() -> None:
    scene = Scene()
    wanted: Mapping[tuple[str, str], frozenset[str]] = {(ZONE, NAME): frozenset({"192.0.2.1"})}

    assert differences(wanted, dict(wanted)) == []
    assert scene.verdict(left=tuple(differences(wanted, {}))).unrepaired == 1
    silent = judge(histories=[], empty=(), answers=0, hindered=(), repair_within=60.0, left=(), now=scene.now)
    assert not silent.passed


def when_nobody_could(
    *, claims: tuple[float, ...] = (), away: tuple[tuple[float, float], ...] = (), until: float = float("inf")
) -> float:
    """Return until when nobody could write after a leader was lost at 100 s, for want of a leader."""
    gaps = [Span("", "", begin, end) for begin, end in away]
    return leaderless(Span("", "", 100.0, until), claims=claims, away=gaps, take_over=20.0).end


def test_a_lost_leader_excuses_twenty_seconds_and_no_more() -> None:
    assert when_nobody_could() == 120.0


def test_a_claim_of_the_next_leader_ends_the_excuse_and_one_before_the_loss_does_not() -> None:
    assert when_nobody_could(claims=(40.0, 113.0, 150.0)) == 113.0


def test_a_leader_that_goes_on_by_itself_ends_the_excuse() -> None:
    assert when_nobody_could(until=106.0) == 106.0


def test_while_the_api_server_is_away_nobody_is_elected_and_the_twenty_seconds_stand_still() -> None:
    assert when_nobody_could(away=((105.0, 131.0),)) == 146.0
    assert when_nobody_could(away=((90.0, 104.0), (110.0, 115.0))) == 129.0
    assert when_nobody_could(away=((121.0, 160.0),)) == 120.0, "by then there should have been another leader"
