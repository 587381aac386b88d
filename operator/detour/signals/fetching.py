"""One GET over HTTP, bounded in size and time, and only to addresses that the network guard lets through."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from detour.checks.guard import NetworkGuard
from detour.checks.resolver import Resolution

TIMEOUT = 10.0
"""Seconds for a whole answer."""

USER_AGENT = "detour"
NOTHING: Mapping[str, str] = MappingProxyType({})


class FetchError(Exception):
    """Nothing was got; the text says why, without what a URL or a header may keep secret."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A status with the body and some of the headers, by their names in lower case."""

    status: int
    body: bytes
    headers: Mapping[str, str]


class Fetcher:
    """Gets answers. Names are looked up by `resolve`, and each address is put to the `guard`. To be closed in the end.

    Redirects are answers like any other, and no proxy of the environment stands between: nobody leads it elsewhere.
    """

    def __init__(self, guard: NetworkGuard, resolve: Callable[[str], Awaitable[Resolution]]) -> None:
        self._guard = guard
        self._resolver = _GuardedResolver(guard, resolve)
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Get nothing any more."""
        if self._session is not None:
            await self._session.close()

    async def get(
        self,
        url: str,
        *,
        query: Mapping[str, str] = NOTHING,
        headers: Mapping[str, str] = NOTHING,
        at_most: int,
        timeout: float = TIMEOUT,
    ) -> Answer:
        """Return the answer to a GET, of which the body has `at_most` so many bytes. Raises FetchError."""
        where = URL(url).update_query(query)
        host = where.host or ""
        try:
            if _is_literal(host) and (refusal := self._guard.refusal(host)):
                raise FetchError(refusal)
            async with asyncio.timeout(timeout):
                return await self._get(where, headers, at_most)
        except TimeoutError:
            raise FetchError(f"{host} did not answer within {timeout:g} s") from None
        except aiohttp.ClientConnectorError as error:
            raise FetchError(f"{host} cannot be reached: {error.os_error.strerror or error.os_error}") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise FetchError(f"{host} gave no answer that can be read ({type(error).__name__})") from None

    async def _get(self, url: URL, headers: Mapping[str, str], at_most: int) -> Answer:
        session = self._opened()
        sent = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity", **headers}
        async with session.get(url, headers=sent, allow_redirects=False) as answer:
            body = bytearray()
            async for piece in answer.content.iter_any():
                body += piece
                if len(body) > at_most:
                    raise FetchError(f"{url.host} answered with more than {at_most} bytes")
            found = {name.lower(): value for name, value in answer.headers.items()}
            return Answer(answer.status, bytes(body), found)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(resolver=self._resolver, use_dns_cache=False, force_close=True)
            self._session = aiohttp.ClientSession(
                connector=connector, auto_decompress=False, trust_env=False, cookie_jar=aiohttp.DummyCookieJar()
            )
        return self._session


class _GuardedResolver(AbstractResolver):
    def __init__(self, guard: NetworkGuard, resolve: Callable[[str], Awaitable[Resolution]]) -> None:
        self._guard = guard
        self._resolve = resolve

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._resolve(host)
        if not found.addresses:
            raise OSError(0, found.message or f"{host} leads to no address")
        refusals = {each: self._guard.refusal(each) for each in found.addresses}
        allowed = [each for each, refusal in refusals.items() if refusal is None]
        if not allowed:
            raise OSError(0, next(iter(refusals.values())))
        return [
            ResolveResult(
                hostname=host,
                host=each,
                port=port,
                family=socket.AF_INET6 if ":" in each else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for each in allowed
        ]

    async def close(self) -> None:
        """Nothing is open."""


def _is_literal(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdecimal()
