"""Values that make no sense are refused before anything is installed, and the message says what to write."""

import pytest

from detour_lab.controlplane import CommandError, ControlPlane
from detour_lab.stage.chart import CHART

OWNER = "owner=production"


def refusal(plane: ControlPlane, *settings: str) -> str:
    """Return what helm says to these settings; fails where it takes them."""
    with pytest.raises(CommandError) as raised:
        plane.helm("template", "detour", str(CHART), *(f"--set={each}" for each in settings))
    return raised.value.completed.stderr


def test_an_owner_is_required_in_a_whole_sentence(control_plane: ControlPlane) -> None:
    told = refusal(control_plane)
    assert "owner is missing: name this installation, such as --set owner=production" in told
    assert "must never change" in told


@pytest.mark.parametrize("owner", ["Production", "two.labels", "-x", "x-", "a" * 64, "a b"])
def test_an_owner_that_is_no_dns_label_is_named_with_the_rule(control_plane: ControlPlane, owner: str) -> None:
    told = refusal(control_plane, f"owner={owner}")
    assert f'owner must be a DNS label, not "{owner}"' in told
    assert "1 to 63 lower-case letters, digits and hyphens" in told


def test_several_sites_need_names_and_time_enough(control_plane: ControlPlane) -> None:
    assert "site.name is missing" in refusal(control_plane, "owner=production", "site.enabled=true")
    hasty = ("owner=production", "site.name=east", "site.enabled=true", "site.takeOverAfter=59")
    assert "a site that lives would be taken for dead" in refusal(control_plane, *hasty)


@pytest.mark.parametrize(
    ("setting", "place", "why"),
    [
        ("owner=5", "/owner", "got number, want string"),
        ("replicaCount=10", "/replicaCount", "maximum: got 10, want 9"),
        ("replicaCount=two", "/replicaCount", "got string, want integer"),
        ("site.rank=first", "/site/rank", "got string, want integer"),
        ("dryRun=never", "/dryRun", "got string, want boolean"),
        ("crds.enabled=1", "/crds/enabled", "got number, want boolean"),
        ("namespaces=dns", "/namespaces", "got string, want array"),
        ("namespaces={Not_A_Name}", "/namespaces/0", "does not match pattern"),
        ("checksInFlight=0", "/checksInFlight", "minimum: got 0, want 1"),
        ("logFormat=xml", "/logFormat", "value must be one of 'json', 'human'"),
        ("logLevel=trace", "/logLevel", "value must be one of 'debug', 'info', 'warning', 'error'"),
        ("site.name=Frankfurt", "/site/name", "does not match pattern"),
        ("image.digest=abc", "/image/digest", "does not match pattern"),
        ("image.pullPolicy=Sometimes", "/image/pullPolicy", "value must be one of"),
        ("podLabels.on=true", "/podLabels/on", "got boolean, want string"),
        ("extraEnv[0].value=x", "/extraEnv/0", "missing property 'name'"),
        ("credentials.secrets[0].namespace=dns", "/credentials/secrets/0", "missing property 'names'"),
        ("credentials.secrets[0].names={x}", "/credentials/secrets/0", "missing property 'namespace'"),
        ("caBundles={x}", "/caBundles/0", "got string, want object"),
        ("signals.statusFeeds.AWS=aws.json", "/signals/statusFeeds/AWS", "does not match pattern"),
        ("prometheusServers[0].url=http://x:9090", "/prometheusServers/0", "missing property 'name'"),
        ("userReports.service.type=Ingress", "/userReports/service/type", "value must be one of"),
        ("networkPolicy.egress.httpsPorts={70000}", "/networkPolicy/egress/httpsPorts/0", "maximum"),
    ],
)
def test_a_wrong_value_is_refused_by_its_place(control_plane: ControlPlane, setting: str, place: str, why: str) -> None:
    told = refusal(control_plane, OWNER, setting)
    assert f"at '{place}'" in told
    assert why in told


@pytest.mark.parametrize(
    ("setting", "key"),
    [
        ("replicas=1", "replicas"),
        ("site.nam=x", "nam"),
        ("credentials.secret=x", "secret"),
        ("credentials.secrets[0].name=x", "name"),
        ("image.registry=x", "registry"),
        ("signals.statusFeeds.Other=https://x", "Other"),
        ("serviceAccount.annotation=x", "annotation"),
        ("networkPolicy.egress.everywhere=true", "everywhere"),
        ("resources.limit=x", "limit"),
    ],
)
def test_an_unknown_value_is_refused_by_its_name(control_plane: ControlPlane, setting: str, key: str) -> None:
    told = refusal(control_plane, OWNER, setting)
    assert "additional properties" in told
    assert f"'{key}'" in told


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (["allowNetworks={10.0.0.0/40}"], 'allowNetworks: "10.0.0.0/40" is no network: write it like 10.0.0.0/8'),
        (["denyNetworks={everything}"], 'denyNetworks: "everything" is no network'),
        (["permittedEndpoints={dns.example.com}"], 'permittedEndpoints: "dns.example.com" is no endpoint'),
        (["permittedEndpoints={https://*}"], 'permittedEndpoints: "https://*" is no endpoint'),
        (["resolver=dns.example.com:53"], 'resolver: "dns.example.com:53" is no address:port'),
        (["userReports.proxies={proxy}"], 'userReports.proxies: "proxy" is no network'),
        (["userReports.enabled=true", "sharding.enabled=true"], "each replica would hear of a part of the users alone"),
        (["listenHost=::"], 'listenHost: "::" is no address: write it like 0.0.0.0 or [::]'),
        (
            ["namespaces={shop}", "credentials.secrets[0].namespace=dns", "credentials.secrets[0].names={x}"],
            'credentials.secrets names namespace "dns", which namespaces leaves out',
        ),
        (
            ["namespaces={shop}", "caBundles[0].namespace=dns", "caBundles[0].names={x}"],
            'caBundles names namespace "dns", which namespaces leaves out',
        ),
    ],
)
def test_what_the_schema_cannot_say_is_said_in_a_sentence(
    control_plane: ControlPlane, settings: list[str], sentence: str
) -> None:
    assert sentence in refusal(control_plane, OWNER, *settings)
