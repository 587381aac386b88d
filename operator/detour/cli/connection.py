"""Reaching the API server as the person who calls, and reading what is there."""

import asyncio
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from detour.cli.overview import TITLES, WELL, Replica
from detour.cli.told import Told, mapping
from detour.engine.ports import ClusterError
from detour.kube.cluster import Cluster
from detour.kube.lease import LEADER, RELEASE
from detour.model.objects import Kind

FIELD_MANAGER = "detour-cli"
KINDS = tuple(WELL)


class CommandError(Exception):
    """A command cannot go on. The text is for people, one sentence; `status` is the exit status."""

    def __init__(self, message: str, status: int = 2) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Place:
    """Where to look: a kubeconfig (None: the pod's service account), a context of it, and a namespace."""

    kubeconfig: str | None
    context: str | None
    namespace: str | None

    @staticmethod
    def of(kubeconfig: str | None, context: str | None, namespace: str | None) -> "Place":
        """Find the kubeconfig as kubectl does. Raises CommandError where a file that is named is not there."""
        if kubeconfig is not None and not Path(kubeconfig).is_file():
            raise CommandError(f"there is no file {kubeconfig}")
        found = kubeconfig or os.environ.get("KUBECONFIG") or None
        usual = Path.home() / ".kube" / "config"
        return Place(found or (str(usual) if usual.is_file() else None), context, namespace)

    @property
    def default_namespace(self) -> str:
        """The namespace that is asked for, else that of the context."""
        if self.namespace:
            return self.namespace
        from kubernetes import config  # noqa: PLC0415 - half a second of imports, for who needs it alone

        if self.kubeconfig is None:
            return "default"
        try:
            merger = config.kube_config.KubeConfigMerger(self.kubeconfig)  # type: ignore[no-untyped-call]  # so upstream
            read = _plain(merger.config)
        except config.ConfigException as error:
            raise CommandError(f"{self.kubeconfig} cannot be used: {error}") from None
        name = self.context or read.get("current-context")
        contexts = [mapping(_plain(each)) for each in read.get("contexts") or ()]
        chosen = next((each for each in contexts if each.get("name") == name), None)
        if chosen is None:
            told = f"has no context {name}" if name else "has no current-context: name one with --context, or give -n"
            raise CommandError(f"{self.kubeconfig} {told}")
        return str(mapping(chosen.get("context")).get("namespace") or "default")

    def cluster(self) -> Cluster:
        """Return the API server; it is reached with the first call."""
        return Cluster(self.kubeconfig, context=self.context, manager=FIELD_MANAGER)


def _plain(node: Any) -> Any:
    """Return what the library's wrapper of a part of a kubeconfig holds; {} for nothing."""
    return getattr(node, "value", node) or {}


@dataclass(frozen=True, slots=True)
class Everything:
    """All objects that could be read, who leads, and the kinds (by title) that could not be, with the reason."""

    objects: tuple[Told, ...]
    replicas: tuple[Replica, ...] = ()
    unread: Mapping[str, str] = field(default_factory=dict)

    def of(self, kind: Kind) -> list[Told]:
        """Return the objects of a kind."""
        return [each for each in self.objects if each.kind is kind]

    def by_name(self, kind: Kind) -> dict[str, Told]:
        """Return the objects of a kind, by how people name them."""
        return {each.shown: each for each in self.objects if each.kind is kind}


async def read_all(cluster: Cluster, namespace: str | None, kinds: Iterable[Kind] = KINDS) -> Everything:
    """Read all objects of some kinds, in one namespace or in all.

    Raises ClusterError where the API server cannot be reached at all.
    """
    kinds = tuple(kinds)
    listings = [asyncio.to_thread(cluster.list_now, kind, namespace if kind.is_namespaced else None) for kind in kinds]
    found: list[Told] = []
    unread: dict[str, str] = {}
    for kind, listed in zip(kinds, await asyncio.gather(*listings, return_exceptions=True), strict=True):
        if isinstance(listed, ClusterError) and listed.status:
            unread[TITLES[kind]] = str(listed)
        elif isinstance(listed, BaseException):
            raise listed
        else:
            found += [Told(kind, raw) for raw in listed.items.take()]
    return Everything(tuple(found), await replicas(cluster), unread)


async def read_one(cluster: Cluster, kind: Kind, namespace: str, name: str) -> Told:
    """Read an object. Raises CommandError where there is none, with the names that are like it."""
    try:
        return Told(kind, await cluster.read_object(kind, namespace, name))
    except ClusterError as error:
        if error.status != 404:
            raise
    others = await asyncio.to_thread(cluster.list_now, kind, namespace if kind.is_namespaced else None)
    raise CommandError(not_there(kind, namespace, name, [Told(kind, raw).name for raw in others.items.take()]), 1)


def not_there(kind: Kind, namespace: str, name: str, known: Iterable[str]) -> str:
    """Say that there is no such object, and which was probably meant."""
    from difflib import get_close_matches  # noqa: PLC0415 - for a slip of the pen alone

    where = f" in namespace {namespace}" if namespace else ""
    near = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"there is no {kind.title} {name}{where}{f'; did you mean {near[0]}?' if near else '.'}"


async def replicas(cluster: Cluster) -> tuple[Replica, ...]:
    """Return who leads, as far as one may see it."""
    try:
        leases = await cluster.list_leases(None, LEADER)
    except ClusterError:
        return ()
    return tuple(sorted((_replica(each) for each in leases), key=lambda each: each.lease))


def _replica(lease: Mapping[str, Any]) -> Replica:
    metadata, spec = mapping(lease.get("metadata")), mapping(lease.get("spec"))
    return Replica(
        lease=f"{metadata.get('namespace', '')}/{metadata.get('name', '')}",
        holder=str(spec.get("holderIdentity") or ""),
        version=str(mapping(metadata.get("annotations")).get(RELEASE) or ""),
        renewed=str(spec.get("renewTime") or ""),
    )
