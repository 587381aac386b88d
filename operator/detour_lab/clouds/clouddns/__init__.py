"""Google Cloud DNS in a box: managed zones, changes and record sets of the v1 REST API, as strict as the real one.

`emulator` is the server. It checks the bearer token (`tokens` hands them out to service accounts), meters the caller,
has `change` decide whether a change is acceptable as a whole, and answers with `resources`.
"""

from detour_lab.clouds.clouddns.emulator import DEFAULT_QUOTAS, CloudDNSEmulator, Quotas
from detour_lab.clouds.clouddns.tokens import ServiceAccount, new_service_account

__all__ = ["DEFAULT_QUOTAS", "CloudDNSEmulator", "Quotas", "ServiceAccount", "new_service_account"]
