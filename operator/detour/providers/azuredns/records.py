"""Record sets in the SDK's models against the ones that Detour has words for."""

from typing import Any

from azure.mgmt.dns import models

from detour.enactment.contract import OpaqueSet, StoredSet
from detour.model.names import canonical
from detour.model.rrset import RRset, RRType
from detour.providers.presentation import STRING_OCTETS

RECORD_TYPES = ("A", "AAAA", "CAA", "CNAME", "MX", "NS", "PTR", "SRV", "TXT")
"""What a name may hold in Azure DNS; the apex has a SOA besides."""


def relative_name(name: str, domain: str) -> str:
    """Return canonical `name` as Azure addresses it in the zone `domain`: `@` for the apex."""
    return "@" if name == domain else name.removesuffix(f".{domain}")


def in_words(model: Any, domain: str) -> StoredSet | OpaqueSet | None:
    """Return what `model` holds, or None for a set without records.

    Azure accepts such a set and its name servers do not show it: to whoever asks, it is not there.
    """
    relative = canonical(model.name)
    name = domain if relative == "@" else f"{relative}.{domain}"
    rrtype = model.type.rsplit("/", 1)[-1].upper()
    if model.target_resource is not None and model.target_resource.id:
        return OpaqueSet(name, rrtype, "alias of an Azure resource")
    if rrtype not in RRType.__members__:
        return OpaqueSet(name, rrtype)
    values = _values(model, RRType(rrtype))
    if not values:
        return None
    try:
        return StoredSet(RRset(name, RRType(rrtype), model.ttl, values), model.etag)
    except ValueError as error:
        return OpaqueSet(name, rrtype, f"Detour cannot read its values: {error}")


def _values(model: Any, rrtype: RRType) -> tuple[str, ...]:
    match rrtype:
        case RRType.A:
            return tuple(each.ipv4_address for each in model.a_records or ())
        case RRType.AAAA:
            return tuple(each.ipv6_address for each in model.aaaa_records or ())
        case RRType.CNAME:
            return (model.cname_record.cname,) if model.cname_record and model.cname_record.cname else ()
        case RRType.TXT:
            return tuple("".join(each.value) for each in model.txt_records or ())


def as_model(rrset: RRset) -> models.RecordSet:
    """Return the body of a PUT that makes `rrset`."""
    body = models.RecordSet(ttl=rrset.ttl)
    match rrset.type:
        case RRType.A:
            body.a_records = [models.ARecord(ipv4_address=each) for each in rrset.values]
        case RRType.AAAA:
            body.aaaa_records = [models.AaaaRecord(ipv6_address=each) for each in rrset.values]
        case RRType.CNAME:
            body.cname_record = models.CnameRecord(cname=rrset.values[0])
        case RRType.TXT:
            body.txt_records = [models.TxtRecord(value=_strings(each)) for each in rrset.values]
    return body


def unchanged(model: Any) -> models.RecordSet:
    """Return the body of a PUT that leaves `model` as it is and only renews its ETag."""
    alias = model.target_resource if model.target_resource is not None and model.target_resource.id else None
    return models.RecordSet(
        ttl=model.ttl,
        metadata=model.metadata,
        target_resource=alias,
        a_records=None if alias else model.a_records,  # Azure fills in an alias's addresses; it takes one or the other
        aaaa_records=None if alias else model.aaaa_records,
    )


def _strings(text: str) -> list[str]:
    """Split `text` into strings of at most 255 octets; a character outside ASCII has up to four."""
    size = STRING_OCTETS if text.isascii() else STRING_OCTETS // 4
    return [text[start : start + size] for start in range(0, len(text), size)] or [""]
