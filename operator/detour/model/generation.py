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

    @classmethod
    def parse(cls, text: str) -> "Generation | None":
        """Return the generation that `str` wrote, or None where `text` is none."""
        epoch, dot, sequence = text.partition(".")
        numbers = [int(part) for part in (epoch, sequence) if part.isascii() and part.isdecimal() and len(part) < 20]
        return cls(*numbers) if dot and len(numbers) == 2 else None


NEVER = Generation(0, 0)
"""Below every generation that a writer can hold."""
