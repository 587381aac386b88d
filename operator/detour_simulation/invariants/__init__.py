"""What must hold in every run: pure functions from a history to the violations in it.

Each is told in one line in its docstring; `docs` names the promise that it stands for. They see only the history, so
that each can be shown to fire on one that was written by hand.
"""

from collections.abc import Callable, Iterator, Mapping

from detour_simulation.history import History, Violation
from detour_simulation.invariants.causes import fails_static
from detour_simulation.invariants.claims import one_owner
from detour_simulation.invariants.ending import converges, no_defects, truthful
from detour_simulation.invariants.flapping import stays_away
from detour_simulation.invariants.freezes import stays_frozen
from detour_simulation.invariants.generations import keeps_away, never_stale, one_writer, undisturbed
from detour_simulation.invariants.holddown import holds_down
from detour_simulation.invariants.liveness import serves
from detour_simulation.invariants.names import as_seen, deletions_held, never_empty, only_ours
from detour_simulation.invariants.patience import never_to_the_dead, patient, stays_suspended
from detour_simulation.invariants.radius import blast_radius
from detour_simulation.invariants.sharing import one_decider, within_quotas
from detour_simulation.invariants.withdrawals import withdraws_slowly

Invariant = Callable[[History], Iterator[Violation]]

INVARIANTS: Mapping[str, Invariant] = {
    "NeverEmpty": never_empty,
    "NeverStale": never_stale,
    "OneWriter": one_writer,
    "Undisturbed": undisturbed,
    "KeepsAway": keeps_away,
    "OnlyOurs": only_ours,
    "AsSeen": as_seen,
    "OneOwner": one_owner,
    "BlastRadius": blast_radius,
    "DeletionsHeld": deletions_held,
    "StaysFrozen": stays_frozen,
    "FailsStatic": fails_static,
    "HoldsDown": holds_down,
    "Patient": patient,
    "StaysAway": stays_away,
    "WithdrawsSlowly": withdraws_slowly,
    "NeverToTheDead": never_to_the_dead,
    "StaysSuspended": stays_suspended,
    "Serves": serves,
    "OneDecider": one_decider,
    "WithinQuotas": within_quotas,
    "Truthful": truthful,
    "NoDefects": no_defects,
    "Converges": converges,
}


def violations(history: History) -> list[Violation]:
    """Return the first violation of each invariant, the earliest first."""
    found = [first for name, invariant in INVARIANTS.items() if (first := next(invariant(history), None)) is not None]
    return sorted(found, key=lambda each: each.at)
