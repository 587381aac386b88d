"""When a vantage is believed, and the sentence that says why not."""

from dataclasses import replace

import pytest

from detour.health.vantages import NEW_FOR, STALE_AFTER, Standing, doubt
from detour.model.vantage import References, VantageReport

REPORT = VantageReport("probe-1", 7, 10, {}, 0, References.PASSING, lateness=0.1, clock_offset=0.3)
NOW = 1000.0
FINE = Standing(REPORT, NOW - 2.0)


def reason(standing: Standing) -> str | None:
    found = doubt(standing, NOW)
    return found.reason if found is not None else None


def test_who_is_heard_and_well_is_believed() -> None:
    assert reason(FINE) is None
    assert reason(replace(FINE, report=replace(REPORT, references=References.NONE))) is None, "it has none to fail"
    assert reason(replace(FINE, report=replace(REPORT, clock_offset=None))) is None
    assert reason(replace(FINE, existed=NEW_FOR)) is None
    assert reason(replace(FINE, existed=-1e6)) is None, "a clock that is wrong by days says nothing"


@pytest.mark.parametrize(
    ("standing", "expected"),
    [
        (Standing(None, None), "NotHeard"),
        (Standing(REPORT, None), "NotHeard"),
        (replace(FINE, heard_at=NOW - STALE_AFTER - 0.1), "Stale"),
        (replace(FINE, report=replace(REPORT, references=References.FAILING)), "ReferencesFail"),
        (replace(FINE, report=replace(REPORT, lateness=1.1)), "ChecksLate"),
        (replace(FINE, report=replace(REPORT, clock_offset=5.1)), "ClockOff"),
        (replace(FINE, report=replace(REPORT, clock_offset=-5.1)), "ClockOff"),
        (replace(FINE, turned_bad=0.51, disputed=0.51), "StandsAlone"),
        (replace(FINE, existed=NEW_FOR - 0.1), "New"),
        (replace(FINE, existed=-1.0), "New"),
    ],
)
def test_who_is_not_is_told_why(standing: Standing, expected: str) -> None:
    assert reason(standing) == expected


@pytest.mark.parametrize(
    "standing",
    [
        replace(FINE, heard_at=NOW - STALE_AFTER),
        replace(FINE, turned_bad=0.5, disputed=1.0),
        replace(FINE, turned_bad=1.0, disputed=0.5),
    ],
)
def test_at_the_very_bound_it_is_believed(standing: Standing) -> None:
    assert reason(standing) is None


def test_a_failing_region_that_the_others_see_failing_too_is_no_reason_to_doubt_who_says_so() -> None:
    assert reason(replace(FINE, turned_bad=1.0, disputed=0.0)) is None
