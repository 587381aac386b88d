"""two-regions-at-once: two regions fail together. One is left; the other is held, explained, approved."""

import json
import shlex
import time
from collections.abc import Callable

from detour_lab.controlplane import Binaries
from detour_lab.dns.sampling import Question, Sampler
from detour_lab.services.services import Mode
from detour_lab.stage.stage import NAMESPACE, PATIENCE, Stage, StageError, wait_for
from detour_lab.stories.scenarios.result import Result

ZONE = "shop-route53"
DOMAIN = "shop.example.com"
FAILING = ("aws-us-east-1", "azure-westeurope")
SAFE = "gcp-europe-west3"
SERVICE = "www"
RECORDS = 30
"""In each region; ten names may leave others than the first region, so most of the second one's are held."""

RECORD = """---
apiVersion: detour.dev/v1alpha1
kind: FailoverRecord
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  hostname: {name}.{domain}
  zones: [{{name: {zone}}}]
  endpoints:
    - {{name: first, region: {region}, addresses: [{first}], priority: 1}}
    - {{name: second, region: {safe}, addresses: [{second}], priority: 2}}
  failback: {{holdDown: 1h}}
  healthCheck:
    http: {{port: {port}, path: /healthz}}
    interval: 1s
    recheckInterval: 200ms
    timeout: 500ms
"""


class TwoRegions(Stage):
    """A stage with so many records in each of the two regions, which have their second place in the third one."""

    async def wait_until_ready(self, timeout: float = PATIENCE) -> None:
        """Apply the records, and wait until each is Ready. Raises StageError."""
        second = self.lab.region(SAFE).service(SERVICE)
        firsts = {region: self.lab.region(region).service(SERVICE) for region in FAILING}
        await self.apply(
            "".join(
                RECORD.format(
                    name=_name(region, number),
                    namespace=NAMESPACE,
                    domain=DOMAIN,
                    zone=ZONE,
                    region=region,
                    first=first.address,
                    safe=SAFE,
                    second=second.address,
                    port=first.port,
                )
                for region, first in firsts.items()
                for number in range(RECORDS)
            )
        )
        await super().wait_until_ready(timeout)


def set_up(*, say: Callable[[str], None], binaries: Binaries | None = None) -> TwoRegions:
    """Return the cluster that this story needs."""
    return TwoRegions(say=say, binaries=binaries, records=False)


async def play(stage: Stage, say: Callable[[str], None]) -> Result:
    """Play on a stage whose records are Ready."""
    names = {f"{name}.{DOMAIN}": region for region in FAILING for name in (_name(region, n) for n in range(RECORDS))}
    safe = frozenset({stage.lab.region(SAFE).service(SERVICE).address})
    server = {ZONE: stage.lab.name_servers[ZONE]}
    async with Sampler(server, map(Question, names), interval=0.1, clock=time.time) as sampler:

        def moved() -> dict[str, int]:
            """Return how many names of each region have left it."""
            left = [region for name, region in names.items() if sampler.shown(ZONE, name) == safe]
            return {region: left.count(region) for region in FAILING}

        await sampler.until(lambda: all(sampler.shown(ZONE, name) for name in names), PATIENCE)
        sampler.begin()
        say(f"{' and '.join(FAILING)} fail together, each with {RECORDS} names")
        for region in FAILING:
            await stage.lab.set_service(region, SERVICE, Mode.REFUSING)
        await sampler.until(lambda: max(moved().values()) == RECORDS, PATIENCE)
        told = await _held(stage)
        before = moved()
        first, second = sorted(FAILING, key=lambda region: -before[region])
        say(f"{before[first]} names have left {first}, {before[second]} have left {second}; the zone says:\n\n{told}\n")
        held = RECORDS - before[second]
        approved = await _approve(stage, told, say)
        all_moved = await sampler.until(lambda: sum(moved().values()) == len(names), PATIENCE)
        after = moved()
        say(f"approved: {after[second]} of {RECORDS} names have left {second}")
        empty = sampler.tally.empty
    await Stage.wait_until_ready(stage)
    say(await stage.kubectl("get", "dz,region", "-n", NAMESPACE))
    explained = second in told and "TooManyRegions" in told
    passed = before[first] == RECORDS and held > 0 and explained and approved and all_moved and not empty
    figures = {
        "left_at_once": before[first],
        "held": held,
        "explained": int(explained),
        "left_after_approval": sum(after.values()),
        "empty_answers": empty,
    }
    return Result(passed, figures)


def _name(region: str, number: int) -> str:
    return f"{region.partition('-')[0]}-{number}"


async def _held(stage: Stage) -> str:
    """Return the reason and the message of what the zone holds, once it says so. Raises StageError."""
    told = ""

    async def says_so() -> bool:
        nonlocal told
        told = await _told(stage)
        return bool(told)

    await wait_for(says_so, timeout=PATIENCE, what="a zone that holds changes")
    return told


async def _approve(stage: Stage, told: str, say: Callable[[str], None]) -> bool:
    """Run the command that the zone gives, as a person would, again where more was held meanwhile."""

    async def run(text: str) -> None:
        program, *arguments = shlex.split(text.split("`")[1])
        say(f"a person types: {program} {shlex.join(arguments)}")
        await stage.kubectl(*arguments)

    async def holds_nothing() -> bool:
        nonlocal told
        newest = await _told(stage)
        if newest and newest != told:
            told = newest
            await run(told)
        return not newest

    await run(told)
    try:
        await wait_for(holds_nothing, timeout=PATIENCE, what="the approval's effect", interval=0.5)
    except StageError:
        return False
    return True


async def _told(stage: Stage) -> str:
    """Return the reason and the message of what the zone holds now, "" where it holds nothing."""
    zone = json.loads(await stage.kubectl("get", "dz", ZONE, "-n", NAMESPACE, "-o", "json"))
    frozen = next(each for each in zone["status"]["conditions"] if each["type"] == "Held")
    return f"{frozen['reason']}: {frozen['message']}" if frozen["status"] == "True" else ""
