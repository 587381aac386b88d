"""thousand: `size` FailoverRecords of three endpoints each in one Route 53 zone, and one region breaks.

All must move, with at most 1.2 times the change requests that the batch limit makes necessary. The account's rate
quotas are lifted in the lab and in the DNSZone's budget: they bound the time, not the number of requests.
"""

import asyncio
import math
import time

from detour_lab.clouds.clouds import ROUTE53
from detour_lab.clouds.labzones import EmulatedZone
from detour_lab.stage.stage import NAMESPACE, Stage, wait_for
from detour_lab.stories.acceptance import Say
from detour_lab.stories.scenarios.result import Result

REGION = "aws-us-east-1"
TIMEOUT = 120.0
BATCH_ELEMENTS = 1000
ELEMENTS_PER_RECORD = 2
"""Route 53 takes 1,000 elements in a request; a replacement is a deletion and a creation."""

ALLOWED_FACTOR = 1.2

RECORD = """---
apiVersion: detour.dev/v1alpha1
kind: FailoverRecord
metadata: {{name: thousand-{number}, namespace: {namespace}}}
spec:
  hostname: r{number}.shop.example.com
  zones: [{{name: {zone}}}]
  endpoints:
    - {{name: virginia, region: aws-us-east-1, addresses: [{first}], priority: 1}}
    - {{name: netherlands, region: azure-westeurope, addresses: [{second}], priority: 2}}
    - {{name: frankfurt, region: gcp-europe-west3, addresses: [{third}], priority: 3}}
  healthCheck:
    http: {{port: {port}, path: /healthz, host: shop.example.com}}
    interval: 2s
    recheckInterval: 200ms
    timeout: 500ms
"""


async def play(size: int, say: Say) -> Result:
    """Move `size` records."""
    async with Stage(records=False, throttled=False) as stage:
        zone = stage.lab.zone(ROUTE53)
        assert isinstance(zone, EmulatedZone)  # noqa: S101 - Route 53 always is
        await stage.lift_budgets()
        first, second, third = (stage.lab.region(name).service("api") for name in stage.lab.regions)
        manifest = "".join(
            RECORD.format(
                number=number,
                namespace=NAMESPACE,
                zone=ROUTE53,
                first=first.address,
                second=second.address,
                third=third.address,
                port=first.port,
            )
            for number in range(size)
        )
        say(f"creating {size} records")
        await asyncio.to_thread(stage.plane.kubectl, "create", "-f", "-", input=manifest, timeout=TIMEOUT)

        async def at(address: str) -> bool:
            return _count(zone, address) == size

        await wait_for(lambda: at(first.address), timeout=TIMEOUT, what=f"the first publication of {size} records")
        await stage.wait_until_ready(TIMEOUT)
        calls = stage.lab.clouds.route53.calls
        calls.clear()
        say(f"breaking {REGION}")
        broken_at = time.monotonic()
        await stage.lab.break_region(REGION)
        await wait_for(lambda: at(second.address), timeout=TIMEOUT, what=f"the move of {size} records", interval=0.02)
        seconds = time.monotonic() - broken_at
        await asyncio.sleep(2.0)  # a write too many would come now
        made = calls["ChangeResourceRecordSets"]
        sizes = [sum(each.type == "A" for each in commit.added) for commit in zone.store.log if commit.at > broken_at]
        say(f"records in each request: {sizes}")
        per_batch = (BATCH_ELEMENTS - ELEMENTS_PER_RECORD) // ELEMENTS_PER_RECORD
        needed = math.ceil(size / per_batch)
        moved = _count(zone, second.address)
        memory = stage.operator.rss_megabytes()
    passed = moved == size and made <= ALLOWED_FACTOR * needed
    return Result(
        passed,
        {
            "moved": f"{moved}/{size}",
            "change_requests": made,
            "least_possible": needed,
            "seconds_from_break": round(seconds, 1),
            "operator_megabytes": round(memory),
        },
    )


def _count(zone: EmulatedZone, address: str) -> int:
    return sum(1 for each in zone.store.served().values() if each.type == "A" and each.values == (address,))
