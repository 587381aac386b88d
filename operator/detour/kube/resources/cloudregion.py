"""CloudRegion: a failure domain of a cloud, which people can take out of service as a whole."""

import enum
from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field, Strict, StringConstraints

from detour.health.regions import RegionPhase
from detour.health.signals import FEED, REPORTS, SignalState
from detour.kube.resources.conditions import Conditions, LastIncident, Time
from detour.kube.resources.durations import MAXIMUM_LENGTH, duration_rules, seconds
from detour.kube.resources.probes import HTTPCheck, PublicHTTPSCheck, TCPCheck
from detour.kube.resources.rules import Declared, Reported, Rule, Rules, Unique, shaped
from detour.kube.resources.values import (
    WHOLE,
    Flag,
    Integer,
    NumberOrShare,
    decimal,
    label_rule,
    name_rules,
    number_or_share_rule,
)
from detour.model.endpoint import AdminState
from detour.model.health import Verdict
from detour.model.region import SafetyRule

MOST_CANARIES = 8
MOST_STAYING = 10
MOST_QUERIES = 4

LARGEST = 1e15
Bound = Annotated[float, Strict(), Field(ge=-LARGEST, le=LARGEST, allow_inf_nan=False), BeforeValidator(decimal)]
"""What the value of a query is compared with."""


class Cloud(enum.StrEnum):
    """Whose region it is."""

    AWS = "AWS"
    AZURE = "Azure"
    GOOGLE = "Google"
    OTHER = "Other"


class CanarySpec(Declared):
    """A check of the region itself: a name of the cloud's there must lead to addresses, of which one must answer."""

    name: Annotated[str, StringConstraints(max_length=63), Rules(label_rule("canaries[].name"))] = Field(
        description="What it is called in status, unique within the region: a DNS label such as `dynamodb`."
    )
    hostname: Annotated[str, StringConstraints(max_length=253), Rules(*name_rules("canaries[].hostname"))] = Field(
        description="The cloud's own name, such as `dynamodb.us-east-1.amazonaws.com`."
    )
    min_addresses: Annotated[int, Strict(), Field(ge=1, le=100), WHOLE] = Field(
        default=1, description="How many addresses the name must lead to at least, 1 to 100."
    )
    tcp: TCPCheck | None = Field(
        default=None,
        description="Check that a TCP connection opens. Give at most one of tcp, http and https; without any it is TCP"
        " to port 443.",
    )
    http: HTTPCheck | None = Field(default=None, description="Check over HTTP.")
    https: PublicHTTPSCheck | None = Field(
        default=None, description="Check over HTTPS, with the system's certificate authorities."
    )

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "[has(self.tcp), has(self.http), has(self.https)].filter(x, x).size() <= 1",
            "canaries[] must have at most one of tcp, http and https",
            lambda canary: sum(each is not None for each in (canary.tcp, canary.http, canary.https)) <= 1,
        ),
    )


class CanaryTimingSpec(Declared):
    """When canaries are checked, and how many results in a row decide."""

    interval: Annotated[
        str, StringConstraints(max_length=MAXIMUM_LENGTH), Rules(*duration_rules("canaryTiming.interval", "1s", "1h"))
    ] = Field(default="15s", description="Time from one check to the next while the verdict is settled, 1s to 1h.")
    recheck_interval: Annotated[
        str,
        StringConstraints(max_length=MAXIMUM_LENGTH),
        Rules(*duration_rules("canaryTiming.recheckInterval", "100ms", "1h")),
    ] = Field(default="5s", description="Time from one check to the next while the verdict is in question.")
    timeout: Annotated[
        str,
        StringConstraints(max_length=MAXIMUM_LENGTH),
        Rules(*duration_rules("canaryTiming.timeout", "100ms", "60s")),
    ] = Field(default="5s", description="Deadline of one whole check, 100ms to 60s, shorter than `interval`.")
    fall: Annotated[int, Strict(), Field(ge=1, le=10), WHOLE] = Field(
        default=3, description="How many failures in a row make a canary Unhealthy, 1 to 10."
    )
    rise: Annotated[int, Strict(), Field(ge=1, le=10), WHOLE] = Field(
        default=3, description="How many successes in a row make it Healthy again, 1 to 10."
    )

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "duration(self.timeout) < duration(self.interval)",
            "canaryTiming.timeout must be shorter than canaryTiming.interval (by default 5s and 15s)",
            lambda timing: seconds(timing.timeout) < seconds(timing.interval),
        ),
        Rule(
            "duration(self.recheckInterval) <= duration(self.interval)",
            "canaryTiming.recheckInterval must not be longer than canaryTiming.interval (by default 5s and 15s)",
            lambda timing: seconds(timing.recheck_interval) <= seconds(timing.interval),
        ),
    )


class EndpointEvidence(enum.StrEnum):
    """What the endpoints of a region alone can make of it."""

    SUSPECT = "Suspect"
    FAILING = "Failing"


class FailingSpec(Declared):
    """When the region counts as failing, so that its endpoints leave DNS where others are fit."""

    canaries: Annotated[NumberOrShare, Rules(number_or_share_rule("failing.canaries", "canaries"))] | None = Field(
        default=None,
        description="How many canaries must fail, a number or a share such as `60%`. Without it more than half.",
    )
    after: Annotated[
        str, StringConstraints(max_length=MAXIMUM_LENGTH), Rules(*duration_rules("failing.after", "0s", "1h"))
    ] = Field(default="1m", description="For how long so many must fail, 0s to 1h; until then the region is Suspect.")
    hold_down: Annotated[
        str, StringConstraints(max_length=MAXIMUM_LENGTH), Rules(*duration_rules("failing.holdDown", "0s", "24h"))
    ] = Field(
        default="10m",
        description="For how long enough canaries must pass again before the endpoints come back, 0s to 24h.",
    )
    endpoints_alone: EndpointEvidence = Field(
        default=EndpointEvidence.SUSPECT,
        description="What the failures of endpoints alone can make of the region. Suspect: nothing moves by that."
        " Failing: they count like canaries. Each namespace with endpoints there that ever worked has one vote.",
    )


class UserReportsSpec(Declared):
    """When what users report is a signal."""

    times: Annotated[float, Strict(), Field(ge=1, le=1000, allow_inf_nan=False), BeforeValidator(decimal)] = Field(
        default=3.0,
        description="How many times as many reports as are usual at that hour of the week (the median of the past four"
        " weeks) there must be, 1 to 1000.",
    )
    clients: Annotated[int, Strict(), Field(ge=1, le=10000), WHOLE] = Field(
        default=10, description="From how many different clients, within five minutes, 1 to 10000."
    )
    for_: Annotated[
        str,
        StringConstraints(max_length=MAXIMUM_LENGTH),
        Rules(*duration_rules("signals.userReports.for", "0s", "1h")),
    ] = Field(default="2m", alias="for", description="For how long, 0s to 1h.")


class PrometheusSignalSpec(Declared):
    """A query whose values are a signal while one of them is beyond a bound."""

    name: Annotated[str, StringConstraints(max_length=63), Rules(label_rule("signals.prometheus[].name"))] = Field(
        description="What it is called in status: a DNS label, unique within the region, such as `checkout-errors`."
    )
    server: Annotated[str, StringConstraints(max_length=63), Rules(label_rule("signals.prometheus[].server"))] = Field(
        description="Which of the Prometheus servers that the chart's `prometheusServers` declare."
    )
    query: Annotated[str, StringConstraints(min_length=1, max_length=1000)] = Field(
        description="A query in PromQL that gives a number, or several. One without any value is no signal."
    )
    above: Bound | None = Field(
        default=None, description="The signal stands while any value is above this. Give `above` or `below`."
    )
    below: Bound | None = Field(default=None, description="The signal stands while any value is below this.")
    for_: Annotated[
        str,
        StringConstraints(max_length=MAXIMUM_LENGTH),
        Rules(*duration_rules("signals.prometheus[].for", "0s", "1h")),
    ] = Field(default="1m", alias="for", description="For how long it must be, 0s to 1h.")

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "has(self.above) != has(self.below)",
            "signals.prometheus[] needs just one of above and below",
            lambda query: (query.above is None) is not (query.below is None),
        ),
        Rule(
            f"!(self.name in ['{FEED}', '{REPORTS}'])",
            f"signals.prometheus[].name must not be {FEED} or {REPORTS}, which are names of other signals",
            lambda query: query.name not in (FEED, REPORTS),
        ),
    )


class SignalledSpec(Declared):
    """What is enough while a signal stands, as far as it is less than what `failing` asks for."""

    canaries: Annotated[NumberOrShare, Rules(number_or_share_rule("signals.failing.canaries", "canaries"))] = Field(
        default=1, description="How many canaries must fail, a number or a share such as `60%`."
    )
    after: Annotated[
        str, StringConstraints(max_length=MAXIMUM_LENGTH), Rules(*duration_rules("signals.failing.after", "0s", "1h"))
    ] = Field(default="30s", description="For how long so many must fail, 0s to 1h.")
    endpoints_alone: EndpointEvidence = Field(
        default=EndpointEvidence.SUSPECT,
        description="What the failures of endpoints alone can make of the region then. Failing: they count like"
        " canaries.",
    )


class SignalsSpec(Declared):
    """Hints from outside that the region is in trouble. They move nothing; they make Detour look harder."""

    status_feed: Flag = Field(
        default=False,
        description="true: what the cloud's own status page says of this region. AWS and Google name their regions;"
        " Azure does not, so what it says only makes checks more frequent.",
    )
    user_reports: UserReportsSpec | None = Field(
        default=None,
        description="What users report of names that lead to this region. Needs `userReports.enabled` of the chart.",
    )
    prometheus: Annotated[
        tuple[PrometheusSignalSpec, ...],
        Field(max_length=MOST_QUERIES),
        Unique("name"),
        Rules(
            Rule(
                "self.all(e, self.exists_one(o, o.name == e.name))",
                "signals.prometheus must have different names; rename one of them",
                lambda queries: len({each.name for each in queries}) == len(queries),
            )
        ),
    ] = Field(default=(), description="Queries to Prometheus, at most 4.")
    failing: SignalledSpec = Field(
        default=SignalledSpec.model_validate({}),
        description="What is enough for the region to fail while a signal stands; without one it is `failing`.",
    )


class CloudRegionSpec(Declared):
    """What people say of a region, and ask of it."""

    cloud: Cloud = Field(description="Whose region it is: AWS, Azure, Google or Other.")
    location: Annotated[
        str,
        StringConstraints(max_length=63),
        Rules(
            shaped(
                "[a-z0-9]([a-z0-9-]*[a-z0-9])?",
                "location must be the cloud's own name of the region, in lower case, such as us-east-1, westeurope or"
                " europe-west3",
            )
        ),
    ] = Field(description="The cloud's own name of the region, such as `us-east-1`, `westeurope` or `europe-west3`.")
    state: AdminState = Field(
        default=AdminState.ACTIVE, description="Active, or Drained to take all endpoints of the region out of DNS."
    )
    until: Annotated[Time, StringConstraints(max_length=64)] | None = Field(
        default=None,
        description="When a drain ends by itself, an RFC 3339 time such as `2026-11-30T18:00:00Z`. Without it a drain"
        " lasts until `state` is changed. A drain that is over stays over. Only with `state: Drained`.",
    )
    reason: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = Field(
        default=None,
        description="Why the region is drained, for whoever looks later. Only with `state: Drained`.",
    )

    set_aside: Annotated[tuple[SafetyRule, ...], Field(max_length=1), Unique()] = Field(
        default=(),
        description="Rules that the drain sets aside. MinRegionsInService: it is followed also where fewer regions stay"
        " in service than the installation asks for. Only with `state: Drained`.",
    )
    canaries: Annotated[
        tuple[CanarySpec, ...],
        Field(max_length=MOST_CANARIES),
        Unique("name"),
        Rules(
            Rule(
                "self.all(e, self.exists_one(o, o.name == e.name))",
                "canaries must have different names; rename one of them",
                lambda canaries: len({each.name for each in canaries}) == len(canaries),
            )
        ),
    ] = Field(
        default=(),
        description="Checks of the region itself, at most 8: they tell that it is failing while its endpoints still"
        " answer. Without any nothing moves because of the region.",
    )
    canary_timing: CanaryTimingSpec = Field(
        default=CanaryTimingSpec.model_validate({}), description="When canaries are checked."
    )
    failing: FailingSpec = Field(
        default=FailingSpec.model_validate({}), description="When the region counts as failing, and when it is back."
    )
    signals: SignalsSpec = Field(
        default=SignalsSpec.model_validate({}),
        description="Hints from outside. While one stands the region's checks are made at their recheck interval, for"
        " half an hour at most, and less is enough for it to fail; a hint alone moves nothing.",
    )

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.state == 'Drained' || !has(self.setAside) || size(self.setAside) == 0",
            "setAside has rules that a drain sets aside: give it only with state: Drained, or remove it",
            lambda region: region.state is AdminState.DRAINED or not region.set_aside,
        ),
        Rule(
            "self.state == 'Drained' || !has(self.until)",
            "until is the end of a drain: give it only with state: Drained, or remove it",
            lambda region: region.state is AdminState.DRAINED or region.until is None,
        ),
        Rule(
            "self.state == 'Drained' || !has(self.reason)",
            "reason is why a region is drained: give it only with state: Drained, or remove it",
            lambda region: region.state is AdminState.DRAINED or region.reason is None,
        ),
        Rule(
            "self.cloud != 'Other' || !has(self.signals) || !has(self.signals.statusFeed) || !self.signals.statusFeed",
            "signals.statusFeed is for AWS, Azure and Google: of other clouds no status page is known",
            lambda region: region.cloud is not Cloud.OTHER or not region.signals.status_feed,
        ),
    )


class CanaryStatus(Reported):
    """What is believed of one canary."""

    name: str | None = Field(default=None, description="Its name.")
    verdict: Verdict | None = Field(default=None, description="Healthy, Unhealthy or Unknown.")
    message: str | None = Field(default=None, description="Why, where it is not Healthy.")
    has_passed: bool | None = Field(
        default=None, description="true: it has passed once. One that never has condemns no region when it fails."
    )


class SignalStatus(Reported):
    """What one source outside says of the region."""

    name: str | None = Field(default=None, description=f"`{FEED}`, `{REPORTS}`, or the name of a query to Prometheus.")
    state: SignalState | None = Field(
        default=None, description="Standing: it says that something is wrong; Quiet; Unknown: it could not be read."
    )
    since: Time | None = Field(default=None, description="When that began.")
    message: str | None = Field(default=None, description="What it says, or why nothing is known.")
    low_confidence: bool | None = Field(
        default=None, description="true: it only seems to mean this region, so it makes checks more frequent, no more."
    )


class ReportsOfWeek(Reported):
    """What users reported in the hours of one week."""

    week: Time | None = Field(default=None, description="When the week began, on Monday.")
    hours: str | None = Field(
        default=None, description="The reports of each hour from then, separated by spaces; - where nobody listened."
    )


class EndpointCounts(Reported):
    """The region's endpoints, over all records."""

    total: Integer = Field(default=0, description="How many there are.")
    healthy: Integer = Field(default=0, description="How many of them are Healthy.")
    unhealthy: Integer = Field(default=0, description="How many of them are Unhealthy.")
    unknown: Integer = Field(default=0, description="How many of them are Unknown.")


class CloudRegionStatus(Reported):
    """What Detour says of a region."""

    observed_generation: Integer | None = Field(
        default=None, description="The `metadata.generation` that this status speaks of."
    )
    phase: RegionPhase | None = Field(
        default=None,
        description="Healthy; Suspect: something fails, nothing moves by that; Failing: its endpoints leave where"
        " others are fit; Recovering: it works again, and its endpoints are still out; Drained; Unknown: as it was.",
    )
    endpoints_out: bool | None = Field(
        default=None, description="true: its endpoints are out of DNS, where others are fit, because the region fails."
    )
    failed_by_signal: bool | None = Field(
        default=None,
        description="true: it failed by what is enough while a signal stands; as much must be well again before it is"
        " back.",
    )
    since: Time | None = Field(default=None, description="When the phase began.")
    reason: str | None = Field(default=None, description="Why, as one CamelCase word.")
    message: str | None = Field(default=None, description="Why, as a sentence.")
    endpoints: EndpointCounts | None = Field(default=None, description="The region's endpoints, over all records.")
    records: Integer | None = Field(default=None, description="Records that answer with endpoints of the region.")
    staying: Annotated[tuple[str, ...], Field(max_length=MOST_STAYING)] = Field(
        default=(),
        description="The first of the records that answer from the region though it is drained or failing, as none of"
        " their other endpoints is fit: namespace and name.",
    )
    canaries: tuple[CanaryStatus, ...] = Field(default=(), description="What is believed of the canaries.")
    signals: tuple[SignalStatus, ...] = Field(default=(), description="What sources outside say of the region.")
    closer_look_until: Time | None = Field(
        default=None,
        description="Until when the region's checks are made at their recheck interval at the latest, as a signal"
        " stands.",
    )
    reports_by_hour: tuple[ReportsOfWeek, ...] = Field(
        default=(), description="What users reported in the last weeks: what is usual at an hour is told by that."
    )
    drain_ended: Time | None = Field(
        default=None,
        description="The `until` of a drain that is over. It stays over, also where the clock is set back: for another"
        " one give another `until`.",
    )
    last_incident: LastIncident = None
    conditions: Conditions = Field(default=(), description="Healthy, and Warning where there is something to warn of.")
