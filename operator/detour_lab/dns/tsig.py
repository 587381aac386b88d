"""Signed requests and answers: TSIG (RFC 8945).

A request that bears a signature is judged before anything else is done with it. Four things can be wrong, and each
has an answer of its own, so that the other side can tell a wrong key from a wrong clock:

    unknown key or algorithm   NOTAUTH, BADKEY    answered without a signature (§5.2.1)
    signature does not match   NOTAUTH, BADSIG    answered without a signature (§5.2.2)
    clocks too far apart       NOTAUTH, BADTIME   answered with a signature and the server's time (§5.2.3)
    not the last record        FORMERR            (seen to where messages are read)
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final, cast

import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.TSIG
import dns.tsig

from detour_lab.dns.wire import HEADER, RECORD, FormatError, Request, read_data, write_name

FUDGE = 300  # seconds, RFC 8945 §10
ROOM = 512  # octets kept free for a signature: SHA-512, a key name of 255 octets and an algorithm's name fit

FIXED_FIELDS = 16  # octets of a signature's data besides algorithm, MAC and other data (RFC 8945 §4.2)
OTHER_DATA = 6

# dnspython has no types for these.
_validate: Final = cast(Callable[..., Any], dns.tsig.validate)
_sign: Final = cast(Callable[..., Any], dns.tsig.sign)

_make_record: Final = cast(Callable[..., dns.rdtypes.ANY.TSIG.TSIG], dns.rdtypes.ANY.TSIG.TSIG)

TSIG = dns.rdtypes.ANY.TSIG.TSIG


@dataclass(slots=True)
class Signature:
    """A request's signature after judgement, and the way to sign its answers: one, or several in a row.

    `error` is NOERROR where the signature holds. `key` is None where the answer must not be signed.
    """

    key: dns.tsig.Key | None = field(repr=False)
    owner: str
    request: TSIG = field(repr=False)
    error: dns.rcode.Rcode
    clock: Callable[[], float] = field(repr=False)
    _context: Any = field(default=None, repr=False)

    @property
    def holds(self) -> bool:
        return self.error == dns.rcode.NOERROR

    @property
    def size(self) -> int:
        """Octets to keep free for the signature of an answer, at most."""
        names = len(write_name(self.owner)) + len(self.request.algorithm.to_digestable())
        return names + RECORD.size + FIXED_FIELDS + dns.tsig.mac_sizes.get(self.request.algorithm, 0) + OTHER_DATA

    def sign(self, response: bytes, *, more: bool = False) -> bytes:
        """Return `response` with its signature; `more` for a message of a series (a zone transfer)."""
        now = int(self.clock())
        other = b""
        signed_at = now
        if self.error == dns.rcode.BADTIME:
            signed_at, other = self.request.time_signed, now.to_bytes(6, "big")
        elif self.key is None:
            signed_at = self.request.time_signed
        identity = HEADER.unpack_from(response)[0]
        record = _make_record(
            dns.rdataclass.ANY,
            dns.rdatatype.TSIG,
            self.request.algorithm,
            signed_at,
            FUDGE,
            b"",
            identity,
            self.error,
            other,
        )
        if self.key is not None:
            record, self._context = _sign(
                response, self.key, record, signed_at, self.request.mac, self._context if more else None, more
            )
        return _append(response, self.owner, record)


def judge(request: Request, keys: Iterable[dns.tsig.Key], clock: Callable[[], float]) -> Signature | None:
    """Check the signature of `request`; None where it has none. `clock` gives seconds since the Unix epoch.

    Raises FormatError for a signature that cannot be read.
    """
    if request.tsig is None:
        return None
    data = read_data(request, request.tsig)
    if not isinstance(data, TSIG) or request.tsig.rrclass != dns.rdataclass.ANY or request.tsig.ttl:
        raise FormatError("the signature is no TSIG record")
    owner = dns.name.from_text(request.tsig.name)
    key = next((each for each in keys if each.name == owner and each.algorithm == data.algorithm), None)
    if key is None:
        return Signature(None, request.tsig.name, data, dns.rcode.BADKEY, clock)
    try:
        _validate(request.wire, key, owner, data, int(clock()), b"", request.tsig.start)
    except dns.tsig.BadTime:
        return Signature(key, request.tsig.name, data, dns.rcode.BADTIME, clock)
    except (dns.tsig.BadSignature, dns.tsig.PeerError):
        return Signature(None, request.tsig.name, data, dns.rcode.BADSIG, clock)
    return Signature(key, request.tsig.name, data, dns.rcode.NOERROR, clock)


def _append(response: bytes, owner: str, record: TSIG) -> bytes:
    data = record.to_wire()
    assert data is not None  # noqa: S101 - dnspython returns None only when it writes to a file
    *head, additional = HEADER.unpack_from(response)
    header = HEADER.pack(*head, additional + 1)
    envelope = RECORD.pack(dns.rdatatype.TSIG, dns.rdataclass.ANY, 0, len(data))
    return header + response[HEADER.size :] + write_name(owner) + envelope + data
