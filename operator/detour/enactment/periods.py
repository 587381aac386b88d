"""How often a zone is looked at while nothing seems to happen in it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Periods:
    """In seconds, each at least 1.

    Every `audit` seconds each name is asked for at an authoritative server, and every `reading` seconds the whole zone
    is read through the provider's API. So damage is seen within the first, and what no question shows (a ledger, a
    marker) within the second. Where the zone keeps an account of its changes, that is asked every `changes` seconds,
    and damage seen within these.
    """

    audit: float = 30.0
    reading: float = 600.0
    changes: float = 10.0


DEFAULT_PERIODS = Periods()
