"""The canaries of regions in a run: one for each region, a name of the cloud's that leads to one address."""

from typing import Any

from detour_simulation.regions import REGIONS

TIMING = {"interval": "3s", "recheckInterval": "1s", "timeout": "1s", "fall": 2, "rise": 2}
AFTER, SOONER, HOLD_DOWN = 5.0, 1.0, 8.0
PAGE_EVERY = 2.0
"""Seconds between two readings of the page on which the cloud says what is wrong."""

SEEN = 3.0 + 2 * 1.0 + 1.0
"""Seconds within which a canary that fails, or passes again, has that verdict."""

SHOWS = SEEN + max(AFTER, HOLD_DOWN) + 20.0
"""Seconds within which what has become of a canary has come about in DNS."""


def hostname(region: str) -> str:
    """Return the name that is the canary of a region."""
    return f"api.{region}.cloud.example"


def address(region: str) -> str:
    """Return the address that this leads to."""
    return f"203.0.113.{1 + REGIONS.index(region)}"


def spec(region: str) -> dict[str, Any]:
    """Return what a CloudRegion declares of its canary."""
    return {
        "canaries": [{"name": "api", "hostname": hostname(region)}],
        "canaryTiming": TIMING,
        "failing": {"after": f"{AFTER:g}s", "holdDown": f"{HOLD_DOWN:g}s"},
        "signals": {"statusFeed": True, "failing": {"canaries": 1, "after": f"{SOONER:g}s"}},
    }
