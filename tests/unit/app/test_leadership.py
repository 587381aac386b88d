"""The election in one cluster: who leads, when that ends, and what an API server that is silent means."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from detour.app.leadership import Elector
from detour.engine.clock import Clock
from detour.engine.ports import ClusterError
from detour.kube.lease import LEASE_SECONDS, LONGEST_LEASE, RENEW_PERIOD
from detour.twin.virtualtime import until

from .world import LEASE, WALL, ApiServer, Connection

Stand = Callable[..., "Candidate"]


class Candidate:
    """A replica that stands for election. `terms` are the times at which it began or ceased to lead."""

    def __init__(
        self,
        api: ApiServer,
        identity: str,
        *,
        wall: Callable[[], float] | None = None,
        refresh: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        now = asyncio.get_running_loop().time
        self.connection = Connection(api)
        self.terms: list[tuple[bool, float]] = []
        self.elector = Elector(
            self.connection,
            namespace=LEASE[0],
            name=LEASE[1],
            identity=identity,
            clock=Clock(now=now, wall=wall or (lambda: WALL + now())),
            on_change=lambda: self.terms.append((self.elector.leads, now())),
            refresh=refresh,
        )
        self.task = asyncio.create_task(self.elector.run())

    @property
    def leads(self) -> bool:
        return self.elector.leads

    async def die(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


@pytest.fixture
def api() -> ApiServer:
    return ApiServer()


@pytest.fixture
async def stand(api: ApiServer) -> AsyncIterator[Stand]:
    made: list[Candidate] = []

    def begin(identity: str, **options: object) -> Candidate:
        made.append(Candidate(api, identity, **options))  # type: ignore[arg-type]  # checked by the tests' use
        return made[-1]

    yield begin
    ended = [each.task for each in made if each.task.done() and not each.task.cancelled()]
    for each in made:
        await each.die()
    assert not ended, "an election never ends by itself"


async def test_a_replica_that_is_alone_leads_at_once(stand: Stand) -> None:
    first = stand("a")
    assert await until(lambda: first.leads) < 0.2


async def test_who_is_elected_sees_first_what_is_declared_now(stand: Stand) -> None:
    """Its watch may have been dead for minutes, and what it knows as old."""
    looks: list[bool] = []

    async def refresh() -> None:
        looks.append(first.leads)
        await asyncio.sleep(3)

    first = stand("a", refresh=refresh)
    assert await until(lambda: first.leads) == pytest.approx(3, abs=0.5)
    await asyncio.sleep(60)
    assert looks == [False], "once for each term, before it begins"
    assert first.leads


async def test_who_loses_the_lease_while_it_looks_does_not_lead(stand: Stand, api: ApiServer) -> None:
    async def refresh() -> None:
        await asyncio.sleep(3 * LEASE_SECONDS)

    first = stand("a", refresh=refresh)
    await asyncio.sleep(1)
    second = stand("b")
    await until(lambda: second.leads, within=3 * LEASE_SECONDS)
    await asyncio.sleep(4 * LEASE_SECONDS)
    assert second.leads
    assert not first.terms, "not for a moment beside the second"


async def test_a_look_that_breaks_keeps_nobody_from_leading(stand: Stand) -> None:
    async def refresh() -> None:
        raise ValueError("a defect of ours")

    first = stand("a", refresh=refresh)
    await until(lambda: first.leads)
    await asyncio.sleep(60)
    assert first.terms == [(True, first.terms[0][1])]


async def test_of_several_replicas_one_leads_and_goes_on_leading(stand: Stand) -> None:
    replicas = [stand(name) for name in "abc"]
    await until(lambda: any(each.leads for each in replicas))
    leader = next(each for each in replicas if each.leads)
    for _ in range(200):
        await asyncio.sleep(1)
        assert [each for each in replicas if each.leads] == [leader]
    assert len(leader.terms) == 1


async def test_a_leader_that_is_killed_is_replaced_soon_after_its_lease_has_expired(stand: Stand) -> None:
    first = stand("a")
    await until(lambda: first.leads)
    second = stand("b")
    await asyncio.sleep(5)
    await first.die()
    assert await until(lambda: second.leads) < LEASE_SECONDS + 2 * RENEW_PERIOD


async def test_a_leader_that_is_started_again_leads_again_at_once(stand: Stand) -> None:
    first = stand("a_1")
    await until(lambda: first.leads)
    other = stand("b_1")
    await asyncio.sleep(1)
    await first.die()
    again = stand("a_2")
    assert await until(lambda: again.leads) < 0.2
    await asyncio.sleep(60)
    assert again.leads
    assert not other.terms


async def test_who_was_succeeded_by_its_own_replica_never_takes_the_lead_back(stand: Stand) -> None:
    """A process that only seemed dead, or a second one that was given the first one's name by mistake."""
    first = stand("a_1")
    await until(lambda: first.leads)
    again = stand("a_2")
    await asyncio.sleep(60)
    assert (first.leads, again.leads) == (False, True)
    assert [leads for leads, _ in first.terms] == [True, False]


@pytest.mark.parametrize("call", ["read_lease", "replace_lease"])
async def test_an_api_server_that_fails_at_the_start_does_not_use_the_first_look_up(
    stand: Stand, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    first = stand("a_1")
    await until(lambda: first.leads)
    await first.die()
    again = stand("a_2")

    async def fail(*_: object) -> None:
        raise ClusterError("nobody there", 0)

    with monkeypatch.context() as patch:
        patch.setattr(again.connection, call, fail)
        await asyncio.sleep(1)
    assert not again.leads
    assert await until(lambda: again.leads) <= RENEW_PERIOD


async def test_a_leader_that_resigns_is_replaced_at_the_next_look(stand: Stand, api: ApiServer) -> None:
    first = stand("a")
    await until(lambda: first.leads)
    second = stand("b")
    await asyncio.sleep(5)
    await first.die()
    await first.elector.resign()
    assert not first.leads
    assert api.leases[LEASE]["spec"]["holderIdentity"] == ""
    assert await until(lambda: second.leads) <= RENEW_PERIOD + 0.2


async def test_who_does_not_lead_gives_nothing_up(stand: Stand, api: ApiServer) -> None:
    first = stand("a")
    await until(lambda: first.leads)
    second = stand("b")
    await asyncio.sleep(1)
    await second.elector.resign()
    assert api.leases[LEASE]["spec"]["holderIdentity"] == "a"


async def test_resigning_while_a_renewal_is_under_way_still_gives_the_lease_up(stand: Stand, api: ApiServer) -> None:
    """The operator ends its tasks first. A renewal that was sent by then lands all the same: it has its own thread."""
    first = stand("a")
    await until(lambda: first.leads)
    await first.die()
    held = api.leases[LEASE]
    await api.replace_lease(LEASE[0], LEASE[1], held)
    await first.elector.resign()
    assert api.leases[LEASE]["spec"]["holderIdentity"] == ""


async def test_a_leader_cut_off_from_the_api_server_goes_on_leading(stand: Stand) -> None:
    first = stand("a")
    await until(lambda: first.leads)
    first.connection.is_cut = True
    await asyncio.sleep(3600)
    assert first.leads
    first.connection.is_cut = False
    await asyncio.sleep(10)
    assert len(first.terms) == 1


async def test_a_leader_that_sees_another_holder_stops_at_once(stand: Stand) -> None:
    first = stand("a")
    await until(lambda: first.leads)
    second = stand("b")
    await asyncio.sleep(1)
    first.connection.is_cut = True
    await until(lambda: second.leads)
    assert first.leads, "nobody has told it yet"
    first.connection.is_cut = False
    assert await until(lambda: not first.leads) <= RENEW_PERIOD + 0.2
    assert first.elector.holder == "b"
    await asyncio.sleep(100)
    assert second.leads
    assert not first.leads


async def test_a_renewal_is_confirmed_by_requests_sent_after_the_question_only(stand: Stand) -> None:
    first = stand("a")
    await until(lambda: first.leads)
    asked = asyncio.get_running_loop().time()
    assert not first.elector.confirmed_since(asked)
    await asyncio.sleep(RENEW_PERIOD + 0.1)
    assert first.elector.confirmed_since(asked)
    first.connection.is_cut = True
    await asyncio.sleep(0.1)
    cut = asyncio.get_running_loop().time()
    await asyncio.sleep(60)
    assert not first.elector.confirmed_since(cut)


async def test_a_lease_that_was_deleted_is_made_anew_by_the_leader_without_a_change_of_leader(
    stand: Stand, api: ApiServer
) -> None:
    first = stand("a")
    await until(lambda: first.leads)
    del api.leases[LEASE]
    await until(lambda: LEASE in api.leases, within=2 * RENEW_PERIOD + 1)
    assert api.leases[LEASE]["spec"]["holderIdentity"] == "a"
    assert [leads for leads, _ in first.terms] == [True]


@pytest.mark.parametrize("attempt", range(6))
async def test_a_lease_that_was_deleted_leaves_one_leader(stand: Stand, api: ApiServer, attempt: int) -> None:
    replicas = [stand(name) for name in "abc"]
    await asyncio.sleep(5 + attempt * 0.5)
    del api.leases[LEASE]
    await asyncio.sleep(3 * RENEW_PERIOD)
    assert [each.elector._identity for each in replicas if each.leads] == [api.leases[LEASE]["spec"]["holderIdentity"]]


async def test_a_lease_whose_holder_somebody_emptied_finds_a_holder_again(stand: Stand, api: ApiServer) -> None:
    first = stand("a")
    await until(lambda: first.leads)
    emptied = {**api.leases[LEASE], "spec": {**api.leases[LEASE]["spec"], "holderIdentity": ""}}
    await api.replace_lease(*LEASE, emptied)
    await asyncio.sleep(3 * RENEW_PERIOD)
    assert first.leads
    assert api.leases[LEASE]["spec"]["holderIdentity"] == "a"


async def test_a_wall_clock_that_jumps_elects_nobody(stand: Stand) -> None:
    jump = 0.0
    first = stand("a")
    await until(lambda: first.leads)
    second = stand("b", wall=lambda: WALL + jump)
    for jump in (3600.0, -3600.0, 86400.0 * 365):  # noqa: B007 - the clock above reads it
        await asyncio.sleep(30)
        assert first.leads
        assert not second.leads


@pytest.mark.parametrize("phase", [0.0, 1.0, 2.0])
async def test_an_api_server_that_was_away_for_a_moment_changes_no_leader(
    stand: Stand, api: ApiServer, phase: float
) -> None:
    first = stand("a")
    await until(lambda: first.leads)
    await asyncio.sleep(phase)
    second = stand("b")
    await asyncio.sleep(10)
    api.is_away = True
    await asyncio.sleep(LEASE_SECONDS - 2 * RENEW_PERIOD)
    api.is_away = False
    await asyncio.sleep(4 * RENEW_PERIOD)
    assert first.leads
    assert not second.leads
    assert len(first.terms) == 1


async def test_an_api_server_that_was_away_for_everybody_changes_no_leader(stand: Stand) -> None:
    """Nobody could renew and nobody could look: silence is not standstill, as with the ledgers of other sites."""
    first = stand("a")
    await until(lambda: first.leads)
    second = stand("b")
    await asyncio.sleep(10)
    first.connection.is_cut = second.connection.is_cut = True
    await asyncio.sleep(60)
    second.connection.is_cut = False
    await asyncio.sleep(RENEW_PERIOD + 0.5)
    first.connection.is_cut = False
    await asyncio.sleep(4 * RENEW_PERIOD)
    assert first.leads
    assert not second.leads


@pytest.mark.parametrize("seconds", [10 * 365 * 86_400, 0, -1, None, "for ever"])
async def test_a_lease_of_an_absurd_duration_keeps_nobody_from_leading_for_longer_than_a_minute(
    api: ApiServer, stand: Stand, seconds: object, caplog: pytest.LogCaptureFixture
) -> None:
    spec = {"holderIdentity": "nobody-there", "leaseDurationSeconds": seconds, "acquireTime": "long ago"}
    api.leases[LEASE] = {"metadata": {"name": LEASE[1], "resourceVersion": "1"}, "spec": spec}
    began = asyncio.get_running_loop().time()
    candidate = stand("us")
    while not candidate.leads:
        await asyncio.sleep(0.5)
        assert asyncio.get_running_loop().time() - began < LONGEST_LEASE + 2 * RENEW_PERIOD
    assert caplog.text.count("it counts as") == (seconds is not None), "it is said once"
