"""What takes a name out of the zone's own answers is known after every reading, also after one of a few names."""

import pytest

from detour.enactment.contract import Provider
from detour.enactment.view import ZoneView
from detour.model.rrset import RRset

from .backends import Backend
from .zonework import Work


async def read_twice(provider: Provider, *names: str) -> ZoneView:
    """Return what is believed of a zone after a full reading and one of `names` alone."""
    view = ZoneView(await provider.read_zone())
    view.reread(names, await provider.read_names(names))
    return view


async def delegate(backend: Backend, name: str) -> None:
    await backend.put(name, "NS", 60, ("ns.elsewhere.example.",))


def below(work: Work, label: str) -> RRset:
    return work.a(f"www.{label}")


@pytest.mark.needs("own_zone")
async def test_a_delegation_stays_known_when_its_name_is_read_by_itself(backend: Backend, work: Work) -> None:
    await delegate(backend, work.name("cut"))
    view = await read_twice(work.provider, work.name("cut"))
    for name in (work.name("cut"), work.name("www.cut")):
        shadow = view.shadow_of(name, backend.domain)
        assert shadow is not None
        assert (shadow.name, shadow.type) == (work.name("cut"), "NS")


@pytest.mark.needs("own_zone")
async def test_a_delegation_above_stays_known_when_a_name_below_it_is_read(backend: Backend, work: Work) -> None:
    await delegate(backend, work.name("cut"))
    view = await read_twice(work.provider, work.name("www.cut"))
    assert view.shadow_of(work.name("www.cut"), backend.domain) is not None


@pytest.mark.needs("own_zone")
async def test_other_types_at_a_name_stay_known_when_it_is_read_by_itself(backend: Backend, work: Work) -> None:
    await backend.put(work.name("mail"), "MX", 60, ("10 mx.example.net.",))
    await work.create(work.a("mail"))
    view = await read_twice(work.provider, work.name("mail"))
    assert [each.type for each in view.at(work.name("mail")).opaque] == ["MX"]
    assert view.at(work.name("mail")).answers == (work.a("mail"),)


@pytest.mark.needs("own_zone")
async def test_what_stands_below_a_delegation_stays_known_though_nobody_can_ask_for_it(
    backend: Backend, work: Work
) -> None:
    await work.create(below(work, "cut"), work.a("cut"))
    await delegate(backend, work.name("cut"))
    view = await read_twice(work.provider, work.name("cut"), work.name("www.cut"))
    assert view.at(work.name("www.cut")).answers == (below(work, "cut"),)
    assert view.at(work.name("cut")).answers == (work.a("cut"),)


@pytest.mark.needs("refers")
async def test_a_delegation_made_since_is_met_when_a_name_below_it_is_read(backend: Backend, work: Work) -> None:
    view = ZoneView(await work.provider.read_zone())
    await delegate(backend, work.name("cut"))
    names = [work.name("www.cut")]
    view.reread(names, await work.provider.read_names(names))
    assert view.shadow_of(work.name("www.cut"), backend.domain) is not None
    await backend.remove(work.name("cut"), "NS")
    view.reread(names, await work.provider.read_names(names))
    assert view.shadow_of(work.name("www.cut"), backend.domain) is None


@pytest.mark.needs("redirects")
async def test_a_dname_above_a_name_is_met_and_its_made_up_alias_is_not_taken_for_a_set(
    backend: Backend, work: Work
) -> None:
    await backend.put(work.name("moved"), "DNAME", 60, ("elsewhere.example.",))
    names = [work.name("www.moved"), work.name("moved")]
    for view in (await read_twice(work.provider, *names), ZoneView(await work.provider.read_zone())):
        shadow = view.shadow_of(work.name("www.moved"), backend.domain)
        assert shadow is not None
        assert (shadow.name, shadow.type) == (work.name("moved"), "DNAME")
        assert view.shadow_of(work.name("moved"), backend.domain) is None
        assert view.at(work.name("www.moved")).answers == ()
