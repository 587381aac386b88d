"""Probes as the chart installs them: under their own accounts, heard by an operator, at a real API server."""

import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from detour_lab.controlplane import ControlPlane
from detour_lab.controlplane.process import Process
from detour_lab.dns.nameserver import NameServer
from detour_lab.services.services import Mode
from detour_lab.zones.store import ZoneStore

from .operatorprocess import PATIENCE
from .released import (
    SYSTEM,
    apply,
    denials,
    install,
    kubectl,
    lab,
    may,
    namespace,
    plane_with_crds,
    record,
    running,
    service,
    tsig,
    until,
    zone,
)

LOOPBACK = {"allowNetworks": ["127.0.0.0/8"], "logLevel": "debug"}
EAST, WEST = "aws-us-east-1", "azure-westeurope"


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    with plane_with_crds() as started:
        yield started


def told(plane: ControlPlane, kind: str, name: str, *options: str) -> Any:
    """Return the status of an object."""
    return json.loads(plane.kubectl("get", kind, name, "--output=json", *options).stdout).get("status", {})


def state(plane: ControlPlane, name: str) -> str:
    return str(told(plane, "vantage", name).get("state"))


@contextlib.asynccontextmanager
async def probing(plane: ControlPlane, name: str, folder: Path) -> AsyncIterator[Process]:
    """A probe that is heard."""
    async with running(plane, name, folder) as process:
        try:
            await until(lambda: state(plane, name) == "Trusted", f"vantage {name} is trusted")
        except AssertionError:
            pytest.fail(f"{told(plane, 'vantage', name)}\n{process.log_tail(30)}")
        yield process


def served(store: ZoneStore, hostname: str) -> set[str]:
    found = store.get(hostname, "A")
    return set(found.values) if found is not None else set()


def one(plane: ControlPlane) -> dict[str, Any]:
    """Return what the record's status says of its first endpoint."""
    found: dict[str, Any] = told(plane, "fr", "api", "--namespace=views")["endpoints"][0]
    return found


def in_the_zone(server: NameServer, domain: str, hostname: str, places: dict[str, tuple[str, int]]) -> list[Any]:
    """Return a zone, and a record whose endpoints are these, the first one first."""
    (first, port), *_ = places.values()
    endpoints = [
        {"name": region, "region": region, "addresses": [address], "priority": number}
        for number, (region, (address, _)) in enumerate(places.items(), 1)
    ]
    by_http = {"http": {"port": port, "path": "/"}}
    return [
        tsig("views"),
        zone("views", server, domain),
        record("views", "api", hostname, first, by_http, endpoints=endpoints, failback={"holdDown": "0s"}),
    ]


async def test_three_vantages_decide_by_majority_each_with_the_permissions_of_the_chart_and_none_more(
    plane: ControlPlane, tmp_path: Path
) -> None:
    domain, hostname = "views.example.com", "api.views.example.com"
    await apply(plane, namespace("views"))
    credentials = {"secrets": [{"namespace": "views", "names": ["tsig"]}]}
    install(
        plane, "detour", {"owner": "views", "crds": {"enabled": False}, "credentials": credentials} | LOOPBACK, tmp_path
    )
    for name in ("east", "west"):
        install(plane, name, {"mode": "probe", "vantage": {"name": name, "cloud": "AWS"}} | LOOPBACK, tmp_path)
    async with (
        lab(domain) as (server, store),
        service("127.74.0.1") as first,
        service("127.74.0.2", port=first.port) as second,
    ):
        places = {EAST: (first.address, first.port), WEST: (second.address, second.port)}
        await apply(plane, *in_the_zone(server, domain, hostname, places))
        before = denials(plane)
        async with running(plane, "detour", tmp_path) as operator:
            await kubectl(
                plane, "wait", "--for=condition=Ready", f"--timeout={PATIENCE:g}s", "fr/api", "--namespace=views"
            )
            assert served(store, hostname) == {first.address}
            async with probing(plane, "east", tmp_path) as east:
                async with probing(plane, "west", tmp_path) as west:
                    table = await kubectl(plane, "get", "vantages")
                    assert "Trusted" in table, table
                    assert (
                        told(plane, "vantage", "east")["report"]["digest"]
                        == told(plane, "vantage", "west")["report"]["digest"]
                    )
                    await first.switch(Mode.STATUS_500)
                    await until(lambda: served(store, hostname) == {second.address}, "the majority moves the name")
                    await until(lambda: "3 of 3 votes" in one(plane).get("message", ""), "the record names the votes")
                    await first.switch(Mode.UP)
                    await until(lambda: served(store, hostname) == {first.address}, "and takes it back")
                    assert denials(plane) == before, operator.log_tail(20) + east.log_tail(20) + west.log_tail(20)
                await until(lambda: state(plane, "west") == "Stale", "the one that ended is stale")
            await until(lambda: state(plane, "east") == "Stale", "the other one too")
            await first.switch(Mode.STATUS_500)
            await until(lambda: one(plane).get("reason") == "NoQuorum", "one vote of three is no quorum")
            assert served(store, hostname) == {first.address}
            message = one(plane)["message"]
            assert "operator finds it failing: 1 of 3 votes" in message
            assert "east abstains: no sign of life" in message
            await kubectl(plane, "delete", "vantage", "east", "west")
            await until(lambda: served(store, hostname) == {second.address}, "who is no vantage any more has no vote")


GRANTED = [
    ("patch", "vantages/east", "--subresource=status"),
    ("patch", "leases/vantage-east", f"--namespace={SYSTEM}"),
    ("list", "failoverrecords", "--all-namespaces"),
    ("list", "cloudregions"),
]
WITHHELD = [
    ("patch", "vantages/west", "--subresource=status"),
    ("patch", "vantages/east"),
    ("update", "vantages/east", "--subresource=status"),
    ("create", "vantages"),
    ("delete", "vantages/east"),
    ("patch", "leases/vantage-west", f"--namespace={SYSTEM}"),
    ("patch", "leases/detour", f"--namespace={SYSTEM}"),
    ("create", "leases", f"--namespace={SYSTEM}"),
    ("get", "secrets", "--all-namespaces"),
    ("get", "configmaps", "--all-namespaces"),
    ("patch", "failoverrecords", "--all-namespaces"),
    ("patch", "failoverrecords", "--subresource=status", "--all-namespaces"),
    ("list", "dnszones", "--all-namespaces"),
    ("create", "events", "--namespace=views"),
]


@pytest.mark.parametrize("what", GRANTED, ids=" ".join)
def test_what_a_probe_needs_is_granted(plane: ControlPlane, what: tuple[str, ...]) -> None:
    assert may(plane, "east-detour", *what)


@pytest.mark.parametrize("what", WITHHELD, ids=" ".join)
def test_everything_else_is_withheld(plane: ControlPlane, what: tuple[str, ...]) -> None:
    assert not may(plane, "east-detour", *what)
