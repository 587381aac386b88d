"""A region fails and DNS follows; it recovers and DNS comes back: as kubectl shows it, on real parts."""

import asyncio
import time

import pytest

from detour_lab.services.services import Mode, RegionalService

from .operating import Stage
from .operatorprocess import until
from .stories import story

pytestmark = pytest.mark.asyncio(loop_scope="session")


@story
async def test_a_name_moves_to_the_next_region_and_back_without_one_empty_answer(stage: Stage) -> None:
    virginia, netherlands = await stage.places("virginia", "netherlands")
    await stage.apply(*stage.basics(), stage.record([virginia, netherlands]))
    await stage.kubectl("wait", "--for=condition=Ready", "fr/api", "--timeout=180s")
    assert stage.published() == (virginia.address,)

    await virginia.service.switch(Mode.REFUSING)
    await stage.serves(netherlands.address)
    assert "virginia is unhealthy" in await stage.condition("api", "FailedOver", "True", "OnLowerPriority")
    assert "refused the connection" in await stage.condition("api", "Healthy", "False", "SomeUnhealthy")
    await stage.ready()
    head, row = (await stage.kubectl("get", "fr", "api")).splitlines()
    assert head.split() == ["HOSTNAME", "SERVING", "HEALTHY", "READY", "AGE"] or head.split()[0] == "NAME"
    assert "netherlands" in row
    assert "1/2" in row
    assert "True" in row

    await virginia.service.switch(Mode.UP)
    await stage.serves(virginia.address)
    await stage.condition("api", "FailedOver", "False", "OnFirstPriority")
    assert not stage.was_ever_empty()
    await stage.saw(f"{netherlands.address} -> {virginia.address}")
    assert [line.partition(" (")[0] for line in await stage.events("Decided", "Rerouted")] == [
        f"Normal Decided: api.{stage.domain} is to be {virginia.address}",
        f"Normal Rerouted: api.{stage.domain}: {virginia.address} -> {netherlands.address}",
        f"Normal Rerouted: api.{stage.domain}: {netherlands.address} -> {virginia.address}",
    ]


@story
async def test_a_recovered_region_waits_for_its_hold_down_and_says_so(stage: Stage) -> None:
    virginia, netherlands = await stage.places("virginia", "netherlands")
    await stage.apply(*stage.basics(), stage.record([virginia, netherlands], failback={"holdDown": "3s"}))
    await stage.serves(virginia.address)
    await virginia.service.switch(Mode.STATUS_500)
    await stage.serves(netherlands.address)

    await virginia.service.switch(Mode.UP)
    recovered = asyncio.get_running_loop().time()
    await stage.condition("api", "Healthy", "True", saying="2 of 2")
    await stage.condition("api", "FailedOver", "True", saying="virginia is held down")
    assert stage.published() == (netherlands.address,)
    await stage.serves(virginia.address)
    assert stage.store.log[-1].at - recovered >= 3


@story
async def test_failures_count_for_nothing_while_checks_are_paused_and_for_all_afterwards(stage: Stage) -> None:
    virginia, netherlands = await stage.places("virginia", "netherlands")
    await stage.apply(*stage.basics(), stage.record([virginia, netherlands]))
    await stage.serves(virginia.address)
    await stage.patch("api", {"healthCheck": {"pausedUntil": (until := _rfc3339(time.time() + 3600))}})
    await stage.condition("api", "Warning", "True", "ChecksPaused", saying=until)
    await virginia.service.switch(Mode.STATUS_500)
    await stage.condition("api", "Healthy", "False", saying="counts for nothing")
    assert stage.published() == (virginia.address,)
    await stage.patch("api", {"healthCheck": {"pausedUntil": (until := _rfc3339(time.time() + 3))}})
    await stage.serves(netherlands.address)
    assert _rfc3339(time.time()) >= until, "not before the pause was over"
    await stage.condition("api", "Warning", "False")


def _rfc3339(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


@story
async def test_with_manual_failback_a_person_brings_traffic_back_with_an_annotation(stage: Stage) -> None:
    virginia, netherlands = await stage.places("virginia", "netherlands")
    await stage.apply(*stage.basics(), stage.record([virginia, netherlands], failback={"mode": "Manual"}))
    await stage.serves(virginia.address)
    await virginia.service.switch(Mode.REFUSING)
    await stage.serves(netherlands.address)
    await virginia.service.switch(Mode.UP)
    await stage.condition("api", "Healthy", "True")
    await stage.condition(
        "api", "FailedOver", "True", saying="virginia waits for a new value of the annotation detour.dev/failback"
    )
    assert stage.published() == (netherlands.address,)

    await stage.kubectl("annotate", "fr", "api", "detour.dev/failback=now")
    await stage.serves(virginia.address)

    async def is_noted() -> bool:
        return bool((await stage.status()).get("commands") == {"failback": "now"})

    await until(is_noted, "the status says that it was acted upon")

    await virginia.service.switch(Mode.REFUSING)
    await stage.serves(netherlands.address)
    await virginia.service.switch(Mode.UP)
    await stage.condition(
        "api", "FailedOver", "True", saying="virginia waits for a new value of the annotation detour.dev/failback"
    )
    assert stage.published() == (netherlands.address,), "the annotation counted once"
    await stage.kubectl("annotate", "fr", "api", "detour.dev/failback-")
    await stage.kubectl("annotate", "fr", "api", "detour.dev/failback=now")
    await stage.kubectl("annotate", "fr", "api", "detour.dev/fallback=2")
    await stage.condition("api", "Warning", "True", "UnknownAnnotation", saying="did you mean detour.dev/failback?")
    assert stage.published() == (netherlands.address,), "nor does the same value put back"
    await stage.kubectl("annotate", "fr", "api", "--overwrite", "detour.dev/failback=2")
    await stage.serves(virginia.address)


@story
async def test_multivalue_publishes_every_healthy_endpoint(stage: Stage) -> None:
    places = await stage.places("virginia", "netherlands", "frankfurt")
    await stage.apply(*stage.basics(), stage.record(places, strategy="MultiValue"))
    await stage.serves(*(each.address for each in places))
    await places[1].service.switch(Mode.BLACK_HOLE)
    await stage.serves(places[0].address, places[2].address)
    assert "netherlands is unhealthy" in await stage.condition("api", "FailedOver", "True", "SomeLeftOut")
    assert (await stage.status())["summary"]["serving"] == "virginia,frankfurt"


@story
async def test_min_serving_adds_the_next_tier_while_too_few_are_healthy(stage: Stage) -> None:
    places = await stage.places("virginia", "netherlands", "frankfurt")
    await stage.apply(*stage.basics(), stage.record(places, minServing=2))
    await stage.serves(places[0].address, places[1].address)
    await places[0].service.switch(Mode.REFUSING)
    await stage.serves(places[1].address, places[2].address)


@story
async def test_when_all_are_down_the_last_answer_is_kept_and_the_record_is_not_ready(stage: Stage) -> None:
    virginia, netherlands = await stage.places("virginia", "netherlands")
    await stage.apply(*stage.basics(), stage.record([virginia, netherlands]))
    await stage.serves(virginia.address)
    await virginia.service.switch(Mode.REFUSING)
    await stage.serves(netherlands.address)
    await netherlands.service.switch(Mode.REFUSING)
    await stage.condition("api", "Ready", "False", "NoHealthyEndpoint", saying="what is published stays")
    await stage.condition("api", "Healthy", "False", "NoneHealthy")
    assert stage.published() == (netherlands.address,)
    await virginia.service.switch(Mode.UP)
    await stage.serves(virginia.address)
    await stage.ready()


@story
async def test_serve_all_answers_with_every_endpoint_when_all_are_down(stage: Stage) -> None:
    virginia, netherlands = await stage.places("virginia", "netherlands")
    await stage.apply(*stage.basics(), stage.record([virginia, netherlands], whenAllUnhealthy="ServeAll"))
    await stage.serves(virginia.address)
    await asyncio.gather(virginia.service.switch(Mode.REFUSING), netherlands.service.switch(Mode.REFUSING))
    await stage.serves(virginia.address, netherlands.address)
    assert "every endpoint answers" in await stage.condition("api", "Ready", "False", "NoHealthyEndpoint")


@story
async def test_a_dual_stack_name_gives_up_the_family_that_the_next_endpoint_lacks(stage: Stage) -> None:
    virginia, netherlands = await stage.places("virginia", "netherlands")
    over_six = RegionalService("::1", stage.lab.port)
    await over_six.start()
    stage.services.append(over_six)
    dual = virginia.endpoint(1, addresses=[virginia.address, "::1"])
    await stage.apply(*stage.basics(), stage.record([dual, netherlands]))
    await stage.serves(virginia.address, "::1")
    await asyncio.gather(virginia.service.switch(Mode.REFUSING), over_six.switch(Mode.REFUSING))
    await stage.serves(netherlands.address)
    assert stage.store.get(f"api.{stage.domain}", "AAAA") is None
    await asyncio.gather(virginia.service.switch(Mode.UP), over_six.switch(Mode.UP))
    await stage.serves(virginia.address, "::1")
    assert not stage.was_ever_empty()


@story
async def test_one_address_of_two_fails_and_only_that_one_is_withdrawn(stage: Stage) -> None:
    one, two = await stage.places("one", "two")
    both = one.endpoint(1, name="virginia", addresses=[one.address, two.address])
    await stage.apply(*stage.basics(), stage.record([both]))
    await stage.serves(one.address, two.address)
    await one.service.switch(Mode.REFUSING)
    await stage.serves(two.address)
    await stage.condition("api", "Healthy", "True", saying="1 of 2 addresses fail")
