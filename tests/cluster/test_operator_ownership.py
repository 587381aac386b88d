"""Whose a name is: what exists is not taken, what is another's is not touched, what is deleted goes alone."""

import asyncio
import tempfile

import pytest

from detour_lab.services.services import Mode

from .operating import OUTSIDER, TSIG_SECRET, Stage
from .operatorprocess import until
from .stories import story

pytestmark = pytest.mark.asyncio(loop_scope="session")


def marker(stage: Stage, name: str = "api") -> str:
    """Return the text of a name's ownership marker, empty where there is none."""
    found = stage.store.get(f"_detour.{name}.{stage.domain}", "TXT")
    return "".join(found.values) if found else ""


async def gone(stage: Stage, name: str = "api") -> None:
    """Wait until the FailoverRecord is gone from the API server."""

    async def look() -> bool:
        return not await stage.read(name)

    await until(look, f"{name} is deleted")


async def finalizers(stage: Stage, wanted: list[str] | None) -> None:
    """Wait until the record bears these finalizers."""

    async def look() -> bool:
        return bool((await stage.read())["metadata"].get("finalizers") == wanted)

    await until(look, f"finalizers are {wanted}")


@story
async def test_a_name_that_exists_is_left_alone_until_adoption_is_permitted(stage: Stage) -> None:
    (virginia,) = await stage.places("virginia")
    await stage.edit_zone(f"api.{stage.domain}", "A", "192.0.2.7")
    await stage.edit_zone(f"api.{stage.domain}", "MX", "10 mail.example.net.")
    await stage.apply(*stage.basics(), stage.record([virginia]))
    told = await stage.condition("api", "Published", "False", "NameTaken")
    assert '"adopt":true' in told
    assert (await stage.saw("NameTaken")).startswith("Warning ")
    assert len(await stage.told("NameTaken", times=1)) == 1
    assert stage.published() == ("192.0.2.7",)
    assert marker(stage) == ""

    await stage.patch("api", {"adopt": True})
    await stage.serves(virginia.address)
    await stage.ready()
    assert f"namespace={stage.namespace} name=api" in marker(stage)
    assert stage.store.get(f"api.{stage.domain}", "MX") is not None
    assert not stage.was_ever_empty()


@story
async def test_an_adopted_name_goes_from_its_old_answer_straight_to_a_healthy_endpoint(stage: Stage) -> None:
    virginia, netherlands = await stage.places("virginia", "netherlands")
    await virginia.service.switch(Mode.REFUSING)
    await stage.edit_zone(f"api.{stage.domain}", "A", "192.0.2.7")
    await stage.apply(*stage.basics(), stage.record([virginia, netherlands], adopt=True))
    await stage.serves(netherlands.address)
    held = [
        each.values for commit in stage.store.log for each in commit.added if each.key == (f"api.{stage.domain}", "A")
    ]
    assert held == [("192.0.2.7",), (netherlands.address,)]


@story
async def test_a_name_of_another_installation_is_never_taken_not_even_with_adopt(stage: Stage) -> None:
    (virginia,) = await stage.places("virginia")
    await stage.edit_zone(f"api.{stage.domain}", "A", "192.0.2.7")
    foreign = '"detour/1 owner=paris namespace=shop name=api uid=0f0f0f0f"'
    await stage.edit_zone(f"_detour.api.{stage.domain}", "TXT", foreign)
    await stage.apply(*stage.basics(), stage.record([virginia], adopt=True))
    told = await stage.condition("api", "Published", "False", "OwnedByAnother")
    assert "'paris'" in told
    assert "shop/api" in told
    assert stage.published() == ("192.0.2.7",)
    assert marker(stage) == foreign

    _, command, _ = told.split("`")
    with tempfile.NamedTemporaryFile("w", suffix=".key") as key:
        key.write(f'key "detour-lab." {{ algorithm hmac-sha256; secret "{TSIG_SECRET}"; }};\n')
        key.flush()
        typed = await asyncio.create_subprocess_shell(command.replace("KEYFILE", key.name))
        assert await typed.wait() == 0
    await stage.serves(virginia.address)


@story
async def test_of_two_records_that_claim_one_name_the_first_keeps_it(stage: Stage) -> None:
    virginia, netherlands = await stage.places("virginia", "netherlands")
    hostname = f"api.{stage.domain}"
    await stage.apply(*stage.basics(), stage.record([virginia], deletionPolicy="Delete"))
    await stage.ready()
    await stage.apply(stage.record([netherlands], "second", hostname=hostname))
    told = await stage.condition("second", "Published", "False", "NameConflict")
    assert f"{stage.namespace}/api" in told
    assert stage.published() == (virginia.address,)
    await stage.ready()

    await stage.kubectl("delete", "fr", "api")
    await stage.serves(netherlands.address)
    await stage.ready("second")
    assert "name=second" in marker(stage)


@story
async def test_deletion_policy_delete_takes_name_and_marker_along_and_nothing_else(stage: Stage) -> None:
    (virginia,) = await stage.places("virginia")
    await stage.edit_zone(f"www.{stage.domain}", "A", "192.0.2.8")
    await stage.edit_zone(f"api.{stage.domain}", "MX", "10 mail.example.net.")
    doomed = stage.record([virginia], deletionPolicy="Delete")
    await stage.apply(*stage.basics(), doomed, stage.record([virginia], "other"))
    await stage.ready()
    await stage.ready("other")
    await finalizers(stage, ["detour.dev/dns"])
    assert "finalizers" not in (await stage.read("other"))["metadata"]

    await stage.kubectl("delete", "fr", "api", "--timeout=180s")
    await gone(stage)
    assert stage.published() == ()
    assert marker(stage) == ""
    assert stage.published("other") == (virginia.address,)
    by_us = [each for each in stage.store.log if each.by not in (OUTSIDER, "zone creation")]
    touched = {gone.name for each in by_us for gone in (*each.removed, *each.added)}
    assert f"www.{stage.domain}" not in touched
    assert stage.store.get(f"api.{stage.domain}", "MX") is not None


@story
async def test_deletion_policy_retain_leaves_the_name_which_a_record_of_that_name_takes_again(stage: Stage) -> None:
    virginia, netherlands = await stage.places("virginia", "netherlands")
    await stage.apply(*stage.basics(), stage.record([virginia]))
    await stage.ready()
    before = stage.commits()
    await stage.kubectl("delete", "fr", "api", "--timeout=180s")
    told = await stage.condition("zone", "Warning", "True", "OrphanedNames", kind="dz")
    assert f"api.{stage.domain}" in told
    assert stage.published() == (virginia.address,)
    assert stage.commits() == before

    await stage.apply(stage.record([netherlands]))
    await stage.serves(netherlands.address)
    await stage.condition("zone", "Warning", "False", kind="dz")
    assert not stage.was_ever_empty()


@story
async def test_a_change_of_policy_gives_and_takes_the_finalizer(stage: Stage) -> None:
    (virginia,) = await stage.places("virginia")
    await stage.apply(*stage.basics(), stage.record([virginia]))
    await stage.ready()
    await stage.patch("api", {"deletionPolicy": "Delete"})
    await finalizers(stage, ["detour.dev/dns"])
    await stage.patch("api", {"deletionPolicy": "Retain"})
    await finalizers(stage, None)


@pytest.mark.parametrize(("policy", "stays"), [("Delete", False), ("Retain", True)])
@story
async def test_a_zone_taken_out_of_a_record_loses_the_name_with_delete_alone(
    stage: Stage, policy: str, stays: bool
) -> None:
    (virginia,) = await stage.places("virginia")
    parent, child = stage.domain, f"eu.{stage.domain}"
    second = stage.serve(child)
    hostname = f"api.{child}"
    both = [{"name": "zone"}, {"name": "second"}]
    spec = {"hostname": hostname, "deletionPolicy": policy}
    await stage.apply(*stage.basics(), stage.zone("second", domain=child), stage.record([virginia], zones=both, **spec))
    await stage.ready()
    assert stage.published(hostname) == stage.published(hostname, second) == (virginia.address,)

    await stage.apply(stage.record([virginia], zones=[{"name": "second"}], **spec))
    await stage.ready()
    if not stays:
        await stage.serves(name=hostname)
    expected = (virginia.address,) if stays else ()
    assert stage.published(hostname) == expected, parent
    assert stage.published(hostname, second) == (virginia.address,)

    async def is_alone() -> bool:
        return [each["name"] for each in (await stage.status())["zones"]] == ["second"]

    await until(is_alone, "the status has the second zone alone")
