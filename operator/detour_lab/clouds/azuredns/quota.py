"""How much Azure lets a caller do: the DNS service counts per zone, Resource Manager per caller.

Figures per zone and minute: Microsoft's "Azure subscription and service limits", Azure DNS, public DNS resource record
operations and public DNS zone operations. Figures of Resource Manager: its "request limits and throttling" page, token
buckets per subscription and principal.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from detour_lab.clouds.azuredns.errors import throttled
from detour_lab.clouds.throttle import TokenBucket


@dataclass(frozen=True, slots=True)
class Quota:
    """Calls per minute and zone, and Resource Manager's buckets as (tokens per second, size)."""

    create: int = 200
    update: int = 200
    delete: int = 200
    get: int = 2000
    list: int = 60
    zone_get: int = 1000
    reads: tuple[float, int] = (25.0, 250)
    writes: tuple[float, int] = (10.0, 200)
    deletes: tuple[float, int] = (10.0, 200)


PUBLISHED = Quota()
"""What Microsoft publishes."""


class Meters:
    """The buckets of one emulator: one of each kind for every zone and every caller that was seen."""

    def __init__(self, quota: Quota | None, clock: Callable[[], float]) -> None:
        self._quota = quota
        self._clock = clock
        self._buckets: dict[tuple[str, str], TokenBucket] = {}

    def charge(self, *, kind: str, domain: str, caller: str, operation: str) -> dict[str, str]:
        """Take one call of `kind` (a field of Quota) and return the headers that tell what is left.

        Raises Refusal (429) when a bucket is empty.
        """
        if self._quota is None:
            return {}
        manager_kind = {"create": "writes", "update": "writes", "delete": "deletes"}.get(kind, "reads")
        rate, size = getattr(self._quota, manager_kind)
        manager = self._take(("caller", f"{caller}/{manager_kind}"), rate, size, operation)
        per_minute = getattr(self._quota, kind)
        service = self._take((domain, kind), per_minute / 60, per_minute, operation)
        return {
            f"x-ms-ratelimit-remaining-subscription-{manager_kind}": str(manager),
            "x-ms-ratelimit-remaining-subscription-resource-requests": str(service),
        }

    def _take(self, key: tuple[str, str], rate: float, size: int, operation: str) -> int:
        bucket = self._buckets.setdefault(key, TokenBucket(rate, size, self._clock))
        if wait := bucket.take():
            raise throttled(max(1, math.ceil(wait)), operation)
        # Just after a call the bucket is never full, so asking for all of it takes nothing and tells how far it is.
        return max(0, math.floor(size - bucket.take(size) * rate))
