"""What all tests share: the seed of those that play something new each time, and who runs beside whom.

`make test` runs several processes beside each other. What shares something that takes long to start goes to one of
them (its group), the longest groups first, so that nobody waits for one alone in the end.
"""

import os
import random
from pathlib import Path

import pytest

SEED = "DETOUR_NEW_SEED"
"""The environment variable that sets the seed of the schedules that are new in each run."""

TESTS = Path(__file__).parent
STORIES = "stories"
"""The group of all tests with the operator that stories share."""

SHARED = {
    "test_operator_outages": STORIES,
    **dict.fromkeys(
        (
            *("test_manifests_accepted", "test_manifests_hostile", "test_manifests_refused"),
            *("test_chart_alerts", "test_chart_refusals", "test_chart_rendering"),
        ),
        "declarations",
    ),
}
"""The group of each file that shares a control plane with others."""

LONGEST_FIRST = (
    STORIES,
    *("cluster/test_repair_suite", "cluster/test_under_fire", "cluster/test_operator_sites", "cluster/test_stories"),
    *("cluster/test_chart_permissions", "cluster/test_acceptance", "cluster/test_chart_lifecycle", "simulation/"),
    *("conformance/", "cluster/test_october", "cluster/test_quickstart", "declarations", "cluster/"),
)
"""Groups, or how their names begin, that take longest. What is not here comes after them."""

SLOW = ("unit/lab/test_lab_operatorprocess", "unit/lab/test_lab_steppedclock", "unit/controlplane/test_plane")
"""Unit tests that start processes of some weight, by their groups."""


def pytest_configure() -> None:
    """Choose the seed once: the processes that run tests beside each other inherit it."""
    os.environ.setdefault(SEED, str(random.SystemRandom().randrange(1_000_000, 100_000_000)))


def pytest_report_header() -> str:
    """Print it with the header of the run."""
    return f"new schedules of the simulation: seed {os.environ[SEED]} (set {SEED} to play them again)"


def pytest_itemcollected(item: pytest.Item) -> None:
    """Give every test its group."""
    group = _group(item)
    item.add_marker(pytest.mark.xdist_group(group))
    if group in SLOW:
        item.add_marker(pytest.mark.slow)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest groups first."""
    items.sort(key=lambda item: _rank(_group(item)))


def _group(item: pytest.Item) -> str:
    if hasattr(getattr(item, "function", None), "part"):
        return STORIES
    file = item.path.with_suffix("")
    return SHARED.get(file.name) or file.relative_to(TESTS).as_posix()


def _rank(group: str) -> int:
    return next((place for place, begin in enumerate(LONGEST_FIRST) if group.startswith(begin)), len(LONGEST_FIRST))


@pytest.fixture(scope="session")
def new_seed() -> int:
    """The seed of what is new in this run."""
    return int(os.environ[SEED])
