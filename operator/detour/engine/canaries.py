"""The canaries of regions under observation: each is checked as the endpoint of a record would be, by all vantages."""

from collections.abc import Iterable

from detour.engine.moment import Moment
from detour.engine.targets import Targets
from detour.health.regions import CanaryFinding
from detour.model.endpoint import Endpoint
from detour.model.health import EndpointHealth, Verdict
from detour.model.record import ObjectKey, Publish, Record
from detour.model.region import Canary, Region
from detour.model.shared import NONE

NO_NAMESPACE = ""
"""Where canaries stand in the place of records: these have a namespace, which regions have not."""


def region_of(key: ObjectKey) -> str | None:
    """Return the region whose canary stands under a key, None where that is a record's."""
    return key.name.partition("/")[0] if key.namespace == NO_NAMESPACE else None


def as_records(region: Region) -> list[Record]:
    """Return the canaries of a region as records that publish nothing, one for each."""
    return [_as_record(region, each) for each in region.canaries]


def _as_record(region: Region, canary: Canary) -> Record:
    return Record(
        key=ObjectKey(NO_NAMESPACE, f"{region.name}/{canary.name}"),
        uid="",
        created=0.0,
        generation=region.generation,
        hostname="",
        zones=(),
        ttl=0,
        publish=Publish.ADDRESS,
        endpoints=(Endpoint(canary.name, region.name, hostname=canary.hostname),),
        probe=canary.probe,
        timing=canary.timing,
    )


class Canaries:
    """What `targets` has found of the canaries of all regions."""

    def __init__(self, targets: Targets) -> None:
        self._targets = targets
        self._records: dict[str, list[Record]] = {}
        self._healths: dict[ObjectKey, EndpointHealth] = {}

    def watch(self, region: Region) -> None:
        """Observe the canaries that a region declares, and no others of its."""
        records = as_records(region)
        self._forget(self._records.get(region.name, ()), keeping={each.key for each in records})
        self._records[region.name] = records
        for each in records:
            self._targets.watch(each)

    def look_closer(self, region: str, looked_closer: frozenset[str]) -> None:
        """Have the canaries of a region checked more often where it is among these, and no longer where it is not."""
        for each in self._records.get(region, ()):
            self._targets.look_closer(each, looked_closer)

    def forget(self, region: str) -> None:
        """A region is gone."""
        self._forget(self._records.pop(region, ()), keeping=set())

    def _forget(self, records: Iterable[Record], *, keeping: set[ObjectKey]) -> None:
        for each in records:
            if each.key not in keeping:
                self._targets.forget(each.key)
                self._healths.pop(each.key, None)

    def findings(self, region: str, now: float) -> tuple[CanaryFinding, ...]:
        """Return what is believed of the canaries of a region by `now` (engine seconds)."""
        moment = Moment(now, NONE)
        return tuple(self._finding(each, moment) for each in self._records.get(region, ()))

    def _finding(self, record: Record, moment: Moment) -> CanaryFinding:
        name = record.endpoints[0].name
        before = self._healths.get(record.key)
        health = self._targets.health(record, {name: before} if before is not None else {}, moment)[name]
        self._healths[record.key] = health
        self._targets.note_undecided(record.key, {name: health})
        message = health.message if health.verdict is not Verdict.HEALTHY else ""
        return CanaryFinding(name, health.verdict, message, has_passed=health.has_passed)
