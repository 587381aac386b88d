"""outside-edit: somebody deletes a record in one zone, empties it in another and edits it in a third.

Detour must put each back within 60 s, without a person, and say that it did.
"""

import asyncio
import time
from collections.abc import Callable

from detour_lab.dns.sampling import Question, Sampler
from detour_lab.stage.stage import NAMESPACE, PATIENCE, Stage, StageError, wait_for
from detour_lab.stories.scenarios.result import Result

HOSTNAME = "api.shop.example.com"
REPAIR_WITHIN = 60.0
"""Seconds, as promised."""

DAMAGE: dict[str, tuple[str, ...]] = {
    "shop-route53": ("203.0.113.66",),
    "shop-azure": (),
    "shop-google": (),
    "shop-bind": ("203.0.113.66", "203.0.113.67"),
}
"""What an outsider puts in place of the record in each zone; nothing means that it is deleted."""


async def play(stage: Stage, say: Callable[[str], None], *, slack: float = 1.0) -> Result:
    """Play on a stage whose records are Ready; `slack` is by how much longer than promised a repair may take."""
    servers = stage.lab.name_servers
    async with Sampler(servers, [Question(HOSTNAME)], clock=time.time) as sampler:
        await sampler.until(lambda: all(sampler.shown(zone, HOSTNAME) for zone in servers), PATIENCE)
        right = {zone: sampler.shown(zone, HOSTNAME) for zone in servers}
        damaged_at = time.time()
        for zone, values in DAMAGE.items():
            say(f"{zone}: an outsider {'sets ' + ', '.join(values) if values else 'deletes ' + HOSTNAME}")
            await stage.lab.edit(zone, HOSTNAME, "A", values)
        await sampler.until(
            lambda: all(sampler.shown(zone, HOSTNAME) != right[zone] for zone in servers), 5.0
        )  # if they show it at all
        repaired: dict[str, float] = {}
        while len(repaired) < len(servers) and time.time() < damaged_at + PATIENCE:
            for zone in servers:
                if zone not in repaired and sampler.shown(zone, HOSTNAME) == right[zone]:
                    repaired[zone] = time.time() - damaged_at
                    say(f"{zone}: put back after {repaired[zone]:.1f} s")
            await asyncio.sleep(0.05)
    try:
        await wait_for(lambda: _told(stage), timeout=PATIENCE, what="the event Repaired")
        told = 1
    except StageError:
        told = 0
    slowest = max(repaired.values(), default=0.0)
    passed = len(repaired) == len(servers) and slowest <= REPAIR_WITHIN * slack and told == 1
    figures = {"repaired": f"{len(repaired)}/{len(servers)}", "slowest_seconds": round(slowest, 1), "event_told": told}
    return Result(passed, figures)


async def _told(stage: Stage) -> bool:
    events = await stage.read(f"/api/v1/namespaces/{NAMESPACE}/events")
    return any(each["reason"] == "Repaired" for each in events)
