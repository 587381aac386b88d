"""How close to a provider's quota a region's names move, and whose go first: the lab's Route 53 and Azure DNS.

Run `make bench-quotas`, or `make bench-quotas CLOUD=azure NAMES=300`. The emulators keep the quotas that the clouds
publish, refuse what is beyond, and the operator has no other budget. One name in twenty is important. The floor is what
these quotas need for so many replacements, from full buckets, whoever sends them.
"""

import argparse
import asyncio
import json
import sys
import time
from pathlib import Path

from detour.providers.azuredns.limits import LIMITS as AZURE_LIMITS
from detour.providers.route53.limits import LIMITS as ROUTE53_LIMITS
from detour_lab.clouds.clouds import AZURE, ROUTE53
from detour_lab.clouds.labzones import EmulatedZone
from detour_lab.stage.stage import Stage, wait_for
from detour_lab.stories.manyrecords import many_records

ZONES = {"route53": (ROUTE53, ROUTE53_LIMITS), "azure": (AZURE, AZURE_LIMITS)}
DEFAULT_NAMES = {"route53": 4_500, "azure": 500}
"""A zone holds 10,000 sets, and a name is two of them; at Azure so many need minutes."""
REGION = "aws-us-east-1"
IMPORTANT = 20
"""One name in so many is important."""

PATIENCE = 4.0
"""How many times the floor is waited for, before a phase is given up."""

REFILLED = 1.1
"""How many times as long as a bucket takes to fill is waited before the region breaks."""

RESULTS = Path(__file__).parents[2] / "build" / "bench"


def is_important(name: str) -> bool:
    """Tell whether a name is one of the important ones, by its number."""
    return int(name.split(".", 1)[0].removeprefix("r")) % IMPORTANT == 0


def seconds_for(tokens: float, rate: float, burst: float) -> float:
    """Return the seconds in which a bucket that is full gives so many tokens."""
    return max(0.0, (tokens - burst) / rate)


async def measure(cloud: str, names: int) -> dict[str, float]:
    """Publish the names, break a region, and tell when which of them were moved."""
    zone_name, limits = ZONES[cloud]
    assert limits.changes_per_second is not None
    assert limits.changes_burst is not None
    rate, burst, each = limits.changes_per_second, limits.changes_burst, limits.elements_per_replacement
    floor = seconds_for(each * names, rate, burst)
    if floor == 0.0:
        sys.exit(f"{names} names fit into the burst of {cloud}, so no quota holds them up: ask for more")
    print(f"cloud={cloud} names={names} floor={floor:.0f}s", flush=True)
    async with Stage(records=False, memory="4GiB") as stage:
        zone = stage.lab.zone(zone_name)
        assert isinstance(zone, EmulatedZone)
        first, second = (stage.lab.region(name).service("api") for name in (REGION, "azure-westeurope"))
        manifest = many_records(range(names), zone=zone_name, first=first, second=second, important_each=IMPORTANT)
        await asyncio.to_thread(stage.plane.kubectl, "create", "-f", "-", input=manifest, timeout=600)

        async def are_at(address: str) -> bool:
            return sum(found.type == "A" and found.values == (address,) for found in zone.store.served().values()) >= (
                names
            )

        created = 2 * names  # each name and its marker
        patience = 120 + PATIENCE * seconds_for(created, rate, burst)
        began = time.monotonic()
        await wait_for(lambda: are_at(first.address), timeout=patience, what="the first publication", interval=1.0)
        published = time.monotonic() - began
        print(f"published={published:.0f}s, waiting until the quota is whole again", flush=True)
        await asyncio.sleep(REFILLED * burst / rate)

        start = len(stage.operator.lines)
        await stage.lab.break_region(REGION)
        await stage.operator.until(
            lambda line: line.get("event") == "verdict" and line.get("verdict") == "Unhealthy",
            timeout=60,
            start=start,
        )
        verdict_at = time.monotonic()
        patience = 120 + PATIENCE * floor
        await wait_for(lambda: are_at(second.address), timeout=patience, what="the move", interval=0.2)
        moved = {
            found.name.rstrip("."): commit.at - verdict_at
            for commit in zone.store.log
            for found in commit.added
            if found.type == "A" and found.values == (second.address,)
        }
    important = [at for name, at in moved.items() if is_important(name)]
    others = [at for name, at in moved.items() if not is_important(name)]
    return {
        "names": names,
        "floor": floor,
        "published": published,
        "moved": max(moved.values()),
        "times_floor": max(moved.values()) / floor,
        "important_moved": max(important),
        "important": len(important),
        "others_before": sum(at < max(important) for at in others),
    }


def main() -> None:
    """Measure one cloud, print and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cloud", choices=ZONES, nargs="?", default="route53")
    parser.add_argument("--names", type=int)
    options = parser.parse_args()
    figures = asyncio.run(measure(options.cloud, options.names or DEFAULT_NAMES[options.cloud]))
    print(" ".join(f"{key}={value:.2f}" for key, value in figures.items()))
    sys.stdout.flush()
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"quota-{options.cloud}.json").write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
