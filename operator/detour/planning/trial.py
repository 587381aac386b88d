"""An edit that leaves nothing of what was there puts the new places on trial: what they replace goes on being checked.

A typing mistake in an address would else take down what works. The trial ends when one of them passes, when what they
replace fails, or when they have had their time: in the end it is the declaration that counts.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from detour.model.checks import CheckTiming, Target
from detour.model.health import Verdict
from detour.model.record import Publish, Record
from detour.model.rrset import is_address

PATIENCE = 60.0
"""Seconds for which new places have time to come up, unless their first verdicts take longer."""


@dataclass(frozen=True, slots=True)
class Replaced:
    """The targets of the earlier declaration, each with the hostname that led to it, None where there is none.

    What is only remembered was published when this process began: it is taken to work until it is found that it fails.
    """

    targets: Mapping[Target, str | None]
    is_remembered: bool = False

    def works(self, verdict: Verdict) -> bool:
        """Tell whether a place with this verdict still works, as far as is known."""
        return verdict is Verdict.HEALTHY or (self.is_remembered and verdict is Verdict.UNKNOWN)


def time_on_trial(timing: CheckTiming) -> float:
    """Return the seconds that new places have: `fall` checks or `PATIENCE`, and the check under way then may end."""
    return max(PATIENCE, timing.fall * max(timing.recheck_interval, timing.timeout)) + timing.timeout


def replaced_before(record: Record, published: Collection[str], known: Collection[str]) -> Replaced | None:
    """Return what an edit just before this process began has replaced, None where nothing.

    `published` are the addresses that the record published last, by its status; `known` those that its endpoints have,
    or that their hostnames led to. They are checked as the record is declared now.
    """
    if record.publish is Publish.CNAME or not frozenset(known).isdisjoint(published):
        return None  # what a target led to is not known any more
    addresses = filter(is_address, published)  # a set of before may have had a target in place of addresses
    targets = {Target(address, record.probe, record.timing): None for address in addresses}
    return Replaced(targets, is_remembered=True) if targets else None


def replaced_by(
    record: Record, before: Record, checked: Mapping[Target, str | None], known: Replaced | None
) -> Replaced | None:
    """Return what goes on being checked after an edit from `before` to `record`, None where nothing does.

    `checked` are the targets of `before`, each with the hostname that led to it; `known` is what an earlier edit has
    put aside. That stays as it is, the very object, where this edit leaves places on trial as they are.
    """
    declared = {address for each in record.endpoints for address in each.addresses}
    if known is not None and declared.intersection(each.address for each in known.targets):
        known = None  # what was replaced is back
    places = {place for each in before.endpoints for place in (each.hostname, *each.addresses) if place}
    if any(place in places for each in record.endpoints for place in (each.hostname, *each.addresses)):
        return known
    targets = {**(known.targets if known else {}), **checked}
    if not targets or declared.intersection(each.address for each in targets):
        return None
    return Replaced(targets)
