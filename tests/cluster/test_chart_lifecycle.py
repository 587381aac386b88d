"""Install, upgrade, uninstall, and the two ways of keeping CRDs, with real Helm against a real API server."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from detour_lab.controlplane import CommandError, ControlPlane
from detour_lab.stage.chart import CHART

CRDS = Path(__file__).resolve().parents[2] / "crds"
VALUES = Path(__file__).parent / "values"
NAMESPACE = "detour-system"
IN_NAMESPACE = f"--namespace={NAMESPACE}"
PLURALS = ("cloudregions", "clusteroverrides", "dnszones", "externalverdicts", "failoverrecords", "overrides")
NAMES = {f"{plural}.detour.dev" for plural in PLURALS}
REGION = """
apiVersion: detour.dev/v1alpha1
kind: CloudRegion
metadata: {name: aws-us-east-1}
spec: {cloud: AWS, location: us-east-1}
"""


@pytest.fixture(scope="module")
def own_plane() -> Iterator[ControlPlane]:
    """A control plane that nobody else's CRDs are in."""
    with ControlPlane() as plane:
        for namespace in (NAMESPACE, "dns", "shop"):
            plane.kubectl("create", "namespace", namespace)
        yield plane


@pytest.fixture
def untouched_plane() -> Iterator[ControlPlane]:
    """One in which Helm never was."""
    with ControlPlane() as plane:
        yield plane


@pytest.fixture
def plane(own_plane: ControlPlane) -> Iterator[ControlPlane]:
    """The same without releases and objects. CRDs stay, as after an uninstall: deleting them takes long."""
    yield own_plane
    for release in own_plane.helm("list", IN_NAMESPACE, "--short").stdout.split():
        own_plane.helm("uninstall", release, IN_NAMESPACE)
    if left := crds(own_plane):
        own_plane.kubectl("annotate", "--overwrite", "crd", *left, "meta.helm.sh/release-name=detour")
        own_plane.kubectl("delete", "cloudregions", "--all")


def helm(plane: ControlPlane, command: str, *arguments: str, release: str = "detour") -> str:
    """Install or upgrade a release, and return what helm prints."""
    return plane.helm(command, release, str(CHART), IN_NAMESPACE, *arguments).stdout


def crds(plane: ControlPlane) -> set[str]:
    listed = plane.kubectl("get", "crd", "--output=name").stdout.split()
    return {name.partition("/")[2] for name in listed} & NAMES


def kept_by(plane: ControlPlane, name: str = "dnszones.detour.dev") -> str | None:
    """Return the release that a CRD belongs to, as Helm sees it."""
    metadata = json.loads(plane.kubectl("get", "crd", name, "--output=json").stdout)["metadata"]
    owner: str | None = metadata.get("annotations", {}).get("meta.helm.sh/release-name")
    return owner


def argument(plane: ControlPlane, prefix: str) -> list[str]:
    found = plane.kubectl("get", "deployment", "detour", IN_NAMESPACE, "--output=json").stdout
    arguments = json.loads(found)["spec"]["template"]["spec"]["containers"][0]["args"]
    return [each for each in arguments if each.startswith(prefix)]


def test_an_install_serves_the_resources_and_says_what_to_do_next(plane: ControlPlane) -> None:
    notes = helm(plane, "install", "--set=owner=production")
    assert 'this installation is called "production"' in notes
    assert "It can read no Secret at all" in notes
    assert "kubectl get fr,dz,region -A" in notes
    assert crds(plane) == NAMES
    plane.kubectl("wait", "--for=condition=Established", "--timeout=180s", "crd", *NAMES)
    plane.kubectl("apply", "-f", "-", input=REGION)


def test_the_notes_are_manifests_that_the_api_server_takes(plane: ControlPlane) -> None:
    secrets = ("--set=credentials.secrets[0].namespace=dns", "--set=credentials.secrets[0].names={route53,tsig}")
    notes = helm(plane, "install", "--set=owner=production", *secrets)
    assert "namespace dns: route53, tsig" in notes
    plane.kubectl("wait", "--for=condition=Established", "--timeout=180s", "crd", *NAMES)
    manifests = [part.partition("EOF")[0] for part in notes.split("<<EOF\n")[1:]]
    assert len(manifests) == 2
    for manifest in manifests:
        plane.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", input=manifest)


def test_an_upgrade_changes_settings_and_keeps_objects(plane: ControlPlane) -> None:
    helm(plane, "install", "--set=owner=production")
    plane.kubectl("wait", "--for=condition=Established", "--timeout=180s", "crd", *NAMES)
    plane.kubectl("apply", "-f", "-", input=REGION)
    helm(plane, "upgrade", "--set=owner=production,logLevel=debug,dryRun=true")
    assert argument(plane, "--log-level") == ["--log-level=debug"]
    assert argument(plane, "--dry-run") == ["--dry-run"]
    assert plane.kubectl("get", "cloudregions", "--output=name").stdout.split() == [
        "cloudregion.detour.dev/aws-us-east-1"
    ]


def test_a_refused_upgrade_leaves_everything_as_it_was(plane: ControlPlane) -> None:
    helm(plane, "install", "--set=owner=production")
    with pytest.raises(CommandError, match="owner is missing"):
        helm(plane, "upgrade", "--set=logLevel=debug")
    assert argument(plane, "--log-level") == ["--log-level=info"]


def test_an_uninstall_keeps_crds_and_objects_and_a_later_install_takes_them_again(plane: ControlPlane) -> None:
    helm(plane, "install", "--set=owner=production")
    plane.kubectl("wait", "--for=condition=Established", "--timeout=180s", "crd", *NAMES)
    plane.kubectl("apply", "-f", "-", input=REGION)
    plane.helm("uninstall", "detour", IN_NAMESPACE)
    assert crds(plane) == NAMES
    left = plane.kubectl("get", "deployments,services,serviceaccounts,roles,rolebindings", "-A", "-o=name").stdout
    assert "detour" not in left
    assert "detour" not in plane.kubectl("get", "clusterroles,clusterrolebindings", "--output=name").stdout
    helm(plane, "install", "--set=owner=production")
    assert "aws-us-east-1" in plane.kubectl("get", "cloudregions", "--output=name").stdout


def test_crds_move_from_kubectl_to_the_chart(untouched_plane: ControlPlane) -> None:
    plane = untouched_plane
    plane.kubectl("create", "namespace", NAMESPACE)
    plane.kubectl("apply", "--server-side", "-f", str(CRDS))
    plane.kubectl("wait", "--for=condition=Established", "--timeout=180s", "crd", *NAMES)
    plane.kubectl("apply", "-f", "-", input=REGION)
    with pytest.raises(CommandError, match="exists and cannot be imported"):
        helm(plane, "install", "--set=owner=production")
    helm(plane, "install", "--set=owner=production,crds.enabled=false")
    assert kept_by(plane) is None

    helm(
        plane,
        "upgrade",
        "--reset-then-reuse-values",
        "--set=crds.enabled=true",
        "--take-ownership",
        "--force-conflicts",
    )
    assert kept_by(plane) == "detour"
    assert "aws-us-east-1" in plane.kubectl("get", "cloudregions", "--output=name").stdout
    plane.helm("uninstall", "detour", IN_NAMESPACE)
    assert crds(plane) == NAMES


def test_crds_move_from_the_chart_to_kubectl(plane: ControlPlane) -> None:
    helm(plane, "install", "--set=owner=production")
    plane.kubectl("wait", "--for=condition=Established", "--timeout=180s", "crd", *NAMES)
    plane.kubectl("apply", "-f", "-", input=REGION)
    helm(plane, "upgrade", "--reset-then-reuse-values", "--set=crds.enabled=false")
    assert crds(plane) == NAMES
    assert "aws-us-east-1" in plane.kubectl("get", "cloudregions", "--output=name").stdout
    plane.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(CRDS))
    helm(plane, "upgrade", "--reset-then-reuse-values", "--set=logLevel=debug")
    assert argument(plane, "--owner") == ["--owner=production"]


def test_crds_left_by_a_release_of_another_name_are_taken_with_the_same_flags(plane: ControlPlane) -> None:
    helm(plane, "install", "--set=owner=production", "--take-ownership", "--force-conflicts", release="first")
    plane.helm("uninstall", "first", IN_NAMESPACE)
    with pytest.raises(CommandError, match="cannot be imported"):
        helm(plane, "install", "--set=owner=production", release="second")
    helm(plane, "install", "--set=owner=production", "--take-ownership", "--force-conflicts", release="second")
    assert kept_by(plane) == "second"


def test_two_installations_live_side_by_side(plane: ControlPlane) -> None:
    helm(plane, "install", "--set=owner=production,crds.enabled=false", release="first")
    helm(plane, "install", "--set=owner=staging,crds.enabled=false", release="second")
    plane.helm("install", "first", str(CHART), "--namespace=shop", "--set=owner=shop,crds.enabled=false")
    found = plane.kubectl("get", "clusterroles", "--selector=app.kubernetes.io/managed-by=Helm", "-o=name").stdout
    assert len(found.split()) == 3 * 3, "the operator's own, and two for people, of each"
    plane.helm("uninstall", "first", "--namespace=shop")


@pytest.mark.parametrize("path", sorted(VALUES.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_api_server_knows_every_field(plane: ControlPlane, path: Path) -> None:
    """Monitoring objects aside, whose kinds are not the API server's own."""
    printed = plane.helm("template", "detour", str(CHART), IN_NAMESPACE, f"--values={path}").stdout
    native = [
        each
        for each in yaml.safe_load_all(printed)
        if each and not each["apiVersion"].startswith("monitoring.coreos.com")
    ]
    everything = json.dumps({"apiVersion": "v1", "kind": "List", "items": native})
    strictly = ("--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict")
    answered = plane.kubectl("apply", *strictly, "-f", "-", input=everything)
    assert len(answered.stdout.splitlines()) == len(native)
    assert "Warning" not in answered.stderr
