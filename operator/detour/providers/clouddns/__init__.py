"""Public managed zones at Google Cloud DNS."""

from detour.providers.clouddns.limits import LIMITS
from detour.providers.clouddns.provider import CloudDNSProvider, open_zone
from detour.providers.clouddns.session import account

__all__ = ["LIMITS", "CloudDNSProvider", "account", "open_zone"]
