"""What the checks of a twin show: what the statuses say was believed of each place, unless its region fails."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from detour.checks.resolver import Resolution, ResolutionOutcome
from detour.engine.checktargets import checks_of, target_of
from detour.health.quorum import votes_needed
from detour.model.checks import CheckResult, Target
from detour.model.endpoint import Endpoint
from detour.model.health import Verdict
from detour.model.record import Quorum, Record

LATENCY = 0.02
"""Seconds that a check takes, and says of what passes."""

SHOWS = {Verdict.HEALTHY.value: True, Verdict.UNHEALTHY.value: False, Verdict.UNKNOWN.value: None}


@dataclass(slots=True)
class Believed:
    """By target what its checks show, the regions that it is in and how many votes condemn it; addresses by hostname.

    Of the `votes` that there are so many as `seen_by` see `failing` regions fail, None where all do.
    """

    shows: dict[Target, tuple[bool | None, str]] = field(default_factory=dict)
    regions: dict[Target, set[str]] = field(default_factory=dict)
    quorums: dict[Target, Quorum] = field(default_factory=dict)
    addresses: dict[str, tuple[str, ...]] = field(default_factory=dict)
    hostname_regions: dict[str, set[str]] = field(default_factory=dict)
    failing: set[str] = field(default_factory=set)
    votes: int = 1
    seen_by: int | None = None
    _made: int = 1

    def learn(self, record: Record, status: Mapping[str, Any]) -> None:
        """Take in a record, or a canary as one, and what its status says of its endpoints."""
        told = {str(each.get("name")): each for each in _mappings(status.get("endpoints"))}
        for endpoint in record.endpoints:
            found = told.get(endpoint.name, {})
            verdicts = {str(each.get("address")): each for each in _mappings(found.get("addresses"))}
            if endpoint.hostname is not None:
                self._learn_hostname(endpoint, verdicts)
            for address in endpoint.addresses or tuple(verdicts):
                self._learn_address(record, endpoint, address, verdicts.get(address, {}), found)

    def _learn_hostname(self, endpoint: Endpoint, verdicts: Mapping[str, Any]) -> None:
        assert endpoint.hostname is not None  # noqa: S101 - the caller has looked
        if verdicts or endpoint.hostname not in self.addresses:
            self.addresses[endpoint.hostname] = tuple(verdicts)
        self.hostname_regions.setdefault(endpoint.hostname, set()).add(endpoint.region)

    def _learn_address(
        self, record: Record, endpoint: Endpoint, address: str, verdict: Mapping[str, Any], found: Mapping[str, Any]
    ) -> None:
        by_check = {str(each.get("name")): each for each in _mappings(found.get("checks"))}
        for check in checks_of(record):
            target = target_of(record, endpoint, check, address)
            told = by_check.get(check.name) or verdict
            self.regions.setdefault(target, set()).add(endpoint.region)
            self.quorums[target] = record.quorum
            if told:
                message = str(told.get("message") or found.get("message") or "")
                self.shows[target] = SHOWS.get(str(told.get("verdict"))), message

    def learn_canary(self, canary: Record, verdict: object) -> None:
        """Take in a canary; its status tells no addresses, so it gets some that nobody else has."""
        (endpoint,) = canary.endpoints
        number = max(1, canary.timing.minimum_addresses)
        made = [f"198.18.{place >> 8 & 255}.{place & 255}" for place in range(self._made, self._made + number)]
        self._made += number
        listed = [{"address": each, "verdict": verdict} for each in made]
        self.learn(canary, {"endpoints": [{"name": endpoint.name, "addresses": listed}]})

    def check(self, target: Target) -> CheckResult:
        """Return what a check of a target shows; what was never checked passes."""
        if self.failing and self.regions.get(target, set()) & self.failing and self._is_condemned(target):
            return CheckResult(False, "RegionFails", f"{target.address} is in a region that fails", LATENCY)
        passed, message = self.shows.get(target, (True, ""))
        return CheckResult(passed, "" if passed else "AsBefore", message, LATENCY)

    def _is_condemned(self, target: Target) -> bool:
        """Tell whether those who see a target fail have the votes for it."""
        return self.seen_by is None or self.seen_by >= votes_needed(self.quorums[target], self.votes)

    def resolve(self, hostname: str) -> Resolution:
        """Return the addresses of a hostname as they were."""
        found = self.addresses.get(hostname)
        if not found:
            return Resolution(ResolutionOutcome.FAILED, (), 60.0, message=f"{hostname} was not resolved before")
        return Resolution(ResolutionOutcome.ANSWERED, found, 60.0)


def _mappings(value: object) -> list[Mapping[str, Any]]:
    found = value if isinstance(value, Sequence) and not isinstance(value, str) else ()
    return [each for each in found if isinstance(each, Mapping)]
