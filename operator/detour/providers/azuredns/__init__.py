"""Public zones at Azure DNS."""

from detour.providers.azuredns.client import account
from detour.providers.azuredns.limits import LIMITS
from detour.providers.azuredns.provider import AzureDNSProvider, open_zone

__all__ = ["LIMITS", "AzureDNSProvider", "account", "open_zone"]
