"""Signals from outside that a region may be in trouble: what is asked for them, and what comes back."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FeedSource:
    """The page on which a cloud (AWS, Azure, Google) says which of its regions are in trouble."""

    cloud: str


@dataclass(frozen=True, slots=True)
class QuerySource:
    """A query to one of the Prometheus servers that the installation declares, by its name."""

    server: str
    query: str


Source = FeedSource | QuerySource


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that a cloud says is wrong now, in regions by its own names of them.

    Where the cloud does not say which in so many words, `text` has what it says, and `locations` is empty.
    """

    summary: str
    locations: frozenset[str] = frozenset()
    text: str = ""


@dataclass(frozen=True, slots=True)
class Incidents:
    """All that a cloud says is wrong now."""

    found: tuple[Incident, ...] = ()


@dataclass(frozen=True, slots=True)
class Samples:
    """The values that a query has now, none where nothing matches it."""

    values: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Nothing was learned, and why."""

    message: str


Reading = Incidents | Samples | Unreadable


@dataclass(frozen=True, slots=True)
class QueryRules:
    """When a query is a signal: while any of its values is above, or below, a bound, for so many seconds (`lasting`).

    Just one of the two bounds is given.
    """

    name: str
    source: QuerySource
    above: float | None = None
    below: float | None = None
    lasting: float = 60.0


@dataclass(frozen=True, slots=True)
class ReportRules:
    """When what users report is a signal: more than so many `times` the usual, by so many different `clients` at least.

    That must hold for so many seconds (`lasting`).
    """

    times: float = 3.0
    clients: int = 10
    lasting: float = 120.0


@dataclass(frozen=True, slots=True)
class SignalRules:
    """What counts as a signal for a region; `feed` says whether the page of its cloud does."""

    feed: bool = False
    reports: ReportRules | None = None
    queries: tuple[QueryRules, ...] = ()


NO_SIGNALS = SignalRules()
