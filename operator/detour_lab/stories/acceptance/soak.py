"""soak: `size` minutes under fire (see `detour_lab.stories.soak`), with a schedule that is drawn anew each time."""

from detour_lab.stories import soak
from detour_lab.stories.acceptance import Say
from detour_lab.stories.scenarios.result import Result


async def play(size: int, say: Say) -> Result:
    """Play `size` minutes."""
    seed = soak.new_seed()
    say(f"SEED={seed}")
    outcome = await soak.play(soak.size_of(size), seed=seed, say=say)
    return soak.judged(outcome, minutes=size, seed=seed, say=say)
