"""Protections, each switched off in the simulation only.

A proof that cannot fail proves nothing. So each function or method that the safety rests on is replaced, for the time
of a run, by one that does not protect; then the simulation must find a broken promise, within the number of schedules
that is stated. Nothing of this is in the product: there is no flag to set there.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from detour.app.declarations import Declarations
from detour.enactment import enactor, fence, reconcile
from detour.enactment.contract import Batch, Change, ProviderError, StoredSet, ZoneContents
from detour.enactment.enactor import Enactor
from detour.enactment.fence import Fence
from detour.enactment.guarded import GuardedProvider
from detour.enactment.ledger import Ledger
from detour.enactment.names import Names
from detour.enactment.takeover import Takeover
from detour.enactment.waiting import news_within
from detour.enactment.wishes import Urgency
from detour.enactment.zonereader import ZoneReader
from detour.engine import recordkeeper, zonekeeper, zones
from detour.engine.targets import Targets
from detour.kube.reporting.reporting import Reporting
from detour.model.generation import NEVER, Generation
from detour.model.health import Verdict
from detour.model.memory import RecordMemory
from detour.model.rrset import ANSWER_TYPES, address_sets
from detour.planning import planner
from detour.planning import situation as situation_module
from detour.planning.candidates import Candidate
from detour.planning.grounds import Grounded
from detour.planning.planner import plan
from detour.planning.safety import deletions
from detour.planning.safety import gate as gate_module
from detour.planning.safety.departures import Departures
from detour.planning.safety.rules import HoldReason
from detour.planning.selection import choose
from detour.planning.situation import Situation, View
from detour.providers.azuredns import provider as azuredns
from detour_simulation import run
from detour_simulation.behaviours import BEHAVIOURS
from detour_simulation.lookmutants import OF_LOOKS
from detour_simulation.mutant import Mutant, Replacement, replaced
from detour_simulation.pacemutants import OF_PACE
from detour_simulation.providers import AtomicProvider
from detour_simulation.regionmutants import OF_REGIONS
from detour_simulation.rivalmutants import OF_RIVALS
from detour_simulation.shardmutants import OF_SHARDS
from detour_simulation.vantagemutants import OF_VANTAGES
from detour_simulation.zonemutants import OF_ZONES

# -- the fence -----------------------------------------------------------------------------------------------------


def _no_ledger_precondition() -> tuple[Replacement, ...]:
    def conditions(self: AtomicProvider, batch: Batch) -> tuple[Change, ...]:
        return batch.changes

    return ((AtomicProvider, "_conditions", conditions),)


def _no_exact_old_values() -> tuple[Replacement, ...]:
    def conditions(self: AtomicProvider, batch: Batch) -> tuple[Change, ...]:
        return (batch.ledger,)

    return ((AtomicProvider, "_conditions", conditions),)


def _no_digest() -> tuple[Replacement, ...]:
    return ((fence, "batch_digest", lambda ledger, changes: "0"),)


def _no_randomness() -> tuple[Replacement, ...]:
    return ((run.Claims, "token_hex", lambda self, size: "feed"),)


def _no_epoch_bump() -> tuple[Replacement, ...]:
    before = vars(fence)["next_claim"]

    def claim(current: Ledger | None, known: Generation, **rest: Any) -> Ledger:
        made: Ledger = before(current, known, **rest)
        return replace(made, generation=max(known, current.generation if current else NEVER, Generation(1, 0)))

    return ((fence, "next_claim", claim),)


def _no_reading_after_lost_answers() -> tuple[Replacement, ...]:
    async def resolve(self: Enactor, doubt: Any) -> None:
        self._delivery.doubt = None
        for each in doubt.work:
            self._names.reread(each.hostname)

    return ((Enactor, "_resolve", resolve),)


def _no_settling_batch() -> tuple[Replacement, ...]:
    return ((Fence, "unsettled", property(lambda self: False, lambda self, value: None)),)


def _no_order_at_azure() -> tuple[Replacement, ...]:
    return (
        (azuredns, "kept_beside", lambda changes: ()),
        (azuredns, "families_first", lambda changes: sorted(changes, key=lambda change: change.new is not None)),
        (azuredns, "family_that_stays", lambda change, changes: None),
    )


def _no_owed_reading() -> tuple[Replacement, ...]:
    return ((ZoneReader, "owe", lambda self: None),)


def _no_touch_after_lost_answers() -> tuple[Replacement, ...]:
    return ((Names, "unanswered", lambda self, change: None),)


def _no_proof_of_markers() -> tuple[Replacement, ...]:
    async def prove(self: Any, marker: Any, version: str | None) -> str | None:
        return version

    return ((azuredns.AzureDNSProvider, "_prove_ours", prove),)


# -- what is decided on --------------------------------------------------------------------------------------------


def _published_from_status() -> tuple[Replacement, ...]:
    before = recordkeeper.RecordKeeper.decide

    def decide(self: recordkeeper.RecordKeeper, *moment: Any, **rest: Any) -> Any:
        record = self.record
        known = {
            each.key: address_sets(record.hostname, record.ttl, each.values)
            for each in self.memory.zones
            if each.values
        }

        def planned(situation: Situation, now: float, _: Any) -> Any:
            standings = {
                zone: replace(each, published=known.get(zone, each.published))
                for zone, each in situation.standings.items()
            }
            return plan(replace(situation, standings=standings), now)

        with replaced((recordkeeper, "plan_once", planned)):
            return before(self, *moment, **rest)

    return ((recordkeeper.RecordKeeper, "decide", decide),)


def _silence_counts() -> tuple[Replacement, ...]:
    return (
        (Takeover, "_stood_still", lambda self, rival: self._clock() - rival.since),
        (Takeover, "judge", _judge_without_looking),
    )


def _judge_without_looking(self: Any, stored: Any, **rest: Any) -> Any:
    rival = self._rival
    if rival is not None and rival.ledger is not None and self._stood_still(rival) >= self._patience(rival.ledger):
        return None
    return _JUDGE(self, stored, **rest)


_JUDGE = Takeover.judge


def _zones_share_places() -> tuple[Replacement, ...]:
    def views(situation: Situation) -> tuple[View, ...]:
        found = situation_module.views(situation)
        deciding = [each.serving for each in found if each.serving is not None]
        return (
            View(
                zones=situation.record.zones,
                published=frozenset().union(*(each.published for each in found)),
                serving=frozenset().union(*deciding) if deciding else None,
                decided=frozenset().union(*(each.decided for each in found)),
                on_the_way=frozenset().union(*(each.on_the_way for each in found)),
            ),
        )

    return ((planner, "views", views),)


def _unknown_loses_its_place() -> tuple[Replacement, ...]:
    def is_eligible(self: Candidate) -> bool:
        return not self.drained and bool(self.values) and self.health.verdict is Verdict.HEALTHY

    return ((Candidate, "is_eligible", property(is_eligible)),)


def _no_memory() -> tuple[Replacement, ...]:
    return ((Reporting, "record_memory", lambda self, origin: RecordMemory()),)


# -- the gate ------------------------------------------------------------------------------------------------------


def _not(reason: HoldReason) -> Callable[[], tuple[Replacement, ...]]:
    def off() -> tuple[Replacement, ...]:
        before = vars(gate_module)["hold"]

        def hold(*arguments: Any, **rest: Any) -> HoldReason | None:
            found: HoldReason | None = before(*arguments, **rest)
            return None if found is reason else found

        return ((gate_module, "hold", hold),)

    return off


def _each_zone_counts_alone() -> tuple[Replacement, ...]:
    before = gate_module.ZoneGate.__init__

    def init(self: gate_module.ZoneGate, safety: Any, *, clock: Any, departures: Any) -> None:
        before(self, safety, clock=clock, departures=Departures(0))

    return ((gate_module.ZoneGate, "__init__", init),)


def _old_evidence_counts() -> tuple[Replacement, ...]:
    def chosen(record: Any, candidates: Any, now: float, **rest: Any) -> Grounded:
        return Grounded(choose(record, candidates, now))

    return ((planner, "choose_on_grounds", chosen),)


def _no_panic() -> tuple[Replacement, ...]:
    return (*_not(HoldReason.PANIC)(), (Targets, "doubt_since", lambda self, at: None))


def _no_freeze_of_decided() -> tuple[Replacement, ...]:
    return ((gate_module.ZoneGate, "freezes", lambda self, record: False),)


def _no_freeze() -> tuple[Replacement, ...]:
    return (*_not(HoldReason.FREEZE)(), *_no_freeze_of_decided())


def _no_deletion_hold() -> tuple[Replacement, ...]:
    return ((deletions, "deletions_allowed", lambda owned: 1_000_000),)


def _no_never_empty() -> tuple[Replacement, ...]:
    return ((reconcile, "never_empty", lambda before, after, *, deletion_observed: None),)


def _removals_only() -> tuple[Replacement, ...]:
    """A mistake: what should be replaced is removed."""
    before = reconcile._changes

    def changes(*arguments: Any) -> tuple[Change, ...]:
        made = before(*arguments)
        return tuple(
            replace(each, new=None) if each.old and each.new and each.key.type in ANSWER_TYPES else each
            for each in made
        )

    return ((reconcile, "_changes", changes),)


# -- what others contain -------------------------------------------------------------------------------------------


def _no_guard() -> tuple[Replacement, ...]:
    """What a provider raises goes through, and the work that met it is not begun anew."""

    async def ends(what: str, work: Callable[[], Any]) -> None:
        await work()

    return (
        (enactor, "GuardedProvider", lambda provider: provider),
        (zonekeeper, "GuardedProvider", lambda provider: provider),
        (zones, "kept_going", ends),
        (Enactor, "_work", _unkept),
    )


async def _unkept(self: Any) -> None:
    """Work as it would without a last resort for errors of any kind."""
    while not self._stopping:
        self._news.clear()
        delay = self._backoff.delay
        if delay == 0.0:
            try:
                delay = await self._step() or 0.0
            except ProviderError as error:
                delay = self._fail(error)
            else:
                self._backoff.over()
        if delay > 0.0:
            await news_within(self._news, delay)


def _every_answer_is_success() -> tuple[Replacement, ...]:
    before = GuardedProvider.apply

    async def apply(self: GuardedProvider, batch: Batch) -> ZoneContents:
        try:
            stored = await self._provider.apply(batch)
        except ProviderError:
            raise
        except Exception:
            return await before(self, batch)
        if isinstance(stored, ZoneContents) and stored.sets:
            return stored
        made = [change.new for change in (batch.ledger, *batch.changes) if change.new is not None]
        return ZoneContents({each.key: StoredSet(each) for each in made})

    return ((GuardedProvider, "apply", apply),)


def _no_condition_on_what_stays() -> tuple[Replacement, ...]:
    before = reconcile._changes

    def changes(*arguments: Any) -> tuple[Change, ...]:
        return tuple(replace(each, beside=None) for each in before(*arguments))

    return ((reconcile, "_changes", changes),)


def _readings_in_the_way() -> tuple[Replacement, ...]:
    async def read_zone(self: Any) -> None:
        self._budget.urgency = Urgency.FAILOVER
        await self._reader.read(self._provider)
        await self._was_read()

    async def read_suspects(self: Any) -> None:
        await self._names_were_read(await self._reader.read_suspects(self._provider))

    return ((Enactor, "_read_zone", read_zone), (Enactor, "_read_suspects", read_suspects))


# -- whose a name is -----------------------------------------------------------------------------------------------


def _no_ownership_check() -> tuple[Replacement, ...]:
    return ((reconcile, "_refusal", lambda *arguments, **rest: None),)


def _no_uid_check() -> tuple[Replacement, ...]:
    return ((reconcile, "_is_of", lambda marker, withdrawal, rules: marker.record == withdrawal.record),)


def _absence_is_deletion() -> tuple[Replacement, ...]:
    before = Declarations._lose

    def lose(self: Declarations, subject: Any, now: float, *, observed: bool) -> None:
        before(self, subject, now, observed=True)

    return ((Declarations, "_lose", lose),)


def _no_repair() -> tuple[Replacement, ...]:
    return (
        (Names, "all_reread", _reread_nothing),
        (Enactor, "suspect", lambda self, hostname: None),
        *OF_LOOKS["hears of what others change"].off(),
        *OF_LOOKS["looks at what a reading shows"].off(),
    )


def _reread_nothing(self: Names, view: Any) -> Iterator[None]:
    """Take note of what is owned, as the first reading must, and look at no name again."""
    return iter(()) if self.owned_count else _ALL_REREAD(self, view)


_ALL_REREAD = Names.all_reread


PROTECTIONS: Mapping[str, Mutant] = {
    each.name: each
    for each in (
        Mutant(name="ledger precondition", profile="two writers", within=50, seed=9, off=_no_ledger_precondition),
        Mutant(name="digest in the ledger", profile="lost answers", within=100, seed=17, off=_no_digest),
        Mutant(name="randomness of the claim", profile="two writers", within=50, seed=15, off=_no_randomness),
        Mutant(name="exact old values", profile="races", within=50, seed=2, off=_no_exact_old_values),
        Mutant(name="epoch bump", profile="two writers", within=50, seed=2, off=_no_epoch_bump),
        Mutant(
            name="reading after a lost answer",
            profile="lost answers",
            within=50,
            seed=2,
            off=_no_reading_after_lost_answers,
        ),
        Mutant(name="settling batch", profile="lost answers", within=50, seed=15, off=_no_settling_batch),
        Mutant(name="order at Azure", profile="azure", within=50, seed=19, off=_no_order_at_azure),
        Mutant(name="reading after a claim", profile="sites", within=50, seed=11, off=_no_owed_reading),
        Mutant(name="touch at Azure", profile="late at azure", within=200, seed=158, off=_no_touch_after_lost_answers),
        Mutant(name="published read from the zone", profile="dark", within=200, seed=39, off=_published_from_status),
        Mutant(name="only positive answers count", profile="standby", within=200, seed=62, off=_silence_counts),
        Mutant(
            name="never empty",
            profile="restarts",
            within=50,
            seed=2,
            off=_no_never_empty,
            mistake=_removals_only,
        ),
        Mutant(name="places by zone", profile="apart", seed=118, off=_zones_share_places),
        Mutant(name="Unknown keeps its place", profile="amnesia", within=50, seed=2, off=_unknown_loses_its_place),
        Mutant(name="marker proved at Azure", profile="stolen", within=50, seed=1, off=_no_proof_of_markers),
        Mutant(name="verdicts restored at start", profile="restarts", within=50, seed=16, off=_no_memory),
        Mutant(name="deletion hold", profile="deletions", within=20, off=_no_deletion_hold),
        Mutant(name="ownership check", profile="outsiders", within=50, seed=15, off=_no_ownership_check),
        Mutant(name="UID in the marker", profile="recreated", within=200, seed=121, off=_no_uid_check),
        Mutant(name="absence is no deletion", profile="recreated", within=100, seed=45, off=_absence_is_deletion),
        Mutant(name="repair", profile="outsiders", within=50, seed=3, off=_no_repair),
        Mutant(name="one region at a time", profile="regions", within=50, seed=5, off=_not(HoldReason.REGIONS)),
        Mutant(
            name="one region at a time after a freeze", profile="frozen regions", seed=3, off=_not(HoldReason.REGIONS)
        ),
        Mutant(
            name="regions counted over all zones", profile="regions of two zones", seed=9, off=_each_zone_counts_alone
        ),
        Mutant(name="age of evidence", profile="staggered", seed=67, off=_old_evidence_counts),
        Mutant(name="freeze", profile="frozen", within=50, off=_no_freeze),
        Mutant(name="freeze of what is on its way", profile="frozen", within=50, seed=50, off=_no_freeze_of_decided),
        Mutant(name="errors cost one turn", profile="oddities", within=50, off=_no_guard, by_defect=True),
        Mutant(
            name="an answer to a write is whole", profile="oddities", within=50, seed=5, off=_every_answer_is_success
        ),
        Mutant(
            name="condition on what stays", profile="families", within=200, seed=15, off=_no_condition_on_what_stays
        ),
        Mutant(name="readings stand aside", profile="reads", within=50, seed=2, off=_readings_in_the_way),
        Mutant(name="panic", profile="blind", within=50, seed=1, off=_no_panic),
    )
}

MUTANTS: Mapping[str, Mutant] = {
    **PROTECTIONS, **BEHAVIOURS, **OF_ZONES, **OF_RIVALS, **OF_LOOKS, **OF_SHARDS, **OF_VANTAGES, **OF_PACE,
    **OF_REGIONS,
}  # fmt: skip
"""All of them: protections first."""
