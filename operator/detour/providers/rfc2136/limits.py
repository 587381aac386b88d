"""What one UPDATE can hold, and that a server of one's own has no quota.

A message over TCP has at most 65,535 octets (RFC 1035 §4.2.2). A replacement of one IPv6 address appears three times
in it: as prerequisite, as deletion and as addition, about 80 octets and three times the name, which compresses to its
own labels. 300 of them fit with names of 45 octets below the zone; a batch that does not fit after all is refused
before it is sent, so that the enactor splits it.
"""

from detour.enactment.contract import ProviderLimits

LIMITS = ProviderLimits(
    batch_elements=300,
    batch_characters=12_000,  # text travels twice, in the prerequisite and in the addition
    values_per_set=100,  # no rule sets a number; an answer this long still fits where clients look
    elements_per_replacement=1,
    requests_per_second=None,
    requests_burst=100.0,
    changes_per_second=None,
    changes_burst=1_000.0,
)
