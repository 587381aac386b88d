"""Record sets in the SDK's models against the ones that Detour has words for."""

import json
from typing import Any

from azure.mgmt.dns import models

from detour.enactment.contract import OpaqueSet, StoredSet
from detour.model.names import canonical
from detour.model.rrset import RRset, RRType
from detour.providers.presentation import STRING_OCTETS
from detour.providers.translation import OddAnswerError

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
    try:
        values = _values(model, RRType(rrtype))
        if not values:
            return None
        rrset = RRset(name, RRType(rrtype), model.ttl, values)
    except (TypeError, ValueError) as error:
        return OpaqueSet(name, rrtype, f"Detour cannot read its values: {error}")
    return StoredSet(rrset, version_of(model))


def check_is(model: Any, relative: str, rrtype: str) -> None:
    """Raise OddAnswerError unless `model` is the set that was asked for; a body without members makes an empty one."""
    if model is None or not model.name or not model.type or not model.etag:
        raise OddAnswerError("the answer is no record set")
    if canonical(model.name) != canonical(relative) or model.type.rsplit("/", 1)[-1].upper() != rrtype:
        raise OddAnswerError("the answer is another record set than the one that was asked for")


def version_of(model: Any) -> str:
    """Return the tag of this very state of a set: its ETag, and with it what others keep at the set.

    A PUT replaces a record set whole, so whoever changes its records has to send its metadata along.
    """
    if not model.etag:
        raise OddAnswerError("the answer is a record set without an ETag")
    if not model.metadata:
        return str(model.etag)
    return json.dumps({"etag": model.etag, "metadata": dict(model.metadata)}, sort_keys=True)


def etag_of(version: str) -> str:
    """Return the ETag in a version."""
    return str(json.loads(version)["etag"]) if version.startswith("{") else version


def _metadata_of(version: str | None) -> dict[str, str] | None:
    return dict(json.loads(version)["metadata"]) if version is not None and version.startswith("{") else None


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


def as_model(rrset: RRset, version: str | None) -> models.RecordSet:
    """Return the body of a PUT that makes `rrset` in place of `version`, with the metadata that stood there."""
    body = models.RecordSet(ttl=rrset.ttl, metadata=_metadata_of(version))
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


def _strings(text: str) -> list[str]:
    """Split `text` into strings of at most 255 octets; a character outside ASCII has up to four."""
    size = STRING_OCTETS if text.isascii() else STRING_OCTETS // 4
    return [text[start : start + size] for start in range(0, len(text), size)] or [""]
