"""Filling a batch: as many hostnames as the provider takes at once."""

from detour.enactment.contract import ProviderLimits
from detour.enactment.wishes import NameChange

LEDGER_CHARACTERS = 2 * 255
"""Kept free in each batch for the ledger's own old and new text, each of one character string (RFC 1035 §3.3)."""


class BatchFiller:
    """Takes the changes of one hostname after the other until the provider's limits, or the budget's, are reached.

    `budget` is how many changes the account may make now; of that and of the batch's elements the ledger takes
    `ledger_elements`. `names` bounds the number of hostnames while a refused one is being looked for. The first
    hostname is taken whatever it costs: refusing it here would only hide what the provider has to say about it.
    """

    def __init__(self, limits: ProviderLimits, *, ledger_elements: int, budget: float, names: int | None) -> None:
        self._limits = limits
        self._elements = limits.batch_elements - ledger_elements
        self._budget = budget - ledger_elements
        self._characters = limits.batch_characters - LEDGER_CHARACTERS
        self._names = names
        self.taken: list[NameChange] = []

    def add(self, change: NameChange) -> bool:
        """Take `change` if it still fits; False says that the batch is full."""
        elements = sum(map(self._limits.elements, change.changes))
        cost = sum(map(self._limits.cost, change.changes))
        characters = _characters(change)
        full = elements > self._elements or cost > self._budget or characters > self._characters
        if self.taken and (full or len(self.taken) == self._names):
            return False
        self._elements -= elements
        self._budget -= cost
        self._characters -= characters
        self.taken.append(change)
        return True


def _characters(change: NameChange) -> int:
    stored = [each for pair in change.changes for each in (pair.old, pair.beside, pair.beside) if each]
    sets = [pair.new for pair in change.changes if pair.new] + [each.rrset for each in stored]
    return sum(len(value) + 2 for each in sets for value in each.values)
