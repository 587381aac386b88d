"""What a name server answered, as an RRset has it: data is compared, not text.

Servers and libraries present one value in several ways: a text in one string or cut into several, an IPv4-mapped
address with or without dots, a name with capitals and a trailing dot. Pure.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

import dns.exception
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.TXT

from detour.model.rrset import RRType, canonical_value

REMEMBERED = 4096
"""Texts with escapes, or of several strings, that are not read a second time."""

ONE_STRING = re.compile(r'"([ !#-\[\]-~]{0,255})"')
"""A text of one character string in which nothing is escaped (RFC 1035 §5.1), as markers and ledgers are."""


def plain_values(kind: RRType, values: Iterable[str]) -> tuple[str, ...]:
    """Return the values of an answer, in presentation form (RFC 1035 §5.1), as an RRset of this type has them."""
    return tuple(sorted(_plain(kind, value) for value in values))


def _plain(kind: RRType, value: str) -> str:
    if kind is RRType.TXT:
        return plain_text(value)
    try:
        return canonical_value(kind, value)
    except ValueError:
        return value  # no address at all: it differs from whatever was expected


def plain_text(value: str) -> str:
    """Return the text of a TXT value in presentation form, its strings joined; what has no quotes is the text itself.

    Octets that are no UTF-8 stay escaped. Markers and ledgers are asked for again and again, and rarely change.
    """
    if not value.startswith('"'):
        return value
    if (plain := ONE_STRING.fullmatch(value)) is not None:
        return plain[1]
    return _parsed_text(value)


@lru_cache(maxsize=REMEMBERED)
def _parsed_text(value: str) -> str:
    try:
        found = dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.TXT, value)
    except dns.exception.DNSException:
        return value
    assert isinstance(found, dns.rdtypes.ANY.TXT.TXT)  # noqa: S101 - it was read as this type
    return b"".join(found.strings).decode(errors="backslashreplace")
