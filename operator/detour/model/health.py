"""Verdicts: what is believed of an endpoint after thresholds; and evidence: what its newest checks showed, and when."""

import enum
from dataclasses import dataclass
from typing import NamedTuple


class Verdict(enum.StrEnum):
    """Unknown means that nothing was learned; it is not a mild Unhealthy."""

    HEALTHY = "Healthy"
    UNHEALTHY = "Unhealthy"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the newest check of an address showed that this process made itself. Times in seconds on the engine's clock.

    `began_at` is when that check began, `passed` what it showed; `run_since` when the first check of the present run of
    like results ended. A check that taught nothing changes none of these: `looked_at` is when the newest of any kind
    began.
    """

    passed: bool
    began_at: float
    run_since: float
    looked_at: float


class CheckFinding(NamedTuple):
    """What is believed of one of several checks of an endpoint's address."""

    address: str
    name: str
    verdict: Verdict
    message: str = ""


@dataclass(frozen=True, slots=True)
class EndpointHealth:
    """What is believed of one endpoint. Times in seconds on the engine's clock.

    `since` is when the verdict began; `failed_at` when the endpoint last turned Unhealthy, None if never;
    `addresses` its usable addresses, each with a verdict of its own (for a hostname: the resolved ones). `confirmed_at`
    is when a check last agreed with the verdict, None where none has. `evidence` has for each address that this process
    has checked what that showed; what an earlier status tells is no evidence. `emptiness` is what the newest look-up of
    its hostname showed, where that had no address. `has_passed` says that one of its checks is known to have passed,
    ever. Of `addresses` those in `unjudged` may have their first verdict any moment, as nothing keeps them from being
    checked; those in `fading` are in its hostname's answers no more, for long; `former` are those that it had before,
    and that may be somebody else's by now. `changes` are when the verdict has turned to Unhealthy and back within the
    last hour, oldest first; the endpoint `is_down` where the last of all was to Unhealthy. Of the addresses in
    `undecided` vantages have no quorum: their verdict is the one of before. That it is Unhealthy `is_unanimous` where
    several vantages vote, and all of them say so. It `is_slow` where all that passes has taken too long for long
    enough; that ended last at `slow_until`, None if never. Where an endpoint has several checks, `checks` has what is
    believed of each, at each address.
    """

    verdict: Verdict
    since: float
    reason: str = ""
    message: str = ""
    failed_at: float | None = None
    latency: float | None = None
    addresses: tuple[tuple[str, Verdict], ...] = ()
    confirmed_at: float | None = None
    evidence: tuple[tuple[str, Evidence], ...] = ()
    emptiness: Evidence | None = None
    has_passed: bool = False
    unjudged: frozenset[str] = frozenset()
    fading: frozenset[str] = frozenset()
    former: tuple[str, ...] = ()
    changes: tuple[float, ...] = ()
    is_down: bool = False
    undecided: frozenset[str] = frozenset()
    is_unanimous: bool = False
    is_slow: bool = False
    slow_until: float | None = None
    checks: tuple[CheckFinding, ...] = ()

    @property
    def should_leave(self) -> bool:
        """Tell whether checks speak against it, so that others are to answer in its place."""
        return self.verdict is Verdict.UNHEALTHY or self.is_slow
