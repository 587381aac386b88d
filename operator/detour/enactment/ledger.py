"""The ledger: the TXT record that says which plan is in force in a zone, and the fence that it makes.

Every batch carries the condition "the ledger is exactly what I last saw" and moves it on in the same request. So an
older plan cannot be applied over a newer one, however late it arrives: its condition no longer holds.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from detour.enactment.answers import plain_text
from detour.model.generation import NEVER, Generation
from detour.model.names import ledger_name
from detour.model.rrset import RRset, RRType

LEDGER_TTL = 5
"""Seconds. Short, because a standby site watches the ledger through DNS."""

HIGHEST_COUNT = 10**15 - 10**6
"""Epochs and sequences above are taken for garbage: nothing honest gets there, and they leave no room above them."""

NO_BATCH = "-"

_FORMAT = re.compile(
    r"detour/1 site=(?P<site>[a-z0-9.-]+) claim=(?P<claim>[0-9a-f]+) renew=(?P<renew>\d{1,6}) "
    r"epoch=(?P<epoch>\d{1,15}) seq=(?P<sequence>\d{1,15}) batch=(?P<batch>[0-9a-f]+|-)",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Ledger:
    """What a ledger says.

    `claim` is random and belongs to one take-over of one writer; `batch` is the digest of the batch that moved the
    ledger here; `renew` in seconds is how often the site in force moves it on (0: never).
    """

    site: str
    claim: str
    generation: Generation
    renew: int = 0
    batch: str = NO_BATCH

    def text(self) -> str:
        """Return the value of the TXT record."""
        return (
            f"detour/1 site={self.site} claim={self.claim} renew={self.renew} "
            f"epoch={self.generation.epoch} seq={self.generation.sequence} batch={self.batch}"
        )

    def rrset(self, owner: str, domain: str) -> RRset:
        """Return the record set to write for `owner` in the zone `domain`."""
        return RRset(ledger_name(owner, domain), RRType.TXT, LEDGER_TTL, (self.text(),))

    def moved_on(self, batch: str) -> "Ledger":
        """Return the ledger after the batch with this digest."""
        generation = Generation(self.generation.epoch, self.generation.sequence + 1)
        return replace(self, generation=generation, batch=batch)


def parse_ledger(rrset: RRset | None) -> Ledger | None:
    """Return what a ledger's record set says, or None where it is missing or garbled."""
    if rrset is None or len(rrset.values) != 1:
        return None
    match = _FORMAT.fullmatch(rrset.values[0])
    return _ledger(match) if match else None


def _ledger(match: re.Match[str]) -> Ledger | None:
    if max(int(match["epoch"]), int(match["sequence"])) > HIGHEST_COUNT:
        return None  # it could not be followed: what comes after it would not fit
    return Ledger(
        site=match["site"],
        claim=match["claim"],
        generation=Generation(int(match["epoch"]), int(match["sequence"])),
        renew=int(match["renew"]),
        batch=match["batch"],
    )


def ledger_in_answer(values: tuple[str, ...]) -> Ledger | None:
    """Return the ledger that a name server answers with, in presentation form (RFC 1035 §5.1), or None."""
    texts = [plain_text(value) for value in values]
    match = _FORMAT.fullmatch(texts[0]) if len(texts) == 1 else None
    return _ledger(match) if match else None


def next_claim(current: Ledger | None, known: Generation, *, site: str, claim: str, renew: int = 0) -> Ledger:
    """Return the ledger that takes over the zone: above every generation known, with a `claim` of its own.

    Above the highest count there is nothing: then the count begins anew. No plan of old can come back by that, as every
    batch is conditional on the whole ledger, and its claim is random.
    """
    highest = max(known, current.generation if current else NEVER)
    epoch = highest.epoch + 1 if highest.epoch < HIGHEST_COUNT else 1
    return Ledger(site=site, claim=claim, generation=Generation(epoch, 0), renew=renew)


def batch_digest(ledger: Ledger, changes: Iterable[tuple[RRset | None, RRset | None]]) -> str:
    """Return the digest of a batch: the ledger that it leaves behind, and every set's old and new state in order."""
    digest = hashlib.sha256(ledger.text().encode())
    for old, new in changes:
        digest.update(repr((_plain(old), _plain(new))).encode())
    return digest.hexdigest()[:16]


def _plain(rrset: RRset | None) -> tuple[str, str, int, tuple[str, ...]] | None:
    return None if rrset is None else (rrset.name, rrset.type.value, rrset.ttl, rrset.values)
