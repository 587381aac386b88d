"""Durations as people write them in Kubernetes: `10s`, `1m30s`, `250ms`.

The syntax is Go's `time.ParseDuration` without signs and fractions. `format: duration` of the API server would take
`-3s` and `1d` too, so the schema has rules of its own.
"""

import re

from detour.kube.resources.rules import Rule, shaped

SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
MAXIMUM_LENGTH = 16
# Six digits keep the longest text of MAXIMUM_LENGTH within the 292 years that CEL's duration() can hold.
PATTERN = "([0-9]{1,6}(ms|s|m|h))+"
PART = re.compile("([0-9]+)(ms|s|m|h)", re.ASCII)
WHOLE = re.compile(PATTERN, re.ASCII)


def seconds(text: str) -> float:
    """Return the seconds that `text` stands for. Raises ValueError where it is no duration."""
    if WHOLE.fullmatch(text) is None:
        raise ValueError("not a duration")
    milliseconds = sum(int(number) * round(SECONDS[unit] * 1000) for number, unit in PART.findall(text))
    return milliseconds / 1000


def duration_rules(field: str, shortest: str, longest: str) -> tuple[Rule, Rule]:
    """Return the rules that `field` is a duration from `shortest` to `longest`, both included."""
    low, high = seconds(shortest), seconds(longest)

    def within(text: str) -> bool:
        return WHOLE.fullmatch(text) is None or low <= seconds(text) <= high

    syntax = f"self.matches('^{PATTERN}$')"
    return (
        shaped(
            PATTERN,
            f"{field} must be a duration: whole numbers with the units ms, s, m or h, such as 500ms, 10s or 1m30s",
        ),
        Rule(
            f"!{syntax} || (duration(self) >= duration('{shortest}') && duration(self) <= duration('{longest}'))",
            f"{field} must be between {shortest} and {longest}",
            within,
        ),
    )
