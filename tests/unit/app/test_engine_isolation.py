"""Whatever one zone's provider, Secret or settings contain is that zone's trouble: the others go on."""

import asyncio
import json
import random
from collections.abc import Callable
from typing import Any

import pytest

from detour.enactment.contract import Batch, CredentialsRefusedError, ZoneContents, ZoneFacts
from detour.engine.ports import NOT_REACHED, ClusterError
from detour.model.objects import Kind
from detour_simulation.memoryzone import MemoryProvider

from .gating import EAST, WEST, record
from .objects import dns_zone, failover_record
from .world import Clouds, World

Boot = Callable[..., World]
DZ = Kind.DNS_ZONE
ONE, TWO = {"192.0.2.1"}, {"192.0.2.2"}
TOKEN = "ya29.a-credential"


class OddError(Exception):
    """An SDK's own, which is none of the contract's."""


ODD_ERRORS: list[BaseException] = [
    OddError(f"<html>Authorization: Bearer {TOKEN}"),
    KeyError("rrsets"),
    AttributeError("'NoneType' object has no attribute 'text'"),
    ValueError(f"not well-formed: {TOKEN}"),
    UnicodeDecodeError("utf-8", b"\xe9", 0, 1, "invalid continuation byte"),
    json.JSONDecodeError("Expecting value", TOKEN, 0),
    RecursionError("maximum recursion depth exceeded"),
    FileNotFoundError(2, "No such file", "/var/run/secrets/token"),
    TimeoutError(),
    OSError(5, "Input/output error"),
    TypeError("unhashable type"),
    NotImplementedError(),
    asyncio.CancelledError(),
]
ODD_ANSWERS: list[object] = [None, {}, "<html>", ZoneContents(), 7]
CALLS = ("describe", "read_zone", "read_names", "apply")


def break_call(provider: MemoryProvider, call: str, outcome: object) -> None:
    """Let every such call end in `outcome`: raised where it is an exception, returned where it is not."""

    async def broken(*_: object) -> object:
        await asyncio.sleep(0.01)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    setattr(provider, call, broken)


def every_text(world: World) -> str:
    """Return all that a person reads of the objects, and all events."""
    return json.dumps([*world.api.objects.values(), *world.api.events], default=str)


async def two_zones(boot: Boot) -> World:
    other = record("www", (EAST, "192.0.2.11", 1), (WEST, "192.0.2.12", 2), zones=[{"name": "other"}])
    other["spec"]["hostname"] = "www.example.net"
    world = boot(dns_zone(), dns_zone("other", uid="z-2", domain="example.net"), failover_record(), other)
    await world.until(lambda: all(world.api.condition("Ready", name)[0] == "True" for name in ("api", "www")))
    return world


@pytest.mark.slow
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("error", ODD_ERRORS, ids=lambda error: type(error).__name__)
async def test_an_error_that_nobody_foresaw_costs_its_zone_alone(
    boot: Boot, clouds: Clouds, call: str, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    world = await two_zones(boot)
    for provider in [each for each in clouds.providers if each.zone is clouds.zone("main")]:
        break_call(provider, call, error)
    world.engine.zones.keepers[next(iter(world.engine.zones.keepers))]._enactor.suspect("api.example.org")
    world.down = {"192.0.2.1", "192.0.2.11"}
    await world.until(lambda: world.answers("www.example.net", "other") == {"192.0.2.12"}, within=30)
    await asyncio.sleep(1200)
    assert not world.engine.zones.failure.done()
    assert TOKEN not in every_text(world)
    assert TOKEN not in caplog.text
    for provider in clouds.providers:
        provider.__dict__.pop(call, None)  # it works again
    await world.until(lambda: world.answers() == TWO, within=120)


@pytest.mark.parametrize("answer", ODD_ANSWERS, ids=str)
async def test_an_answer_to_a_write_that_tells_nothing_is_a_lost_one(
    boot: Boot, clouds: Clouds, answer: object
) -> None:
    world = await two_zones(boot)
    for provider in [each for each in clouds.providers if each.zone is clouds.zone("main")]:
        break_call(provider, "apply", answer)
    world.down = {"192.0.2.1"}
    await asyncio.sleep(60)
    assert world.answers() == ONE, "nothing was written, whatever was answered"
    assert world.api.condition("Ready")[0] != "True"
    for provider in clouds.providers:
        provider.__dict__.pop("apply", None)
    await world.until(lambda: world.answers() == TWO, within=120)


@pytest.mark.slow
@pytest.mark.parametrize("error", ODD_ERRORS, ids=lambda error: type(error).__name__)
async def test_a_zone_that_cannot_be_opened_costs_itself_alone(
    boot: Boot, clouds: Clouds, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    open_zone, is_odd = clouds.open_zone, [True]

    async def odd(zone: Any, **options: Any) -> Any:
        if zone.key.name == "main" and is_odd[0]:
            raise error
        return await open_zone(zone, **options)

    clouds.open_zone = odd  # type: ignore[method-assign]
    other = record("www", (EAST, "192.0.2.11", 1), (WEST, "192.0.2.12", 2), zones=[{"name": "other"}])
    other["spec"]["hostname"] = "www.example.net"
    world = boot(dns_zone(), dns_zone("other", uid="z-2", domain="example.net"), failover_record(), other)
    await world.until(lambda: world.api.condition("Ready", "www")[0] == "True")
    await asyncio.sleep(600)
    assert not world.engine.zones.failure.done()
    assert world.api.condition("Ready", "main", DZ)[0] != "True"
    assert TOKEN not in every_text(world)
    assert TOKEN not in caplog.text
    is_odd[0] = False
    await world.until(lambda: world.api.condition("Ready")[0] == "True", within=60)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(40))
async def test_any_call_may_end_in_anything_at_any_time(boot: Boot, clouds: Clouds, seed: int) -> None:
    """Fifty calls of one zone, in turns, each ending in something odd; the other zone's failover keeps its bound."""
    draw = random.Random(seed)
    world = await two_zones(boot)
    provider = next(each for each in clouds.providers if each.zone is clouds.zone("main"))
    for _ in range(50):
        call = draw.choice(CALLS)
        outcome = draw.choice([*ODD_ERRORS, *ODD_ANSWERS])
        break_call(provider, call, outcome)
        world.down ^= {"192.0.2.1"}
        await asyncio.sleep(draw.uniform(0.1, 40))
        provider.__dict__.pop(call)
    world.down = {"192.0.2.11"}
    await world.until(lambda: world.answers("www.example.net", "other") == {"192.0.2.12"}, within=30)
    assert not world.engine.zones.failure.done()
    assert not clouds.zone().emptied
    world.down = {"192.0.2.1", "192.0.2.11"}
    await world.until(lambda: world.answers() == TWO, within=700)


# -- credentials -------------------------------------------------------------------------------------------------------


class Refused(MemoryProvider):
    """Lets nobody in."""

    async def describe(self) -> ZoneFacts:
        raise CredentialsRefusedError("AccessDenied: route53:GetHostedZone")

    async def apply(self, batch: Batch) -> ZoneContents:
        raise CredentialsRefusedError("AccessDenied: route53:ChangeResourceRecordSets")


async def with_a_secret(boot: Boot, clouds: Clouds) -> World:
    """Start with a zone whose Secret says `key: value`; `key: weak` is refused."""
    open_zone = clouds.open_zone

    async def by_secret(zone: Any, *, secret: Any, pace: Any) -> MemoryProvider:
        if secret == {"key": "weak"}:
            return Refused(clouds.zone(zone.key.name), clouds.limits)
        return await open_zone(zone, secret=secret, pace=pace)

    clouds.open_zone = by_secret  # type: ignore[method-assign]
    world = boot(dns_zone(credentialsSecretRef={"name": "key"}), failover_record())
    await world.until(lambda: world.api.condition("Ready")[0] == "True")
    return world


async def test_credentials_that_are_refused_replace_no_connection_that_works(boot: Boot, clouds: Clouds) -> None:
    world = await with_a_secret(boot, clouds)
    world.secret["key"] = "weak"
    await world.until(lambda: world.api.condition("Ready", "main", DZ) == ("False", "CredentialsRefused"))
    world.down = set(ONE)
    await world.until(lambda: world.answers() == TWO)
    world.secret["key"] = "value"
    await world.until(lambda: world.api.condition("Ready", "main", DZ)[0] == "True")


async def test_a_secret_that_is_deleted_ends_what_it_permitted_at_once(boot: Boot, clouds: Clouds) -> None:
    world = await with_a_secret(boot, clouds)
    world.secret_error = ClusterError("not found", 404)
    await world.until(lambda: world.api.condition("Ready", "main", DZ) == ("False", "SecretMissing"))
    writes = sum(len(each.writes) for each in clouds.providers)
    world.down = set(ONE)
    await asyncio.sleep(120)
    assert world.answers() == ONE
    assert sum(len(each.writes) for each in clouds.providers) == writes
    world.secret_error = None
    await world.until(lambda: world.answers() == TWO)


async def test_a_secret_that_cannot_be_read_just_now_ends_nothing(boot: Boot, clouds: Clouds) -> None:
    world = await with_a_secret(boot, clouds)
    world.secret_error = ClusterError("the API server is away", NOT_REACHED)
    await asyncio.sleep(120)
    world.down = set(ONE)
    await world.until(lambda: world.answers() == TWO)
