"""What a DNS provider must be able to do: five methods, and the errors that they may raise.

A provider is an adapter to one zone at one account. It decides nothing: it reads sets and applies a batch of exact
replacements on the condition that the zone still holds the old values. Which batch, when, and what to do after an
unclear answer is the enactor's to decide, the same way for all of them.
"""

import enum
import math
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from detour.model.rrset import RRKey, RRset


@dataclass(frozen=True, slots=True)
class StoredSet:
    """An RRset as the zone holds it; `version` is the provider's own tag of this very state (an ETag), if any."""

    rrset: RRset
    version: str | None = None


@dataclass(frozen=True, slots=True)
class OpaqueSet:
    """A set that Detour sees but cannot represent and never changes: an alias, a weighted set, another type.

    `type` is the DNS type or the provider's word for it, `why` a few words for people (empty for a plain set of a
    type that Detour does not write).
    """

    name: str
    type: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class ZoneContents:
    """What a zone holds: at the names asked for, or everywhere after a full read.

    `partial` gives, by name, the types that were read there where these were not all; it may hold names above those
    asked for, of which was learned whether they are delegated or redirected (NS, DNAME). Of other types at such a name
    the reading says nothing, and what was known of them stays known.

    `mark` says of a whole zone where its account of changes stood when the reading began, or before (see
    `Provider.changed_since`); None where the provider keeps none.
    """

    sets: Mapping[RRKey, StoredSet] = field(default_factory=dict)
    opaque: tuple[OpaqueSet, ...] = ()
    partial: Mapping[str, frozenset[str]] = field(default_factory=dict)
    mark: str | None = None

    def at(self, names: Collection[str]) -> "ZoneContents":
        """Return what was read of exactly these names."""
        sets = {key: each for key, each in self.sets.items() if key.name in names}
        return ZoneContents(sets, tuple(each for each in self.opaque if each.name in names))

    def without(self, names: Collection[str]) -> "ZoneContents":
        """Return what was read but for `names`, of which something newer is known."""
        return ZoneContents(
            {key: each for key, each in self.sets.items() if key.name not in names},
            tuple(each for each in self.opaque if each.name not in names),
            {name: each for name, each in self.partial.items() if name not in names},
        )


@dataclass(frozen=True, slots=True)
class ChangedNames:
    """What a zone's own account of changes says: it stands at `mark` now, and others changed something at `names`.

    `names` is None where it doesn't reach back to the mark that was asked for: the zone has to be read.
    """

    mark: str
    names: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Change:
    """Replace exactly `old` by `new`. Without `old` the set must not exist yet; without `new` it goes.

    `beside` is for an address family that goes: the other family of the name, which must stand exactly so at that very
    moment and stays as it is. A provider makes the removal conditional on it in the same request, so that the name
    can't lose both to two writers. None where the other family is changed by the same batch.
    """

    old: StoredSet | None
    new: RRset | None
    beside: StoredSet | None = None

    def __post_init__(self) -> None:
        if self.old is None and self.new is None:
            raise ValueError("a change needs an old or a new set")
        if self.old is not None and self.new is not None and self.old.rrset.key != self.new.key:
            raise ValueError(f"{self.old.rrset.key} cannot become {self.new.key}: a change keeps name and type")
        if self.beside is not None and (self.new is not None or self.beside.rrset.name != self.key.name):
            raise ValueError(f"{self.key}: only a removal depends on a set beside it, of the same name")

    @property
    def key(self) -> RRKey:
        if self.new is not None:
            return self.new.key
        assert self.old is not None  # noqa: S101 - __post_init__ saw to it
        return self.old.rrset.key


@dataclass(frozen=True, slots=True)
class Batch:
    """The ledger's change and the changes that it fences, applied together or not at all.

    Where the provider has no such transaction (`ProviderLimits.atomic` is False) the ledger moves first and the
    changes follow in the order given, each on its own precondition, until one fails.
    """

    ledger: Change
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class ZoneFacts:
    """What the provider says of a zone. `name_servers` are host names or `address:port`; `negative_ttl` in seconds.

    `zone_id` is the provider's own name of the zone in one canonical spelling, whatever the declaration calls it:
    equal for the same zone, different for two zones of one domain, and for a zone that was deleted and made again
    where the provider tells these apart. It is unique at `at`: empty for the provider's own service, which is one for
    all the world, else the origin of an endpoint of somebody's own, such as a lab's.
    """

    zone_id: str
    name_servers: tuple[str, ...]
    negative_ttl: int | None = None
    at: str = ""

    @property
    def identity(self) -> tuple[str, str]:
        """What is equal for two declarations of the same zone at one kind of provider, and for nothing else."""
        return (self.at, self.zone_id)


@dataclass(frozen=True, slots=True)
class ProviderLimits:
    """The provider's quotas. One batch holds at most `batch_elements` elements and `batch_characters` of value text.

    A creation or a deletion is one element, a replacement `elements_per_replacement`; where `counts_values` is set, one
    for each value. The set beside a removal counts as if it were replaced: Route 53 and Google make sure of it so.
    Rates are per second and per account, each with a burst; None means no quota.

    Readings of the whole zone, one after the other, take no more than `reading_requests_per_second`, None where a zone
    is read at the pace of `Periods` alone; `reads_by_zone` says that this is a quota of each zone's own. A zone holds
    `sets_per_zone` at most. `bills_questions` says that somebody pays for each question that the zone's name servers
    answer.
    """

    batch_elements: int
    batch_characters: int
    values_per_set: int
    elements_per_replacement: int
    requests_per_second: float | None
    requests_burst: float
    changes_per_second: float | None
    changes_burst: float
    atomic: bool = True
    counts_values: bool = False
    reading_requests_per_second: float | None = None
    reads_by_zone: bool = False
    sets_per_zone: int | None = None
    bills_questions: bool = False

    def elements(self, change: Change) -> int:
        """Return what `change` counts against `batch_elements`."""
        if not self.counts_values:
            return self.cost(change)
        beside = change.beside.rrset if change.beside else None
        sets = (change.old.rrset if change.old else None, change.new, beside, beside)
        return sum(len(each.values) for each in sets if each is not None)

    def cost(self, change: Change) -> int:
        """Return what `change` counts against the rate of changes."""
        replaces = change.old is not None and change.new is not None
        cost = self.elements_per_replacement if replaces else 1
        return cost + (self.elements_per_replacement if change.beside is not None else 0)


class ProviderError(Exception):
    """Base of what a provider raises. The text is for people and never carries a credential."""

    reason = "ProviderError"


class ZoneMissingError(ProviderError):
    """The account has no such zone, several, or one that cannot serve (private)."""

    reason = "ZoneNotFound"


class CredentialsRefusedError(ProviderError):
    """The provider does not accept who we are, or does not allow us the call."""

    reason = "CredentialsRefused"


LONGEST_PATIENCE = 300.0
"""Seconds. No answer makes us wait longer: a gateway's "in a day" must not stop a failover for a day."""


class Scope(enum.Enum):
    """What a quota belongs to, and therefore what a refusal by it pauses."""

    ACCOUNT = "everything that shares the account's quota"
    ZONE = "this zone alone"


class ThrottledError(ProviderError):
    """The provider asks for patience; nothing was applied.

    `retry_after` in seconds, 0 to `LONGEST_PATIENCE`, None where the provider names no time; `scope` says who is to be
    patient.
    """

    reason = "Throttled"

    def __init__(self, message: str, retry_after: float | None = None, *, scope: Scope = Scope.ACCOUNT) -> None:
        super().__init__(message)
        names_time = retry_after is not None and retry_after >= 0 and not math.isnan(retry_after)
        self.retry_after = min(retry_after, LONGEST_PATIENCE) if names_time and retry_after is not None else None
        self.scope = scope


class UnavailableError(ProviderError):
    """The provider could not be reached or answered with a fault of its own, to a call that changes nothing.

    Also raised for a write that certainly was never sent (a refused connection).
    """

    reason = "ProviderUnreachable"


class UnexpectedAnswerError(ProviderError):
    """The provider, its SDK or a Secret gave something that nobody foresaw, to a call that changes nothing.

    The text names the kind of the fault and never quotes it: it may hold a credential. Where a write ended so, it is an
    OutcomeUnknownError.
    """

    reason = "UnexpectedAnswer"


class OutcomeUnknownError(ProviderError):
    """A write was sent and its answer was lost, or was a fault that leaves open whether it was applied."""

    reason = "OutcomeUnknown"


class EndpointNotPermittedError(ProviderError):
    """The zone declares an endpoint that nothing may be sent to in this way; raised when it is opened."""

    reason = "EndpointNotPermitted"


class BatchRefusedError(ProviderError):
    """The provider refused the batch and applied nothing of it (atomic providers) or nothing after the named change.

    The cause may be a precondition that no longer holds or a set that it does not accept: the enactor finds out by
    reading, never by the text.
    """

    reason = "BatchRefused"


class Provider(Protocol):
    """One zone at one provider account.

    Every method may raise ZoneMissingError, CredentialsRefusedError, ThrottledError, UnavailableError or
    UnexpectedAnswerError. A reading is whole or an error: a method never returns part of what it was asked for.
    Names in and out are canonical (`detour.model.names`).
    """

    @property
    def limits(self) -> ProviderLimits:
        """The quotas in force, with the user's overrides."""
        ...

    async def describe(self) -> ZoneFacts:
        """Find the zone and return what is known of it."""
        ...

    async def read_zone(self) -> ZoneContents:
        """Read every set of the zone."""
        ...

    async def read_names(self, names: Collection[str]) -> ZoneContents:
        """Read the sets at exactly these names, as stored: data synthesised from a wildcard does not count.

        Every type that Detour writes is read, and every delegation. What a provider doesn't read of a name it says in
        `ZoneContents.partial`: a set that was not looked for is not a set that is gone.
        """
        ...

    async def changed_since(self, mark: str) -> ChangedNames | None:
        """Say what has changed since `mark`, which came from a reading of the whole zone or from the last such answer.

        What this very connection wrote need not be told. None where the provider keeps no account of changes, or was
        seen to leave some out: then only reading the zone tells.
        """
        ...

    async def apply(self, batch: Batch) -> ZoneContents:
        """Apply `batch` once, without retries, and return its new sets as stored, with what became of those beside.

        Raises BatchRefusedError or OutcomeUnknownError besides the common ones. A set that does not stand as
        `Change.beside` says is a BatchRefusedError. Where sets are written one by one and it went in that very moment,
        the outcome is unknown: reading shows what is left of the name.
        """
        ...

    async def close(self) -> None:
        """Release connections and threads."""
        ...


Pace = Callable[[int], Awaitable[None]]
"""Awaited by a provider before each API request (with the number of requests): it waits for the account's budget."""

Secret = Mapping[str, str]
"""The decoded data of a credentials Secret."""
