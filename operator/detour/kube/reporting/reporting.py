"""Where the engine's news go: status, events and metadata of the objects that they are about.

Only the leader writes. The other replicas follow what it wrote, to go on from there.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from detour.enactment.leadership import SOLE_LEADER, Leadership
from detour.enactment.wishes import Explanation
from detour.engine.pictures import OverridePicture, RecordPicture, RegionPicture, VantagePicture, ZoneObjectPicture
from detour.engine.ports import STATUS_RESTORED, Command, Origin
from detour.engine.tallies import RecordTallies, Tallied, tallied
from detour.kube.annotations import ANNOTATIONS, SHOWN, TAKE_OVER_ANNOTATION, command_in, complaints, is_due
from detour.kube.metadata import MetadataWriter, with_finalizer, without_annotation
from detour.kube.origins import origin_of
from detour.kube.reporting import commands
from detour.kube.reporting.quietstart import QUIET_TIME, is_no_news, was_well
from detour.kube.reporting.reported import Reported
from detour.kube.reporting.reporter import Reporter
from detour.kube.reporting.transitions import conditions_in, transitions
from detour.kube.resources.memory import dns_zone_memory_in, ended_in, region_memory_in
from detour.kube.status.conditions import STALLED, Condition, Status, conditions_status
from detour.kube.status.overrides import override_conditions, override_status
from detour.kube.status.progress import PROGRESS_DEADLINE, progress
from detour.kube.status.records import record_conditions, record_status
from detour.kube.status.recordstate import PASSING, standing, stuck
from detour.kube.status.regions import region_conditions, region_status
from detour.kube.status.vantages import vantage_conditions, vantage_status
from detour.kube.status.zones import zone_conditions, zone_status
from detour.kube.translate import record_memory
from detour.model.memory import DNSZoneMemory, RecordMemory, RegionMemory
from detour.model.objects import Kind, RawObject, Subject
from detour.model.record import ObjectKey
from detour.model.states import OverrideState, RecordState, ZoneState
from detour.model.timestamps import timestamp

logger = logging.getLogger(__name__)

FIELDS = {
    Kind.FAILOVER_RECORD: "record",
    Kind.DNS_ZONE: "zone",
    Kind.CLOUD_REGION: "region",
    Kind.VANTAGE: "vantage",
    Kind.EXTERNAL_VERDICT: "external_verdict",
    Kind.OVERRIDE: "override",
    Kind.CLUSTER_OVERRIDE: "override",
}
"""The field of a log line that has the name of an object of a kind."""

LOGGED_ALREADY = frozenset({"Decided", "Rerouted"})
"""Events of which the log has a line of its own, with what was there before and after."""

METADATA_KEPT = ("namespace", "generation", "resourceVersion", "annotations", "finalizers")
"""What is asked for of an object's metadata after it was taken in."""


class Pictures(Protocol):
    """Who knows how things stand: the engine."""

    def refusal_of(self, subject: Subject) -> tuple[int, Explanation] | None:
        """Return the generation of an object that cannot be used, and why."""

    def record_picture(self, key: ObjectKey) -> RecordPicture | None:
        """Return what there is to tell of a record."""

    def zone_picture(self, key: ObjectKey) -> ZoneObjectPicture | None:
        """Return what there is to tell of a zone."""

    def region_picture(self, name: str) -> RegionPicture | None:
        """Return what there is to tell of a region."""

    def override_picture(self, subject: Subject) -> OverridePicture | None:
        """Return what there is to tell of an override."""

    def vantage_picture(self, name: str) -> VantagePicture | None:
        """Return what there is to tell of a vantage."""


class Divided(Protocol):
    """Several processes divide the objects."""

    def leads_for(self, subject: Subject) -> bool:
        """Tell whether this process writes the status of an object."""

    def may_tell(self, subject: Subject) -> bool:
        """Tell whether enough of an object is known to write its status."""

    def told_of(self, zone: ObjectKey, picture: ZoneObjectPicture) -> ZoneObjectPicture:
        """Return a picture with who writes the zone, and which others with it."""


class Reporting:
    """Status, events and metadata patches for every kind of object, as far as this process leads.

    `divided` says whose an object is where several processes divide them.
    """

    def __init__(
        self,
        metadata: MetadataWriter,
        wall_clock: Callable[[], float],
        *,
        leadership: Leadership = SOLE_LEADER,
        divided: Divided | None = None,
    ) -> None:
        self._metadata = metadata
        self._leadership = leadership
        self._divided = divided
        self._wall_clock = wall_clock
        self._followed: dict[Subject, None] = {}
        self._readiness = Counter[str]()
        self.tallies = RecordTallies()
        self._reporter: Reporter | None = None
        self._pictures: Pictures | None = None

    def connect(self, reporter: Reporter, pictures: Pictures) -> None:
        """Name the writer of status, and who knows how things stand."""
        self._reporter = reporter
        self._pictures = pictures

    def adopt(self, subject: Subject, origin: Origin) -> None:
        """Start from the status that an object bears."""
        raw: RawObject = origin.shown
        status, known = _status(raw), self._writer.of(subject)
        self._writer.adopt(subject, status, _version(raw))
        if known.told is None:
            known.told = conditions_in(status)
        self._read_annotations(known, raw)
        if subject.kind is Kind.FAILOVER_RECORD and known.ready is None:
            self._count_readiness(known, "Unknown")
        if not known.is_adopted:
            known.is_adopted = True
            commands.adopt(known.acted, raw)
            if was_well(subject.kind, raw):
                known.quiet_until = self._wall_clock() + QUIET_TIME
                asyncio.get_running_loop().call_later(QUIET_TIME + 0.1, self._mark_again, subject)

    def follow(self, subject: Subject, origin: Origin, listed_at: float | None = None) -> None:
        """Look at an object of which only the status is new.

        The leader puts back what somebody else changed. The others remember it, to go on from there if they come to
        lead.
        """
        raw: RawObject = origin.shown
        known = self._writer.of(subject)
        self._read_annotations(known, raw)
        if not self._leads(subject):
            known.followed = raw
            self._followed[subject] = None
            return
        if self._writer.seen(subject, _status(raw), _version(raw), listed_at):
            told = "somebody else changed or removed this status; it is written again from what Detour knows"
            self.incident(subject, STATUS_RESTORED, told)

    def begin_term(self, kind: Kind | None = None) -> Mapping[Subject, Origin]:
        """This process leads now: go on from the status that each object bears (of one kind), which is returned."""
        subjects = {each: None for each in self._followed if kind in (None, each.kind)}
        self._followed = {each: None for each in self._followed if each not in subjects}
        objects = {each: known for each, known in self._writer.objects.items() if kind in (None, each.kind)}
        followed = {
            each: origin_of(raw) for each in subjects if each in objects and (raw := objects[each].followed) is not None
        }
        for known in objects.values():
            known.incident = None
        for subject, origin in followed.items():
            self.forget(subject)
            self.adopt(subject, origin)
        for subject, known in objects.items():
            if known.is_adopted:
                self.mark(subject)
        return followed

    def kept(self, origin: Origin) -> Origin:
        """Return what is worth keeping of an object whose status was gone on from: who leads writes that himself."""
        if not self._leadership.leads or "status" not in origin.shown:
            return origin
        metadata = origin.shown.get("metadata")
        kept = {each: metadata[each] for each in METADATA_KEPT if each in metadata} if metadata else {}
        return replace(origin, shown={"metadata": kept})

    def with_status(self, subject: Subject, origin: Origin) -> Origin:
        """Return an object of which that was kept, with the status that it bears as far as is known."""
        if "status" in origin.shown:
            return origin
        return replace(origin, shown={**origin.shown, "status": self._writer.status_of(subject)})

    def forget(self, subject: Subject) -> None:
        """The object is gone."""
        known = self._writer.objects.get(subject)
        if known is not None:
            self._count_readiness(known, None)
            self._look_again_at(known, None, 0.0)
        if subject.kind is Kind.FAILOVER_RECORD:
            self.tallies.note(subject.key, None)
        self._followed.pop(subject, None)
        self._writer.forget(subject)

    def mark(self, subject: Subject) -> None:
        """There may be news of `subject`."""
        self._writer.mark(subject)

    def _mark_again(self, subject: Subject) -> None:
        known = self._writer.objects.get(subject)
        if known is not None and known.is_adopted:
            self.mark(subject)

    def _look_again(self, known: Reported) -> None:
        known.look_again = None
        self._mark_again(known.subject)

    def _leads(self, subject: Subject) -> bool:
        """Tell whether what there is to say of an object is this process's to say."""
        return self._leadership.leads and (self._divided is None or self._divided.leads_for(subject))

    def tell(self, subject: Subject, reason: str, message: str, *, warning: bool = False) -> None:
        """Create an event."""
        if self._leads(subject):
            self._writer.events.tell(subject, reason, message, warning=warning)
            if reason in LOGGED_ALREADY:
                return
            level = logging.WARNING if warning else logging.INFO
            field = FIELDS[subject.kind]
            extra = {"event": "told", field: str(subject.key) if subject.key.namespace else subject.key.name}
            told = f"{subject.kind.title} {extra[field]}: {reason}: {message}"
            logger.log(level, "%s", told, extra={**extra, "reason": reason})

    def incident(self, subject: Subject, reason: str, message: str) -> None:
        """Create an event about something that was found wrong, and keep it in the status, which outlives the event."""
        if self._leads(subject):
            told = {"at": timestamp(self._wall_clock()), "reason": reason, "message": message}
            self._writer.of(subject).incident = told
            self.tell(subject, reason, message, warning=True)
            self.mark(subject)

    def is_due(self, subject: Subject, command: Command, origin: Origin) -> bool:
        """Tell whether an object bears a command that was not acted upon yet, as far as its status or we know.

        One that it bears at first sight, before it has a status, is none.
        """
        raw, annotation = origin.shown, ANNOTATIONS[command]
        value, known = command_in(raw, annotation), self._writer.objects.get(subject)
        is_adopted = known is not None and known.is_adopted
        if value is None or not is_due(raw, annotation) or not (is_adopted or raw.get("status")):
            return False
        return known is None or commands.is_new(known.acted, annotation, value)

    def acted_upon(self, subject: Subject, command: Command, origin: Origin, *, outcome: str = "") -> None:
        """The command that an object bears was acted upon, with this `outcome`: its value does nothing more."""
        annotation = ANNOTATIONS[command]
        value, known = command_in(origin.shown, annotation), self._writer.of(subject)
        if value is not None and self._leads(subject) and commands.is_new(known.acted, annotation, value):
            commands.note(known.acted, annotation, value)
            done = f"was acted upon ({outcome})" if outcome else "was acted upon"
            told = f"{annotation}={value} {done}; to ask again, give it another time or number"
            self.tell(subject, "CommandDone", told)
            self.mark(subject)

    def _read_annotations(self, known: Reported, raw: RawObject) -> None:
        found = complaints(known.subject.kind, raw)
        more = f"; and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        known.complaint = Explanation("UnknownAnnotation", f"{'; '.join(found[:SHOWN])}{more}") if found else None

    def take_off(self, subject: Subject, command: Command) -> None:
        """Remove a command from an object."""
        self._patch(subject, without_annotation(ANNOTATIONS[command]))

    def hold(self, subject: Subject, origin: Origin, wanted: bool) -> None:
        """Let an object bear our finalizer, which keeps it from going, or not."""
        self._patch(subject, with_finalizer(origin.shown, wanted))

    def _patch(self, subject: Subject, body: Mapping[str, Any]) -> None:
        """Change an object's metadata."""
        if self._leads(subject):
            self._metadata.patch(subject, body)

    def record_memory(self, origin: Origin) -> RecordMemory:
        """Return what the status of a FailoverRecord tells."""
        return record_memory(origin.shown)

    def zone_memory(self, origin: Origin) -> DNSZoneMemory:
        """Return what the status of a DNSZone tells."""
        return dns_zone_memory_in(_status(origin.shown))

    def override_ended_at(self, origin: Origin) -> float | None:
        """Return when an override was over, as its status tells (seconds since the Unix epoch); None if it is not."""
        return ended_in(_status(origin.shown))

    def region_memory(self, origin: Origin) -> RegionMemory:
        """Return what the status of a CloudRegion tells."""
        return region_memory_in(_status(origin.shown))

    def tells_otherwise(self, origin: Origin, before: Origin) -> bool:
        """Tell whether an object's status says something else than it did before."""
        return bool(origin.shown.get("status") != before.shown.get("status"))

    @property
    def _writer(self) -> Reporter:
        assert self._reporter is not None  # noqa: S101 - connected before anything runs
        return self._reporter

    def build(self, subject: Subject, previous: Mapping[str, Any]) -> Status | None:
        """Return the present status of `subject`, telling the transitions since the last one."""
        known = self._writer.objects.get(subject) or Reported(subject)
        may_tell = self._leads(subject) and (self._divided is None or self._divided.may_tell(subject))
        built = self._build(known, previous) if may_tell else None
        if built is None:
            return None
        status, conditions = built
        if subject.kind is Kind.FAILOVER_RECORD:
            self._count_readiness(known, conditions[0].status)
        if known.quiet_until is not None:
            if self._wall_clock() < known.quiet_until and is_no_news(subject.kind, conditions):
                return None
            known.quiet_until = None
        known.told = known.told if known.told is not None else {}
        for each in transitions(subject.kind, known.told, conditions):
            self.tell(subject, each.reason, each.message, warning=each.warning)
        last = known.incident or previous.get("lastIncident")
        acted = commands.status_of(known.acted)
        return {**status, **({"lastIncident": last} if last else {}), **({"commands": acted} if acted else {})}

    def readiness(self) -> Mapping[str, int]:
        """Return how many FailoverRecords are Ready (`True`), not (`False`), or not known yet (`Unknown`)."""
        return {each: self._readiness[each] for each in ("True", "False", "Unknown")}

    def _count_readiness(self, known: Reported, ready: str | None) -> None:
        if known.ready is not None:
            self._readiness[known.ready] -= 1
        if ready is not None:
            self._readiness[ready] += 1
        known.ready = ready

    def _build(self, known: Reported, previous: Mapping[str, Any]) -> tuple[Status, tuple[Condition, ...]] | None:
        assert self._pictures is not None  # noqa: S101 - connected before anything runs
        subject = known.subject
        now = self._wall_clock()
        complaint = known.complaint
        if refused := self._pictures.refusal_of(subject):
            if subject.kind is Kind.FAILOVER_RECORD:
                self.tallies.note(subject.key, Tallied(RecordState.REFUSED))
            return _refused_status(subject, previous, *refused, now=now)
        match subject.kind:
            case Kind.FAILOVER_RECORD:
                if record := self._pictures.record_picture(subject.key):
                    record = replace(record, warnings=(*([complaint] if complaint else []), *record.warnings))
                    conditions = record_conditions(record)
                    stands = standing(record, conditions)
                    ready, mistake = conditions[0], stands.mistake
                    under_way = self._progress(
                        known,
                        ready if mistake is None else replace(ready, reason=mistake.reason, message=mistake.message),
                        previous,
                        record.record.generation,
                        needs_a_person=stands.needs_a_person,
                        deadline=record.record.progress_deadline,
                    )
                    stands = stuck(stands, under_way)
                    self.tallies.note(subject.key, tallied(record.record, stands.state, record.healthy))
                    conditions = (*conditions, *under_way, *_warned_of(record.warnings, previous))
                    return record_status(record, previous, now, conditions, stands), conditions
            case Kind.DNS_ZONE:
                if zone := self._pictures.zone_picture(subject.key):
                    value = commands.another_value(known.acted, TAKE_OVER_ANNOTATION)
                    warnings = (*zone.warnings, *([complaint] if complaint else []))
                    zone = replace(zone, take_over=value, warnings=warnings)
                    zone = zone if self._divided is None else self._divided.told_of(subject.key, zone)
                    conditions = zone_conditions(zone)
                    ready = conditions[0]
                    conditions += self._progress(
                        known,
                        ready,
                        previous,
                        zone.zone.generation,
                        needs_a_person=ready.holds is False and ready.reason not in PASSING,
                    )
                    return zone_status(zone, previous, now, conditions), conditions
            case Kind.CLOUD_REGION:
                if region := self._pictures.region_picture(subject.key.name):
                    warnings = (complaint,) if complaint else ()
                    conditions = (*region_conditions(region), *_warned_of(warnings, previous))
                    return region_status(region, previous, now, conditions), conditions
            case Kind.OVERRIDE | Kind.CLUSTER_OVERRIDE:
                if override := self._pictures.override_picture(subject):
                    found: tuple[Explanation, ...] = (complaint,) if complaint else ()
                    conditions = (*override_conditions(override), *_warned_of(found, previous))
                    return override_status(override, previous, now, conditions), conditions
            case Kind.VANTAGE:
                if vantage := self._pictures.vantage_picture(subject.key.name):
                    defect = Explanation("ReportUnreadable", vantage.defect) if vantage.defect else None
                    found = tuple(each for each in (complaint, defect) if each is not None)
                    conditions = (*vantage_conditions(vantage), *_warned_of(found, previous))
                    return vantage_status(vantage, previous, now, conditions), conditions
        return None

    def _progress(
        self,
        known: Reported,
        main: Condition,
        previous: Mapping[str, Any],
        generation: int,
        *,
        needs_a_person: bool,
        deadline: float = PROGRESS_DEADLINE,
    ) -> tuple[Condition, ...]:
        """Return Reconciling, Stalled, or nothing; where time alone changes that, look again then."""
        now = self._wall_clock()
        found = progress(
            main,
            previous.get("conditions") or (),
            needs_a_person=needs_a_person,
            generation=generation,
            now=now,
            deadline=deadline,
        )
        self._look_again_at(known, found.look_again_at, now)
        return found.conditions

    def _look_again_at(self, known: Reported, at: float | None, now: float) -> None:
        """Make a status anew at a time by the wall clock, though nothing happens; None for never."""
        if known.look_again is not None:
            known.look_again.cancel()
            known.look_again = None
        if at is not None:
            known.look_again = asyncio.get_running_loop().call_later(at - now + 0.1, self._look_again, known)


def _warned_of(warnings: tuple[Explanation, ...], previous: Mapping[str, Any]) -> tuple[Condition, ...]:
    """Return the condition Warning of an object that has something to warn of, or had."""
    if warnings:
        return (Condition("Warning", True, warnings[0].reason, "; ".join(each.message for each in warnings)),)
    had = any(isinstance(each, Mapping) and each.get("type") == "Warning" for each in previous.get("conditions") or ())
    return (Condition("Warning", False, "None", "nothing to warn of"),) if had else ()


def _status(raw: RawObject) -> Mapping[str, Any]:
    """Return the status as far as it is ours to write: what another vantage reports in its own is not."""
    status = raw.get("status")
    found = status if isinstance(status, Mapping) else {}
    report = found.get("report")
    if isinstance(report, Mapping) and "instance" in report:
        return {key: value for key, value in found.items() if key != "report"}
    return found


def _version(raw: RawObject) -> str:
    return str(raw.get("metadata", {}).get("resourceVersion") or "")


def _refused_status(
    subject: Subject, previous: Mapping[str, Any], generation: int, refusal: Explanation, *, now: float
) -> tuple[Status, tuple[Condition, ...]]:
    """Return the status of an object that cannot be used: what it said before, under conditions that say why."""
    types = {
        Kind.FAILOVER_RECORD: ("Ready", "Published", STALLED),
        Kind.DNS_ZONE: ("Ready", STALLED),
        Kind.CLOUD_REGION: ("Healthy",),
        Kind.VANTAGE: ("Trusted",),
        Kind.OVERRIDE: ("InForce",),
        Kind.CLUSTER_OVERRIDE: ("InForce",),
    }[subject.kind]
    conditions = tuple(Condition(each, each == STALLED, refusal.reason, refusal.message) for each in types)
    written = conditions_status(conditions, previous.get("conditions") or (), generation, now)
    stands = {
        Kind.FAILOVER_RECORD: {"state": RecordState.REFUSED.value, "message": refusal.message},
        Kind.DNS_ZONE: {"state": ZoneState.REFUSED.value},
        Kind.OVERRIDE: {"state": OverrideState.REFUSED.value, "message": refusal.message},
        Kind.CLUSTER_OVERRIDE: {"state": OverrideState.REFUSED.value, "message": refusal.message},
    }.get(subject.kind, {})
    return {**previous, **stands, "observedGeneration": generation, "conditions": written}, conditions
