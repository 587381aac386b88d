"""Marks that other tools leave beside the names they own: whose a name is, if not Detour's.

external-dns keeps its registry in TXT records by default. For a record `api.example.com` of type A it writes one at
`a-api.example.com`, and older versions one at `api.example.com` itself, each with a text such as
`heritage=external-dns,external-dns/owner=default,external-dns/resource=ingress/shop/api` (its documentation, "The TXT
registry"). A prefix of the user's own may stand before the type. Registries that no TXT shows (encrypted text,
DynamoDB, AWS Cloud Map) cannot be seen here.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from detour.enactment.contract import StoredSet
from detour.model.names import hostname_of_marker
from detour.model.rrset import RRType

EXTERNAL_DNS = "external-dns"

_OWNER = re.compile(r"(?:^|,)external-dns/owner=([^,]*)")
_RESOURCE = re.compile(r"(?:^|,)external-dns/resource=([^,]*)")
_TYPE = re.compile(r"(?:^|[^a-z0-9])(?:a|aaaa|cname)-")
PREFIXES = ("a-", "aaaa-", "cname-")


@dataclass(frozen=True, slots=True)
class ForeignClaim:
    """Another tool's mark on a name: the set that holds it, and whom it names."""

    stored: StoredSet
    owner: str
    resource: str = ""

    @property
    def told(self) -> str:
        """The claim in a few words for people."""
        source = f", for {self.resource}" if self.resource else ""
        return f"external-dns, owner {self.owner or 'unknown'}, claims this name (TXT {self.stored.rrset.name}{source})"


def foreign_claim(stored: StoredSet) -> ForeignClaim | None:
    """Return what a TXT set says of an owner in another tool's registry, None where it says nothing."""
    if stored.rrset.type is not RRType.TXT:
        return None
    for value in stored.rrset.values:
        text = value.strip('"')
        if text.startswith(f"heritage={EXTERNAL_DNS}"):
            owner, resource = _OWNER.search(text), _RESOURCE.search(text)
            return ForeignClaim(stored, owner[1] if owner else "", resource[1] if resource else "")
    return None


def is_claim(value: str) -> bool:
    """Tell whether one value of a TXT set belongs to such a registry."""
    return value.strip('"').startswith(f"heritage={EXTERNAL_DNS}")


def claimed_hostnames(name: str) -> Iterator[str]:
    """Give every hostname that a registry's TXT at `name` may stand for."""
    yield name
    first, dot, rest = name.partition(".")
    for match in _TYPE.finditer(first):
        yield f"{first[match.end() :]}{dot}{rest}"
    if rest:
        for match in re.finditer(r"\.(?:a|aaaa|cname)-", f".{rest}"):
            yield f".{rest}"[match.end() :]


def registry_names(hostname: str) -> tuple[str, ...]:
    """Return the names at which external-dns marks `hostname` where nobody gave it a prefix of their own."""
    return tuple(f"{prefix}{hostname}" for prefix in PREFIXES)


def hostnames_at(names: Iterable[str]) -> Iterator[str]:
    """Give the hostnames that what stands at `names` may be about: themselves, or those that a mark there speaks of."""
    for name in names:
        hostname = hostname_of_marker(name)
        if hostname is not None:
            yield hostname
        else:
            yield from claimed_hostnames(name)
