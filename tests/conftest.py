"""What all tests share: the seed of those that play schedules, and who runs beside whom.

`make test` runs several processes beside each other. What shares something that takes long to start goes to one of
them (its group), the longest groups first, so that nobody waits for one alone in the end.
"""

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler.loadscope import LoadScopeScheduling

SEED = "DETOUR_SEED"
"""The environment variable that sets the seed of the schedules that are played, 1 unless set.

A run plays the same as the one before, so that what it finds comes from the change at hand; the same with the examples
that are generated for properties. New ones are played by `make simulate` and `make properties`, or here with a seed.
"""

STORIES = "stories"
"""The group of all tests with the operator that stories share."""

OWN_OPERATORS = ("test_operator_sites",)
SHARE_A_CONTROL_PLANE = (
    *("test_manifests_accepted", "test_manifests_hostile", "test_manifests_refused"),
    *("test_chart_alerts", "test_chart_refusals", "test_chart_rendering"),
)

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
    """Let no example fail by its time, and generate the same ones in each run, unless a seed asks for others."""
    settings.register_profile(
        "any machine",
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
        derandomize=SEED not in os.environ,
    )
    settings.load_profile("any machine")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest groups first."""
    for item in items:
        if _group(item.nodeid) in SLOW:
            item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: _rank(_group(item.nodeid)))


class Groups(LoadScopeScheduling):
    """Gives each group to one process, in the order of their first tests."""

    def _split_scope(self, nodeid: str) -> str:
        return _group(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Groups:
    """Distribute by groups, whatever `--dist` says: tests of one group share fixtures."""
    config.option.loadscopereorder = False  # it would put first what has most tests, not what takes longest
    return Groups(config, log)


def _group(nodeid: str) -> str:
    file = nodeid.partition("::")[0].removeprefix("tests/").removesuffix(".py")
    name = file.rpartition("/")[2]
    if name.startswith("test_operator_") and name not in OWN_OPERATORS:
        return STORIES
    return "declarations" if name in SHARE_A_CONTROL_PLANE else file


def _rank(group: str) -> int:
    return next((place for place, begin in enumerate(LONGEST_FIRST) if group.startswith(begin)), len(LONGEST_FIRST))


@pytest.fixture(scope="session")
def seed() -> int:
    """The seed of the schedules that this run plays."""
    return int(os.environ.get(SEED, "1"))
