"""The product keeps its promises in a few hundred schedules; each that it once broke is here for good."""

import re

import pytest

from detour_simulation.generator import PROFILES
from detour_simulation.playing import RARE, ROUND, usual_profile

from .commands import simulator
from .found import FOUND_IN_THE_LONG_RUN

FOUND = {
    "general:78": "Converges: a call of the background reading that was cancelled left the zone stuck",
    "general:94": "Converges: the same, with two zones",
    "general:249": "BlastRadius: an evacuation that the gate held went through when the endpoint recovered, held down",
    "general:255": "Converges: after a restart the deletion of the last record of a zone never ended",
    "general:268": "Converges: the same, among other faults",
    "general:278": "Converges: the same, after a kill",
    "general:302916": "BlastRadius: the window of an evacuation began when it was decided, not when it was written",
    "general:400508": "FailsStatic: an endpoint removed while the API server was away went once that was known",
    "regions:5285": "BlastRadius: a start that found a change held forgot what the name had left before",
    "general:294": "Converges: a cancelled call, after a ledger was garbled",
    "general:1006": "FailsStatic: what a standby found while it was blind counted when it came to lead",
    "general:1223": "Truthful: at Azure a set whose write was lost was not touched",
    "general:1319": "Truthful: the same, in one of two families",
    "general:1916": "Truthful: the same, with a second zone at Route 53",
    "general:77825": "the run itself: a process killed between the end of a task and the news of it was not cleaned up",
    "late at azure:1863": "Truthful: the same, and the write landed a quarter of a minute later",
    "late at azure:2476": "Truthful: the same, under two controllers",
    "sites:66": "FailsStatic: everybody's answers were published for a moment after a site had been cut off",
    "sites:91": "Converges: a leader that lost its ledger, then the election, stayed in force beside the next one",
    "frozen:1303": "StaysFrozen: a write that landed after its answer was lost was taken for another's, and undone",
    "frozen:1814": "StaysFrozen: the same",
    "blind:13": "FailsStatic: everybody's answers were published by a vantage that was blind",
    "blind:27": "FailsStatic: a vantage that was blind for the second time evacuated",
    "blind:38": "FailsStatic: the same, sooner after the first time",
    "blind:50": "FailsStatic: answers changed when a vantage saw again",
    "lost answers:11": "Truthful: a reading begun before a late batch landed served as the one that was owed after it",
    "lost answers:17": "Truthful: in sync was said while a reading was owed",
    "lost answers:29": "Truthful: in sync was said of a name that an earlier lost batch had changed",
    "lost answers:150": "Truthful: the same, while the reading that was owed went beside the work",
}
"""Schedules that broke a promise of the product as it was then, and what they showed."""

USUAL = 140
COUNTS = {"frozen": 70, "multivalue": 10, "min serving": 10, "regions": 10}
LAST_LINE = re.compile(r"PASS schedules=\d+ steps=\d+ violations=0 azure_undone=\d+ seconds=[\d.]+")


def play(*arguments: str) -> str:
    status, lines = simulator("simulate", *arguments)
    assert status == 0, "\n".join(lines)
    return lines[-1]


def test_what_was_found_once_stays_mended() -> None:
    assert LAST_LINE.fullmatch(play(*(f"--only={each}" for each in FOUND)))


@pytest.mark.parametrize("invariant", FOUND_IN_THE_LONG_RUN)
def test_what_the_long_run_found_stays_mended(invariant: str) -> None:
    assert LAST_LINE.fullmatch(play(*(f"--only={each}" for each in FOUND_IN_THE_LONG_RUN[invariant])))


def test_no_promise_is_broken_in_the_usual_mix(seed: int) -> None:
    assert LAST_LINE.fullmatch(play(f"--schedules={USUAL}", f"--seed={seed}"))


@pytest.mark.parametrize(("profile", "count"), COUNTS.items())
def test_no_promise_is_broken_where_little_is_at_work(seed: int, profile: str, count: int) -> None:
    assert LAST_LINE.fullmatch(play(f"--profile={profile}", f"--schedules={count}", f"--seed={seed}"))


def test_several_processes_play_what_one_plays() -> None:
    alone, together = (play("--schedules=24", "--seed=5", f"--jobs={jobs}") for jobs in (1, 2))
    assert alone.rpartition(" ")[0] == together.rpartition(" ")[0]


def test_the_usual_mix_has_sites_behaviours_late_requests_at_azure_and_what_is_rare_in_it() -> None:
    often = {"general", "sites", "late at azure", "behaviours"}
    assert {usual_profile(seed) for seed in range(1, ROUND + 1)} == {*often, *RARE.values()}
    assert set(RARE.values()) <= set(PROFILES)
