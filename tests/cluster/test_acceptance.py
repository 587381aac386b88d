"""The acceptance rows, played small: the same code as `make acceptance`."""

import pytest

from detour_lab import acceptance

SMALL = {
    "latency": 3,
    "kill": 2,
    "manifests": 150,
    "thousand": 60,
    "sitelost": 4,
    "takeover": 2,
    "simulation": 40,
    "soak": 1,
}
"""Sizes at which a row still shows what it is for. The rows `conformance` and `repair` are tests by themselves."""


BUSY = 3.0
"""Other tests run beside these, on few cores: how long things take is judged by `make acceptance` alone."""


def test_every_row_is_played_here_or_is_a_folder_of_tests() -> None:
    assert set(SMALL) | {"conformance", "repair"} == set(acceptance.ROWS)


@pytest.mark.parametrize("row", SMALL)
async def test_the_row_passes(row: str) -> None:
    told: list[str] = []

    result = await acceptance.load(row, slack=BUSY)(SMALL[row], told.append)

    assert result.passed, f"{row}: {result.figures()}\n" + "\n".join(told)
