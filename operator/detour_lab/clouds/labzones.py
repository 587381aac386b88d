"""The zones of a lab, as an outsider sees them: where they are asked, and how they are edited behind Detour's back.

An emulated zone is a store that an API writes and a name server serves, both with faults on demand. A real one is
a server that is edited as people do it, with a signed dynamic update.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.tsig
import dns.update
import dns.xfr
import dns.zone

from detour.model.names import canonical
from detour_lab.dns.nameserver import NameServer
from detour_lab.dns.realservers import RealServer
from detour_lab.faults import Faults
from detour_lab.zones.store import RecordSet, ZoneStore

OUTSIDER = "outsider"
EDIT_TIMEOUT = 5.0  # seconds
EDIT_TTL = 60


@dataclass(frozen=True, slots=True)
class EmulatedZone:
    """A zone whose API and name server are the lab's. `name` is that of its DNSZone, `provider` a word for people.

    `api_faults` meet the calls of its API, `server.faults` the questions to its name server (for a zone that takes
    dynamic updates both are the same).
    """

    name: str
    provider: str
    store: ZoneStore
    server: NameServer
    api_faults: Faults

    @property
    def domain(self) -> str:
        return self.store.domain

    @property
    def address(self) -> str:
        """`address:port` of its name server."""
        return self.server.address

    def set_lag(self, seconds: float) -> None:
        """Let the name server show every later change this much after the API accepted it."""
        self.store.lag = seconds

    async def edit(self, name: str, rrtype: str, values: Sequence[str], *, ttl: int = EDIT_TTL) -> None:
        """Replace a set as an outsider would; no values remove it. Values in zone-file form, `ttl` in seconds.

        Raises ValueError where there is no such set to remove.
        """
        key = (canonical(name), rrtype.upper())
        if values:
            self.store.commit(added=[RecordSet(*key, ttl, tuple(values))], by=OUTSIDER)
        elif self.store.get(*key) is None:
            raise ValueError(f"{self.name} has no {key[1]} set at {key[0]}, so there is nothing to remove")
        else:
            self.store.commit(removed=[key], by=OUTSIDER)

    async def read(self, name: str, rrtype: str) -> RecordSet | None:
        """Return the set that the API has of exactly this type at exactly this name."""
        return self.store.get(canonical(name), rrtype)

    async def leave(self, name: str, sets: Sequence[RecordSet]) -> None:
        """Let exactly these sets stand at `name`, in one step."""
        kept = {each.key for each in sets}
        gone = [each.key for each in self.store.at_name(canonical(name)) if each.key not in kept]
        self.store.commit(removed=gone, added=sets, by=OUTSIDER)

    async def empty(self) -> None:
        """Remove everything but the sets of the apex, in one step."""
        self.store.commit(removed=[each.key for each in self.store.all() if each.name != self.domain], by=OUTSIDER)


@dataclass(frozen=True, slots=True)
class RealZone:
    """A zone at a real server, which takes edits but neither faults nor a lag."""

    name: str
    provider: str
    domain: str
    server: RealServer

    @property
    def address(self) -> str:
        """`address:port` of the server."""
        return self.server.address

    def set_lag(self, seconds: float) -> None:
        """Raise ValueError: a real server shows a change at once."""
        raise ValueError(f"{self.name} is a real {self.provider} server, which cannot be made to lag by {seconds:g} s")

    async def edit(self, name: str, rrtype: str, values: Sequence[str], *, ttl: int = EDIT_TTL) -> None:
        """Replace a set by a signed update (RFC 2136 §2.5); no values remove it.

        Raises ValueError for values that the type doesn't allow, RuntimeError where the server refuses.
        """
        update = self._update()
        try:
            owner = dns.name.from_text(name)
            update.delete(owner, rrtype)
            for value in values:
                update.add(owner, ttl, rrtype, value)
        except (dns.exception.DNSException, ValueError) as error:
            raise ValueError(f"{name} {rrtype} {' '.join(values)}: {error}") from error
        await self._send(update)

    async def read(self, name: str, rrtype: str) -> RecordSet | None:
        """Return the set of exactly this type at exactly this name, as the server answers it.

        Raises OSError or dns.exception.DNSException where it does not answer.
        """
        query = dns.message.make_query(name, rrtype)
        query.flags &= ~dns.flags.RD
        answer, _ = await dns.asyncquery.udp_with_fallback(
            query, self.server.host, port=self.server.port, timeout=EDIT_TIMEOUT
        )
        found = answer.get_rrset(
            answer.answer, dns.name.from_text(name), query.question[0].rdclass, dns.rdatatype.from_text(rrtype)
        )
        if found is None:
            return None
        return RecordSet(canonical(name), rrtype, found.ttl, tuple(sorted(each.to_text() for each in found)))

    async def leave(self, name: str, sets: Sequence[RecordSet]) -> None:
        """Let exactly these sets stand at `name`, in one signed update. Raises RuntimeError where it is refused."""
        update = self._update()
        owner = dns.name.from_text(name)
        update.delete(owner)
        for each in sets:
            update.add(owner, each.ttl, each.type, *each.values)
        await self._send(update)

    async def empty(self) -> None:
        """Remove every name but the apex, in one signed update. Raises RuntimeError where it is refused."""
        update = self._update()
        for name in await self._names():
            update.delete(name)
        await self._send(update)

    async def _names(self) -> Iterable[dns.name.Name]:
        """Return every name below the apex, by a transfer."""
        content = dns.zone.Zone(self.domain, relativize=False)
        query, _ = dns.xfr.make_query(content, keyring=self._key())
        await dns.asyncquery.inbound_xfr(
            self.server.host, content, query, port=self.server.port, timeout=EDIT_TIMEOUT, lifetime=EDIT_TIMEOUT
        )
        return [name for name in content if name != content.origin]

    def _key(self) -> dns.tsig.Key:
        key = self.server.key
        return dns.tsig.Key(key.name, key.secret, key.algorithm)

    def _update(self) -> dns.update.UpdateMessage:
        return dns.update.UpdateMessage(self.domain, keyring=self._key())

    async def _send(self, update: dns.update.UpdateMessage) -> None:
        answer = await dns.asyncquery.tcp(update, self.server.host, port=self.server.port, timeout=EDIT_TIMEOUT)
        if answer.rcode() != dns.rcode.NOERROR:
            raise RuntimeError(f"{self.name} refuses the edit: {dns.rcode.to_text(answer.rcode())}")


LabZone = EmulatedZone | RealZone
