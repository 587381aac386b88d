"""A strict emulator of Azure DNS: Microsoft.Network/dnsZones and its record sets, as Resource Manager serves them.

It speaks the API version that azure-mgmt-dns 9.0.0 sends, keeps ETags and their preconditions, refuses what the service
refuses with the bodies that the service sends, pages, and meters its callers.
"""

from detour_lab.clouds.azuredns.emulator import AzureDNSEmulator
from detour_lab.clouds.azuredns.quota import PUBLISHED, Quota

__all__ = ["PUBLISHED", "AzureDNSEmulator", "Quota"]
