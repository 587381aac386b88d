"""Reading a whole zone: AXFR (RFC 5936).

A transfer is a reading only when it is whole: it opens and closes with the zone's SOA, and holds the zone's own NS set.
Anything else, an end before the second SOA above all, is an error, never a zone with less in it.
"""

from dataclasses import replace

import dns.message
import dns.name
import dns.rdatatype

from detour.enactment.contract import UnexpectedAnswerError, ZoneContents
from detour.providers.rfc2136.wire import FoundSets, add_found, contents_of

LARGEST = 256 * 2**20
"""Octets; a zone of a million names is a third of that. What never ends must not fill our memory."""


class Transfer:
    """What came of one transfer so far."""

    def __init__(self, apex: dns.name.Name, server: str) -> None:
        self._apex = apex
        self._server = server
        self._found: FoundSets = {}
        self._starts = 0
        self._octets = 0
        self._serial: int | None = None

    def take(self, message: dns.message.Message, octets: int) -> bool:
        """Add one message of `octets`; True says that it was the last.

        Raises UnexpectedAnswerError where this is no transfer of the zone.
        """
        self._octets += octets
        if self._octets > LARGEST:
            raise self._odd(f"is longer than {LARGEST >> 20} MiB")
        if not message.answer and not self._starts:
            raise self._odd("is empty")
        for rrset in message.answer:
            if self._starts > 1:
                raise self._odd("goes on after its end")
            if rrset.rdtype == dns.rdatatype.SOA and rrset.name == self._apex:
                self._starts += 1
                self._serial = getattr(rrset[0], "serial", None)
            elif not self._starts:
                raise self._odd("does not begin with the zone's SOA")
            if rrset.name.is_subdomain(self._apex):
                add_found(rrset, self._found)
        return self._starts > 1

    def contents(self) -> ZoneContents:
        """Return the zone, once the last message was taken. Raises UnexpectedAnswerError where it is none."""
        if (self._apex, dns.rdatatype.NS) not in self._found:
            raise self._odd("holds no NS set of the zone itself")
        mark = str(self._serial) if self._serial is not None else None
        return replace(contents_of(self._found), mark=mark)

    def _odd(self, how: str) -> UnexpectedAnswerError:
        domain = self._apex.to_text(omit_final_dot=True)
        return UnexpectedAnswerError(
            f"the transfer of {domain} from {self._server} {how}: it is no reading of the zone"
        )
