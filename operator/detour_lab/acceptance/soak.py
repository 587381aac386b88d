"""soak: `size` minutes under fire (see `detour_lab.soak`), with a schedule that is drawn anew each time."""

from detour_lab import soak
from detour_lab.acceptance import Say
from detour_lab.scenarios.result import Result


async def play(size: int, say: Say) -> Result:
    """Play `size` minutes."""
    seed = soak.new_seed()
    say(f"SEED={seed}")
    outcome = await soak.play(soak.size_of(size), seed=seed, say=say)
    return soak.judged(outcome, minutes=size, seed=seed, say=say)
