"""What the chart makes for a probe: in one cluster, or divided between the operator's cluster and the probe's."""

import re
from typing import Any

import pytest
import yaml

from detour.app.probe.settings import ProbeSettings, parse
from detour_lab.controlplane import ControlPlane
from detour_lab.stage.chart import CHART

Manifest = dict[str, Any]


def render(plane: ControlPlane, *settings: str, check: bool = True) -> list[Manifest]:
    """Return every object that the chart makes for a probe of the vantage `east`."""
    arguments = [f"--set={each}" for each in ("mode=probe", "vantage.name=east", *settings)]
    printed = plane.helm("template", "east", str(CHART), "--namespace=probes", *arguments, check=check)
    if printed.returncode:
        raise ValueError(printed.stderr)
    return [each for each in yaml.safe_load_all(printed.stdout) if each]


def kinds(manifests: list[Manifest]) -> set[str]:
    return {each["kind"] for each in manifests}


def one(manifests: list[Manifest], kind: str) -> Manifest:
    (found,) = [each for each in manifests if each["kind"] == kind]
    return found


def rules(manifests: list[Manifest]) -> list[Manifest]:
    return [rule for each in manifests if each["kind"] in ("Role", "ClusterRole") for rule in each["rules"]]


def settings_of(manifests: list[Manifest]) -> ProbeSettings:
    (container,) = one(manifests, "Deployment")["spec"]["template"]["spec"]["containers"]
    command, *flags = container["args"]
    assert command == "probe"
    return parse(flags, {})


def test_in_one_cluster_a_release_makes_all_of_it(control_plane: ControlPlane) -> None:
    made = render(
        control_plane,
        *(
            "vantage.cloud=AWS",
            "vantage.region=aws-us-east-1",
            "vantage.votes=2",
            "probe.operatorNamespace=detour-system",
        ),
    )
    assert settings_of(made) == ProbeSettings("east", ("detour-system", "vantage-east"), log_format="json")
    assert one(made, "Vantage")["spec"] == {"cloud": "AWS", "region": "aws-us-east-1", "votes": 2}
    lease = one(made, "Lease")
    assert lease["metadata"]["namespace"] == "detour-system"
    assert lease["metadata"]["labels"]["detour.dev/vantage"] == "east"
    assert "spec" not in lease, "an upgrade would take its signs of life back"
    assert not kinds(made) & {"CustomResourceDefinition", "Secret", "PodDisruptionBudget", "PrometheusRule"}
    deployment = one(made, "Deployment")["spec"]
    assert deployment["replicas"] == 1
    assert deployment["strategy"] == {"type": "Recreate"}, "two would write one another's reports over"


def test_it_may_do_what_a_probe_does_and_nothing_else(control_plane: ControlPlane) -> None:
    found = rules(render(control_plane, "caBundles[0].namespace=shop", "caBundles[0].names={authorities}"))
    assert sorted(
        (tuple(each["resources"]), tuple(each.get("resourceNames", ())), tuple(each["verbs"])) for each in found
    ) == [
        (("cloudregions",), (), ("get", "list", "watch")),
        (("configmaps",), ("authorities",), ("get",)),
        (("failoverrecords",), (), ("get", "list", "watch")),
        (("leases",), ("vantage-east",), ("patch",)),
        (("vantages/status",), ("east",), ("patch",)),
    ]


def test_confined_it_lists_records_where_it_was_told_to(control_plane: ControlPlane) -> None:
    made = render(control_plane, "namespaces={shop,desk}")
    assert settings_of(made).namespaces == ("shop", "desk")
    assert [each["resources"] for each in one(made, "ClusterRole")["rules"]] == [["vantages/status"], ["cloudregions"]]
    where = {
        each["metadata"]["namespace"]
        for each in made
        if each["kind"] == "Role" and each["rules"][0]["resources"] == ["failoverrecords"]
    }
    assert where == {"shop", "desk"}


def test_in_the_operator_s_cluster_it_makes_the_permissions_and_a_token(control_plane: ControlPlane) -> None:
    made = render(control_plane, "probe.deploy=false", "serviceMonitor.enabled=true", "networkPolicy.enabled=true")
    assert not kinds(made) & {"Deployment", "Service", "ServiceMonitor", "NetworkPolicy"}
    secret = one(made, "Secret")
    account = one(made, "ServiceAccount")["metadata"]["name"]
    assert secret["type"] == "kubernetes.io/service-account-token"
    assert secret["metadata"]["annotations"]["kubernetes.io/service-account.name"] == account


def test_in_the_other_cluster_it_makes_the_pod_which_logs_in_with_a_kubeconfig(control_plane: ControlPlane) -> None:
    made = render(
        control_plane, "probe.grant=false", "probe.kubeconfigSecret=operator", "probe.operatorNamespace=detour-system"
    )
    assert not kinds(made) & {"Vantage", "Lease", "Secret", "ClusterRole", "Role"}
    assert settings_of(made).kubeconfig == "/etc/detour/config"
    pod = one(made, "Deployment")["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert {"name": "kubeconfig", "secret": {"secretName": "operator"}} in pod["volumes"]
    assert {"name": "kubeconfig", "mountPath": "/etc/detour", "readOnly": True} in pod["containers"][0]["volumeMounts"]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (("vantage.name=",), "vantage.name is missing"),
        (("probe.kubeconfigSecret=operator",), "set probe.grant=false here"),
        (("probe.deploy=false", "probe.grant=false"), "there is nothing to install"),
        (("vantage.votes=101",), "/vantage/votes"),
        (("mode=prober",), "mode"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_sentence(
    control_plane: ControlPlane, settings: tuple[str, ...], told: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        render(control_plane, *settings, check=False)
