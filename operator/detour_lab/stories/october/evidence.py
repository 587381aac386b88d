"""What a zone's history proves: who wrote under which ledger, and whether anything older ever took the place of newer.

The judge reads the commits that the emulated provider has made, one by one, with a reading of the ledger of its own: a
judge that asks the accused is none.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from detour_lab.clouds.labzones import EmulatedZone
from detour_lab.zones.store import Commit, RecordSet

_LEDGER = re.compile(r"detour/1 .*claim=(?P<claim>\w+) .*epoch=(?P<epoch>\d+) seq=(?P<sequence>\d+) ")


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerText:
    """A ledger as found in a zone: its whole text, the claim of its writer, and its generation."""

    text: str
    claim: str
    generation: tuple[int, int]

    def __str__(self) -> str:
        return f"{self.generation[0]}.{self.generation[1]} (claim {self.claim[:8]})"


def ledger_of(sets: Iterable[RecordSet], ledger: str) -> LedgerText | None:
    """Return what the set named `ledger` says; None where it is not among `sets`, or says something else."""
    for each in sets:
        if each.name == ledger and each.type == "TXT":
            text = "".join(each.values).strip('"')
            if found := _LEDGER.search(text):
                generation = int(found["epoch"]), int(found["sequence"])
                return LedgerText(text=text, claim=found["claim"], generation=generation)
    return None


def stale_writes(zone: EmulatedZone, ledger: str, *, atomic: bool) -> list[Commit]:
    """Return the commits of an API that were not made under the newest ledger.

    With `atomic`, every commit has to move the ledger itself, above all before it. Where sets are written one by one
    (Azure DNS), the ledger has to move on each time too, and a commit of another set has to come from the hand that
    wrote the ledger last.
    """
    stale: list[Commit] = []
    newest: tuple[int, int] | None = None
    last_hand = ""
    for commit in written(zone):
        moved = ledger_of(commit.added, ledger)
        if moved is not None:
            if newest is not None and moved.generation <= newest:
                stale.append(commit)
            newest, last_hand = moved.generation, commit.by
        elif atomic or commit.by != last_hand:
            stale.append(commit)
    return stale


def written(zone: EmulatedZone) -> list[Commit]:
    """Return the commits that API clients made: who made one stands after a colon, behind the kind of API."""
    return [commit for commit in zone.store.log if ":" in commit.by]
