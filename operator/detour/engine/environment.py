"""What the keeper of a zone works with."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from detour.checks.resolver import Delegation
from detour.enactment.asking import Ask
from detour.enactment.budget import Budget
from detour.enactment.contract import ProviderLimits, Secret
from detour.enactment.leadership import SOLE_LEADER, Leadership
from detour.enactment.periods import DEFAULT_PERIODS, Periods
from detour.enactment.questionbudget import QuestionBudget
from detour.enactment.sites import Site
from detour.engine.clock import Clock
from detour.engine.ports import Providers
from detour.engine.round import AT_ONCE
from detour.engine.signals import READ_EVERY
from detour.model.record import ObjectKey
from detour.planning.safety.departures import FREE_NAMES


@dataclass(frozen=True, slots=True)
class Environment:
    """What every zone needs of its surroundings. `budget_of` gives the one budget of an account.

    `named_site` gives `site` with its name, which may have to be read; it raises ClusterError. `leadership` is that of
    the process, `leadership_of` that for one zone, where several processes divide them. So many names may leave regions
    by failures beside the regions that are free: `free_departures` (see `planning.departures`). So many objects are
    taken in, or decided for, before others have their turn: `at_once`.
    At least `regions_in_service` regions stay in service (see `engine.regionkeeper`).
    Status pages of clouds are read every `read_signals_every` seconds; whether
    users' reports come in is `takes_reports`.
    Each write is told to `audit` before it is sent, and what became of it (see `enactment.audit`).
    Something sees to it that overrides name who made them: `requesters_verified`.
    Before each such step `pause` seconds pass, on virtual clocks only. `questions` bounds what name servers are asked
    whose answers are billed.
    """

    owner: str
    site: Site
    named_site: Callable[[], Awaitable[Site]]
    dry_run: bool
    clock: Clock
    randomness: random.Random
    read_secret: Callable[[str, str], Awaitable[Secret]]
    look_up: Callable[[str], Awaitable[tuple[str, ...]]]
    delegation_of: Callable[[str], Awaitable[Delegation | None]]
    ask: Ask
    budget_of: Callable[[str, ProviderLimits], Budget]
    providers: Providers
    periods: Periods = DEFAULT_PERIODS
    questions: QuestionBudget | None = None
    leadership: Leadership = SOLE_LEADER
    leadership_of: Callable[[ObjectKey], Leadership] | None = None
    free_departures: int = FREE_NAMES
    regions_in_service: int = 1
    read_signals_every: float = READ_EVERY
    takes_reports: bool = False
    at_once: int = AT_ONCE
    pause: float = 0.0
    audit: Callable[[dict[str, Any]], None] | None = None
    requesters_verified: bool = False
