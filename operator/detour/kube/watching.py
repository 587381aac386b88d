"""Keeping up with what the API server holds: everything is listed, then watched, each kind by itself.

A watch that ended is started again after a listing, which catches what was missed meanwhile. What a watch misses
though it goes on is found by lists of metadata, in rotation: a page of each kind every minute, all of it within ten. A
namespace that the API server refuses to show is left out, said, and looked at again with each listing: the others are
listed and watched all the same, and what was known of it stays known.
"""

import logging
import math
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from detour.engine.ports import NOT_REACHED, ClusterError
from detour.kube.catalogue import Catalogue, Finding, Place, place_of
from detour.kube.cluster import PAGE, Cluster
from detour.kube.kinds import DeletionSeen, Listed, Message, Missing, Seen, Unread
from detour.kube.kopfwatch import KopfWatch
from detour.kube.packed import PackedObjects
from detour.kube.versions import DataVersions, Mark
from detour.model.defects import told
from detour.model.objects import Kind, RawObject

logger = logging.getLogger(__name__)

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 3.0
"""Seconds between a failed listing and the next try: doubling from the first to the longest."""

LONGEST_REST = 15.0
"""Seconds for which a kind whose watch keeps ending soon after its start is left alone at most."""

SETTLED = 30.0
"""Seconds after which a watch counts as one that works."""

ORDER = (
    Kind.EXTERNAL_VERDICT,
    Kind.VANTAGE,
    Kind.CLUSTER_OVERRIDE,
    Kind.OVERRIDE,
    Kind.CLOUD_REGION,
    Kind.DNS_ZONE,
    Kind.FAILOVER_RECORD,
)
"""Who is listed first: a record must not be decided for before it is known what people override,
which regions are drained, and who votes."""

MAY_BE_MISSING = frozenset({Kind.VANTAGE, Kind.EXTERNAL_VERDICT})
"""What an operator goes without where it is forbidden, or its CRD missing: that is said, and looked at each minute.

Who was known before stays known.
"""

ROUNDS = 10
"""Looks in which a whole kind has been compared, however many pages it takes."""

MOST_READ = 200
"""Objects that differ and are read one by one; of more of them everything is listed."""

MISSING_RESOURCES = "the API server does not know Detour's custom resources: apply crds/ or install the chart with them"
UNCHANGED = "going on with what was declared before"
FORBIDDEN = 403
GONE = 410
ABOUT_US_ALL = (NOT_REACHED, 401)
"""What says nothing of the one namespace that was asked for: nobody answered, or we are not known."""


@dataclass(slots=True)
class _Rotation:
    """How far the lists of metadata have come: the next page's token, and what the last one ended with.

    `miscounted` says how many lists in a row had another number of objects than are known.
    """

    token: str | None = None
    after: str = ""
    miscounted: int = 0


@dataclass(slots=True)
class _Kept:
    """How it is with one kind. `listed` are the namespaces that were read last, None before any were.

    `unwatched` may be listed but not watched; `has_ended` says that the last watch ended by itself.
    """

    watch: KopfWatch | None = None
    began_at: float = 0.0
    due_at: float = 0.0
    pause: float = FIRST_PAUSE
    listed: tuple[str | None, ...] | None = None
    unread: Mapping[str, str] | None = None
    unwatched: frozenset[str | None] = frozenset()
    version: str = ""
    has_ended: bool = False
    catalogue: Catalogue = field(default_factory=Catalogue)
    rotation: dict[str | None, _Rotation] = field(default_factory=dict)

    @property
    def watched(self) -> tuple[str | None, ...]:
        return tuple(each for each in self.listed or () if each not in self.unwatched)


class Watcher:
    """Delivers what the API server holds until `stop`.

    `deliver` is called from threads of its own, `clock` must be safe to call there. Without `namespaces` the whole
    cluster is watched. `kinds` are listed in their order.
    """

    def __init__(
        self,
        cluster: Cluster,
        *,
        kubeconfig: str | None,
        namespaces: Sequence[str],
        deliver: Callable[[Message], None],
        clock: Callable[[], float],
        kinds: Sequence[Kind] = ORDER,
    ) -> None:
        self._cluster = cluster
        self._kubeconfig = kubeconfig
        self._namespaces = tuple(namespaces)
        self._deliver = deliver
        self._clock = clock
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._listing = threading.Lock()
        self._order = threading.Lock()  # of what is delivered, and noted in a catalogue
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)
        self._kept = {kind: _Kept() for kind in kinds}
        self._versions = DataVersions()
        self._troubled = False

    def start(self) -> None:
        """Begin to deliver."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """End, waiting at most `timeout` seconds for kopf."""
        self._stop.set()
        self._wake.set()
        watches = [each.watch for each in self._kept.values() if each.watch is not None]
        for watch in watches:
            watch.stop()
        self._thread.join(timeout)
        for watch in watches:
            watch.join(timeout / len(watches))

    def list_all(self) -> None:
        """List every kind and deliver it, as far as it can be read. Raises ClusterError, the first that was met."""
        errors = []
        for kind in self._kept:
            try:
                self._list(kind)
            except ClusterError as error:
                errors.append(error)
                if self._kept[kind].listed is None:
                    break  # those that come after it wait for it
        self._wake.set()  # what may be watched may have changed
        if errors:
            raise errors[0]

    def compare_all(self) -> None:
        """Compare some of what is known with what the API server holds. Raises ClusterError, the first that was met.

        Who differs is read with `settle`, a moment later: what is on its way has arrived by then. Where anything cannot
        be read, or not be watched, everything is listed instead.
        """
        errors = []
        for kind, kept in self._kept.items():
            try:
                with self._listing:
                    if kept.listed is None or kept.unread or kept.unwatched:
                        self._list_now(kind, kept)
                    else:
                        self._compare(kind, kept)
            except ClusterError as error:
                errors.append(error)
        if errors:
            raise errors[0]

    def catch_up(self) -> None:
        """Compare all that is known with what the API server holds, and read who differs at once.

        Raises ClusterError, the first that was met.
        """
        for kind, kept in self._kept.items():
            with self._listing:
                if kept.listed is None or kept.unread or kept.unwatched:
                    self._list_now(kind, kept)
                else:
                    kept.rotation.clear()
                    self._compare(kind, kept, rounds=1)
        self.settle()

    def _compare(self, kind: Kind, kept: _Kept, *, rounds: int = ROUNDS) -> None:
        for space in kept.listed or ():
            rotation = kept.rotation.setdefault(space, _Rotation())
            with self._order:
                pages = math.ceil(kept.catalogue.count(space) / PAGE / rounds)
            while pages >= 0:
                pages -= 1
                mark, is_first = self._versions.mark(), rotation.token is None
                try:
                    page = self._cluster.list_metadata_now(kind, space, rotation.token)
                except ClusterError as error:
                    if error.status == GONE:
                        kept.rotation.pop(space)  # from the beginning, next time
                    raise
                if is_first and self._versions.went_back(mark, page.version):
                    self._begin_anew()
                    return
                if page.token and not page.items:
                    rotation.token = page.token
                    continue
                until = place_of(page.items[-1]).key if page.token else None
                with self._order:
                    kept.catalogue.compare(
                        page.items, version=page.version, namespace=space, after=rotation.after, until=until
                    )
                    known = kept.catalogue.count(space)
                if is_first and page.rest is not None:
                    rotation.miscounted = rotation.miscounted + 1 if len(page.items) + page.rest != known else 0
                    if rotation.miscounted > 1:  # an early hint: go through all of it now
                        pages, rotation.miscounted = math.ceil((len(page.items) + page.rest) / PAGE), 0
                rotation.token, rotation.after = page.token, until or ""
                if page.token is None:
                    break

    def settle(self) -> None:
        """Read who differed from what is known, and still does; deliver what the watches have missed.

        Raises ClusterError, the first that was met.
        """
        errors = []
        for kind, kept in self._kept.items():
            with self._order:
                places = kept.catalogue.take_doubts()
            if len(places) > MOST_READ:
                self._list(kind)
                continue
            for place in places:
                try:
                    finding = self._settle(kind, kept, place)
                except ClusterError as error:  # one object that cannot be read keeps no other from it
                    if error.status in ABOUT_US_ALL:
                        raise
                    errors.append(error)
                    continue
                if finding is Finding.WENT_BACK:
                    self._begin_anew()
                    return
        if errors:
            raise errors[0]

    def _settle(self, kind: Kind, kept: _Kept, place: Place) -> Finding:
        began_at = self._clock()
        try:
            found = self._cluster.read_now(kind, *place)
        except ClusterError as error:
            if error.status != 404:
                raise
            found = None
        with self._order:
            before = kept.catalogue.at(place)
            finding = kept.catalogue.settle(place, found)
            if finding is Finding.MISSED and found is not None:
                logger.warning("the watch missed a change of %s %s", kind.title, place.name)
                self._deliver(Seen(kind, found))
            elif finding is Finding.GONE and before is not None:
                logger.warning("the watch missed the end of %s %s", kind.title, place.name)
                self._deliver(Missing(kind, *place, before.uid, began_at))
        return finding

    def _list(self, kind: Kind) -> None:
        with self._listing:
            self._list_now(kind, self._kept[kind])

    def _list_now(self, kind: Kind, kept: _Kept) -> None:
        began_at = self._clock()
        raws, read, refused = PackedObjects(), [], dict[str | None, ClusterError]()
        for space in self._spaces(kind):
            mark = self._versions.mark()
            try:
                listing = self._cluster.list_now(kind, space)
            except ClusterError as error:
                if error.status in ABOUT_US_ALL:
                    raise
                refused[space] = error
                continue
            raws.add(listing.items.take())
            read.append(space)
            kept.version = listing.version
            if self._versions.went_back(mark, listing.version):
                self._begin_anew()
        bearable = (FORBIDDEN, 404) if kind in MAY_BE_MISSING else (FORBIDDEN,)
        if not read and (others := [each for each in refused.values() if each.status not in bearable]):
            raise others[0]
        if not read and kind in MAY_BE_MISSING and kept.listed is None:
            self._deliver(Listed(kind, raws, began_at, None))  # none that is known of: nobody has to wait for it
        self._tell_unread(kind, kept, {space or "": str(error) for space, error in refused.items()})
        kept.listed = tuple(read)
        if read:
            confined = frozenset(str(each) for each in read) if self._namespaces and kind.is_namespaced else None
            with self._order:
                kept.catalogue.listed(raws, confined)
                self._deliver(Listed(kind, raws, began_at, confined))
            kept.rotation.clear()
        for space in kept.unwatched & {*read}:  # it may be permitted by now
            if self._cluster.may_watch_now(kind, space, kept.version):
                kept.unwatched -= {space}

    def _spaces(self, kind: Kind) -> Sequence[str | None]:
        return self._namespaces if self._namespaces and kind.is_namespaced else (None,)

    def _tell_unread(self, kind: Kind, kept: _Kept, unread: Mapping[str, str]) -> None:
        """Say, once, where objects of a kind cannot be read, and where they can be again."""
        before, kept.unread = kept.unread or {}, unread
        for namespace, why in unread.items():
            if namespace not in before:
                logger.warning("%ss cannot be listed%s (%s): %s", kind.title, _in(namespace), why, UNCHANGED)
        for namespace in before.keys() - unread.keys():
            logger.info("%ss can be listed again%s", kind.title, _in(namespace))
        if before != unread:
            self._deliver(Unread(kind, unread))

    def _begin_anew(self) -> None:
        logger.warning("the API server's data went back (restored from a backup?): starting the watches anew")
        for kept in self._kept.values():
            if kept.watch is not None:
                kept.watch.stop()
        self._wake.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                pause = min(self._tend(), default=None)
            except Exception as error:
                logger.error("watching the API server met an error of Detour's own; it goes on: %s", told(error))
                pause = LONGEST_REST
            self._wake.wait(pause)
            self._wake.clear()

    def _tend(self) -> Iterator[float]:
        """See to it that every kind is watched; give the seconds after which to look again."""
        for kind, kept in self._kept.items():
            if self._stop.is_set():
                return
            if kept.watch is not None:
                self._look_after(kept, kept.watch)
            if kept.watch is None and (kept.listed is None or kept.watched):
                if self._clock() >= kept.due_at:
                    self._resume(kind, kept)
                if kept.watch is None and (kept.listed is None or kept.watched):
                    yield max(0.1, kept.due_at - self._clock())
            if kept.listed is None:
                return  # those that come after it wait for it

    def _look_after(self, kept: _Kept, watch: KopfWatch) -> None:
        """Let go of a watch that has ended, or that watches something else than it should."""
        now = self._clock()
        if watch.has_ended:
            kept.pause = FIRST_PAUSE if now - kept.began_at >= SETTLED else kept.pause
            kept.due_at, kept.pause = now + kept.pause, min(LONGEST_REST, kept.pause * 2)
            kept.has_ended = True
            self._tell_trouble("the watch on the API server ended: starting it again")
        elif watch.runs and watch.namespaces == _named(kept.watched):
            return
        watch.stop()
        kept.watch = None

    def _resume(self, kind: Kind, kept: _Kept) -> None:
        """List a kind and watch it from there; where that cannot be, `due_at` is moved on."""
        try:
            self._list(kind)
        except ClusterError as error:
            self._tell_trouble(MISSING_RESOURCES if error.status == 404 else f"{error}: {UNCHANGED}")
            kept.due_at = self._clock() + min(kept.pause, LONGEST_PAUSE)
            kept.pause = min(LONGEST_PAUSE, kept.pause * 2)
            return
        if self._troubled:
            logger.info("the API server answers again")
            self._troubled = False
        if kept.has_ended and len(self._spaces(kind)) > 1:
            self._find_unwatched(kind, kept)
        kept.has_ended = False
        if kept.watched:
            self._watch(kind, kept)

    def _find_unwatched(self, kind: Kind, kept: _Kept) -> None:
        """A watch has ended: leave out the namespaces, if any, where the API server forbids it."""
        for space in kept.watched:
            if not self._cluster.may_watch_now(kind, space, kept.version):
                kept.unwatched |= {space}
                seen = "they may be listed but not watched there: changes are noticed within a minute"
                logger.warning("%ss%s: %s", kind.title, _in(space or ""), seen)

    def _watch(self, kind: Kind, kept: _Kept) -> None:
        began = self._versions.mark()
        kept.began_at = self._clock()
        kept.watch = KopfWatch(
            kind,
            kubeconfig=self._kubeconfig,
            namespaces=_named(kept.watched),
            is_known=lambda raw: self._knows(kind, raw),
            deliver=lambda message: self._hand_on(message, began),
            on_end=self._wake.set,
        )
        kept.watch.start()

    def _knows(self, kind: Kind, raw: RawObject) -> bool:
        with self._order:
            return self._kept[kind].catalogue.knows(raw)

    def _hand_on(self, message: Seen | DeletionSeen, began: Mark) -> None:
        metadata = message.raw.get("metadata")
        version = metadata.get("resourceVersion") if isinstance(metadata, Mapping) else None
        self._versions.seen(str(version or ""), began)
        catalogue = self._kept[message.kind].catalogue
        with self._order:
            (catalogue.gone if isinstance(message, DeletionSeen) else catalogue.seen)(message.raw)
            self._deliver(message)

    def _tell_trouble(self, message: str) -> None:
        """Log the first of a series of troubles; the series ends with the next good listing."""
        if not self._troubled:
            logger.warning("%s", message)
        self._troubled = True


def _named(spaces: Sequence[str | None]) -> tuple[str, ...]:
    return tuple(each for each in spaces if each is not None)


def _in(namespace: str) -> str:
    return f" in namespace {namespace}" if namespace else ""
