"""The enactor and the verifier at real name servers: what stands beside our sets, above them, or in their place."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from detour.enactment.asking import ask
from detour.enactment.budget import Budget, ZoneBudget
from detour.enactment.contract import Provider
from detour.enactment.enactor import Enactor, EnactorSettings
from detour.enactment.events import EnactorEvent, Incident
from detour.enactment.fence import Fence
from detour.enactment.leadership import SOLE_LEADER
from detour.enactment.periods import Periods
from detour.enactment.sites import Site
from detour.enactment.verification import Verifier
from detour.enactment.wishes import Explanation, Wish, WishReport
from detour.model.record import ObjectKey
from detour.model.rrset import RRset, RRType, address_sets
from detour_lab.dns.realservers import RealBIND

from .backends import Backend, RealNameServer

pytestmark = pytest.mark.needs("redirects")

WITHIN = 30.0
"""Seconds in which anything here has happened, also on a slow machine."""


class Desk:
    """One enactor, with a verifier that has it read what differs. Implements Witness."""

    def __init__(self, server: RealNameServer, provider: Provider) -> None:
        clock = asyncio.get_running_loop().time
        periods = Periods(audit=1.0)
        self.server = server
        self.incidents: list[Explanation] = []
        self.seen: dict[str, str] = {}
        self.enactor = Enactor(
            EnactorSettings("prod", server.domain, Site("here"), periods=periods),
            provider=provider,
            budget=ZoneBudget(Budget(provider.limits, clock), provider.limits),
            fence=Fence(owner="prod", domain=server.domain, site="here"),
            leadership=SOLE_LEADER,
            clock=clock,
            random=lambda: 0.5,
            emit=self._take,
        )
        self.verifier = Verifier(ask=ask, clock=clock, random=lambda: 0.5, witness=self, periods=periods)
        self.verifier.use([server.server.address])

    def _take(self, event: EnactorEvent) -> None:
        if isinstance(event, Incident):
            self.incidents.append(event.what)

    def visible(self, hostname: str, at: float) -> None:
        self.seen[hostname] = "visible"

    def differs(self, hostname: str, message: str, *, suspicious: bool) -> None:
        self.seen[hostname] = message
        if suspicious and self.verifier.look_into(hostname):
            self.enactor.suspect(hostname)

    def name(self, label: str) -> str:
        return f"{label}.{self.server.domain}"

    def want_target(self, label: str, target: str) -> ObjectKey:
        """Wish for a CNAME at the name; return whose wish it is."""
        key, name = ObjectKey("shop", label), self.name(label)
        sets = (RRset(name, RRType.CNAME, 30, (target,)),)
        self.enactor.want(Wish(record=key, uid="u", created=1.0, hostname=name, sets=sets))
        return key

    def want(self, label: str, *addresses: str, record: ObjectKey | None = None, ttl: int = 30) -> ObjectKey:
        """Wish for these addresses at the name; return whose wish it is."""
        key = record or ObjectKey("shop", label.replace(".", "-").replace("_", "-"))
        sets = address_sets(self.name(label), ttl, addresses)
        self.enactor.want(Wish(record=key, uid="u", created=1.0, hostname=self.name(label), sets=sets))
        return key

    async def published(self, record: ObjectKey, *addresses: str) -> WishReport:
        """Wait until the record's name holds exactly these addresses, by our own account."""

        def is_there() -> bool:
            report = self.enactor.report(record)
            held = {value for each in report.published for value in each.values} if report else set()
            return report is not None and report.in_sync and held == set(addresses)

        await until(is_there)
        report = self.enactor.report(record)
        assert report is not None
        return report

    async def shows(self, label: str, *values: str, rrtype: str = "A") -> None:
        """Wait until the server answers with exactly these values."""
        while True:
            answer = await ask(self.server.server.address, self.name(label), rrtype)
            if set(answer.values) == set(values):
                return
            await asyncio.sleep(0.02)

    async def refused(self, record: ObjectKey, reason: str) -> Explanation:
        """Wait until the record is refused for this reason."""

        def why() -> Explanation | None:
            report = self.enactor.report(record)
            return report.refusal if report else None

        await until(lambda: (found := why()) is not None and found.reason == reason)
        found = why()
        assert found is not None
        return found


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WITHIN):
        while True:
            if condition():
                return
            await asyncio.sleep(0.02)


@pytest.fixture
async def desk(backend: Backend, provider: Provider) -> AsyncIterator[Desk]:
    assert isinstance(backend, RealNameServer)
    desk = Desk(backend, provider)
    tasks = [asyncio.create_task(desk.enactor.run()), asyncio.create_task(desk.verifier.run())]
    yield desk
    desk.enactor.stop()
    tasks[1].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_name_moves_as_often_as_its_record_wishes_without_a_detour(desk: Desk) -> None:
    """Above all in zones that the server signs: what it answers may be older than what it holds."""
    for number in range(1, 6):
        record = desk.want("api", f"192.0.2.{number}")
        await desk.published(record, f"192.0.2.{number}")
        desk.enactor.suspect(desk.name("api"))
        await asyncio.wait_for(desk.shows("api", f"192.0.2.{number}"), WITHIN)
    assert not desk.incidents
    tally = desk.enactor.tally
    assert (tally.refused, tally.lost, tally.errors, tally.repairs) == (0, 0, 0, 0)
    assert tally.batches <= 1 + 2 * 5


async def test_a_name_at_a_delegation_stays_refused_however_often_it_is_read(backend: Backend, desk: Desk) -> None:
    await backend.put(desk.name("cut"), "NS", 60, ("ns.elsewhere.example.",))
    records = [desk.want("cut", "192.0.2.1"), desk.want("www.cut", "192.0.2.1")]
    for record in records:
        refusal = await desk.refused(record, "BelowZoneCut")
        assert desk.name("cut") in refusal.message
    for _ in range(3):
        for label in ("cut", "www.cut"):
            desk.enactor.suspect(desk.name(label))
        await settled(desk)
    for record in records:
        await desk.refused(record, "BelowZoneCut")
    provider = await backend.open()
    contents = await provider.read_zone()
    await provider.close()
    assert not [key for key in contents.sets if key.name.endswith(desk.name("cut"))]


async def test_a_name_below_a_dname_is_refused_with_the_dname_as_the_cause(backend: Backend, desk: Desk) -> None:
    await backend.put(desk.name("moved"), "DNAME", 60, ("elsewhere.example.",))
    refusal = await desk.refused(desk.want("www.moved", "192.0.2.1"), "BelowDNAME")
    assert desk.name("moved") in refusal.message


async def test_a_foreign_text_that_is_no_utf8_does_not_hold_up_a_move(backend: Backend, desk: Desk) -> None:
    record = desk.want("api", "192.0.2.1")
    await desk.published(record, "192.0.2.1")
    await backend.put(desk.name("api"), "TXT", 60, ('"Gesch\\228ftsstelle"',))
    desk.enactor.suspect(desk.name("api"))
    await settled(desk)
    desk.want("api", "192.0.2.2")
    await desk.published(record, "192.0.2.2")
    await asyncio.wait_for(desk.shows("api", "192.0.2.2"), WITHIN)


async def test_a_marker_too_long_for_one_string_is_seen_as_what_it_is(desk: Desk) -> None:
    long = ObjectKey("a-namespace-of-some-length", "api-gateway-" + "blue-green-canary-" * 11)
    report = await desk.published(desk.want("long", "192.0.2.1", record=long), "192.0.2.1")
    assert report.marker is not None
    assert len(report.marker.values[0]) > 255
    desk.verifier.watch(desk.name("long"), (*report.published, report.marker), (), changed=True)
    await until(lambda: desk.seen.get(desk.name("long")) == "visible")


async def test_ipv4_addresses_in_ipv6_form_are_seen_as_what_they_are(desk: Desk) -> None:
    report = await desk.published(desk.want("six", "2001:db8::1"), "2001:db8::1")
    mapped = RRset(desk.name("six"), report.published[0].type, 30, ("::ffff:192.0.2.1",))
    record = ObjectKey("shop", "six")
    desk.enactor.want(Wish(record=record, uid="u", created=1.0, hostname=desk.name("six"), sets=(mapped,)))
    await desk.published(record, *mapped.values)
    desk.verifier.watch(desk.name("six"), (mapped,), (), changed=True)
    await until(lambda: desk.seen.get(desk.name("six")) == "visible")


async def test_a_name_that_the_server_takes_no_addresses_at_costs_no_other_name_anything(
    backend: Backend, desk: Desk
) -> None:
    good = [desk.want(f"n{number}", "192.0.2.1") for number in range(8)]
    bad = desk.want("my_app", "192.0.2.1")
    for record in good:
        await desk.published(record, "192.0.2.1")
    if not backend.name.startswith("bind"):
        await desk.published(bad, "192.0.2.1")  # Knot has no such rule
        return
    refusal = await desk.refused(bad, "RefusedByProvider")
    assert "check-names" in refusal.message
    assert desk.name("my_app") in refusal.message


async def settled(desk: Desk) -> None:
    """Wait until what was suspicious was read."""
    before = desk.enactor._reader  # whether names wait to be read is nobody's business but a test's
    await until(lambda: not before.has_suspects)
    await asyncio.sleep(0.05)


class CappedBIND(RealBIND):
    """BIND with a policy that lowers TTLs without a word."""

    def _zone_clauses(self) -> str:
        return "max-zone-ttl 3600;"


class Capped(RealNameServer):
    name = "bind-capped"
    kind = CappedBIND


async def test_a_ttl_that_the_server_lowers_is_taken_as_the_servers_and_not_written_for_ever() -> None:
    async with Capped() as backend:
        provider = await backend.open()
        desk = Desk(backend, provider)
        tasks = [asyncio.create_task(desk.enactor.run()), asyncio.create_task(desk.verifier.run())]
        record = desk.want("api", "192.0.2.1", ttl=7200)
        report = await desk.published(record, "192.0.2.1")
        desk.verifier.watch(desk.name("api"), report.published, (), changed=True)
        held = address_sets(desk.name("api"), 3600, ["192.0.2.1"])

        def is_taken() -> bool:
            report = desk.enactor.report(record)
            return report is not None and report.in_sync and report.published == held

        await until(is_taken)
        batches = desk.enactor.tally.batches
        desk.verifier.watch(desk.name("api"), held, (), changed=True)
        await until(lambda: desk.seen[desk.name("api")] == "visible")
        desk.want("api", "192.0.2.2", ttl=7200)
        report = await desk.published(record, "192.0.2.2")
        assert report.published == address_sets(desk.name("api"), 3600, ["192.0.2.2"])
        assert desk.enactor.tally.batches == batches + 1
        assert desk.enactor.tally.repairs == 0
        desk.enactor.stop()
        tasks[1].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_addresses_in_place_of_our_alias_are_put_right_and_hold_up_nobody_else(desk: Desk) -> None:
    alias = desk.want_target("www", "one.example.net")
    await desk.published(alias, "one.example.net")
    other = desk.want("api", "192.0.2.1")
    await desk.published(other, "192.0.2.1")
    await desk.server.remove(desk.name("www"), "CNAME")
    await desk.server.put(desk.name("www"), "A", 60, ("203.0.113.1",))
    desk.enactor.suspect(desk.name("www"))
    desk.want("api", "192.0.2.2")
    await desk.shows("api", "192.0.2.2")
    async with asyncio.timeout(WITHIN):
        await desk.shows("www", "one.example.net.", rrtype="CNAME")
