"""Why a zone cannot be opened, or what is declared for it not be read, as conditions say it, and what to do."""

from collections.abc import Sequence

from detour.enactment.wishes import Explanation
from detour.engine.clustersite import NAMESPACE
from detour.engine.ports import ClusterError
from detour.model.record import ObjectKey
from detour.model.zone import Zone


def site_trouble(error: ClusterError) -> Explanation:
    """Say that this cluster has no name in ledgers yet."""
    return Explanation(
        "SiteUnknown",
        f"this cluster's name in ledgers comes from the UID of namespace {NAMESPACE}, which cannot be read: {error}. "
        "Permit that, or give the cluster a name with the chart's site.name",
    )


def secret_trouble(zone: Zone, error: ClusterError) -> Explanation:
    """Say why the credentials cannot be read."""
    secret = f"Secret {zone.key.namespace}/{zone.secret_name}"
    match error.status:
        case 404:
            return Explanation("SecretMissing", f"{secret} does not exist: create it, or correct credentialsSecretRef")
        case 403:
            return Explanation(
                "SecretForbidden",
                f"the operator may not read {secret}: name it in the chart's value credentials.secrets",
            )
        case _:
            return Explanation("SecretUnreadable", f"{secret} cannot be read: {error}")


def unforeseen_trouble(error: Exception) -> Explanation:
    """Say that opening the zone met an error that nobody foresaw; its text may hold a credential, so it isn't told."""
    return Explanation(
        "UnexpectedAnswer",
        f"opening the zone ended in an error that Detour does not know ({type(error).__name__}): look at the Secret "
        "and the settings; it is tried again",
    )


def unread_zone(zone: ObjectKey, why: str) -> Explanation:
    """Say that nobody knows whether there is such a DNSZone."""
    return Explanation(
        "ZoneUnreadable",
        f"DNSZones in namespace {zone.namespace} cannot be read ({why}), so {zone} is not known: permit the operator "
        "to get, list and watch them there, as the chart does for each of its namespaces",
    )


def unread_records(namespaces: Sequence[str]) -> Explanation:
    """Say that the records of some namespaces are not seen, whose names may look orphaned."""
    shown = ", ".join(sorted(namespaces)[:3])
    more = f" and {len(namespaces) - 3} more" if len(namespaces) > 3 else ""
    return Explanation(
        "RecordsUnreadable",
        f"FailoverRecords in namespace {shown}{more} cannot be read: those known before go on as they were, others are "
        "not served, and their names may look orphaned. Leave those names alone, and permit the operator to get, list "
        "and watch FailoverRecords there",
    )
