"""What an endpoint's hostname has resolved to lately.

Load balancers rotate their addresses: those of the last ten minutes count together. One that was not seen for longer
fades: it is about to leave DNS, and is checked until it has had time to. After that it may belong to somebody else, and
says nothing of the endpoint any more. A resolver that fails teaches nothing, so what was known stays; a name that
answers with nothing is a failure of the endpoint, as in October 2025.
"""

from dataclasses import dataclass, replace

from detour.model.health import Evidence

RETENTION = 600.0
"""Seconds for which an address is published after it was last seen in an answer."""
FADING = 300.0
"""Seconds after that within which it leaves together with others; then it is the endpoint's no more."""
MEMORY = 3600.0
"""Seconds for which it is known that an address once was the endpoint's."""
MAXIMUM_SEEN = 512
"""Addresses remembered of one name, newest first: one that always answers with others must not fill the memory."""


@dataclass(frozen=True, slots=True)
class ResolvedName:
    """The addresses seen (each with the time it was last seen) and the run of unusual answers.

    `answered_at` is when the last answer with addresses came, None where none has: ages are counted up to then.
    `empties` counts answers in a row without any address, `failures` look-ups in a row that got no answer;
    `emptiness` is what the newest look-up showed where it had no address, `answering_since` when the present run of
    answers with addresses began, None where there is none.
    """

    seen: tuple[tuple[str, float], ...] = ()
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
            return tuple(address for address, _ in self.seen) if not over else ()
        ages = ((address, self.answered_at - at) for address, at in self.seen)
        return tuple(address for address, age in ages if age <= until and (age > over or not over))


def answered(name: ResolvedName, addresses: tuple[str, ...], now: float) -> ResolvedName:
    """Return `name` after an answer with `addresses`; those not seen for `MEMORY` seconds are forgotten."""
    last_seen = {address: at for address, at in name.seen if now - at <= MEMORY}
    last_seen.update(dict.fromkeys(addresses, now))
    newest = sorted(last_seen.items(), key=lambda each: (-each[1], each[0]))[:MAXIMUM_SEEN]
    since = name.answering_since if name.answering_since is not None else now
    return ResolvedName(seen=tuple(sorted(newest)), answering_since=since, answered_at=now)


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
