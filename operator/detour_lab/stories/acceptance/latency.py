"""latency: from the last failing check to the new answer at the last of four authoritative servers, without quotas.

`size` failovers, one after the other. The moment of the check is the operator's own log line; the answers are seen by
asking every 20 ms, so the figure includes up to that. In the end the operator is asked to end, which it promises to do
within 10 s.
"""

import time
from collections.abc import Iterable
from datetime import datetime

from detour_lab.dns.sampling import Question, Sampler
from detour_lab.services.services import Mode
from detour_lab.stage.stage import NAMESPACE, Stage, StageError, spread
from detour_lab.stories.acceptance import Say
from detour_lab.stories.scenarios.result import Result

HOSTNAME = "latency.shop.example.com"
LIMIT = 1.0
"""Seconds that the median must not exceed."""

NOTEWORTHY = 0.5
"""Seconds from which a single failover is told, with the zone that was last."""

STOP_LIMIT = 10.0
"""Seconds that the operator may need to end after SIGTERM."""

MOVE_TIMEOUT = 180.0
"""Seconds after which a wait is given up, on whatever machine."""

RECORD = """
apiVersion: detour.dev/v1alpha1
kind: FailoverRecord
metadata: {{name: latency, namespace: {namespace}}}
spec:
  hostname: {hostname}
  zones: [{zones}]
  ttl: 5
  endpoints:
    - {{name: first, region: aws-us-east-1, addresses: [{first}], priority: 1}}
    - {{name: second, region: azure-westeurope, addresses: [{second}], priority: 2}}
  healthCheck: {{http: {{port: {port}}}, interval: 1s, recheckInterval: 100ms, timeout: 500ms, fall: 2, rise: 1}}
  failback: {{holdDown: 0s, maxChangesPerHour: 0}}
"""


async def play(size: int, say: Say, *, slack: float = 1.0) -> Result:
    """Measure `size` failovers."""
    async with Stage(records=False, throttled=False) as stage:
        await stage.lift_budgets()
        first = stage.lab.region("aws-us-east-1").service("api")
        second = stage.lab.region("azure-westeurope").service("api")
        zones = ", ".join(f"{{name: {name}}}" for name in stage.lab.zones)
        await stage.apply(
            RECORD.format(
                namespace=NAMESPACE,
                hostname=HOSTNAME,
                zones=zones,
                first=first.address,
                second=second.address,
                port=first.port,
            )
        )
        await stage.wait_until_ready()
        servers = stage.lab.name_servers
        async with Sampler(servers, [Question(HOSTNAME)], clock=time.time) as sampler:
            await _shown(sampler, servers, first.address)
            sampler.begin()
            seconds = []
            for number in range(1, size + 1):
                start = len(stage.operator.lines)
                broken_at = time.time()
                await first.switch(Mode.REFUSING)
                await _shown(sampler, servers, second.address)
                seen = {
                    zone: at
                    for zone in servers
                    if (at := sampler.first_shown(zone, HOSTNAME, [second.address], since=broken_at)) is not None
                }
                line = await stage.operator.until(
                    lambda line: (line.get("target"), line.get("verdict")) == (first.address, "Unhealthy"),
                    timeout=MOVE_TIMEOUT,
                    start=start,
                )
                decided_at = datetime.fromisoformat(line["time"]).timestamp()
                slowest = max(seen, key=seen.__getitem__)
                seconds.append(seen[slowest] - decided_at)
                if seconds[-1] > NOTEWORTHY:
                    say(f"failover {number}: {slowest} was last, after {seconds[-1]:.2f} s")
                await first.switch(Mode.UP)
                await _shown(sampler, servers, first.address)
                if number % 10 == 0:
                    say(f"{number} of {size} failovers")
            empty = sum(each.count for each in sampler.empty_answers())
        stop_seconds = await stage.operator.terminate()
    median = spread(seconds, 0.5)
    return Result(
        median <= LIMIT * slack and stop_seconds <= STOP_LIMIT * slack and empty == 0,
        {
            "failovers": size,
            "median_seconds": round(median, 3),
            "p99_seconds": round(spread(seconds, 0.99), 3),
            "empty_answers": empty,
            "stop_seconds": round(stop_seconds, 1),
        },
    )


async def _shown(sampler: Sampler, servers: Iterable[str], address: str) -> None:
    zones = tuple(servers)
    if not await sampler.until(lambda: all(sampler.shown(zone, HOSTNAME) == {address} for zone in zones), MOVE_TIMEOUT):
        raise StageError(f"{HOSTNAME} did not move to {address} in every zone within {MOVE_TIMEOUT:g} s")
