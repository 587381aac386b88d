"""`detour check`: what it checks, what it says of that, and its exit status."""

from typing import Any

import pytest
import yaml

from detour.checks.resolver import Resolution, ResolutionOutcome
from detour.checks.run import nobody_asked
from detour.cli.check import Checker, CheckSettings, _in_text, passing, table, told_of
from detour.kube.translate import DeclarationError
from detour.model.checks import CheckResult, ExternalCheck, Target, TCPCheck

from ..app.objects import cloud_region, failover_record  # noqa: TID252 - the root is on no path

SETTINGS = CheckSettings("-", namespace="shop")


def applied(raw: dict[str, Any]) -> dict[str, Any]:
    """Return an object as it stands in a file: without what the API server fills in."""
    return {**raw, "metadata": {"name": raw["metadata"]["name"]}}


def checker(
    *, down: tuple[str, ...] = (), slow: tuple[str, ...] = (), names: dict[str, tuple[str, ...]] | None = None
) -> Checker:
    async def check(target: Target) -> CheckResult:
        if target.address in down:
            return CheckResult(False, "ConnectionRefused", f"{target.address} port 443 refused the connection", 0.0)
        return CheckResult(True, "", "", 1.5 if target.address in slow else 0.012)

    async def resolve(hostname: str) -> Resolution:
        found = (names or {}).get(hostname)
        if found is None:
            return Resolution(ResolutionOutcome.FAILED, (), 5.0, message=f"nobody answers for {hostname}")
        outcome = ResolutionOutcome.ANSWERED if found else ResolutionOutcome.NO_ADDRESSES
        return Resolution(outcome, found, 5.0)

    return Checker(resolve=resolve, check=check, at_once=2)


async def lines(raw: dict[str, Any], **options: Any) -> list[tuple[str, ...]]:
    (record,) = await _in_text(yaml.safe_dump(applied(raw)), SETTINGS)
    return [each.cells() for each in await checker(**options).lines(record)]


async def test_each_address_of_each_endpoint_has_a_line() -> None:
    endpoints = [
        {"name": "one", "region": "r", "addresses": ["192.0.2.1", "192.0.2.2"]},
        {"name": "two", "region": "r", "hostname": "lb.example.net"},
        {"name": "three", "region": "r", "hostname": "gone.example.net"},
        {"name": "four", "region": "r", "hostname": "unanswered.example.net"},
    ]
    found = await lines(
        failover_record(endpoints=endpoints),
        down=("192.0.2.2",),
        names={"lb.example.net": ("192.0.2.3",), "gone.example.net": ()},
    )
    assert found == [
        ("one", "192.0.2.1", "passes", "12 ms", ""),
        ("one", "192.0.2.2", "fails", "-", "ConnectionRefused: 192.0.2.2 port 443 refused the connection"),
        ("two", "192.0.2.3", "passes", "12 ms", ""),
        ("three", "gone.example.net", "fails", "-", "gone.example.net leads to 0 of at least 1 addresses"),
        ("four", "unanswered.example.net", "not known", "-", "nobody answers for unanswered.example.net"),
    ]


async def test_it_says_what_there_is_to_say_of_one_that_passes() -> None:
    check = {"tcp": {"port": 443}, "latency": {"above": "800ms"}}
    raw = failover_record(healthCheck=check)
    raw["spec"]["endpoints"][1]["state"] = "Drained"
    found = await lines(raw, slow=("192.0.2.1",))
    assert [each[4] for each in found] == [
        "slower than healthCheck.latency.above (800 ms)",
        "drained: it takes no traffic",
    ]


async def test_the_canaries_of_regions_are_checked_too() -> None:
    canaries = [{"name": "api", "hostname": "api.cloud", "minAddresses": 2}, {"name": "db", "hostname": "db.cloud"}]
    records = await _in_text(yaml.safe_dump(applied(cloud_region(canaries=canaries))), SETTINGS)
    names = {"api.cloud": ("192.0.2.1",), "db.cloud": ("192.0.2.2",)}
    found = [each for record in records for each in await checker(names=names).lines(record)]
    assert [(each.endpoint, each.passed) for each in found] == [("api", False), ("db", True)]
    assert found[0].why == "api.cloud leads to 1 of at least 2 addresses"


async def test_an_endpoint_passes_with_one_address_that_does() -> None:
    endpoints = [{"name": "one", "region": "r", "addresses": ["192.0.2.1", "192.0.2.2"]}]
    (record,) = await _in_text(yaml.safe_dump(applied(failover_record(endpoints=endpoints))), SETTINGS)
    assert passing(await checker(down=("192.0.2.2",)).lines(record)) == (1, 1)
    assert passing(await checker(down=("192.0.2.1", "192.0.2.2")).lines(record)) == (0, 1)


async def test_all_documents_of_a_file_count_and_those_in_lists_and_no_others() -> None:
    listed = {"kind": "List", "items": [applied(failover_record("www"))]}
    others = {"kind": "Deployment", "metadata": {"name": "www"}}
    text = yaml.safe_dump_all([applied(failover_record("api")), None, others, listed, "nonsense"])
    assert [str(each.key) for each in await _in_text(text, SETTINGS)] == ["shop/api", "shop/www"]


async def test_what_cannot_be_read_is_said_with_its_name() -> None:
    raw = applied(failover_record("api", ttl=1))
    with pytest.raises(DeclarationError, match=r"FailoverRecord api: spec\.ttl: input should be greater than"):
        await _in_text(yaml.safe_dump(raw), SETTINGS)


async def test_the_head_says_what_is_checked() -> None:
    check = {"https": {"path": "/healthz"}, "timeout": "500ms"}
    (record,) = await _in_text(yaml.safe_dump(applied(failover_record(healthCheck=check))), SETTINGS)
    assert told_of(record) == (
        "shop/api (api.example.org): https port 443, GET /healthz of api.example.org, within 0.5 s"
    )


async def test_columns_are_as_wide_as_what_stands_in_them() -> None:
    (record,) = await _in_text(yaml.safe_dump(applied(failover_record())), SETTINGS)
    head, first, _ = table(await checker().lines(record)).splitlines()
    assert head.index("ADDRESS") == first.index("192.0.2.1")
    assert not any(each.endswith(" ") for each in (head, first))


async def test_where_there_are_several_checks_each_has_a_line_below_what_they_say_together() -> None:
    checks = {
        "atLeast": 1,
        "checks": [
            {"name": "gateway", "tcp": {"port": 8443}},
            {"name": "eu", "role": "Counted", "tcp": {"port": 1}},
            {"name": "us", "role": "Counted", "tcp": {"port": 2}},
            {"name": "seen", "role": "Observed", "tcp": {"port": 3}},
            {"name": "synthetic", "external": {"name": "checkout-$endpoint"}},
        ],
    }
    failing = {("192.0.2.1", 1), ("192.0.2.1", 3), ("192.0.2.2", 8443)}

    async def check(target: Target) -> CheckResult:
        if isinstance(target.probe, ExternalCheck):
            return await nobody_asked(target.probe)
        assert isinstance(target.probe, TCPCheck)
        if (target.address, target.probe.port) in failing:
            return CheckResult(False, "ConnectionRefused", "refused", 0.0)
        return CheckResult(True, "", "", 0.012)

    async def resolve(hostname: str) -> Resolution:
        raise AssertionError(hostname)

    raw = failover_record(healthCheck={"tcp": {"port": 443}}, healthChecks=checks)
    (record,) = await _in_text(yaml.safe_dump(applied(raw)), SETTINGS)
    found = await Checker(resolve=resolve, check=check, at_once=3).lines(record)
    first, second = found[:7], found[7:]
    assert [(each.address.strip(), each.passed) for each in first] == [
        ("192.0.2.1", True),
        ("healthCheck", True),
        ("gateway", True),
        ("eu", False),
        ("us", True),
        ("seen", False),
        ("synthetic", None),
    ]
    assert first[6].why == "NotAsked: verdicts that are made elsewhere are not asked for from here"
    assert [each.passed for each in second[:3]] == [False, True, False]
    assert passing(found) == (1, 2)
