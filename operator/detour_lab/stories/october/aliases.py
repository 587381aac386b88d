"""A zone whose name server follows aliases inside the zone, as Route 53's name servers do.

An alias holds no addresses of its own: asked for it, the server answers with what its target holds at that moment.
Where the target has gone, the name still exists and the answer is empty.
"""

from detour_lab.clouds.route53 import names
from detour_lab.zones.setindex import SetIndex
from detour_lab.zones.store import RecordSet, ZoneStore


class AliasZone(ZoneStore):
    """A ZoneStore that serves plain aliases to sets of the same zone; an alias of an alias answers nothing."""

    _followed: SetIndex | None = None

    def served_index(self) -> SetIndex:
        """Return what the name server answers from now, with every alias replaced by what it stands for."""
        served = super().served_index()
        if self._followed is None or self._followed.serial != served.serial:
            followed = SetIndex()
            followed.apply(served.serial, (), [_follow(each, served) for each in served.sets.values()])
            self._followed = followed
        return self._followed


def _follow(stored: RecordSet, served: SetIndex) -> RecordSet:
    alias = stored.extra.get("AliasTarget")
    if alias is None:
        return stored
    target = served.at_name(names.from_api(alias["DNSName"])).get(stored.type)
    if target is None:
        return stored  # without values: the name exists, and answers nothing
    return RecordSet(stored.name, stored.type, target.ttl, target.values)
