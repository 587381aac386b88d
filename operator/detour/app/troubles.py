"""Why a zone cannot be opened, as its condition says it, and what to do."""

from detour.app.clustersite import NAMESPACE
from detour.enactment.wishes import Refusal
from detour.kube.cluster import ClusterError
from detour.model.zone import Zone


def site_trouble(error: ClusterError) -> Refusal:
    """Say that this cluster has no name in ledgers yet."""
    return Refusal(
        "SiteUnknown",
        f"this cluster's name in ledgers comes from the UID of namespace {NAMESPACE}, which cannot be read: {error}. "
        "Permit that, or give the cluster a name with the chart's site.name",
    )


def secret_trouble(zone: Zone, error: ClusterError) -> Refusal:
    """Say why the credentials cannot be read."""
    secret = f"Secret {zone.key.namespace}/{zone.secret_name}"
    match error.status:
        case 404:
            return Refusal("SecretMissing", f"{secret} does not exist: create it, or correct credentialsSecretRef")
        case 403:
            return Refusal(
                "SecretForbidden",
                f"the operator may not read {secret}: name it in the chart's value credentials.secrets",
            )
        case _:
            return Refusal("SecretUnreadable", f"{secret} cannot be read: {error}")


def unforeseen_trouble(error: Exception) -> Refusal:
    """Say that opening the zone met an error that nobody foresaw; its text may hold a credential, so it isn't told."""
    return Refusal(
        "UnexpectedAnswer",
        f"opening the zone ended in an error that Detour does not know ({type(error).__name__}): look at the Secret "
        "and the settings; it is tried again",
    )
