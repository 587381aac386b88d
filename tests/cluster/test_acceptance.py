"""The acceptance rows: `make test` plays two of them small, and has shorter tests of its own for the others.

All of them, at a size that still shows what they are for: `python -m detour_lab acceptance --small`.
"""

from pathlib import Path

import pytest

from detour_lab.stories import acceptance

TESTS = Path(__file__).resolve().parents[1]

PLAYED_HERE = ("latency", "simulation")

SHORTER = {
    "conformance": "conformance/test_writing.py",
    "detection": "unit/checks/test_scheduling.py",
    "kill": "cluster/test_operator_restarts.py",
    "manifests": "cluster/test_manifests_hostile.py",
    "thousand": "unit/app/test_engine.py",
    "names": "unit/app/test_engine.py",
    "repair": "cluster/test_repair_suite.py",
    "sitelost": "cluster/test_operator_sites.py",
    "takeover": "cluster/test_operator_replicas.py",
    "soak": "cluster/test_under_fire_clocks.py",
}
"""Where the same is tried without the long story."""


def test_every_row_is_played_here_or_has_shorter_tests() -> None:
    assert {*PLAYED_HERE, *SHORTER} == set(acceptance.ROWS)
    assert [path for path in SHORTER.values() if not (TESTS / path).is_file()] == []


@pytest.mark.parametrize("row", PLAYED_HERE)
async def test_the_row_passes(row: str) -> None:
    told: list[str] = []

    result = await acceptance.load(row, slack=acceptance.UNTIMED)(acceptance.ROWS[row].small, told.append)

    assert result.passed, f"{row}: {result.figures()}\n" + "\n".join(told)
