"""A number, or a share of all: how people say how many of something it takes."""

import math


def so_many(number: int | None, share: float | None, total: int, *, otherwise: int) -> int:
    """Return how many of `total` are meant, at least one and at most all; `otherwise` where neither is given.

    `share` is above 0 and at most 1; what it makes is rounded up.
    """
    if number is not None:
        wanted = number
    elif share is not None:
        wanted = math.ceil(share * total - 1e-9)  # 2/3 written as 0.6666666667 is still two of three
    else:
        wanted = otherwise
    return max(1, min(wanted, total))


def majority(total: int) -> int:
    """Return how many are more than half."""
    return total // 2 + 1
