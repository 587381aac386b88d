"""What one enactor knows of its zone, and what it has to read again.

The whole zone is read at the start, whenever that is owed, and from time to time beside the work; single names when
something is suspicious about them. What is owed comes first: until it is read, nothing is known. Everything else is
read beside the work, and fails beside it.
"""

import asyncio
import math
from collections.abc import Callable, Collection, Iterable
from functools import partial

from detour.enactment.budget import beside
from detour.enactment.changewatch import ChangeWatch
from detour.enactment.contract import Batch, Provider, ProviderError, ZoneContents, ZoneFacts
from detour.enactment.periods import Periods
from detour.enactment.reading import BackgroundReading, Compared, compared
from detour.enactment.registries import hostnames_at, registry_names
from detour.enactment.view import ZoneView
from detour.enactment.wishes import Urgency
from detour.model.names import marker_name

SHARE_OF_TIME = 0.05
"""The share of the time that readings take at most which an account of changes asks for."""

FRESH = 5.0
"""Seconds for which a reading of a name is good enough to publish the name for the first time."""


class ZoneReader:
    """Reads one zone, and lays what is written over what was read. Times are engine seconds.

    `ledger_name` is read along with any name, `on_news` is called when a reading beside the work has ended. `facts` are
    those of a zone that was looked for already.
    """

    def __init__(
        self,
        ledger_name: str,
        periods: Periods,
        *,
        clock: Callable[[], float],
        random: Callable[[], float],
        on_news: Callable[[], None],
        facts: ZoneFacts | None = None,
    ) -> None:
        self._ledger_name = ledger_name
        self._periods = periods
        self._clock = clock
        self._random = random
        self._must_describe = facts is None
        self._due_at = 0.0
        self._interval = periods.reading
        self._retry_at = 0.0
        self._is_owed = True
        self._suspects: set[str] = set()
        self._suspects_ledger = False
        self._awaited: set[str] = set()
        self._wants_proof: dict[str, float] = {}
        self._proved_at: dict[str, float] = {}
        self._began_at = -math.inf
        self._read_at: dict[str, float] = {}
        self._on_news = on_news
        self._describing: asyncio.Task[ZoneFacts] | None = None
        self._whole: BackgroundReading[Compared] = BackgroundReading(on_news)
        self._whole_began_at = self._whole_took = 0.0
        self._wants_whole_since = -math.inf  # when the account of changes last left a gap that a reading has to fill
        self._some: BackgroundReading[ZoneContents] = BackgroundReading(on_news)
        self._some_began_at = -math.inf
        self._some_awaited: set[str] = set()
        self._some_names: set[str] = set()
        self._view: ZoneView | None = None
        self.changes = ChangeWatch(periods.changes, clock=clock, on_news=on_news)
        self.facts = facts

    # -- what is known -------------------------------------------------------------------------------------------

    @property
    def is_read(self) -> bool:
        """Tell whether the zone was ever read."""
        return self._view is not None

    @property
    def view(self) -> ZoneView:
        """The zone as it is believed to be. Only once it `is_read`."""
        assert self._view is not None  # noqa: S101 - the enactor reads before anything else
        return self._view

    @property
    def is_doubtful(self) -> bool:
        """Tell whether a reading is owed."""
        return self._is_owed

    @property
    def noticed_within(self) -> float:
        """Seconds within which anything that others change is noticed through the provider's API."""
        return self._periods.changes if self.changes.is_followed else self._interval + self._whole_took

    def proved_at(self, hostname: str) -> float | None:
        """Return when the last reading of `hostname` began that was asked for with `prove`, None where none ended."""
        return self._proved_at.get(hostname)

    # -- what is to be read --------------------------------------------------------------------------------------

    @property
    def must_describe(self) -> bool:
        """Tell whether the zone has to be looked for now, as where the provider says that it is not there."""
        may_be = self.facts is None or self._clock() >= self._retry_at
        return self._must_describe and self._describing is None and may_be

    @property
    def is_described(self) -> bool:
        """Tell whether a look for the zone beside the work has ended, well or not."""
        return self._describing is not None and self._describing.done()

    @property
    def has_news(self) -> bool:
        """Tell whether a reading beside the work waits to be taken."""
        is_there = self._whole.is_there or self._some.is_there or self.is_described or self.changes.is_there
        return self._view is not None and is_there

    @property
    def has_suspects(self) -> bool:
        """Tell whether names, or the ledger, have to be read, and may be now."""
        is_idle = not self._some.is_under_way and self._clock() >= self._retry_at
        return is_idle and bool(self._suspects or self._suspects_ledger)

    @property
    def due_at(self) -> float:
        """When something is to be read next; infinite while everything that is to be is under way."""
        whole = math.inf if self._whole.is_under_way else self._whole_due_at
        waits = (self._suspects or self._suspects_ledger) and not self._some.is_under_way
        return min(whole, self._retry_at if waits else math.inf)

    @property
    def _whole_due_at(self) -> float:
        return self._due_at if self._is_owed else max(self._due_at, self._retry_at)

    @property
    def is_due(self) -> bool:
        """Tell whether the whole zone is to be read now."""
        return self._view is None or (not self._whole.is_under_way and self._clock() >= self._whole_due_at)

    @property
    def awaited(self) -> Collection[str]:
        """The hostnames that are not to be written before they are read."""
        return self._awaited

    def suspect(self, hostname: str) -> None:
        """Something seems to be wrong with `hostname`."""
        self._suspects.add(hostname)

    def prove(self, hostname: str) -> None:
        """Read `hostname` anew, and remember since when it stands as it does."""
        self._wants_proof.setdefault(hostname, self._clock())
        self._suspects.add(hostname)

    def read_first(self, hostnames: Iterable[str]) -> None:
        """Read these hostnames before anything is written at them."""
        self._awaited.update(hostnames)
        self._suspects.update(hostnames)

    def suspect_ledger(self) -> None:
        """Something seems to be wrong with the ledger."""
        self._suspects_ledger = True

    def owe(self) -> None:
        """Believe nothing that was read of the zone so far, and read it before anything else."""
        self.cancel()
        self.changes.begin_anew()
        self._due_at = 0.0
        self._is_owed = True

    def look_for_zone(self) -> None:
        """The provider says that the zone is not there: it may have been made anew."""
        self._must_describe = True

    def reconnect(self, facts: ZoneFacts | None) -> None:
        """There is another connection to the same zone: readings through the one before end."""
        self.cancel()
        self.facts = facts or self.facts
        self._must_describe = facts is None
        self._retry_at = 0.0

    def cancel(self) -> None:
        """Read no further beside the work: what was to be read still is."""
        self._whole.cancel()
        if self._some.is_under_way:
            self._suspects.update(self._some.names)
            self._suspects_ledger = True
        self._some.cancel()
        self.changes.cancel()
        if self._describing is not None:
            self._describing.cancel()
            self._describing = None

    def retry_at(self, at: float) -> None:
        """A reading beside the work has failed: begin no other before `at`."""
        self._retry_at = max(self._retry_at, at)

    def unfresh(self, hostnames: Iterable[str]) -> list[str]:
        """Return those of `hostnames` of which nobody can say what has stood there for the last moments."""
        since = self._clock() - FRESH
        return [each for each in hostnames if max(self._began_at, self._read_at.get(each, -math.inf)) < since]

    # -- reading -------------------------------------------------------------------------------------------------

    async def describe(self, provider: Provider) -> bool:
        """Find the zone; False where it is another one than before. Raises ProviderError, as all readings do."""
        return self._take_facts(await provider.describe())

    def _take_facts(self, facts: ZoneFacts) -> bool:
        is_same = self.facts is None or self.facts.identity == facts.identity
        self.facts = facts
        self._must_describe = False
        return is_same

    def begin_describing(self, provider: Provider) -> None:
        """Find the zone beside the work; `is_described` once that has ended."""
        self._describing = asyncio.ensure_future(beside(Urgency.REPAIR, provider.describe))
        self._describing.add_done_callback(lambda _: self._on_news())

    def take_description(self) -> bool:
        """Take what was found; False where it is another zone than before. Raises ProviderError."""
        assert self._describing is not None  # noqa: S101 - only once it is there
        task, self._describing = self._describing, None
        return self._take_facts(task.result())

    def begin(self, provider: Provider) -> None:
        """Read the zone beside the work; `has_news` once it is there."""
        self._whole_began_at = self._clock()
        self._whole.begin(self._read_and_compare(provider))

    async def _read_and_compare(self, provider: Provider) -> Compared:
        contents = await beside(Urgency.HOUSEKEEPING, provider.read_zone)
        return await compared(self.view, contents)

    def begin_suspects(self, provider: Provider) -> None:
        """Read what is suspicious beside the work; `has_news` once it is there."""
        hostnames = self._take_suspects()
        self._some_began_at = self._clock()
        self._some_awaited = self._awaited.intersection(hostnames)
        self._some_names = self._names_to_read(hostnames)
        self._some.begin(beside(Urgency.REPAIR, partial(provider.read_names, self._some_names)), hostnames)

    async def read(self, provider: Provider) -> None:
        """Read the zone, and do nothing else until it is read."""
        self.cancel()
        began_at = self._clock()
        suspects, self._suspects = self._suspects, set()  # what is suspected meanwhile may have been read before
        awaited = frozenset(self._awaited)
        try:
            contents = await provider.read_zone()
        except BaseException:
            self._suspects |= suspects
            raise
        self._began_at = began_at
        self._awaited -= awaited
        self._prove(self._wants_proof, began_at)
        self._whole_took = self._clock() - began_at
        self._view = ZoneView(contents)
        self._is_owed = False
        self._was_read(contents.mark, began_at)

    @property
    def is_read_whole(self) -> bool:
        """Tell whether a reading of the whole zone waits to be taken."""
        return self._whole.is_there

    def take_whole(self) -> Collection[str]:
        """Take a reading of the whole zone; return the names at which it showed something else than was believed.

        Raises ProviderError.
        """
        self._whole_took = self._clock() - self._whole_began_at
        reading = self._whole.take()
        names = reading.found.differing - reading.read_since
        written = {key: self.view.get(key) for key in reading.written_since if key.name in names}
        self.view.reread(names, reading.found.contents.at(names))
        self.view.put_back(written)
        self._was_read(reading.found.contents.mark, self._whole_began_at)
        return names

    def take_names(self) -> list[str]:
        """Take what was read of some names beside the work; return their hostnames.

        Raises ProviderError where that failed: then they are still to be read.
        """
        hostnames = sorted(self._some.names)
        try:
            reading = self._some.take()
        except (ProviderError, asyncio.CancelledError):
            self._suspects.update(hostnames)
            self._suspects_ledger = True
            raise
        names = self._some_names - reading.read_since
        written = {key: self.view.get(key) for key in reading.written_since}
        contents = reading.found.without(reading.read_since)
        self._take_names(hostnames, contents, names, self._some_began_at, awaited=self._some_awaited)
        self.view.put_back(written)
        return hostnames

    async def read_suspects(self, provider: Provider) -> list[str]:
        """Read what is suspicious, and do nothing else until it is read; return the hostnames."""
        hostnames = self._take_suspects()
        try:
            await self.read_names(provider, hostnames)
        except BaseException:
            self._suspects.update(hostnames)
            self._suspects_ledger = True
            raise
        return hostnames

    def _take_suspects(self) -> list[str]:
        hostnames = sorted(self._suspects)
        self._suspects.clear()
        self._suspects_ledger = False
        return hostnames

    async def read_names(self, provider: Provider, hostnames: Iterable[str]) -> None:
        """Read the ledger, and these hostnames with their markers."""
        hostnames, began_at = list(hostnames), self._clock()
        awaited, names = self._awaited.intersection(hostnames), self._names_to_read(hostnames)
        contents = await provider.read_names(names)
        for reading in (self._whole, self._some):
            reading.were_read({*names, *contents.partial})
        self._take_names(hostnames, contents, names, began_at, awaited=awaited)

    def _names_to_read(self, hostnames: Iterable[str]) -> set[str]:
        """Return the ledger, the hostnames with their markers, and before a first publication the marks of others."""
        hostnames = list(hostnames)
        others = (name for each in hostnames if each in self._awaited for name in registry_names(each))
        return {self._ledger_name, *hostnames, *map(marker_name, hostnames), *others}

    def _take_names(
        self, hostnames: Iterable[str], contents: ZoneContents, names: set[str], began_at: float, *, awaited: set[str]
    ) -> None:
        """Believe `contents` of `names`, which were read for `hostnames`, of which some were `awaited` by then.

        What is awaited since is read once more, with what others may have there.
        """
        hostnames, now = list(hostnames), self._clock()
        self._read_at = {each: at for each, at in self._read_at.items() if at >= now - FRESH}
        self._read_at.update((each, now) for each in hostnames if each in awaited or each not in self._awaited)
        self._awaited -= awaited
        self._prove(hostnames, began_at)
        self._whole.were_read({*names, *contents.partial})
        if self._view is not None:
            self._view.reread(names, contents)

    def _prove(self, hostnames: Iterable[str], began_at: float) -> None:
        for each in list(hostnames):
            if each in self._wants_proof and began_at >= self._wants_proof[each]:
                del self._wants_proof[each]
                self._proved_at[each] = began_at
            elif each in self._wants_proof:
                self._suspects.add(each)

    def wrote(self, batch: Batch, stored: ZoneContents) -> None:
        """Believe what `batch` left behind."""
        keys = {*(change.key for change in (batch.ledger, *batch.changes)), *stored.sets}
        for reading in (self._whole, self._some):
            reading.were_written(keys)
        self.view.wrote([change.key for change in batch.changes if change.new is None], stored)

    def take_changes(self, *, concerns: Callable[[str], bool], is_above_any: Callable[[str], bool]) -> None:
        """Suspect the names that others have changed, of those that it `concerns`. Raises ProviderError.

        What stands above any may delegate or redirect it: then the zone is read.
        """
        names = self.changes.take()
        if names is None or self.changes.is_lost or any(map(is_above_any, names)):
            self._want_whole()
        names = names or frozenset()
        self._suspects.update(hostnames_at(filter(concerns, names)))
        self._suspects_ledger |= self._ledger_name in names

    def give_changes_up(self) -> None:
        """Ask no more what others have changed: what they did since the last answer is seen by reading the zone."""
        self.changes.give_up()
        if self.changes.is_lost:
            self._want_whole()

    def _want_whole(self) -> None:
        self._wants_whole_since = self._clock()
        self._read_for_the_account()

    def _read_for_the_account(self) -> None:
        """Read the whole zone soon: its account of changes does not say, name by name, what has changed."""
        pause = max(self._periods.changes, self._whole_took / SHARE_OF_TIME)
        self._due_at = min(self._due_at, max(self._whole_began_at, self._clock() - pause) + pause)

    def read_again_in(self, seconds: float) -> None:
        """Read the whole zone again then."""
        self._interval = seconds
        self._due_at = self._clock() + seconds * (0.9 + self._random() / 5)

    def _was_read(self, mark: str | None, began_at: float) -> None:
        self._due_at = self._clock() + self._periods.reading * (0.9 + self._random() / 5)
        if began_at < self._wants_whole_since:
            self._read_for_the_account()  # this one began before, and shows nothing of it
            return
        self._wants_whole_since = -math.inf
        self.changes.was_read(mark, began_at)
