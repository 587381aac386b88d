"""names: `size` names in one zone at a real BIND, on a real API server; a region breaks, and the operator starts anew.

All names must be published and moved, an edit must be visible soon (of thousands of names the statuses are still being
written by then), and a restart with right statuses must write nothing to DNS. What a name costs at which size is
measured by `make bench`.
"""

import asyncio
import json
import time
import urllib.request

import dns.asyncquery
import dns.name
import dns.rdatatype
import dns.tsig
import dns.xfr
import dns.zone

from detour_lab.clouds.clouds import BIND
from detour_lab.clouds.labzones import RealZone
from detour_lab.stage.stage import NAMESPACE, Stage, spread, wait_for
from detour_lab.stories.acceptance import Say
from detour_lab.stories.manyrecords import DOMAIN, many_records
from detour_lab.stories.scenarios.result import Result

REGION = "aws-us-east-1"
PATIENCE = 900.0
"""Seconds after which a wait is given up: no judgement of how long something may take."""

PLANE_MEMORY = "4GiB"
"""With less the API server spends most of its time on collecting garbage."""

AT_ONCE = 1_000
EDITS = 15
EDITED_WITHIN = 5.0
"""Seconds within which an edit must be visible beside the statuses of all names: a tenth of what those take."""


class _Zone:
    """What BIND holds, as a transfer tells."""

    def __init__(self, zone: RealZone) -> None:
        self.domain = zone.domain
        self._server = zone.server

    async def transferred(self) -> dns.zone.Zone:
        """Return the whole zone."""
        content = dns.zone.Zone(self.domain)
        key = self._server.key
        query, _ = dns.xfr.make_query(content, keyring=dns.tsig.Key(key.name, key.secret, key.algorithm))
        await dns.asyncquery.inbound_xfr(self._server.host, content, query, port=self._server.port, lifetime=PATIENCE)
        return content

    async def count(self, address: str) -> int:
        """Return how many names it has at an address."""
        content = await self.transferred()
        found = (rdataset for _, rdataset in content.iterate_rdatasets(dns.rdatatype.A))
        return sum([str(each) for each in rdataset] == [address] for rdataset in found)


async def play(size: int, say: Say) -> Result:
    """Publish `size` names, edit some, move all, and start again."""
    async with Stage(records=False, memory=PLANE_MEMORY) as stage:
        found = stage.lab.zone(BIND)
        if not isinstance(found, RealZone):
            return Result(False, {"BIND": "missing"})
        zone = _Zone(found)
        first, second, _ = (stage.lab.region(name).service("api") for name in stage.lab.regions)
        say(f"creating {size} records")
        for start in range(0, size, AT_ONCE):
            numbers = range(start, min(start + AT_ONCE, size))
            manifest = many_records(numbers, zone=BIND, first=first, second=second)
            await asyncio.to_thread(stage.plane.kubectl, "create", "-f", "-", input=manifest, timeout=PATIENCE)

        async def all_at(address: str) -> bool:
            return await zone.count(address) == size

        await wait_for(lambda: all_at(first.address), timeout=PATIENCE, what="the first publication", interval=2.0)
        say("all are published; editing some while statuses are written")
        edits = []
        for number in range(min(EDITS, size)):
            edits.append(await _seconds_of_an_edit(stage, found, number, second.address))
            await _prefer(stage, number, first=1)
        await wait_for(lambda: all_at(first.address), timeout=PATIENCE, what="the way back of the edits", interval=2.0)
        await stage.wait_until_ready(PATIENCE)
        say(f"all are Ready; breaking {REGION}")
        broken_at = time.monotonic()
        await stage.lab.break_region(REGION)
        await wait_for(lambda: all_at(second.address), timeout=PATIENCE, what="the move", interval=0.5)
        moved_after = time.monotonic() - broken_at
        await stage.wait_until_ready(PATIENCE)
        say("all have moved; starting the operator anew")
        memory = stage.operator.rss_megabytes()
        await stage.operator.terminate()
        start = len(stage.operator.lines)
        await stage.operator.start(wait_until_ready=False)
        restarted_at = time.monotonic()
        await wait_for(lambda: _confirmed(stage, size), timeout=PATIENCE, what="every status by the new process")
        confirmed_after = time.monotonic() - restarted_at
        written = sum(line.get("event") == "accepted" for line in stage.operator.lines[start:])
        moved = await zone.count(second.address)
    passed = moved == size and spread(edits, 0.5) <= EDITED_WITHIN and written == 0
    return Result(
        passed,
        {
            "moved": f"{moved}/{size}",
            "seconds_from_break": round(moved_after, 1),
            "edit_median": round(spread(edits, 0.5), 3),
            "edit_worst": round(max(edits), 3),
            "restart_confirmed": round(confirmed_after, 1),
            "names_written_at_restart": written,
            "operator_megabytes": round(memory),
        },
    )


async def _prefer(stage: Stage, number: int, *, first: int) -> None:
    """Give a record's first endpoint this priority, and the other one the other."""
    wished = ((0, first), (1, 3 - first))
    patch = [{"op": "replace", "path": f"/spec/endpoints/{place}/priority", "value": value} for place, value in wished]
    await stage.kubectl("patch", "fr", f"many-{number}", "-n", NAMESPACE, "--type=json", "-p", json.dumps(patch))


async def _seconds_of_an_edit(stage: Stage, zone: RealZone, number: int, address: str) -> float:
    """Prefer a record's other endpoint, and return the seconds until BIND answers with it."""
    name = f"r{number}.{DOMAIN}."
    await _prefer(stage, number, first=2)
    edited_at = time.monotonic()

    async def is_there() -> bool:
        answer = await zone.read(name, "A")
        return answer is not None and answer.values == (address,)

    await wait_for(is_there, timeout=PATIENCE, what=f"the edit of {name}", interval=0.005)
    return time.monotonic() - edited_at


async def _confirmed(stage: Stage, size: int) -> bool:
    """Tell whether the process counts every record as Ready, as it does once it has built their statuses itself."""
    try:
        text = await asyncio.to_thread(_scrape, f"{stage.operator.url}/metrics")
    except OSError:
        return False  # it does not serve its metrics yet
    return f'detour_records_ready{{ready="True"}} {float(size)}\n' in text


def _scrape(url: str) -> str:
    with urllib.request.urlopen(url, timeout=PATIENCE) as answer:  # noqa: S310 - our own operator
        return str(answer.read().decode())
