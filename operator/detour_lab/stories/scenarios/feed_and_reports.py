"""feed-and-reports: a status page, users and a metric all say that a region is in trouble, and nothing moves by that.

Its checks are made more often meanwhile, and when one canary of two fails as well, which alone would not be enough, its
names leave it. Sources that cannot be read any more are Unknown, which is no good news. Built like October 2025: the
page says what AWS's said, and the canary is the name of the database's API.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from types import TracebackType
from typing import Any, Self

import aiohttp

from detour_lab.controlplane import Binaries
from detour_lab.controlplane.ports import free_ports
from detour_lab.dns.sampling import Question, Sampler
from detour_lab.services.names import ADDRESS_TTL
from detour_lab.services.regions import HTTP_PORT
from detour_lab.services.statuspages import OCTOBER_2025, StatusPages
from detour_lab.stage.stage import PATIENCE, Stage, wait_for
from detour_lab.stories.expectation import expected_values, zones_of
from detour_lab.stories.scenarios.result import Result
from detour_lab.stories.showing import until_all_show

REGION, OTHER, MAIN_RECORD = "aws-us-east-1", "azure-westeurope", "api"
AFTER, SOONER, HOLD_DOWN = 4.0, 2.0, 4.0
TIMING = {"interval": "1s", "recheckInterval": "500ms", "timeout": "500ms", "fall": 2, "rise": 2}
CANARY_ALONE = 12.0
"""Seconds for which one canary fails with no signal: much longer than enough of them must."""

SIGNAL_ALONE = 10.0
"""Seconds for which signals stand with nothing that fails, in which checks are counted."""

CLIENTS, LASTING = 10, 3.0
"""Users that must report, and for how many seconds."""

MOST_CHECKS = 2.2
"""How many times as many checks there may be with a signal; twice, and what comes of when each began."""

DETECTION = ADDRESS_TTL + 0.5 + 0.5
SLOWNESS = 3.0


class Surrounded(Stage):
    """A stage with status pages, a Prometheus, and an operator that takes reports."""

    def __init__(self, *, say: Callable[[str], None], binaries: Binaries | None = None) -> None:
        self.pages = StatusPages()
        (port,) = free_ports(1)
        self.reports = f"http://127.0.0.1:{port}/report"
        values = {"userReports": {"enabled": True, "proxies": ["127.0.0.0/8"]}}
        flags = [f"--reports-listen=127.0.0.1:{port}"]  # the chart's port would be open to others
        super().__init__(say=say, binaries=binaries, values=values, flags=flags)

    async def __aenter__(self) -> Self:
        await self.pages.start()
        self._values |= {
            "signals": {"statusFeeds": dict(self.pages.feeds), "readEvery": 1},
            "prometheusServers": [{"name": "main", "url": f"{self.pages.url}/prometheus"}],
        }
        try:
            return await super().__aenter__()
        except BaseException:
            await self.pages.stop()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await super().__aexit__(kind, error, trace)
        await self.pages.stop()


def set_up(*, say: Callable[[str], None], binaries: Binaries | None = None) -> Surrounded:
    """Return the stage of this story."""
    return Surrounded(say=say, binaries=binaries)


async def play(stage: Stage, say: Callable[[str], None], *, slack: float = 1.0) -> Result:
    """Play on a stage whose records are Ready; `slack` is by how much longer than stated things may take."""
    assert isinstance(stage, Surrounded)  # noqa: S101 - it is what `set_up` returned
    place, pages = stage.lab.region(REGION), stage.pages
    spec = (await stage.records())[MAIN_RECORD]["spec"]
    hostname, zones = spec["hostname"], zones_of(spec)
    there = expected_values(spec, lost=(), addresses_of=lambda _: ())
    elsewhere = expected_values(spec, lost=(REGION,), addresses_of=lambda _: ())
    servers = {zone: stage.lab.name_servers[zone] for zone in zones}
    await _declare(stage)
    say(f"{REGION} has two canaries, of which both must fail; while a signal stands one is enough")
    await wait_for(lambda: _says(stage, "CanariesPass"), timeout=PATIENCE, what="canaries that pass")
    await wait_for(lambda: _are(stage, "Quiet"), timeout=PATIENCE, what="signals that are quiet")

    async with Sampler(servers, [Question(hostname)], clock=time.time) as sampler:
        all_show = partial(until_all_show, sampler, zones, hostname)
        await all_show(there, time.time())
        sampler.begin()
        usual = await _checks(stage)
        await _let_one_canary_fail(stage, say)

        say("AWS's page says what it said in October 2025; users report; a metric is too high; and nothing fails here")
        pages.aws, pages.value = (OCTOBER_2025,), 0.4
        async with _users_reporting(stage, hostname):
            await wait_for(lambda: _are(stage, "Standing"), timeout=PATIENCE, what="signals that stand")
            closer = await _checks(stage)
            unmoved = all(sampler.first_shown(zone, hostname, elsewhere, since=0.0) is None for zone in zones)
            others = await _told(stage, OTHER, "signals[*].state")
            say(f"{await stage.kubectl('get', 'regions')}\n{await _told(stage, REGION, 'message')}\n")
            say("checks in a second: all {:.1f}, the region's {:.1f}; before {:.1f}, {:.1f}".format(*closer, *usual))
            say(f"and {place.regional_api} leads nowhere again")
            began_at = time.time()
            place.names.vanish(place.regional_api)
            moved = await all_show(elsewhere, began_at)
            say(f"every zone answers with another place after {moved:.1f} s")
            say(f"\n{await _told(stage, REGION, 'message')}\n")

        say("the pages cannot be read any more, users are content, and the name leads to its address again")
        pages.away = True
        place.restore(place.regional_api)
        mended_at = time.time()
        await wait_for(lambda: _is_unknown(stage), timeout=PATIENCE, what="a status page that is Unknown")
        returned = await all_show(there, mended_at)
        tally = sampler.tally
        wrong = sampler.wrong_answers({(zone, hostname): (there, elsewhere) for zone in zones})
    pages.away = False
    say(f"every zone answers with {REGION} again {returned:.1f} s after that")

    in_time = SOONER <= moved <= (DETECTION + SOONER + SLOWNESS) * slack
    load, region_load = (now / before for now, before in zip(closer, usual, strict=True))
    figures = {
        "moved_by_signals": int(not unmoved),
        "checks_factor": round(load, 2),
        "checks_factor_of_region": round(region_load, 2),
        "moved_seconds": round(moved, 1),
        "returned_seconds": round(returned, 1),
        "reports_dropped": await _reports(stage, "dropped"),
        "empty_answers": tally.empty,
        "wrong_answers": sum(each.count for each in wrong),
    }
    harder = region_load > 1.5 and load <= MOST_CHECKS * slack
    passed = unmoved and harder and in_time and HOLD_DOWN <= returned < PATIENCE and others == "Quiet"
    return Result(passed and bool(figures["reports_dropped"]) and not tally.empty and not wrong, figures)


async def _let_one_canary_fail(stage: Surrounded, say: Callable[[str], None]) -> None:
    place = stage.lab.region(REGION)
    say(f"with no signal: {place.regional_api} leads nowhere for {CANARY_ALONE:g} s, which is one canary of two")
    place.names.vanish(place.regional_api)
    await asyncio.sleep(CANARY_ALONE)
    place.restore(place.regional_api)
    await wait_for(lambda: _says(stage, "CanariesPass"), timeout=PATIENCE, what="canaries that pass again")


async def _declare(stage: Surrounded) -> None:
    place = stage.lab.region(REGION)
    canaries = [
        {"name": service, "hostname": name, "http": {"port": HTTP_PORT, "path": "/healthz"}}
        for name, service in sorted(place.hostnames.items())
    ]
    reports = {"times": 3, "clients": CLIENTS, "for": f"{LASTING:g}s"}
    query = {"name": "errors", "server": "main", "query": 'errors{region="us-east-1"}', "above": 0.1, "for": "1s"}
    spec = {
        "canaries": canaries,
        "canaryTiming": TIMING,
        "failing": {"canaries": 2, "after": f"{AFTER:g}s", "holdDown": f"{HOLD_DOWN:g}s"},
        "signals": {
            "statusFeed": True,
            "userReports": reports,
            "prometheus": [query],
            "failing": {"canaries": 1, "after": f"{SOONER:g}s"},
        },
    }
    await _patch(stage, REGION, spec)
    await _patch(stage, OTHER, {"signals": {"userReports": reports}})


@asynccontextmanager
async def _users_reporting(stage: Surrounded, hostname: str) -> AsyncIterator[None]:
    reporting = asyncio.create_task(_report(stage, hostname))
    try:
        yield
    finally:
        reporting.cancel()


async def _report(stage: Surrounded, hostname: str) -> None:
    """Let users report a name through a proxy, and others one that nobody knows, until cancelled.

    That they claim another region counts for nothing.
    """
    async with aiohttp.ClientSession() as session:
        while True:
            for client in range(2 * CLIENTS):
                headers = {"X-Forwarded-For": f"192.0.2.{client}"}
                body = json.dumps({"hostname": hostname, "region": OTHER})
                await session.post(stage.reports, data=body, headers=headers)
                await session.post(stage.reports, data="nobody.shop.example.com", headers=headers)
            await asyncio.sleep(1.0)


async def _checks(stage: Surrounded) -> tuple[float, float]:
    """Return how many requests all services had in a second, and those of the region."""

    def counted() -> dict[str, int]:
        regions = stage.lab.regions.items()
        return {name: sum(each.requests for each in region.services.values()) for name, region in regions}

    before = counted()
    await asyncio.sleep(SIGNAL_ALONE)
    found = {name: (count - before[name]) / SIGNAL_ALONE for name, count in counted().items()}
    return sum(found.values()), found[REGION]


async def _reports(stage: Surrounded, result: str) -> int:
    """Return how many reports were counted, or dropped, by the operator's metrics."""
    async with aiohttp.ClientSession() as session, session.get(f"{stage.operator.url}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    name = f'detour_user_reports_total{{result="{result}"}} '
    return next((int(float(each.removeprefix(name))) for each in lines if each.startswith(name)), 0)


async def _patch(stage: Stage, region: str, spec: dict[str, Any]) -> None:
    await stage.kubectl("patch", "region", region, "--type=merge", "-p", json.dumps({"spec": spec}))


async def _told(stage: Stage, region: str, field: str) -> str:
    return await stage.kubectl("get", "region", region, "-o", f"jsonpath={{.status.{field}}}")


async def _says(stage: Stage, reason: str) -> bool:
    return await _told(stage, REGION, "reason") == reason


async def _are(stage: Stage, state: str) -> bool:
    """Tell whether all signals of the region are in one state."""
    return (await _told(stage, REGION, "signals[*].state")).split() == [state] * 3


async def _is_unknown(stage: Stage) -> bool:
    return await _told(stage, REGION, "signals[0].state") == "Unknown"
