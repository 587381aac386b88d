"""DNSZone, as declared: a domain, the provider account that serves it, and who may use it."""

import enum
from typing import Annotated, Any, ClassVar

from pydantic import Field, Strict, StringConstraints

from detour.kube.resources.durations import MAXIMUM_LENGTH, duration_rules
from detour.kube.resources.rules import Declared, Rule, Rules, Unique, shaped
from detour.kube.resources.values import WHOLE, Flag, Number, name_rules, server_rule
from detour.kube.resources.zone_providers import (
    AzureDNSSpec,
    GoogleCloudDNSSpec,
    RFC2136Spec,
    Route53Spec,
    SecretReference,
)
from detour.model.names import MARKER_LABEL
from detour.model.zone import NamespacesFrom

LONGEST_DOMAIN = 181
"""Octets: the ledger `<owner>._detour.<domain>` must fit into 253 with an owner of up to 63."""

LABEL_VALUE = "([A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?)?"
LABEL_KEY = "([a-z0-9]([a-z0-9.-]*[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?"

ServerAddress = Annotated[
    str, StringConstraints(max_length=54), Rules(server_rule("verification.nameServers", names=False))
]
SelectorKey = Annotated[
    str,
    StringConstraints(max_length=317),
    Rules(shaped(LABEL_KEY, "selector keys must be label keys, such as kubernetes.io/metadata.name")),
]
SelectorValue = Annotated[
    str,
    StringConstraints(max_length=63),
    Rules(shaped(LABEL_VALUE, "selector values must be label values: letters, digits, hyphens, dots and underscores")),
]


class SelectorOperator(enum.StrEnum):
    """How a label is compared."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


class SelectorExpression(Declared):
    """One requirement on the labels of a namespace."""

    key: SelectorKey = Field(description="Label key.")
    operator: SelectorOperator = Field(description="In, NotIn, Exists or DoesNotExist.")
    values: Annotated[tuple[SelectorValue, ...], Field(max_length=32), Unique()] = Field(
        default=(), description="Values for In and NotIn; none with Exists and DoesNotExist."
    )

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "(self.operator in ['In', 'NotIn']) == (has(self.values) && size(self.values) > 0)",
            "matchExpressions[].values must be given with In and NotIn, and left out with Exists and DoesNotExist",
            lambda expression: (expression.operator in ("In", "NotIn")) == bool(expression.values),
        ),
    )


class NamespaceSelector(Declared):
    """Which namespaces are meant, by their labels; all requirements must hold."""

    match_labels: Annotated[dict[SelectorKey, SelectorValue], Field(max_length=16)] = Field(
        default={}, description="Labels that a namespace must bear with exactly these values."
    )
    match_expressions: Annotated[tuple[SelectorExpression, ...], Field(max_length=16)] = Field(
        default=(), description="Further requirements on the labels."
    )

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "(has(self.matchLabels) && size(self.matchLabels) > 0)"
            " || (has(self.matchExpressions) && size(self.matchExpressions) > 0)",
            "allowedNamespaces.selector must have matchLabels or matchExpressions; to allow every namespace write"
            " from: All",
            lambda selector: bool(selector.match_labels or selector.match_expressions),
        ),
    )


class AllowedNamespacesSpec(Declared):
    """Namespaces whose FailoverRecords may use the zone, in the manner of the Gateway API's `allowedRoutes`."""

    source: NamespacesFrom = Field(
        default=NamespacesFrom.SAME,
        alias="from",
        description="Same: the zone's own namespace. All: every namespace. Selector: those that `selector` describes.",
    )
    selector: NamespaceSelector | None = Field(
        default=None, description="Which namespaces; only with `from: Selector`."
    )

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "(self.from == 'Selector') == has(self.selector)",
            "allowedNamespaces.selector must be given with from: Selector, and only then",
            lambda allowed: (allowed.source is NamespacesFrom.SELECTOR) == (allowed.selector is not None),
        ),
    )


Rate = Annotated[
    Number,
    Field(ge=0.01, le=100_000),
    # The API server cuts the fraction off a `minimum` that it compares with a whole number.
    Rules(Rule("self >= 0.01", "budget takes rates from 0.01 to 100000 per second", lambda rate: rate >= 0.01)),
]
SetsPerZone = Annotated[int, Strict(), Field(ge=100, le=10_000_000), WHOLE]
Burst = Annotated[Number, Field(ge=1, le=1_000_000)]


class BudgetSpec(Declared):
    """Own quotas instead of the provider's usual ones. They are shared by all zones of the account."""

    requests_per_second: Rate | None = Field(
        default=None, description="API requests per second, 0.01 to 100000. Without it the provider's limit."
    )
    requests_burst: Burst | None = Field(
        default=None,
        description="API requests that may be sent at once, 1 to 1000000. Without it the provider's limit.",
    )
    changes_per_second: Rate | None = Field(
        default=None, description="Changed record sets per second, 0.01 to 100000. Without it the provider's limit."
    )
    changes_burst: Burst | None = Field(
        default=None,
        description="Record sets that may be changed at once, 1 to 1000000. Without it the provider's limit.",
    )
    sets_per_zone: SetsPerZone | None = Field(
        default=None,
        description="Record sets that the zone may hold, 100 to 10000000, where the provider has raised its quota."
        " Without it the provider's limit.",
    )


class VerificationSpec(Declared):
    """How answers are compared with the plan."""

    name_servers: Annotated[tuple[ServerAddress, ...], Field(min_length=1, max_length=16), Unique()] | None = Field(
        default=None,
        description="Authoritative servers to ask, as `address:port`, IPv6 in brackets. Without it those that the"
        " provider assigned to the zone.",
    )


class SafetySpec(Declared):
    """How much of the zone may change at once. More is held, with the condition Frozen, until it is approved."""

    max_regions_evacuated: Annotated[int, Strict(), Field(ge=1, le=100), WHOLE] = Field(
        default=1,
        description="How many regions may lose all their names within `window` because they fail, 1 to 100: those that"
        " most names have left, counted over all zones. The others together may lose 10 names, or 5 % of all.",
    )
    window: Annotated[
        str, StringConstraints(max_length=MAXIMUM_LENGTH), Rules(*duration_rules("safety.window", "1s", "24h"))
    ] = Field(default="10m", description="How far back the gate counts, 1s to 24h. Default: `10m`.")
    panic_threshold: Annotated[int, Strict(), Field(ge=1, le=100), WHOLE] = Field(
        default=50,
        description="When more than this percentage of all checks turned bad within `window`, 1 to 100, they are"
        " believed only while the operator's reference checks pass. Default: 50.",
    )
    withdrawal: Annotated[int, Strict(), Field(ge=1, le=100), WHOLE] = Field(
        default=25,
        description="Percentage of a record's endpoints that checks may take away within a minute, 1 to 100, and at"
        " least one endpoint, where several serve (MultiValue). Whom all of several vantages call down leaves at once."
        " 100: no limit. Default: 25.",
    )
    frozen: Flag = Field(
        default=False,
        description="true: nothing is changed in the zone; what somebody else changes is put back. Default: `false`.",
    )


PROVIDERS = ("route53", "azureDNS", "googleCloudDNS", "rfc2136")


def _exactly_one(zone: "DNSZoneSpec") -> bool:
    given: list[Any] = [zone.route53, zone.azure_dns, zone.google_cloud_dns, zone.rfc2136]
    return sum(each is not None for each in given) == 1


class DNSZoneSpec(Declared):
    """A zone at one provider account."""

    domain: Annotated[
        str,
        StringConstraints(max_length=LONGEST_DOMAIN),
        Rules(
            *name_rules("domain", single_label=True),
            Rule(
                f"!('.' + self + '.').contains('.{MARKER_LABEL}.')",
                f"domain must not have the label {MARKER_LABEL}, under which Detour keeps its ledgers; write the domain"
                " that the provider hosts",
                lambda name: f".{MARKER_LABEL}." not in f".{name}.",
            ),
        ),
    ] = Field(description="Domain of the zone, lower case, without a trailing dot, at most 181 characters. Immutable.")
    route53: Route53Spec | None = Field(
        default=None, description="The zone is at Amazon Route 53. Give exactly one provider."
    )
    azure_dns: AzureDNSSpec | None = Field(
        default=None, description="The zone is at Azure DNS. Give exactly one provider."
    )
    google_cloud_dns: GoogleCloudDNSSpec | None = Field(
        default=None, description="The zone is at Google Cloud DNS. Give exactly one provider."
    )
    rfc2136: RFC2136Spec | None = Field(
        default=None, description="The zone is at a server that takes dynamic updates. Give exactly one provider."
    )
    credentials_secret_ref: SecretReference | None = Field(
        default=None,
        description="Secret with the credentials, in the zone's namespace. Without it the operator's own workload"
        " identity; required with `rfc2136`.",
    )
    allowed_namespaces: AllowedNamespacesSpec = Field(
        default=AllowedNamespacesSpec.model_validate({}),
        description="Namespaces whose FailoverRecords may use the zone.",
    )
    budget: BudgetSpec | None = Field(default=None, description="Own quotas instead of the provider's usual ones.")
    verification: VerificationSpec | None = Field(default=None, description="How answers are compared with the plan.")
    safety: SafetySpec = Field(
        default=SafetySpec.model_validate({}), description="How much of the zone may change at once."
    )

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.domain == oldSelf.domain",
            "domain is immutable: create another DNSZone for the new domain",
            None,
        ),
        Rule(
            "[" + ", ".join(f"has(self.{provider})" for provider in PROVIDERS) + "].exists_one(x, x)",
            "spec must have exactly one provider: route53, azureDNS, googleCloudDNS or rfc2136",
            _exactly_one,
        ),
        Rule(
            "!has(self.rfc2136) || has(self.credentialsSecretRef)",
            "credentialsSecretRef is required with rfc2136: name the Secret that holds the TSIG key",
            lambda zone: zone.rfc2136 is None or zone.credentials_secret_ref is not None,
        ),
    )
