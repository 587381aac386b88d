"""From what each vantage says of a record's checks to what is believed of its endpoints' addresses and hostnames."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from detour.engine.vantages import OwnWord, Vantages
from detour.health.endpoints import NO_ADDRESSES
from detour.health.quorum import judged
from detour.health.resolution import ResolvedName
from detour.health.thresholds import Streak, is_out_of_reach
from detour.model.checks import Probe, Target
from detour.model.endpoint import Endpoint
from detour.model.health import EndpointHealth, Verdict
from detour.model.record import ObjectKey, Record
from detour.model.vantage import CheckKey, check_key


class CheckIndex:
    """Which targets and hostnames are meant by the keys under which vantages report."""

    def __init__(self, targets: Iterable[Target], records: Iterable[Record]) -> None:
        self._targets: dict[CheckKey, Target] = {}
        self._keys: dict[Target, CheckKey] = {}
        self._named: dict[Target, dict[ObjectKey, None]] = {}
        for target in targets:
            if not target.is_elsewhere:
                self.key(target)
        for record in records:
            self.name(record)

    def key(self, target: Target) -> CheckKey:
        """Return the key of a target, or of a hostname in the place of its address."""
        found = self._keys.get(target)
        if found is None:
            found = self._keys[target] = check_key(target)
            self._targets[found] = target
        return found

    def target(self, key: CheckKey) -> Target | None:
        """Return what a key means, None where nobody has asked for it."""
        return self._targets.get(key)

    def forget(self, target: Target) -> None:
        """Nobody asks for a target any more."""
        key = self._keys.pop(target, None)
        if key is not None:
            del self._targets[key]

    def name(self, record: Record, before: Record | None = None) -> None:
        """A record has endpoints with these hostnames, and those that it had `before` no more."""
        for target in named(record):
            self._named.setdefault(target, {})[record.key] = None
            self.key(target)
        if before is not None and before is not record:
            self._unname(record.key, set(named(before)) - set(named(record)))

    def unname(self, record: Record) -> None:
        """A record is gone."""
        self._unname(record.key, named(record))

    def _unname(self, record: ObjectKey, targets: Iterable[Target]) -> None:
        for target in targets:
            users = self._named.get(target, {})
            users.pop(record, None)
            if not users:
                self._named.pop(target, None)
                self.forget(target)

    def names(self) -> Iterable[Target]:
        """Return the checks of hostnames, whatever addresses these lead to."""
        return self._named.keys()

    def named_by(self, target: Target) -> Iterable[ObjectKey]:
        """Return the records with endpoints of this hostname."""
        return self._named.get(target, ())


def named(record: Record) -> list[Target]:
    """Return the checks of a record's endpoints with hostnames, whatever addresses these lead to."""
    hostnames = [each.hostname for each in record.endpoints if each.hostname]
    probes = [record.probe, *(each.probe for each in record.more_checks.checks if not each.is_elsewhere)]
    return [Target(hostname, probe, record.timing) for hostname in hostnames for probe in probes]


class Votes:
    """Judges endpoints by all vantages."""

    def __init__(self, vantages: Vantages, index: CheckIndex) -> None:
        self._vantages = vantages
        self._index = index

    def of_addresses(
        self,
        record: Record,
        endpoint: Endpoint,
        *,
        probe: Probe,
        own: Sequence[tuple[str, Streak, bool]],
        believed: Mapping[str, Verdict],
        now: float,
    ) -> list[tuple[str, Streak]]:
        """Return what is believed of each address by one of its checks.

        `own` is what this process has found of it, and whether that is only remembered; `believed` what was before. Of
        an address that a vantage has not got from a hostname what counts is what it says of the hostname.
        """
        among = self._vantages.electorate(endpoint.region, record.quorum)
        by_name = (self._index.key(Target(endpoint.hostname, probe, record.timing)),) if endpoint.hostname else ()
        found = []
        for address, streak, is_remembered in own:
            keys = (self._index.key(Target(address, probe, record.timing)), *by_name)
            says = Verdict.UNKNOWN if is_remembered or self._is_in_doubt(streak) else streak.verdict
            agrees = streak.evidence is not None and streak.evidence.passed is (says is Verdict.HEALTHY)
            mine_is = OwnWord(
                says,
                streak.evidence if agrees and says is not Verdict.UNKNOWN else None,
                is_out_of_reach=not is_remembered and is_out_of_reach(streak, record.timing),
            )
            ballots = self._vantages.ballots(among, keys, mine_is)
            mine = streak if self._vantages.checks_here else None
            found.append((address, judged(mine, ballots, among, believed.get(address, Verdict.UNKNOWN), at=now)))
        return found

    def _is_in_doubt(self, streak: Streak) -> bool:
        """Tell whether a failure is too new for this process to be believed: so much turned bad at once."""
        return streak.verdict is Verdict.UNHEALTHY and streak.since >= self._vantages.own_counts_before

    def of_name(
        self, record: Record, endpoint: Endpoint, name: ResolvedName | None, before: EndpointHealth | None, now: float
    ) -> ResolvedName | None:
        """Return how a hostname stands: that it leads nowhere is for the vantages to say, too."""
        if name is None or endpoint.hostname is None:
            return name
        fall = record.timing.fall
        if name.empties < fall and name.failures < fall:
            return name
        says, evidence = (Verdict.UNHEALTHY, name.emptiness) if name.empties >= fall else (Verdict.UNKNOWN, None)
        among = self._vantages.electorate(endpoint.region, record.quorum)
        ballots = self._vantages.ballots(among, (self._name_key(record, endpoint.hostname),), OwnWord(says, evidence))
        was_empty = before is not None and before.reason == NO_ADDRESSES
        found = judged(None, ballots, among, Verdict.UNHEALTHY if was_empty else Verdict.UNKNOWN, at=now)
        if found.verdict is Verdict.UNHEALTHY:
            return name if says is Verdict.UNHEALTHY else replace(name, empties=fall)
        if found.verdict is Verdict.HEALTHY or says is Verdict.UNHEALTHY:
            return replace(name, empties=0, failures=0, emptiness=None)
        return name

    def _name_key(self, record: Record, hostname: str) -> CheckKey:
        return self._index.key(Target(hostname, record.probe, record.timing))
