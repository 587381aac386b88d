"""What one vantage sees: the same names, which its own resolver leads to services of its own.

So each vantage has a network that can be taken from it, or a place that it alone sees fail, while all run on one
machine. A place fails for everybody when it fails in every view.
"""

from collections.abc import Mapping

from detour_lab.dns.nameserver import NameServer
from detour_lab.loopback import LoopbackBlock
from detour_lab.services.names import ServiceNames
from detour_lab.services.regions import HTTP_PORT
from detour_lab.services.services import Mode, RegionalService

DOMAIN = "views.test"
FIRST_OCTET = 100
"""The third octet of the first view's addresses; the lab has those below."""

RESOLVER_PORT = 5300


class View:
    """What vantage `name`, the how manieth it is, sees of `places`.

    `start` raises OSError where a port is taken.
    """

    def __init__(self, name: str, number: int, places: tuple[str, ...], block: LoopbackBlock) -> None:
        self.name = name
        octet = FIRST_OCTET + number
        self.services: Mapping[str, RegionalService] = {
            place: RegionalService(block.address(octet, 10 + index), HTTP_PORT, body="ok\n")
            for index, place in enumerate(places)
        }
        names = ServiceNames(DOMAIN)
        for place, service in self.services.items():
            names.set_addresses(hostname(place), service.address)
        self.resolver = NameServer([names.store], host=block.address(octet, 2), port=RESOLVER_PORT)

    async def start(self) -> None:
        """Begin to serve."""
        for service in self.services.values():
            await service.start()
        await self.resolver.start()

    async def stop(self) -> None:
        """Serve no more."""
        await self.resolver.stop()
        for service in self.services.values():
            await service.stop()

    async def lose_network(self) -> None:
        """Let every connection of this vantage hang."""
        await self._switch(Mode.BLACK_HOLE)

    async def regain_network(self) -> None:
        """Let all work again."""
        await self._switch(Mode.UP)

    async def _switch(self, mode: Mode) -> None:
        for service in self.services.values():
            await service.switch(mode)


def hostname(place: str) -> str:
    """Return the name of a place, the same in every view."""
    return f"{place}.{DOMAIN}"
