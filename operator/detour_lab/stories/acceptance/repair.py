"""repair: everything that can be damaged is damaged, and must be put back within 60 s, without a person.

`size` DNS services of six, each with every row of the table in `detour_lab.stories.repair.damages`, while the operator
runs and while it is down. The operator runs as the chart starts it, under the clouds' quotas and with the audits of
every installation.
"""

from detour_lab.stories.acceptance import Say
from detour_lab.stories.repair.cells import cells_of
from detour_lab.stories.repair.damages import Column
from detour_lab.stories.repair.playing import result_of, set_up
from detour_lab.stories.repair.servers import Service
from detour_lab.stories.repair.trials import Verdict
from detour_lab.stories.scenarios.result import Result


async def play(size: int, say: Say) -> Result:
    """Play the whole table at `size` services."""
    cells = cells_of(services=tuple(Service)[:size])
    verdicts: list[Verdict] = []
    async with set_up(cells, say=say) as (_, suite):
        await suite.publish()
        for column in Column:
            verdicts += await suite.play(column)
    return result_of(verdicts, say)
