"""Values as the cloud APIs write them, and the way back, without losing how a set was spelled.

Inside Detour a TXT value is its plain text and a CNAME target has no trailing dot. Route 53 and Cloud DNS speak
the form of zone files: quoted strings of at most 255 octets, absolute names. Both delete a set only when its values
are given exactly as stored, and outsiders spell things in their own way (`"de" "tour"`, `LB.Example.com.`). Where the
stored spelling is not the one that Detour would choose, it travels in `StoredSet.version` and is given back verbatim.
"""

import json
import re
from collections.abc import Iterable, Sequence
from typing import Literal

from detour.enactment.contract import OpaqueSet, StoredSet
from detour.model.rrset import RRset, RRType

STRING_OCTETS = 255
"""The longest character string in a TXT record (RFC 1035 §3.3)."""

WRITTEN_TYPES: frozenset[str] = frozenset(RRType)
"""The types that Detour has words for; everything else is opaque."""

EscapeBase = Literal[8, 10]
"""Zone files write an octet as three decimal digits (RFC 1035 §5.1); Route 53 as three octal ones."""

_STRING = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|((?:[^\s"\\]|\\.)+))', re.DOTALL)
_ESCAPE = re.compile(r"\\(\d{3}|.)", re.DOTALL)


def character_strings(text: str) -> list[bytes]:
    """Split `text` into the character strings that Detour writes: as long as they may be, one if it is empty."""
    octets = text.encode()
    return [octets[start : start + STRING_OCTETS] for start in range(0, len(octets), STRING_OCTETS)] or [b""]


def presented(rrset: RRset, base: EscapeBase = 10) -> tuple[str, ...]:
    """Return the values of `rrset` in presentation form, in the set's own order."""
    match rrset.type:
        case RRType.CNAME:
            return tuple(f"{value}." for value in rrset.values)
        case RRType.TXT:
            return tuple(_quoted(value, base) for value in rrset.values)
        case _:
            return rrset.values


def stored(name: str, rrtype: str, ttl: int, values: Sequence[str], base: EscapeBase = 10) -> StoredSet | OpaqueSet:
    """Return the set that an API described by `values` in presentation form; opaque where Detour has no words for it.

    `name` is canonical.
    """
    if rrtype not in WRITTEN_TYPES:
        return OpaqueSet(name, rrtype)
    try:
        plain = tuple(_text(value, base) for value in values) if rrtype == RRType.TXT else tuple(values)
        rrset = RRset(name, RRType(rrtype), ttl, plain)
    except ValueError as error:
        return OpaqueSet(name, rrtype, f"Detour cannot read its values: {error}")
    ours = presented(rrset, base)
    return StoredSet(rrset, None if sorted(ours) == sorted(values) else json.dumps(list(values)))


def as_stored(old: StoredSet, base: EscapeBase = 10) -> tuple[str, ...]:
    """Return the values of `old` exactly as the API spelled them."""
    return presented(old.rrset, base) if old.version is None else tuple(json.loads(old.version))


def _quoted(text: str, base: EscapeBase) -> str:
    return " ".join('"' + "".join(_escaped(string, base)) + '"' for string in character_strings(text))


def _escaped(octets: bytes, base: EscapeBase) -> Iterable[str]:
    for octet in octets:
        if octet in b'"\\':
            yield "\\" + chr(octet)
        elif 0x20 <= octet <= 0x7E:
            yield chr(octet)
        else:
            yield f"\\{octet:03o}" if base == 8 else f"\\{octet:03d}"


def _text(presentation: str, base: EscapeBase) -> str:
    """Join the character strings of one TXT value. Raises ValueError where it isn't one, or isn't UTF-8."""
    octets, position = b"", 0
    presentation = presentation.strip()
    while position < len(presentation):
        match = _STRING.match(presentation, position)
        if match is None:
            raise ValueError("text with unbalanced quotes or escapes")
        content = match[1] if match[1] is not None else match[2]
        octets += _unescaped(content, base)
        position = match.end()
    return octets.decode()


def _unescaped(content: str, base: EscapeBase) -> bytes:
    octets, position = b"", 0
    for escape in _ESCAPE.finditer(content):
        octets += content[position : escape.start()].encode()
        code = escape[1]
        octets += bytes([int(code, base)]) if len(code) == 3 else code.encode()
        position = escape.end()
    return octets + content[position:].encode()
