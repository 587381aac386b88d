"""From raw Kubernetes objects to the model's frozen values.

The API server has checked an object against the CRD when it was written. It may have been another version's CRD, or
somebody edited etcd. So everything is checked again here, with the same models, and an object that cannot be
translated becomes a `DeclarationError` whose sentence goes into a condition: never another exception, and never a
half-read record.
"""

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from detour.kube.annotations import (
    APPROVE_ANNOTATION,
    FAILBACK_ANNOTATION,
    TAKE_OVER_ANNOTATION,
    is_due,
)
from detour.kube.resources.cloudregion import (
    CanarySpec,
    CanaryTimingSpec,
    CloudRegionSpec,
    EndpointEvidence,
    FailingSpec,
    SignalledSpec,
    SignalsSpec,
)
from detour.kube.resources.dnszone import AllowedNamespacesSpec, BudgetSpec, DNSZoneSpec, SafetySpec
from detour.kube.resources.durations import seconds
from detour.kube.resources.externalverdict import ExternalVerdictSpec
from detour.kube.resources.failoverrecord import EndpointSpec, FailoverRecordSpec, QuorumSpec
from detour.kube.resources.healthcheck import HealthCheck
from detour.kube.resources.healthchecks import HealthChecksSpec, NamedCheckSpec
from detour.kube.resources.memory import memory_in
from detour.kube.resources.override import ClusterOverrideSpec, OverrideSpec
from detour.kube.resources.probes import DNSCheck, HTTPCheck, HTTPSCheck, PublicHTTPSCheck
from detour.kube.resources.rules import RULE_BROKEN, Declared
from detour.kube.resources.vantage import VantageSpec
from detour.model import checks
from detour.model.cabundle import UnreadableBundleError, certificates
from detour.model.endpoint import Endpoint
from detour.model.external import ExternalVerdict
from detour.model.memory import EndpointMemory, HistoryMemory, RecordMemory, ZoneMemory
from detour.model.overrides import Action, Override
from detour.model.record import Failback, ObjectKey, Quorum, Record, TierNeeds
from detour.model.region import Canary, FailingRules, Region, SignalledRules
from detour.model.shared import shared
from detour.model.signals import QueryRules, QuerySource, ReportRules, SignalRules
from detour.model.timestamps import parse_time
from detour.model.vantage import Vantage
from detour.model.zone import (
    AllowedNamespaces,
    AzureDNSSettings,
    BudgetOverride,
    GoogleCloudDNSSettings,
    LabelRequirement,
    ProviderSettings,
    RFC2136Settings,
    Route53Settings,
    Safety,
    Zone,
)

__all__ = [
    "DeclarationError",
    "EndpointMemory",
    "HistoryMemory",
    "RecordMemory",
    "ZoneMemory",
    "ca_bundle_reference",
    "external_verdict_from",
    "override_from",
    "record_from",
    "record_memory",
    "region_from",
    "vantage_from",
    "without_ca_bundle",
    "zone_from",
]

ERRORS_SHOWN = 3
HTTPS_PORT = 443

Spec = TypeVar("Spec", bound=Declared)


class DeclarationError(ValueError):
    """An object cannot be translated. The text is for people: which field, which rule, what to write instead."""


class _Identity(NamedTuple):
    namespace: str
    name: str
    uid: str
    generation: int
    created: float
    annotations: Mapping[str, Any]

    @property
    def key(self) -> ObjectKey:
        return ObjectKey(self.namespace, self.name)


def record_from(item: Mapping[str, Any], ca_bundle: str | None) -> Record:
    """Return the FailoverRecord `item` as the model has it.

    `ca_bundle` is the PEM text that `ca_bundle_reference` leads to, None where there is no such reference.
    Raises DeclarationError, also where a referenced bundle is missing or is no PEM text.
    """
    identity = _identity(item, namespaced=True)
    spec = _parsed(FailoverRecordSpec, item.get("spec"))
    zones = tuple(ObjectKey(zone.namespace or identity.namespace, zone.name) for zone in spec.zones)
    if len(set(zones)) < len(zones):
        raise DeclarationError(
            f"spec.zones: names one DNSZone twice, as {identity.namespace} is the record's own namespace; keep one"
        )
    check = spec.health_check
    return Record(
        key=identity.key,
        uid=identity.uid,
        created=identity.created,
        generation=identity.generation,
        hostname=spec.hostname,
        zones=shared(zones),
        ttl=spec.ttl,
        publish=spec.publish,
        endpoints=shared(tuple(_endpoint(each) for each in spec.endpoints)),
        probe=shared(_probe(check, spec.hostname, ca_bundle)),
        timing=shared(
            replace(
                _timing(check),
                slow_above=seconds(check.latency.above) if check.latency is not None else None,
                slow_for=seconds(check.latency.lasting) if check.latency is not None else checks.USUALLY_SLOW_FOR,
            )
        ),
        strategy=spec.strategy,
        minimum_serving=spec.min_serving,
        when_all_unhealthy=spec.when_all_unhealthy,
        failback=shared(
            Failback(spec.failback.mode, seconds(spec.failback.hold_down), spec.failback.max_changes_per_hour)
        ),
        deletion_policy=spec.deletion_policy,
        suspend=spec.suspend,
        importance=spec.importance,
        progress_deadline=seconds(spec.progress_deadline),
        region_failover=spec.region_failover,
        tier_needs=shared(TierNeeds(*_number_or_share(spec.tier_needs))),
        degraded_ttl=spec.degraded_ttl,
        adopt=spec.adopt is not False,
        adopt_from=spec.adopt if isinstance(spec.adopt, str) else None,
        approved=_text(identity.annotations.get(APPROVE_ANNOTATION)),
        failback_now=is_due(item, FAILBACK_ANNOTATION),
        paused_until=_time_in("spec.healthCheck.pausedUntil", check.paused_until),
        quorum=shared(_quorum(spec.quorum)),
        more_checks=shared(_more_checks(spec.health_checks, spec.hostname, identity.namespace)),
    )


def _more_checks(spec: HealthChecksSpec | None, hostname: str, namespace: str) -> checks.MoreChecks:
    if spec is None:
        return checks.NO_MORE_CHECKS
    found = (checks.NamedCheck(each.name, each.role, _named_probe(each, hostname, namespace)) for each in spec.checks)
    return checks.MoreChecks(tuple(found), spec.at_least)


def _named_probe(spec: NamedCheckSpec, hostname: str, namespace: str) -> checks.Probe | checks.Elsewhere:
    if spec.http is not None:
        return _http(spec.http, hostname)
    if spec.https is not None:
        return _https(spec.https, hostname, None)
    if spec.dns is not None:
        return _dns(spec.dns)
    if (asked := spec.prometheus) is not None:
        return checks.PrometheusCheck(asked.server, namespace, asked.query, asked.above, asked.below)
    if spec.external is not None:
        return checks.ExternalCheck(namespace, spec.external.name)
    assert spec.tcp is not None  # noqa: S101 - exactly one is there, by the model's rule
    return checks.TCPCheck(port=spec.tcp.port)


def ca_bundle_reference(item: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return name and key of the ConfigMap, in the record's namespace, that holds its certificate authorities.

    None where the record has no such reference, or one that `record_from` will refuse anyway. Never raises.
    """
    node: Any = item
    for field in ("spec", "healthCheck", "https"):
        node = node.get(field) if isinstance(node, Mapping) else None
    try:
        check = HTTPSCheck.model_validate(node)
    except ValidationError:
        return None
    reference = check.ca_bundle_ref
    return None if reference is None else (reference.name, reference.key)


def without_ca_bundle(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object without the ConfigMap that it refers to, for whoever has no cluster to read that from."""
    found = copy.deepcopy(dict(item))
    if ca_bundle_reference(found) is not None:
        del found["spec"]["healthCheck"]["https"]["caBundleRef"]
    return found


def zone_from(item: Mapping[str, Any]) -> Zone:
    """Return the DNSZone `item` as the model has it. Raises DeclarationError."""
    identity = _identity(item, namespaced=True)
    spec = _parsed(DNSZoneSpec, item.get("spec"))
    servers = spec.verification.name_servers if spec.verification is not None else None
    return Zone(
        key=identity.key,
        uid=identity.uid,
        generation=identity.generation,
        domain=spec.domain,
        settings=_settings(spec),
        secret_name=spec.credentials_secret_ref.name if spec.credentials_secret_ref is not None else None,
        allowed=_allowed(spec.allowed_namespaces),
        budget=_budget(spec.budget),
        verification_servers=servers or (),
        take_over_now=is_due(item, TAKE_OVER_ANNOTATION),
        safety=_safety(spec.safety),
        approved=_text(identity.annotations.get(APPROVE_ANNOTATION)),
    )


def region_from(item: Mapping[str, Any]) -> Region:
    """Return the CloudRegion `item` as the model has it. Raises DeclarationError."""
    identity = _identity(item, namespaced=False)
    spec = _parsed(CloudRegionSpec, item.get("spec"))
    return Region(
        name=identity.name,
        cloud=spec.cloud.value,
        location=spec.location,
        state=spec.state,
        until=_time_in("spec.until", spec.until),
        why=spec.reason or "",
        generation=identity.generation,
        canaries=tuple(_canary(each, spec.canary_timing) for each in spec.canaries),
        failing=_failing(spec.failing),
        sets_aside=frozenset(spec.set_aside),
        signals=_signals(spec.signals),
        signalled=_signalled(spec.signals.failing),
    )


def _signals(spec: SignalsSpec) -> SignalRules:
    reports = spec.user_reports
    return SignalRules(
        feed=spec.status_feed,
        reports=None if reports is None else ReportRules(reports.times, reports.clients, seconds(reports.for_)),
        queries=tuple(
            QueryRules(each.name, QuerySource(each.server, each.query), each.above, each.below, seconds(each.for_))
            for each in spec.prometheus
        ),
    )


def _signalled(spec: SignalledSpec) -> SignalledRules:
    number, share = _number_or_share(spec.canaries)
    return SignalledRules(
        number,
        share,
        after=seconds(spec.after),
        by_endpoints=spec.endpoints_alone is EndpointEvidence.FAILING,
    )


def _canary(spec: CanarySpec, timing: CanaryTimingSpec) -> Canary:
    probe: checks.Probe
    if spec.https is not None:
        probe = _https(spec.https, spec.hostname, None)
    elif spec.http is not None:
        probe = _http(spec.http, spec.hostname)
    else:
        probe = checks.TCPCheck(port=spec.tcp.port if spec.tcp is not None else HTTPS_PORT)
    return Canary(
        spec.name,
        spec.hostname,
        shared(probe),
        shared(
            replace(_timing(timing), minimum_addresses=spec.min_addresses),
        ),
    )


def external_verdict_from(item: Mapping[str, Any]) -> ExternalVerdict:
    """Return the ExternalVerdict `item` as the model has it. Raises DeclarationError."""
    _identity(item, namespaced=True)
    spec = _parsed(ExternalVerdictSpec, item.get("spec"))
    expires_at = _time_in("spec.expiresAt", spec.expires_at)
    assert expires_at is not None  # noqa: S101 - a time that is given is read, or refused
    return ExternalVerdict(spec.verdict, expires_at, spec.message or "")


def _timing(spec: HealthCheck | CanaryTimingSpec) -> checks.CheckTiming:
    return checks.CheckTiming(
        interval=seconds(spec.interval),
        recheck_interval=seconds(spec.recheck_interval),
        timeout=seconds(spec.timeout),
        fall=spec.fall,
        rise=spec.rise,
    )


def _failing(spec: FailingSpec) -> FailingRules:
    number, share = _number_or_share(spec.canaries)
    return FailingRules(
        number,
        share,
        after=seconds(spec.after),
        hold_down=seconds(spec.hold_down),
        by_endpoints=spec.endpoints_alone is EndpointEvidence.FAILING,
    )


def _number_or_share(given: int | str | None) -> tuple[int | None, float | None]:
    """Return a number, or a share."""
    if isinstance(given, str):
        return None, int(given.removesuffix("%")) / 100
    return given, None


def vantage_from(item: Mapping[str, Any]) -> Vantage:
    """Return the Vantage `item` as the model has it. Raises DeclarationError."""
    identity = _identity(item, namespaced=False)
    spec = _parsed(VantageSpec, item.get("spec"))
    return Vantage(
        identity.name, spec.cloud.value, spec.region or "", spec.votes, identity.generation, identity.created
    )


def override_from(item: Mapping[str, Any], *, namespaced: bool) -> Override:
    """Return an Override, or the ClusterOverride where it is not `namespaced`, as the model has it.

    Raises DeclarationError.
    """
    identity = _identity(item, namespaced=namespaced)
    spec: OverrideSpec | ClusterOverrideSpec
    if namespaced:
        spec = of_record = _parsed(OverrideSpec, item.get("spec"))
        meant: dict[str, Any] = {
            "record": ObjectKey(identity.namespace, of_record.record),
            "endpoint": of_record.endpoint,
            "pin": str(of_record.revision) if of_record.revision is not None else None,
        }
    else:
        spec = of_cluster = _parsed(ClusterOverrideSpec, item.get("spec"))
        zone = of_cluster.zone
        meant = {
            "region": of_cluster.region,
            "zone": ObjectKey(zone.namespace, zone.name) if zone is not None else None,
            "sets_aside": frozenset(of_cluster.set_aside),
        }
    return Override(
        key=identity.key,
        uid=identity.uid,
        generation=identity.generation,
        created=identity.created,
        action=Action(spec.action.value),
        expires=_time_in("spec.expiresAt", spec.expires_at) or 0.0,
        reason=spec.reason,
        requested_by=spec.requested_by,
        **meant,
    )


def _time_in(field: str, value: str | None) -> float | None:
    """Return a time in seconds since the Unix epoch. Raises DeclarationError."""
    try:
        return None if value is None else parse_time(value)
    except ValueError as error:
        raise DeclarationError(f"{field}: {error}; write one such as 2026-11-30T18:00:00Z") from error


def record_memory(item: Mapping[str, Any]) -> RecordMemory:
    """Return what an earlier run wrote into the status of a FailoverRecord. Garbage is ignored; never raises."""
    metadata = item.get("metadata")
    namespace = metadata.get("namespace") if isinstance(metadata, Mapping) else None
    return memory_in(item.get("status"), namespace if isinstance(namespace, str) else "")


def _identity(item: Mapping[str, Any], *, namespaced: bool) -> _Identity:
    metadata = item.get("metadata")
    if not isinstance(metadata, Mapping):
        raise DeclarationError("metadata: is not an object; delete this object and create it again")
    wanted = ("namespace", "name", "uid") if namespaced else ("name", "uid")
    for field in wanted:
        if not isinstance(metadata.get(field), str) or not metadata[field]:
            raise DeclarationError(f"metadata.{field}: is missing; delete this object and create it again")
    generation = metadata.get("generation")
    annotations = metadata.get("annotations")
    try:
        created = parse_time(str(metadata.get("creationTimestamp")))
    except ValueError as error:
        raise DeclarationError(
            f"metadata.creationTimestamp: {error}; delete this object and create it again"
        ) from error
    return _Identity(
        namespace=metadata["namespace"] if namespaced else "",
        name=metadata["name"],
        uid=metadata["uid"],
        generation=generation if isinstance(generation, int) else 0,
        created=created,
        annotations=annotations if isinstance(annotations, Mapping) else {},
    )


def _parsed(model: type[Spec], value: object) -> Spec:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        # The input stays out of the text: a header's value may be a credential.
        found = error.errors(include_url=False, include_input=False)
    shown = [_sentence(each) for each in found[:ERRORS_SHOWN]]
    if len(found) > ERRORS_SHOWN:
        shown.append(f"and {len(found) - ERRORS_SHOWN} more")
    raise DeclarationError("; ".join(shown))


def _sentence(error: ErrorDetails) -> str:
    path = "spec" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error["loc"])
    path = path.encode("ascii", "backslashreplace").decode()[:200]
    match error["type"]:
        case "missing":
            return f"{path}: is required"
        case "extra_forbidden":
            return f"{path}: this version of Detour has no such field; remove it, or upgrade the operator"
        case kind if kind == RULE_BROKEN:
            return f"{path}: {error['msg']}"
        case _:
            return f"{path}: {error['msg'][0].lower()}{error['msg'][1:]}"


def _quorum(spec: QuorumSpec) -> Quorum:
    number, share = _number_or_share(spec.unhealthy)
    return Quorum(number, share, spec.when_no_quorum)


def _endpoint(spec: EndpointSpec) -> Endpoint:
    return Endpoint(
        name=spec.name,
        region=spec.region,
        addresses=spec.addresses or (),
        hostname=spec.hostname,
        priority=spec.priority,
        state=spec.state,
        is_last_resort=spec.last_resort,
    )


def _probe(check: HealthCheck, hostname: str, ca_bundle: str | None) -> checks.Probe:
    if check.https is not None:
        return _https(check.https, hostname, ca_bundle)
    if check.http is not None:
        return _http(check.http, hostname)
    if check.dns is not None:
        return _dns(check.dns)
    assert check.tcp is not None  # noqa: S101 - exactly one of the four is there, by the model's rule
    return checks.TCPCheck(port=check.tcp.port)


def _dns(check: DNSCheck) -> checks.DNSCheck:
    return checks.DNSCheck(
        port=check.port,
        name=check.name,
        type=check.type.value,
        minimum_answers=check.min_answers,
        expected_answers=check.expected_answers,
    )


def _http(check: HTTPCheck, hostname: str) -> checks.HTTPCheck:
    host = check.host or hostname
    return checks.HTTPCheck(
        tls=False,
        port=check.port,
        path=check.path,
        host=host,
        server_name=host,
        expected_statuses=tuple(_status_range(text) for text in check.expected_statuses),
        expected_body=check.expected_body,
        headers=tuple((header.name, header.value) for header in check.headers),
    )


def _https(check: PublicHTTPSCheck, hostname: str, ca_bundle: str | None) -> checks.HTTPCheck:
    reference = check.ca_bundle_ref if isinstance(check, HTTPSCheck) else None
    if reference is not None:
        # Falling back to the system's authorities would turn a typing mistake into a wrong verdict.
        try:
            certificates(ca_bundle or "")
        except UnreadableBundleError as error:
            raise DeclarationError(
                f"spec.healthCheck.https.caBundleRef: key {reference.key} of ConfigMap {reference.name} {error}; put"
                " the certificates of the authorities, in PEM form, into it"
            ) from None
    plain = _http(check, hostname)
    return checks.HTTPCheck(
        tls=True,
        port=plain.port,
        path=plain.path,
        host=plain.host,
        server_name=check.server_name or plain.host,
        expected_statuses=plain.expected_statuses,
        expected_body=plain.expected_body,
        headers=plain.headers,
        verify_certificate=check.verify_certificate,
        ca_bundle=None if reference is None else ca_bundle,
    )


def _status_range(text: str) -> checks.StatusRange:
    first, _, last = text.partition("-")
    return checks.StatusRange(int(first), int(last or first))


def _settings(spec: DNSZoneSpec) -> ProviderSettings:
    if (route53 := spec.route53) is not None:
        return Route53Settings(route53.zone_id, route53.region, route53.role_arn, route53.endpoint_url)
    if (azure := spec.azure_dns) is not None:
        return AzureDNSSettings(azure.subscription_id, azure.resource_group, azure.endpoint_url)
    if (google := spec.google_cloud_dns) is not None:
        return GoogleCloudDNSSettings(google.project, google.managed_zone, google.endpoint_url)
    assert spec.rfc2136 is not None  # noqa: S101 - exactly one of the four is there, by the model's rule
    return RFC2136Settings(spec.rfc2136.server)


def _allowed(spec: AllowedNamespacesSpec) -> AllowedNamespaces:
    if spec.selector is None:
        return AllowedNamespaces(spec.source)
    exact = (LabelRequirement(key, "In", (value,)) for key, value in spec.selector.match_labels.items())
    others = (LabelRequirement(each.key, each.operator.value, each.values) for each in spec.selector.match_expressions)
    return AllowedNamespaces(spec.source, (*exact, *others))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _safety(spec: SafetySpec) -> Safety:
    return Safety(
        max_regions_evacuated=spec.max_regions_evacuated,
        window=seconds(spec.window),
        panic_threshold=spec.panic_threshold / 100,
        frozen=spec.frozen,
        withdrawal=spec.withdrawal / 100,
    )


def _budget(spec: BudgetSpec | None) -> BudgetOverride:
    if spec is None:
        return BudgetOverride()
    return BudgetOverride(
        spec.requests_per_second,
        spec.requests_burst,
        spec.changes_per_second,
        spec.changes_burst,
        spec.sets_per_zone,
    )
