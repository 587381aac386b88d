"""A DNS zone as declared: its domain, its provider's settings, and who may use it."""

import enum
from dataclasses import dataclass, field

from detour.model.record import ObjectKey


@dataclass(frozen=True, slots=True)
class Route53Settings:
    """Amazon Route 53. `region` names the partition's signing region; `role_arn` is assumed where given."""

    zone_id: str | None = None
    region: str = "us-east-1"
    role_arn: str | None = None
    endpoint_url: str | None = None


@dataclass(frozen=True, slots=True)
class AzureDNSSettings:
    """Azure DNS. `endpoint_url` is the Resource Manager of another cloud (or of the lab)."""

    subscription_id: str
    resource_group: str
    endpoint_url: str | None = None


@dataclass(frozen=True, slots=True)
class GoogleCloudDNSSettings:
    """Google Cloud DNS. `managed_zone` is the zone's resource name, needed where several have the domain."""

    project: str
    managed_zone: str | None = None
    endpoint_url: str | None = None


@dataclass(frozen=True, slots=True)
class RFC2136Settings:
    """A server that takes dynamic updates, as `address:port`, over TCP."""

    server: str


ProviderSettings = Route53Settings | AzureDNSSettings | GoogleCloudDNSSettings | RFC2136Settings


class NamespacesFrom(enum.StrEnum):
    """Which namespaces may use a zone, in the manner of the Gateway API's allowedRoutes."""

    SAME = "Same"
    ALL = "All"
    SELECTOR = "Selector"


@dataclass(frozen=True, slots=True)
class LabelRequirement:
    """One line of a label selector; `operator` is In, NotIn, Exists or DoesNotExist."""

    key: str
    operator: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AllowedNamespaces:
    """The namespaces whose records a zone accepts; `requirements` count only with Selector."""

    source: NamespacesFrom = NamespacesFrom.SAME
    requirements: tuple[LabelRequirement, ...] = ()

    def permit(self, *, zone_namespace: str, namespace: str, labels: dict[str, str]) -> bool:
        """Tell whether a record in `namespace`, which bears `labels`, may use a zone in `zone_namespace`."""
        match self.source:
            case NamespacesFrom.SAME:
                return namespace == zone_namespace
            case NamespacesFrom.ALL:
                return True
            case NamespacesFrom.SELECTOR:
                return all(_meets(each, labels) for each in self.requirements)


def _meets(requirement: LabelRequirement, labels: dict[str, str]) -> bool:
    present = requirement.key in labels
    match requirement.operator:
        case "In":
            return present and labels[requirement.key] in requirement.values
        case "NotIn":
            return not present or labels[requirement.key] not in requirement.values
        case "Exists":
            return present
        case _:
            return not present


@dataclass(frozen=True, slots=True)
class BudgetOverride:
    """The user's own quotas, rates per second; None keeps the provider's default."""

    requests_per_second: float | None = None
    requests_burst: float | None = None
    changes_per_second: float | None = None
    changes_burst: float | None = None
    sets_per_zone: int | None = None


@dataclass(frozen=True, slots=True)
class Safety:
    """How much of a zone may change at once. `window` in seconds; `panic_threshold` a share from 0 to 1.

    Where a person has it `frozen` by an override, `frozen_by` tells of that. `withdrawal` is the share of a record's
    endpoints that checks may take away within a minute, above 0; 1: any number.
    """

    max_regions_evacuated: int = 1
    window: float = 600.0
    panic_threshold: float = 0.5
    frozen: bool = False
    frozen_by: str = ""
    withdrawal: float = 0.25


@dataclass(frozen=True, slots=True)
class Zone:
    """One DNSZone. `verification_servers` (`address:port`) replace the ones that the provider names.

    `secret_name` is a Secret in the zone's own namespace; None means the workload's own identity. `approved` is the
    digest of the held changes that a person lets through.
    """

    key: ObjectKey
    uid: str
    generation: int
    domain: str
    settings: ProviderSettings
    secret_name: str | None = None
    allowed: AllowedNamespaces = AllowedNamespaces()
    budget: BudgetOverride = BudgetOverride()
    verification_servers: tuple[str, ...] = field(default=())
    take_over_now: bool = False
    safety: Safety = Safety()
    approved: str | None = None
