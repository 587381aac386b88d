"""The quotas of Azure DNS and of Resource Manager before it.

Per zone: Microsoft's "Azure subscription and service limits", Azure DNS, public DNS resource record operations. Per
subscription and principal: "Understand how Azure Resource Manager throttles requests", token buckets.
"""

from detour.enactment.contract import ProviderLimits

LIMITS = ProviderLimits(
    batch_elements=25,  # ours: sets are written one by one, so this bounds how long a batch keeps a newer plan waiting
    batch_characters=100_000,  # ours too: each set is a request of its own, and 20 records of it stay far below ARM's
    values_per_set=20,  # records per record set in a public zone; raisable by Azure Support
    elements_per_replacement=1,  # one PUT
    requests_per_second=10.0,  # Resource Manager's writes; its reads have 25 per second, burst 250
    requests_burst=200.0,
    changes_per_second=200 / 60,  # creations, updates and deletions have 200 per minute and zone each
    changes_burst=200.0,
    atomic=False,
    reading_requests_per_second=0.75,  # ours: three quarters of the lists, 60 per minute and zone
    reads_by_zone=True,
    sets_per_zone=10_000,  # the default; it can be raised
    bills_questions=True,
)

GETS_PER_MINUTE = 2000
LISTS_PER_MINUTE = 60
PAGE = 100
"""Sets in a page of a list that asks for no size (Record Sets - List By DNS Zone)."""
