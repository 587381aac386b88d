"""Whether a change batch may be applied: all of it, or nothing with every reason why not.

The rules are those of the real service, checked against the zone as it is now and as it would be afterwards. DELETE
followed by CREATE of one set is how a client swaps a value on the condition that the old one is still there.
Source: Route 53 API reference, ChangeResourceRecordSets; developer guide, "Quotas".
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from detour_lab.route53 import names, values
from detour_lab.route53.errors import InvalidChangeBatchError, invalid_input
from detour_lab.route53.request import RequestedChange
from detour_lab.store import RecordSet, SetKey, ZoneStore

ELEMENTS_PER_BATCH = 1000  # ResourceRecord elements, which is one for each value
CHARACTERS_PER_BATCH = 32_000
VALUES_PER_SET = 100
RECORDS_PER_ZONE = 10_000
SWAP = ["DELETE", "CREATE"]


@dataclass(frozen=True, slots=True)
class AcceptedBatch:
    """What an acceptable batch does to the store."""

    removed: tuple[SetKey, ...]
    added: tuple[RecordSet, ...]


def cost(changes: Iterable[RequestedChange]) -> int:
    """Return what a batch takes from the bucket of changes: 1 for CREATE and DELETE, 2 for UPSERT."""
    return sum(_weight(each) for each in changes)


def review(store: ZoneStore, changes: tuple[RequestedChange, ...], records_per_zone: int) -> AcceptedBatch:
    """Return what `changes` do to `store`. Raises InvalidChangeBatchError with a message for each broken rule."""
    problems = _limits(changes)
    requested = [_readable(each, problems) for each in changes]
    if problems:
        raise InvalidChangeBatchError(problems)
    pairs = [(change.action, each) for change, each in zip(changes, requested, strict=True) if each is not None]
    accepted = _preconditions(store, pairs, problems)
    _zone_rules(store, accepted, records_per_zone, problems)
    if problems:
        raise InvalidChangeBatchError(problems)
    return accepted


def _weight(change: RequestedChange) -> int:
    return 2 if change.action == "UPSERT" else 1


def _limits(changes: tuple[RequestedChange, ...]) -> list[str]:
    problems = []
    if sum(len(each.values) * _weight(each) for each in changes) > ELEMENTS_PER_BATCH:
        problems.append(f"Number of records limit of {ELEMENTS_PER_BATCH} exceeded.")
    if sum(sum(map(len, each.values)) * _weight(each) for each in changes) > CHARACTERS_PER_BATCH:
        problems.append(f"Number of characters limit of {CHARACTERS_PER_BATCH} exceeded.")
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
    return RecordSet(name, change.type, change.ttl or 0, stored, extra=dict(change.extra))


def _preconditions(store: ZoneStore, pairs: list[tuple[str, RecordSet]], problems: list[str]) -> AcceptedBatch:
    actions: defaultdict[SetKey, list[str]] = defaultdict(list)
    for action, each in pairs:
        actions[each.key].append(action)
    for (name, rrtype), taken in actions.items():
        if len(taken) > 1 and taken != SWAP:
            problems.append(
                "The request contains an invalid set of changes for a resource record set"
                f" '{rrtype} {names.to_api(name)}'"
            )
    removed: list[SetKey] = []
    added: list[RecordSet] = []
    for action, each in pairs:
        present = store.get(*each.key)
        if action == "DELETE":
            problems.extend(_cannot_delete(present, each))
            removed.append(each.key)
            continue
        swapped = actions[each.key] == SWAP
        if present is not None and not swapped:
            problems.extend(_cannot_write(action, present, each))
        added.append(each)
    return AcceptedBatch(tuple(dict.fromkeys(removed)), tuple(added))


def _cannot_delete(present: RecordSet | None, asked: RecordSet) -> list[str]:
    label = _label(asked)
    if present is None or _identifier(present) != _identifier(asked):
        return [f"Tried to delete resource record set {label} but it was not found"]
    same_alias = present.extra.get("AliasTarget") == asked.extra.get("AliasTarget")
    same_ttl = present.ttl == asked.ttl or "AliasTarget" in asked.extra
    if not (same_alias and same_ttl and set(present.values) == set(asked.values)):
        return [f"Tried to delete resource record set {label} but the values provided do not match the current values"]
    return []


def _cannot_write(action: str, present: RecordSet, asked: RecordSet) -> list[str]:
    if _identifier(present) != _identifier(asked):
        if _identifier(present) is not None and _identifier(asked) is not None:
            raise invalid_input("The emulator holds one set for each name and type, weighted or not")
        return [
            f"RRSet with DNS name {names.to_api(asked.name)}, type {asked.type}, SetIdentifier"
            f" {_identifier(asked) or 'null'} cannot be created as other RRSets exist with the same name and type."
        ]
    if action == "CREATE":
        return [f"Tried to create resource record set {_label(asked)} but it already exists"]
    return []


def _zone_rules(store: ZoneStore, batch: AcceptedBatch, records_per_zone: int, problems: list[str]) -> None:
    zone = names.to_api(store.domain)
    for each in batch.added:
        name = names.to_api(each.name)
        if each.name != store.domain and not each.name.endswith("." + store.domain):
            problems.append(f"RRSet with DNS name {name} is not permitted in zone {zone}")
        if each.type == "CNAME" and each.name == store.domain:
            problems.append(f"RRSet of type CNAME with DNS name {name} is not permitted at apex in zone {zone}")
        if each.type in ("CNAME", "SOA") and len(each.values) > 1:
            problems.append(f"RRSet of type {each.type} with DNS name {name} is only permitted to have one record")
        if each.type == "SOA" and each.name != store.domain:
            problems.append(f"RRSet of type SOA with DNS name {name} is only permitted at apex in zone {zone}")
    after = {each.key for each in store.all()} - set(batch.removed) | {each.key for each in batch.added}
    types: defaultdict[str, set[str]] = defaultdict(set)
    for name, rrtype in after:
        types[name].add(rrtype)
    for each in batch.added:
        others = types[each.name] - {each.type}
        if "CNAME" in others:
            problems.append(
                f"RRSet of type {each.type} with DNS name {names.to_api(each.name)} is not permitted because a"
                f" conflicting RRSet of type CNAME with the same DNS name already exists in zone {zone}"
            )
        elif each.type == "CNAME" and others and each.name != store.domain:
            problems.append(
                f"RRSet of type CNAME with DNS name {names.to_api(each.name)} is not permitted as it conflicts with"
                f" other records with the same DNS name in zone {zone}"
            )
    if (store.domain, "SOA") not in after:
        problems.append("A HostedZone must contain exactly one SOA record.")
    if (store.domain, "NS") not in after:
        problems.append("A HostedZone must contain at least one NS record for the zone itself.")
    if len(after) > records_per_zone:
        problems.append(f"Number of records limit of {records_per_zone} exceeded.")


def _identifier(each: RecordSet) -> str | None:
    identifier = each.extra.get("SetIdentifier")
    return None if identifier is None else str(identifier)


def _label(each: RecordSet) -> str:
    identifier = _identifier(each)
    suffix = "" if identifier is None else f", set identifier='{identifier}'"
    return f"[name='{names.to_api(each.name)}', type='{each.type}'{suffix}]"
