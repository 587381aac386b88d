"""The story with Detour: the same five steps, on the whole stage, with two replicas of the real operator.

    1  a region fails; the leader decides, its batch for Route 53 leaves, and is held on its way; the leader is stopped
    2  the standby takes the Lease, claims every ledger, and applies newer decisions: away from the region, and back
    3  names are cleaned up: a record with deletionPolicy Delete is deleted while the old batch still waits
    4  the leader wakes, and its batch lands: Route 53 refuses it, since the ledger is not what the batch expects
    5  the next failover goes through as any other

When the batch lands, `api` holds again exactly the values that the batch wants to replace: comparing values alone would
let it through. Only the ledger, which moves with every batch, tells the two moments apart.
"""

import asyncio
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from aiohttp import web

from detour.model.names import ledger_name, marker_name
from detour_lab.clouds.clouds import AZURE, DOMAIN, GOOGLE, ROUTE53
from detour_lab.clouds.labzones import EmulatedZone
from detour_lab.clouds.route53.request import parse_change_batch
from detour_lab.faults import Hold
from detour_lab.stage.stage import NAMESPACE, OWNER, PATIENCE, Stage, StageError, wait_for
from detour_lab.stories.expectation import Spec, zones_of
from detour_lab.stories.october.evidence import LedgerText, ledger_of, stale_writes, written
from detour_lab.stories.october.replicas import Replicas, unsuccessful_batches
from detour_lab.stories.october.watch import Watch, expected
from detour_lab.zones.store import RecordSet

REGION = "aws-us-east-1"
API, WWW, RETIRED = "api", "www", "checkout"
"""Records of the quickstart: the first two are in all four zones and asked for throughout, the third is deleted."""

WELL: Collection[str] = ()
DOWN: Collection[str] = (REGION,)
"""Which regions are down."""

ATOMIC = {ROUTE53: True, GOOGLE: True, AZURE: False}
"""The zones whose history is judged, and whether a batch is one transaction there."""

CHANGE = "ChangeResourceRecordSets"
LEDGER = ledger_name(OWNER, DOMAIN)

CATCH_TIMEOUT = PATIENCE
SETTLE_TIMEOUT = PATIENCE
"""Seconds within which a decision leaves for Route 53, and within which a deletion or a late batch has its effect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FencedOutcome:
    """What the story showed.

    `old_answers` are answers that were none of those in force. `late_refused` says that Route 53 refused the late
    batch because of the ledger, `resurrected` that a name that was cleaned up came back, `moved_on` that the last
    failover went through. `claims_afterwards` counts who has claimed Route 53's ledger since the leader was stopped,
    and `take_over_seconds` runs from that stop to the standby's first batch.
    """

    empty_answers: int
    old_answers: int
    stale_writes: int
    answers: int
    late_refused: bool
    resurrected: bool
    moved_on: bool
    claims_afterwards: int
    take_over_seconds: float

    @property
    def passed(self) -> bool:
        unharmed = self.empty_answers == self.old_answers == self.stale_writes == 0
        went_on = self.moved_on and self.claims_afterwards == 1
        return unharmed and self.answers > 0 and self.late_refused and not self.resurrected and went_on


class FencedStory:
    """Plays on a stage whose records are Ready; `say` gets lines for people."""

    def __init__(self, stage: Stage, say: Callable[[str], None]) -> None:
        self._stage = stage
        self._say = say
        self._specs: dict[str, Spec] = {}

    async def play(self) -> FencedOutcome:
        """Play the five steps.

        Raises StageError where a step does not come about, OperatorError where no standby starts.
        """
        stage = self._stage
        policy = '{"spec":{"deletionPolicy":"Delete"}}'
        await stage.kubectl("patch", "fr", RETIRED, "-n", NAMESPACE, "--type=merge", "-p", policy)
        self._specs = {name: item["spec"] for name, item in (await stage.records()).items()}
        asked = {name: self._specs[name] for name in (API, WWW)}
        hostname = self._hostname(API)
        async with Replicas(stage) as replicas, Watch(stage.lab.name_servers, asked, self._say) as watch:
            await stage.wait_until_ready()
            await watch.until_moved(lost=WELL)
            watch.begin()
            served = _list(expected(self._specs[API], lost=WELL))
            self._say(f"    {hostname} is served by {served} in {len(stage.lab.zones)} zones; two replicas run")
            hold = stage.lab.api_faults(ROUTE53).hold(CHANGE, containing=f">{hostname}.<".encode())
            try:
                held = await self._stop_in_mid_plan(hold, replicas)
                seconds = await self._take_over(held, replicas, watch)
                await self._clean_up()
                watch.judge((WELL, DOWN))
                late_refused = await self._wake(hold, replicas, watch)
                watch.judge((WELL,))
            finally:
                hold.let_go()
            resurrected = self._retired_sets() != []
            moved_on = await self._fail_over_once_more(watch)
            watch.judge((WELL, DOWN))
        return FencedOutcome(
            empty_answers=watch.empty,
            old_answers=watch.old,
            stale_writes=self._stale_writes(),
            answers=watch.answers,
            late_refused=late_refused,
            resurrected=resurrected,
            moved_on=moved_on,
            claims_afterwards=len(self._claims_after(held)),
            take_over_seconds=seconds,
        )

    # -- the steps -------------------------------------------------------------------------------------------------

    async def _stop_in_mid_plan(self, hold: Hold, replicas: Replicas) -> LedgerText:
        """Break the region and stop the leader once its batch has left; return the ledger that the batch expects."""
        await self._stage.lab.break_region(REGION)
        try:
            async with asyncio.timeout(CATCH_TIMEOUT):
                body = await hold.caught()
        except TimeoutError:
            raise StageError(f"no batch that moves {API} left for Route 53 within {CATCH_TIMEOUT:g} s") from None
        await replicas.stop_leader()
        changes = parse_change_batch(body).changes
        wanted = next(each for each in changes if each.action == "CREATE" and each.name == f"{self._hostname(API)}.")
        awaited = next((each for each in changes if each.action == "DELETE" and each.name == f"{LEDGER}."), None)
        ledger = ledger_of([RecordSet(LEDGER, "TXT", 0, awaited.values)], LEDGER) if awaited else None
        if ledger is None:
            raise StageError(f"the batch that moves {API} names no ledger that it expects: it would land at any time")
        self._say(
            f"1   {REGION} fails; the leader's batch, {API} to {_list(wanted.values)} if the ledger is {ledger}, "
            "is held on its way to Route 53, and the leader is stopped (SIGSTOP)"
        )
        return ledger

    async def _take_over(self, held: LedgerText, replicas: Replicas, watch: Watch) -> float:
        """Wait until the standby has taken over and decided twice; return the seconds until its first batch."""
        stopped_at = time.monotonic()
        await replicas.taken_over()
        await watch.until_moved(lost=DOWN)
        seconds = min(self._claims_after(held).values(), default=float("inf")) - stopped_at
        self._say(
            f"2   the standby has the Lease, and the ledger {self._ledger()} after {seconds:.1f} s: it moves {API}"
        )
        await self._stage.lab.mend_region(REGION)
        await watch.until_moved(lost=WELL)
        self._say(f"    {REGION} recovers, and {API} is back where it was: the ledger is {self._ledger()}")
        return seconds

    async def _clean_up(self) -> None:
        await self._stage.kubectl("delete", "fr", RETIRED, "-n", NAMESPACE, f"--timeout={SETTLE_TIMEOUT:g}s")
        await wait_for(self._is_retired, timeout=SETTLE_TIMEOUT, what=f"the removal of {self._hostname(RETIRED)}")
        self._say(f"3   {RETIRED} is deleted, and its name and marker with it: the ledger is {self._ledger()}")

    async def _wake(self, hold: Hold, replicas: Replicas, watch: Watch) -> bool:
        """Let the leader go on and its batch land; tell whether Route 53 refused it because of the ledger."""
        replicas.leader.resume()
        hold.let_go()
        answer = await hold.landed()
        text = (answer.text or "") if isinstance(answer, web.Response) else ""
        refused = answer.status == 400 and LEDGER in text
        await wait_for(
            lambda: _knows(replicas), timeout=SETTLE_TIMEOUT, what="the leader's notice of its late batch", interval=0.2
        )
        await watch.quiet()
        why = "because the ledger is not what the batch expects" if refused else "whatever the ledger says"
        self._say(f"4   the leader wakes (SIGCONT), and its batch lands: Route 53 answers {answer.status}, {why}")
        return refused

    async def _fail_over_once_more(self, watch: Watch) -> bool:
        await self._stage.lab.break_region(REGION)
        moved = await watch.moved(lost=DOWN)
        self._say(f"5   {REGION} fails again, and {API} {'moves' if moved else 'does not move'}")
        await self._stage.lab.mend_region(REGION)
        return moved

    # -- what the zones hold ---------------------------------------------------------------------------------------

    def _stale_writes(self) -> int:
        for name in ATOMIC:
            if not written(self._zone(name)):
                raise StageError(f"the history of {name} has no write of an API client: nothing can be judged by it")
        stale = [
            f"{name}: commit {commit.number} by {commit.by}"
            for name, atomic in ATOMIC.items()
            for commit in stale_writes(self._zone(name), LEDGER, atomic=atomic)
        ]
        for each in stale:
            self._say(f"stale write in {each}")
        return len(stale)

    def _claims_after(self, held: LedgerText) -> dict[str, float]:
        """Return when (monotonic seconds) each claim above the ledger `held` first wrote at Route 53."""
        found: dict[str, float] = {}
        for commit in self._zone(ROUTE53).store.log:
            ledger = ledger_of(commit.added, LEDGER)
            if ledger is not None and ledger.claim != held.claim and ledger.generation > held.generation:
                found.setdefault(ledger.claim, commit.at)
        return found

    async def _is_retired(self) -> bool:
        return self._retired_sets() == []

    def _retired_sets(self) -> list[RecordSet]:
        """Return what is left at the retired name, and of its marker, in the emulated zones that held it."""
        hostname = self._hostname(RETIRED)
        stores = [self._zone(name).store for name in zones_of(self._specs[RETIRED])]
        return [each for store in stores for name in (hostname, marker_name(hostname)) for each in store.at_name(name)]

    def _ledger(self) -> LedgerText | None:
        return ledger_of(self._zone(ROUTE53).store.at_name(LEDGER), LEDGER)

    def _zone(self, name: str) -> EmulatedZone:
        zone = self._stage.lab.zone(name)
        if not isinstance(zone, EmulatedZone):
            raise StageError(f"{name} is a real server, which keeps no history to judge")
        return zone

    def _hostname(self, record: str) -> str:
        return str(self._specs[record]["hostname"])


async def _knows(replicas: Replicas) -> bool:
    return await unsuccessful_batches(replicas.leader, ROUTE53) > 0


def _list(values: Collection[str]) -> str:
    return ", ".join(sorted(values)) or "nothing"
