"""blind-operator: one vantage, one record, two endpoints. Its network goes, and the provider still answers."""

import asyncio
from collections.abc import Callable

from detour_lab.controlplane import Binaries
from detour_lab.stories.scenarios.result import Result
from detour_lab.stories.vantages import OPERATOR, Vantages

SECONDS = 60.0
"""For which the network is lost."""


def set_up(*, say: Callable[[str], None], binaries: Binaries | None = None) -> Vantages:
    """Return the cluster that this story needs."""
    return Vantages(say=say, binaries=binaries, probes=())


async def play(vantages: Vantages, say: Callable[[str], None], *, seconds: float = SECONDS) -> Result:
    """Play on a cluster whose record is Ready; the network is lost for so many seconds."""
    say(await vantages.stage.table())
    before = await vantages.generation()
    say("the operator's checks hang, one after the other; the provider and its name servers answer as ever")
    await vantages.views[OPERATOR].lose_network()
    await asyncio.sleep(seconds)
    say(await vantages.stage.table())
    changes = int((await vantages.generation()) != before)
    await vantages.mend()
    await vantages.stage.wait_until_ready()
    say(f"its network is back\n\n{await vantages.stage.table()}")
    changes = max(changes, int((await vantages.generation()) != before))
    return Result(not changes, {"dns_changes": changes, "seconds": seconds})
