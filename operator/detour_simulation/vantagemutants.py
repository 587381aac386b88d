"""Mutants of how vantages decide together: who votes, how many it takes, and what is taken for a vote."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from detour.engine import vantages
from detour.engine.targets import Targets
from detour.engine.vantages import Vantages
from detour.health import quorum
from detour.health.quorum import Electorate, Voter
from detour.model.record import Quorum
from detour_simulation.mutant import Mutant, Replacement


def _one_vote_condemns() -> tuple[Replacement, ...]:
    return ((quorum, "votes_needed", lambda wanted, total: 1),)


def _everybody_is_believed() -> tuple[Replacement, ...]:
    """Also who is stale, and whose last words are of long ago."""
    return ((vantages, "doubt", lambda standing, now: None),)


def _also_in_its_own_region() -> tuple[Replacement, ...]:
    def of_nowhere(voters: Iterable[Voter], region: str, wanted: Quorum) -> Electorate:
        return _ELECTORATE([replace(each, region="") for each in voters], region, wanted)

    return ((vantages, "electorate", of_nowhere),)


def _who_abstains_does_not_count() -> tuple[Replacement, ...]:
    """More than half of those that have a say."""

    def of_the_heard(voters: Iterable[Voter], region: str, wanted: Quorum) -> Electorate:
        return _ELECTORATE([each for each in voters if not each.abstains], region, wanted)

    return ((vantages, "electorate", of_the_heard),)


_ELECTORATE = quorum.electorate


def _alone() -> tuple[Replacement, ...]:
    """The operator goes by its own checks, whatever others say."""
    return ((Vantages, "is_alone", property(lambda self: True)),)


def _without_a_quorum_it_passes() -> tuple[Replacement, ...]:
    def acquits(self: Electorate) -> int:
        return 1

    return ((Electorate, "acquits", property(acquits)),)


def _what_others_say_is_no_news() -> tuple[Replacement, ...]:
    return ((Targets, "_others_say", lambda self, keys: None),)


OF_VANTAGES: Mapping[str, Mutant] = {
    each.name: each
    for each in (
        Mutant(name="it takes a majority of vantages", profile="vantages", off=_one_vote_condemns),
        Mutant(name="who is not believed abstains", profile="vantages amiss", seed=77, off=_everybody_is_believed),
        Mutant(name="no vantage judges its own region", profile="vantages inward", off=_also_in_its_own_region),
        Mutant(name="who abstains counts", profile="vantages amiss", seed=11, off=_who_abstains_does_not_count),
        Mutant(
            name="a failing check takes as many to pass",
            profile="vantages",
            within=300,
            seed=216,
            off=_without_a_quorum_it_passes,
        ),
        Mutant(name="other vantages are heard", profile="vantages", seed=13, off=_alone),
        Mutant(name="what others say is news", profile="vantages", off=_what_others_say_is_no_news),
    )
}
