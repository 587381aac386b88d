"""`detour status`: everything in a few lines, then whatever is not well, with the reason and the next step. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from detour.cli.told import NOT_LOOKED_AT, Told, mapping
from detour.model.objects import Kind

WELL = {
    Kind.FAILOVER_RECORD: frozenset({"OK", "Standby"}),
    Kind.DNS_ZONE: frozenset({"OK", "Standby"}),
    Kind.CLOUD_REGION: frozenset({"Healthy"}),
    Kind.VANTAGE: frozenset({"Trusted", "Off"}),
    Kind.OVERRIDE: frozenset({"Expired"}),
    Kind.CLUSTER_OVERRIDE: frozenset({"Expired"}),
}
"""The states of which there is nothing to say."""

UNUSED = "NoEndpoints"
"""The reason of a region that no record uses: most of those that are declared for all cases."""

SEVERITY = (
    *("Down", "Failing", "Refused", "Held", "Deleting", NOT_LOOKED_AT, "Pending", "Throttled", "Stale", "Suspected"),
    *("Suspect", "Degraded", "FailedOver", "Recovering", "Frozen", "Drained", "Pinned", "Suspended", "Unknown", "New"),
    *("Waiting", "InForce"),
)
"""The states of which there is, the worst first."""

TITLES = {
    Kind.EXTERNAL_VERDICT: "external verdicts",
    Kind.FAILOVER_RECORD: "records",
    Kind.DNS_ZONE: "zones",
    Kind.CLOUD_REGION: "regions",
    Kind.VANTAGE: "vantages",
    Kind.OVERRIDE: "overrides",
    Kind.CLUSTER_OVERRIDE: "cluster overrides",
}


@dataclass(frozen=True, slots=True)
class Replica:
    """A Lease by which replicas elect a leader: who holds it, of which version."""

    lease: str
    holder: str
    version: str
    renewed: str


@dataclass(frozen=True, slots=True)
class NotWell:
    """An object that is not as it should be."""

    kind: str
    name: str
    state: str
    message: str


@dataclass(frozen=True, slots=True)
class Overview:
    """`counted` are the objects of each kind by state, `sites` the zones that each site writes."""

    replicas: tuple[Replica, ...]
    sites: Mapping[str, int]
    counted: Mapping[str, Mapping[str, int]]
    not_well: tuple[NotWell, ...]
    unread: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_well(self) -> bool:
        return not self.not_well and not self.unread

    def document(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "leaders": [
                {"lease": each.lease, "holder": each.holder, "version": each.version, "renewed": each.renewed}
                for each in self.replicas
            ],
            "sites": dict(self.sites),
            **{TITLES[kind]: dict(self.counted.get(TITLES[kind], {})) for kind in WELL},
            "notWell": [
                {"kind": each.kind, "name": each.name, "state": each.state, "message": each.message}
                for each in self.not_well
            ],
            **({"unread": dict(self.unread)} if self.unread else {}),
        }


def overview(
    objects: Iterable[Told], replicas: Sequence[Replica] = (), unread: Mapping[str, str] | None = None
) -> Overview:
    """Return what there is to say of all objects. `unread` are kinds that could not be listed, with the reason."""
    counted: dict[str, Counter[str]] = {}
    sites: Counter[str] = Counter()
    found: list[tuple[int, str, NotWell]] = []
    for each in objects:
        if each.kind not in WELL:
            continue
        counted.setdefault(TITLES[each.kind], Counter())[each.state] += 1
        site = mapping(each.status.get("ledger")).get("site")
        if site:
            sites[str(site)] += 1
        if each.state not in WELL[each.kind] and each.status.get("reason") != UNUSED:
            rank = SEVERITY.index(each.state) if each.state in SEVERITY else 0
            found.append((rank, each.shown, NotWell(each.kind.title, each.shown, each.state, each.message)))
    ordered = tuple(each for _, _, each in sorted(found, key=lambda one: one[:2]))
    return Overview(tuple(replicas), dict(sites), counted, ordered, unread or {})


def lines(told: Overview, *, most: int = 20) -> list[str]:
    """Return an overview as text, with at most so many objects that are not well."""
    leaders = [
        f"{each.version or 'version not told'}, led by {each.holder or 'nobody'} ({each.lease})"
        for each in told.replicas
    ]
    found = [f"{'installation':14}{'; '.join(leaders) or 'no Lease of an operator is to be seen'}"]
    if told.sites:
        found.append(
            f"{'sites':14}"
            + ", ".join(f"{site} writes {_many(number, 'zone')}" for site, number in sorted(told.sites.items()))
        )
    for title in ("zones", "regions", "vantages", "records"):
        if title in told.unread:
            found.append(f"{title:14}cannot be read: {told.unread[title]}")
            continue
        by_state = told.counted.get(title, {})
        states = ", ".join(f"{by_state[each]} {each}" for each in sorted(by_state, key=_rank))
        found.append(f"{title:14}{sum(by_state.values())}{f': {states}' if states else ''}")
    if not told.not_well:
        return [*found, "", "All is well." if told.is_well else "Nothing else is known to be wrong."]
    width = max(len(each.name) for each in told.not_well[:most])
    found += ["", "Not as it should be:"]
    for each in told.not_well[:most]:
        found.append(f"  {each.state:11}{each.kind:15}{each.name:{width + 2}}{each.message}")
    if len(told.not_well) > most:
        found.append(f"  and {_many(len(told.not_well) - most, 'more object')}: `detour status --all` lists them")
    return found


def _rank(state: str) -> int:
    return SEVERITY.index(state) if state in SEVERITY else -1


def _many(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
