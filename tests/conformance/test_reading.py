"""What a provider reads is what the zone holds: all of it, only that, and never an error over a foreign set."""

import pytest

from detour.enactment.contract import Change, Provider, ZoneMissingError
from detour.model.rrset import RRKey, RRset, RRType

from .backends import NEGATIVE_TTL, Backend
from .zonework import Work

MANY = 720
"""More than two pages of any of the services."""


async def test_the_zone_is_described_with_its_name_servers(provider: Provider) -> None:
    facts = await provider.describe()
    assert facts.zone_id
    assert facts.name_servers
    assert all(not server.endswith(".") for server in facts.name_servers)


@pytest.mark.needs("own_zone")
async def test_the_negative_ttl_is_that_of_the_soa(provider: Provider) -> None:
    assert (await provider.describe()).negative_ttl == NEGATIVE_TTL


async def test_a_domain_that_the_account_does_not_have_is_a_missing_zone(backend: Backend) -> None:
    provider = await backend.open(domain="not-here.example.org")
    try:
        with pytest.raises(ZoneMissingError, match=r"not-here\.example\.org"):
            await provider.describe()
    finally:
        await provider.close()


@pytest.mark.needs("own_zone")
async def test_a_zone_of_many_pages_is_read_whole(backend: Backend, provider: Provider) -> None:
    names = {f"host-{number}.{backend.base}" for number in range(MANY)}
    await backend.put_hosts(names)
    contents = await provider.read_zone()
    assert {key.name for key in contents.sets if key.type is RRType.A} == names


async def test_reading_names_gives_these_names_and_no_others(work: Work) -> None:
    await work.create(work.a("one"), work.aaaa("one"), work.a("two"), work.a("below.one"))
    assert await work.stored("one", "absent") == {work.a("one"), work.aaaa("one")}


@pytest.mark.needs("own_zone")
async def test_many_names_are_read_as_well_as_few(backend: Backend, work: Work) -> None:
    wanted = [f"host-{number}" for number in range(60)]
    await backend.put_hosts(work.name(label) for label in [*wanted, "unwanted"])
    assert await work.stored(*wanted) == {work.a(label) for label in wanted}


async def test_what_a_wildcard_answers_is_not_stored_at_the_name(work: Work) -> None:
    await work.create(work.a("*.wild"), work.txt("*.wild", "any"), work.a("real.wild", "192.0.2.7"))
    assert await work.stored("made-up.wild", "real.wild") == {work.a("real.wild", "192.0.2.7")}


async def test_a_wildcard_is_a_name_like_others(work: Work) -> None:
    (old,) = await work.create(work.a("*.wild"))
    await work.apply(Change(old, work.a("*.wild", "192.0.2.2")))
    assert await work.stored("*.wild") == {work.a("*.wild", "192.0.2.2")}
    everything = await work.provider.read_zone()
    assert RRKey(work.name("*.wild"), RRType.A) in everything.sets


@pytest.mark.parametrize(
    "text",
    ["plain", "", 'a "quoted" word', "back\\slash and \\065", "semi;colon, comma", "x" * 700, "größer als ASCII"],
    ids=["plain", "empty", "quotes", "backslashes", "punctuation", "700 characters", "beyond ASCII"],
)
async def test_a_text_comes_back_as_it_was_written(backend: Backend, work: Work, text: str) -> None:
    if text == "" and backend.name.endswith("azuredns"):
        text = " "  # Azure DNS refuses a TXT value without characters
    (old,) = await work.create(work.txt("text", text))
    assert await work.stored("text") == {work.txt("text", text)}
    await work.apply(Change(old, None))
    assert await work.stored("text") == set()


@pytest.mark.needs("keeps_spelling")
async def test_a_text_that_an_outsider_cut_differently_can_still_be_replaced(backend: Backend, work: Work) -> None:
    await backend.put(work.name("text"), "TXT", 60, ('"de" "tour"',))
    contents = await work.provider.read_names([work.name("text")])
    old = contents.sets[RRKey(work.name("text"), RRType.TXT)]
    assert old.rrset.values == ("detour",)
    await work.apply(Change(old, work.txt("text", "detour, whole")))
    assert await work.stored("text") == {work.txt("text", "detour, whole")}


async def test_ipv6_addresses_come_back_in_their_shortest_form(work: Work) -> None:
    written = RRset(work.name("six"), RRType.AAAA, 60, ("2001:DB8:0:0:0:0:0:1", "2001:db8::ff00:42"))
    await work.create(written)
    (stored,) = await work.stored("six")
    assert stored.values == ("2001:db8::1", "2001:db8::ff00:42")


@pytest.mark.needs("own_zone")
async def test_types_that_detour_does_not_write_are_reported_and_left_alone(backend: Backend, work: Work) -> None:
    await backend.put(work.name("mail"), "MX", 60, ("10 mx.example.net.",))
    await work.create(work.a("mail"))
    contents = await work.provider.read_zone()
    assert any((each.name, each.type) == (work.name("mail"), "MX") for each in contents.opaque)
    assert contents.sets[RRKey(work.name("mail"), RRType.A)].rrset == work.a("mail")


@pytest.mark.needs("routing")
async def test_a_set_with_routing_is_opaque_and_says_why(backend: Backend, work: Work) -> None:
    await backend.put_routing(work.name("routed"))
    await work.create(work.a("plain"))
    for contents in (
        await work.provider.read_zone(),
        await work.provider.read_names([work.name("routed"), work.name("plain")]),
    ):
        (routed,) = [each for each in contents.opaque if each.name == work.name("routed")]
        assert routed.type == "A"
        assert routed.why
        assert RRKey(work.name("routed"), RRType.A) not in contents.sets
        assert RRKey(work.name("plain"), RRType.A) in contents.sets
