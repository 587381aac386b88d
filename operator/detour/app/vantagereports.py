"""What vantages write into their statuses, taken in at a measured pace.

A probe writes once a second at most. Whoever has stolen its token may write more often, and each report is worked
through: so of one vantage no more than one a second is, the newest.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from detour.kube.translate import DeclarationError
from detour.kube.vantagereport import report_from, report_name
from detour.model.objects import RawObject, Subject
from detour.model.vantage import VantageReport

PERIOD = 0.9
"""Seconds between two reports of one vantage that are taken in: a little less than between two that a probe writes."""


class Reported(Protocol):
    """Who is told what vantages say: the engine."""

    def vantage_reported(self, subject: Subject, report: VantageReport, *, is_listed: bool) -> None:
        """A vantage says what it sees; one that `is_listed` may have said so long ago."""

    def vantage_unreadable(self, subject: Subject, why: str) -> None:
        """What a vantage wrote makes no sense."""


@dataclass(slots=True)
class _Kept:
    taken: tuple[str, int] | None = None
    taken_at: float = float("-inf")
    waiting: RawObject | None = None
    is_listed: bool = False


class VantageReports:
    """Hands on what vantages report, the newest of each. Times in engine seconds."""

    def __init__(self, reported: Reported) -> None:
        self._reported = reported
        self._kept: dict[Subject, _Kept] = {}

    def take(self, subject: Subject, raw: RawObject, now: float, *, is_listed: bool) -> None:
        """A Vantage was shown in this state."""
        kept = self._kept.setdefault(subject, _Kept())
        if not _has_report(raw) or (kept.taken is not None and report_name(raw) == kept.taken):
            return
        kept.waiting, kept.is_listed = raw, is_listed
        if now - kept.taken_at >= PERIOD:
            self._take_in(subject, kept, now)

    def take_due(self, now: float) -> None:
        """Hand on what had to wait."""
        for subject, kept in list(self._kept.items()):
            if kept.waiting is not None and now - kept.taken_at >= PERIOD:
                self._take_in(subject, kept, now)

    def forget(self, subject: Subject) -> None:
        """A Vantage is gone."""
        self._kept.pop(subject, None)

    def _take_in(self, subject: Subject, kept: _Kept, now: float) -> None:
        raw, kept.waiting, kept.taken_at = kept.waiting, None, now
        if raw is None:
            return
        kept.taken = report_name(raw)
        try:
            report = report_from(raw)
        except DeclarationError as error:
            self._reported.vantage_unreadable(subject, str(error))
        else:
            self._reported.vantage_reported(subject, report, is_listed=kept.is_listed)


def _has_report(raw: RawObject) -> bool:
    status = raw.get("status")
    return isinstance(status, Mapping) and bool(status.get("report"))
