"""What a probe writes, when, and what it vouches for."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from detour.app.probe.findings import Latencies
from detour.app.probe.settings import ProbeSettings, parse
from detour.app.probe.writer import Writer
from detour.app.vantagereports import VantageReports
from detour.engine.clock import Clock
from detour.engine.ports import ClusterError
from detour.health.vantages import HEARTBEAT, STALE_AFTER
from detour.kube.lease import REPORT
from detour.kube.vantagereport import report_body
from detour.model.health import Verdict
from detour.model.objects import Kind, RawObject, Subject
from detour.model.record import ObjectKey
from detour.model.vantage import Finding, Latency, VantageReport

WALL = 1_700_000_000.0
KEY = b"12345678"
SUBJECT = Subject(Kind.VANTAGE, ObjectKey("", "east"), "u")


class Place:
    """An API server that keeps what is written, or answers with `error`."""

    def __init__(self) -> None:
        self.reports: list[dict[str, Any]] = []
        self.beats: list[str] = []
        self.error: ClusterError | None = None
        self.lease_error: ClusterError | None = None
        self.ahead = 0.0

    async def patch(self, kind: Kind, namespace: str, name: str, body: Mapping[str, Any], *, status: bool) -> RawObject:
        if self.error is not None:
            raise self.error
        assert (kind, namespace, name, status) == (Kind.VANTAGE, "", "east", True)
        self.reports.append(body["status"]["report"])
        return {}

    async def patch_lease(self, namespace: str, name: str, body: Mapping[str, Any]) -> float | None:
        if self.lease_error is not None:
            raise self.lease_error
        assert (namespace, name) == ("detour", "vantage-east")
        self.beats.append(body["metadata"]["annotations"][REPORT])
        return WALL + asyncio.get_running_loop().time() - 0.5 + self.ahead


class Probe:
    """A writer at work, and what it has to tell."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.place = Place()
        self.report = VantageReport("", 0, 1, {KEY: Finding(Verdict.HEALTHY, 1.0, 1.0)})
        self.writer = Writer(
            self.place,
            name="east",
            lease=("detour", "vantage-east"),
            instance="east_1",
            clock=Clock(now=loop.time, wall=lambda: WALL + loop.time()),
            look=lambda: self.report,
        )
        self.work = [asyncio.create_task(each()) for each in (self.writer.report, self.writer.beat)]

    def say(self, state: Verdict) -> None:
        self.report = replace(self.report, findings={KEY: Finding(state, 0.0, 0.0)})
        self.writer.wake()


@pytest.fixture
async def probe() -> AsyncIterator[Probe]:
    made = Probe()
    yield made
    for task in made.work:
        task.cancel()
    await asyncio.gather(*made.work, return_exceptions=True)


async def test_a_change_is_written_at_once_where_none_was_in_the_second_before(probe: Probe) -> None:
    await asyncio.sleep(20.0)
    written = len(probe.place.reports)
    probe.say(Verdict.UNHEALTHY)
    await asyncio.sleep(0.01)
    assert len(probe.place.reports) == written + 1


async def test_after_a_change_it_is_written_for_some_seconds_more_for_what_follows_it(probe: Probe) -> None:
    await asyncio.sleep(20.0)
    written = len(probe.place.reports)
    probe.say(Verdict.UNHEALTHY)
    await asyncio.sleep(10.0)
    assert 3 <= len(probe.place.reports) - written <= 4


async def test_signs_of_life_name_the_newest_report(probe: Probe) -> None:
    await asyncio.sleep(2 * HEARTBEAT + 0.1)
    assert probe.place.beats[-1] == str(probe.place.reports[-1]["number"])


async def test_what_could_not_be_written_is_not_vouched_for(probe: Probe) -> None:
    await asyncio.sleep(20.0)
    probe.place.error = ClusterError("the API server answers 500", 500)
    probe.say(Verdict.UNHEALTHY)
    await asyncio.sleep(STALE_AFTER + 2 * HEARTBEAT)
    beats = len(probe.place.beats)
    await asyncio.sleep(60.0)
    assert len(probe.place.beats) == beats, "the report that stands there is false by now"
    probe.place.error = None
    await asyncio.sleep(2 * HEARTBEAT)
    assert len(probe.place.beats) > beats
    assert not probe.writer._trouble


async def test_before_the_first_report_there_is_no_sign_of_life() -> None:
    made = Probe()
    made.place.error = ClusterError("not found", 404)
    await asyncio.sleep(60.0)
    assert not made.place.beats
    assert not made.writer.is_heard
    for task in made.work:
        task.cancel()
    await asyncio.gather(*made.work, return_exceptions=True)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ClusterError("the API server answers 404 Not Found", 404), "an administrator creates it"),
        (ClusterError("the API server answers 403 Forbidden", 403), "its service account needs the role"),
    ],
)
async def test_what_keeps_it_from_being_heard_is_said_once_with_what_to_do(
    probe: Probe, caplog: pytest.LogCaptureFixture, error: ClusterError, told: str
) -> None:
    with caplog.at_level(logging.INFO):
        probe.place.error = probe.place.lease_error = error
        probe.say(Verdict.UNHEALTHY)
        await asyncio.sleep(12.0)
    said = [each.getMessage() for each in caplog.records if "cannot be written" in each.getMessage()]
    assert len(said) == len(set(said)) == 2
    assert all(told in each for each in said)


async def test_the_clock_is_measured_against_the_api_server_s(probe: Probe) -> None:
    probe.place.ahead = 10.0
    await asyncio.sleep(90.0)
    assert -10_600 <= probe.place.reports[-1]["clockOffsetMilliseconds"] <= -9_400


def test_latencies_are_those_of_the_newest_checks() -> None:
    found = Latencies()
    assert found.summary() is None
    for number in range(2000):
        found.note(float(number))
    assert found.summary() == Latency(1500.0, 1899.0, 1989.0)


# -- taking reports in -------------------------------------------------------------------------------------------------


class Listener:
    def __init__(self) -> None:
        self.heard: list[int] = []
        self.unreadable: list[str] = []

    def vantage_reported(self, subject: Subject, report: VantageReport, *, is_listed: bool) -> None:
        self.heard.append(report.number)

    def vantage_unreadable(self, subject: Subject, why: str) -> None:
        self.unreadable.append(why)


def bearing(number: int, **changes: Any) -> RawObject:
    body = report_body(VantageReport("east_1", number, 0, {}), version="", at=0.0)
    body["status"]["report"] |= changes
    return body


def test_of_many_reports_in_a_second_the_newest_is_taken_in() -> None:
    listener = Listener()
    reports = VantageReports(listener)
    for number in range(1000):
        reports.take(SUBJECT, bearing(number), number / 1000, is_listed=False)
    assert listener.heard == [0, 900]
    reports.take_due(2.0)
    assert listener.heard == [0, 900, 999]
    reports.take_due(9.0)
    assert len(listener.heard) == 3


def test_one_that_was_taken_in_is_not_read_again() -> None:
    listener = Listener()
    reports = VantageReports(listener)
    for at in range(5):
        reports.take(SUBJECT, bearing(7), float(at), is_listed=False)
    reports.take(SUBJECT, {"status": {"state": "Trusted"}}, 9.0, is_listed=False)
    assert listener.heard == [7]


def test_one_that_makes_no_sense_is_told_and_the_next_one_heard() -> None:
    listener = Listener()
    reports = VantageReports(listener)
    reports.take(SUBJECT, bearing(1, findings="?"), 0.0, is_listed=False)
    reports.take(SUBJECT, bearing(2), 2.0, is_listed=False)
    assert listener.heard == [2]
    assert len(listener.unreadable) == 1


# -- settings ----------------------------------------------------------------------------------------------------------


def test_flags_and_environment_make_the_settings() -> None:
    found = parse(
        ["--vantage=east", "--lease=detour/vantage-east", "--reference-checks=one.example:443,192.0.2.1:53"],
        {"DETOUR_CHECKS_IN_FLIGHT": "7", "KUBECONFIG": "/k"},
    )
    assert found == ProbeSettings(
        "east",
        ("detour", "vantage-east"),
        kubeconfig="/k",
        checks_in_flight=7,
        reference_checks=("one.example:443", "192.0.2.1:53"),
    )


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--lease=a/b"], "--vantage is missing"),
        (["--vantage=east"], "--lease is missing"),
        (["--vantage=East", "--lease=a/b"], "is no DNS label"),
        (["--vantage=east", "--lease=a"], "is not of the form namespace/name"),
        (["--vantage=east", "--lease=a/b", "--reference-checks=one.example:x"], "is not of the form host:port"),
        (["--vantage=east", "--lease=a/b", "--reference-checks=1.2.3:53"], "is not of the form host:port"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_sentence(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parse(arguments, {})
    assert told in capsys.readouterr().err
