"""The rules of sets that share a name and a type, and of what a set may refer to.

Source: Route 53 API reference, ResourceRecordSet: Type, Weight, Region, Failover, GeoLocation, TTL, Name; AliasTarget.
The service's words: terraform-provider-aws#1961 (TTL of weighted sets), external-dns#3141 and #4345 (another policy),
chef-boneyard/route53#100 (a plain set beside others), airbnb/zonify#16 (too many weighted ones), cli53#227, cli53#213
and aws-cdk#19643 (aliases). Where none is named the text is inferred from these.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from detour_lab.clouds.route53 import names
from detour_lab.clouds.route53.members import identifier
from detour_lab.clouds.route53.request import POLICIES
from detour_lab.zones.store import RecordSet, SetKey

WEIGHTED_SETS = 100
UNROUTED_TYPES = frozenset({"DS", "NS", "SOA"})
"""Types that have no routing policy; a multivalue answer, which is a policy too, has no CNAME either."""

UNALIASED_TYPES = frozenset({"NS", "SOA"})
"""ResourceRecordSet, Type: an alias may refer to sets of all types but these, and is of its target's."""

WORDS: Mapping[str, str] = {
    "Weight": "weighted",
    "Region": "latency",
    "Failover": "failover",
    "GeoLocation": "geolocation",
    "MultiValueAnswer": "multivalue answer",
    "GeoProximityLocation": "geoproximity",
    "CidrRoutingConfig": "CIDR",
}

AWS_ZONES: Mapping[str, str] = {
    "Z2FDTNDATAQYW2": "cloudfront.net",
    "Z35SXDOTRQ7X7K": "us-east-1.elb.amazonaws.com",
    "Z32O12XQLNTSW2": "eu-west-1.elb.amazonaws.com",
    "Z3AQBSTGFYJSTF": "s3-website-us-east-1.amazonaws.com",
}
"""Some hosted zones of AWS itself that an alias can refer to (AWS General Reference, endpoints of each service)."""

CLOUDFRONT = "cloudfront.net"


def policy(each: RecordSet) -> str | None:
    """Return the member that names a set's routing policy, None for simple routing."""
    # A weight of 0 is a policy; only `false`, which a MultiValueAnswer can be, is none.
    return next((name for name in POLICIES if name in each.extra and each.extra[name] is not False), None)


def check_type(each: RecordSet) -> list[str]:
    """Return what is wrong with a set by itself."""
    chosen = policy(each)
    label = f"RRSet with DNS name {names.to_api(each.name)}, type {each.type}"
    problems = []
    if each.type == "NS" and each.name.startswith("*."):
        problems.append(f"{label} is not permitted: a wildcard cannot be of type NS.")
    if chosen is not None and (each.type in UNROUTED_TYPES or (chosen, each.type) == ("MultiValueAnswer", "CNAME")):
        problems.append(f"{_label(each)} is not permitted as {WORDS[chosen]} sets cannot be of type {each.type}.")
    if "AliasTarget" in each.extra and each.type in UNALIASED_TYPES:
        problems.append(f"{label} is not permitted: an alias cannot be of type {each.type}.")
    if chosen == "MultiValueAnswer" and "AliasTarget" in each.extra:
        problems.append(f"{_label(each)} is not permitted as a multivalue answer set cannot be an alias.")
    return problems


def check_group(group: Sequence[RecordSet], asked: Collection[str | None]) -> list[str]:
    """Return what is wrong with the sets of one name and type as they would be; `asked` identifies those written."""
    written = [each for each in group if identifier(each) in asked]
    if len(group) < 2 or not written:
        return []
    problems: list[str] = []
    for each in written:
        others = {policy(other) for other in group if other is not each}
        chosen = policy(each)
        if chosen is None:
            label = f"RRSet with DNS name {names.to_api(each.name)}, type {each.type}"
            problems.append(f"{label} cannot be created as other RRSets exist with the same name and type.")
        elif others != {chosen}:
            exists = f"a non-{WORDS[chosen]} set exists with the same name and type."
            problems.append(f"{_label(each)} cannot be created as {exists}")
    if problems:
        return problems
    if "Weight" in group[0].extra:
        return _check_weights(group, written[0])
    return _check_unique(group, written[0])


def check_alias(
    each: RecordSet, zone_id: str, domain: str, after: Collection[SetKey], others: Mapping[str, str]
) -> list[str]:
    """Return what is wrong with the target of an alias in the zone `domain`, whose sets will be `after`.

    `others` are hosted zones of AWS, by ID with their domains: whether a name in one exists, nobody knows here. No
    other zone can be referred to, not even one of the same account (AliasTarget, HostedZoneId).
    """
    alias = each.extra.get("AliasTarget")
    if alias is None:
        return []
    try:
        target = names.from_api(str(alias["DNSName"]))
    except ValueError as error:
        return [str(error)]
    where = f"{names.to_api(target)}, type {each.type} in zone {alias['HostedZoneId']}"
    label = f"Tried to create an alias that targets {where}"
    lies_in = domain if alias["HostedZoneId"] == zone_id else others.get(alias["HostedZoneId"])
    problems = []
    if lies_in is not None and target != lies_in and not target.endswith(f".{lies_in}"):
        problems.append(f"{label}, but the alias target name does not lie within the target zone")
    if lies_in is None or (lies_in == domain and (target, each.type) not in after) or problems:
        problems.append(f"{label}, but that target was not found")
    if lies_in == CLOUDFRONT and alias.get("EvaluateTargetHealth"):
        problems.append(f"EvaluateTargetHealth cannot be set to true for a {CLOUDFRONT} target.")
    return problems


def _check_weights(group: Sequence[RecordSet], written: RecordSet) -> list[str]:
    if len({each.ttl for each in group if "AliasTarget" not in each.extra}) > 1:
        label = f"RRSet with DNS name {names.to_api(written.name)} and type {written.type}"
        what = "cannot be created as weighted sets must contain the same TTL."
        return [f"{label}, SetIdentifier {identifier(written)} {what}"]
    if len(group) > WEIGHTED_SETS:
        where = f"{names.to_api(written.name)}, type {written.type} in this zone."
        return [f"Exceeded limit on number of weighted RRSets for {where}"]
    return []


def _check_unique(group: Sequence[RecordSet], written: RecordSet) -> list[str]:
    """One set for each region, location or half of a failover pair."""
    chosen = policy(written)
    if chosen not in ("Region", "GeoLocation", "Failover"):
        return []
    places = Counter(str(_ordered(each.extra[chosen])) for each in group)
    if max(places.values()) == 1:
        return []
    return [f"{_label(written)} cannot be created as a {WORDS[chosen]} set for the same place exists already."]


def _ordered(value: object) -> object:
    return sorted(value.items()) if isinstance(value, Mapping) else value


def _label(each: RecordSet) -> str:
    where = f"RRSet with DNS name {names.to_api(each.name)}, type {each.type}"
    return f"{where}, SetIdentifier {identifier(each)}"


def unknown_health_checks(sets: Iterable[RecordSet], known: Collection[str]) -> list[str]:
    """Return the health checks that `sets` refer to and that the account does not have."""
    asked = (each.extra.get("HealthCheckId") for each in sets)
    return [str(each) for each in dict.fromkeys(asked) if each is not None and each not in known]
