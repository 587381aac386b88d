"""The marker: the TXT record beside a name that says who owns it."""

import re
from dataclasses import dataclass
from functools import lru_cache

from detour.model.names import marker_name
from detour.model.record import ObjectKey
from detour.model.rrset import RRset, RRType

MARKER_TTL = 300
"""Seconds."""

REMEMBERED = 1 << 14
"""Texts that are not read a second time: a marker is looked at several times whenever anything becomes of its name."""

_FORMAT = re.compile(
    r"detour/1 owner=(?P<owner>[a-z0-9-]+) namespace=(?P<namespace>[a-z0-9-]+) "
    r"name=(?P<name>[a-z0-9.-]+) uid=(?P<uid>[A-Za-z0-9-]+)"
)


@dataclass(frozen=True, slots=True)
class Marker:
    """Who owns a name: the installation, the FailoverRecord, and that object's UID."""

    owner: str
    record: ObjectKey
    uid: str

    def rrset(self, hostname: str) -> RRset:
        """Return the record set that marks `hostname`."""
        text = f"detour/1 owner={self.owner} namespace={self.record.namespace} name={self.record.name} uid={self.uid}"
        return RRset(marker_name(hostname), RRType.TXT, MARKER_TTL, (text,))


def parse_marker(rrset: RRset | None) -> Marker | None:
    """Return what a marker's record set says, or None where it is missing or garbled."""
    return None if rrset is None or len(rrset.values) != 1 else _read(rrset.values[0])


@lru_cache(maxsize=REMEMBERED)
def _read(text: str) -> Marker | None:
    match = _FORMAT.fullmatch(text)
    return match and Marker(match["owner"], ObjectKey(match["namespace"], match["name"]), match["uid"])
