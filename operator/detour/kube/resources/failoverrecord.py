"""FailoverRecord, as declared: one DNS name, the endpoints that may serve it, and the rules for choosing."""

from typing import Annotated, ClassVar

from pydantic import Field, Strict, StringConstraints

from detour.health.damping import MOST_COUNTED
from detour.kube.resources.durations import MAXIMUM_LENGTH, duration_rules
from detour.kube.resources.healthcheck import HealthCheck
from detour.kube.resources.healthchecks import HealthChecksSpec
from detour.kube.resources.rules import Declared, Rule, Rules, Unique
from detour.kube.resources.values import (
    WHOLE,
    Address,
    Adoption,
    Flag,
    NumberOrShare,
    label_rule,
    name_rules,
    number_or_share_rule,
    object_name_rule,
)
from detour.model.endpoint import AdminState
from detour.model.names import MARKER_LABEL, WILDCARD_IN_MARKER
from detour.model.record import (
    DeletionPolicy,
    FailbackMode,
    Importance,
    Publish,
    RegionFailover,
    Strategy,
    WhenAllUnhealthy,
    WhenNoQuorum,
)

LONGEST_HOSTNAME = 245
"""Octets: the marker `_detour.<hostname>` must fit into the 253 of a DNS name (RFC 1035 §2.3.4)."""
LONGEST_WILDCARD = 242
"""Octets: in the marker of a wildcard `_any` takes the place of `*`."""
MAXIMUM_ENDPOINTS = 64
MAXIMUM_ADDRESSES = 32
MAXIMUM_ZONES = 8

HOSTNAME_RULES = (
    *name_rules("hostname", wildcard=True),
    Rule(
        f"!self.startsWith('*.') || size(self) <= {LONGEST_WILDCARD}",
        f"hostname must have at most {LONGEST_WILDCARD} characters under a wildcard ({LONGEST_HOSTNAME} otherwise), so"
        " that the name of its ownership marker fits into DNS",
        lambda name: not name.startswith("*.") or len(name) <= LONGEST_WILDCARD,
    ),
    Rule(
        f"!('.' + self).contains('.{MARKER_LABEL}.')",
        f"hostname must not have the label {MARKER_LABEL}: Detour keeps its ledgers and ownership markers there;"
        " choose another name",
        lambda name: f".{MARKER_LABEL}." not in "." + name,
    ),
    Rule(
        f"!self.startsWith('{WILDCARD_IN_MARKER}.')",
        f"hostname must not begin with the label {WILDCARD_IN_MARKER}: it stands for * in the names of ownership"
        " markers; choose another name",
        lambda name: not name.startswith(WILDCARD_IN_MARKER + "."),
    ),
)


ZoneNamespace = Annotated[str, StringConstraints(max_length=63), Rules(label_rule("zones[].namespace"))]


class ZoneReference(Declared):
    """A DNSZone that holds the record."""

    name: Annotated[str, StringConstraints(max_length=253), Rules(object_name_rule("zones[].name", "a DNSZone"))] = (
        Field(description="Name of the DNSZone.")
    )
    namespace: ZoneNamespace | None = Field(
        default=None,
        description="Namespace of the DNSZone, which must allow the record's (`allowedNamespaces`). Without it the"
        " record's own.",
    )


EndpointAddresses = Annotated[tuple[Address, ...], Field(min_length=1, max_length=MAXIMUM_ADDRESSES), Unique()]


EndpointHostname = Annotated[str, StringConstraints(max_length=253), Rules(*name_rules("endpoints[].hostname"))]


class EndpointSpec(Declared):
    """One place that can serve the record."""

    name: Annotated[str, StringConstraints(max_length=63), Rules(label_rule("endpoints[].name"))] = Field(
        description="Name of the endpoint, unique within the record: a DNS label such as `virginia`."
    )
    region: Annotated[str, StringConstraints(max_length=63), Rules(label_rule("endpoints[].region"))] = Field(
        description="Failure domain that the endpoint is in, such as `aws-us-east-1`: the name of a CloudRegion, which"
        " may also not exist."
    )
    addresses: EndpointAddresses | None = Field(
        default=None,
        description="IPv4 and IPv6 addresses of the endpoint, 1 to 32 of them. Give addresses or hostname, not both.",
    )
    hostname: EndpointHostname | None = Field(
        default=None,
        description="Host name of the endpoint, such as a load balancer's. With `publish: Address` it is resolved on"
        " its TTL and its addresses are published; with `publish: CNAME` it is the target. Give addresses or hostname,"
        " not both.",
    )
    priority: Annotated[int, Strict(), Field(ge=1, le=1000), WHOLE] = Field(
        default=1,
        description="Tier of the endpoint, 1 to 1000; 1 is tried first, endpoints of one tier serve together."
        " Ignored by the strategy MultiValue.",
    )
    state: AdminState = Field(
        default=AdminState.ACTIVE,
        description="Active, or Drained to take the endpoint out of DNS while it goes on being checked.",
    )
    last_resort: Flag = Field(
        default=False,
        description="true: the endpoint answers only where no other one is fit, such as a page that says sorry. Before"
        " it even those answer that are slow, held down, or in a failing region; after it `whenAllUnhealthy` decides.",
    )

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "has(self.addresses) != has(self.hostname)",
            "endpoints[] must have addresses or hostname, exactly one of the two",
            lambda endpoint: (endpoint.addresses is None) != (endpoint.hostname is None),
        ),
    )


class FailbackSpec(Declared):
    """How a recovered endpoint takes its place again."""

    mode: FailbackMode = Field(
        default=FailbackMode.AUTOMATIC,
        description="Automatic, or Manual to wait for a person's command: the annotation `detour.dev/failback` with a"
        " time or a number that it did not have before.",
    )
    hold_down: Annotated[
        str, StringConstraints(max_length=MAXIMUM_LENGTH), Rules(*duration_rules("failback.holdDown", "0s", "24h"))
    ] = Field(
        default="5m",
        description="How long an endpoint must have been Healthy again before it returns, 0s to 24h. It never delays"
        " a failover.",
    )
    max_changes_per_hour: Annotated[int, Strict()] = Field(
        default=6,
        ge=0,
        le=MOST_COUNTED,
        description="How often an endpoint's verdict may change within an hour, a failure and its recovery being two."
        " After more it waits, when it has lost its place, until they are fewer again, so that an endpoint that comes"
        " and goes does not take its users along each time. Who is needed, because too few others are healthy, does"
        " not wait. 0 for no limit.",
    )


class QuorumSpec(Declared):
    """How many votes of vantages it takes. It matters only where a Vantage is declared."""

    unhealthy: Annotated[NumberOrShare, Rules(number_or_share_rule("unhealthy", "votes"))] | None = Field(
        default=None,
        description="How many votes condemn an endpoint, of all that are declared: a number, or a share such as `60%`."
        " Without it more than half. Who is stale or suspected abstains and counts; without enough votes the verdict"
        " stays. An endpoint is Healthy again once so many say so that the others could not condemn it.",
    )
    when_no_quorum: WhenNoQuorum = Field(
        default=WhenNoQuorum.OWN_VANTAGE,
        description="What decides while the API server is away, so that no other vantage can be heard. OwnVantage: the"
        " operator's own checks alone, while its reference checks pass, as where there is one vantage. Hold: verdicts"
        " stay as they were.",
    )


def _wildcard_has_host(record: "FailoverRecordSpec") -> bool:
    check = record.health_check.https or record.health_check.http
    return check is None or check.host is not None or not record.hostname.startswith("*.")


def _wildcard_has_hosts(record: "FailoverRecordSpec") -> bool:
    more = record.health_checks.checks if record.health_checks is not None else ()
    asked = [check for each in more for check in (each.http, each.https) if check is not None]
    return not record.hostname.startswith("*.") or all(check.host is not None for check in asked)


def _cname(condition: str) -> str:
    return f"self.publish != 'CNAME' || {condition}"


class FailoverRecordSpec(Declared):
    """What people ask of a name."""

    hostname: Annotated[str, StringConstraints(max_length=LONGEST_HOSTNAME), Rules(*HOSTNAME_RULES)] = Field(
        description="DNS name to keep pointing at places that work, lower case, without a trailing dot; `*.` may lead."
        " At most 245 characters, 242 with a wildcard. Immutable."
    )
    zones: Annotated[
        tuple[ZoneReference, ...],
        Field(min_length=1, max_length=MAXIMUM_ZONES),
        Rules(
            Rule(
                "self.all(z, self.exists_one(o, o.name == z.name && (has(o.__namespace__) ? o.__namespace__ : '')"
                " == (has(z.__namespace__) ? z.__namespace__ : '')))",
                "zones must not name one DNSZone twice; keep one of them",
                lambda zones: len({(zone.name, zone.namespace) for zone in zones}) == len(zones),
            )
        ),
    ] = Field(description="DNSZones that hold the record, the same in each; 1 to 8 of them.")
    ttl: Annotated[int, Strict(), Field(ge=5, le=86400), WHOLE] = Field(
        default=30,
        description="How long resolvers may keep an answer, in seconds, 5 to 86400: it bounds how soon clients move.",
    )
    publish: Publish = Field(
        default=Publish.ADDRESS,
        description="Address: A and AAAA records. CNAME: one target; every endpoint is then a hostname, and only the"
        " strategy Priority, minServing 1 and KeepLast go with it. Immutable.",
    )
    endpoints: Annotated[
        tuple[EndpointSpec, ...],
        Field(min_length=1, max_length=MAXIMUM_ENDPOINTS),
        Unique("name"),
        Rules(
            Rule(
                "self.all(e, self.exists_one(o, o.name == e.name))",
                "endpoints must have different names; rename one of them",
                lambda endpoints: len({endpoint.name for endpoint in endpoints}) == len(endpoints),
            )
        ),
    ] = Field(description="Places that can serve the record, 1 to 64 of them.")
    health_check: HealthCheck = Field(description="How each endpoint is checked, and when.")
    health_checks: HealthChecksSpec | None = Field(
        default=None, description="More checks of each endpoint, of which it may be said what each of them means."
    )
    strategy: Strategy = Field(
        default=Strategy.PRIORITY,
        description="Priority: the best tier with healthy endpoints answers. MultiValue: every healthy endpoint does.",
    )
    min_serving: Annotated[int, Strict(), Field(ge=1, le=MAXIMUM_ENDPOINTS), WHOLE] = Field(
        default=1,
        description="With Priority: add the next tier while fewer endpoints than this are healthy. 1 to 64, at most"
        " the number of endpoints.",
    )
    tier_needs: Annotated[NumberOrShare, Rules(number_or_share_rule("tierNeeds", "endpoints"))] | None = Field(
        default=None,
        description="With Priority: how many endpoints of a tier must be fit, a number, or a share such as `50%` of"
        " those that are not drained; else the next tier with so many comes first. Without it one.",
    )
    degraded_ttl: Annotated[int, Strict(), Field(ge=5, le=86400), WHOLE] | None = Field(
        default=None,
        alias="degradedTTL",
        description="The TTL while an endpoint is missing that would answer if all were well, 5 to 86400 and at most"
        " `ttl`, so that the way back, or the next move, is followed sooner. It is written together with the move.",
    )
    when_all_unhealthy: WhenAllUnhealthy = Field(
        default=WhenAllUnhealthy.KEEP_LAST,
        description="KeepLast holds what is published when no endpoint is healthy; ServeAll publishes every endpoint.",
    )
    failback: FailbackSpec = Field(
        default=FailbackSpec.model_validate({}), description="How a recovered endpoint takes its place again."
    )
    deletion_policy: DeletionPolicy = Field(
        default=DeletionPolicy.RETAIN,
        description="What happens in DNS when this object is deleted: Retain leaves the name as it is, Delete removes"
        " it.",
    )
    quorum: QuorumSpec = Field(
        default=QuorumSpec.model_validate({}), description="How many votes of vantages it takes to condemn an endpoint."
    )
    region_failover: RegionFailover = Field(
        default=RegionFailover.FOLLOW,
        description="Follow: leave a region that is failing as a whole, by its canaries, where another endpoint is fit,"
        " also while the endpoints there answer. Ignore: go by the endpoints alone.",
    )
    importance: Importance = Field(
        default=Importance.NORMAL,
        description="Whose names are written first while a quota of the provider's makes names wait: High, Normal or"
        " Low. Among equals the namespaces take turns.",
    )
    progress_deadline: Annotated[
        str, StringConstraints(max_length=MAXIMUM_LENGTH), Rules(*duration_rules("progressDeadline", "1m", "24h"))
    ] = Field(
        default="10m",
        description="How long the record may be on its way, or fail for a reason that may pass, before its condition"
        " Reconciling becomes Stalled, 1m to 24h: so long do tools that deploy it wait. It is tried on after that.",
    )
    suspend: Flag = Field(default=False, description="true: go on deciding and reporting, but write nothing to DNS.")
    adopt: Adoption = Field(
        default=False,
        description="true: take over a name that already exists in a zone without an owner, once an endpoint is"
        " healthy. It never overrides another owner. {from: external-dns} also takes over what external-dns owns: its"
        " TXT record goes in the same change. What the name had before stands in status.history, and can be pinned.",
    )

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.hostname == oldSelf.hostname",
            "hostname is immutable: create another FailoverRecord for the new name, then delete this one",
            None,
        ),
        Rule(
            "self.publish == oldSelf.publish",
            "publish is immutable: no provider can swap addresses and a CNAME without a gap; create another"
            " FailoverRecord for another name",
            None,
        ),
        Rule(
            _cname("self.endpoints.all(e, has(e.hostname))"),
            "endpoints must all have a hostname with publish: CNAME; use publish: Address for addresses",
            lambda record: record.publish is not Publish.CNAME or all(e.hostname for e in record.endpoints),
        ),
        Rule(
            _cname("self.strategy == 'Priority'"),
            "strategy must be Priority with publish: CNAME, as a CNAME has one target",
            lambda record: record.publish is not Publish.CNAME or record.strategy is Strategy.PRIORITY,
        ),
        Rule(
            _cname("self.minServing == 1"),
            "minServing must be 1 with publish: CNAME, as a CNAME has one target",
            lambda record: record.publish is not Publish.CNAME or record.min_serving == 1,
        ),
        Rule(
            _cname("self.whenAllUnhealthy == 'KeepLast'"),
            "whenAllUnhealthy must be KeepLast with publish: CNAME, as a CNAME has one target",
            lambda record: (
                record.publish is not Publish.CNAME or record.when_all_unhealthy is WhenAllUnhealthy.KEEP_LAST
            ),
        ),
        Rule(
            "!has(self.degradedTTL) || self.degradedTTL <= self.ttl",
            "degradedTTL must not be larger than ttl (by default 30): while something fails resolvers must ask sooner",
            lambda record: record.degraded_ttl is None or record.degraded_ttl <= record.ttl,
        ),
        Rule(
            "!self.endpoints.all(e, has(e.lastResort) && e.lastResort)",
            "endpoints must not all be lastResort: one at least must be there for the usual case",
            lambda record: not all(each.last_resort for each in record.endpoints),
        ),
        Rule(
            "self.minServing <= size(self.endpoints)",
            "minServing must not be larger than the number of endpoints",
            lambda record: record.min_serving <= len(record.endpoints),
        ),
        Rule(
            "self.endpoints.all(e, !has(e.hostname) || e.hostname != self.hostname)",
            "endpoints[].hostname must not be the record's own hostname: the name would point at itself; write the"
            " name of the load balancer or host",
            lambda record: all(e.hostname != record.hostname for e in record.endpoints),
        ),
        Rule(
            "!self.hostname.startsWith('*.') || ((!has(self.healthCheck.http) || has(self.healthCheck.http.host))"
            " && (!has(self.healthCheck.https) || has(self.healthCheck.https.host)))",
            "healthCheck.http.host (or https.host) is required with a wildcard hostname: write the name to ask for,"
            " such as www.example.com",
            _wildcard_has_host,
        ),
        Rule(
            "!self.hostname.startsWith('*.') || !has(self.healthChecks) || self.healthChecks.checks.all(c,"
            " (!has(c.http) || has(c.http.host)) && (!has(c.https) || has(c.https.host)))",
            "http.host (or https.host) of each of healthChecks.checks is required with a wildcard hostname: write the"
            " name to ask for, such as www.example.com",
            _wildcard_has_hosts,
        ),
    )
