"""The versions of the API, which differ in what a record set may hold.

Source: the service's specifications (azure-rest-api-specs, specification/dns, one `dns.json` for each version); the
list of versions is the one that Resource Manager itself gives in a refusal (azure-cli#26863), with the preview that has
come since. A version that does not know a type or a member can neither write nor read it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

FIRST_TYPES = frozenset({"A", "AAAA", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TXT"})
WITH_CAA = FIRST_TYPES | {"CAA"}
WITH_DNSSEC = WITH_CAA | {"DS", "NAPTR", "TLSA"}


@dataclass(frozen=True, slots=True)
class Version:
    """One api-version: the types that it knows, and whether it knows `targetResource`."""

    name: str
    types: frozenset[str]
    aliases: bool


VERSIONS: Mapping[str, Version] = {
    each.name: each
    for each in (
        Version("2015-05-04-preview", FIRST_TYPES, aliases=False),
        Version("2016-04-01", FIRST_TYPES, aliases=False),
        Version("2017-09-01", WITH_CAA, aliases=False),
        Version("2017-09-15-preview", WITH_CAA, aliases=False),
        Version("2017-10-01", WITH_CAA, aliases=False),
        Version("2018-03-01-preview", WITH_CAA, aliases=False),
        Version("2018-05-01", WITH_CAA, aliases=True),
        Version("2023-07-01-preview", WITH_DNSSEC, aliases=True),
    )
}
"""By name, oldest first. azure-mgmt-dns 9.0.0 sends 2018-05-01."""


def knowing(rrtype: str) -> list[str]:
    """Return the names of the versions that know `rrtype` (in capitals)."""
    return [each.name for each in VERSIONS.values() if rrtype in each.types]
