"""How an error that nobody foresaw is told: its type and where it arose, never its text, which may hold a secret."""

import traceback
from pathlib import Path


def told(error: BaseException) -> str:
    """Return the type of `error` and the last places that it came through, innermost last."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    places = [f"{Path(each.filename).parent.name}/{Path(each.filename).name}:{each.lineno}" for each in frames]
    return f"{type(error).__name__} ({' > '.join(places) or 'no trace'})"
