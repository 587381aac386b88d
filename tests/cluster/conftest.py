"""Control planes for the whole run: a real kube-apiserver and etcd each, with Detour's CRDs in place.

The tests that share an operator have one of their own: elsewhere nobody may write a status.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from detour_lab.controlplane import ControlPlane

from .operating import lab
from .stories import playbill, stage

__all__ = ["cluster", "control_plane", "lab", "playbill", "stage"]

CRDS = Path(__file__).resolve().parents[2] / "crds"


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    """A running control plane without anything of Detour's in it."""
    with ControlPlane() as plane:
        yield plane


@pytest.fixture(scope="session")
def cluster(control_plane: ControlPlane) -> ControlPlane:
    """The same control plane once kubectl has applied `crds/`."""
    _take_in(control_plane)
    return control_plane


@pytest.fixture(scope="session")
def operated_cluster() -> Iterator[ControlPlane]:
    """A control plane for the operator that stories share."""
    with ControlPlane() as plane:
        _take_in(plane)
        yield plane


def _take_in(plane: ControlPlane) -> None:
    plane.kubectl("apply", "-f", str(CRDS))
    plane.kubectl("wait", "--for=condition=Established", "--timeout=180s", "-f", str(CRDS))
