"""Verdicts that a user's own program makes of an endpoint."""

from dataclasses import dataclass

from detour.model.health import Verdict

LONGEST_VALIDITY = 600.0
"""Seconds after which a verdict counts for nothing, however late it says that it expires."""


@dataclass(frozen=True, slots=True)
class ExternalVerdict:
    """A verdict that counts until `expires_at` (seconds since the Unix epoch)."""

    verdict: Verdict
    expires_at: float
    message: str = ""
