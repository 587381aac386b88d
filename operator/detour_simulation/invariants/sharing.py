"""What controllers that divide the zones must keep together: OneDecider, WithinQuotas."""

from collections.abc import Iterator

from detour_simulation.history import DecidedTwice, History, Overdrawn, Violation

HEARD_WITHIN = 14.0
"""Seconds in which a controller that reaches its API server has learned what another one has taken."""

SAMPLES = 2.5
"""Seconds between two samples at most that belong together."""


def one_decider(history: History) -> Iterator[Violation]:
    """A record is decided for by one controller at a time, but for the moment in which the other hears of it."""
    since: dict[str, tuple[float, float]] = {}
    for event in history:
        if not isinstance(event, DecidedTwice):
            continue
        first, last = since.get(event.record, (event.at, event.at))
        first = first if event.at - last <= SAMPLES else event.at
        since[event.record] = (first, event.at)
        if event.at - first > HEARD_WITHIN:
            told = f"{' and '.join(event.controllers)} both decide for {event.record}"
            yield Violation(invariant="OneDecider", at=event.at, message=told)


def within_quotas(history: History) -> Iterator[Violation]:
    """Controllers that divide the zones never use more of an account's quota together than one may."""
    for event in history:
        if isinstance(event, Overdrawn):
            told = f"{' and '.join(event.controllers)} use {event.used:.2f} times the quotas together"
            yield Violation(invariant="WithinQuotas", at=event.at, message=told)
