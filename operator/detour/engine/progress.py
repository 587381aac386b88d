"""What became of a record's name, told as it happens: a log line, an event, and how long it took."""

import logging
from collections.abc import Iterable

from detour.enactment.contract import Change
from detour.enactment.wishes import NameChange
from detour.engine.clock import Clock
from detour.engine.history import Transition
from detour.engine.known import KnownRecord
from detour.engine.metrics import Metrics
from detour.engine.ports import Reports
from detour.engine.targets import Targets
from detour.model.record import ObjectKey
from detour.model.rrset import ANSWER_TYPES

logger = logging.getLogger(__name__)


class Progress:
    """Tells of decisions, of their acceptance by a provider, and of the moment when every name server shows them."""

    def __init__(self, targets: Targets, reporting: Reports, *, clock: Clock, metrics: Metrics, dry_run: bool) -> None:
        self._targets = targets
        self._reporting = reporting
        self._clock = clock
        self._metrics = metrics
        self._dry_run = dry_run

    def decided(self, known: KnownRecord, transition: Transition) -> None:
        """Something else is to be published from now on."""
        record, cause = known.keeper.record, self._targets.cause_at(known.keeper.record.key)
        self._metrics.decisions.labels(transition.basis.value).inc()
        if cause is not None and not transition.is_first:
            known.keeper.decided_for = cause
            self._observe_stage(known, "decided")
        before, after = ", ".join(transition.before) or "nothing", ", ".join(transition.after)
        told = f"{record.hostname}: {before} -> {after} ({transition.reason})"
        extra = {"event": "decision", "record": str(record.key), "hostname": record.hostname}
        why = {"before": before, "after": after, "reason": transition.reason}
        logger.info("%s", told, extra={**extra, **why})
        if transition.is_first:
            self._reporting.tell(known.subject, "Decided", f"{record.hostname} is to be {after} ({transition.reason})")
        elif not (record.suspend or self._dry_run):  # those have the transition to WouldPublish
            self._reporting.tell(known.subject, "Rerouted", told)

    def accepted(self, zone: ObjectKey, change: NameChange, known: KnownRecord | None) -> None:
        """A provider has applied a change; `known` is its record, None where that is gone."""
        answers = [each for each in change.changes if each.key.type in ANSWER_TYPES]
        before, after = (", ".join(values) for values in _values(answers))
        if answers and not after:
            told = f"{change.hostname}: {zone} has deleted it (it was {before})"
        else:
            told = f"{change.hostname}: {zone} accepts {after or 'its marker'}"
        extra = {"event": "accepted", "zone": str(zone), "hostname": change.hostname, "record": str(change.record)}
        logger.info("%s", told, extra={**extra, "before": before, "after": after})
        if known is None:
            return
        if change.is_repair:
            self._metrics.repairs.inc()
            told = f"{change.hostname} had been changed in zone {zone} by somebody else and was put back"
            told += f"; {change.claimed_by}" if change.claimed_by else ""
            known.keeper.repaired(zone, change)
            self._reporting.incident(known.subject, "Repaired", told)
        if change.was_there:
            before = "; ".join(f"{', '.join(each.values)} ({each.type}, TTL {each.ttl} s)" for each in change.was_there)
            told = f"{change.hostname} in zone {zone} was adopted; it had {before}, which status.history keeps"
            self._reporting.tell(known.subject, "Adopted", told)
        self._observe_stage(known, "accepted")

    def visible(self, zone: ObjectKey, known: KnownRecord) -> None:
        """All authoritative servers of a zone show what was changed last."""
        hostname = known.keeper.record.hostname
        extra = {"event": "visible", "zone": str(zone), "hostname": hostname}
        logger.info("%s: every name server of %s shows it", hostname, zone, extra=extra)
        self._observe_stage(known, "visible")

    def _observe_stage(self, known: KnownRecord, stage: str) -> None:
        if known.keeper.decided_for is not None:
            self._metrics.stage_seconds.labels(stage).observe(self._clock.now() - known.keeper.decided_for)


def _values(changes: Iterable[Change]) -> tuple[list[str], list[str]]:
    """Return all values before and after some changes."""
    changes = tuple(changes)
    old = [each.old.rrset for each in changes if each.old is not None]
    new = [each.new for each in changes if each.new is not None]
    return [value for each in old for value in each.values], [value for each in new for value in each.values]
