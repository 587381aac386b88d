"""An endpoint that fails and recovers again and again takes its users along each time: so it is to stay away a while.

As with routes that flap (RFC 2439), what counts is how often the verdict has changed lately, and nothing has to be
guessed: after more than so many changes within an hour an endpoint that has lost its place waits until they are fewer.
Pure; times in seconds on the engine's clock.
"""

from detour.model.health import Verdict

HOUR = 3600.0
MOST_COUNTED = 60
"""Changes that are remembered: more than that an hour can not be asked for either."""


def changes_after(
    changes: tuple[float, ...], verdict: Verdict, *, was_down: bool, now: float
) -> tuple[tuple[float, ...], bool]:
    """Return when a verdict has changed lately, once it is `verdict`, and whether the endpoint is down by that.

    Unknown is no change: nothing was learned. Of who was down it takes the last change back: what was believed was
    doubted, as when a prober had lost its own way out, and is not the endpoint's doing.
    """
    if verdict is Verdict.UNKNOWN and was_down:
        return changes[:-1], False
    is_down = verdict is Verdict.UNHEALTHY
    if verdict is Verdict.UNKNOWN:
        return changes, was_down
    if is_down is was_down:
        return changes, was_down
    return (*(each for each in changes if each > now - HOUR), now)[-MOST_COUNTED - 1 :], is_down


def held_out_until(changes: tuple[float, ...], most: int, now: float) -> float | None:
    """Return until when an endpoint that changed so is to stay away, None where it is not, or `most` is 0."""
    if not most or len(changes) <= most:
        return None
    recent = [each for each in changes if each > now - HOUR]
    return recent[-most - 1] + HOUR if len(recent) > most else None


def as_if_changed_at(at: float, most: int) -> tuple[float, ...]:
    """Return changes by which an endpoint stays away until an hour after `at`, as an earlier status says."""
    return (at,) * (most + 1) if most else ()
