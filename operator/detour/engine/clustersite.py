"""What this cluster is called in ledgers where nobody gave it a name.

Two clusters that were given one owner by mistake would each take the other's ledger for that of its own predecessor,
and claim it back for ever, if both were simply called "default". So the name comes from what no two clusters share: the
UID of the namespace kube-system, which exists in each from its beginning to its end.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace

from detour.enactment.sites import Site

NAMESPACE = "kube-system"

DIGITS = 8
"""How much of the UID is in the name: enough to tell apart what a person confuses."""


class ClusterSite:
    """Completes `site`, whose name is empty where the settings give none. `read_uid` gives the UID of a namespace."""

    def __init__(self, site: Site, read_uid: Callable[[str], Awaitable[str]]) -> None:
        self._site = site
        self._read_uid = read_uid

    async def __call__(self) -> Site:
        """Return the site with its name. Raises ClusterError where that cannot be read; ask again."""
        if not self._site.name:
            self._site = replace(self._site, name=f"cluster-{(await self._read_uid(NAMESPACE))[:DIGITS]}")
        return self._site
