"""A schedule: what is installed, and what befalls it when. Plain data, drawn from one seed.

The same seed gives the same schedule, and the same schedule the same run, callback by callback. Steps can be taken out
one by one, which is how a failing schedule is shortened before it is shown.
"""

import enum
from dataclasses import dataclass
from typing import Any


class Fault(enum.Enum):
    """What a step does; the text is for the story, with the step's `where` and `seconds`."""

    # processes
    CRASH = "{where} is killed, and started again after {seconds:.1f} s"
    CRASH_BEFORE = "{where} is killed just before its call {number} from now, and started again after {seconds:.1f} s"
    CRASH_AFTER = "{where} is killed just after its call {number} from now, and started again after {seconds:.1f} s"
    CRASH_BEFORE_WRITE = "{where} is killed just before a write to DNS, and started again after {seconds:.1f} s"
    CRASH_AFTER_WRITE = "{where} is killed just after it sent a write to DNS, and started again after {seconds:.1f} s"
    CANCEL_BEFORE = "{where} has a call cancelled before it is sent"
    CANCEL_AFTER = "{where} has a call cancelled after it was sent"
    PAUSE = "{where} stands still for {seconds:.1f} s"
    STOP = "{where} is stopped in order, and started again after {seconds:.1f} s"
    WALL_CLOCK_JUMPS = "{where} has its wall clock set by {number} s"
    # the way to a provider, and the provider
    SLOW = "calls to {where} are slow for {seconds:.1f} s"
    LOST_BEFORE = "requests to {where} get lost for {seconds:.1f} s"
    LOST_AFTER = "answers of {where} get lost for {seconds:.1f} s"
    LATE = "for {seconds:.1f} s answers of {where} get lost, and the requests are applied later"
    THROTTLED = "{where} asks for patience for {seconds:.1f} s"
    PROVIDER_AWAY = "{where} does not answer for {seconds:.1f} s"
    PROVIDER_REFUSES = "{where} refuses connections for {seconds:.1f} s"
    READS_FAIL = "what is read from {where} fails for {seconds:.1f} s, what is written there does not"
    READS_SLOW = "readings of {where} take up to {number} s for {seconds:.1f} s, writes do not"
    READS_OLD = "what is read from {where} is {number} s old for {seconds:.1f} s"
    ODD_ERRORS = "for {seconds:.1f} s calls to {where} end in errors that no contract knows"
    ODD_ANSWERS = "for {seconds:.1f} s {where} answers with what is no answer"
    SERVERS_LAG = "the name servers of {where} are behind by {number} s for {seconds:.1f} s"
    SERVERS_AWAY = "the name servers of {where} do not answer for {seconds:.1f} s"
    # the API server, and the vantage
    API_AWAY = "the API server of {where} is away for {seconds:.1f} s"
    API_SLOW = "the API server of {where} is slow for {seconds:.1f} s"
    API_CUT_OFF = "{where} cannot reach its API server for {seconds:.1f} s"
    WATCHES_BREAK = "the watches on the API server of {where} break"
    WATCHES_DEAF = "the watches on the API server of {where} hear nothing for {seconds:.1f} s, then break"
    DECLARATIONS_OLD = "{where} hears nothing of what is declared for {seconds:.1f} s, though its API server answers"
    BLIND = "{where} sees nothing for {seconds:.1f} s: every check and every DNS question of it fails"
    CHECKS_FAIL = "every check of {where} fails for {seconds:.1f} s, DNS questions do not"
    ALL_OFF = "nobody runs for {seconds:.0f} s"
    SITE_LOST = "site {where} is cut off from everything for {seconds:.1f} s"
    # other vantages
    VANTAGE_LIES = "vantage {where} says the contrary of what it sees for {seconds:.1f} s"
    VANTAGE_GONE = "the probe of vantage {where} is killed, and started again after {seconds:.1f} s"
    VANTAGE_CUT_OFF = "vantage {where} cannot reach the API server for {seconds:.1f} s"
    VANTAGE_STOLEN = "somebody writes what they like with the token of vantage {where} for {seconds:.1f} s"
    VANTAGE_CLOCK = "the wall clock of vantage {where} is off by {number} s for {seconds:.1f} s"
    VANTAGES_INWARD = "the vantages in {where}, and no others, see it fail for {seconds:.1f} s"
    # Detour's own state
    STATUS_LOST = "every status in {where} is lost"
    STATUS_RESTORED = "every status in {where} is set back to that of {number} s into the run"
    RECORDS_RECREATED = "all FailoverRecords of {where} are deleted and created again, with new UIDs, unwatched"
    API_RESTORED = "the API server of {where} is set back to {number} s into the run"
    LEASE_LOST = "the Lease of {where} is deleted"
    # outsiders
    NAME_DELETED = "an outsider deletes the sets of {where}"
    VALUES_REPLACED = "an outsider replaces the values of {where}"
    VALUES_ADDED = "an outsider adds a value to {where}"
    TTL_CHANGED = "an outsider changes the TTL of {where}"
    FAMILY_DELETED = "an outsider deletes one address family of {where}"
    TYPE_REPLACED = "an outsider puts a CNAME in the place of {where}"
    MARKER_DELETED = "an outsider deletes the marker of {where}"
    MARKER_GARBLED = "an outsider garbles the marker of {where}"
    MARKER_STOLEN = "another installation's marker is put in the place of that of {where}"
    LEDGER_DELETED = "an outsider deletes the ledger of {where}"
    LEDGER_GARBLED = "an outsider garbles the ledger of {where}"
    LEDGER_AHEAD = "an outsider sets the ledger of {where} far ahead"
    LEDGER_BACK = "an outsider sets the ledger of {where} back to an earlier one"
    ZONE_EMPTIED = "an outsider deletes everything Detour has in {where}"
    ZONE_RESTORED = "{where} is set back to a backup of {number} s into the run"
    FOREIGN_NAME = "an outsider creates or changes a name of his own in {where}"
    # declarations
    DRAINED = "a person drains an endpoint of {where} for {seconds:.1f} s"
    REGION_DRAINED = "a person drains region {where} for {seconds:.1f} s"
    ENDPOINT_ADDED = "a person adds an endpoint to {where}"
    ENDPOINT_REMOVED = "a person removes an endpoint from {where}"
    TTL_DECLARED = "a person declares another TTL for {where}"
    SUSPENDED = "a person suspends {where} for {seconds:.1f} s"
    OVERRIDDEN = "a person overrides the verdicts of {where} for {seconds:.1f} s"
    PINNED = "a person pins {where} to an earlier revision for {seconds:.1f} s"
    RECORD_DELETED = "a person deletes {where}, and creates it again after {seconds:.1f} s"
    RECORD_DROPPED = "a person deletes {where} for good"
    RECORD_CREATED = "a person creates {where}"
    FROZEN = "a person freezes {where} for {seconds:.1f} s"
    ALL_DELETED = "somebody deletes all FailoverRecords"
    ZONES_DECLARED = "a person declares other zones for {where}"
    LEFT_FOR_NOTHING = (
        "the parent names no server but that of {where}; later an outsider deletes it, and it moves there"
    )
    ZONES_MISTYPED = "a person mistypes a zone of {where}, and corrects it after {seconds:.1f} s"
    ZONE_RENAMED = "a person renames the DNSZone of {where}: records follow, and the old one goes after {seconds:.1f} s"
    ZONE_TWINNED = "a person creates a second DNSZone for {where}, for {seconds:.1f} s or for good"
    ZONE_DELETED = "a person deletes the DNSZone of {where}, and creates it again after {seconds:.1f} s"
    ZONES_RECREATED = "all DNSZones of {where} are deleted and created again, with new UIDs, unwatched"
    ZONE_SETTINGS = "a person gives the DNSZone of {where} another budget"
    CLAIMED = "another record is declared for the name of {where}; one of the two, or both, go after {seconds:.1f} s"
    KEY_ROTATED = "the Secret of {where} is replaced by one that is refused, and by a good one after {seconds:.1f} s"
    KEY_REVOKED = "the Secret of {where} is replaced, and the old one is refused at once"
    PARENT_LEAVES = "the parent names the servers of {where} no more for {seconds:.1f} s"
    # endpoints
    ENDPOINT_FAILS = "{where} fails for {seconds:.1f} s"
    ENDPOINT_RECOVERS = "{where} works for {seconds:.1f} s, also where it fails"
    ADDRESS_FAILS = "{where}, one address of an endpoint, fails for {seconds:.1f} s"
    HOSTNAME_MOVES = "{where} leads elsewhere from now on, and where it led before works no more"
    CANARY_FAILS = "the canary of region {where} fails for {seconds:.1f} s, and nothing else"
    SIGNAL_STANDS = "the status page of the cloud speaks of region {where} for {seconds:.1f} s"
    SIGNALS_AWAY = "the status page of the cloud cannot be read for {seconds:.1f} s"
    REGION_FAILS = "region {where} fails for {seconds:.1f} s"
    EVERYTHING_FAILS = "every endpoint fails for {seconds:.1f} s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One fault, `at` seconds into the run. `seconds` is how long it lasts, `share` of the calls that it hits."""

    at: float
    fault: Fault
    where: str = ""
    seconds: float = 0.0
    number: int = 0
    share: float = 1.0

    def __str__(self) -> str:
        told = self.fault.value.format(where=self.where, seconds=self.seconds, number=self.number)
        return told if self.share >= 1 else f"{told} ({self.share:.0%} of the calls)"

    @property
    def until(self) -> float:
        return self.at + self.seconds


def lasts(step: Step) -> float:
    """Return for how many seconds a fault stands in the way; requests that are late land after it has ended."""
    return step.seconds + (float(step.number) if step.fault in (Fault.SLOW, Fault.LATE, Fault.READS_SLOW) else 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerSetting:
    """One replica: its name, how fast its clock runs, and by how many seconds its wall clock is off."""

    name: str
    rate: float = 1.0
    wall_offset: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class VantageSetting:
    """One place with a probe: its name and region, how fast its clock runs, and by how many seconds it is off."""

    name: str
    region: str = ""
    rate: float = 1.0
    wall_offset: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteSetting:
    """One cluster that runs the installation."""

    name: str
    controllers: tuple[ControllerSetting, ...]
    rank: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneSetting:
    """One zone and what kind of provider keeps it."""

    name: str
    provider: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordSetting:
    """One FailoverRecord: the name of the object and its spec; `late` records are not there at the start."""

    name: str
    spec: dict[str, Any]
    late: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """How often zones are looked at: the `Periods`, in seconds.

    With `questions_per_day` name servers that bill for it are asked no more than that: so few that they are asked for
    nothing but what was just written. `within` is how long damage stays unseen at most, where nothing is in the way.
    """

    audit: float = 5.0
    reading: float = 20.0
    changes: float = 7.0
    questions_per_day: float = 0.0

    @property
    def within(self) -> float:
        """Seconds."""
        if self.questions_per_day:
            return 1.2 * self.audit  # where no account tells of changes, that is the pace of readings
        return self.changes if self.audit > self.changes else self.audit + self.reading  # a marker shows in these alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What is installed. Periods in seconds: those of `Periods`, and those of `Site` where there are several.

    `regions_evacuated`, `window` (seconds), `panic_threshold` and `withdrawal` (percent) are those of every zone's
    `spec.safety`.
    `has_parent` says that resolvers can tell where the world is sent for the domain, `are_clones` that the second site
    is a copy of the first: of one name, with the same objects, and neither knows of the other. With `sharding` the
    controllers of a site divide the zones. `vantages` report to the first site. `odd` is the one with
    which something may be amiss; where they `may_lack_votes` others may be gone as well. Each region has a canary where
    it `has_canaries`.
    """

    sites: tuple[SiteSetting, ...]
    zones: tuple[ZoneSetting, ...]
    records: tuple[RecordSetting, ...]
    looks: Looks = Looks()
    renew_every: float = 5.0
    take_over_after: float = 20.0
    regions_evacuated: int = 1
    window: int = 40
    panic_threshold: int = 50
    withdrawal: int = 100
    has_canaries: bool = False
    has_parent: bool = False
    are_clones: bool = False
    sharding: bool = False
    vantages: tuple[VantageSetting, ...] = ()
    odd: str = ""
    may_lack_votes: bool = False

    @property
    def controllers(self) -> tuple[str, ...]:
        return tuple(each.name for site in self.sites for each in site.controllers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A whole run: `length` seconds of faults, then quiet. `seed` also feeds the draws made on the way."""

    seed: int
    profile: str
    setting: Setting
    steps: tuple[Step, ...]
    length: float
