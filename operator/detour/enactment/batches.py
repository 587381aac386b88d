"""Filling a batch: as many hostnames as the provider takes at once."""

from detour.enactment.contract import ProviderLimits
from detour.enactment.wishes import NameChange


class BatchFiller:
    """Takes the changes of one hostname after the other until the provider's limits, or the budget's, are reached.

    `elements` is what the budget allows now, `ledger_elements` what the ledger takes of it; `names` bounds the number
    of hostnames while a refused one is being looked for. The first hostname is taken whatever it costs: refusing it
    here would only hide what the provider has to say about it.
    """

    def __init__(self, limits: ProviderLimits, *, ledger_elements: int, elements: int, names: int | None) -> None:
        self._limits = limits
        self._room = min(limits.batch_elements, elements) - ledger_elements
        self._characters = limits.batch_characters
        self._names = names
        self.taken: list[NameChange] = []

    def add(self, change: NameChange) -> bool:
        """Take `change` if it still fits; False says that the batch is full."""
        cost = sum(self._limits.elements(each) for each in change.changes)
        characters = _characters(change)
        full = cost > self._room or characters > self._characters or len(self.taken) == self._names
        if self.taken and full:
            return False
        self._room -= cost
        self._characters -= characters
        self.taken.append(change)
        return True


def _characters(change: NameChange) -> int:
    sets = [each for pair in change.changes for each in (pair.new, pair.old.rrset if pair.old else None) if each]
    return sum(len(value) + 2 for each in sets for value in each.values)
