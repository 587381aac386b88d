"""Which endpoints of a record answer with which values, which leave, and why. Pure.

The safety gate counts regions; here is told which regions a change concerns, and whether failures are behind it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from detour.health.damping import held_out_until
from detour.model.endpoint import AdminState, Endpoint, Forced
from detour.model.health import EndpointHealth, Verdict
from detour.model.record import Publish, Record, Strategy
from detour.model.rrset import RRset
from detour.model.shared import NONE
from detour.planning.decision import Basis
from detour.planning.safety.rules import Proposal

CLOCKS_APART = 10.0
"""Seconds by which the clocks of two replicas may differ."""


@lru_cache(maxsize=4096)
def _as_set(addresses: tuple[str, ...]) -> frozenset[str]:
    return frozenset(addresses)  # records that share an endpoint share its set


@dataclass(frozen=True, slots=True)
class Presence:
    """A record with the health of its endpoints; `drained` are the regions that a person took out.

    Those in `failing` fail as a whole, and the record leaves them. `now` in engine seconds.
    """

    record: Record
    healths: Mapping[str, EndpointHealth]
    drained: frozenset[str]
    now: float
    failing: frozenset[str] = NONE

    def proposal(
        self,
        before: tuple[RRset, ...],
        after: tuple[RRset, ...],
        *,
        shown: tuple[RRset, ...],
        known: Mapping[str, float],
        basis: Basis | None,
        is_ours: bool,
        is_unproven: bool = False,
        may_land: bool = False,
        is_due: bool = False,
    ) -> Proposal:
        """Return what would change from `before` to `after`, for the safety gate.

        `shown` is what the zone itself holds, `known` the values that it had within the window before we came to lead,
        by the status, with the time at which each left (engine seconds, infinite where it had not).
        `basis` says what decided, None where nothing has; `is_ours` that the name bears our mark; `is_unproven` that an
        edit brings only places that were never seen to work, in place of some that do; `may_land` that a write of the
        name may have changed it since, `is_due` that one is about to.
        """
        by_health = basis not in (None, Basis.PINNED)
        present, wanted = self.endpoints_in(before), self.endpoints_in(after)
        leaving = [each for each in present if each not in wanted]
        lost = _values(before) - _values(after)
        by_a_person = all(self.is_taken_out(each) for each in present if lost & self.values_of(each))
        return Proposal(
            record=self.record.key,
            hostname=self.record.hostname,
            before=before,
            after=after,
            regions_before=frozenset(each.region for each in present),
            regions_after=frozenset(each.region for each in wanted),
            failing=frozenset(each.region for each in leaving if by_health and self._leaves_failed(each, lost, wanted)),
            is_declared=basis is Basis.PINNED or (basis is Basis.CHOSEN and by_a_person),
            is_ours=is_ours,
            is_unproven=is_unproven,
            values_in=self._values_in(present, before),
            absent=self._absent(known, present) if by_health else {},
            regions_shown=frozenset(each.region for each in self.endpoints_in(shown)),
            may_land=may_land,
            is_due=is_due,
        )

    def endpoints_in(self, sets: Iterable[RRset]) -> list[Endpoint]:
        """Return the endpoints that answer by these sets."""
        values = _values(sets)
        return [each for each in self.record.endpoints if values & self.values_of(each)]

    def values_of(self, endpoint: Endpoint) -> frozenset[str]:
        """Return the values that an endpoint may have in DNS."""
        if endpoint.hostname is not None and self.record.publish is Publish.CNAME:
            return frozenset((endpoint.hostname,))
        if endpoint.addresses:
            return _as_set(endpoint.addresses)
        health = self.healths.get(endpoint.name)
        return frozenset(address for address, _ in (health.addresses if health else ()))

    def checked_for(self, endpoint: Endpoint, values: frozenset[str]) -> frozenset[str]:
        """Return the addresses of an endpoint that are checked for any of these values."""
        addresses = frozenset(address for address, _ in self.healths[endpoint.name].addresses)
        if self.record.publish is Publish.CNAME:
            return addresses if endpoint.hostname in values else frozenset()
        return addresses & values

    def is_taken_out(self, endpoint: Endpoint) -> bool:
        """Tell whether a person took the endpoint, or its region, out, or forced it down."""
        is_out = endpoint.state is AdminState.DRAINED or endpoint.forced is Forced.DOWN
        return is_out or endpoint.region in self.drained

    def _fails(self, endpoint: Endpoint) -> bool:
        return self.healths[endpoint.name].verdict is Verdict.UNHEALTHY

    def _all_fail(self, addresses: frozenset[str], endpoint: Endpoint) -> bool:
        bad = {address for address, verdict in self.healths[endpoint.name].addresses if verdict is Verdict.UNHEALTHY}
        return bool(addresses) and addresses <= bad

    def _leaves_failed(self, endpoint: Endpoint, lost: set[str], staying: list[Endpoint]) -> bool:
        """Tell whether an endpoint leaves because it fails or is held down, and not for a better one or by a person.

        It fails also where all its addresses that are `lost` do, and others of it, not in DNS yet, are not known well.
        """
        if self._fails(endpoint) or self._all_fail(self.checked_for(endpoint, frozenset(lost)), endpoint):
            return not self.is_taken_out(endpoint)
        if endpoint.region in self.failing or self.healths[endpoint.name].is_slow:
            return not self.is_taken_out(endpoint)
        health = self.healths[endpoint.name]
        failback = self.record.failback
        is_held_down = health.failed_at is not None and self.now < health.since + failback.hold_down
        is_held_down |= held_out_until(health.changes, failback.most_changes, self.now) is not None
        is_unknown = health.verdict is Verdict.UNKNOWN  # it should have kept its place
        return (is_held_down or is_unknown) and self._has_place_beside(endpoint, staying)

    def _has_place_beside(self, endpoint: Endpoint, others: list[Endpoint]) -> bool:
        """Tell whether an endpoint would answer beside these others if it were healthy."""
        best = min((each.priority for each in others), default=endpoint.priority)
        has_rank = self.record.strategy is Strategy.MULTI_VALUE or endpoint.priority <= best
        return has_rank and not self.is_taken_out(endpoint)

    def _absent(self, known: Mapping[str, float], present: list[Endpoint]) -> dict[str, float]:
        """Return the regions that had the name by `known`, and have it no more because they failed; since when.

        Where an endpoint's verdict is not known yet, only a failure explains that one of its rank is missing. What a
        person took out before it failed has not left for that.
        """
        here = {each.region for each in present}
        absent: dict[str, float] = {}
        for each in self.record.endpoints:
            health = self.healths[each.name]
            is_missed = health.verdict is Verdict.UNKNOWN and self._has_place_beside(each, present)
            failed_at = max(health.failed_at or 0.0, health.since if self._fails(each) or is_missed else 0.0)
            left_at = max((known[value] for value in self.values_of(each) if value in known), default=None)
            if not failed_at or left_at is None or each.region in here:
                continue
            if not self.is_taken_out(each) or failed_at <= left_at + CLOCKS_APART:
                absent[each.region] = max(failed_at, absent.get(each.region, 0.0))
        return absent

    def _values_in(self, endpoints: list[Endpoint], sets: tuple[RRset, ...]) -> dict[str, frozenset[str]]:
        if self.record.publish is Publish.CNAME:
            return {}
        values = _values(sets)
        regions: dict[str, frozenset[str]] = {}
        for each in endpoints:
            found = frozenset(values & self.values_of(each))
            regions[each.region] = regions.get(each.region, frozenset()) | found
        return regions


def _values(sets: Iterable[RRset]) -> set[str]:
    return {value for each in sets for value in each.values}
