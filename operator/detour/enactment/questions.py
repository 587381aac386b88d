"""Questions in great number: prepared packets over one socket for each server, answers compared before they are parsed.

An answer whose records all are of the name and type that were asked for is known by the octets of these records,
whatever the name; one without any record by its header (RFC 1035 §4.1). All others are parsed. Whatever is not plain
(cut short, a server that does not know EDNS, silence) is asked again by itself.
"""

import asyncio
import contextlib
import errno
import functools
import ipaddress
import os
import re
import socket
import struct
from collections.abc import Iterator
from typing import cast

import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype

from detour.enactment.asking import (
    ASK_TIMEOUT,
    EDNS_TIMEOUT,
    NO_EDNS,
    PAYLOAD,
    Answer,
    ask,
    judged,
    no_answer,
    split_server,
)
from detour.model.names import MAXIMUM_NAME_LENGTH

SOCKET_LASTS = 60.0
"""Seconds after which a socket makes way for one with another port: who would forge an answer has to guess it."""

REMEMBERED = 1 << 15
"""Answers whose octets are remembered."""

PLAIN_NAME = re.compile(r"(?:[a-z0-9*_-]{1,63}\.)*[a-z0-9*_-]{1,63}")
"""Names without escapes and capitals, as nearly all are."""

BUFFER = 1 << 20
"""Octets of answers that may wait for this process."""

HEADER = struct.Struct("!HHHHHH")
IS_ANSWER, IS_AUTHORITATIVE, IS_CUT_SHORT, RCODE = 0x8000, 0x0400, 0x0200, 0x000F
PLAIN = (dns.rcode.NOERROR, dns.rcode.NXDOMAIN)
OPT = struct.pack("!BHHIH", 0, dns.rdatatype.OPT, PAYLOAD, 0, 0)
"""EDNS of version 0 without options (RFC 6891 §6.1.2)."""

ONE_QUESTION = struct.pack("!HHHHH", 0, 1, 0, 0, 1)
"""The header of a question with EDNS, all but its number."""

EXTENDED = 6
"""Where it has the upper half of the answer's code, from its end."""

RECORD = struct.Struct("!HHHIH")
"""The head of a record whose name is a pointer: that, its type, class, TTL and how long its data are (§4.1.3)."""

ASKED_NAME = 0xC000 | HEADER.size
"""The pointer to the name in the question (§4.1.4)."""

LARGEST_TTL = 2**31 - 1
"""RFC 2181 §8."""

WITHOUT_NAMES = {each.name: each for each in (dns.rdatatype.A, dns.rdatatype.AAAA, dns.rdatatype.TXT)}
"""Types whose data hold no names, which could point elsewhere in the answer."""

NUMBERS = 256
"""Numbers of questions that are drawn at a time: each time costs a call of the kernel."""


class Questions:
    """Asks authoritative servers, for one event loop. It keeps as many sockets as there are servers."""

    def __init__(self) -> None:
        self._sockets: dict[str, _Socket] = {}
        self._opening: dict[str, asyncio.Lock] = {}

    async def ask(self, server: str, name: str, rrtype: str) -> Answer:
        """Return what a server has (see `Ask`)."""
        question = _question(name, rrtype)
        try:
            async with asyncio.timeout(EDNS_TIMEOUT):
                octets = await (await self._socket(server)).exchange(question)
        except TimeoutError:
            return await ask(server, name, rrtype, within=ASK_TIMEOUT - EDNS_TIMEOUT, edns=False)
        except Exception as error:  # what is no address, or no port, is known by the attempt
            raise no_answer(error, server, name) from error
        flags, answers = struct.unpack_from("!H2xH", octets, 2)
        if flags & IS_CUT_SHORT or flags & RCODE in NO_EDNS:
            return await ask(server, name, rrtype, edns=flags & RCODE not in NO_EDNS)
        if flags & IS_AUTHORITATIVE and flags & RCODE in PLAIN and _is_plain(octets):
            if not answers:
                return Answer()
            if rrtype in WITHOUT_NAMES and (told := _records(octets, len(question) - len(OPT) + 2, answers)):
                return _plain_answer(rrtype, told) or _parsed(octets, server, name, rrtype)
        return _parsed(octets, server, name, rrtype)

    async def _socket(self, server: str) -> "_Socket":
        now = asyncio.get_running_loop().time()
        found = self._sockets.get(server)
        if found is None or not found.serves(now):
            async with self._opening.setdefault(server, asyncio.Lock()):
                found = self._sockets.get(server)
                if found is None or not found.serves(now):
                    if found is not None:
                        found.retire()
                    found = self._sockets[server] = await _open(server)
        return found

    def close(self) -> None:
        """Close every socket; what is asked for gets no answer."""
        for each in self._sockets.values():
            each.close()
        self._sockets.clear()


class _Socket(asyncio.DatagramProtocol):
    """A UDP socket that is connected to one server, and the questions that wait for its answers by their numbers."""

    def __init__(self, until: float) -> None:
        self._until = until
        self._numbers = _numbers()
        self._waiting: dict[int, tuple[bytes, asyncio.Future[bytes]]] = {}
        self._transport: asyncio.DatagramTransport  # from `connection_made` on, before anybody asks
        self._is_retired = False

    def serves(self, now: float) -> bool:
        """Tell whether new questions may go this way."""
        return not self._transport.is_closing() and now < self._until

    async def exchange(self, question: bytes) -> bytes:
        """Send a question, which has no number yet, and return the answer. Raises OSError; the deadline is ours."""
        number = next(self._numbers)
        while number in self._waiting:
            number = next(self._numbers)
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[number] = (question, answer)
        try:
            self._transport.sendto(number.to_bytes(2, "big") + question)
            return await answer
        finally:
            del self._waiting[number]
            if self._is_retired and not self._waiting:
                self.close()

    def retire(self) -> None:
        """Close once nothing waits for an answer any more."""
        self._is_retired = True
        if not self._waiting:
            self.close()

    def close(self) -> None:
        """Give up what waits for an answer."""
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: object) -> None:
        """Give an answer to who asked; what answers no question is passed over."""
        if len(data) < HEADER.size:
            return
        number, flags, questions, *_ = HEADER.unpack_from(data)
        question, answer = self._waiting.get(number, (b"", None))
        if answer is None or answer.done() or not flags & IS_ANSWER:
            return
        asked = question[HEADER.size - 2 : len(question) - len(OPT)]
        repeated = data[HEADER.size : HEADER.size + len(asked)]
        is_without = questions == 0 and flags & RCODE in NO_EDNS  # a server that understood nothing repeats nothing
        if is_without or (questions == 1 and repeated.lower() == asked.lower()):
            answer.set_result(data)

    def error_received(self, exc: Exception) -> None:
        """The kernel says that nobody listens there, or that there is no way."""
        for _, answer in list(self._waiting.values()):
            if not answer.done():
                answer.set_exception(exc if isinstance(exc, OSError) else OSError(errno.EIO, str(exc)))

    def connection_lost(self, exc: Exception | None) -> None:
        self.error_received(exc or OSError(errno.ECONNABORTED, "the socket was closed"))


async def _open(server: str) -> _Socket:
    """Raises OSError, ValueError where the server is given by no address."""
    address, port = split_server(server)
    ipaddress.ip_address(address)  # a name would be looked up, by this
    loop = asyncio.get_running_loop()
    make = functools.partial(_Socket, loop.time() + SOCKET_LASTS)
    transport, found = await loop.create_datagram_endpoint(make, remote_addr=(address, port))
    with contextlib.suppress(OSError):
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
    return found


def _is_plain(octets: bytes) -> bool:
    """Tell whether the answer ends with a plain OPT record, or has nothing beside: no more to its code (RFC 6891)."""
    beside = HEADER.unpack_from(octets)[-1]
    return not beside or (octets[-len(OPT) :].startswith(OPT[:3]) and octets[-EXTENDED] == 0)


def _records(octets: bytes, start: int, count: int) -> bytes | None:
    """Return the octets of the answer's records, which begin at `start`; None where one is not of the asked name."""
    end = start
    try:
        for _ in range(count):
            pointer, *_, length = RECORD.unpack_from(octets, end)
            if pointer != ASKED_NAME:
                return None
            end += RECORD.size + length
    except struct.error:
        return None
    return octets[start:end] if end <= len(octets) else None


@functools.lru_cache(maxsize=REMEMBERED)
def _plain_answer(rrtype: str, records: bytes) -> Answer | None:
    """Return what these records say, each of the asked name; None where one is not of the asked type."""
    kind, place = WITHOUT_NAMES[rrtype], 0
    values: set[str] = set()
    ttls: list[int] = []
    while place < len(records):
        _, its_kind, its_class, ttl, length = RECORD.unpack_from(records, place)
        place += RECORD.size
        if (its_kind, its_class) != (kind, dns.rdataclass.IN) or ttl > LARGEST_TTL:
            return None
        try:
            values.add(dns.rdata.from_wire(dns.rdataclass.IN, kind, records, place, length).to_text())
        except Exception:  # what a stranger sends may be anything: whoever parses all of it says what it is
            return None
        ttls.append(ttl)
        place += length
    return Answer(tuple(sorted(values)), min(ttls))


def _parsed(octets: bytes, server: str, name: str, rrtype: str) -> Answer:
    try:
        message = dns.message.from_wire(octets)
    except Exception as error:  # what a stranger sends may be anything, and is no answer
        raise no_answer(error, server, name) from error
    return judged(message, server, name, rrtype)


def _numbers() -> Iterator[int]:
    """Give numbers that nobody can guess: who would forge an answer has to (RFC 5452 §4.3)."""
    while True:
        yield from struct.unpack(f"!{NUMBERS}H", os.urandom(2 * NUMBERS))


def _question(name: str, rrtype: str) -> bytes:
    """Return a question without recursion, all but its number."""
    return ONE_QUESTION + octets_of(name) + struct.pack("!HH", dns.rdatatype.from_text(rrtype), 1) + OPT


def octets_of(name: str) -> bytes:
    """Return a name as a question has it (RFC 1035 §3.1), in lower case."""
    if PLAIN_NAME.fullmatch(name) and len(name) <= MAXIMUM_NAME_LENGTH:
        return b"".join(bytes((len(label),)) + label for label in name.encode().split(b".")) + b"\0"
    return dns.name.from_text(name).to_digestable()
