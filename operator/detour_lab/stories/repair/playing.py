"""From cells to a result: stage and servers are set up, a suite plays on them, and its verdicts are counted."""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager

from detour_lab.stage.stage import Stage
from detour_lab.stories.repair.cells import Cell, namespaces_of
from detour_lab.stories.repair.servers import Servers, Service
from detour_lab.stories.repair.suite import DEFAULT_LIMITS, SITE, Suite
from detour_lab.stories.repair.trials import Limits, Verdict
from detour_lab.stories.scenarios.result import Result

SLOWEST_TOLD = 3

Say = Callable[[str], None]


@asynccontextmanager
async def set_up(
    cells: Sequence[Cell],
    *,
    flags: Sequence[str] = (),
    throttled: bool = True,
    limits: Limits = DEFAULT_LIMITS,
    say: Say = lambda _: None,
) -> AsyncIterator[tuple[Stage, Suite]]:
    """Give a running stage, with the chart installed, and a suite of `cells` on it.

    `flags` are the operator's, behind those of the chart; `throttled` False lifts the quotas of the three clouds.
    """
    domains = {service: [cell.domain for cell in cells if cell.service is service] for service in Service}
    namespaces, secrets = namespaces_of(cells), sorted({cell.service.value for cell in cells})
    values = {
        "site": {"name": SITE},
        "credentials": {"secrets": [{"namespace": name, "names": secrets} for name in namespaces]},
    }
    async with (
        Servers(domains, throttled=throttled) as servers,
        Stage(records=False, real_bind=False, values=values, flags=flags, namespaces=namespaces) as stage,
        Suite(stage, servers, cells, limits=limits, say=say) as suite,
    ):
        yield stage, suite


def result_of(verdicts: Iterable[Verdict], say: Say) -> Result:
    """Count the verdicts; tell each cell that is not right, with what was expected and seen, and the slowest ones."""
    listed = tuple(verdicts)
    for each in listed:
        if not each.right:
            say(str(each))
    right = sum(each.right for each in listed)
    taken = [each.seconds for each in listed if each.seconds is not None]
    for each in sorted(listed, key=lambda verdict: verdict.seconds or 0.0)[-SLOWEST_TOLD:]:
        say(f"among the slowest: {each.cell}, operator {each.column}, {each.seconds or 0.0:.1f} s")
    return Result(
        right == len(listed) > 0,
        {
            "cells": len(listed),
            "right": right,
            "asked": sum(each.asked for each in listed),
            "slowest_seconds": round(max(taken, default=0.0), 1),
            "failovers": sum(each.failed_over for each in listed),
        },
    )
