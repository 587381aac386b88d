"""From the messages of the API server to declarations that the engine can use.

Most messages are echoes of our own status updates and end here. What cannot be translated is said on the object; the
declaration before it stays in force.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from detour.kube.cluster import ClusterError
from detour.kube.kinds import DeletionSeen, Kind, Listed, Message, RawObject, Seen
from detour.kube.reporting import Subject
from detour.kube.translate import DeclarationError, ca_bundle_reference, record_from, region_from, zone_from
from detour.model.endpoint import Region
from detour.model.record import ObjectKey, Record
from detour.model.zone import Zone

logger = logging.getLogger(__name__)

LISTING_PERIOD = 60.0
"""Seconds between two full listings, which catch what watches missed."""


class Declared(Protocol):
    """Who is told what is declared: the engine."""

    def record_declared(self, subject: Subject, record: Record, raw: RawObject) -> None:
        """A FailoverRecord is new, changed, or about to be deleted."""

    def zone_declared(self, subject: Subject, zone: Zone, raw: RawObject) -> None:
        """A DNSZone is new or changed."""

    def region_declared(self, subject: Subject, region: Region, raw: RawObject) -> None:
        """A CloudRegion is new or changed."""

    def invalid(self, subject: Subject, reason: str, message: str, raw: RawObject) -> None:
        """An object cannot be used as it is; what it declared before stays in force."""

    def status_seen(self, subject: Subject, raw: RawObject, listed_at: float | None) -> None:
        """Nothing of an object has changed but its status; `listed_at` is when the listing began that shows it."""

    def gone(self, subject: Subject, *, observed: bool) -> None:
        """An object is gone; `observed` says that its deletion was seen, not just its absence."""


class Declarations:
    """Translates messages. `read_config_map` reads one from a namespace by name; it may raise ClusterError."""

    def __init__(
        self, declared: Declared, *, read_config_map: Callable[[str, str], Awaitable[Mapping[str, str]]]
    ) -> None:
        self._declared = declared
        self._read_config_map = read_config_map
        self._subjects: dict[tuple[Kind, ObjectKey], Subject] = {}
        self._fingerprints: dict[Subject, object] = {}
        self._seen_at: dict[Subject, float] = {}
        self._raws_with_bundle: dict[Subject, RawObject] = {}
        self._bundles: dict[tuple[str, str, str], str | None] = {}
        self.listed: set[Kind] = set()

    def take(self, message: Message, now: float) -> None:
        """Take in one message; `now` in engine seconds."""
        match message:
            case Seen(kind, raw):
                self._see(kind, raw, now)
            case DeletionSeen(kind, raw):
                self._lose(_subject(kind, raw), observed=True)
            case Listed(kind, raws, began_at):
                present = {_subject(kind, raw) for raw in raws}
                for raw in raws:
                    self._see(kind, raw, now, began_at)
                self.listed.add(kind)
                for subject in [each for each in self._seen_at if each.kind is kind and each not in present]:
                    if self._seen_at[subject] < began_at:
                        self._lose(subject, observed=False)

    async def refresh_bundles(self, *, missing_only: bool = False) -> None:
        """Read anew the ConfigMaps that records take their certificate authorities from, all or only missing ones."""
        for subject, raw in list(self._raws_with_bundle.items()):
            reference = ca_bundle_reference(raw)
            if reference is None:
                continue
            name, key = reference
            before = self._bundles.get((subject.key.namespace, name, key))
            if missing_only and before is not None:
                continue
            first = (subject.key.namespace, name, key) not in self._bundles
            try:
                found = (await self._read_config_map(subject.key.namespace, name)).get(key)
            except ClusterError as error:
                if error.status == 403 and first:
                    self._declared.invalid(subject, "ConfigMapForbidden", _forbidden(subject, name), raw)
                if error.status != 404:
                    continue  # not known is not gone: the bundle in hand goes on serving
                found = None
            self._bundles[subject.key.namespace, name, key] = found
            if (first or found != before) and subject in self._raws_with_bundle:
                self._translate(subject, self._raws_with_bundle[subject])

    @property
    def has_missing_bundles(self) -> bool:
        """Tell whether a record waits for a ConfigMap that was not read yet, or does not exist."""
        return any(
            self._bundles.get((subject.key.namespace, *reference)) is None
            for subject, raw in self._raws_with_bundle.items()
            if (reference := ca_bundle_reference(raw))
        )

    def _see(self, kind: Kind, raw: RawObject, now: float, listed_at: float | None = None) -> None:
        subject = _subject(kind, raw)
        before = self._subjects.get((kind, subject.key))
        if before is not None and before != subject:
            self._lose(before, observed=False)  # deleted and made anew while nobody watched
        self._subjects[kind, subject.key] = subject
        self._seen_at[subject] = now
        fingerprint = _fingerprint(raw)
        if self._fingerprints.get(subject) == fingerprint:
            self._declared.status_seen(subject, raw, listed_at)
            return
        self._fingerprints[subject] = fingerprint
        self._raws_with_bundle.pop(subject, None)
        if kind is Kind.FAILOVER_RECORD and ca_bundle_reference(raw) is not None:
            self._raws_with_bundle[subject] = raw
            if (subject.key.namespace, *(ca_bundle_reference(raw) or ("", ""))) not in self._bundles:
                return  # `refresh_bundles` comes back to it
        self._translate(subject, raw)

    def _translate(self, subject: Subject, raw: RawObject) -> None:
        try:
            match subject.kind:
                case Kind.FAILOVER_RECORD:
                    self._declared.record_declared(subject, record_from(raw, self._bundle(subject, raw)), raw)
                case Kind.DNS_ZONE:
                    self._declared.zone_declared(subject, zone_from(raw), raw)
                case Kind.CLOUD_REGION:
                    self._declared.region_declared(subject, region_from(raw), raw)
        except DeclarationError as error:
            self._declared.invalid(subject, "Invalid", str(error), raw)

    def _bundle(self, subject: Subject, raw: RawObject) -> str | None:
        reference = ca_bundle_reference(raw)
        if reference is None:
            return None
        name, key = reference
        found = self._bundles.get((subject.key.namespace, name, key))
        if found is None:
            raise DeclarationError(
                f"spec.healthCheck.https.caBundleRef: ConfigMap {subject.key.namespace}/{name} with key {key!r} does "
                "not exist: create it, or remove the reference"
            )
        return found

    def _lose(self, subject: Subject, *, observed: bool) -> None:
        if subject not in self._seen_at:
            return
        del self._seen_at[subject]
        self._fingerprints.pop(subject, None)
        self._raws_with_bundle.pop(subject, None)
        if self._subjects.get((subject.kind, subject.key)) == subject:
            del self._subjects[subject.kind, subject.key]
        self._declared.gone(subject, observed=observed)


def _subject(kind: Kind, raw: RawObject) -> Subject:
    metadata = _mapping(raw.get("metadata"))
    key = ObjectKey(str(metadata.get("namespace") or ""), str(metadata.get("name") or ""))
    return Subject(kind, key, str(metadata.get("uid") or ""))


def _fingerprint(raw: RawObject) -> object:
    """Return what of an object is more than our own status.

    The generation alone does not tell: after a restore of etcd it comes again, with another spec.
    """
    metadata = _mapping(raw.get("metadata"))
    annotations = _mapping(metadata.get("annotations"))
    ours = {key: value for key, value in annotations.items() if str(key).startswith("detour.dev/")}
    return (
        metadata.get("generation"),
        raw.get("spec"),
        ours,
        metadata.get("deletionTimestamp"),
        metadata.get("finalizers"),
    )


def _forbidden(subject: Subject, name: str) -> str:
    return (
        f"spec.healthCheck.https.caBundleRef: the operator may not read ConfigMap {subject.key.namespace}/{name}: "
        "name it in the chart's value caBundles, or remove the reference"
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
