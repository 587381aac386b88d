"""What a FailoverRecord of the quickstart should publish, reckoned from its manifest alone.

It is deliberately not the product's planner: a judge that asks the accused is none.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any

Spec = Mapping[str, Any]


def expected_values(
    spec: Spec, *, lost: Collection[str], addresses_of: Callable[[str], Collection[str]]
) -> frozenset[str]:
    """Return the addresses that should answer while every endpoint in the regions `lost` is down.

    `addresses_of` resolves an endpoint's hostname. At least one endpoint must be left.
    """
    alive = [each for each in spec["endpoints"] if each["region"] not in lost]
    if spec.get("strategy", "Priority") == "Priority":
        wanted = spec.get("minServing", 1)
        taken: list[Mapping[str, Any]] = []
        for tier in sorted({each.get("priority", 1) for each in alive}):
            if len(taken) >= wanted:
                break
            taken += [each for each in alive if each.get("priority", 1) == tier]
        alive = taken
    return frozenset(address for each in alive for address in (each.get("addresses") or addresses_of(each["hostname"])))


def zones_of(spec: Spec) -> list[str]:
    """Return the names of the record's zones."""
    return [each["name"] for each in spec["zones"]]
