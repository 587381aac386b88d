"""What the chart makes of its values: the operator's settings, a hardened pod, and no permission too many."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from detour.app.settings import Settings, parse
from detour.enactment.sites import Site
from detour.signals.prometheus import PrometheusServer
from detour_lab.controlplane import ControlPlane
from detour_lab.stage.chart import CHART

VALUES = sorted((Path(__file__).parent / "values").glob("*.yaml"))
NAMESPACE = "detour-system"

Manifest = dict[str, Any]


def values_file(name: str) -> str:
    return f"--values={Path(__file__).parent / 'values' / name}.yaml"


def render(plane: ControlPlane, *arguments: str) -> list[Manifest]:
    """Return every object that the chart makes."""
    printed = plane.helm("template", "detour", str(CHART), f"--namespace={NAMESPACE}", *arguments).stdout
    return [each for each in yaml.safe_load_all(printed) if each]


def of_kind(manifests: list[Manifest], kind: str) -> list[Manifest]:
    return [each for each in manifests if each["kind"] == kind]


def one(manifests: list[Manifest], kind: str) -> Manifest:
    (found,) = of_kind(manifests, kind)
    return found


def container(manifests: list[Manifest]) -> Manifest:
    (found,) = one(manifests, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert isinstance(found, dict)
    return found


def settings_of(manifests: list[Manifest]) -> Settings:
    command, *flags = container(manifests)["args"]
    assert command == "run"
    return parse(flags, {})


def rules(manifests: list[Manifest], kind: str) -> list[tuple[str, Manifest]]:
    return [(each["metadata"]["name"], rule) for each in of_kind(manifests, kind) for rule in each["rules"]]


@pytest.mark.parametrize("path", VALUES, ids=lambda path: path.stem)
def test_lint_and_template_accept_the_values(control_plane: ControlPlane, path: Path) -> None:
    control_plane.helm("lint", "--strict", str(CHART), f"--values={path}")
    names = [
        (each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"])
        for each in render(control_plane, f"--values={path}")
    ]
    assert len(set(names)) == len(names), "two objects of one name"


def test_the_least_of_values_gives_the_operator_s_own_defaults(control_plane: ControlPlane) -> None:
    found = settings_of(render(control_plane, values_file("minimal")))
    assert found == Settings(
        owner="production",
        lease=("detour-system", "detour"),
        vantage_leases="detour-system",
        identity=found.identity,
        requesters_verified=True,
        log_format="json",
        listen="0.0.0.0:8080",
    )


def test_every_setting_can_be_reached_by_a_value(control_plane: ControlPlane) -> None:
    found = settings_of(render(control_plane, values_file("everything")))
    assert found == Settings(
        owner="production",
        site=Site("frankfurt", rank=1, renew_every=10, take_over_after=60),
        lease=("detour-system", "dns-pointer"),
        vantage="headquarters",
        no_checks=True,
        vantage_leases="detour-system",
        sharding=True,
        identity=found.identity,
        reference_checks=("192.0.2.1:443", "[2001:db8::1]:443", "one.example:443"),
        audit_every=20,
        read_every=300,
        questions_per_day=1_000_000_000,
        resolver="[fd00::53]:5353",
        allow_networks=("127.0.0.0/8", "::1/128"),
        deny_networks=("10.96.0.0/12",),
        permitted_endpoints=("https://dns.example.com:8443", "http://127.0.0.0/8:*", "http://[::1]:8053"),
        checks_in_flight=20000,
        record_series=5000,
        audit="/var/log/detour/audit.jsonl",
        regions_in_service=2,
        status_feeds=(("AWS", "https://status.example.com/aws.json"), ("Google", "http://192.0.2.80/incidents.json")),
        read_signals_every=30,
        prometheus_servers=(
            PrometheusServer("main", "http://prometheus.monitoring:9090"),
            PrometheusServer(
                "edge", "https://metrics.example.com/prom", frozenset({"shop"}), (("namespace", "$namespace"),)
            ),
        ),
        prometheus_tokens="/etc/detour-prometheus",
        listen="[::]:8080",
        log_format="human",
        log_level="debug",
        dry_run=True,
    )
    assert settings_of(render(control_plane, values_file("confined"))).namespaces == ("dns", "shop")


def test_a_token_is_mounted_under_the_name_of_its_server(control_plane: ControlPlane) -> None:
    manifests = render(control_plane, values_file("everything"))
    (volume,) = [
        each
        for each in one(manifests, "Deployment")["spec"]["template"]["spec"]["volumes"]
        if each["name"] == "prometheus-tokens"
    ]
    assert volume["projected"]["sources"] == [
        {"secret": {"name": "prometheus-token", "items": [{"key": "token", "path": "main"}]}}
    ]
    mount = {"name": "prometheus-tokens", "mountPath": "/etc/detour-prometheus", "readOnly": True}
    assert mount in container(manifests)["volumeMounts"]


def test_users_reports_have_a_port_and_a_service_of_their_own_and_only_for_the_asking(
    control_plane: ControlPlane,
) -> None:
    asked = ("userReports.enabled=true", "userReports.proxies={10.0.0.0/8,fd00::/8}", "networkPolicy.enabled=true")
    manifests = render(control_plane, values_file("minimal"), *(f"--set={each}" for each in asked))
    found = settings_of(manifests)
    assert (found.reports_listen, found.reports_proxies) == ("0.0.0.0:8081", ("10.0.0.0/8", "fd00::/8"))
    assert {"name": "reports", "containerPort": 8081, "protocol": "TCP"} in container(manifests)["ports"]
    usual, reports = of_kind(manifests, "Service")
    assert [each["port"] for each in usual["spec"]["ports"]] == [8080]
    assert reports["metadata"]["name"] == "detour-reports"
    assert [(each["port"], each["targetPort"]) for each in reports["spec"]["ports"]] == [(80, "reports")]
    ports = [each["port"] for rule in one(manifests, "NetworkPolicy")["spec"]["ingress"] for each in rule["ports"]]
    assert ports == ["http", "reports"]
    without = render(control_plane, values_file("minimal"))
    assert len(of_kind(without, "Service")) == 1
    assert settings_of(without).reports_listen is None


@pytest.mark.parametrize("path", VALUES, ids=lambda path: path.stem)
def test_the_pod_is_hardened_whatever_the_values_say(control_plane: ControlPlane, path: Path) -> None:
    manifests = render(control_plane, f"--values={path}")
    deployment = one(manifests, "Deployment")["spec"]
    pod = deployment["template"]["spec"]
    assert deployment["strategy"]["type"] == "RollingUpdate"
    assert deployment["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert deployment["replicas"] in (0, 2)
    assert pod["terminationGracePeriodSeconds"] == 15
    assert pod["automountServiceAccountToken"] is True
    assert pod["enableServiceLinks"] is False
    assert pod["securityContext"].items() >= {"runAsNonRoot": True, "runAsUser": 65532}.items()
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    inside = container(manifests)
    assert inside["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"name": "tmp", "mountPath": "/tmp"} in inside["volumeMounts"]  # noqa: S108 - the pod's own
    probed = {inside[each]["httpGet"]["path"] for each in ("startupProbe", "livenessProbe")}
    assert (probed, inside["readinessProbe"]["httpGet"]["path"]) == ({"/livez"}, "/readyz")


@pytest.mark.parametrize("path", VALUES, ids=lambda path: path.stem)
def test_service_and_policies_find_the_pod_by_its_labels(control_plane: ControlPlane, path: Path) -> None:
    manifests = render(control_plane, f"--values={path}")
    deployment = one(manifests, "Deployment")["spec"]
    labels = deployment["template"]["metadata"]["labels"].items()
    assert labels >= deployment["selector"]["matchLabels"].items()
    service = one(manifests, "Service")
    assert labels >= service["spec"]["selector"].items()
    for policy in of_kind(manifests, "NetworkPolicy"):
        assert labels >= policy["spec"]["podSelector"]["matchLabels"].items()
    for monitor in of_kind(manifests, "ServiceMonitor"):
        assert service["metadata"]["labels"].items() >= monitor["spec"]["selector"]["matchLabels"].items()


def test_the_pod_does_not_restart_for_a_newer_chart_alone(control_plane: ControlPlane) -> None:
    pod = one(render(control_plane, values_file("minimal")), "Deployment")["spec"]["template"]["metadata"]
    assert pod == {"labels": {"app.kubernetes.io/name": "detour", "app.kubernetes.io/instance": "detour"}}


def test_secrets_are_readable_only_by_the_names_that_the_values_give(control_plane: ControlPlane) -> None:
    manifests = render(control_plane, values_file("everything"))
    assert not [rule for _, rule in rules(manifests, "ClusterRole") if "secrets" in rule["resources"]]
    granted = {
        each["metadata"]["namespace"]: rule
        for each in of_kind(manifests, "Role")
        for rule in each["rules"]
        if "secrets" in rule["resources"]
    }
    assert granted == {
        namespace: {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"], "resourceNames": names}
        for namespace, names in {"dns": ["azure-dns", "internal-tsig", "route53"], "shop": ["google-dns"]}.items()
    }


@pytest.mark.parametrize("name", ["minimal", "identity", "confined", "own-roles"])
def test_no_rule_has_a_wildcard_or_an_unneeded_verb(control_plane: ControlPlane, name: str) -> None:
    manifests = render(control_plane, values_file(name))
    for role, rule in [*rules(manifests, "ClusterRole"), *rules(manifests, "Role")]:
        if role.endswith("overrides"):  # for people
            assert set(rule["verbs"]) <= {"get", "list", "watch", "create", "delete"}
            continue
        assert not {"*"} & {*rule["apiGroups"], *rule["resources"], *rule["verbs"]}
        election = rule["resources"] == ["leases"]
        assert set(rule["verbs"]) <= {"get", "list", "watch", "patch", "create"} | ({"update"} if election else set())
        assert "create" not in rule["verbs"] or election or rule["resources"] == ["events"]
        assert "update" not in rule["verbs"] or rule["resourceNames"] == ["detour", "detour-successor"]


def test_replicas_that_divide_the_zones_may_use_the_leases_of_their_own_namespace(control_plane: ControlPlane) -> None:
    manifests = render(control_plane, values_file("minimal"), "--set=sharding.enabled=true")
    found = [
        (each["metadata"]["namespace"], rule)
        for each in of_kind(manifests, "Role")
        for rule in each["rules"]
        if rule["resources"] == ["leases"] and "delete" in rule["verbs"]
    ]
    assert [(where, sorted(rule["verbs"])) for where, rule in found] == [
        (NAMESPACE, ["delete", "get", "list", "update"])
    ]
    assert not [rule for _, rule in rules(manifests, "ClusterRole") if rule["resources"] == ["leases"]]


def test_every_secret_takes_a_value_that_says_dangerous(control_plane: ControlPlane) -> None:
    manifests = render(control_plane, values_file("every-secret"))
    (rule,) = [rule for _, rule in rules(manifests, "ClusterRole") if "secrets" in rule["resources"]]
    assert rule["verbs"] == ["get"]
    confined = render(control_plane, values_file("every-secret"), "--set=namespaces={dns}")
    assert not [rule for _, rule in rules(confined, "ClusterRole") if "secrets" in rule["resources"]]
    assert [rule for _, rule in rules(confined, "Role") if rule["resources"] == ["secrets"]]


def test_confinement_leaves_cluster_wide_only_what_has_no_namespace(control_plane: ControlPlane) -> None:
    manifests = render(control_plane, values_file("confined"), "--set=site.name=frankfurt")
    ours = [rule for role, rule in rules(manifests, "ClusterRole") if not role.endswith("overrides")]
    assert {each for rule in ours for each in rule["resources"]} == {
        "cloudregions",
        "cloudregions/status",
        "clusteroverrides",
        "clusteroverrides/status",
        "vantages",
        "vantages/status",
    }
    election = {one_ for one_, rule in rules(manifests, "Role") if rule["resources"] == ["leases"]}
    others = [each for each in of_kind(manifests, "Role") if each["metadata"]["name"] not in election]
    assert {each["metadata"]["namespace"] for each in others} == {"dns", "shop", "default"}


def test_roles_and_account_can_be_somebody_else_s(control_plane: ControlPlane) -> None:
    manifests = render(control_plane, values_file("own-roles"))
    policy = {"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}
    assert {each["kind"] for each in manifests} == {"Deployment", "Service", "PodDisruptionBudget", *policy}
    assert one(manifests, "Deployment")["spec"]["template"]["spec"]["serviceAccountName"] == "dns-robot"
    assert container(manifests)["image"] == "registry.example.com/detour:0.1.0-rc.1"


def test_only_a_cluster_without_a_name_may_read_the_namespace_that_gives_it_one(control_plane: ControlPlane) -> None:
    (rule,) = [
        rule
        for _, rule in rules(render(control_plane, values_file("confined")), "ClusterRole")
        if "namespaces" in rule["resources"]
    ]
    assert (rule["resourceNames"], rule["verbs"]) == (["kube-system"], ["get"])


def test_a_digest_names_the_image_whatever_the_tag(control_plane: ControlPlane) -> None:
    digest = "sha256:" + "0123456789abcdef" * 4
    assert container(render(control_plane, values_file("everything"), "--set=image.tag=newest"))["image"] == (
        f"registry.example.com/dns/detour@{digest}"
    )
    assert container(render(control_plane, values_file("minimal")))["image"] == "detour:0.1.0"


def test_the_clouds_identities_reach_account_and_pod(control_plane: ControlPlane) -> None:
    manifests = render(control_plane, values_file("identity"))
    assert len(one(manifests, "ServiceAccount")["metadata"]["annotations"]) == 3
    labels = one(manifests, "Deployment")["spec"]["template"]["metadata"]["labels"]
    assert labels["azure.workload.identity/use"] == "true"
    assert [each["metadata"]["name"] for each in of_kind(manifests, "Role")] == ["detour-election"]


def test_common_labels_are_on_every_object_and_never_replace_the_chart_s_own(control_plane: ControlPlane) -> None:
    manifests = [
        each for each in render(control_plane, values_file("everything")) if each["kind"] != "CustomResourceDefinition"
    ]
    for each in manifests:
        labels = each["metadata"]["labels"]
        assert (labels["team"], labels["app.kubernetes.io/name"]) == ("dns", "pointer"), each["kind"]


def test_monitoring_and_policy_objects_appear_only_where_wanted(control_plane: ControlPlane) -> None:
    optional = {"ServiceMonitor", "PrometheusRule", "NetworkPolicy"}
    assert not optional & {each["kind"] for each in render(control_plane, values_file("minimal"))}
    assert optional <= {each["kind"] for each in render(control_plane, values_file("everything"))}


def test_a_disruption_budget_needs_more_than_one_replica(control_plane: ControlPlane) -> None:
    assert not of_kind(render(control_plane, values_file("minimal"), "--set=replicaCount=1"), "PodDisruptionBudget")
    several = render(control_plane, values_file("minimal"))
    assert one(several, "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1


def test_replicas_keep_off_each_other_s_node_unless_somebody_says_otherwise(control_plane: ControlPlane) -> None:
    pod = one(render(control_plane, values_file("minimal")), "Deployment")["spec"]["template"]
    spread = pod["spec"]["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    terms = [(each["weight"], each["podAffinityTerm"]["topologyKey"]) for each in spread]
    assert sorted(terms, reverse=True) == [(100, "kubernetes.io/hostname"), (50, "topology.kubernetes.io/zone")]
    for each in spread:
        selector = each["podAffinityTerm"]["labelSelector"]["matchLabels"]
        assert selector.items() <= pod["metadata"]["labels"].items()


def test_sites_reach_the_operator_only_where_there_are_several(control_plane: ControlPlane) -> None:
    alone = settings_of(render(control_plane, values_file("minimal"))).site
    assert not alone.has_others
    several = ("--set=site.enabled=true", "--set=site.name=east", "--set=site.rank=1")
    east = settings_of(render(control_plane, values_file("minimal"), *several)).site
    assert (east.name, east.rank, east.renew_every, east.take_over_after) == ("east", 1, 20, 90)


def test_a_closed_network_still_lets_dns_and_https_out(control_plane: ControlPlane) -> None:
    policy = one(render(control_plane, values_file("everything")), "NetworkPolicy")["spec"]
    ports = [{(each["port"], each["protocol"]) for each in rule["ports"]} for rule in policy["egress"]]
    assert ports == [{(53, "UDP"), (53, "TCP")}, {(443, "TCP"), (6443, "TCP")}, {(8443, "TCP")}]
    assert policy["ingress"][0]["ports"] == [{"port": "http", "protocol": "TCP"}]
    open_ = one(render(control_plane, values_file("confined")), "NetworkPolicy")["spec"]
    assert open_["egress"] == [{}]


def test_crds_are_templates_that_helm_keeps(control_plane: ControlPlane) -> None:
    crds = of_kind(render(control_plane, values_file("minimal")), "CustomResourceDefinition")
    assert {each["metadata"]["name"].partition(".")[0] for each in crds} == {
        "cloudregions",
        "clusteroverrides",
        "dnszones",
        "externalverdicts",
        "failoverrecords",
        "overrides",
        "vantages",
    }
    assert {each["metadata"]["annotations"]["helm.sh/resource-policy"] for each in crds} == {"keep"}
    assert not of_kind(render(control_plane, values_file("confined")), "CustomResourceDefinition")
