"""The authoritative servers of one zone: who they are, whether the world is sent to them, and what another site's
ledger looks like there."""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

from detour.checks.resolver import Delegation
from detour.enactment.asking import Ask, NoAnswerError, UnreachableError, split_server
from detour.enactment.ledger import Ledger, ledger_in_answer
from detour.enactment.takeover import Takeover
from detour.model.names import canonical
from detour.model.rrset import is_address

LOOK_UP_PERIOD = 600.0
LOOK_UP_RETRY = 10.0
"""Seconds until the addresses of the servers are looked up again, after success and after failure."""

DELEGATION_RETRY = 60.0
"""Seconds until it is asked again where the world is sent, where that could not be told."""

LOOK_UP_TIMEOUT = 5.0
"""Seconds for a look-up by the system."""

NOT_YET = 0.2
"""Seconds until it is asked again what the servers are called, while the provider has not said so."""


class NameServers:
    """Keeps the servers of a zone current: `servers` are their addresses, `hosts` the names of those that have one.

    `look_up` gives the addresses of a host name, `look_up_by_system` those that only this system knows of,
    `delegation_of` where the world is sent for a domain.
    """

    def __init__(
        self,
        *,
        ask: Ask,
        look_up: Callable[[str], Awaitable[tuple[str, ...]]],
        delegation_of: Callable[[str], Awaitable[Delegation | None]],
        look_up_by_system: Callable[[str], Awaitable[tuple[str, ...]]] | None = None,
    ) -> None:
        self.servers: tuple[str, ...] = ()
        self.hosts: dict[str, str] = {}
        self.delegation: Delegation | None = None
        self._turn = 0
        self._ask = ask
        self._look_up = look_up
        self._delegation_of = delegation_of
        self._look_up_by_system = look_up_by_system or _by_system

    async def refresh(self, domain: str, *, declared: tuple[str, ...], assigned: tuple[str, ...]) -> float:
        """Look up the servers `declared`, else those that the provider `assigned`; return the seconds to the next time.

        `servers` keeps what it was where no address is found.
        """
        named = declared or assigned
        found = {server: name for name in named for server in await self._servers_of(name)}
        if found:
            self.servers, self.hosts = tuple(sorted(found)), found
        if assigned:
            self.delegation = await self._delegation_of(domain)
        if not found:
            return LOOK_UP_RETRY if named else NOT_YET
        is_unknown = self.delegation is None and any(":" not in each for each in assigned)
        return DELEGATION_RETRY if is_unknown else LOOK_UP_PERIOD

    async def own_names(self, domain: str) -> list[str]:
        """Return the names that the zone itself gives its servers; none where no server says."""
        for server in self.servers:
            try:
                return [canonical(each) for each in (await self._ask(server, domain, "NS")).values]
            except NoAnswerError:
                continue
        return []

    async def any_answers(self, domain: str) -> bool:
        """Tell whether any of the servers answers for the zone, as soon as one does: a reference check."""
        return await enough(1, [self._answers(server, domain) for server in self.servers])

    async def _answers(self, server: str, domain: str) -> bool:
        try:
            await self._ask(server, domain, "SOA")
        except NoAnswerError:
            return False
        return True

    async def shown_ledger(self, name: str) -> tuple[str, Ledger | None] | None:
        """Ask one server, each time another, for a ledger; return what it shows, None where it does not answer."""
        for _ in self.servers:
            self._turn += 1
            server = self.servers[self._turn % len(self.servers)]
            try:
                return server, ledger_in_answer((await self._ask(server, name, "TXT")).values)
            except UnreachableError:
                continue  # it could not be asked at all: another one can
            except NoAnswerError:
                return None
        return None

    async def watch_ledger(self, name: str, takeover: Takeover) -> None:
        """Ask every server once for the ledger of another site, and tell what they show. Silence is no news."""
        answers = await asyncio.gather(*(self._ledger_at(server, name) for server in self.servers))
        for ledger in answers:
            if ledger is not None:
                takeover.saw(ledger)

    async def _ledger_at(self, server: str, name: str) -> Ledger | None:
        try:
            return ledger_in_answer((await self._ask(server, name, "TXT")).values)
        except NoAnswerError:
            return None

    async def _servers_of(self, name: str) -> tuple[str, ...]:
        host, port = split_server(name) if ":" in name else (name, 53)
        if is_address(host):
            return (name,)
        addresses = await self._look_up(host) or (await self._look_up_by_system(host) if ":" in name else ())
        return tuple(f"[{each}]:{port}" if ":" in each else f"{each}:{port}" for each in addresses)


async def _by_system(host: str) -> tuple[str, ...]:
    """Return the addresses of a server that a person named: the system knows its services and /etc/hosts, too."""
    loop = asyncio.get_running_loop()
    with contextlib.suppress(OSError, UnicodeError, TimeoutError):
        async with asyncio.timeout(LOOK_UP_TIMEOUT):
            found = await loop.getaddrinfo(host, 0, type=socket.SOCK_STREAM)
            return tuple(dict.fromkeys(str(each[4][0]) for each in found))
    return ()


async def enough(number: int, asked: Sequence[Coroutine[Any, Any, bool]]) -> bool:
    """Tell whether at least `number` of `asked` hold, as soon as that many do."""
    tasks = [asyncio.ensure_future(each) for each in asked]
    try:
        for task in asyncio.as_completed(tasks):
            number -= await task
            if number <= 0:
                return True
        return False
    finally:
        for each in tasks:
            each.cancel()
