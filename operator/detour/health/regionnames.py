"""Region names that nobody else uses: a slip of the pen makes a region of its own, which fails and is drained alone.

An endpoint may name a region that has no CloudRegion object. So a name counts as unknown only beside others: where
regions are declared, and it is not one of them but like one; or where it is the tail of a name that others use, such as
`us-east-1` beside `aws-us-east-1`. Pure.
"""

from collections.abc import Collection
from difflib import get_close_matches

LIKENESS = 0.8
"""From which share of common letters on two names are alike (difflib's ratio)."""


def nearest_region(name: str, *, declared: Collection[str], used: Collection[str]) -> str | None:
    """Return the region that was probably meant by `name`; None where it is known, or like no other.

    `declared` are CloudRegions, `used` the regions of all endpoints.
    """
    if name in declared:
        return None
    tails = sorted(each for each in {*declared, *used} if each.endswith(f"-{name}"))
    if tails:
        return tails[0]
    alike = get_close_matches(name, [each for each in declared if not _differ_in_numbers(each, name)], 1, LIKENESS)
    return alike[0] if alike else None


def _differ_in_numbers(one: str, other: str) -> bool:
    """Tell whether two names differ in their digits alone: clouds number their regions."""
    return one.rstrip("0123456789") == other.rstrip("0123456789")
