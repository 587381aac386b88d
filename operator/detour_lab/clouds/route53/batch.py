"""Whether a change batch may be applied: all of it, or nothing with every reason why not.

The rules are those of the real service, checked against the zone as it is now and as it would be afterwards. DELETE
followed by CREATE of one set is how a client swaps a value on the condition that the old one is still there; DELETE
followed by UPSERT is taken too (dnscontrol#3493).
Source: Route 53 API reference, ChangeResourceRecordSets; developer guide, "Quotas".
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from detour_lab.clouds.route53 import names, routing, values
from detour_lab.clouds.route53.errors import InvalidChangeBatchError, no_such_health_check
from detour_lab.clouds.route53.members import (
    SPELLING,
    MemberKey,
    all_members,
    described,
    identifier,
    joined,
    member_key,
    members,
)
from detour_lab.clouds.route53.request import RequestedChange
from detour_lab.zones.store import RecordSet, SetKey, ZoneStore

ELEMENTS_PER_BATCH = 1000  # ResourceRecord elements, which is one for each value
CHARACTERS_PER_BATCH = 32_000
VALUES_PER_SET = 100
"""Developer guide, "Quotas", and the service's own refusal (rancher#10253); external-dns#2642 has read 400 there."""

RECORDS_PER_ZONE = 10_000
SWAPS = (["DELETE", "CREATE"], ["DELETE", "UPSERT"])


@dataclass(frozen=True, slots=True)
class Account:
    """What a batch is judged by beside its zone: the limit, health checks, and hosted zones that aliases refer to."""

    records_per_zone: int = RECORDS_PER_ZONE
    health_checks: Collection[str] = ()
    alias_zones: Mapping[str, str] = field(default_factory=lambda: routing.AWS_ZONES)


@dataclass(frozen=True, slots=True)
class AcceptedBatch:
    """What an acceptable batch does to the store."""

    removed: tuple[SetKey, ...]
    added: tuple[RecordSet, ...]


def cost(changes: Iterable[RequestedChange]) -> int:
    """Return what a batch takes from the bucket of changes: 1 for CREATE and DELETE, 2 for UPSERT."""
    return sum(_weight(each) for each in changes)


def review(store: ZoneStore, zone_id: str, changes: tuple[RequestedChange, ...], account: Account) -> AcceptedBatch:
    """Return what `changes` do to `store`. Raises InvalidChangeBatchError with a message for each broken rule."""
    problems = _limits(changes)
    requested = [_readable(each, problems) for each in changes]
    if problems:
        raise InvalidChangeBatchError(problems)
    pairs = [(change.action, each) for change, each in zip(changes, requested, strict=True) if each is not None]
    written = [each for action, each in pairs if action != "DELETE"]
    if unknown := routing.unknown_health_checks(written, account.health_checks):
        raise no_such_health_check(unknown[0])
    draft = _Draft(store)
    problems += draft.take(pairs)
    problems += _zone_rules(draft, written, zone_id, account)
    if problems:
        raise InvalidChangeBatchError(problems)
    return draft.accepted()


def _weight(change: RequestedChange) -> int:
    return 2 if change.action == "UPSERT" else 1


def _limits(changes: tuple[RequestedChange, ...]) -> list[str]:
    """The texts are the service's: dnscontrol#508, external-dns#515, rancher#10253."""
    problems = []
    if sum(len(each.values) * _weight(each) for each in changes) > ELEMENTS_PER_BATCH:
        problems.append(f"Number of records limit of {ELEMENTS_PER_BATCH} exceeded.")
    if sum(sum(map(len, each.values)) * _weight(each) for each in changes) > CHARACTERS_PER_BATCH:
        problems.append(f"RDATA character limit of {CHARACTERS_PER_BATCH} exceeded.")
    if any(len(each.values) > VALUES_PER_SET for each in changes):
        problems.append(f"Cannot have more than {VALUES_PER_SET} records in a RRSet.")
    return problems


def _readable(change: RequestedChange, problems: list[str]) -> RecordSet | None:
    """Return the set of `change` in the store's form, or None with the reason put into `problems`."""
    try:
        name = names.from_api(change.name)
        stored = tuple(values.to_zone_file(change.type, each) for each in change.values)
    except ValueError as error:
        problems.append(str(error))
        return None
    repeated = {each for each in stored if stored.count(each) > 1} if len(set(stored)) < len(stored) else set()
    problems.extend(f"Duplicate Resource Record: '{each}'" for each in sorted(repeated))
    extra = {**change.extra, SPELLING: dict(zip(stored, change.values, strict=True))}
    return RecordSet(name, change.type, change.ttl or 0, stored, extra=extra)


class _Draft:
    """The sets at the names and types that a batch touches, as they are and as they will be."""

    def __init__(self, store: ZoneStore) -> None:
        self.store = store
        self._after: dict[SetKey, dict[str | None, RecordSet]] = {}
        self._written: defaultdict[SetKey, set[str | None]] = defaultdict(set)

    def take(self, pairs: list[tuple[str, RecordSet]]) -> list[str]:
        """Make every change; returns what is wrong with them, one by one and within each name and type."""
        actions: defaultdict[MemberKey, list[str]] = defaultdict(list)
        for action, each in pairs:
            actions[member_key(each)].append(action)
        problems = [
            f"The request contains an invalid set of changes for a resource record set '{rrtype} {names.to_api(name)}'"
            for (name, rrtype, _), taken in actions.items()
            if len(taken) > 1 and taken not in SWAPS
        ]
        for action, each in pairs:
            problems += self._make(action, each)
        for key, asked in self._written.items():
            problems += routing.check_group(list(self._after[key].values()), asked)
        return problems

    def after(self) -> set[SetKey]:
        """Return the names and types that will hold a set."""
        kept = {each.key for each in self.store.all()} - self._after.keys()
        return kept | {key for key, sets in self._after.items() if sets}

    def count(self) -> int:
        """Return how many sets the zone will have."""
        kept = (each for each in self.store.all() if each.key not in self._after)
        return sum(1 for _ in all_members(kept)) + sum(map(len, self._after.values()))

    def accepted(self) -> AcceptedBatch:
        """Return the change of the store that brings it to the state afterwards."""
        removed = [key for key in self._after if self.store.get(*key) is not None]
        added = [joined(sets.values()) for sets in self._after.values() if sets]
        return AcceptedBatch(tuple(removed), tuple(added))

    def _make(self, action: str, asked: RecordSet) -> list[str]:
        here = self._after.setdefault(
            asked.key, {identifier(each): each for each in members(self.store.get(*asked.key))}
        )
        present = here.get(identifier(asked))
        if action == "DELETE":
            here.pop(identifier(asked), None)
            return _cannot_delete(present, asked)
        self._written[asked.key].add(identifier(asked))
        here[identifier(asked)] = asked if present is None else _updated(present, asked)
        if action == "CREATE" and present is not None:
            return [f"Tried to create resource record set {_label(asked)} but it already exists"]
        return []


def _updated(present: RecordSet, asked: RecordSet) -> RecordSet:
    """Return `asked` as it takes the place of `present`.

    A value that is the same keeps its spelling: an update that only adds the final dot to a name changes nothing
    (octodns-route53#84, dnscontrol#719).
    """
    spelling = {
        value: present.extra.get(SPELLING, {}).get(value, text) for value, text in asked.extra[SPELLING].items()
    }
    return replace(asked, extra={**asked.extra, SPELLING: spelling})


def _cannot_delete(present: RecordSet | None, asked: RecordSet) -> list[str]:
    """Judge a DELETE, which has to give everything that the set was made with."""
    if present is None:
        return [f"Tried to delete resource record set {_label(asked)} but it was not found"]
    same_ttl = present.ttl == asked.ttl or "AliasTarget" in asked.extra
    same_values = same_ttl and set(present.values) == set(asked.values)
    if not same_values or _comparable(present) != _comparable(asked):
        what = "but the values provided do not match the current values"
        return [f"Tried to delete resource record set {_label(asked)} {what}"]
    return []


def _comparable(each: RecordSet) -> dict[str, object]:
    content = dict(described(each))
    if "AliasTarget" in content:
        target = content["AliasTarget"]
        content["AliasTarget"] = {**target, "DNSName": str(target["DNSName"]).lower().rstrip(".")}
    return content


def _zone_rules(draft: _Draft, written: Iterable[RecordSet], zone_id: str, account: Account) -> list[str]:
    domain = draft.store.domain
    zone = names.to_api(domain)
    after = draft.after()
    types: defaultdict[str, set[str]] = defaultdict(set)
    for name, rrtype in after:
        types[name].add(rrtype)
    problems: list[str] = []
    for each in written:
        problems += _placement(each, domain, zone)
        problems += routing.check_type(each)
        problems += _conflicts(each, types[each.name] - {each.type}, domain, zone)
        problems += routing.check_alias(each, zone_id=zone_id, domain=domain, after=after, others=account.alias_zones)
    if (domain, "SOA") not in after:
        problems.append("A HostedZone must contain exactly one SOA record.")
    if (domain, "NS") not in after:
        problems.append("A HostedZone must contain at least one NS record for the zone itself.")
    if draft.count() > account.records_per_zone:
        problems.append(f"Exceeded limit MAX_RRSETS_BY_ZONE for zone: {zone_id}")  # dnscontrol#908
    return problems


def _placement(each: RecordSet, domain: str, zone: str) -> list[str]:
    name = names.to_api(each.name)
    problems = []
    if each.name != domain and not each.name.endswith("." + domain):
        problems.append(f"RRSet with DNS name {name} is not permitted in zone {zone}")
    if each.type == "CNAME" and each.name == domain:
        problems.append(f"RRSet of type CNAME with DNS name {name} is not permitted at apex in zone {zone}")
    if each.type in ("CNAME", "SOA") and len(each.values) > 1:
        problems.append(f"RRSet of type {each.type} with DNS name {name} is only permitted to have one record")
    if each.type == "SOA" and each.name != domain:
        problems.append(f"RRSet of type SOA with DNS name {name} is only permitted at apex in zone {zone}")
    return problems


def _conflicts(each: RecordSet, others: Collection[str], domain: str, zone: str) -> list[str]:
    name = names.to_api(each.name)
    if "CNAME" in others:
        return [
            f"RRSet of type {each.type} with DNS name {name} is not permitted because a conflicting RRSet of type"
            f" CNAME with the same DNS name already exists in zone {zone}"
        ]
    if each.type == "CNAME" and others and each.name != domain:
        return [
            f"RRSet of type CNAME with DNS name {name} is not permitted as it conflicts with other records with the"
            f" same DNS name in zone {zone}"
        ]
    return []


def _label(each: RecordSet) -> str:
    suffix = "" if identifier(each) is None else f", set-identifier='{identifier(each)}'"  # airbnb/zonify#23
    return f"[name='{names.to_api(each.name)}', type='{each.type}'{suffix}]"
