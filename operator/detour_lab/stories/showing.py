"""How long it takes until every zone answers a name as it should."""

from collections.abc import Collection

from detour_lab.dns.sampling import Sampler
from detour_lab.stage.stage import PATIENCE


async def until_all_show(
    sampler: Sampler, zones: Collection[str], hostname: str, values: frozenset[str], since: float
) -> float:
    """Wait until every zone shows these values for a name; return in how many seconds `since` then, or PATIENCE."""
    if not await sampler.until(lambda: all(sampler.shown(zone, hostname) == values for zone in zones), PATIENCE):
        return PATIENCE
    times = [sampler.first_shown(zone, hostname, values, since=since) for zone in zones]
    return max(each - since if each is not None else 0.0 for each in times)
