"""The quotas of Route 53, from "Quotas" in the Amazon Route 53 Developer Guide (DNSLimitations).

The rates are the token buckets in force since 30 July 2026, for each account: a creation and a deletion cost one
token each, so a replacement (deletion and creation in one request) costs two.
"""

from detour.enactment.contract import ProviderLimits

LIMITS = ProviderLimits(
    batch_elements=1_000,  # ResourceRecord elements of one ChangeResourceRecordSets request
    batch_characters=32_000,  # characters in the Value elements of one request
    values_per_set=100,  # the default for basic records; sets made before 2023 may be allowed more
    elements_per_replacement=2,
    requests_per_second=10.0,
    requests_burst=50.0,
    changes_per_second=100.0,
    changes_burst=1_500.0,
    counts_values=True,
    reading_requests_per_second=1.0,  # ours: a tenth of the account's requests
    sets_per_zone=10_000,  # the default; it can be raised
    bills_questions=True,
)

PAGE = 300
"""ListResourceRecordSets returns at most this many sets (API reference, MaxItems)."""
