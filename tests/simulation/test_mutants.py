"""Each protection is missed when it is off, and everything is as it was afterwards."""

import re

import pytest

from detour.enactment import fence
from detour.enactment.fence import Fence
from detour_simulation.mutant import Mutant, replaced
from detour_simulation.mutants import MUTANTS

from .commands import simulator


def test_every_mutant_is_killed_by_the_seed_that_is_known_to_do_it() -> None:
    status, lines = simulator("mutants", "--known")
    assert status == 0, "\n".join(lines)
    assert lines[-1] == f"PASS mutants={len(MUTANTS)} killed={len(MUTANTS)}"


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=lambda mutant: mutant.name.replace(" ", "-"))
def test_what_a_mutant_replaces_is_there_and_comes_back(mutant: Mutant) -> None:
    replacements = mutant.off()
    before = [owner.__dict__.get(name) for owner, name, _ in replacements]
    with replaced(*replacements):
        assert all(owner.__dict__[name] is new for owner, name, new in replacements)
    assert [owner.__dict__.get(name) for owner, name, _ in replacements] == before


def test_an_unknown_mutant_is_named() -> None:
    with pytest.raises(AssertionError, match="there is no mutant 'gravity'"):
        simulator("mutants", "gravity")


def test_a_run_restores_what_is_random() -> None:
    assert re.fullmatch(r"[0-9a-f]{16}", vars(fence)["secrets"].token_hex(8))


def test_a_mutant_of_what_is_not_there_any_more_is_no_mutant() -> None:
    with pytest.raises(AttributeError, match="has no gone"), replaced((Fence, "gone", None)):
        pass
