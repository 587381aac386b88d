"""october-2025: the steps of the outage of 19-20 October 2025, once with a plain writer and once with Detour.

docs/october-2025.md tells both side by side, and what is public about the outage itself.
"""

from collections.abc import Callable

from detour_lab.stage.stage import Stage, StageError
from detour_lab.stories.october import plain
from detour_lab.stories.october.fenced import FencedStory
from detour_lab.stories.october.writers import EnactorError
from detour_lab.stories.scenarios.result import Result


async def play(stage: Stage, say: Callable[[str], None]) -> Result:
    """Play on a stage whose records are Ready; the plain writer has a zone of its own."""
    say("\nWith a plain writer, which checks once and then writes:\n")
    try:
        without = await plain.play(say)
    except EnactorError as error:
        raise StageError(str(error)) from error
    say("\nWith Detour:\n")
    fenced = await FencedStory(stage, say).play()
    return Result(
        without.ended_empty and without.refusals == without.attempts and fenced.passed,
        {
            "plain_ended_empty": int(without.ended_empty),
            "plain_empty_answers": without.empty_answers,
            "detour_empty_answers": fenced.empty_answers,
            "detour_stale_writes": fenced.stale_writes,
            "detour_old_answers": fenced.old_answers,
            "detour_late_batch_refused": int(fenced.late_refused),
            "detour_names_resurrected": int(fenced.resurrected),
            "detour_moved_on": int(fenced.moved_on),
            "detour_claims_afterwards": fenced.claims_afterwards,
            "detour_take_over_seconds": round(fenced.take_over_seconds, 1),
            "plain_refusals": f"{without.refusals}/{without.attempts}",
        },
    )
