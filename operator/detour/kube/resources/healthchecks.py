"""The `healthChecks` of a FailoverRecord: named checks beside the first, and verdicts that are made elsewhere."""

from typing import Annotated, ClassVar

from pydantic import Field, Strict, StringConstraints

from detour.kube.resources.cloudregion import Bound
from detour.kube.resources.probes import DNSCheck, HTTPCheck, PublicHTTPSCheck, TCPCheck
from detour.kube.resources.rules import Declared, Rule, Rules, Unique, shaped
from detour.kube.resources.values import WHOLE, label_rule
from detour.model.checks import CheckRole

MOST_CHECKS = 8
KINDS = ("http", "https", "tcp", "dns", "prometheus", "external")


class PrometheusCheckSpec(Declared):
    """A query whose values must not be beyond a bound."""

    server: Annotated[str, StringConstraints(max_length=63), Rules(label_rule("prometheus.server"))] = Field(
        description="Which of the Prometheus servers that the chart's `prometheusServers` declare. That says which"
        " namespaces may ask it, and which labels each selector of a query must have."
    )
    query: Annotated[str, StringConstraints(min_length=1, max_length=1000)] = Field(
        description="A query in PromQL that gives a number, or several; `$endpoint` and `$region` stand for the names"
        " of the endpoint and of its region. One without any value tells nothing."
    )
    above: Bound | None = Field(
        default=None, description="The check fails while any value is above this. Give `above` or `below`."
    )
    below: Bound | None = Field(default=None, description="The check fails while any value is below this.")

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "has(self.above) != has(self.below)",
            "prometheus needs just one of above and below",
            lambda query: (query.above is None) is not (query.below is None),
        ),
    )


class ExternalCheckSpec(Declared):
    """A verdict that a program of yours writes."""

    name: Annotated[
        str,
        StringConstraints(max_length=253),
        Rules(
            shaped(
                "[a-z0-9$]([a-z0-9.$-]*[a-z0-9])?",
                "external.name must be the name of an ExternalVerdict, such as checkout-$endpoint",
            )
        ),
    ] = Field(
        description="Name of an ExternalVerdict in the record's namespace; `$endpoint` and `$region` stand for the"
        " names of the endpoint and of its region."
    )


class NamedCheckSpec(Declared):
    """One more check of each endpoint. Times, `fall` and `rise` are those of `healthCheck`."""

    name: Annotated[str, StringConstraints(max_length=63), Rules(label_rule("healthChecks.checks[].name"))] = Field(
        description="What it is called in status: a DNS label, unique within the record, such as `gateway`."
    )
    role: CheckRole = Field(
        default=CheckRole.REQUIRED,
        description="Required: it must pass. Counted: `atLeast` so many of those must. Observed: it is shown in status,"
        " and decides nothing.",
    )
    http: HTTPCheck | None = Field(
        default=None, description="Check over HTTP. Give exactly one of http, https, tcp, dns, prometheus and external."
    )
    https: PublicHTTPSCheck | None = Field(
        default=None, description="Check over HTTPS, with the system's certificate authorities."
    )
    tcp: TCPCheck | None = Field(default=None, description="Check that a TCP connection opens.")
    dns: DNSCheck | None = Field(default=None, description="Check that the endpoint answers as a DNS server.")
    prometheus: PrometheusCheckSpec | None = Field(
        default=None, description="Ask a Prometheus server; the operator alone does, not other vantages."
    )
    external: ExternalCheckSpec | None = Field(
        default=None, description="Go by the verdict of an ExternalVerdict; the operator alone reads it."
    )

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            f"[{', '.join(f'has(self.{each})' for each in KINDS)}].filter(x, x).size() == 1",
            "healthChecks.checks[] must have exactly one of http, https, tcp, dns, prometheus and external",
            lambda check: sum(getattr(check, each) is not None for each in KINDS) == 1,
        ),
    )


class HealthChecksSpec(Declared):
    """More checks of each endpoint, beside `healthCheck`, which must pass."""

    checks: Annotated[
        tuple[NamedCheckSpec, ...],
        Field(min_length=1, max_length=MOST_CHECKS),
        Unique("name"),
        Rules(
            Rule(
                "self.all(e, self.exists_one(o, o.name == e.name))",
                "healthChecks.checks must have different names; rename one of them",
                lambda checks: len({each.name for each in checks}) == len(checks),
            )
        ),
    ] = Field(description="The checks, 1 to 8 of them.")
    at_least: Annotated[int, Strict(), Field(ge=1, le=MOST_CHECKS), WHOLE] = Field(
        default=1, description="How many of the counted checks must pass, 1 to 8, at most as many as there are."
    )

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.atLeast == 1 || self.atLeast <= self.checks.filter(c, has(c.role) && c.role == 'Counted').size()",
            "healthChecks.atLeast must not be more than there are checks with role: Counted",
            lambda more: (
                more.at_least == 1 or more.at_least <= sum(each.role is CheckRole.COUNTED for each in more.checks)
            ),
        ),
    )
