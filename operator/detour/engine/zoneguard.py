"""A DNSZone that is deleted stays until the names that are to go with their records are gone: by our finalizer.

It bears the finalizer only while a record with `deletionPolicy: Delete` uses it: those need the zone, and its
credentials, to be cleaned up, and whoever deletes a namespace deletes both at once. While it waits it is served as
before. It never waits for ever: for records that are being deleted `RELEASE_AFTER`, as their provider may be away for
good, and for records that nobody deletes yet `GRACE`, as `kubectl delete -f` takes objects one after the other.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

from detour.enactment.wishes import Explanation
from detour.engine.ports import Origin
from detour.model.objects import Subject
from detour.model.record import DeletionPolicy, ObjectKey, Record

GRACE = 30.0
"""Seconds for which a zone that is being deleted waits for records that use it to be deleted as well."""

RELEASE_AFTER = 300.0
"""Seconds for which it waits at most until the names of deleted records are gone."""

LOOK_PERIOD = 5.0
"""Seconds between two looks at a zone that waits."""

NAMED = 3
UNKNOWN = Origin()


@dataclass(frozen=True, slots=True)
class Needs:
    """Who needs a zone for being cleaned up one day (`live`), and who is being cleaned up now (`leaving`)."""

    live: int
    leaving: int


def must_stay(needs: Needs, deleted_for: float | None) -> bool:
    """Tell whether a DNSZone is to be kept, the deletion of which was asked for this long ago (seconds), or never."""
    if deleted_for is None:
        return bool(needs.live or needs.leaving)
    return bool((needs.leaving and deleted_for < RELEASE_AFTER) or (needs.live and deleted_for < GRACE))


@dataclass(slots=True)
class _Guarded:
    """`deleted_at` (engine seconds) is when its deletion was first seen, `patched` what we last asked of the object."""

    subject: Subject | None = None
    origin: Origin = UNKNOWN
    deleted_at: float | None = None
    live: set[ObjectKey] = field(default_factory=set)
    leaving: set[ObjectKey] = field(default_factory=set)
    patched: bool | None = None


class ZoneGuard:
    """Keeps the finalizer of every DNSZone as it should be.

    `hold` lets an object bear it, or not; `clock` gives seconds.
    """

    def __init__(self, hold: Callable[[Subject, Origin, bool], None], *, clock: Callable[[], float]) -> None:
        self._hold = hold
        self._clock = clock
        self._zones: dict[ObjectKey, _Guarded] = {}
        self._needed: dict[ObjectKey, frozenset[ObjectKey]] = {}

    def declared(self, subject: Subject, origin: Origin) -> None:
        """A DNSZone is new or changed, perhaps its metadata alone."""
        guarded = self._zones.setdefault(subject.key, _Guarded())
        is_deleted = origin.is_being_deleted
        if guarded.subject != subject or not is_deleted:
            guarded.deleted_at = None
        guarded.subject, guarded.origin, guarded.patched = subject, origin, None
        if is_deleted and guarded.deleted_at is None:
            guarded.deleted_at = self._clock()
        self._settle(guarded)

    def gone(self, zone: ObjectKey) -> frozenset[ObjectKey]:
        """A DNSZone is gone; return the records that were still to be removed from it."""
        guarded = self._zones.get(zone)
        if guarded is None:
            return frozenset()
        guarded.subject = guarded.deleted_at = guarded.patched = None
        return frozenset(guarded.leaving)

    def use(self, record: Record, *, refused: Collection[ObjectKey], awaiting: Collection[ObjectKey] | None) -> None:
        """Take note of where a record is; `refused` are zones that it may not use.

        `awaiting` are those that still hold its name while it is being deleted, None where it is not.
        """
        needs = record.deletion_policy is DeletionPolicy.DELETE
        zones = awaiting if awaiting is not None else record.zones if needs else ()
        self._note(record.key, frozenset(zones) - frozenset(refused), leaving=awaiting is not None)

    def forget(self, record: ObjectKey) -> None:
        """A record is gone."""
        self._note(record, frozenset(), leaving=False)

    def settle_all(self) -> None:
        """Look at every zone: this process leads now."""
        for guarded in self._zones.values():
            guarded.patched = None
            self._settle(guarded)

    def look(self) -> bool:
        """Look at the zones that are being deleted; True where one of them still waits."""
        waiting = list(self._waiting())
        for guarded in waiting:
            guarded.patched = None  # whatever became of the patch before
            self._settle(guarded)
        return bool(waiting)

    def warning(self, zone: ObjectKey) -> Explanation | None:
        """Return what there is to say on a DNSZone that is being deleted and still waits."""
        guarded = self._zones.get(zone)
        if guarded is None or guarded.deleted_at is None:
            return None
        waits = []
        if guarded.leaving:
            waits.append(
                f"for the names of {_listed(guarded.leaving)} to be removed, {RELEASE_AFTER / 60:g} min at most"
            )
        if guarded.live:
            waits.append(f"{GRACE:g} s for {_listed(guarded.live)}, to be deleted as well")
        told = " and ".join(waits) or "for nothing of Detour's any more"
        return Explanation(
            "BeingDeleted",
            f"this DNSZone is being deleted and waits {told}; until then it is served as before. Afterwards the names "
            "of records that still use it stay as they are and follow no failure: apply the DNSZone again to undo that",
        )

    def _waiting(self) -> Iterator[_Guarded]:
        return (each for each in self._zones.values() if each.subject is not None and each.deleted_at is not None)

    def _note(self, record: ObjectKey, zones: frozenset[ObjectKey], *, leaving: bool) -> None:
        before = self._needed.get(record, frozenset())
        self._needed[record] = zones
        if not zones:
            del self._needed[record]
        for zone in before | zones:
            guarded = self._zones.setdefault(zone, _Guarded())
            counts = (len(guarded.live), len(guarded.leaving))
            guarded.live.discard(record)
            guarded.leaving.discard(record)
            if zone in zones:
                (guarded.leaving if leaving else guarded.live).add(record)
            if guarded.subject is None and not (guarded.live or guarded.leaving):
                del self._zones[zone]
            elif counts != (len(guarded.live), len(guarded.leaving)):
                self._settle(guarded)

    def _settle(self, guarded: _Guarded) -> None:
        """See to it that the object bears the finalizer where it is to stay, and only then."""
        if guarded.subject is None:
            return
        deleted_for = None if guarded.deleted_at is None else self._clock() - guarded.deleted_at
        wanted = must_stay(Needs(len(guarded.live), len(guarded.leaving)), deleted_for)
        bears = guarded.origin.has_finalizer
        if wanted and deleted_for is not None and not bears:
            return  # the API server takes no finalizer for an object that is being deleted
        if wanted is not (bears if guarded.patched is None else guarded.patched):
            guarded.patched = wanted
            self._hold(guarded.subject, guarded.origin, wanted)


def _listed(records: Collection[ObjectKey]) -> str:
    shown = ", ".join(str(each) for each in sorted(records)[:NAMED])
    more = f" and {len(records) - NAMED} more" if len(records) > NAMED else ""
    return f"FailoverRecord{'s' if len(records) > 1 else ''} {shown}{more}"
