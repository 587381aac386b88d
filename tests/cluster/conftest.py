"""One control plane for the whole run: a real kube-apiserver and etcd, with Detour's CRDs in place."""

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
    control_plane.kubectl("apply", "-f", str(CRDS))
    control_plane.kubectl("wait", "--for=condition=Established", "--timeout=180s", "-f", str(CRDS))
    return control_plane
