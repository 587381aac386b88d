"""The quotas of Google Cloud DNS, from "Quotas and limits" in its documentation (cloud.google.com/dns/quotas).

The rate of API requests is a quota of the project that Google has changed over the years and that a project can have
raised; the figure here is the lowest that was published (1,000 requests in 100 s). There is no rate of changes.
"""

from detour.enactment.contract import ProviderLimits

LIMITS = ProviderLimits(
    batch_elements=1_000,  # additions, and as many deletions, per change: a replacement is one of each
    batch_characters=100_000,  # bytes of record data per change
    values_per_set=100,  # records per RRset
    elements_per_replacement=1,
    requests_per_second=10.0,
    requests_burst=50.0,
    changes_per_second=None,
    changes_burst=1_000.0,
    reading_requests_per_second=1.0,  # ours: a tenth of the project's requests
    sets_per_zone=10_000,  # the default; it can be raised
    bills_questions=True,
)

PAGE = 1_000
"""Sets asked for per page; the service may return fewer and says so with a token."""
