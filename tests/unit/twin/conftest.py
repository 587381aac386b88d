"""Operators without Kubernetes, whose statuses the commands read."""

from pathlib import Path

import pytest

from ..app.conftest import boot, clouds, event_loop_policy  # noqa: TID252 - the root is on no path


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say nothing of the loop policy, as in the folder that it comes from."""
    folder = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(folder):
            item.add_marker(pytest.mark.filterwarnings('ignore:Overriding the "event_loop_policy" fixture'))


__all__ = ["boot", "clouds", "event_loop_policy"]
