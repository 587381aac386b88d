"""The names under which a cloud's regional services are found, which can lose their addresses as in October 2025.

A small zone of the lab (`amazonaws.test`, say) with names such as `dynamodb.us-east-1.amazonaws.test`. Two failures
that look alike to a person are kept apart: a name that VANISHED exists and answers nothing, as DynamoDB's did; a name
that was removed answers NXDOMAIN.
"""

import time
from collections.abc import Callable

from detour.model.names import canonical, is_within
from detour.model.rrset import address_sets
from detour_lab.zones.store import RecordSet, ZoneStore

ADDRESS_TTL = 5
NEGATIVE_TTL = 5
BY = "service names"
FAMILIES = ("A", "AAAA")


class ServiceNames:
    """The names of one `domain`. `store` is what a name server serves; TTLs in seconds, short as such names have."""

    def __init__(
        self,
        domain: str,
        *,
        ttl: int = ADDRESS_TTL,
        negative_ttl: int = NEGATIVE_TTL,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.store = ZoneStore(canonical(domain), negative_ttl=negative_ttl, clock=clock)
        self._ttl = ttl

    def set_addresses(self, hostname: str, *addresses: str) -> None:
        """Let `hostname` answer with these addresses, and no others, in one step.

        Raises ValueError for none (see `vanish`), for what is no address, and for a name outside the domain.
        """
        name = self._own(hostname)
        if not addresses:
            raise ValueError(f"{name}: give addresses, or let the name vanish with `vanish`")
        sets = address_sets(name, self._ttl, addresses)
        self._replace(name, [RecordSet(name, each.type.value, each.ttl, each.values) for each in sets])

    def vanish(self, hostname: str) -> None:
        """Let `hostname` exist and answer nothing: NOERROR with an empty answer."""
        name = self._own(hostname)
        self._replace(name, [RecordSet(name, "A", self._ttl, ())])

    def remove(self, hostname: str) -> None:
        """Let `hostname` answer NXDOMAIN."""
        self._replace(self._own(hostname), [])

    def _replace(self, name: str, sets: list[RecordSet]) -> None:
        present = [(name, family) for family in FAMILIES if self.store.get(name, family) is not None]
        self.store.commit(removed=present, added=sets, by=BY)

    def _own(self, hostname: str) -> str:
        name = canonical(hostname)
        if not is_within(name, self.store.domain) or name == self.store.domain:
            raise ValueError(f"{name} is not a name below {self.store.domain}, which these service names are of")
        return name
