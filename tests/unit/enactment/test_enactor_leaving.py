"""Names that are to go, and names that several records claim: what waits is not done, nobody takes another's along."""

import asyncio
from collections.abc import Callable

import pytest

from detour.enactment import names as names_module
from detour.enactment.enactor import QUARANTINE
from detour.enactment.reconcile import Outcome
from detour.enactment.wishes import Wish
from detour.model.names import marker_name
from detour.model.rrset import RRKey, RRset, RRType
from detour.model.withdrawal import Withdrawal
from detour_simulation.memoryzone import NO_QUOTA, ONE_BY_ONE

from .writer import API, ONE, TWO, Writer, key, marker_of, wish

Start = Callable[..., Writer]
BOTH = pytest.mark.parametrize("limits", [NO_QUOTA, ONE_BY_ONE], ids=["atomic", "one-by-one"])
MARKER = RRKey(marker_name(API), RRType.TXT)
GONE = Withdrawal(key("api"), "uid-api", API)


def second(*values: str, **changes: object) -> Wish:
    """Return a wish of another record for the same hostname."""
    return wish("api", *values, **{"record": key("second"), "uid": "uid-second", "created": 2.0, **changes})


async def published(start: Start, **options: object) -> Writer:
    writer = start(**options)
    await writer.publish(wish("api", ONE))
    return writer


# -- what waits is not done ------------------------------------------------------------------------------------------


@BOTH
async def test_a_deletion_that_the_provider_refuses_is_told_once_it_is_done(start: Start, limits: object) -> None:
    writer = await published(start, limits=limits)
    writer.zone.guarded.discard(API)
    writer.provider.refused.add(API)
    writer.enactor.withdraw(GONE)
    await asyncio.sleep(3 * QUARANTINE)
    assert writer.zone.answers(API) == {ONE}
    assert not writer.notes.withdrawals
    writer.provider.refused.clear()
    await writer.until(lambda: writer.notes.withdrawals == [GONE], within=2 * QUARANTINE)
    assert not writer.zone.answers(API)


async def test_a_deletion_does_not_wait_for_the_quarantine_of_what_was_wished_before(start: Start) -> None:
    writer = await published(start)
    writer.provider.refused.add(API)
    writer.want(wish("api", TWO))
    await writer.until(lambda: writer.refusal("api") == "RefusedByProvider")
    writer.provider.refused.clear()
    writer.zone.guarded.discard(API)
    writer.enactor.withdraw(GONE)
    await writer.until(lambda: writer.notes.withdrawals == [GONE], within=2)


async def test_a_deletion_waits_where_the_name_could_not_be_judged(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = await published(start)
    writer.zone.guarded.discard(API)

    def broken(*_: object, **__: object) -> Outcome:
        raise KeyError("a defect of our own")

    with monkeypatch.context() as patched:
        patched.setattr(names_module, "reconcile", broken)
        writer.enactor.withdraw(GONE)
        await asyncio.sleep(5)
        assert not writer.notes.withdrawals
    writer.enactor.suspect(API)
    await writer.until(lambda: writer.notes.withdrawals == [GONE])
    assert not writer.zone.answers(API)


async def test_a_deletion_is_made_though_the_next_claimant_is_refused_the_name(start: Start) -> None:
    """What a stranger claims, and cannot have, keeps nobody's deletion waiting."""
    writer = await published(start)
    writer.zone.put(RRset(API, RRType.TXT, 60, ("a note of somebody else",)))
    writer.want(second("elsewhere.example.net"))  # a CNAME, which can't stand beside the note
    await writer.until(lambda: writer.refusal("second") == "NameConflict")
    read = len(writer.provider.name_reads)
    writer.enactor.suspect(API)
    await writer.until(lambda: len(writer.provider.name_reads) > read and writer.in_sync("api"))
    writer.zone.guarded.discard(API)
    writer.enactor.withdraw(GONE)
    await writer.until(lambda: writer.notes.withdrawals == [GONE])
    assert not writer.zone.answers(API)
    assert writer.refusal("second") == "NameInUse"
    writer.zone.drop(RRKey(API, RRType.TXT))
    writer.enactor.suspect(API)
    await writer.until(lambda: writer.zone.answers(API) == {"elsewhere.example.net"})


# -- several claimants -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["forgotten", "deleted"])
async def test_a_duplicate_that_goes_takes_nothing_of_the_winners_along(start: Start, how: str) -> None:
    writer = await published(start)
    generation = writer.report("api").generation
    writer.want(second(TWO))
    await writer.until(lambda: writer.refusal("second") == "NameConflict")
    if how == "deleted":
        writer.enactor.withdraw(Withdrawal(key("second"), "uid-second", API))
    else:
        writer.enactor.forget(key("second"))
    await writer.settled("api")
    report = writer.report("api")
    assert (report.is_marked, report.generation) == (True, generation)
    writer.zone.drop(MARKER)  # and it is still known whose the name is where the marker is lost
    writer.enactor.suspect(API)
    await writer.until(lambda: writer.zone.rrset(MARKER) == marker_of("api"))
    assert writer.enactor.tally.repairs == 1


async def test_a_lost_marker_gives_the_name_to_nobody_who_only_claims_it(start: Start) -> None:
    writer = await published(start)
    writer.want(second(TWO, created=0.5))  # the older object, and the later claimant
    await writer.until(lambda: writer.refusal("second") == "NameConflict")
    writer.zone.drop(MARKER)
    writer.enactor.suspect(API)
    await writer.until(lambda: writer.zone.rrset(MARKER))
    await asyncio.sleep(5)
    assert writer.zone.rrset(MARKER) == marker_of("api")
    assert writer.zone.answers(API) == {ONE}
