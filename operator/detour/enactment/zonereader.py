"""What one enactor knows of its zone, and what it has to read again.

The whole zone is read at the start, whenever that is owed, and from time to time beside the work; single names when
something is suspicious about them. What is owed comes first: until it is read, nothing is known.
"""

import math
from collections.abc import Callable, Iterable

from detour.enactment.contract import Batch, Provider, ZoneContents, ZoneFacts
from detour.enactment.periods import Periods
from detour.enactment.reading import BackgroundReading
from detour.enactment.view import ZoneView
from detour.model.names import marker_name

FRESH = 5.0
"""Seconds for which a reading of a name is good enough to publish the name for the first time."""


class ZoneReader:
    """Reads one zone, and lays what is written over what was read. Times are engine seconds.

    `ledger_name` is read along with any name, `on_news` is called when a reading beside the work has ended.
    """

    def __init__(
        self,
        ledger_name: str,
        periods: Periods,
        *,
        clock: Callable[[], float],
        random: Callable[[], float],
        on_news: Callable[[], None],
    ) -> None:
        self._ledger_name = ledger_name
        self._periods = periods
        self._clock = clock
        self._random = random
        self._must_describe = True
        self._due_at = 0.0
        self._is_owed = True
        self._suspects: set[str] = set()
        self._suspects_ledger = False
        self._began_at = -math.inf
        self._read_at: dict[str, float] = {}
        self._background = BackgroundReading(on_news)
        self._view: ZoneView | None = None
        self.facts: ZoneFacts | None = None

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
        """Tell whether a reading is owed, or there and not taken yet."""
        return self._is_owed or self._background.is_there

    # -- what is to be read --------------------------------------------------------------------------------------

    @property
    def must_describe(self) -> bool:
        """Tell whether the zone has to be looked for, as with a fresh connection."""
        return self._must_describe

    @property
    def has_news(self) -> bool:
        """Tell whether a reading beside the work waits to be taken."""
        return self._view is not None and self._background.is_there

    @property
    def has_suspects(self) -> bool:
        """Tell whether names, or the ledger, have to be read."""
        return bool(self._suspects) or self._suspects_ledger

    @property
    def due_at(self) -> float:
        """When the whole zone is to be read; infinite while that is under way."""
        return math.inf if self._background.is_under_way else self._due_at

    @property
    def is_due(self) -> bool:
        """Tell whether the whole zone is to be read now."""
        return self._view is None or self._clock() >= self.due_at

    def suspect(self, hostname: str) -> None:
        """Something seems to be wrong with `hostname`."""
        self._suspects.add(hostname)

    def suspect_ledger(self) -> None:
        """Something seems to be wrong with the ledger."""
        self._suspects_ledger = True

    def owe(self) -> None:
        """Believe nothing that was read of the zone so far, and read it before anything else."""
        self._background.cancel()
        self._due_at = 0.0
        self._is_owed = True

    def reconnect(self) -> None:
        """There is another connection to the same zone: a reading through the one before ends."""
        self._background.cancel()
        self._must_describe = True  # at once, so that wrong credentials show now and not at the next failover

    def cancel(self) -> None:
        """Read no further beside the work."""
        self._background.cancel()

    def unfresh(self, hostnames: Iterable[str]) -> list[str]:
        """Return those of `hostnames` of which nobody can say what has stood there for the last moments."""
        since = self._clock() - FRESH
        return [each for each in hostnames if max(self._began_at, self._read_at.get(each, -math.inf)) < since]

    # -- reading -------------------------------------------------------------------------------------------------

    async def describe(self, provider: Provider) -> None:
        """Find the zone. Raises ProviderError, as all readings do."""
        self.facts = await provider.describe()
        self._must_describe = False

    def begin(self, provider: Provider) -> None:
        """Read the zone beside the work; `has_news` once it is there."""
        self._background.begin(provider)

    async def read(self, provider: Provider) -> None:
        """Read the zone, and do nothing else until it is read."""
        self._background.cancel()
        began_at = self._clock()
        view = ZoneView(await provider.read_zone())
        self._began_at = began_at
        self._suspects.clear()
        self._take(view)

    def take_news(self) -> None:
        """Take what was read beside the work."""
        self._take(self._background.take(self.view))

    async def read_suspects(self, provider: Provider) -> list[str]:
        """Read what is suspicious; return the hostnames."""
        hostnames = sorted(self._suspects)
        self._suspects_ledger = False
        await self.read_names(provider, hostnames)
        self._suspects.difference_update(hostnames)
        return hostnames

    async def read_names(self, provider: Provider, hostnames: Iterable[str]) -> None:
        """Read the ledger, and these hostnames with their markers."""
        hostnames = list(hostnames)
        names = {self._ledger_name, *hostnames, *map(marker_name, hostnames)}
        contents = await provider.read_names(names)
        now = self._clock()
        self._read_at = {each: at for each, at in self._read_at.items() if at >= now - FRESH}
        self._read_at.update(dict.fromkeys(hostnames, now))
        self._background.touch(names)
        if self._view is not None:
            self._view.reread(names, contents)

    def wrote(self, batch: Batch, stored: ZoneContents) -> None:
        """Believe what `batch` left behind."""
        self._background.touch(change.key.name for change in (batch.ledger, *batch.changes))
        self.view.wrote([change.key for change in batch.changes if change.new is None], stored)

    def _take(self, view: ZoneView) -> None:
        self._view = view
        self._is_owed = False
        self._due_at = self._clock() + self._periods.reading * (0.9 + self._random() / 5)
