"""RRsets that cannot be empty.

October 2025 began with a record that had no values. Here the type itself refuses: an `RRset` without values
does not exist, so no code after its construction has to remember the rule.
"""

import enum
import functools
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

MINIMUM_TTL = 0
MAXIMUM_TTL = 2**31 - 1  # RFC 2181 §8

REMEMBERED = 1 << 12
"""Addresses that are not read a second time: thousands of names share a few."""


class RRType(enum.StrEnum):
    """The record types that Detour writes."""

    A = "A"
    AAAA = "AAAA"
    CNAME = "CNAME"
    TXT = "TXT"


ANSWER_TYPES = (RRType.A, RRType.AAAA, RRType.CNAME)
"""The types that a FailoverRecord publishes and therefore owns at its name."""


class RRKey(NamedTuple):
    """What identifies an RRset within a zone."""

    name: str
    type: RRType


class EmptyRRsetError(ValueError):
    """Somebody tried to build an RRset without values."""


@dataclass(frozen=True, slots=True)
class RRset:
    """A name, a type, a TTL in seconds and at least one value (RFC 2181 §5).

    `name` is canonical (see `names`). Values are kept sorted and without repeats, so equal sets compare equal:
    addresses in their shortest form, CNAME targets canonical, TXT as the plain text without quotes (all its
    character strings joined).

    Raises EmptyRRsetError without values, ValueError for a value or TTL that the type does not allow.
    """

    name: str
    type: RRType
    ttl: int
    values: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise EmptyRRsetError(f"{self.name} {self.type}: an RRset needs at least one value")
        if not MINIMUM_TTL <= self.ttl <= MAXIMUM_TTL:
            raise ValueError(f"{self.name} {self.type}: TTL {self.ttl} is outside {MINIMUM_TTL}..{MAXIMUM_TTL}")
        values = tuple(sorted({canonical_value(self.type, value) for value in self.values}))
        if self.type is RRType.CNAME and len(values) > 1:
            raise ValueError(f"{self.name}: a CNAME has one target, not {len(values)}")
        object.__setattr__(self, "values", values)

    @property
    def key(self) -> RRKey:
        return RRKey(self.name, self.type)


def canonical_value(rrtype: RRType, value: str) -> str:
    """Return a value in the one form that an RRset keeps it in. Raises ValueError where it is none of the type."""
    match rrtype:
        case RRType.A:
            return _canonical_ipv4(value)
        case RRType.AAAA:
            return _canonical_ipv6(value)
        case RRType.CNAME:
            return value.rstrip(".").lower()
        case RRType.TXT:
            return value


@functools.lru_cache(maxsize=REMEMBERED)
def _canonical_ipv4(value: str) -> str:
    return str(ipaddress.IPv4Address(value))


@functools.lru_cache(maxsize=REMEMBERED)
def _canonical_ipv6(value: str) -> str:
    return str(ipaddress.IPv6Address(value))


def is_address(value: str) -> bool:
    """Tell whether a value is an IP address, and no name."""
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


@functools.lru_cache(maxsize=16384)  # the same few addresses are asked for all the time
def address_type(address: str) -> RRType:
    """Return the type that carries `address`: A for IPv4, AAAA for IPv6. Raises ValueError for neither."""
    return RRType.A if ipaddress.ip_address(address).version == 4 else RRType.AAAA


def address_sets(name: str, ttl: int, addresses: Iterable[str]) -> tuple[RRset, ...]:
    """Return the A and AAAA sets that publish `addresses`; a family without an address gets no set."""
    families: dict[RRType, list[str]] = {}
    for address in addresses:
        families.setdefault(address_type(address), []).append(address)
    return tuple(RRset(name, family, ttl, tuple(families[family])) for family in sorted(families))


def values_of(sets: tuple[RRset, ...]) -> tuple[str, ...]:
    """Return every value of `sets`, in their order."""
    return tuple(value for each in sets for value in each.values)
