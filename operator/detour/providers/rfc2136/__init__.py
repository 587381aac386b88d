"""Zones on servers that take dynamic updates (RFC 2136), such as BIND, Knot and PowerDNS."""

from detour.providers.rfc2136.keys import account
from detour.providers.rfc2136.limits import LIMITS
from detour.providers.rfc2136.provider import RFC2136Provider, open_zone

__all__ = ["LIMITS", "RFC2136Provider", "account", "open_zone"]
