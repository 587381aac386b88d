"""The acceptance rows, played small: the same code as `make acceptance`."""

import pytest

from detour_lab import acceptance

SMALL = {"latency": 3, "kill": 2, "manifests": 150, "thousand": 60}
"""Sizes at which a row still shows what it is for. The row `conformance` is a folder of tests by itself."""


def test_every_row_is_played_here_or_is_a_folder_of_tests() -> None:
    assert set(SMALL) | {"conformance"} == set(acceptance.ROWS)


@pytest.mark.parametrize("row", SMALL)
async def test_the_row_passes(row: str) -> None:
    told: list[str] = []

    result = await acceptance.load(row)(SMALL[row], told.append)

    assert result.passed, f"{row}: {result.figures()}\n" + "\n".join(told)
