"""Talking to one DNS server over TCP, with every message signed and every answer checked.

TCP because an UPDATE of some hundred sets needs it, and because it tells apart what matters most after a failure: a
connection that was never made (nothing was sent) from an answer that never came (anything may have happened).
"""

import asyncio
import struct
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import dns.flags
import dns.message
import dns.rcode
import dns.tsig

from detour.enactment.contract import (
    CredentialsRefusedError,
    ProviderError,
    UnavailableError,
    UnexpectedAnswerError,
)
from detour.providers.rfc2136.address import LookUp, server_address

CONNECT_TIMEOUT = 3.0
ANSWER_TIMEOUT = 10.0
PIPELINED = 16
"""Queries sent before their answers are read; BIND works on up to 23 of one connection at a time."""

UNSIGNED_REFUSALS = (dns.rcode.REFUSED, dns.rcode.NOTAUTH, dns.rcode.SERVFAIL)

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Server:
    """One server, named `address:port` or `host:port`, and the key that it knows us by."""

    def __init__(self, address: str, key: dns.tsig.Key | None) -> None:
        """Connect nowhere yet. Raises ValueError where `address` is none (`address.server_address`)."""
        parsed = server_address(address)
        self.address = str(parsed)
        self._port = parsed.port
        self._look_up = LookUp(parsed.host)
        self._key = key

    def close(self) -> None:
        """Release what looks up the server's name; connections last for one exchange only."""
        self._look_up.close()

    def sign(self, message: dns.message.Message) -> bytes:
        """Return `message` as signed octets. Raises dns.exception.TooBig above 65,535 of them."""
        if self._key is not None:
            message.use_tsig(self._key)
        return message.to_wire(max_size=65_535)

    async def ask(self, messages: Sequence[dns.message.Message]) -> list[dns.message.Message]:
        """Send `messages`, which change nothing, over one connection; return their answers in the same order.

        Raises UnavailableError where an answer is missing, UnexpectedAnswerError where one is no answer to its
        question, CredentialsRefusedError where the server does not accept the key.
        """
        answers: list[dns.message.Message] = []
        async with self._connected() as connection:
            for start in range(0, len(messages), PIPELINED):
                answers += await self._ask_some(connection, messages[start : start + PIPELINED])
        return answers

    async def _ask_some(
        self, connection: Connection, messages: Sequence[dns.message.Message]
    ) -> list[dns.message.Message]:
        reader, writer = connection
        waiting: dict[int, dns.message.Message] = {}
        for place, message in enumerate(messages):
            message.id = place
            _send(writer, self.sign(message))
            waiting[place] = message
        answers: dict[int, dns.message.Message] = {}
        while waiting:
            wire = await self._receive(reader, UnavailableError)
            query = waiting.pop(int.from_bytes(wire[:2]), None)
            if query is None:
                raise UnexpectedAnswerError(f"{self.address} sent an answer to no question of ours")
            answers[query.id] = self.parse(wire, query)
        return [answers[place] for place in range(len(messages))]

    async def write(
        self, wire: bytes, message: dns.message.Message, *, lost: type[ProviderError]
    ) -> dns.message.Message:
        """Send `message`, already signed as `wire`, and return its answer.

        Raises UnavailableError where nothing was sent, CredentialsRefusedError where the server does not accept the
        key and so changed nothing, and `lost` where an answer is missing or cannot be trusted.
        """
        async with self._connected() as (reader, writer):
            _send(writer, wire)
            return self.parse(await self._receive(reader, lost), message, odd=lost)

    @property
    def signs(self) -> bool:
        """Tell whether messages are signed, and answers have to be."""
        return self._key is not None

    async def stream(self, query: dns.message.Message) -> AsyncGenerator[bytes]:
        """Send `query` and yield each message of its answer, unchecked; the reader says when it is complete."""
        async with self._connected() as (reader, writer):
            _send(writer, self.sign(query))
            while True:
                yield await self._receive(reader, UnavailableError)

    def parse(
        self,
        wire: bytes,
        query: dns.message.Message,
        *,
        odd: type[ProviderError] = UnexpectedAnswerError,
        transfer: bool = False,
        apart: bool = False,
        first: bool = True,
        context: dns.tsig.HMACTSig | dns.tsig.GSSTSig | None = None,
    ) -> dns.message.Message:
        """Return the answer in `wire`, its signature verified.

        A `transfer` is a chain of messages: all but the `first` may lack the question and, but for the last, the
        signature (RFC 8945 §5.3.1), and each is verified in the `context` of those before it. With `apart` every record
        is a set of its own, in the order of the wire.

        Raises CredentialsRefusedError where the server does not accept the key, `odd` for anything else that is no
        whole, well-formed and signed answer to `query`. Never lets another exception out: octets of a stranger's are
        parsed here.
        """
        try:
            answer = dns.message.from_wire(
                wire,
                keyring=self._key,
                request_mac=query.mac,
                xfr=transfer,
                multi=transfer,
                tsig_ctx=context,
                one_rr_per_rrset=apart,
            )
            is_answer = query.is_response(answer, xfr_continuation=not first)
            is_signed = answer.had_tsig or self._key is None or not first
        except dns.tsig.PeerBadTime:
            raise CredentialsRefusedError(
                f"{self.address} refused the signature's time (BADTIME): its clock and ours differ by more than 300 s; "
                "set both by NTP"
            ) from None
        except dns.tsig.BadTime:
            raise odd(
                f"{self.address} signed its answer at a time that is not ours: the clocks differ by more than 300 s; "
                "set both by NTP"
            ) from None
        except (dns.tsig.PeerBadKey, dns.tsig.PeerBadSignature, dns.tsig.PeerError) as error:
            answer_word = {dns.tsig.PeerBadKey: "BADKEY", dns.tsig.PeerBadSignature: "BADSIG"}.get(type(error))
            raise CredentialsRefusedError(
                f"{self.address} does not accept the TSIG key ({answer_word or 'TSIG error'}): key name, algorithm and "
                "secret must be the ones in the server's configuration"
            ) from None
        except Exception as error:
            refusal = _unsigned_refusal(wire, query) if odd is UnexpectedAnswerError else None
            if refusal is None:
                raise odd(f"{self.address} sent an answer that cannot be trusted ({type(error).__name__})") from None
            return refusal
        if not is_answer:
            raise odd(f"{self.address} sent something that is no answer to our question")
        if answer.flags & dns.flags.TC:
            raise odd(f"{self.address} cut its answer short, over TCP")
        if not is_signed and answer.rcode() not in UNSIGNED_REFUSALS:
            raise odd(f"{self.address} sent an answer without our signature")
        return answer

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
        reader, writer = await self._connect()
        try:
            yield reader, writer
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _connect(self) -> Connection:
        """Connect to the first of the server's addresses that takes it. Raises UnavailableError."""
        failures: dict[str, str] = {}
        for address in await self._look_up.addresses():
            try:
                async with asyncio.timeout(CONNECT_TIMEOUT):
                    connection = await asyncio.open_connection(address, self._port)
            except TimeoutError:
                failures[address] = f"no connection within {CONNECT_TIMEOUT:g} s"
            except OSError as error:
                failures[address] = error.strerror or type(error).__name__
            else:
                self._look_up.served(address)
                return connection
        reasons = list(failures.values())
        why = reasons[0] if len(reasons) == 1 else ", ".join(f"{each}: {text}" for each, text in failures.items())
        raise UnavailableError(
            f"cannot connect to {self.address} over TCP ({why}): does the server run, is it reachable?"
        )


def _send(writer: asyncio.StreamWriter, wire: bytes) -> None:
    writer.write(struct.pack("!H", len(wire)) + wire)


def _unsigned_refusal(wire: bytes, query: dns.message.Message) -> dns.message.Message | None:
    """Return the refusal in `wire`, if that is what it is: Knot doesn't sign it for zones that it doesn't have.

    To a read it is as good as no answer, so believing it harms nobody; it says better what is wrong.
    """
    try:
        answer = dns.message.from_wire(wire)
        return answer if answer.rcode() in UNSIGNED_REFUSALS and query.is_response(answer) else None
    except Exception:
        return None
