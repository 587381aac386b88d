"""From the messages of the API server to declarations that the engine can use.

Most messages are echoes of our own status updates and end here. What cannot be translated is said on the object; the
declaration before it stays in force.
"""

import hashlib
import json
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol

from detour.app.bundles import Bundle, Bundles, Reference
from detour.app.vantagereports import VantageReports
from detour.engine.ports import Origin
from detour.kube.annotations import commands_acted_upon
from detour.kube.kinds import DeletionSeen, Listed, Message, Missing, Seen, Unread
from detour.kube.origins import origin_of
from detour.kube.translate import (
    DeclarationError,
    ca_bundle_reference,
    external_verdict_from,
    override_from,
    record_from,
    region_from,
    vantage_from,
    zone_from,
)
from detour.model.defects import told
from detour.model.external import ExternalVerdict
from detour.model.objects import Kind, RawObject, Subject
from detour.model.overrides import Override
from detour.model.record import ObjectKey, Record
from detour.model.region import Region
from detour.model.vantage import Vantage, VantageReport
from detour.model.zone import Zone

logger = logging.getLogger(__name__)

FIRST_PAUSE = 30.0
LONGEST_PAUSE = 3600.0
"""Seconds until an object that broke us is tried again, if it is not changed before: doubling from the first to the
longest."""

LISTING_PERIOD = 60.0
"""Seconds between two looks for what watches have missed."""

SETTLED_AFTER = 5.0
"""Seconds after which what differed in such a look is read, if no watch has shown it by then."""


class Declared(Protocol):
    """Who is told what is declared: the engine."""

    def record_declared(self, subject: Subject, record: Record, origin: Origin) -> None:
        """A FailoverRecord is new, changed, or about to be deleted."""

    def zone_declared(self, subject: Subject, zone: Zone, origin: Origin) -> None:
        """A DNSZone is new or changed."""

    def region_declared(self, subject: Subject, region: Region, origin: Origin) -> None:
        """A CloudRegion is new or changed."""

    def override_declared(self, subject: Subject, override: Override, origin: Origin) -> None:
        """An Override or a ClusterOverride is new or changed."""

    def vantage_declared(self, subject: Subject, vantage: Vantage, origin: Origin) -> None:
        """A Vantage is new or changed."""

    def external_verdict_declared(self, subject: Subject, verdict: ExternalVerdict, *, is_listed: bool) -> None:
        """An ExternalVerdict is new or changed; one that `is_listed` may have been written long ago."""

    def vantage_reported(self, subject: Subject, report: VantageReport, *, is_listed: bool) -> None:
        """A vantage says what it sees; one that `is_listed` may have said so long ago."""

    def vantage_unreadable(self, subject: Subject, why: str) -> None:
        """What a vantage wrote makes no sense."""

    def invalid(self, subject: Subject, reason: str, message: str, origin: Origin) -> None:
        """An object cannot be used as it is; what it declared before stays in force."""

    def status_seen(self, subject: Subject, origin: Origin, listed_at: float | None) -> None:
        """Nothing of an object has changed but its status; `listed_at` is when the listing began that shows it."""

    def gone(self, subject: Subject, *, observed: bool) -> None:
        """An object is gone; `observed` says that its deletion was seen, not just its absence."""

    def exists(self, subject: Subject) -> None:
        """An object is there, whether or not it can be used."""

    def all_listed(self, kind: Kind) -> None:
        """Every object of a kind was shown."""


class Declarations:
    """Translates messages. `read_config_map` reads one from a namespace by name; it may raise ClusterError.

    `unread` are the namespaces in which objects of a kind cannot be read just now, each with the reason; the empty one
    stands for the whole cluster.
    """

    def __init__(
        self, declared: Declared, *, read_config_map: Callable[[str, str], Awaitable[Mapping[str, str]]]
    ) -> None:
        self._declared = declared
        self._subjects: dict[tuple[Kind, ObjectKey], Subject] = {}
        self._fingerprints: dict[Subject, bytes] = {}
        self._seen_at: dict[Subject, float] = {}
        self._gone_at: dict[Subject, float] = {}  # what is gone since the last listing of its kind began
        self._bundled: dict[Subject, RawObject] = {}
        self._failed: dict[Subject, _Failure] = {}
        self._reports = VantageReports(declared)
        self.bundles = Bundles(read_config_map, on_news=self._take_bundle)
        self.listed: set[Kind] = set()
        self.unread: dict[Kind, Mapping[str, str]] = {}

    def take(self, message: Message, now: float) -> None:
        """Take in one message at once (see `taking`)."""
        for _ in self.taking(message, now):
            pass

    def taking(self, message: Message, now: float) -> Iterator[None]:
        """Take in one message that came at `now` (engine seconds), with a pause after each of a listing's objects.

        Never raises: who breaks us loses his turn.
        """
        match message:
            case Seen(kind, raw):
                self._see(kind, raw, now)
            case DeletionSeen(kind, raw):
                self._lose(_subject(kind, raw), now, observed=True)
            case Missing(kind, namespace, name, uid, at):
                subject = Subject(kind, ObjectKey(namespace, name), uid)
                if self._seen_at.get(subject, at) < at:
                    self._lose(subject, now, observed=False)
            case Unread(kind, namespaces):
                self.unread[kind] = namespaces
            case Listed(kind, _, began_at, namespaces):
                present: set[Subject] = set()
                for raw in message.take():
                    present.add(subject := _subject(kind, raw))
                    if not self._is_older(subject, began_at):
                        self._see(kind, raw, now, began_at)
                    yield
                self._gone_at = {
                    each: at for each, at in self._gone_at.items() if each.kind is not kind or at > began_at
                }
                self.listed.add(kind)
                if not self.unread.get(kind):
                    self._declared.all_listed(kind)
                for subject in [each for each in self._seen_at if each.kind is kind and each not in present]:
                    is_covered = namespaces is None or subject.key.namespace in namespaces
                    if is_covered and self._seen_at.get(subject, began_at) < began_at:
                        self._lose(subject, now, observed=False)
                        yield

    def try_again(self, now: float) -> None:
        """Take in again what could not be taken in, as far as its time has come (`now` in engine seconds)."""
        self._reports.take_due(now)
        for subject, failure in list(self._failed.items()):
            if now >= failure.due_at:
                self._see(subject.kind, failure.raw, now, self._seen_at.get(subject))

    def _is_older(self, subject: Subject, listed_at: float) -> bool:
        """Tell whether a listing that began at `listed_at` shows an object as it was before what a watch has shown."""
        never = float("-inf")
        return max(self._seen_at.get(subject, never), self._gone_at.get(subject, never)) > listed_at

    def _see(self, kind: Kind, raw: RawObject, now: float, listed_at: float | None = None) -> None:
        subject = _subject(kind, raw)
        if not subject.key.name:
            logger.warning("the API server showed a %s without a name: it is left out", kind.title)
            return
        failure = self._failed.get(subject)
        try:
            fingerprint = _fingerprint(raw)
        except Exception as error:  # what no JSON can hold: it costs this object its turn, and no other
            self._fail(subject, raw, error, now)
            return
        is_same = self._fingerprints.get(subject) == fingerprint
        if failure is not None and is_same and now < failure.due_at:
            return
        try:
            self._take(subject, raw, now, listed_at, fingerprint=fingerprint, again=failure is not None)
            if subject.kind is Kind.VANTAGE:
                self._reports.take(subject, raw, now, is_listed=listed_at is not None)
        except Exception as error:
            self._fail(subject, raw, error, now)
        else:
            self._failed.pop(subject, None)

    def _take(
        self,
        subject: Subject,
        raw: RawObject,
        now: float,
        listed_at: float | None,
        *,
        fingerprint: bytes,
        again: bool,
    ) -> None:
        before = self._subjects.get((subject.kind, subject.key))
        if before is not None and before != subject:
            self._lose(before, now, observed=False)  # deleted and made anew while nobody watched
        self._subjects[subject.kind, subject.key] = subject
        self._seen_at[subject] = now if listed_at is None else listed_at
        self._declared.exists(subject)
        if self._fingerprints.get(subject) == fingerprint and not again:
            self._declared.status_seen(subject, origin_of(raw), listed_at)
            return
        self._fingerprints[subject] = fingerprint
        reference = _reference(subject, raw)
        if reference is None:
            self._forget_bundle(subject)
        else:
            self._bundled[subject] = raw
            if self.bundles.want(subject, reference) is None:
                return  # `bundles` come back to it
        self._translate(subject, raw, is_listed=listed_at is not None)

    def _fail(self, subject: Subject, raw: RawObject, error: Exception, now: float) -> None:
        """A defect of ours that this object brings to light: say so on it, and try it again with growing pauses."""
        pause = min(LONGEST_PAUSE, self._failed[subject].pause * 2) if subject in self._failed else FIRST_PAUSE
        self._failed[subject] = _Failure(now + pause, pause, raw)
        what = f"{subject.kind.title} {subject.key}"
        logger.error("%s could not be taken in; it is tried again: %s", what, told(error))
        why = f"this object could not be taken in ({type(error).__name__}), a defect of Detour's: please report it"
        try:
            self._declared.invalid(
                subject, "NotUnderstood", f"{why}; what it declared before stays in force", origin_of(raw)
            )
        except Exception as another:
            logger.error("nor could that be said on it: %s", told(another))

    def _translate(self, subject: Subject, raw: RawObject, *, is_listed: bool = False) -> None:
        try:
            match subject.kind:
                case Kind.FAILOVER_RECORD:
                    bundle = self._bundle(subject, raw)
                    if bundle is not None and bundle.text is None:
                        self._declared.invalid(subject, bundle.reason, bundle.message, origin_of(raw))
                        return
                    text = None if bundle is None else bundle.text
                    self._declared.record_declared(subject, record_from(raw, text), origin_of(raw))
                case Kind.DNS_ZONE:
                    self._declared.zone_declared(subject, zone_from(raw), origin_of(raw))
                case Kind.CLOUD_REGION:
                    self._declared.region_declared(subject, region_from(raw), origin_of(raw))
                case Kind.OVERRIDE | Kind.CLUSTER_OVERRIDE:
                    override = override_from(raw, namespaced=subject.kind is Kind.OVERRIDE)
                    self._declared.override_declared(subject, override, origin_of(raw))
                case Kind.EXTERNAL_VERDICT:
                    said = external_verdict_from(raw)
                    self._declared.external_verdict_declared(subject, said, is_listed=is_listed)
                case Kind.VANTAGE:
                    self._declared.vantage_declared(subject, vantage_from(raw), origin_of(raw))
        except DeclarationError as error:
            self._declared.invalid(subject, "Invalid", str(error), origin_of(raw))

    def _bundle(self, subject: Subject, raw: RawObject) -> Bundle | None:
        reference = _reference(subject, raw)
        return None if reference is None else self.bundles.want(subject, reference)

    def _take_bundle(self, subject: Subject) -> None:
        """There is news of the ConfigMap that a record needs."""
        raw = self._bundled.get(subject)
        if raw is None:
            return
        try:
            self._translate(subject, raw)
        except Exception as error:
            self._fail(subject, raw, error, self._seen_at.get(subject, 0.0))

    def _forget_bundle(self, subject: Subject) -> None:
        self._bundled.pop(subject, None)
        self.bundles.leave(subject)

    def _lose(self, subject: Subject, now: float, *, observed: bool) -> None:
        self._gone_at[subject] = now
        if subject not in self._seen_at:
            return
        del self._seen_at[subject]
        self._fingerprints.pop(subject, None)
        self._failed.pop(subject, None)
        self._reports.forget(subject)
        self._forget_bundle(subject)
        if self._subjects.get((subject.kind, subject.key)) == subject:
            del self._subjects[subject.kind, subject.key]
        try:
            self._declared.gone(subject, observed=observed)
        except Exception as error:
            logger.error("the end of %s %s could not be taken in: %s", subject.kind.title, subject.key, told(error))


class _Failure(NamedTuple):
    due_at: float
    pause: float
    raw: RawObject


def _reference(subject: Subject, raw: RawObject) -> Reference | None:
    found = ca_bundle_reference(raw) if subject.kind is Kind.FAILOVER_RECORD else None
    return None if found is None else Reference(subject.key.namespace, *found)


def _subject(kind: Kind, raw: RawObject) -> Subject:
    metadata = _mapping(_mapping(raw).get("metadata"))
    key = ObjectKey(str(metadata.get("namespace") or ""), str(metadata.get("name") or ""))
    return Subject(kind, key, str(metadata.get("uid") or ""))


def _fingerprint(raw: RawObject) -> bytes:
    """Return a digest of what of an object is more than our own status, and of the commands that were acted upon.

    The generation alone does not tell: after a restore of etcd it comes again, with another spec.
    """
    raw = _mapping(raw)
    metadata = _mapping(raw.get("metadata"))
    annotations = _mapping(metadata.get("annotations"))
    ours = {key: value for key, value in annotations.items() if str(key).startswith("detour.dev/")}
    told = (
        commands_acted_upon(raw),
        metadata.get("generation"),
        raw.get("spec"),
        ours,
        metadata.get("deletionTimestamp"),
        metadata.get("finalizers"),
    )
    return hashlib.blake2b(json.dumps(told, sort_keys=True, default=str).encode(), digest_size=16).digest()


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
