"""What becomes of our writes: whether a zone keeps what it took.

Servers have policies. BIND's max-zone-ttl lowers a TTL without a word, others raise it to a minimum, rewrite values, or
say NOERROR and do nothing. The first reading after a write of ours tells: a lower TTL is taken as the server's at once,
another one when it insists. A set that is otherwise, and is so again after the next write, is the server's doing and
nobody's edit: it is written TRIES times, then named, and tried ever more rarely. Who edits a name later, after it was
seen to be right, is somebody else.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from detour.enactment.wishes import Explanation
from detour.model.rrset import RRKey, RRset, RRType

TRIES = 3
"""Writes of one and the same, each followed by the same other state, after which a write is said not to stick."""

FIRST_PAUSE = 60.0
LONGEST_PAUSE = 600.0
"""Seconds until what does not stick is written again: doubling from the first to the longest."""

Answers = tuple[RRset, ...]


@dataclass(frozen=True, slots=True)
class _Written:
    """A name as our last write left it, and what the first reading after it, or after the one before, showed."""

    made: Answers
    found: Answers = ()
    misses: int = 0
    is_read: bool = False


class Sticking:
    """Remembers the last write of each name of one zone until a reading has shown what became of it."""

    def __init__(self) -> None:
        self._written: dict[str, _Written] = {}
        self._ttls: dict[RRKey, tuple[int, int]] = {}
        self._found_out: dict[str, None] = {}  # in the order in which it was, and not told yet

    def wished(self, sets: Answers) -> Answers:
        """Return `sets` with the TTLs that the server insists on in place of the ones wished for."""
        return tuple(replace(each, ttl=self._ttl(each)) for each in sets) if self._ttls else sets

    def _ttl(self, rrset: RRset) -> int:
        wished, given = self._ttls.get(rrset.key, (rrset.ttl, rrset.ttl))
        return given if wished == rrset.ttl else rrset.ttl

    def wrote(self, hostname: str, wished: Answers, made: Answers) -> None:
        """The provider took a write that leaves `made` at the name, by its own account, where `wished` was wished."""
        before = self._written.get(hostname)
        if before is not None and before.is_read and before.made == made:
            self._written[hostname] = replace(before, is_read=False)
        else:
            self._written[hostname] = _Written(made)
        for each in wished:
            if self._ttls.get(each.key, (each.ttl, 0))[0] != each.ttl:
                del self._ttls[each.key]  # another TTL is wished for: let the server say again what it makes of it

    def read(self, hostname: str, found: Answers) -> None:
        """The name was read and holds `found`."""
        written = self._written.get(hostname)
        if written is None or written.is_read:
            return
        misses = written.misses + 1 if found == written.found else 1
        if found == written.made or self._takes_ttls(written.made, found, misses):
            del self._written[hostname]
            return
        self._written[hostname] = replace(written, found=found, misses=misses, is_read=True)
        if misses >= TRIES:
            self._found_out[hostname] = None

    def unread(self) -> list[str]:
        """Return the names that were written, and not read since."""
        return [hostname for hostname, written in self._written.items() if not written.is_read]

    def forget_writes(self) -> None:
        """What the next readings show may be somebody's who has set the zone back."""
        for hostname in self.unread():
            del self._written[hostname]

    def shown(self, hostname: str) -> None:
        """The name servers show the name as it was written: what differs from now on is somebody's edit."""
        self._written.pop(hostname, None)

    def _takes_ttls(self, made: Answers, found: Answers, misses: int) -> bool:
        """Take over the TTLs of `found`, where nothing else differs and the server means it."""
        if [(each.key, each.values) for each in made] != [(each.key, each.values) for each in found]:
            return False
        pairs = [(ours, theirs) for ours, theirs in zip(made, found, strict=True) if ours.ttl != theirs.ttl]
        if misses < TRIES and any(theirs.ttl > ours.ttl for ours, theirs in pairs):
            return False
        for ours, theirs in pairs:
            wished, _ = self._ttls.get(ours.key, (ours.ttl, ours.ttl))
            self._ttls[ours.key] = (wished, theirs.ttl)
        return True

    def wants_reading(self, hostname: str) -> bool:
        """Tell whether to read the name now: it was written again after the last write came to nothing."""
        written = self._written.get(hostname)
        return written is not None and written.misses > 0 and not written.is_read

    def explains(self, hostname: str, found: Answers) -> bool:
        """Tell whether `found` is what the server made of our own write, and so nobody's edit."""
        written = self._written.get(hostname)
        return written is not None and written.is_read and written.misses > 1 and found == written.found

    def news(self) -> Iterator[tuple[str, Explanation, float]]:
        """Give each name that does not keep what is written, why, and for how many seconds to leave it alone. Once."""
        found_out, self._found_out = self._found_out, {}
        for hostname in found_out:
            written = self._written.get(hostname)
            if written is not None and written.misses >= TRIES and written.is_read:
                pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** (written.misses - TRIES))
                yield hostname, _refusal(hostname, written, pause), pause

    def forget(self, hostname: str) -> None:
        """Nobody cares for the name any more."""
        self._written.pop(hostname, None)
        for kind in RRType:
            self._ttls.pop(RRKey(hostname, kind), None)


def _refusal(hostname: str, written: _Written, pause: float) -> Explanation:
    return Explanation(
        "WriteDoesNotStick",
        f"{hostname} was written {written.misses} times with {_told(written.made)}, which the provider took, and each "
        f"time it held {_told(written.found)} right after: look for a policy of the server's that changes or drops it; "
        f"Detour writes it again in {pause:g} s",
    )


def _told(answers: Sequence[RRset]) -> str:
    return "; ".join(f"{each.type} {', '.join(each.values)} (TTL {each.ttl} s)" for each in answers) or "nothing"
