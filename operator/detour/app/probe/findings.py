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

    def taken(self, now: float) -> tuple[dict[CheckKey, Finding], int]:
        """Return the findings, and of how many checks there are.

        Of more than one report can hold those are told whose keys come first, which are the same everywhere.
        """
        found = dict(self._all(now))
        if len(found) <= MOST_FINDINGS:
            return found, len(found)
        return {key: found[key] for key in sorted(found)[:MOST_FINDINGS]}, len(found)

    def _all(self, now: float) -> Iterator[tuple[CheckKey, Finding]]:
        for key, streak in self._targets.says():
            yield key, _finding(streak.verdict, streak.evidence, streak.since, now)
        for key, health in self._targets.says_by_name():
            yield key, _finding(health.verdict, evidence_of(health), health.since, now)


def _finding(state: Verdict, evidence: Evidence | None, since: float, now: float) -> Finding:
    """Return a finding that is as old as the run of like results that it rests on: a failure counts from its first."""
    agrees = evidence is not None and evidence.passed is (state is Verdict.HEALTHY)
    began_at = evidence.run_since if evidence is not None and agrees else since
    looked_at = evidence.looked_at if evidence is not None else since
    return Finding(state, max(0.0, now - began_at), max(0.0, now - looked_at))


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
