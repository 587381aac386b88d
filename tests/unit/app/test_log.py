"""The log has a line for whatever happens, with fields that stay."""

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from detour.app.logs import JSONFormatter
from detour.model.objects import Kind

from .objects import dns_zone, failover_record
from .world import Clouds, World

Boot = Callable[..., World]
CALM = {"safety": {"panicThreshold": 100}}


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [json.loads(JSONFormatter().format(each)) for each in caplog.records if each.name.startswith("detour")]


def found(caplog: pytest.LogCaptureFixture, **fields: str) -> list[dict[str, Any]]:
    return [each for each in lines(caplog) if all(each.get(name) == value for name, value in fields.items())]


async def test_a_failover_is_told_with_before_after_and_reason(boot: Boot, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "detour")
    world = boot(dns_zone(**CALM), failover_record())
    await asyncio.sleep(60)
    world.down = {"192.0.2.1"}
    await asyncio.sleep(60)
    decided = found(caplog, event="decision", record="shop/api")[-1]
    assert (decided["before"], decided["after"]) == ("192.0.2.1", "192.0.2.2")
    assert "one is unhealthy" in decided["reason"]
    accepted = found(caplog, event="accepted", record="shop/api", zone="shop/main")[-1]
    assert (accepted["before"], accepted["after"]) == ("192.0.2.1", "192.0.2.2")
    assert len(found(caplog, message=decided["message"])) == 1, "told once"


async def test_refusals_and_errors_of_a_provider_are_told(
    boot: Boot, clouds: Clouds, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "detour")
    clouds.refusing.add("main")
    boot(dns_zone(**CALM), failover_record(), failover_record("lost", uid="u-2", zones=[{"name": "nowhere"}]))
    await asyncio.sleep(60)
    (refused,) = found(caplog, event="told", record="shop/lost", reason="ZoneMissing")
    assert refused["level"] == "warning"
    assert found(caplog, event="told", zone="shop/main", reason="CredentialsRefused")


async def test_a_deletion_is_called_one(boot: Boot, clouds: Clouds, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "detour")
    world = boot(dns_zone(**CALM), failover_record(deletionPolicy="Delete"))
    await asyncio.sleep(60)
    clouds.zone().guarded.clear()
    world.api.delete(Kind.FAILOVER_RECORD, "api")
    await asyncio.sleep(60)
    (told,) = found(caplog, message="api.example.org: shop/main has deleted it (it was 192.0.2.1)")
    assert (told["event"], told["before"], told["after"]) == ("accepted", "192.0.2.1", "")
