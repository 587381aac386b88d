"""Numbered plans, and the planner that makes them.

A plan says which addresses serve all endpoints of the region; each new one has the next number. Plans are handed over
as files in a folder, which enactors look into whenever it suits them: nobody is told, and nobody waits for anybody.
"""

import json
from dataclasses import dataclass
from pathlib import Path

FIRST_PLAN = 100
ADDRESSES_PER_PLAN = 3
_PATTERN = "plan-*.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One generation: the load balancers that serve from now on, by their IPv4 addresses."""

    number: int
    addresses: tuple[str, ...]


class Planner:
    """Makes plan after plan, from FIRST_PLAN on, into `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._next = FIRST_PLAN

    def make(self, count: int = 1) -> Plan:
        """Make `count` plans (at least 1) and return the newest. Load balancers come and go, so no two are equal."""
        for _ in range(count):
            plan = Plan(number=self._next, addresses=_addresses(self._next))
            self._next += 1
            partial = self._folder / "partial"
            partial.write_text(json.dumps({"number": plan.number, "addresses": plan.addresses}), encoding="utf-8")
            partial.rename(self._folder / f"plan-{plan.number:06}.json")  # so that nobody reads half a plan
        return plan


def newest_plan(folder: Path) -> Plan | None:
    """Return the plan in `folder` with the highest number, None before the first."""
    found = max(folder.glob(_PATTERN), default=None)
    if found is None:
        return None
    content = json.loads(found.read_text(encoding="utf-8"))
    return Plan(number=int(content["number"]), addresses=tuple(content["addresses"]))


def _addresses(number: int) -> tuple[str, ...]:
    """Return addresses from a network that is kept for examples (RFC 5737); a model's load balancers get no traffic."""
    return tuple(f"198.51.100.{(number + offset) % 250 + 1}" for offset in range(ADDRESSES_PER_PLAN))
