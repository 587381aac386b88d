"""What a story showed."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Result:
    """Whether a story went as it should, with its figures in the order to print them."""

    passed: bool
    values: Mapping[str, object]

    def figures(self) -> str:
        """Return the figures as `key=value`."""
        return " ".join(f"{key}={value}" for key, value in self.values.items())
