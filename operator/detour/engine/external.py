"""The verdicts that users' own programs write: each counts until it expires, and for ten minutes at most."""

from collections.abc import Callable
from typing import NamedTuple

from detour.checks.failures import Reason
from detour.engine.clock import Clock
from detour.model.checks import CheckResult, ExternalCheck
from detour.model.external import LONGEST_VALIDITY, ExternalVerdict
from detour.model.health import Verdict
from detour.model.record import ObjectKey


class _Known(NamedTuple):
    said: ExternalVerdict
    until: float  # engine seconds


class ExternalVerdicts:
    """Keeps what they say. `on_change` gets the check that may have another result."""

    def __init__(self, clock: Clock, *, on_change: Callable[[ExternalCheck], None]) -> None:
        self._clock = clock
        self._on_change = on_change
        self._known: dict[ObjectKey, _Known] = {}
        self._defects: dict[ObjectKey, str] = {}

    def declare(self, key: ObjectKey, said: ExternalVerdict, *, is_listed: bool) -> None:
        """A verdict is new or changed.

        One that `is_listed` may have been written long ago: if it says that it counts for longer than it may, nobody
        knows whether it still does.
        """
        self._defects.pop(key, None)
        if (known := self._known.get(key)) is not None and known.said == said:
            return
        left = said.expires_at - self._clock.wall()
        left = 0.0 if is_listed and left > LONGEST_VALIDITY else min(LONGEST_VALIDITY, left)
        self._known[key] = _Known(said, self._clock.now() + left)
        self._on_change(ExternalCheck(*key))

    def refuse(self, key: ObjectKey, why: str) -> None:
        """What is written there makes no sense: what was before counts until it expires."""
        self._defects[key] = why

    def remove(self, key: ObjectKey) -> None:
        """A verdict is gone."""
        self._known.pop(key, None)
        self._defects.pop(key, None)
        self._on_change(ExternalCheck(*key))

    def verdict(self, check: ExternalCheck) -> CheckResult:
        """Return what a verdict says now, as the result of a check."""
        key = ObjectKey(check.namespace, check.name)
        known, name = self._known.get(key), f"ExternalVerdict {key}"
        if known is None or self._clock.now() >= known.until:
            told = f"{name} has expired" if known is not None else f"there is no {name}"
            why = self._defects.get(key)
            return _nothing(f"{told}, and what it says now cannot be used: {why}" if why else told)
        if known.said.verdict is Verdict.UNKNOWN:
            return _nothing(_told(f"{name} knows nothing", known.said.message))
        if known.said.verdict is Verdict.HEALTHY:
            return CheckResult(True, "", "", 0.0)
        return CheckResult(False, Reason.SAID_ELSEWHERE, _told(f"{name} says so", known.said.message), 0.0)


def _nothing(message: str) -> CheckResult:
    return CheckResult(None, Reason.NO_VERDICT, message, 0.0)


def _told(what: str, message: str) -> str:
    return f"{what}: {message}" if message else what
