"""The command line as a whole: what it says of mistakes, what completes, and what it does without."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from detour.cli.connection import CommandError, Place
from detour.cli.following import Stage, stages
from detour.cli.told import Told
from detour.cli.validate import filled
from detour.model.objects import Kind

from ..app.objects import cloud_region, dns_zone, failover_record  # noqa: TID252 - the root is on no path
from .statuses import record

PROGRAMS = Path(sys.executable).parent
CLOUDS_SDKS = ("boto3", "botocore", "azure", "google", "kopf", "uvloop")


def detour(*arguments: str, program: str = "detour", stdin: str = "") -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/nowhere", "HOME": "/nonexistent"}
    command = [str(PROGRAMS / program), *arguments]
    return subprocess.run(
        command, input=stdin, capture_output=True, text=True, timeout=60, check=False, env=environment
    )


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (("statu",), 2, "No such command 'statu'. Did you mean 'status'?"),
        (("status", "--watc"), 2, "No such option: --watc"),
        (("explain",), 2, "Missing argument"),
        (("validate", "nowhere.yaml"), 2, "detour: there is no file or folder nowhere.yaml"),
        (("status", "--kubeconfig", "nowhere"), 2, "detour: there is no file nowhere"),
        (("drain", "x", "--until", "soon", "--reason", "y"), 2, "no connection"),
        (("drain", "x"), 2, "Missing option '--reason'"),
        (("check", "nobody.yaml"), 2, "there is no file nobody.yaml"),
    ],
)
def test_a_mistake_is_one_sentence(arguments: tuple[str, ...], status: int, told: str) -> None:
    ended = detour(*arguments)
    assert ended.returncode == status
    assert told in ended.stderr
    assert "Traceback" not in ended.stderr


def test_it_tells_its_version_and_what_it_can_do() -> None:
    assert detour("version").stdout == "0.1.0\n"
    assert detour("--version").stdout == "detour 0.1.0\n"
    assert "explain" in detour("--help").stdout
    assert "usage: detour run" in detour("run", "--help").stdout
    assert "kubectl detour" in detour("--help", program="kubectl-detour").stdout


def test_kubectl_completes_words_and_options() -> None:
    assert detour("dr", program="kubectl_complete-detour").stdout.splitlines() == ["drain", ":4"]
    options = detour("status", "--w", program="kubectl_complete-detour").stdout.splitlines()
    assert options[0].split("\t")[0] == "--watch"


def test_commands_for_people_do_without_the_clouds_sdks() -> None:
    """They are an extra of their own, which a laptop need not have."""
    program = f"""
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {CLOUDS_SDKS!r}:
            raise ImportError(name)
sys.meta_path.insert(0, Blocked())
import detour.cli.main, detour.cli.check, detour.cli.validate
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 0, ended.stderr


def applied(raw: dict[str, object]) -> dict[str, object]:
    metadata = raw["metadata"]
    assert isinstance(metadata, dict)
    return {**raw, "metadata": {key: metadata[key] for key in ("name", "namespace") if key in metadata}}


def manifests(folder: Path, *raws: dict[str, object]) -> str:
    (folder / "all.yaml").write_text(yaml.safe_dump_all([applied(each) for each in raws]))
    return str(folder)


def test_good_manifests_pass(tmp_path: Path) -> None:
    ended = detour("validate", manifests(tmp_path, failover_record(), dns_zone(), cloud_region()))
    assert (ended.returncode, ended.stdout) == (0, "3 objects of Detour's in 1 file: 0 would be refused\n")


@pytest.mark.parametrize(
    ("raws", "status", "told"),
    [
        ([failover_record(ttl=1)], 1, "all.yaml: FailoverRecord api: spec.ttl"),
        ([failover_record(tll=30)], 1, "tll"),
        ([failover_record(hostname="api.example.com"), dns_zone()], 1, "is not within example.org"),
        ([failover_record(), failover_record("b", hostname="api.example.org")], 1, "delete one of the two"),
        ([failover_record(zones=[{"name": "other"}]), dns_zone()], 0, "warning: DNSZone shop/other is not among"),
        ([failover_record(), cloud_region("aws-us-east-2"), cloud_region("azure-westeurop")], 0, "did you mean azure-"),
        ([{**failover_record(), "apiVersion": "detour.dev/v1"}], 1, "write apiVersion: detour.dev/v1alpha1"),
        ([{key: value for key, value in failover_record().items() if key != "apiVersion"}], 1, "write apiVersion:"),
        ([{**failover_record(), "kind": "FailoverRecrd"}], 1, "there is no kind FailoverRecrd"),
    ],
)
def test_what_would_be_refused_is_said_with_file_and_object(
    tmp_path: Path, raws: list[dict[str, object]], status: int, told: str
) -> None:
    ended = detour("validate", manifests(tmp_path, *raws))
    assert (ended.returncode, ended.stderr) == (status, "")
    assert told in ended.stdout


def test_a_file_that_is_no_yaml_is_said(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("a: [b")
    ended = detour("validate", str(tmp_path))
    assert ended.returncode == 2
    assert "broken.yaml cannot be read" in ended.stderr


def test_other_peoples_manifests_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text("apiVersion: v1\nkind: Secret\nmetadata: {name: x}\n---\n---\n- a\n")
    assert detour("validate", str(tmp_path)).returncode == 0


def conditions(**states: str) -> list[dict[str, str]]:
    return [{"type": each, "status": status} for each, status in states.items()]


def test_a_script_that_waits_hears_of_each_stage() -> None:
    ready = record(plan={"reason": "x"}, conditions=conditions(Published="True", Ready="True"))
    assert list(stages(ready).done) == list(Stage)
    assert stages(ready).is_ready
    on_its_way = record(conditions=conditions(Published="False", Ready="False", Reconciling="True"))
    assert list(stages(on_its_way).done) == [Stage.SEEN, Stage.CHECKED]
    stalled = stages(record(state="Down", conditions=conditions(Ready="False", Stalled="True")))
    assert stalled.stalled == "Stalled: Down: it is Down"
    assert not stages(Told(ready.kind, {"metadata": {"generation": 1}})).done


def test_the_examples_are_good_and_a_bundle_that_only_the_cluster_has_is_none_of_its_business() -> None:
    for folder in ("quickstart", "real-world", "regions"):
        ended = detour("validate", str(Path(__file__).parents[3] / "docs" / "examples" / folder))
        assert (ended.returncode, ended.stderr) == (0, "")


KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": "a", "cluster": {"server": "https://127.0.0.1:1"}}],
    "users": [{"name": "u", "user": {"token": "x"}}],
    "contexts": [
        {"name": "prod", "context": {"cluster": "a", "user": "u", "namespace": "shop"}},
        {"name": "bare", "context": {"cluster": "a", "user": "u"}},
    ],
}


@pytest.mark.parametrize(
    ("context", "current", "namespace"),
    [("prod", None, "shop"), ("bare", None, "default"), (None, "prod", "shop"), ("bare", "prod", "default")],
)
def test_the_namespace_is_that_of_the_context(
    tmp_path: Path, context: str | None, current: str | None, namespace: str
) -> None:
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(KUBECONFIG | ({"current-context": current} if current else {})))
    assert Place.of(str(path), context, None).default_namespace == namespace
    assert Place.of(str(path), context, "other").default_namespace == "other"


@pytest.mark.parametrize(("context", "told"), [("prodd", "has no context prodd"), (None, "has no current-context")])
def test_a_context_that_is_not_there_is_no_reason_to_act_elsewhere(
    tmp_path: Path, context: str | None, told: str
) -> None:
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(KUBECONFIG))
    with pytest.raises(CommandError, match=told):
        _ = Place.of(str(path), context, None).default_namespace


def test_what_the_api_server_would_fill_in_is_filled_in() -> None:
    raw = {"metadata": {"name": "api"}, "spec": {}}
    assert filled(raw, Kind.FAILOVER_RECORD, "shop")["metadata"]["namespace"] == "shop"
    assert "namespace" not in filled(raw, Kind.CLOUD_REGION, "shop")["metadata"]
