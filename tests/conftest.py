"""What all tests share: the seed of those that play something new each time, which every run prints."""

import os
import random

import pytest

SEED = "DETOUR_NEW_SEED"
"""The environment variable that sets the seed of the schedules that are new in each run."""


def pytest_configure() -> None:
    """Choose the seed once: the processes that run tests beside each other inherit it."""
    os.environ.setdefault(SEED, str(random.SystemRandom().randrange(1_000_000, 100_000_000)))


def pytest_report_header() -> str:
    """Print it with the header of the run."""
    return f"new schedules of the simulation: seed {os.environ[SEED]} (set {SEED} to play them again)"


@pytest.fixture(scope="session")
def new_seed() -> int:
    """The seed of what is new in this run."""
    return int(os.environ[SEED])
