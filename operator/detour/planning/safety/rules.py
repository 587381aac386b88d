"""The safety gate between plan and write: what must not reach a provider, or not yet, whatever the planner said.

It looks at outcomes, not at how they came about, so that a mistake in checks or planner cannot pass it. Pure.

    never empty            a name that answers goes on answering
    one region at a time   what may leave failing regions within `Safety.window`: see `departures`
    first verdicts         what works is not given up for places that nobody has seen to work yet
    panic                  a vantage that sees most of the world fail is doubted before the world is
    deletions              of many names none is deleted because a namespace was
    freeze                 a person said so
"""

import enum
import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from detour.model.record import ObjectKey
from detour.model.rrset import ANSWER_TYPES, RRKey, RRset, address_sets
from detour.model.zone import Safety

FREE_DELETIONS = 10
FREE_SHARE_OF_DELETIONS = 0.2
"""So many names of a zone, or this share of those owned if that is more, may be deleted within the window."""

ALWAYS_FREE_DELETIONS = 3
"""So many may be deleted also where that is more than half of a small zone."""


def never_empty(before: Collection[RRKey], after: Collection[RRKey], *, deletion_observed: bool) -> str | None:
    """Return why a change of one name must not be written, or None where it may.

    `before` and `after` are the sets at the name. A name may lose an address family only while another set still
    answers; all of it goes only after the deletion of its FailoverRecord was observed.
    """
    answers_before = {key for key in before if key.type in ANSWER_TYPES}
    answers_after = {key for key in after if key.type in ANSWER_TYPES}
    if answers_after or deletion_observed:
        return None
    if not answers_before:
        return "the change would create a name without an answer"
    name = next(iter(answers_before)).name
    return f"the change would leave {name} without an answer"


class HoldReason(enum.StrEnum):
    """Why a change is held; the reasons of the condition Frozen."""

    REGIONS = "TooManyRegions"
    PANIC = "VantageSuspected"
    UNPROVEN = "NeverPassed"
    DELETIONS = "TooManyDeletions"
    FREEZE = "FrozenByUser"


@dataclass(frozen=True, slots=True)
class Proposal:
    """What one record would change in one zone.

    `before` is what was let through last, or stands in the zone; `after` what the planner wants. `regions_before` and
    `regions_after` are the regions with values in them; `failing` are those of `regions_before` whose endpoints leave
    because they were found Unhealthy, or are held down since. `is_declared` says that a person's change of a
    declaration is behind it, `is_ours` that the name bears our mark in the zone, `is_unproven` that an edit brings only
    places that no check has passed at yet, while what they replace still works; `values_in` are the addresses that
    `before` has in each region, none for a CNAME. `absent` are regions that the name is not in because they failed, and
    when they did (engine seconds); `regions_shown` those that the zone itself has it in, as far as that is known: a
    write of it `may_land` yet, or have landed, or the next one `is_due`.
    """

    record: ObjectKey
    hostname: str
    before: tuple[RRset, ...]
    after: tuple[RRset, ...]
    regions_before: frozenset[str]
    regions_after: frozenset[str]
    failing: frozenset[str]
    is_declared: bool = False
    is_ours: bool = True
    is_unproven: bool = False
    values_in: Mapping[str, frozenset[str]] = field(default_factory=dict)
    absent: Mapping[str, float] = field(default_factory=dict)
    regions_shown: frozenset[str] = frozenset()
    may_land: bool = False
    is_due: bool = False

    @property
    def evacuates(self) -> frozenset[str]:
        """The regions that the name leaves because they fail."""
        return self.failing - self.regions_after


def hold(
    proposal: Proposal, safety: Safety, *, is_suspected: bool = False, is_blocked: bool = False
) -> HoldReason | None:
    """Return why `proposal` has to wait, or None where it may be written.

    `is_suspected` says that the vantage is in doubt, `is_blocked` that departures keep the name where it is.
    """
    if not proposal.before and (proposal.is_ours or not safety.frozen):
        return None  # nobody loses anything by a name that did not answer; one of ours that was emptied is repaired
    if safety.frozen:
        return HoldReason.FREEZE
    if proposal.is_unproven:
        return HoldReason.UNPROVEN
    if is_suspected and not proposal.is_declared:
        return HoldReason.PANIC
    return HoldReason.REGIONS if is_blocked else None


def staying_in(proposal: Proposal, regions: frozenset[str]) -> Proposal | None:
    """Return the proposal that also keeps what the name has in `regions`; None where nothing is to be kept there."""
    kept = {value for region in regions for value in proposal.values_in.get(region, frozenset())}
    if not kept:
        return None
    after = {value for each in proposal.after for value in each.values}
    sets = address_sets(proposal.hostname, proposal.after[0].ttl, sorted(kept | after))
    return replace(proposal, after=sets, regions_after=proposal.regions_after | regions)


def deletions_allowed(owned: int) -> int:
    """Return how many of `owned` names of a zone may be deleted within the window; of a small zone at most half."""
    free = max(ALWAYS_FREE_DELETIONS, min(FREE_DELETIONS, owned // 2))
    return max(free, int(owned * FREE_SHARE_OF_DELETIONS))


def held_digest(lines: Iterable[str]) -> str:
    """Return what a person quotes to approve exactly these held changes."""
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:12]
