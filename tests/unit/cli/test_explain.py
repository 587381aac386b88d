"""`detour explain`: the whole way from checks to answers, whatever has happened."""

import pytest

from detour.cli.explain import Served, Surroundings, document, explanation, text_of
from detour.cli.told import Told
from detour.model.objects import Kind

from ..app.brokenstates import TABLE, Boot, Broken  # noqa: TID252 - the root is on no path
from ..app.world import WALL, Clouds, World  # noqa: TID252 - as above
from .statuses import endpoint, record, region, zone

NOTHING = Surroundings({}, {}, {})


def around(world: World) -> Surroundings:
    found = {kind: {} for kind in Kind}
    for (kind, namespace, name), raw in world.api.objects.items():
        found[kind][f"{namespace}/{name}" if namespace else name] = Told(kind, raw)
    return Surroundings(found[Kind.DNS_ZONE], found[Kind.CLOUD_REGION], found[Kind.VANTAGE])


@pytest.mark.parametrize("broken", TABLE, ids=[each.name for each in TABLE])
async def test_it_names_cause_and_next_step(boot: Boot, clouds: Clouds, broken: Broken) -> None:
    world = await broken.story(boot, clouds)
    api = Told(Kind.FAILOVER_RECORD, world.api.objects[Kind.FAILOVER_RECORD, "shop", "api"])
    parts = explanation(api, around(world), (), WALL)
    head = parts[0]
    assert head.title.endswith(broken.state.value)
    assert broken.cause in head.lines[0]
    assert broken.cure in head.lines[0]
    assert all(each.lines for each in parts if each.title != "Regions")
    assert "None" not in "\n".join(text_of(parts)), "a field that is not there is not quoted"


def test_each_step_has_its_times_and_reasons() -> None:
    api = record(
        state="FailedOver",
        endpoints=[
            endpoint("one", "192.0.2.1", returnsAt="2026-11-30T13:08:58Z", since="2026-11-30T13:03:58Z"),
            endpoint("two", "192.0.2.2", since="2026-11-30T12:00:00Z"),
        ],
        plan={"revision": 3, "decidedAt": "2026-11-30T13:00:00Z", "reason": "priority 2 is healthy; one is held down"},
    )
    places = Surroundings({"shop/main": zone(provider="route53")}, {"aws-us-east-1": region(phase="Suspect")}, {})
    served = (
        Served("shop/main", "ns1.example.net", ("192.0.2.1",), 30),
        Served("shop/main", "ns2.example.net", ("203.0.113.9",), 30),
        Served("shop/main", "ns3.example.net", trouble="it does not answer"),
    )
    noon = 1_796_040_000.0
    text = "\n".join(text_of(explanation(api, places, served, noon + 3900)))
    for told in (
        "one returns 13:08:58 if it stays healthy",
        "revision 3, decided 13:00:00: priority 2 is healthy; one is held down",
        "Priority: one, then two",
        "aws-us-east-1: Suspect",
        "azure-westeurope: no CloudRegion of that name",
        "shop/main: OK at route53; site here writes it, ledger 1.7",
        "ns1.example.net (shop/main): 192.0.2.1, TTL 30 s",
        "ns2.example.net (shop/main): 203.0.113.9, TTL 30 s, which is not what the status says",
        "ns3.example.net (shop/main): it does not answer",
    ):
        assert told in text


def test_the_same_is_there_for_programs() -> None:
    found = document(explanation(record(), NOTHING, (), 0.0))
    assert [each["title"].partition(":")[0] for each in found["parts"]][1:] == [
        "Checks",
        "Votes",
        "Regions",
        "Decision",
        "Safety gate",
        "Zones",
        "Name servers",
    ]


def test_who_votes_and_what_is_held_is_told() -> None:
    held = {"type": "Held", "status": "True", "message": "1 change is held because of this and that"}
    told = Told(
        Kind.VANTAGE,
        {
            "metadata": {"name": "gcp", "generation": 1},
            "spec": {"cloud": "Google", "region": "gcp-europe-west3", "votes": 1},
            "status": {"observedGeneration": 1, "state": "Stale", "message": "not heard for 40 s"},
        },
    )
    places = Surroundings({"shop/main": zone(conditions=[held])}, {}, {"gcp": told})
    text = "\n".join(text_of(explanation(record(), places, (), 0.0)))
    assert "gcp (Google, gcp-europe-west3): Stale, not heard for 40 s" in text
    assert "zone shop/main: 1 change is held because of this and that" in text
