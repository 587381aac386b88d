"""The safety gate between plan and write: what must not reach a provider, or not yet, whatever the planner said.

It looks at outcomes, not at how they came about, so that a mistake in checks or planner cannot pass it. Pure.

    never empty            a name that answers goes on answering
    one region at a time   `Safety.max_regions_evacuated` regions lose their names within `Safety.window`
    panic                  a vantage that sees most of the world fail is doubted before the world is
    deletions              a tenth of thousands of names is not deleted because a namespace was
    freeze                 a person said so
"""

import enum
import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from detour.model.record import ObjectKey
from detour.model.rrset import ANSWER_TYPES, RRKey, RRset
from detour.model.zone import Safety

FREE_DELETIONS = 10
FREE_SHARE_OF_DELETIONS = 0.2
"""So many names of a zone, or this share of those owned if that is more, may be deleted within the window."""


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
    DELETIONS = "TooManyDeletions"
    FREEZE = "FrozenByUser"


@dataclass(frozen=True, slots=True)
class Proposal:
    """What one record would change in one zone.

    `before` is what was let through last, or stands in the zone; `after` what the planner wants. `regions_before` and
    `regions_after` are the regions with values in them; `failing` are those of `regions_before` whose endpoints leave
    because they were found Unhealthy. `is_declared` says that a person's change of a declaration is behind it,
    `is_ours` that the name bears our mark in the zone.
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

    @property
    def evacuates(self) -> frozenset[str]:
        """The regions that the name leaves because they fail."""
        return self.failing - self.regions_after


@dataclass(frozen=True, slots=True)
class Departure:
    """A name left a region because it failed there, at a time in engine seconds."""

    record: ObjectKey
    region: str
    at: float


@dataclass(frozen=True, slots=True)
class ZoneSituation:
    """What the gate of a zone knows: which regions each name has values in, and who left where within the window.

    `evacuated_before` are regions known to be evacuated from before this process came into force.
    """

    serving: Mapping[ObjectKey, frozenset[str]]
    departures: tuple[Departure, ...] = ()
    evacuated_before: frozenset[str] = frozenset()
    is_suspected: bool = False


def hold(proposal: Proposal, situation: ZoneSituation, safety: Safety) -> HoldReason | None:
    """Return why `proposal` has to wait, or None where it may be written."""
    if not proposal.before and (proposal.is_ours or not safety.frozen):
        return None  # nobody loses anything by a name that did not answer; one of ours that was emptied is repaired
    if safety.frozen:
        return HoldReason.FREEZE
    if situation.is_suspected and not proposal.is_declared:
        return HoldReason.PANIC
    evacuated = evacuated_regions(situation)
    leaving = [Departure(proposal.record, region, 0.0) for region in sorted(proposal.evacuates)]
    serving = {**situation.serving, proposal.record: proposal.regions_after}
    after = evacuated_regions(
        ZoneSituation(serving, (*situation.departures, *leaving), situation.evacuated_before), of=proposal.evacuates
    )
    if after - evacuated and len(after | evacuated) > safety.max_regions_evacuated:
        return HoldReason.REGIONS
    return None


def evacuated_regions(situation: ZoneSituation, of: Iterable[str] | None = None) -> frozenset[str]:
    """Return the regions that more than half of their names have left, `of` all or of these."""
    left: dict[str, set[ObjectKey]] = {}
    for each in situation.departures:
        left.setdefault(each.region, set()).add(each.record)
    asked = left if of is None else [region for region in of if region in left]
    found = set()
    for region in asked:
        gone = {record for record in left[region] if region not in situation.serving.get(record, frozenset())}
        staying = sum(1 for regions in situation.serving.values() if region in regions)
        if len(gone) > staying:
            found.add(region)
    return frozenset(found) | situation.evacuated_before


def deletions_allowed(owned: int) -> int:
    """Return how many of `owned` names of a zone may be deleted within the window."""
    return max(FREE_DELETIONS, int(owned * FREE_SHARE_OF_DELETIONS))


def held_digest(lines: Iterable[str]) -> str:
    """Return what a person quotes to approve exactly these held changes."""
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:12]
