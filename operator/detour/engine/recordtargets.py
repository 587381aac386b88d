"""Which records have to do with which targets for a while: they wait for the next result, or have a closer look."""

from collections.abc import Iterable, Iterator

from detour.model.checks import Target
from detour.model.record import ObjectKey


class RecordTargets:
    """Keeps some targets for each of some records, and which records these are for each target."""

    def __init__(self) -> None:
        self._targets: dict[ObjectKey, tuple[Target, ...]] = {}
        self._records: dict[Target, dict[ObjectKey, None]] = {}

    def __contains__(self, record: ObjectKey) -> bool:
        return record in self._targets

    def set(self, record: ObjectKey, targets: Iterable[Target]) -> None:
        """`record` has these targets now, and no others."""
        for target in self._targets.pop(record, ()):
            records = self._records[target]
            records.pop(record, None)
            if not records:
                del self._records[target]
        if wanted := tuple(dict.fromkeys(targets)):
            self._targets[record] = wanted
            for target in wanted:
                self._records.setdefault(target, {})[record] = None

    def __iter__(self) -> Iterator[Target]:
        """Give the targets that any record has."""
        return iter(self._records)

    def of(self, record: ObjectKey) -> tuple[Target, ...]:
        """Return the targets of `record`."""
        return self._targets.get(record, ())

    def having(self, target: Target) -> tuple[ObjectKey, ...]:
        """Return the records that have `target`."""
        return tuple(self._records.get(target, ()))
