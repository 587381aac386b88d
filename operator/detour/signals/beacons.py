"""Takes users' reports that a name does not work for them: `POST /report` with the name, from anybody.

Nobody who sends them is known, and nobody is told whether the name is. They share the event loop with everything else,
so they get little of it: so many connections are accepted in a second, one request each, and so many are open at once.
What comes beyond that waits in the kernel, and is dropped there.
"""

import asyncio
import hashlib
import ipaddress
import json
import logging
import secrets
import socket
from collections.abc import Callable, Iterable, Sequence

from aiohttp import ClientError, web

from detour.checks.guard import IPAddress, IPNetwork
from detour.enactment.asking import split_server
from detour.model.names import canonical

logger = logging.getLogger(__name__)

PATH = "/report"
LARGEST_REPORT = 1024
"""Bytes."""

ACCEPTED_PER_SECOND = 200.0
BURST = 100.0
MOST_OPEN = 256
OPEN_FOR = 10.0
"""Seconds for which a connection may be open."""

BACKLOG = 128
LONGEST_NAME = 253
IPV6_CLIENT = 56
"""Bits of an IPv6 address that tell one client from another: what a household has."""

_CORS = {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Methods": "POST"}
_SOFT_ERROR_PAUSE = 1.0


class BeaconServer:
    """Listens for reports on `address:port`, and passes on the name and a number for who reports.

    Forwarded headers count where they come from one of the `proxies`.
    """

    def __init__(self, listen: str, *, proxies: Sequence[IPNetwork], report: Callable[[str, int], None]) -> None:
        self._host, self._port = split_server(listen)
        self._proxies = tuple(proxies)
        self._report = report
        self._key = secrets.token_bytes(32)  # of this process: what it makes of an address means nothing elsewhere
        self._server = web.Server(
            self._answer, access_log=None, logger=_silent(), keepalive_timeout=0.0, lingering_time=0.0
        )
        self._pace = _Pace(ACCEPTED_PER_SECOND, BURST)
        self.port = self._port
        self.is_listening = asyncio.Event()

    async def run(self) -> None:
        """Take reports until cancelled. Raises OSError where the address is taken."""
        loop = asyncio.get_running_loop()
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        with socket.create_server((self._host, self._port), family=family, backlog=BACKLOG) as listening:
            listening.setblocking(False)
            self.port = listening.getsockname()[1]
            self.is_listening.set()
            try:
                while True:
                    await self._pace.wait()
                    try:
                        connection, _ = await loop.sock_accept(listening)
                    except OSError as error:  # no descriptor is left, or the peer is gone already
                        logger.debug("a report could not be accepted: %s", error)
                        await asyncio.sleep(_SOFT_ERROR_PAUSE)
                        continue
                    await self._serve(connection, loop)
            finally:
                await self._server.shutdown(timeout=0.0)

    async def _serve(self, connection: socket.socket, loop: asyncio.AbstractEventLoop) -> None:
        if len(self._server.connections) >= MOST_OPEN:
            connection.close()
            return
        try:
            transport, _ = await loop.connect_accepted_socket(self._server, connection)
        except OSError:
            connection.close()
        else:
            loop.call_later(OPEN_FOR, transport.abort)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        response = await self._answered(request)
        response.headers.update(_CORS)
        response.force_close()
        return response

    async def _answered(self, request: web.BaseRequest) -> web.Response:
        if request.path != PATH:
            return web.Response(status=404, text=f"send reports to {PATH}\n")
        if request.method == "OPTIONS":
            return web.Response(status=204)
        if request.method != "POST":
            return web.Response(status=405, text="send reports with POST\n", headers={"Allow": "POST, OPTIONS"})
        try:
            body = await _body(request)
        except (web.HTTPException, ValueError, OSError, RuntimeError, ClientError):
            return web.Response(status=400, text="the report cannot be read\n")
        if body is None:
            return web.Response(status=413, text=f"a report has {LARGEST_REPORT} bytes at most\n")
        name = name_in(body)
        if name is None:
            return web.Response(status=400, text='send a hostname, as it is or as {"hostname": "api.example.com"}\n')
        forwarded = request.headers.getall("X-Forwarded-For", [])
        client = client_of(request.remote or "", forwarded, self._proxies)
        if client is not None:
            self._report(name, number_for(client, self._key))
        return web.Response(status=204)


def _silent() -> logging.Logger:
    """Return a logger that says nothing: what is wrong with a request has the address of who sent it beside it."""
    silent = logging.getLogger(f"{__name__}.requests")
    silent.disabled = True
    return silent


async def _body(request: web.BaseRequest) -> bytes | None:
    body = bytearray()
    async for piece in request.content.iter_any():
        body += piece
        if len(body) > LARGEST_REPORT:
            return None
    return bytes(body)


def name_in(body: bytes) -> str | None:
    """Return the hostname that a report is about, None where it makes no sense."""
    try:
        text = body.decode().strip()
        if text.startswith("{"):
            text = json.loads(text).get("hostname")
        if not isinstance(text, str) or not text.isascii() or not 0 < len(text) <= LONGEST_NAME:
            return None
        return canonical(text)
    except (ValueError, AttributeError, RecursionError):
        return None


def client_of(peer: str, forwarded: Iterable[str], proxies: Sequence[IPNetwork]) -> IPAddress | None:
    """Return who sends a request that came from the address `peer`, None where that cannot be told.

    A header says so where the peer is one of the `proxies`: the last address in it that is not a proxy's. Those before
    it anybody may have written.
    """
    try:
        client = _address(peer)
        for text in reversed([each.strip() for header in forwarded for each in header.split(",")]):
            if not any(client in network for network in proxies):
                break
            client = _address(text)
    except ValueError:
        return None
    return client


def _address(text: str) -> IPAddress:
    """Return the address in a text that may have a port as well. Raises ValueError."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    address = ipaddress.ip_address(text.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def number_for(client: IPAddress, key: bytes) -> int:
    """Return a number that is the same for a client each time, and says nothing without the key."""
    whole = client.packed
    told = whole[: IPV6_CLIENT // 8] if isinstance(client, ipaddress.IPv6Address) else whole
    return int.from_bytes(hashlib.blake2b(told, key=key, digest_size=8).digest())


class _Pace:
    """Lets so many through in a second, after a burst."""

    def __init__(self, per_second: float, burst: float) -> None:
        self._per_second, self._burst = per_second, burst
        self._left, self._at = burst, float("-inf")

    async def wait(self) -> None:
        """Return when one more may go."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._left = min(self._burst, self._left + (now - self._at) * self._per_second)
        self._at = now
        if self._left < 1.0:
            await asyncio.sleep((1.0 - self._left) / self._per_second)
            self._left, self._at = 1.0, loop.time()
        self._left -= 1.0
