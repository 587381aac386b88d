"""Responses: an answer laid out within the size that the asker can take (RFC 1035 §4.1.1, RFC 2181 §9, RFC 6891)."""

import dns.flags
import dns.rcode

from detour_lab.dns.answer import Answer
from detour_lab.dns.wire import HEADER, MAXIMUM_MESSAGE, OPCODE_MASK, Request, write_edns, write_set

PLAIN_DATAGRAM = 512
EDNS_DATAGRAM = 1232
"""Octets of the largest datagram sent to someone who takes more than 512: what crosses any path unfragmented."""

LOW_RCODE_BITS = 0xF


def room(request: Request, *, stream: bool) -> int:
    """Return how many octets an answer to `request` may have."""
    if stream:
        return MAXIMUM_MESSAGE
    if request.edns is None:
        return PLAIN_DATAGRAM
    return min(max(request.edns.rrclass, PLAIN_DATAGRAM), EDNS_DATAGRAM)


def write_response(request: Request, content: Answer, *, limit: int) -> bytes:
    """Return the response that says `content`, in at most `limit` octets: whole sets, and TC where some are missing."""
    edns = b""
    if request.edns is not None:
        dnssec_ok = bool(request.edns.ttl & dns.flags.DO)
        edns = write_edns(EDNS_DATAGRAM, extended_rcode=content.rcode >> 4, dnssec_ok=dnssec_ok)
    left = limit - HEADER.size - len(request.question) - len(edns)
    flags = dns.flags.QR | request.flags & (OPCODE_MASK | dns.flags.RD) | content.rcode & LOW_RCODE_BITS
    if content.authoritative:
        flags |= dns.flags.AA
    counts = [0, 0, 0]
    body: list[bytes] = []
    for section, sets in enumerate((content.answer, content.authority, content.additional)):
        for each in sets:
            written = write_set(each, request.question)
            if len(written) > left:
                flags |= dns.flags.TC
                break
            left -= len(written)
            counts[section] += len(each.data)
            body.append(written)
        if flags & dns.flags.TC:
            break
    if edns:
        counts[2] += 1
    header = HEADER.pack(request.id, flags, 1, *counts)
    return b"".join((header, request.question, *body, edns))


def write_format_error(wire: bytes) -> bytes | None:
    """Return FORMERR for a request that cannot be read; None where it is too short or itself a response."""
    if len(wire) < HEADER.size:
        return None
    identity, flags, *_ = HEADER.unpack_from(wire)
    if flags & dns.flags.QR:
        return None
    return HEADER.pack(identity, dns.flags.QR | flags & OPCODE_MASK | dns.rcode.FORMERR, 0, 0, 0, 0)
