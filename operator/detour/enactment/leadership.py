"""Who should write, as far as this process knows. Who can is another question: the fence answers it."""

from typing import Protocol


class Leadership(Protocol):
    """What the enactors ask of the leader election."""

    @property
    def leads(self) -> bool:
        """Tell whether this process should write: it was elected, and has seen nobody else elected since."""
        ...

    def confirmed_since(self, at: float) -> bool:
        """Tell whether the election was won or renewed by a request sent after `at` (engine seconds)."""
        ...


class SoleLeader:
    """The leadership of a process that has no rivals: it always leads."""

    leads = True

    def confirmed_since(self, at: float) -> bool:
        return True


SOLE_LEADER = SoleLeader()
