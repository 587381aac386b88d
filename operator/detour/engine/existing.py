"""Which FailoverRecords there are, so that nobody adopts the name of one that is only invalid, or being replaced."""

from collections.abc import Callable

from detour.model.record import ObjectKey

REPLACED_WITHIN = 30.0
"""Seconds for which a record that is gone counts as being there: `kubectl replace --force` deletes and creates."""


class ExistingRecords:
    """The records that were seen, valid or not. `clock` gives engine seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._present: set[ObjectKey] = set()
        self._gone_at: dict[ObjectKey, float] = {}
        self._all_known = False

    def come(self, record: ObjectKey) -> None:
        """The record is there."""
        self._present.add(record)
        self._gone_at.pop(record, None)

    def go(self, record: ObjectKey) -> None:
        """The record is gone."""
        now = self._clock()
        self._present.discard(record)
        self._gone_at = {key: at for key, at in self._gone_at.items() if now - at < REPLACED_WITHIN}
        self._gone_at[record] = now

    def all_known(self) -> None:
        """Whoever was not seen by now is not there."""
        self._all_known = True

    @property
    def are_all_known(self) -> bool:
        """Tell whether every record was seen."""
        return self._all_known

    def may_be(self, record: ObjectKey) -> bool:
        """Tell whether the record is there, was a moment ago, or may be for all that is known."""
        if record in self._present or not self._all_known:
            return True
        gone_at = self._gone_at.get(record)
        return gone_at is not None and self._clock() - gone_at < REPLACED_WITHIN
