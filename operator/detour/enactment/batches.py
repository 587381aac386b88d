"""Filling a batch: as many hostnames as the provider takes at once, the urgent ones first."""

from collections.abc import Sequence

from detour.enactment.contract import ProviderLimits
from detour.enactment.wishes import NameChange


def fill(
    work: Sequence[NameChange], limits: ProviderLimits, *, ledger_elements: int, elements: int, names: int | None
) -> list[NameChange]:
    """Return the hostnames of the next batch, in the order of their urgency.

    `elements` is what the budget allows now, `ledger_elements` what the ledger takes of it; `names` bounds the number
    of hostnames while a refused one is being looked for. The first hostname is taken whatever it costs.
    """
    room = min(limits.batch_elements, elements) - ledger_elements
    characters = limits.batch_characters
    taken: list[NameChange] = []
    for each in sorted(work, key=lambda change: change.urgency):
        cost, length = count_elements(each, limits), _characters(each)
        if taken and (cost > room or length > characters or (names is not None and len(taken) >= names)):
            break
        room -= cost
        characters -= length
        taken.append(each)
    return taken


def count_elements(change: NameChange, limits: ProviderLimits) -> int:
    """Return what the changes of one hostname count against the provider's limits."""
    return sum(limits.elements(each) for each in change.changes)


def _characters(change: NameChange) -> int:
    sets = [each for pair in change.changes for each in (pair.new, pair.old.rrset if pair.old else None) if each]
    return sum(len(value) + 2 for each in sets for value in each.values)
