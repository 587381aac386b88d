"""Whether a change may be applied: all of it, or nothing.

Deletions must be exactly what is stored; that is what makes deletion plus addition a swap on a condition. Additions
must not exist, unless the same change deletes them. The rest are the rules of DNS and the quotas of the project.
Source: Cloud DNS documentation, "Error messages" and "Quotas and limits".
"""

from collections import Counter, defaultdict

from detour_lab.clouds.clouddns.errors import (
    Problem,
    already_exists,
    condition_not_met,
    invalid,
    not_found,
    quota_exceeded,
    refuse,
)
from detour_lab.clouds.clouddns.request import ALIAS, RequestedChange
from detour_lab.zones.store import RecordSet, SetKey, ZoneStore

SETS_PER_SIDE = 1000
CHARACTERS_PER_CHANGE = 100_000  # of rrdata
VALUES_PER_SET = 100
SETS_PER_ZONE = 10_000


def review(store: ZoneStore, asked: RequestedChange, sets_per_zone: int, *, is_private: bool = False) -> None:
    """Return when `asked` may be applied to `store`. Raises APIError with the problems of the first kind found."""
    refuse(_too_large(asked))
    refuse(_not_in_zone(store, asked))
    refuse(_repeated(asked))
    refuse(_deletions(store, asked))
    deleted = {each.key for each in asked.deletions}
    refuse(
        [
            already_exists(path, _label(each))
            for path, each in asked.paths("additions")
            if store.get(*each.key) is not None and each.key not in deleted
        ]
    )
    refuse(_wrong_shape(store, asked, is_private=is_private))
    after = {each.key for each in store.all()} - deleted | {each.key for each in asked.additions}
    refuse(_conflicts(store, asked, after))
    if len(after) > sets_per_zone:
        refuse([quota_exceeded("rrsetsPerManagedZone", sets_per_zone)])


def _too_large(asked: RequestedChange) -> list[Problem]:
    problems = []
    if len(asked.additions) > SETS_PER_SIDE:
        problems.append(quota_exceeded("rrsetAdditionsPerChange", SETS_PER_SIDE))
    if len(asked.deletions) > SETS_PER_SIDE:
        problems.append(quota_exceeded("rrsetDeletionsPerChange", SETS_PER_SIDE))
    everything = (*asked.additions, *asked.deletions)
    if sum(len(value) for each in everything for value in each.values) > CHARACTERS_PER_CHANGE:
        problems.append(quota_exceeded("totalRrdataSizePerChange", CHARACTERS_PER_CHANGE))
    if any(len(each.values) > VALUES_PER_SET for each in everything):
        problems.append(quota_exceeded("resourceRecordsPerRrset", VALUES_PER_SET))
    return problems


def _not_in_zone(store: ZoneStore, asked: RequestedChange) -> list[Problem]:
    return [
        invalid(f"{path}.name", f"{each.name}.")
        for side in ("additions", "deletions")
        for path, each in asked.paths(side)
        if each.name != store.domain and not each.name.endswith("." + store.domain)
    ]


def _repeated(asked: RequestedChange) -> list[Problem]:
    added = Counter(each.key for each in asked.additions)
    deleted = Counter(each.key for each in asked.deletions)
    problems = [already_exists(path, _label(s)) for path, s in asked.paths("additions") if added[s.key] > 1]
    problems += [not_found(path, _label(s)) for path, s in asked.paths("deletions") if deleted[s.key] > 1]
    return problems


def _deletions(store: ZoneStore, asked: RequestedChange) -> list[Problem]:
    problems = []
    for path, each in asked.paths("deletions"):
        present = store.get(*each.key)
        if present is None:
            problems.append(not_found(path, _label(each)))
        elif not _equal(present, each):
            problems.append(condition_not_met(path))
    return problems


def _wrong_shape(store: ZoneStore, asked: RequestedChange, *, is_private: bool) -> list[Problem]:
    problems = []
    for path, each in asked.paths("additions"):
        subject = f"The resource record set '{path}'"
        if each.type in (ALIAS, "CNAME", "SOA") and len(each.values) > 1:
            message = f"{subject} is only permitted to have one record because it is of type {each.type}."
            problems.append(Problem(400, "invalidRecordCount", message))
        if each.type == "CNAME" and each.name == store.domain:
            message = f"{subject} of type CNAME cannot exist at the zone apex."
            problems.append(Problem(400, "recordTypeDisallowedAtZoneApex", message))
        if each.type == "NS" and each.name.startswith("*."):
            message = f"{subject} has the wrong type to be a wildcard: NS."
            problems.append(Problem(400, "wildcardNotAllowed", message))
        if each.type == ALIAS and (each.name != store.domain or is_private):
            # "DNS records overview", Alias records: at the apex of public zones only. The text is ours.
            message = f"{subject} of type {ALIAS} can only exist at the apex of a public zone."
            problems.append(Problem(400, "invalid", message))
        if each.type == "SOA" and each.name != store.domain:
            problems.append(_apex(path, "SOA"))
    return problems


def _conflicts(store: ZoneStore, asked: RequestedChange, after: set[SetKey]) -> list[Problem]:
    types: defaultdict[str, set[str]] = defaultdict(set)
    for name, rrtype in after:
        types[name].add(rrtype)
    problems = [
        Problem(
            400,
            "cnameResourceRecordSetConflict",
            f"The resource record set '{path}' is invalid because the DNS name '{each.name}.' may have either one"
            " CNAME resource record set or resource record sets of other types, but not both.",
        )
        for path, each in asked.paths("additions")
        if len(types[each.name]) > 1 and "CNAME" in types[each.name]
    ]
    problems += [
        # An alias answers questions for addresses; that it excludes addresses of the name's own is inferred.
        Problem(400, "invalid", f"The resource record set '{path}' cannot be beside the name's own addresses.")
        for path, each in asked.paths("additions")
        if ALIAS in types[each.name] and {"A", "AAAA"} & types[each.name] and each.type in (ALIAS, "A", "AAAA")
    ]
    problems += [
        _apex(path, each.type)
        for path, each in asked.paths("deletions")
        if each.name == store.domain and each.type in ("SOA", "NS") and each.key not in after
    ]
    return problems


def _apex(path: str, rrtype: str) -> Problem:
    message = (
        f"The resource record set '{path}' is invalid because a zone must contain exactly one resource record set of"
        f" type '{rrtype}' at the apex."
    )
    return Problem(400, "invalidZoneApex", message)


def _equal(present: RecordSet, asked: RecordSet) -> bool:
    same_policy = _policy(present) == _policy(asked)
    return same_policy and present.ttl == asked.ttl and set(present.values) == set(asked.values)


def _label(each: RecordSet) -> str:
    return f"{each.name}. ({each.type})"


def _policy(each: RecordSet) -> object:
    """Return a set's policy as it was sent, without the kinds that a test may have put into the store with it."""
    return _without_kinds(each.extra.get("routingPolicy"))


def _without_kinds(content: object) -> object:
    if isinstance(content, dict):
        return {key: _without_kinds(value) for key, value in content.items() if key != "kind"}
    return [_without_kinds(each) for each in content] if isinstance(content, list) else content
