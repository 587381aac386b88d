"""A batch as one UPDATE message, and questions.

RFC 2136 applies an UPDATE whole or not at all, and only if every prerequisite holds. "This RRset exists with exactly
these values" (§2.4.2) is compare-and-swap for a set that is replaced or deleted; its TTL isn't part of the comparison
and must be 0 in the message. The same is demanded of the address family beside one that goes, so that a name cannot
lose both to two writers. A set that is created must not exist (§2.4.3). Servers pass silently over an address added
beside a CNAME and over a CNAME added beside anything (§3.4.2.2), so both creations say so in prerequisites: no CNAME at
the address's name, nothing at all at the CNAME's (§2.4.5). Where a CNAME takes the place of addresses, which go in the
same message, that is said type by type, for every type that there is a name for.
"""

from collections.abc import Iterable

import dns.flags
import dns.message
import dns.rdatatype
import dns.update

from detour.enactment.contract import Batch, Change
from detour.model.rrset import RRKey, RRType
from detour.providers.rfc2136.wire import absolute, as_found, as_written

_SIGNING = {"RRSIG", "SIG", "NSEC", "NSEC3", "NSEC3PARAM", "KEY", "NXT"}
"""The server's own, or at home beside a CNAME (RFC 4034 §3 and §4; RFC 2535 §2.3.5 for the older ones)."""

OTHER_TYPES = tuple(
    sorted(
        each.name
        for each in dns.rdatatype.RdataType
        if not dns.rdatatype.is_metatype(each) and each.value and each.name not in _SIGNING
    )
)
"""Every type that dnspython has a name for and that is not the server's own."""


def update_for(domain: str, batch: Batch) -> dns.update.UpdateMessage:
    """Return the UPDATE that applies `batch` to the zone `domain`, all of it or nothing."""
    message = dns.update.UpdateMessage(absolute(domain))
    changes = sorted((batch.ledger, *batch.changes), key=lambda change: change.new is not None)
    leaving = {change.key for change in changes if change.new is None}
    for change in changes:
        _add_change(message, change, leaving)
    return message


def _add_change(message: dns.update.UpdateMessage, change: Change, leaving: Iterable[RRKey]) -> None:
    name, rrtype = absolute(change.key.name), change.key.type
    if change.old is not None:
        message.present(name, as_found(change.old, 0))
        message.delete(name, rrtype.value)
    elif rrtype is RRType.CNAME and not any(each.name == change.key.name for each in leaving):
        message.absent(name)
    elif rrtype is RRType.CNAME:
        for other in OTHER_TYPES:
            if other not in {each.type.value for each in leaving if each.name == change.key.name}:
                message.absent(name, other)
    else:
        message.absent(name, rrtype.value)
        if RRKey(change.key.name, RRType.CNAME) not in leaving:
            message.absent(name, RRType.CNAME.value)
    if change.beside is not None:
        message.present(name, as_found(change.beside, 0))
    if change.new is not None:
        message.add(name, as_written(change.new))


def question(name: str, rrtype: str) -> dns.message.QueryMessage:
    """Return the question without recursion: what this server itself holds."""
    message = dns.message.make_query(absolute(name), rrtype)
    message.flags = dns.flags.Flag(0)
    return message
