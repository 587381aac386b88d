"""The table: what is damaged and how, what must be true afterwards, and which event tells it.

Damage to a zone is done as outsiders do it: through the store behind a cloud's API, or by a signed update of their own.
An edit turns the set that stands at a place into the sets that shall stand there; no sets empty the place.
"""

import enum
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from detour_lab.stories.repair.servers import Service
from detour_lab.zones.store import RecordSet

FOREIGN_ADDRESS = "203.0.113.66"
FOREIGN_TARGET = "elsewhere.example.net."
OTHER_SITE = "the-other-site"
OTHER_OWNER = "the-other-owner"
EPOCHS_AHEAD = 1_000_000


class Column(enum.StrEnum):
    """Where the operator is while the damage is done."""

    RUNNING = "running"
    RESTARTED = "restarted"


class Place(enum.Enum):
    """Where a zone is edited."""

    ANSWERS = "the hostname itself"
    MARKER = "its marker"
    LEDGER = "the ledger"


class ObjectDamage(enum.Enum):
    """What is done to the objects in Kubernetes."""

    STATUS_WIPED = "status of the record and of its zone is removed"
    STATUS_RESTORED = "both have the status again that they had before an earlier failback"
    RECORDS_DELETED = "every record of the namespace is deleted, and declared again"


class Remedy(enum.Enum):
    """What the person does who is asked."""

    RUN_COMMAND = "runs the kubectl command that the message gives"
    DELETE_MARKER = "deletes the marker"
    DELETE_TARGET = "deletes the CNAME set"


Edit = Callable[[RecordSet], Sequence[RecordSet]]


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenBack:
    """Everything is as it was, without a person, and one of `reasons` is the reason of an event about a `kind`."""

    kind: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asks:
    """DNS stays as it is. `condition` of the `kind` is False for `reason`, and an event says so.

    The message contains every text of `says`, in which {hostname}, {marker}, {label}, {domain}, {namespace} and {name}
    stand for the cell's own. Once a person has done what `remedy` says, everything is as it was.
    """

    kind: str
    condition: str
    reason: str
    says: tuple[str, ...]
    remedy: Remedy
    command: tuple[str, ...] = ()
    """The command in place of the one in the message, where the message has none: so the cell can go on."""


Expectation = WrittenBack | Asks


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Damage:
    """One row, equal to itself alone. `name` is a DNS label; `exceptions` are for single services."""

    name: str
    edits: Mapping[Place, Edit] = field(default_factory=dict)
    empties_zone: bool = False
    objects: ObjectDamage | None = None
    running: Expectation
    restarted: Expectation
    exceptions: Mapping[Service, Expectation] = field(default_factory=dict)

    def expectation(self, service: Service, column: Column) -> Expectation:
        """Return what must be true afterwards."""
        return self.exceptions.get(service) or (self.running if column is Column.RUNNING else self.restarted)

    @property
    def spares_answers(self) -> bool:
        """Whether the answers are as they were after the damage: then nobody has a reason to change them."""
        return Place.ANSWERS not in self.edits and not self.empties_zone

    @property
    def may_empty(self) -> bool:
        """Whether the damage itself leaves the name without an answer."""
        emptied = Place.ANSWERS in self.edits and not self.edits[Place.ANSWERS](RecordSet("name", "A", 1, ("value",)))
        return emptied or self.empties_zone


# -- edits -------------------------------------------------------------------------------------------------------------


def _delete(_: RecordSet) -> Sequence[RecordSet]:
    return ()


def _replace_values(present: RecordSet) -> Sequence[RecordSet]:
    return (replace(present, values=(FOREIGN_ADDRESS,)),)


def _add_value(present: RecordSet) -> Sequence[RecordSet]:
    return (replace(present, values=(*present.values, FOREIGN_ADDRESS)),)


def _change_ttl(present: RecordSet) -> Sequence[RecordSet]:
    return (replace(present, ttl=present.ttl + 3600),)


def _replace_type(present: RecordSet) -> Sequence[RecordSet]:
    return (RecordSet(present.name, "CNAME", present.ttl, (FOREIGN_TARGET,)),)


def _garble(present: RecordSet) -> Sequence[RecordSet]:
    return (replace(present, values=('"v=spf1 -all"',)),)


def _set_field(name: str, value: Callable[[str], Any]) -> Edit:
    """Return the edit that changes one `name=value` of a marker's or ledger's text."""

    def edit(present: RecordSet) -> Sequence[RecordSet]:
        (text,) = present.values
        changed, count = re.subn(rf"(?<= {name}=)[^ \"]+", lambda found: str(value(found[0])), text)
        if count != 1:
            raise ValueError(f"{present.name}: {text} has no field {name}= to change")
        return (replace(present, values=(changed,)),)

    return edit


def _both(first: Edit, second: Edit) -> Edit:
    return lambda present: [each for one in first(present) for each in second(one)]


_move_epoch_ahead = _set_field("epoch", lambda epoch: int(epoch) + EPOCHS_AHEAD)
_change_claim = _set_field("claim", lambda claim: claim[::-1])

# -- expectations ------------------------------------------------------------------------------------------------------

RECORD, ZONE = "FailoverRecord", "DNSZone"
REPAIRED = WrittenBack(kind=RECORD, reasons=("Repaired",))
LEDGER_RESTORED = WrittenBack(kind=ZONE, reasons=("LedgerRestored",))
STATUS_RESTORED = WrittenBack(kind=RECORD, reasons=("StatusRestored",))

SWAP_AT_AZURE = Asks(
    kind=RECORD,
    condition="Published",
    reason="TypeReplaced",
    says=("{hostname}", "CNAME", "az network dns record-set cname delete"),
    remedy=Remedy.DELETE_TARGET,
)
ANOTHER_OWNER = Asks(
    kind=RECORD,
    condition="Published",
    reason="OwnedByAnother",
    says=("{hostname}", OTHER_OWNER, "{marker}"),
    remedy=Remedy.DELETE_MARKER,
)
ANOTHER_SITE = Asks(
    kind=ZONE,
    condition="Ready",
    reason="HeldByAnotherSite",
    says=(OTHER_SITE, "--overwrite detour.dev/take-over="),
    remedy=Remedy.RUN_COMMAND,
    command=("annotate", "dnszone", "{name}", "-n", "{namespace}", "--overwrite", "detour.dev/take-over=now"),
)
UNPROVEN = Asks(
    kind=RECORD,
    condition="Published",
    reason="NameTaken",
    says=("{hostname}", '"adopt":true'),
    remedy=Remedy.RUN_COMMAND,
    command=(
        *("patch", "failoverrecord", "{name}", "-n", "{namespace}", "--type=merge"),
        *("-p", '{{"spec":{{"adopt":true}}}}'),
    ),
)

# -- the table ---------------------------------------------------------------------------------------------------------

DAMAGES: tuple[Damage, ...] = (
    Damage(name="record-deleted", edits={Place.ANSWERS: _delete}, running=REPAIRED, restarted=REPAIRED),
    Damage(name="values-replaced", edits={Place.ANSWERS: _replace_values}, running=REPAIRED, restarted=REPAIRED),
    Damage(name="values-added", edits={Place.ANSWERS: _add_value}, running=REPAIRED, restarted=REPAIRED),
    Damage(name="ttl-changed", edits={Place.ANSWERS: _change_ttl}, running=REPAIRED, restarted=REPAIRED),
    Damage(
        name="type-replaced",
        edits={Place.ANSWERS: _replace_type},
        running=REPAIRED,
        restarted=REPAIRED,
        exceptions={Service.AZURE: SWAP_AT_AZURE},
    ),
    Damage(name="marker-deleted", edits={Place.MARKER: _delete}, running=REPAIRED, restarted=REPAIRED),
    Damage(name="ledger-deleted", edits={Place.LEDGER: _delete}, running=LEDGER_RESTORED, restarted=LEDGER_RESTORED),
    Damage(name="ledger-garbled", edits={Place.LEDGER: _garble}, running=LEDGER_RESTORED, restarted=LEDGER_RESTORED),
    Damage(
        name="ledger-from-the-future",
        edits={Place.LEDGER: _both(_move_epoch_ahead, _change_claim)},
        running=WrittenBack(kind=ZONE, reasons=("Superseded", "LedgerRestored")),
        restarted=WrittenBack(kind=ZONE, reasons=("Superseded", "LedgerRestored")),
    ),
    Damage(
        name="status-wiped",
        objects=ObjectDamage.STATUS_WIPED,
        running=STATUS_RESTORED,
        restarted=STATUS_RESTORED,
    ),
    Damage(
        name="status-from-a-backup",
        objects=ObjectDamage.STATUS_RESTORED,
        running=STATUS_RESTORED,
        restarted=STATUS_RESTORED,
    ),
    Damage(
        name="records-deleted",
        objects=ObjectDamage.RECORDS_DELETED,
        running=WrittenBack(kind=ZONE, reasons=("OrphanedNames",)),
        restarted=WrittenBack(kind=RECORD, reasons=("InSync",)),
    ),
    Damage(name="zone-emptied", empties_zone=True, running=REPAIRED, restarted=REPAIRED),
    # Where Detour must not decide by itself.
    Damage(
        name="marker-and-status-lost",
        edits={Place.MARKER: _delete},
        objects=ObjectDamage.STATUS_WIPED,
        running=REPAIRED,  # the process that published the name remembers it
        restarted=UNPROVEN,
    ),
    Damage(
        name="ledger-of-another-site",
        edits={Place.LEDGER: _both(_both(_set_field("site", lambda _: OTHER_SITE), _move_epoch_ahead), _change_claim)},
        running=ANOTHER_SITE,
        restarted=ANOTHER_SITE,
    ),
    Damage(
        name="marker-of-another-owner",
        edits={Place.MARKER: _set_field("owner", lambda _: OTHER_OWNER)},
        running=ANOTHER_OWNER,
        restarted=ANOTHER_OWNER,
    ),
)
