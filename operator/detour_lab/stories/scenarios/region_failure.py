"""region-failure: a region of a cloud fails and comes back; the demo's story without its frame."""

from collections.abc import Callable

from detour_lab.stage.stage import Stage
from detour_lab.stories.regionfailure import RegionFailure
from detour_lab.stories.scenarios.result import Result

REGION = "aws-us-east-1"


async def play(stage: Stage, say: Callable[[str], None]) -> Result:
    """Play on a stage whose records are Ready."""
    outcome = await RegionFailure(stage, REGION, say).play()
    for complaint in outcome.complaints:
        say(complaint)
    return Result(
        outcome.passed,
        {
            "rerouted": f"{outcome.rerouted}/{outcome.zones}",
            "seconds": round(outcome.seconds, 1),
            "empty_answers": outcome.empty_answers,
            "wrong_answers": outcome.wrong_answers,
        },
    )
