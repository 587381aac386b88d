"""The generation `(epoch, sequence)` of a zone's plan: it only grows.

The epoch grows when a writer takes over, the sequence with each batch of that writer.
"""

from typing import NamedTuple


class Generation(NamedTuple):
    """Ordered like the tuple that it is."""

    epoch: int
    sequence: int

    def __str__(self) -> str:
        return f"{self.epoch}.{self.sequence}"


NEVER = Generation(0, 0)
"""Below every generation that a writer can hold."""
