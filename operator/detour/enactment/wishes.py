"""What the enactor is asked to make true, and what it says of it."""

import enum
import math
from dataclasses import dataclass

from detour.enactment.contract import Change, ThrottledError
from detour.model.generation import Generation
from detour.model.names import marker_name
from detour.model.record import Importance, ObjectKey
from detour.model.rrset import RRset, RRType


class Urgency(enum.IntEnum):
    """What is spent on first when the budget is short; the ledger's own renewal keeps other sites from taking over."""

    LEDGER = 0
    FAILOVER = 1
    REPAIR = 2
    HOUSEKEEPING = 3


@dataclass(frozen=True, slots=True)
class Wish:
    """What one record wants in one zone.

    `sets` is None while nothing is decided: the record claims its name but changes nothing. `was_published` says that
    the record's status shows the name as published here, which proves ownership where the marker was lost: in the zone
    that has the ID `published_in` at its provider (None: whichever it is), and in no other.
    `adopt_from` is the other tool whose mark on the name is taken away with the first publication.
    `created` (seconds since the Unix epoch) settles who of two claimants came first. `known_values` are the ones that
    the name had when this process came, by the record's status; `is_news` says that others are wanted since. While it
    `is_frozen` nothing is changed: what this process left there is put back, whatever `sets` are. `importance` says
    whose name goes first where a quota makes some wait, `families` which types of sets the record may come to publish.
    """

    record: ObjectKey
    uid: str
    created: float
    hostname: str
    sets: tuple[RRset, ...] | None
    adopt: bool = False
    adopt_from: str | None = None
    suspended: bool = False
    was_published: bool = False
    published_in: str | None = None
    known_values: frozenset[str] | None = None
    is_news: bool = True
    is_frozen: bool = False
    importance: Importance = Importance.NORMAL
    families: frozenset[RRType] = frozenset()


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a wish cannot be granted. `reason` is a condition's CamelCase word, `message` says what to do."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class NameChange:
    """The changes of one hostname and its marker, which belong into one batch.

    `is_repair` says that somebody else had changed what was there, `claimed_by` which other tool's mark stands beside
    the name. `was_there` are the sets of a name that is adopted by this, as they were.
    """

    hostname: str
    record: ObjectKey
    changes: tuple[Change, ...]
    urgency: Urgency
    is_repair: bool = False
    claimed_by: str = ""
    was_there: tuple[RRset, ...] = ()

    @property
    def is_first(self) -> bool:
        """Tell whether the name gets its marker by this, and so becomes ours."""
        marker = marker_name(self.hostname)
        return any(each.key.name == marker and each.old is None and each.new is not None for each in self.changes)


@dataclass(frozen=True, slots=True)
class WishReport:
    """How one record stands in one zone.

    `published` are the sets in the zone as last read or written; `in_sync` that they are what was wished, with
    nothing unsettled; `would_publish` what a dry run or a suspended record would write; `generation` the ledger's when
    this process last wrote for the record; `owns` that nothing keeps the record from the name, `is_marked` that the
    name bears our mark, which is `marker`; `denied` that the name is not to be had for it, whatever it wants there.
    `left` are the sets that this process left there, or found as they should be; None where it has not yet.
    `proved_at` is when the last reading began that was asked for as a proof (engine seconds). `may_land` says that a
    write of the name is on its way, or was, and that nobody knows yet whether the zone has it, `is_due` that the next
    one is about to be sent.
    """

    published: tuple[RRset, ...]
    in_sync: bool
    refusal: Explanation | None = None
    would_publish: tuple[RRset, ...] | None = None
    generation: Generation | None = None
    owns: bool = False
    is_marked: bool = False
    marker: RRset | None = None
    denied: bool = False
    left: tuple[RRset, ...] | None = None
    proved_at: float | None = None
    may_land: bool = False
    is_due: bool = False


def is_throttling(trouble: Explanation | None) -> bool:
    """Tell whether `trouble` is no more than that the provider asks for patience."""
    return trouble is not None and trouble.reason == ThrottledError.reason


@dataclass(frozen=True, slots=True)
class ZoneReport:
    """How a zone stands. `trouble` is the last error that still holds; counts are of hostnames.

    It `is_throttled` while the provider asks it or its account for patience, and until something has gone well since.

    `in_force` says that this process writes the zone; `standby` why it leaves that to somebody else, whose ledger was
    seen last at `ledger_seen_at` and seen to have moved at `ledger_moved_at` (engine seconds). `held` changes wait for
    the safety gate; the `pending` ones are sent within so many seconds, as quotas let it; `missing` are names that are
    wanted here and not marked as ours in a zone that another site keeps.

    The zone holds so many `sets`, and may hold `sets_limit`. Damage is noticed within `noticed_within` seconds
    (infinite where the zone is not looked at), and every name that stands as it should was looked at through the name
    servers since `oldest_look` (engine seconds; None for none).
    """

    ready: bool
    zone_id: str | None = None
    name_servers: tuple[str, ...] = ()
    negative_ttl: int | None = None
    generation: Generation | None = None
    site: str | None = None
    owned: int = 0
    orphans: tuple[str, ...] = ()
    pending: int = 0
    sent_within: float = 0.0
    trouble: Explanation | None = None
    is_throttled: bool = False
    in_force: bool = False
    standby: Explanation | None = None
    ledger_seen_at: float | None = None
    ledger_moved_at: float | None = None
    held: int = 0
    missing: tuple[str, ...] = ()
    sets: int = 0
    sets_limit: int | None = None
    noticed_within: float = math.inf
    oldest_look: float | None = None
