"""What an endpoint's hostname has resolved to lately.

Load balancers rotate their addresses: those of the last ten minutes count together. One that was not seen for longer
fades: it is about to leave DNS, and is checked until it has had time to. After that it may belong to somebody else, and
says nothing of the endpoint any more. A resolver that fails teaches nothing, so what was known stays; a name that
answers with nothing is a failure of the endpoint, as in October 2025.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

from detour.model.health import Evidence

RETENTION = 600.0
"""Seconds for which an address is published after it was last seen in an answer."""
FADING = 300.0
"""Seconds after that within which it leaves together with others; then it is the endpoint's no more."""
MEMORY = 3600.0
"""Seconds for which it is known that an address once was the endpoint's."""
USUAL = 90.0
"""Seconds within which one answer follows another while a resolver answers, as it is asked again after 60 s at most.

What is beyond counts for nobody's age: nobody was asked, or nobody answered.
"""
MAXIMUM_SEEN = 512
"""Addresses that count of one name: one that always answers with others must not fill the memory.

Those of the newest answer always do; of the others those that are known longest, so that what is published stays.
"""


class Sighting(NamedTuple):
    """An address, and when it was seen first and last (engine seconds)."""

    address: str
    first: float
    last: float


@dataclass(frozen=True, slots=True)
class ResolvedName:
    """The addresses seen and the run of unusual answers.

    `answered_at` is when the last answer with addresses came, None where none has: ages are counted up to then.
    `empties` counts answers in a row without any address, `failures` look-ups in a row that got no answer;
    `emptiness` is what the newest look-up showed where it had no address, `answering_since` when the present run of
    answers with addresses began, None where there is none.
    """

    seen: tuple[Sighting, ...] = ()
    empties: int = 0
    failures: int = 0
    message: str = ""
    emptiness: Evidence | None = None
    answering_since: float | None = None
    answered_at: float | None = None

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses that are checked, and may be published."""
        return self._aged(0.0, RETENTION + FADING)

    @property
    def fading(self) -> frozenset[str]:
        """Those of them that were in no answer for `RETENTION` seconds."""
        return frozenset(self._aged(RETENTION, RETENTION + FADING))

    @property
    def former(self) -> tuple[str, ...]:
        """The addresses that the name had before: they may be somebody else's by now."""
        return self._aged(RETENTION + FADING, MEMORY)

    def _aged(self, over: float, until: float) -> tuple[str, ...]:
        """Return those last seen more than `over`, and at most `until`, seconds before the last answer."""
        if self.answered_at is None:
            return tuple(each.address for each in self.seen) if not over else ()
        ages = ((each.address, self.answered_at - each.last) for each in self.seen)
        return tuple(address for address, age in ages if age <= until and (age > over or not over))


def answered(name: ResolvedName, addresses: tuple[str, ...], now: float) -> ResolvedName:
    """Return `name` after an answer with `addresses`; those not seen for `MEMORY` seconds are forgotten."""
    heard_at = max(name.answered_at or 0.0, name.emptiness.looked_at if name.emptiness else 0.0)
    silence = 0.0 if name.answered_at is None else max(0.0, now - heard_at - USUAL)
    aged = (each._replace(last=each.last + silence) for each in name.seen)
    known = {each.address: each for each in aged if now - each.last <= MEMORY}
    seen = known | {each: Sighting(each, known[each].first if each in known else now, now) for each in addresses}
    kept = sorted(seen.values(), key=lambda each: (_rank(now - each.last), each.first, each.address))[:MAXIMUM_SEEN]
    since = name.answering_since if name.answering_since is not None else now
    return ResolvedName(seen=tuple(sorted(kept)), answering_since=since, answered_at=now)


def _rank(age: float) -> int:
    """Return how dispensable an address is that was in an answer `age` seconds ago."""
    return 0 if age <= 0 else 1 if age <= RETENTION + FADING else 2


def answered_empty(name: ResolvedName, message: str, *, began_at: float = 0.0, now: float = 0.0) -> ResolvedName:
    """Return `name` after NXDOMAIN or an empty answer: the look-up began at `began_at` and ended at `now`."""
    run_since = name.emptiness.run_since if name.emptiness else now
    emptiness = Evidence(passed=False, began_at=began_at, run_since=run_since, looked_at=began_at)
    return replace(
        name, empties=name.empties + 1, failures=0, message=message, emptiness=emptiness, answering_since=None
    )


def unanswered(name: ResolvedName, message: str) -> ResolvedName:
    """Return `name` after a timeout or a SERVFAIL: what is known of it stays."""
    return replace(name, failures=name.failures + 1, message=message)
