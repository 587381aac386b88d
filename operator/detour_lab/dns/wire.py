"""DNS messages as octets: what a server has to read of a request, and how its answer is laid out (RFC 1035 §4).

The lab's server is asked by every audit for thousands of names, and every 20 ms by the demo, in the same process as
the emulated clouds. So the plain parts are read and written here directly; dnspython is asked for what is intricate:
the data of records, and names that hold more than letters, digits and hyphens.
"""

import re
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass

import dns.edns
import dns.exception
import dns.flags
import dns.name
import dns.opcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype

HEADER = struct.Struct("!HHHHHH")
RECORD = struct.Struct("!HHIH")
OPCODE_MASK = 0x7800
QUESTION_OFFSET = HEADER.size
ADDITIONAL = 3
POINTER = 0xC0
MAXIMUM_POINTERS = 128
MAXIMUM_MESSAGE = 65535
GENERIC = "\\# "
"""What data begins with that is given as octets (RFC 3597 §5): dnspython would look into those of a type it knows."""

_PLAIN_LABELS = re.compile(rb"[a-z0-9_*.-]+", re.IGNORECASE)
_PLAIN_TEXT = re.compile(r'"[ !#-\[\]-~]{0,255}"')
_PLAIN_NAME = re.compile(r"[a-z0-9_*-]{1,63}(\.[a-z0-9_*-]{1,63})*")


class FormatError(Exception):
    """The message breaks the rules of RFC 1035 (FORMERR)."""


@dataclass(frozen=True, slots=True)
class WireRecord:
    """One record of a request. `section` counts from 1 (the question is 0); `start` is where its owner begins."""

    section: int
    name: str
    type: int
    rrclass: int
    ttl: int
    start: int
    data_start: int
    data_length: int


@dataclass(frozen=True, slots=True)
class Request:
    """A request taken apart. `question` is its question section as sent, to be repeated in the answer.

    `name` is canonical as in `detour.model.names`. `tsig` is the signature, which no section includes.
    """

    wire: bytes
    id: int
    flags: int
    opcode: int
    question: bytes
    name: str
    type: int
    rrclass: int
    records: tuple[WireRecord, ...] = ()
    edns: WireRecord | None = None
    tsig: WireRecord | None = None

    @property
    def edns_version(self) -> int:
        return 0 if self.edns is None else self.edns.ttl >> 16 & 0xFF


@dataclass(frozen=True, slots=True)
class WireSet:
    """A set to be written: the owner's canonical name, type, TTL and the data of each record in wire form."""

    name: str
    type: int
    ttl: int
    data: tuple[bytes, ...]


def read_request(wire: bytes) -> Request:
    """Take `wire` apart. Raises FormatError unless it is a request with exactly one question and sound records."""
    try:
        identity, flags, questions, *counts = HEADER.unpack_from(wire)
        if questions != 1:
            raise FormatError(f"{questions} questions")
        name, end = read_name(wire, QUESTION_OFFSET)
        rrtype, rrclass = struct.unpack_from("!HH", wire, end)
        end += 4
        question = wire[QUESTION_OFFSET:end]
        records, extra, end = _read_records(wire, end, counts)
    except (struct.error, IndexError, ValueError, dns.exception.DNSException) as error:
        raise FormatError("the message is cut short or garbled") from error
    if end != len(wire):
        raise FormatError("octets after the last record")
    opcode = (flags & OPCODE_MASK) >> 11
    return Request(
        wire, identity, flags, opcode, question, name, rrtype, rrclass, records, extra.get("OPT"), extra.get("TSIG")
    )


def _read_records(
    wire: bytes, offset: int, counts: Iterable[int]
) -> tuple[tuple[WireRecord, ...], dict[str, WireRecord], int]:
    records: list[WireRecord] = []
    extra: dict[str, WireRecord] = {}
    for section, count in enumerate(counts, start=1):
        for _ in range(count):
            if "TSIG" in extra:
                raise FormatError("the signature is not the last record")  # RFC 8945 §5.1
            start = offset
            name, offset = read_name(wire, start)
            rrtype, rrclass, ttl, length = RECORD.unpack_from(wire, offset)
            offset += RECORD.size
            if offset + length > len(wire):
                raise FormatError("a record is longer than its message")
            record = WireRecord(section, name, rrtype, rrclass, ttl, start, offset, length)
            offset += length
            if rrtype in (dns.rdatatype.OPT, dns.rdatatype.TSIG):
                kind = dns.rdatatype.to_text(rrtype)
                if section != ADDITIONAL or kind in extra:
                    raise FormatError(f"a misplaced or repeated {kind} record")
                extra[kind] = record
            else:
                records.append(record)
    return tuple(records), extra, offset


def read_name(wire: bytes, offset: int) -> tuple[str, int]:
    """Return the canonical name at `offset` and where what follows it begins. Raises FormatError or IndexError."""
    labels: list[bytes] = []
    end = 0
    pointers = 0
    while length := wire[offset]:
        if length >= POINTER:
            end = end or offset + 2
            offset = (length & 0x3F) << 8 | wire[offset + 1]
            pointers += 1
            if pointers > MAXIMUM_POINTERS:
                raise FormatError("compression pointers go round in a circle")
        elif length >= 0x40:
            raise FormatError("an unknown kind of label")
        else:
            labels.append(wire[offset + 1 : offset + 1 + length])
            offset += 1 + length
    joined = b".".join(labels)
    if _PLAIN_LABELS.fullmatch(joined) and joined.count(b".") == len(labels) - 1 and len(joined) <= 253:
        return joined.decode().lower(), end or offset + 1
    return dns.name.Name([*labels, b""]).to_text(omit_final_dot=True).lower(), end or offset + 1


def write_name(name: str) -> bytes:
    """Return the wire form of a name in presentation form, uncompressed. Raises dns.exception.DNSException."""
    if _PLAIN_NAME.fullmatch(name) and len(name) <= 253:
        return b"".join(bytes((len(label),)) + label for label in name.encode().split(b".")) + b"\0"
    wire = dns.name.from_text(name).to_wire()
    assert wire is not None  # noqa: S101 - dnspython returns None only when it writes to a file
    return wire


def write_data(rrtype: str, value: str) -> bytes:
    """Return the wire form of a record's data from its presentation form. Raises dns.exception.DNSException."""
    match rrtype:
        case "A":
            return socket.inet_aton(value)
        case "AAAA":
            return socket.inet_pton(socket.AF_INET6, value)
        case "NS" | "CNAME" | "PTR":
            return write_name(value.rstrip("."))
        case "TXT" if _PLAIN_TEXT.fullmatch(value):
            return bytes((len(value) - 2,)) + value[1:-1].encode()
        case _ if value.startswith(GENERIC):
            return bytes.fromhex(value.removeprefix(GENERIC).partition(" ")[2])
        case _:
            wire = dns.rdata.from_text(dns.rdataclass.IN, rrtype, value).to_wire()
            assert wire is not None  # noqa: S101 - as above
            return wire


def read_data(request: Request, record: WireRecord) -> dns.rdata.Rdata:
    """Return the data of `record`. Raises FormatError where it does not have the form of its type."""
    rrclass = dns.rdataclass.ANY if record.type == dns.rdatatype.TSIG else dns.rdataclass.IN
    try:
        rrtype = dns.rdatatype.RdataType.make(record.type)
        return dns.rdata.from_wire(rrclass, rrtype, request.wire, record.data_start, record.data_length)
    except (dns.exception.DNSException, ValueError, struct.error) as error:
        raise FormatError(f"{record.name}: data that its type does not allow") from error


def write_set(each: WireSet, question: bytes = b"") -> bytes:
    """Return the records of a set. Where the message asks about the owner or a name below, a pointer names it."""
    owner = write_name(each.name)
    asked = question[:-4].lower()
    if asked.endswith(owner):
        place = QUESTION_OFFSET + len(asked) - len(owner)
        owner = struct.pack("!H", POINTER << 8 | place)
    return b"".join(owner + RECORD.pack(each.type, dns.rdataclass.IN, each.ttl, len(data)) + data for data in each.data)


def write_edns(payload: int, *, extended_rcode: int, dnssec_ok: bool) -> bytes:
    """Return an OPT record (RFC 6891 §6.1.2); `extended_rcode` is the response code without its low four bits."""
    ttl = extended_rcode << 24 | (dns.flags.DO if dnssec_ok else 0)
    return b"\0" + RECORD.pack(dns.rdatatype.OPT, payload, ttl, 0)
