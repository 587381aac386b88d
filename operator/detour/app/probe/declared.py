"""What a probe makes of declarations: of records and regions the checks, of all else nothing."""

from detour.engine.canaries import Canaries
from detour.engine.ports import Origin
from detour.engine.targets import Targets
from detour.model.objects import Kind, Subject
from detour.model.record import Record
from detour.model.region import Region
from detour.model.vantage import Vantage, VantageReport
from detour.model.zone import Zone


class Checked:
    """Has the endpoints of records checked by `targets`. Implements `Declared`.

    A record that cannot be used is checked as it was declared before; what is wrong with it the operator says.
    """

    def __init__(self, targets: Targets) -> None:
        self._targets = targets
        self._canaries = Canaries(targets)

    def record_declared(self, subject: Subject, record: Record, origin: Origin) -> None:
        """Check the record's endpoints."""
        self._targets.watch(record)

    def gone(self, subject: Subject, *, observed: bool) -> None:
        """Check its endpoints, or canaries, no more."""
        match subject.kind:
            case Kind.FAILOVER_RECORD:
                self._targets.forget(subject.key)
            case Kind.CLOUD_REGION:
                self._canaries.forget(subject.key.name)
            case _:
                pass

    def zone_declared(self, subject: Subject, zone: Zone, origin: Origin) -> None:
        """Zones are nothing to a probe."""

    def region_declared(self, subject: Subject, region: Region, origin: Origin) -> None:
        """Check the canaries of the region."""
        self._canaries.watch(region)

    def vantage_declared(self, subject: Subject, vantage: Vantage, origin: Origin) -> None:
        """Other vantages are nothing to a probe."""

    def vantage_reported(self, subject: Subject, report: VantageReport, *, is_listed: bool) -> None:
        """Nor is what they say."""

    def vantage_unreadable(self, subject: Subject, why: str) -> None:
        """Nor what they do not."""

    def invalid(self, subject: Subject, reason: str, message: str, origin: Origin) -> None:
        """Go on with what it declared before."""

    def status_seen(self, subject: Subject, origin: Origin, listed_at: float | None) -> None:
        """What the operator says of it is nothing to a probe."""

    def exists(self, subject: Subject) -> None:
        """An object is there."""

    def all_listed(self, kind: Kind) -> None:
        """Every object of a kind was shown."""
