"""Verdicts: what is believed of an endpoint after thresholds."""

import enum
from dataclasses import dataclass


class Verdict(enum.StrEnum):
    """Unknown means that nothing was learned; it is not a mild Unhealthy."""

    HEALTHY = "Healthy"
    UNHEALTHY = "Unhealthy"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class EndpointHealth:
    """What is believed of one endpoint. Times in seconds on the engine's clock.

    `since` is when the verdict began; `failed_at` when the endpoint last turned Unhealthy, None if never;
    `addresses` its usable addresses, each with a verdict of its own (for a hostname: the resolved ones).
    """

    verdict: Verdict
    since: float
    reason: str = ""
    message: str = ""
    failed_at: float | None = None
    latency: float | None = None
    addresses: tuple[tuple[str, Verdict], ...] = ()
