"""The operator at work under the chart's own service account, with the arguments that the chart gives it.

The API server counts what it denies. So an operator that did all its work without one denial has every permission that
it needs, also where it would have gone on quietly without; and what it must not have is asked for one by one.
"""

import datetime
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from detour_lab.controlplane import ControlPlane
from detour_lab.controlplane.process import Process
from detour_lab.services.certificates import CertificateAuthority
from detour_lab.services.services import ServiceCertificates
from detour_lab.stage.chart import ChartError, operator_command

from .operatorprocess import PATIENCE
from .released import (
    SYSTEM,
    Manifest,
    apply,
    denials,
    install,
    kubectl,
    lab,
    may,
    namespace,
    namespaced,
    plane_with_crds,
    record,
    region,
    running,
    service,
    tsig,
    until,
    zone,
)


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    with plane_with_crds() as started:
        yield started


def events(plane: ControlPlane, namespace: str, kind: str) -> Sequence[str]:
    query = f"--field-selector=involvedObject.kind={kind}"
    template = "--output=jsonpath={range .items[*]}{.reason}{'\\n'}{end}"
    return plane.kubectl("get", "events", f"--namespace={namespace}", query, template).stdout.split()


async def test_the_operator_does_all_its_work_under_the_chart_s_account(plane: ControlPlane, tmp_path: Path) -> None:
    domain = "everywhere.example.com"
    authority = CertificateAuthority(datetime.datetime.now(datetime.UTC))
    certificates = ServiceCertificates.issue(authority, f"secure.{domain}", "127.71.0.2")
    await apply(plane, namespace("dns", dns="own"), namespace("team", dns="guest"))
    install(
        plane,
        "detour",
        {
            "owner": "everywhere",
            "crds": {"enabled": False},
            "credentials": {"secrets": [{"namespace": "dns", "names": ["tsig"]}]},
            "caBundles": [{"namespace": "dns", "names": ["authorities"]}],
            "allowNetworks": ["127.0.0.0/8"],
            "logLevel": "debug",
        },
        tmp_path,
    )
    async with (
        lab(domain) as (server, store),
        service("127.71.0.1") as plain,
        service("127.71.0.2", certificates) as secure,
    ):
        by_http = {"http": {"port": plain.port, "path": "/"}}
        by_https = {"https": {"port": secure.port, "path": "/", "caBundleRef": {"name": "authorities"}}}
        selected = {"from": "Selector", "selector": {"matchExpressions": [{"key": "dns", "operator": "Exists"}]}}
        await apply(
            plane,
            tsig("dns"),
            tsig("dns", "other"),
            tsig("team"),
            namespaced("ConfigMap", "dns", "authorities", data={"ca.crt": authority.pem}),
            region("aws-us-east-1"),
            zone("dns", server, domain, allowedNamespaces=selected),
            record("dns", "api", f"api.{domain}", plain.address, by_http, deletionPolicy="Delete"),
            record("dns", "secure", f"secure.{domain}", secure.address, by_https),
            record(
                "team", "web", f"web.{domain}", plain.address, by_http, zones=[{"name": "zone", "namespace": "dns"}]
            ),
        )
        before = denials(plane)
        async with running(plane, "detour", tmp_path) as process:
            wait = ("wait", "--for=condition=Ready", f"--timeout={PATIENCE:g}s")
            try:
                await kubectl(plane, *wait, "dz/zone", "fr/api", "fr/secure", "--namespace=dns")
                await kubectl(plane, *wait, "fr/web", "--namespace=team")
                await kubectl(plane, *wait[:1], "--for=condition=Healthy", wait[2], "region/aws-us-east-1")
            except Exception as error:
                pytest.fail(f"{error}\n{process.log_tail(40)}")
            await until(lambda: events(plane, "dns", "FailoverRecord"), "an event about a record")
            await until(lambda: events(plane, "dns", "DNSZone"), "an event about a zone")

            drained = '{"spec": {"state": "Drained"}}'
            await kubectl(plane, "patch", "region", "aws-us-east-1", "--type=merge", "-p", drained)
            await until(lambda: events(plane, "default", "CloudRegion"), "an event about a region")

            assert store.get(f"api.{domain}", "A") is not None
            await kubectl(plane, "delete", "fr", "api", "--namespace=dns", f"--timeout={PATIENCE:g}s")
            assert store.get(f"api.{domain}", "A") is None, "the finalizer did not hold it until the name was gone"
            assert denials(plane) == before, process.log_tail(40)
        assert " 403" not in process.log.read_text()
        assert all(json.loads(line)["level"] for line in process.log.read_text().splitlines())

    # The count would have told: the same account asks for what it was not given.
    token = plane.service_account_kubeconfig(SYSTEM, "detour", tmp_path / "token")
    refused = plane.kubectl("get", "secret", "other", "--namespace=dns", kubeconfig=token, check=False)
    assert "forbidden" in refused.stderr
    assert denials(plane) > before


GRANTED = [
    ("get", "secrets/tsig", "--namespace=dns"),
    ("get", "configmaps/authorities", "--namespace=dns"),
    ("watch", "failoverrecords", "--all-namespaces"),
    ("watch", "externalverdicts", "--all-namespaces"),
    ("watch", "overrides", "--all-namespaces"),
    ("watch", "clusteroverrides"),
    ("patch", "clusteroverrides", "--subresource=status"),
    ("patch", "dnszones", "--subresource=status", "--namespace=shop"),
    ("create", "events", "--namespace=shop"),
    ("list", "namespaces"),
]
WITHHELD = [
    ("patch", "externalverdicts", "--namespace=shop"),
    ("create", "overrides", "--namespace=shop"),
    ("delete", "overrides", "--namespace=shop"),
    ("create", "clusteroverrides"),
    ("get", "secrets/other", "--namespace=dns"),
    ("get", "secrets/tsig", "--namespace=shop"),
    ("list", "secrets", "--namespace=dns"),
    ("watch", "secrets", "--namespace=dns"),
    ("patch", "secrets/tsig", "--namespace=dns"),
    ("get", "secrets", "--all-namespaces"),
    ("list", "configmaps", "--namespace=dns"),
    ("get", "configmaps/other", "--namespace=dns"),
    ("create", "failoverrecords", "--namespace=dns"),
    ("delete", "failoverrecords", "--namespace=dns"),
    ("update", "failoverrecords", "--namespace=dns"),
    ("patch", "cloudregions"),
    ("delete", "customresourcedefinitions"),
    ("get", "pods", f"--namespace={SYSTEM}"),
    ("create", "serviceaccounts/token", f"--namespace={SYSTEM}"),
    ("impersonate", "users"),
    ("delete", "events", "--namespace=dns"),
]


@pytest.fixture(scope="module")
def narrow(plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The account of a release that may read one Secret and one ConfigMap."""
    plane.kubectl("apply", "-f", "-", input=json.dumps(namespace("dns")))
    plane.kubectl("apply", "-f", "-", input=json.dumps(namespace("shop")))
    values = {
        "owner": "narrow",
        "fullnameOverride": "narrow",
        "crds": {"enabled": False},
        "credentials": {"secrets": [{"namespace": "dns", "names": ["tsig"]}]},
        "caBundles": [{"namespace": "dns", "names": ["authorities"]}],
    }
    install(plane, "narrow", values, tmp_path_factory.mktemp("narrow"))
    return "narrow"


@pytest.mark.parametrize("what", GRANTED, ids=" ".join)
def test_what_the_account_needs_is_granted(plane: ControlPlane, narrow: str, what: tuple[str, ...]) -> None:
    assert may(plane, narrow, *what)


@pytest.mark.parametrize("what", WITHHELD, ids=" ".join)
def test_everything_else_is_withheld(plane: ControlPlane, narrow: str, what: tuple[str, ...]) -> None:
    assert not may(plane, narrow, *what)


def asked(user: str, days: float = 1.0, kind: str = "Override", **spec: Any) -> str:
    """Return an override that a user asks for, as JSON."""
    expires = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
    what = {"action": "Freeze", "record": "api"} if kind == "Override" else {"action": "Drain", "region": "nowhere"}
    given = {"reason": "a test", "requestedBy": user, "expiresAt": expires.strftime("%Y-%m-%dT%H:%M:%SZ")}
    made = namespaced(kind, "shop", f"by-{user}-{days:g}".replace(".", "-").replace("--", "-"))
    made["spec"] = {**what, **given, **spec}
    if kind == "ClusterOverride":
        del made["metadata"]["namespace"]
    return json.dumps({"apiVersion": "detour.dev/v1alpha1", **made})


@pytest.mark.usefixtures("narrow")
def test_an_override_names_who_makes_it_and_ends_within_a_week(plane: ControlPlane) -> None:
    roles = plane.kubectl("get", "clusterroles", "-o", "name").stdout
    (ours,) = [each.split("/")[1] for each in roles.splitlines() if each.endswith("narrow-overrides")]
    (everybody_s,) = [each.split("/")[1] for each in roles.splitlines() if each.endswith("narrow-cluster-overrides")]
    plane.kubectl("create", "rolebinding", "alice", f"--clusterrole={ours}", "--user=alice", "--namespace=shop")
    plane.kubectl("create", "rolebinding", "bob", "--clusterrole=edit", "--user=bob", "--namespace=shop")
    plane.kubectl("create", "clusterrolebinding", "carol", f"--clusterrole={everybody_s}", "--user=carol")

    def made(text: str, user: str) -> str:
        done = plane.kubectl("create", f"--as={user}", "-f", "-", input=text, check=False)
        return done.stdout + done.stderr

    deadline = time.monotonic() + PATIENCE
    while "must be the user who makes the override: alice" not in (told := made(asked("dave"), "alice")):
        assert time.monotonic() < deadline, told  # a policy counts a moment after it was made
        plane.kubectl("delete", "override", "by-dave-1", "--namespace=shop", "--ignore-not-found")
        time.sleep(0.5)
    assert "created" in made(asked("alice"), "alice")
    assert "within 7 days" in made(asked("alice", 7.1), "alice")
    assert "is over already" in made(asked("alice", -0.1), "alice")
    assert "forbidden" in made(asked("bob"), "bob"), "the role edit permits it"
    assert "forbidden" in made(asked("alice", kind="ClusterOverride"), "alice")
    assert "created" in made(asked("carol", kind="ClusterOverride"), "carol")
    assert "must be the user" in made(asked("alice", kind="ClusterOverride"), "carol")
    plane.kubectl("delete", "clusteroverride", "by-carol-1")


async def test_a_confined_operator_works_with_roles_and_sees_nothing_else(plane: ControlPlane, tmp_path: Path) -> None:
    domain = "confined.example.com"
    await apply(plane, namespace("cellar"), namespace("attic"))
    install(
        plane,
        "confined",
        {
            "owner": "confined",
            "crds": {"enabled": False},
            "namespaces": ["cellar"],
            "credentials": {"secrets": [{"namespace": "cellar", "names": ["tsig"]}]},
            "allowNamespaceSelectors": False,
            "allowNetworks": ["127.0.0.0/8"],
            "logLevel": "debug",
        },
        tmp_path,
    )
    async with lab(domain) as (server, store), service("127.72.0.1") as plain:
        by_http = {"http": {"port": plain.port, "path": "/"}}
        await apply(
            plane,
            tsig("cellar"),
            region("aws-eu-west-1"),
            zone("cellar", server, domain),
            zone("attic", server, domain),
            record("cellar", "api", f"api.{domain}", plain.address, by_http, region="aws-eu-west-1"),
            record("attic", "unseen", f"unseen.{domain}", plain.address, by_http),
        )
        before = denials(plane)
        async with running(plane, "confined", tmp_path) as process:
            ready = ("wait", "--for=condition=Ready", f"--timeout={PATIENCE:g}s")
            try:
                await kubectl(plane, *ready, "dz/zone", "fr/api", "--namespace=cellar")
            except Exception as error:
                pytest.fail(f"{error}\n{process.log_tail(40)}")
            drained = '{"spec": {"state": "Drained"}}'
            await kubectl(plane, "patch", "region", "aws-eu-west-1", "--type=merge", "-p", drained)
            await until(
                lambda: "aws-eu-west-1" in plane.kubectl("get", "events", "--namespace=default").stdout,
                "an event about the region",
            )
            assert denials(plane) == before, process.log_tail(40)
        assert store.get(f"unseen.{domain}", "A") is None
        conditions = "-o=jsonpath={.status.conditions}"
        assert plane.kubectl("get", "fr", "unseen", "--namespace=attic", conditions).stdout == ""
    account = "confined-detour"
    assert may(plane, account, "list", "failoverrecords", "--namespace=cellar")
    assert may(plane, account, "list", "cloudregions")
    assert not may(plane, account, "list", "failoverrecords", "--namespace=attic")
    assert not may(plane, account, "list", "failoverrecords", "--all-namespaces")
    assert not may(plane, account, "list", "namespaces")


async def test_a_namespace_that_loses_its_role_does_not_stop_the_others_also_not_at_the_next_start(
    plane: ControlPlane, tmp_path: Path
) -> None:
    domain = "north.example.com"
    await apply(plane, namespace("north"), namespace("south"))
    values = {
        "owner": "compass",
        "crds": {"enabled": False},
        "namespaces": ["north", "south"],
        "credentials": {"secrets": [{"namespace": "north", "names": ["tsig"]}]},
        "allowNetworks": ["127.0.0.0/8"],
    }
    install(plane, "compass", values, tmp_path)
    async with lab(domain) as (server, _), service("127.73.0.1") as plain:
        by_http = {"http": {"port": plain.port, "path": "/"}}

        def of_north(name: str, **spec: Any) -> Manifest:
            return record("north", name, f"{name}.{domain}", plain.address, by_http, region="aws-eu-west-3", **spec)

        async def becomes_ready(name: str, process: Process) -> None:
            try:
                ready = ("wait", "--for=condition=Ready", f"--timeout={PATIENCE:g}s")
                await kubectl(plane, *ready, f"fr/{name}", "--namespace=north")
            except Exception as error:
                pytest.fail(f"{error}\n{process.log_tail(40)}")

        await apply(plane, tsig("north"), zone("north", server, domain), of_north("first"))
        async with running(plane, "compass", tmp_path) as process:
            await becomes_ready("first", process)
            await kubectl(plane, "delete", "role,rolebinding", "--all", "--namespace=south")
            await apply(plane, of_north("second"))
            await becomes_ready("second", process)
        beyond = of_north("beyond", zones=[{"name": "zone", "namespace": "south"}])
        async with running(plane, "compass", tmp_path) as process:
            await apply(plane, of_north("third"), beyond)
            await becomes_ready("third", process)
            told = "cannot be listed in namespace south (the API server answers 403"
            assert f"FailoverRecords {told}" in process.log.read_text()

            def reason() -> bool:
                path = '-o=jsonpath={.status.conditions[?(@.type=="Published")].reason}'
                found = plane.kubectl("get", "fr", "beyond", "--namespace=north", path).stdout
                return found == "ZoneUnreadable"

            await until(reason, "the record that needs a zone there says so")

            def warned() -> bool:
                path = '-o=jsonpath={.status.conditions[?(@.type=="Warning")].message}'
                return "namespace south" in plane.kubectl("get", "dz", "zone", "--namespace=north", path).stdout

            await until(warned, "the zone says that some records are not seen")


def test_a_command_is_built_for_what_is_installed_only(plane: ControlPlane, narrow: str) -> None:
    argv, environment = operator_command(plane, narrow, SYSTEM, environment={"DETOUR_DRY_RUN": "1", "HOME": "/tmp"})  # noqa: S108
    assert argv[1:3] == ["run", "--owner=narrow"]
    assert [each for each in argv if each.startswith("--listen=127.0.0.1:")] == argv[-1:]
    assert set(environment) == {"HOME", "KUBECONFIG"}
    assert Path(environment["KUBECONFIG"]).stat().st_mode & 0o077 == 0
    with pytest.raises(ChartError, match="install the chart under that name first"):
        operator_command(plane, "absent", SYSTEM)
