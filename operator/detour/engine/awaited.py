"""Who waits for the next result of which target: a decision that needs to see more is made anew with each."""

from collections.abc import Iterable, Iterator

from detour.model.checks import Target
from detour.model.record import ObjectKey


class Awaited:
    """Keeps which records wait for which targets."""

    def __init__(self) -> None:
        self._targets: dict[ObjectKey, tuple[Target, ...]] = {}
        self._records: dict[Target, dict[ObjectKey, None]] = {}

    def __contains__(self, record: ObjectKey) -> bool:
        return record in self._targets

    def by(self, record: ObjectKey, targets: Iterable[Target]) -> None:
        """`record` waits for these targets, and for no others any more."""
        for target in self._targets.pop(record, ()):
            waiting = self._records[target]
            waiting.pop(record, None)
            if not waiting:
                del self._records[target]
        if wanted := tuple(targets):
            self._targets[record] = wanted
            for target in wanted:
                self._records.setdefault(target, {})[record] = None

    def __iter__(self) -> Iterator[Target]:
        """Give the targets that anybody waits for."""
        return iter(self._records)

    def of(self, target: Target) -> tuple[ObjectKey, ...]:
        """Return the records that wait for `target`."""
        return tuple(self._records.get(target, ()))
