"""What a probe makes of declarations: of records and regions the checks, of all else nothing."""

import asyncio

from detour.engine.canaries import Canaries
from detour.engine.clock import Clock
from detour.engine.ports import Origin
from detour.engine.targets import Targets
from detour.health.signals import LONGEST_CLOSER_LOOK
from detour.kube.origins import closer_look_told_of
from detour.model.external import ExternalVerdict
from detour.model.objects import Kind, Subject
from detour.model.overrides import Override
from detour.model.record import ObjectKey, Record
from detour.model.region import Region
from detour.model.shared import NONE
from detour.model.vantage import Vantage, VantageReport
from detour.model.zone import Zone


class Checked:
    """Has the endpoints of records checked by `targets`. Implements `Declared`.

    A record that cannot be used is checked as it was declared before; what is wrong with it the operator says.
    """

    def __init__(self, targets: Targets, clock: Clock) -> None:
        self._targets = targets
        self._clock = clock
        self._canaries = Canaries(targets)
        self._records: dict[ObjectKey, Record] = {}
        self._closer_until: dict[str, float] = {}  # by region, in engine seconds
        self._told_until: dict[str, float] = {}  # the same, as the region's status says it
        self._looked_closer: frozenset[str] = NONE

    def record_declared(self, subject: Subject, record: Record, origin: Origin) -> None:
        """Check the record's endpoints."""
        self._records[record.key] = record
        self._targets.watch(record)
        self._targets.look_closer(record, self._looked_closer)

    def gone(self, subject: Subject, *, observed: bool) -> None:
        """Check its endpoints, or canaries, no more."""
        match subject.kind:
            case Kind.FAILOVER_RECORD:
                self._targets.forget(subject.key)
                self._records.pop(subject.key, None)
            case Kind.CLOUD_REGION:
                self._canaries.forget(subject.key.name)
                self._look_closer(subject.key.name, None)
            case _:
                pass

    def zone_declared(self, subject: Subject, zone: Zone, origin: Origin) -> None:
        """Zones are nothing to a probe."""

    def region_declared(self, subject: Subject, region: Region, origin: Origin) -> None:
        """Check the canaries of the region."""
        self._canaries.watch(region)
        self._canaries.look_closer(region.name, self._looked_closer)
        self._look_closer(region.name, closer_look_told_of(origin))

    def override_declared(self, subject: Subject, override: Override, origin: Origin) -> None:
        """What people override moves names, and changes no check."""

    def vantage_declared(self, subject: Subject, vantage: Vantage, origin: Origin) -> None:
        """Other vantages are nothing to a probe."""

    def external_verdict_declared(self, subject: Subject, verdict: ExternalVerdict, *, is_listed: bool) -> None:
        """Verdicts that are made elsewhere are nothing to a probe."""

    def vantage_reported(self, subject: Subject, report: VantageReport, *, is_listed: bool) -> None:
        """Nor is what they say."""

    def vantage_unreadable(self, subject: Subject, why: str) -> None:
        """Nor what they do not."""

    def invalid(self, subject: Subject, reason: str, message: str, origin: Origin) -> None:
        """Go on with what it declared before."""

    def status_seen(self, subject: Subject, origin: Origin, listed_at: float | None) -> None:
        """Of what the operator says one thing matters to a probe: that a region is to be looked at more closely."""
        if subject.kind is Kind.CLOUD_REGION:
            self._look_closer(subject.key.name, closer_look_told_of(origin))

    def exists(self, subject: Subject) -> None:
        """An object is there."""

    def all_listed(self, kind: Kind) -> None:
        """Every object of a kind was shown."""

    def _look_closer(self, region: str, until: float | None) -> None:
        """Check a region more often until so late (seconds since the Unix epoch), or as often as usual again."""
        if until is not None and until == self._told_until.get(region):
            return
        self._told_until.pop(region, None)
        if until is not None and (left := min(LONGEST_CLOSER_LOOK, until - self._clock.wall())) > 0.0:
            self._told_until[region] = until
            self._closer_until[region] = self._clock.now() + left
            asyncio.get_running_loop().call_later(left, self._end_closer_look, region)
        else:
            self._closer_until.pop(region, None)
        self._settle()

    def _end_closer_look(self, region: str) -> None:
        if self._clock.now() >= self._closer_until.get(region, float("inf")):
            del self._closer_until[region]
            self._told_until.pop(region, None)
            self._settle()

    def _settle(self) -> None:
        before, self._looked_closer = self._looked_closer, frozenset(self._closer_until)
        changed = before ^ self._looked_closer
        if not changed:
            return
        for region in changed:
            self._canaries.look_closer(region, self._looked_closer)
        for record in self._records.values():
            if any(each.region in changed for each in record.endpoints):
                self._targets.look_closer(record, self._looked_closer)
