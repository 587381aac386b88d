"""Talking to one DNS server over TCP, with every message signed and every answer checked.

TCP because an UPDATE of some hundred sets needs it, and because it tells apart what matters most after a failure: a
connection that was never made (nothing was sent) from an answer that never came (anything may have happened).
"""

import asyncio
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import dns.exception
import dns.message
import dns.rcode
import dns.tsig

from detour.enactment.contract import CredentialsRefusedError, ProviderError, UnavailableError

CONNECT_TIMEOUT = 3.0
ANSWER_TIMEOUT = 10.0
PIPELINED = 16
"""Queries sent before their answers are read; BIND works on up to 23 of one connection at a time."""

UNSIGNED_REFUSALS = (dns.rcode.REFUSED, dns.rcode.NOTAUTH, dns.rcode.SERVFAIL)

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Server:
    """One server, named `address:port`, and the key that it knows us by."""

    def __init__(self, address: str, key: dns.tsig.Key | None) -> None:
        """Connect nowhere yet. Raises ValueError where `address` is not `address:port`."""
        host, separator, port = address.rpartition(":")
        if not separator or not host or not port.isdigit():
            raise ValueError(
                f"server {address!r} is not of the form address:port, such as 192.0.2.1:53 or [2001:db8::1]:53"
            )
        self.address = address
        self._host, self._port = host.strip("[]"), int(port)
        self._key = key

    def sign(self, message: dns.message.Message) -> bytes:
        """Return `message` as signed octets. Raises dns.exception.TooBig above 65,535 of them."""
        if self._key is not None:
            message.use_tsig(self._key)
        return message.to_wire(max_size=65_535)

    async def ask(
        self, messages: Sequence[dns.message.Message], *, lost: type[ProviderError]
    ) -> list[dns.message.Message]:
        """Send `messages` over one connection and return their answers in the same order.

        Raises UnavailableError where nothing was sent, CredentialsRefusedError where the server does not accept the
        key, and `lost` where an answer is missing or cannot be trusted.
        """
        answers: list[dns.message.Message] = []
        async with self._connected() as connection:
            for start in range(0, len(messages), PIPELINED):
                answers += await self._ask_some(connection, messages[start : start + PIPELINED], lost)
        return answers

    async def _ask_some(
        self, connection: Connection, messages: Sequence[dns.message.Message], lost: type[ProviderError]
    ) -> list[dns.message.Message]:
        reader, writer = connection
        waiting: dict[int, dns.message.Message] = {}
        for place, message in enumerate(messages):
            message.id = place
            wire = self.sign(message)
            writer.write(struct.pack("!H", len(wire)) + wire)
            waiting[place] = message
        answers: dict[int, dns.message.Message] = {}
        while waiting:
            wire = await self._receive(reader, lost)
            query = waiting.pop(int.from_bytes(wire[:2]), None)
            if query is None:
                raise lost(f"{self.address} sent an answer to no question of ours")
            answers[query.id] = self.parse(wire, query, lost=lost)
        return [answers[place] for place in range(len(messages))]

    async def exchange(
        self, wire: bytes, message: dns.message.Message, *, lost: type[ProviderError]
    ) -> dns.message.Message:
        """Send `message`, already signed as `wire`, and return its answer. Raises as `ask` does."""
        async with self._connected() as (reader, writer):
            writer.write(struct.pack("!H", len(wire)) + wire)
            return self.parse(await self._receive(reader, lost), message, lost=lost)

    async def stream(self, query: dns.message.Message) -> AsyncIterator[bytes]:
        """Send `query` and yield each message of its answer, unchecked; the reader says when it is complete."""
        async with self._connected() as (reader, writer):
            wire = self.sign(query)
            writer.write(struct.pack("!H", len(wire)) + wire)
            while True:
                yield await self._receive(reader, UnavailableError)

    def parse(
        self,
        wire: bytes,
        query: dns.message.Message,
        *,
        lost: type[ProviderError] = UnavailableError,
        transfer: bool = False,
        context: dns.tsig.HMACTSig | dns.tsig.GSSTSig | None = None,
    ) -> dns.message.Message:
        """Return the answer in `wire`, its signature verified; `context` chains the messages of a transfer."""
        try:
            return dns.message.from_wire(
                wire, keyring=self._key, request_mac=query.mac, xfr=transfer, multi=transfer, tsig_ctx=context
            )
        except dns.tsig.PeerBadTime:
            raise CredentialsRefusedError(
                f"{self.address} refused the signature's time (BADTIME): its clock and ours differ by more than 300 s; "
                "set both by NTP"
            ) from None
        except (dns.tsig.PeerBadKey, dns.tsig.PeerBadSignature, dns.tsig.PeerError) as error:
            answer = {dns.tsig.PeerBadKey: "BADKEY", dns.tsig.PeerBadSignature: "BADSIG"}.get(type(error), "TSIG error")
            raise CredentialsRefusedError(
                f"{self.address} does not accept the TSIG key ({answer}): key name, algorithm and secret must be the "
                "ones in the server's configuration"
            ) from None
        except dns.exception.DNSException as error:
            refusal = _unsigned_refusal(wire) if lost is UnavailableError else None
            if refusal is None:
                raise lost(f"{self.address} sent an answer that cannot be trusted ({type(error).__name__})") from None
            return refusal

    async def _receive(self, reader: asyncio.StreamReader, lost: type[ProviderError]) -> bytes:
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT):
                (length,) = struct.unpack("!H", await reader.readexactly(2))
                return await reader.readexactly(length)
        except TimeoutError:
            raise lost(f"{self.address} did not answer within {ANSWER_TIMEOUT:g} s") from None
        except (OSError, asyncio.IncompleteReadError):
            raise lost(f"{self.address} closed the connection before its answer was complete") from None

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Connection]:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                reader, writer = await asyncio.open_connection(self._host, self._port)
        except TimeoutError:
            raise UnavailableError(f"no connection to {self.address} over TCP within {CONNECT_TIMEOUT:g} s") from None
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise UnavailableError(
                f"cannot connect to {self.address} over TCP ({why}): does the server run, is it reachable?"
            ) from None
        try:
            yield reader, writer
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


def _unsigned_refusal(wire: bytes) -> dns.message.Message | None:
    """Return the refusal in `wire`, if that is what it is: Knot doesn't sign it for zones that it doesn't have.

    To a read it is as good as no answer, so believing it harms nobody; it says better what is wrong.
    """
    try:
        answer = dns.message.from_wire(wire)
    except dns.exception.DNSException:
        return None
    return answer if answer.rcode() in UNSIGNED_REFUSALS else None
