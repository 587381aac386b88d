"""Route 53 in a box: the parts of its API that write and read records, as strict as the real one.

`emulator` is the server. It checks the `signature`, meters the caller, parses the `request`, has `batch` decide
whether a change batch is acceptable as a whole, and answers with a `reply`.
"""

from detour_lab.clouds.route53.batch import Account
from detour_lab.clouds.route53.emulator import DEFAULT_QUOTAS, Quotas, Route53Emulator

__all__ = ["DEFAULT_QUOTAS", "Account", "Quotas", "Route53Emulator"]
