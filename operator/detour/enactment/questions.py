"""Questions in great number: prepared packets over one socket for each server, answers compared before they are parsed.

An answer that says what the one before said is known by its octets; one without any record by its header (RFC 1035
§4.1.1). Whatever is not plain (cut short, a server that does not know EDNS, silence) is asked again by itself.
"""

import asyncio
import contextlib
import errno
import functools
import ipaddress
import secrets
import socket
import struct
from typing import NamedTuple, cast

import dns.message
import dns.name
import dns.rcode
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

SOCKET_LASTS = 60.0
"""Seconds after which a socket makes way for one with another port: who would forge an answer has to guess it."""

REMEMBERED = 4
"""Answers that are known by their octets for each question: servers turn the order of their records."""

KEPT_FOR = 600.0
"""Seconds for which answers are remembered at least."""

BUFFER = 1 << 20
"""Octets of answers that may wait for this process."""

HEADER = struct.Struct("!HHHHHH")
IS_ANSWER, IS_AUTHORITATIVE, IS_CUT_SHORT, RCODE = 0x8000, 0x0400, 0x0200, 0x000F
PLAIN = (dns.rcode.NOERROR, dns.rcode.NXDOMAIN)
OPT = struct.pack("!BHHIH", 0, dns.rdatatype.OPT, PAYLOAD, 0, 0)
"""EDNS of version 0 without options (RFC 6891 §6.1.2)."""

EXTENDED = 6
"""Where it has the upper half of the answer's code, from its end."""


class _Key(NamedTuple):
    server: str
    name: str
    rrtype: str


class Questions:
    """Asks authoritative servers, for one event loop. It keeps as many sockets as there are servers."""

    def __init__(self) -> None:
        self._sockets: dict[str, _Socket] = {}
        self._opening: dict[str, asyncio.Lock] = {}
        self._known: dict[_Key, dict[bytes, Answer]] = {}
        self._known_before: dict[_Key, dict[bytes, Answer]] = {}  # what nobody asks for any more is gone with it
        self._turned_at = 0.0

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
        if flags & IS_AUTHORITATIVE and flags & RCODE in PLAIN and not answers and _is_plain(octets):
            return Answer()
        return self._read(_Key(server, name, rrtype), octets)

    def _read(self, key: _Key, octets: bytes) -> Answer:
        self._turn()
        body = octets[2:]  # without the number of the question
        known = self._known.setdefault(key, self._known_before.pop(key, {}))
        if (answer := known.get(body)) is not None:
            return answer
        try:
            message = dns.message.from_wire(octets)
        except Exception as error:  # what a stranger sends may be anything, and is no answer
            raise no_answer(error, key.server, key.name) from error
        answer = judged(message, *key)
        while len(known) >= REMEMBERED:
            del known[next(iter(known))]
        known[body] = answer
        return answer

    def _turn(self) -> None:
        """Forget, now and then, the answers to questions that were not asked for long."""
        now = asyncio.get_running_loop().time()
        if now > self._turned_at + KEPT_FOR:
            self._known, self._known_before, self._turned_at = {}, self._known, now

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
        self._waiting: dict[int, tuple[bytes, asyncio.Future[bytes]]] = {}
        self._transport: asyncio.DatagramTransport  # from `connection_made` on, before anybody asks
        self._is_retired = False

    def serves(self, now: float) -> bool:
        """Tell whether new questions may go this way."""
        return not self._transport.is_closing() and now < self._until

    async def exchange(self, question: bytes) -> bytes:
        """Send a question, which has no number yet, and return the answer. Raises OSError; the deadline is ours."""
        number = secrets.randbelow(1 << 16)
        while number in self._waiting:
            number = secrets.randbelow(1 << 16)
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


@functools.lru_cache(maxsize=1 << 16)
def _question(name: str, rrtype: str) -> bytes:
    """Return a question without recursion, all but its number."""
    counts = struct.pack("!HHHHH", 0, 1, 0, 0, 1)
    asked = dns.name.from_text(name).to_digestable() + struct.pack("!HH", dns.rdatatype.from_text(rrtype), 1)
    return counts + asked + OPT
