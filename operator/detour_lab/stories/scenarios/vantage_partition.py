"""vantage-partition: one of three vantages loses its network, and sees a thousand endpoints fail. Nothing moves."""

import asyncio
from collections.abc import Callable

from detour_lab.controlplane import Binaries
from detour_lab.stories.scenarios.result import Result
from detour_lab.stories.vantages import Vantages

RECORDS = 500
"""With two endpoints each."""

SECONDS = 60.0
"""For which the network is lost."""

LOST = "east"


def set_up(*, say: Callable[[str], None], binaries: Binaries | None = None, records: int = RECORDS) -> Vantages:
    """Return the cluster that this story needs."""
    return Vantages(say=say, binaries=binaries, records=records)


async def play(vantages: Vantages, say: Callable[[str], None], *, seconds: float = SECONDS) -> Result:
    """Play on a cluster whose records are Ready and whose probes are heard; it takes so many seconds and more."""
    endpoints = 2 * len(await vantages.stage.records())
    say(await vantages.table())
    before = await vantages.generation()
    say(f"vantage {LOST} loses its network: all of its {endpoints} checks hang")
    await vantages.views[LOST].lose_network()
    await vantages.until_state(LOST, "Suspected")
    say(await vantages.table())
    await asyncio.sleep(seconds)
    changes = int((await vantages.generation()) != before)
    verdicts = {each["verdict"] for each in await vantages.endpoints()}
    say(f"after {seconds:g} s more the ledger stands at {await vantages.generation()}, before it was {before}")
    await vantages.views[LOST].regain_network()
    await vantages.until_state(LOST, "Trusted")
    say(f"its network is back, and it is believed again\n\n{await vantages.table()}")
    passed = not changes and verdicts == {"Healthy"}
    return Result(passed, {"endpoints": endpoints, "dns_changes": changes, "verdicts": "+".join(sorted(verdicts))})
