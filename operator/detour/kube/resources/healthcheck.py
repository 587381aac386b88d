"""The `healthCheck` of a FailoverRecord: exactly one of http, https, tcp and dns, and when it runs."""

from typing import Annotated, ClassVar

from pydantic import Field, Strict, StringConstraints

from detour.kube.resources.conditions import Time
from detour.kube.resources.durations import MAXIMUM_LENGTH, duration_rules, seconds
from detour.kube.resources.probes import CABundleReference, DNSCheck, HTTPCheck, HTTPSCheck, TCPCheck
from detour.kube.resources.rules import Declared, Rule, Rules
from detour.kube.resources.values import WHOLE


def _exactly_one(check: "HealthCheck") -> bool:
    return sum(kind is not None for kind in (check.http, check.https, check.tcp, check.dns)) == 1


class LatencySpec(Declared):
    """When an endpoint that passes its checks counts as slow."""

    above: Annotated[
        str, StringConstraints(max_length=MAXIMUM_LENGTH), Rules(*duration_rules("latency.above", "1ms", "60s"))
    ] = Field(description="What each check must take longer than, 1ms to 60s, as seen by the operator.")
    lasting: Annotated[
        str, StringConstraints(max_length=MAXIMUM_LENGTH), Rules(*duration_rules("latency.for", "1s", "1h"))
    ] = Field(
        default="1m",
        alias="for",
        description="For how long all checks that pass must take longer, and for how long none must before it counts as"
        " fast again, 1s to 1h. It then returns after its hold-down.",
    )


class HealthCheck(Declared):
    """How each endpoint is checked, and when."""

    http: HTTPCheck | None = Field(
        default=None, description="Check over HTTP. Give exactly one of http, https, tcp and dns."
    )
    https: HTTPSCheck | None = Field(
        default=None, description="Check over HTTPS. Give exactly one of http, https, tcp and dns."
    )
    tcp: TCPCheck | None = Field(
        default=None, description="Check that a TCP connection opens. Give exactly one of http, https, tcp and dns."
    )
    dns: DNSCheck | None = Field(
        default=None,
        description="Check that the endpoint answers as a DNS server. Give exactly one of http, https, tcp and dns.",
    )
    interval: Annotated[
        str, StringConstraints(max_length=MAXIMUM_LENGTH), Rules(*duration_rules("interval", "1s", "1h"))
    ] = Field(default="10s", description="Time from one check to the next while the verdict is settled, 1s to 1h.")
    recheck_interval: Annotated[
        str, StringConstraints(max_length=MAXIMUM_LENGTH), Rules(*duration_rules("recheckInterval", "100ms", "1h"))
    ] = Field(
        default="1s",
        description="Time from one check to the next while the verdict is in question, from the first contrary result"
        " on; 100ms to 1h, at most `interval`.",
    )
    timeout: Annotated[
        str, StringConstraints(max_length=MAXIMUM_LENGTH), Rules(*duration_rules("timeout", "100ms", "60s"))
    ] = Field(
        default="2s",
        description="Deadline of one whole check (connection, TLS and answer together), 100ms to 60s, shorter than"
        " `interval`.",
    )
    fall: Annotated[int, Strict(), Field(ge=1, le=10), WHOLE] = Field(
        default=3, description="How many failures in a row make an endpoint Unhealthy, 1 to 10."
    )
    rise: Annotated[int, Strict(), Field(ge=1, le=10), WHOLE] = Field(
        default=3, description="How many successes in a row make an endpoint Healthy, 1 to 10."
    )
    latency: LatencySpec | None = Field(
        default=None,
        description="When an endpoint that passes counts as slow: others who are fit then answer in its place.",
    )
    paused_until: Annotated[Time, StringConstraints(max_length=64)] | None = Field(
        default=None,
        description="Until when checks that fail count for nothing, an RFC 3339 time such as `2026-11-30T18:00:00Z`:"
        " for maintenance that breaks the checks and not the service. Who fails until then keeps its place and gains"
        " none; drains, pins and checks that pass count as ever.",
    )

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "[has(self.http), has(self.https), has(self.tcp), has(self.dns)].exists_one(x, x)",
            "healthCheck must have exactly one of http, https, tcp and dns",
            _exactly_one,
        ),
        Rule(
            "duration(self.timeout) < duration(self.interval)",
            "healthCheck.timeout must be shorter than healthCheck.interval (by default 2s and 10s): checks of one"
            " target never overlap",
            lambda check: seconds(check.timeout) < seconds(check.interval),
        ),
        Rule(
            "!has(self.latency) || duration(self.latency.above) < duration(self.timeout)",
            "healthCheck.latency.above must be shorter than healthCheck.timeout (by default 2s), as what takes longer"
            " fails",
            lambda check: check.latency is None or seconds(check.latency.above) < seconds(check.timeout),
        ),
        Rule(
            "duration(self.recheckInterval) <= duration(self.interval)",
            "healthCheck.recheckInterval must not be longer than healthCheck.interval (by default 1s and 10s)",
            lambda check: seconds(check.recheck_interval) <= seconds(check.interval),
        ),
    )

    def bundle_reference(self) -> CABundleReference | None:
        """Return where the check's own certificate authorities are, None for the system's."""
        return None if self.https is None else self.https.ca_bundle_ref
