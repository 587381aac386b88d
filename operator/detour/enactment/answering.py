"""What one name server shows of a set, beside what it should show. Pure, but for what is remembered of TTLs.

A TTL that is lower than the set's is one of two things. In the zone it was changed: then it stays what it is. Or a
cache stands before the server (dnsdist's, a provider's own) and counts it down: two answers tell, some seconds
apart.
"""

import enum
from dataclasses import dataclass

from detour.enactment.answers import plain_values
from detour.enactment.asking import Answer
from detour.model.rrset import RRType

AGES_KEPT = 10_000
"""TTLs that are remembered, to be compared with the next ones."""

LATENESS = 1.5
"""Seconds by which a count of whole seconds may be off."""


class Kind(enum.Enum):
    """In what an answer differs."""

    SILENCE = "there is none"
    VALUES = "other values"
    TTL = "another TTL"
    LOWER_TTL = "a lower TTL, which may be the age of an answer"


@dataclass(frozen=True, slots=True)
class Difference:
    """How a server answers otherwise than expected. `evidence` is equal for one difference seen twice."""

    message: str
    evidence: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Showing:
    """What a server shows of a name. `is_reached` says that it answered, `has_no_route` that it could not be asked.

    `silence` says why it was not reached.
    """

    is_reached: bool
    differences: tuple[Difference, ...] = ()
    has_no_route: bool = False
    silence: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What `server` should answer; `ttl` None where any will do."""

    server: str
    name: str
    kind: RRType
    values: tuple[str, ...]
    ttl: int | None


def compared(wanted: Comparison, answer: Answer) -> Difference | None:
    """Return how `answer` differs from what is wanted, as data and not as text; None where it does not."""
    where = f"{wanted.name} {wanted.kind}"
    if plain_values(wanted.kind, answer.values) != tuple(sorted(wanted.values)):
        told = ", ".join(answer.values) or "nothing"
        message = f"{wanted.server} answers {told} for {where}, not {', '.join(wanted.values) or 'nothing'}"
        return Difference(message, message, Kind.VALUES)
    if wanted.ttl is None or answer.ttl in (None, wanted.ttl):
        return None
    message = f"{wanted.server} answers with a TTL of {answer.ttl} s for {where}, not {wanted.ttl} s"
    kind = Kind.LOWER_TTL if answer.ttl is not None and answer.ttl < wanted.ttl else Kind.TTL
    return Difference(message, f"{wanted.server} {where} TTL", kind)


class Ages:
    """Which servers answer with TTLs that run down."""

    def __init__(self) -> None:
        self._ageing: set[str] = set()
        self._seen: dict[tuple[str, str, RRType], tuple[int, float]] = {}

    def are_shown_by(self, wanted: Comparison, ttl: int, now: float) -> bool:
        """Tell whether the server's TTLs, of which `ttl` was just seen (`now` in seconds), are ages."""
        if wanted.server in self._ageing:
            return True
        key = (wanted.server, wanted.name, wanted.kind)
        before = self._seen.pop(key, None)
        if before is not None and 0 < before[0] - ttl <= now - before[1] + LATENESS:
            self._ageing.add(wanted.server)
            self._seen = {each: found for each, found in self._seen.items() if each[0] != wanted.server}
            return True
        if len(self._seen) >= AGES_KEPT:
            del self._seen[next(iter(self._seen))]
        self._seen[key] = (ttl, now)
        return False
