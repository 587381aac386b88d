"""What a probe says of its checks: each with its state, since when that is so, and how old the newest look is."""

from collections import deque
from collections.abc import Iterator

from detour.engine.targets import Targets
from detour.health.endpoints import evidence_of
from detour.model.health import Evidence, Verdict
from detour.model.vantage import MOST_FINDINGS, CheckKey, Finding, Latency

LATENCIES = 1000
"""Checks that passed of which the latency counts, the newest."""


class Findings:
    """Reads them off `targets`. Times in engine seconds."""

    def __init__(self, targets: Targets) -> None:
        self._targets = targets
        targets.tell_others()

    def taken(self, now: float) -> tuple[dict[CheckKey, Finding], int, int]:
        """Return the findings, how many checks there are, and how many of them fail; hostnames beside them count none.

        Of more than one report can hold those are told whose keys come first, which are the same everywhere.
        """
        found = dict(self._all(now))
        if len(found) > MOST_FINDINGS:
            found = {key: found[key] for key in sorted(found)[:MOST_FINDINGS]}
        states = [streak.verdict for _, streak, _ in self._targets.says()]
        return found, len(states), states.count(Verdict.UNHEALTHY)

    def _all(self, now: float) -> Iterator[tuple[CheckKey, Finding]]:
        for target_key, streak, is_out_of_reach in self._targets.says():
            yield target_key, _finding(streak.verdict, streak.evidence, streak.since, now, is_out_of_reach)
        for name_key, health in self._targets.says_by_name():
            yield name_key, _finding(health.verdict, evidence_of(health), now, now)


def _finding(
    state: Verdict, evidence: Evidence | None, since: float, now: float, is_out_of_reach: bool = False
) -> Finding:
    """Return a finding that is as old as the run of like results that it rests on: a failure counts from its first.

    A newest check that says otherwise is no look that bears it out.
    """
    if evidence is None or state is Verdict.UNKNOWN or evidence.passed is not (state is Verdict.HEALTHY):
        return Finding(state, max(0.0, now - since), is_out_of_reach=is_out_of_reach)
    return Finding(state, max(0.0, now - evidence.run_since), max(0.0, now - evidence.began_at))


class Latencies:
    """How long the newest checks took that passed, in seconds."""

    def __init__(self) -> None:
        self._newest: deque[float] = deque(maxlen=LATENCIES)

    def note(self, seconds: float) -> None:
        """A check passed after so long."""
        self._newest.append(seconds)

    def summary(self) -> Latency | None:
        """Return how long they took, None where none has passed yet."""
        if not self._newest:
            return None
        ordered = sorted(self._newest)
        last = len(ordered) - 1
        return Latency(*(ordered[round(last * share)] for share in (0.5, 0.9, 0.99)))
