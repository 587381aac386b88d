"""site-lost: a region fails, and with it the cluster whose operator is in force. The other cluster must go on.

Two clusters run one installation: site a, in the region that will fail, is in force; site b, elsewhere, stands by. In
one moment a's API server, etcd and operator are killed (SIGKILL) and the region's services die. Nobody tells b: it sees
that a's ledgers stand still, takes them over, and moves every name. Later a comes back with the data that it had; it
must stand by, say so, and take nothing back.

Nobody may have written past another: the change logs of all zones tell, BIND's own journal among them.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from detour_lab.clouds.labzones import RealZone
from detour_lab.clouds.zonejournal import commits_of
from detour_lab.controlplane import Binaries
from detour_lab.stage.stage import NAMESPACE, StageError
from detour_lab.stories.scenarios.result import Result
from detour_lab.stories.soak.history import History, tell
from detour_lab.stories.soak.watch import Watch
from detour_lab.stories.twosites import LEDGER, Times, TwoSites

REGION = "aws-us-east-1"
LIMIT = 150.0
"""Seconds, with the default times, from the loss until every name has moved in every zone."""

AFTERWARDS = 60.0
"""Seconds for what has no limit of its own: statuses, and the way back once the region is well again."""

RENEWALS = 2
"""Renewals by the new site that the old one, back again, has to watch without a claim of its own."""

CLAIMS = 2

Say = Callable[[str], None]


def set_up(*, say: Say, binaries: Binaries | None = None) -> TwoSites:
    """Return the two clusters that this story needs, with the chart's times."""
    return TwoSites(say=say, binaries=binaries)


async def play(sites: TwoSites, say: Say) -> Result:
    """Play on two sites that are ready."""
    return await _SiteLost(sites, say).play()


def limit_of(times: Times) -> float:
    """Return the seconds within which every name must have moved; the limit leaves 60 s beside the take-over's own."""
    return LIMIT - Times().take_over_after + times.take_over_after


@dataclass(slots=True)
class _SiteLost:
    sites: TwoSites
    say: Say
    complaints: list[str] = field(default_factory=list)

    async def play(self) -> Result:
        sites, say = self.sites, self.say
        async with Watch(sites.a, sites.truth) as watch:
            say(f"{REGION} fails, and with it the cluster of site a: its API server, etcd and operator are killed")
            lost_at = time.monotonic()
            sites.a.vanish()
            await sites.lab.break_region(REGION)
            took_over = await self._until_moved(watch, lost_at)
            say(await sites.b.table())
            say("the cluster of site a comes back, with the data that it had; its region is still down")
            await sites.a.come_back()
            stood_by = await self._until_standby()
            say(await sites.a.kubectl("get", "dz", "-n", NAMESPACE))
            stayed = stood_by and await self._stays()
            say(f"{REGION} is well again")
            await sites.lab.mend_region(REGION)
            returned = await self._until_right(watch, AFTERWARDS)
            verdict = watch.verdict(left=[])
            emulated, real = watch.histories(), await self._at_real_servers()
        self.complaints += [*verdict.complaints, *(text for each in real for text in (*each.stale, *each.emptied))]
        both = sum(map(self._written_by_both, (*emulated, *real)))
        empty = verdict.empty_answers + sum(len(each.emptied) for each in real)
        for complaint in self.complaints:
            say(f"wrong: {complaint}")
        moved = sum(each is not None for each in took_over.values())
        slowest = max(math.inf if each is None else each for each in took_over.values())
        everywhere = len(emulated) + len(real) == len(sites.lab.zones) == moved
        return Result(
            passed=everywhere
            and slowest <= limit_of(sites.times)
            and both == empty == 0
            and stayed
            and returned
            and not self.complaints,
            values={
                "take_over_seconds": round(slowest, 1),
                "empty_answers": empty,
                "writes_by_both": both,
                "zones_moved": f"{moved}/{len(sites.lab.zones)}",
                "stands_by_after_return": int(stood_by),
                "taken_back": int(not stayed),
                "moved_back_by_b": int(returned),
                "answers": verdict.answers,
            },
        )

    async def _until_moved(self, watch: Watch, lost_at: float) -> dict[str, float | None]:
        """Return after how many seconds every name of each zone answered what it should, None where it didn't."""
        moved: dict[str, float | None] = dict.fromkeys(self.sites.lab.zones)
        give_up = lost_at + limit_of(self.sites.times)
        while None in moved.values() and time.monotonic() < give_up:
            await self._until_right(watch, 0.2, quietly=True)
            behind = {text.partition(":")[0] for text in watch.wrong()}
            for zone in [each for each, at in moved.items() if at is None and each not in behind]:
                moved[zone] = seconds = time.monotonic() - lost_at
                self.say(f"{zone}: every name has moved after {seconds:.1f} s")
        self.complaints += [] if None not in moved.values() else watch.wrong()
        return moved

    async def _until_right(self, watch: Watch, timeout: float, *, quietly: bool = False) -> bool:
        try:
            await watch.until_right(timeout)
        except StageError as error:
            if not quietly:
                self.complaints.append(str(error))
            return False
        return True

    async def _until_standby(self) -> bool:
        try:
            await self.sites.until_standby(self.sites.a, AFTERWARDS)
        except StageError as error:
            self.complaints.append(str(error))
            return False
        return True

    async def _stays(self) -> bool:
        """Tell whether site b goes on for some renewals, with a beside it."""
        before = await self.sites.positions()
        timeout = (RENEWALS + 1) * self.sites.times.renew_every + 10.0
        try:
            await self.sites.renewed_by("b", times=RENEWALS, timeout=timeout)
        except StageError as error:
            self.complaints.append(str(error))
            return False
        after = await self.sites.positions()
        epochs = [{zone: each.epoch if each else None for zone, each in found.items()} for found in (before, after)]
        return epochs[0] == epochs[1]

    async def _at_real_servers(self) -> list[History]:
        """Return the stories that the emulators' logs don't tell."""
        names = self.sites.truth.hostnames
        return [
            tell(zone.name, await commits_of(zone), names=names[zone.name], ledger=LEDGER, atomic=True)
            for zone in self.sites.lab.zones.values()
            if isinstance(zone, RealZone)
        ]

    def _written_by_both(self, story: History) -> int:
        """Count writes past the fence, and claims beyond the two of this story: a's at the beginning, and b's."""
        claims = len(story.claims)
        if claims != CLAIMS:
            self.complaints.append(f"{story.zone}: it was claimed {claims} times, {CLAIMS} were due")
        return len(story.stale) + len(story.overtaken) + max(0, claims - CLAIMS)
