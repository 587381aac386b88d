"""Service bindings whose `ech` nobody looks into.

dnspython takes an `ech` only where it is a list of configurations (RFC 9849 §4); Route 53 and Cloud DNS take any
base64, as dnscontrol's tests show, which pass there. Such a record is kept as octets in the notation of RFC 3597 §5.
"""

import base64
import binascii
import re
import struct

import dns.name
import dns.rdata
import dns.rdataclass

ECH = 5
"""The number of the key (RFC 9460 §14.3.2)."""

TYPES = frozenset({"HTTPS", "SVCB"})

_ECH = re.compile(r' ech=(?:"([^"]*)"|([^" ]*))(?= |\Z)')
_PARAMETER = struct.Struct("!HH")


def with_opaque_ech(rrtype: str, value: str) -> str:
    """Return `value` in zone-file form with its `ech` as it is. Raises ValueError or a DNSException for no record."""
    match = _ECH.search(value)
    if match is None:
        return dns.rdata.from_text(dns.rdataclass.IN, rrtype, value, relativize=False).to_text()
    try:
        octets = base64.b64decode(match[1] or match[2] or "", validate=True)
    except binascii.Error as error:
        raise ValueError(f"{match[0].strip()} is not base64") from error
    rest = value[: match.start()] + value[match.end() :]
    wire = dns.rdata.from_text(dns.rdataclass.IN, rrtype, rest, relativize=False).to_wire()
    assert wire is not None  # noqa: S101 - dnspython returns None only when it writes to a file
    whole = _insert(wire, octets)
    return f"\\# {len(whole)} {whole.hex()}"


def _insert(wire: bytes, octets: bytes) -> bytes:
    """Put the parameter where it belongs: they are in the order of their keys (RFC 9460 §2.2)."""
    _, length = dns.name.from_wire(wire, 2)
    place = 2 + length
    while place < len(wire):
        key, size = _PARAMETER.unpack_from(wire, place)
        if key > ECH:
            break
        place += _PARAMETER.size + size
    return wire[:place] + _PARAMETER.pack(ECH, len(octets)) + octets + wire[place:]
