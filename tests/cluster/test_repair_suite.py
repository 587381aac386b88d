"""Whatever is damaged is put back, or asked about, at every DNS service; and the suite that says so can fail.

Every damage is played here, at one of the six services each; the row `repair` of `make acceptance` has all six.
"""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from detour_lab.clouds.labzones import OUTSIDER, EmulatedZone
from detour_lab.dns.nameserver import NameServer
from detour_lab.stage.stage import Stage
from detour_lab.stories.repair.answers import Answers, Span, Story
from detour_lab.stories.repair.cells import Cell, cells_of
from detour_lab.stories.repair.damages import DAMAGES, Asks, Column
from detour_lab.stories.repair.playing import result_of, set_up
from detour_lab.stories.repair.servers import Service
from detour_lab.stories.repair.suite import Suite
from detour_lab.stories.repair.trials import Limits
from detour_lab.zones.store import RecordSet, ZoneStore

SWIFT = ("--audit-every=5",)
"""What takes half a minute for users takes seconds here; all else is as they have it."""

UNHURRIED = Limits(publish=300.0, repair=300.0, failover=300.0)
"""Seconds after which a wait is given up, on whatever machine; what is promised is the row `repair`."""

IMPATIENT = Limits(repair=4.0, failover=5.0)
"""For an operator that does nothing: waiting longer would show no more."""

PROMISED = {
    *("record-deleted", "values-replaced", "values-added", "ttl-changed", "type-replaced", "marker-deleted"),
    *("ledger-deleted", "ledger-garbled", "ledger-from-the-future", "status-wiped", "status-from-a-backup"),
    *("records-deleted", "zone-emptied"),
}
"""What the safety chapter promises to put back."""

DECLARED, OTHER = "192.0.2.1", "192.0.2.2"


CELLS = [
    each for each in cells_of() if (list(Service).index(each.service) - DAMAGES.index(each.damage)) % len(Service) == 0
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def playing() -> AsyncIterator[tuple[Stage, Suite, list[str]]]:
    """A stage on which every cell has been published, the suite that plays there, and what it says."""
    told: list[str] = []
    async with set_up(CELLS, flags=SWIFT, throttled=False, limits=UNHURRIED, say=told.append) as (stage, suite):
        unpublished = await suite.publish()
        assert not unpublished, "\n".join(f"{cell}: {wrong}" for cell, wrong in unpublished.items())
        yield stage, suite, told


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("column", Column)
async def test_everything_is_put_back_or_asked_about_and_fails_over_afterwards(
    playing: tuple[Stage, Suite, list[str]], column: Column
) -> None:
    _, suite, told = playing
    expected = [each.damage.expectation(each.service, column) for each in CELLS]

    result = result_of(await suite.play(column), told.append)

    assert result.passed, f"{result.figures()}\n" + "\n".join(told)
    assert result.values["cells"] == result.values["failovers"] == len(DAMAGES)
    assert result.values["asked"] == sum(isinstance(each, Asks) for each in expected)


@pytest.mark.asyncio(loop_scope="module")
async def test_an_operator_that_writes_nothing_fails_in_every_cell(playing: tuple[Stage, Suite, list[str]]) -> None:
    stage, suite, told = playing
    idle = stage.operator_with("--dry-run")
    try:
        verdicts = await suite.play(Column.RESTARTED, restarted=idle, limits=IMPATIENT)
    finally:
        await idle.close()
    result = result_of(verdicts, told.append)

    assert not result.passed
    assert (result.values["right"], result.values["failovers"]) == (0, 0), "\n".join(told)
    unrepaired = {
        each.cell.damage.name for each in verdicts if any("after 4 s: expected A" in c for c in each.complaints)
    }
    assert unrepaired >= {"record-deleted", "values-replaced", "values-added", "ttl-changed", "zone-emptied"}


def test_the_table_holds_every_damage_that_is_promised_to_be_put_back() -> None:
    assert {each.name for each in DAMAGES} >= PROMISED
    assert len({each.name for each in DAMAGES}) == len(DAMAGES)


@pytest.mark.parametrize(
    ("values", "complaint"), [((), "never to be emptied"), (("192.0.2.9",), "only declared"), ((OTHER,), "left alone")]
)
async def test_an_answer_that_the_operator_spoils_is_noticed(values: tuple[str, ...], complaint: str) -> None:
    cell = Cell(DAMAGES[5], Service.RFC2136)  # it spares the answers
    store = ZoneStore(cell.domain)
    zone = EmulatedZone("zone", "RFC 2136", store, server := NameServer([store]), server.faults)
    published = RecordSet(cell.hostname, "A", 30, (DECLARED,))
    store.commit(added=[published], by="the operator")
    async with Answers({cell.domain: zone}, [cell]) as answers:
        answers.begin()
        store.commit(removed=[published.key], by=OUTSIDER)
        store.commit(added=[published], by="the operator")
        damaged, allowed = store.log[-1].at, (frozenset({DECLARED}), frozenset({OTHER}))
        restored = answers.complaints(Story(cell=cell, allowed=allowed, damaged=None, steady=None))

        added = [RecordSet(cell.hostname, "A", 30, values)] if values else []
        store.commit(removed=() if added else [published.key], added=added, by="the operator")
        spoilt = Story(cell=cell, allowed=allowed, damaged=None, steady=Span(damaged, store.log[-1].at + 1))
        complaints = answers.complaints(spoilt)

    assert restored == []
    assert any(complaint in each for each in complaints)
