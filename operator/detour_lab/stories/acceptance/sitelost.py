"""sitelost: the scenario `site-lost`, a region that takes the cluster in force along with it.

`size` is the seconds for which a ledger must stand still before the other site takes over: 90 is the chart's own, with
a renewal every 20 s and the standby at rank 1; with less everything is shorter.
"""

from detour_lab.stories.acceptance import Say
from detour_lab.stories.scenarios import site_lost
from detour_lab.stories.scenarios.result import Result
from detour_lab.stories.twosites import Times, TwoSites


async def play(size: int, say: Say) -> Result:
    """Lose a site."""
    times = Times() if size == Times().take_over_after else Times.short(size)
    async with TwoSites(times=times, say=say) as sites:
        await sites.wait_until_ready()
        return await site_lost.play(sites, say)
