"""DNS names in one canonical form, and the names that Detour adds to a zone.

Inside Detour a name is lower-case ASCII without the trailing dot (`api.example.com`, `*.example.com`).
Providers and the wire have forms of their own (`\\052.example.com.`); their adapters translate at the edge.
"""

MARKER_LABEL = "_detour"
WILDCARD_IN_MARKER = "_any"
MAXIMUM_NAME_LENGTH = 253


def canonical(name: str) -> str:
    """Return `name` lower-cased, without a trailing dot and with `\\052` read as `*`."""
    return name.rstrip(".").lower().replace("\\052", "*")


def is_within(name: str, domain: str) -> bool:
    """Tell whether canonical `name` is `domain` itself or lies below it."""
    return name == domain or name.endswith("." + domain)


def is_below(name: str, domain: str) -> bool:
    """Tell whether canonical `name` lies below `domain` and is not `domain` itself."""
    return name.endswith("." + domain)


def marker_name(hostname: str) -> str:
    """Return the name of the TXT record that says who owns `hostname`.

    A TXT name below `*` would not be the wildcard's own, so the asterisk is spelled `_any`.
    """
    plain = WILDCARD_IN_MARKER + hostname[1:] if hostname.startswith("*") else hostname
    return f"{MARKER_LABEL}.{plain}"


def hostname_of_marker(name: str) -> str | None:
    """Return the hostname that a marker name stands for, or None where `name` is no marker's."""
    prefix = MARKER_LABEL + "."
    if not name.startswith(prefix):
        return None
    hostname = name[len(prefix) :]
    if hostname.startswith(WILDCARD_IN_MARKER + "."):
        return "*" + hostname[len(WILDCARD_IN_MARKER) :]
    return hostname


def ledger_name(owner: str, domain: str) -> str:
    """Return the name of the TXT record that holds `owner`'s generation in the zone `domain`."""
    return f"{owner}.{MARKER_LABEL}.{domain}"
