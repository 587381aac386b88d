"""What users report is compared with what is usual at that hour of the week, and who they are is forgotten."""

from detour.engine.clock import Clock
from detour.engine.userreports import MOST_CLIENTS, UserReports
from detour.health.reports import HOUR, WEEK, hour_number
from detour.health.signals import SignalState
from detour.model.record import ObjectKey
from detour.model.shared import NONE
from detour.model.signals import ReportRules
from detour.model.timestamps import parse_time

MONDAY = parse_time("2026-11-30T00:00:00Z")
THIS_WEEK = hour_number(MONDAY) // WEEK
RULES = ReportRules(times=3.0, clients=10, lasting=0.0)
RECORD, NAME = ObjectKey("shop", "api"), "api.example.com"


class Desk:
    """Where reports of one region come in; `now` and `wall` go on together unless one is set."""

    def __init__(self, rules: ReportRules = RULES) -> None:
        self.now, self.wall = 1000.0, MONDAY
        self.news: list[str] = []
        self.reports = self.opened(rules)

    def opened(self, rules: ReportRules = RULES) -> UserReports:
        reports = UserReports(Clock(now=lambda: self.now, wall=lambda: self.wall), on_news=self.news.extend)
        reports.watch("east", rules)
        reports.published(RECORD, NAME, frozenset({"east"}))
        return reports

    def pass_by(self, seconds: float) -> None:
        self.now += seconds
        self.wall += seconds

    def report(self, clients: int, name: str = NAME) -> int:
        return sum(self.reports.reported(name, client) for client in range(clients))

    def state(self) -> SignalState | None:
        found = self.reports.finding("east")
        return found.state if found else None

    def usual_hour(self, per_minute: int) -> None:
        for _ in range(60):
            self.report(per_minute)
            self.pass_by(60.0)


def test_as_many_as_usual_are_no_signal_and_three_times_as_many_are() -> None:
    desk = Desk()
    for _ in range(3):
        desk.usual_hour(20)
        desk.pass_by(WEEK * HOUR - HOUR)
    for _ in range(6):
        desk.report(20)
        assert desk.state() is SignalState.QUIET
        desk.pass_by(60.0)
    for _ in range(6):
        desk.report(80)
        desk.pass_by(60.0)
    assert desk.state() is SignalState.STANDING


def test_one_bad_hour_in_a_month_makes_nothing_usual() -> None:
    desk = Desk()
    for per_minute in (5, 500, 5):
        desk.usual_hour(per_minute)
        desk.pass_by(WEEK * HOUR - HOUR)
    for _ in range(5):
        desk.report(30)
        desk.pass_by(60.0)
    assert desk.state() is SignalState.STANDING


def test_hours_of_silence_count_as_such_and_ones_in_which_nobody_listened_do_not() -> None:
    desk = Desk()
    desk.pass_by(3 * HOUR)
    assert dict(desk.reports.weeks("east")[THIS_WEEK]) == {0: 0, 1: 0, 2: 0}
    kept = desk.reports.weeks("east")
    desk.pass_by(2.75 * HOUR)
    again = UserReports(Clock(now=lambda: desk.now, wall=lambda: desk.wall), on_news=desk.news.extend)
    again.remember("east", kept)
    again.watch("east", RULES)
    desk.pass_by(2 * HOUR)
    assert sorted(again.weeks("east")[THIS_WEEK]) == [0, 1, 2, 6]


def test_a_clock_that_is_set_makes_up_no_hours() -> None:
    desk = Desk()
    desk.pass_by(HOUR)
    desk.wall += 30 * 24 * HOUR
    desk.report(5)
    desk.wall -= 60 * 24 * HOUR
    desk.report(5)
    assert sum(len(hours) for hours in desk.reports.weeks("east").values()) <= 1


def test_who_reported_is_forgotten_within_minutes() -> None:
    desk = Desk()
    desk.report(50)
    desk.pass_by(600.0)
    desk.state()
    assert not desk.reports._regions["east"].slots


def test_a_flood_of_clients_takes_no_more_memory_than_it_matters() -> None:
    desk = Desk()
    assert desk.report(MOST_CLIENTS + 500) == MOST_CLIENTS


def test_a_name_that_is_gone_counts_no_more() -> None:
    desk = Desk()
    assert desk.report(1) == 1
    desk.reports.published(RECORD, NAME, NONE)
    desk.pass_by(60.0)
    assert desk.report(1) == 0
    desk.reports.published(RECORD, "other.example.com", frozenset({"east"}))
    assert (desk.report(1), desk.report(1, "other.example.com")) == (0, 1)


def test_news_come_at_most_once_in_a_second() -> None:
    desk = Desk()
    desk.report(500)
    assert desk.news == ["east"]
    desk.pass_by(61.0)
    desk.report(500)
    assert desk.news == ["east", "east"]


def test_a_standby_counts_no_silence_and_goes_on_from_what_the_leader_has_counted() -> None:
    desk = Desk()
    leads = False
    standby = UserReports(
        Clock(now=lambda: desk.now, wall=lambda: desk.wall), on_news=desk.news.extend, leads=lambda: leads
    )
    standby.watch("east", RULES)
    standby.published(RECORD, NAME, frozenset({"east"}))
    desk.pass_by(5 * HOUR)
    found = standby.finding("east")
    assert found is not None
    assert found.state is SignalState.UNKNOWN
    assert not standby.reported(NAME, 1)
    leads = True
    standby.lead({"east": {THIS_WEEK: {0: 40, 1: 40}}})
    desk.pass_by(1.9 * HOUR)
    assert standby.reported(NAME, 1)
    assert dict(standby.weeks("east")[THIS_WEEK]) == {0: 40, 1: 40, 5: 0}
