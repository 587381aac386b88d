"""A Kubernetes control plane without a cluster: kube-apiserver, etcd, kubectl and helm on this machine.

`ControlPlane` is what demos and tests use. `programs`, `search`, `cache` and `build` get hold of the four programs;
`process` and `leash` run them so that none is left behind; `credentials`, `ports` and `servers` set them up.
"""

from detour_lab.controlplane.build import BuildError
from detour_lab.controlplane.plane import CommandError, ControlPlane
from detour_lab.controlplane.programs import Binaries
from detour_lab.controlplane.search import find_binaries
from detour_lab.controlplane.servers import ControlPlaneError

__all__ = ["Binaries", "BuildError", "CommandError", "ControlPlane", "ControlPlaneError", "find_binaries"]
