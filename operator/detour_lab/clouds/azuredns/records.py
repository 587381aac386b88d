"""Record sets on Azure's wire: the JSON of each type against the zone-file form that the store holds.

Names of members: the API's own (Record Sets, "RecordSet" and the type definitions). A TXT record is a list of strings
of up to 255 octets (RFC 1035 §3.3.14), without quotes or escapes.

A name in the data comes back as it was sent, with or without its final dot. (Inferred: dnscontrol compares targets with
the dot that it sends, octoDNS adds one where it is missing, and neither plans the same change for ever.) So a set in
the store remembers, under `SPELLING` in its `extra`, how each of its values was written.
"""

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.TXT

from detour_lab.clouds.azuredns.names import InvalidNameError, check_target

TXT_CHARACTERS_PER_SET = 4096
"""Azure DNS FAQ and "DNS zones and records overview", TXT records."""

SPELLING = "spelling"
"""The member of a stored set's `extra` that has the name in each value as it was sent."""

IN = dns.rdataclass.IN


class InvalidRecordError(ValueError):
    """A record that the service would not take; the text says why."""


@dataclass(frozen=True, slots=True)
class Wire:
    """How a type is written: its member of `properties`, whether that holds a list, and both directions.

    `target` is the member of a record that holds a name, if any does.
    """

    member: str
    many: bool
    encode: Callable[[Any], dict[str, Any]]
    decode: Callable[[Mapping[str, Any]], str]
    target: str = ""


def _name(text: str, *, root: bool = False) -> str:
    check_target(text, root=root)
    return dns.name.from_text(text).to_text().lower()


def _dotless(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True)


def _decode_txt(record: Mapping[str, Any]) -> str:
    strings = [each.encode() for each in record["value"]]
    if any(len(each) > 255 for each in strings):
        raise InvalidRecordError("A string of a TXT record is longer than 255 characters.")
    return dns.rdtypes.ANY.TXT.TXT(IN, dns.rdatatype.TXT, strings).to_text()


def _encode_soa(soa: Any) -> dict[str, Any]:
    return {
        "host": soa.mname.to_text(),
        "email": _dotless(soa.rname),
        "serialNumber": soa.serial,
        "refreshTime": soa.refresh,
        "retryTime": soa.retry,
        "expireTime": soa.expire,
        "minimumTTL": soa.minimum,
    }


def _decode_soa(soa: Mapping[str, Any]) -> str:
    times = " ".join(str(soa[key]) for key in ("refreshTime", "retryTime", "expireTime", "minimumTTL"))
    return f"{_name(soa['host'])} {_name(soa['email'])} {soa.get('serialNumber', 1)} {times}"


def _quoted(text: str) -> str:
    """Return `text` as a character string of a zone file (RFC 1035 §5.1)."""
    escaped = (f"\\{each:03}" if each in b'"\\' or not 0x20 <= each < 0x7F else chr(each) for each in text.encode())
    return f'"{"".join(escaped)}"'


def _decode_caa(record: Mapping[str, Any]) -> str:
    if not re.fullmatch("[A-Za-z0-9]+", record["tag"]):
        raise InvalidRecordError("The tag of a CAA record is one word of letters and digits.")  # RFC 8659 §4.1
    return f"{record['flags']} {record['tag']} {_quoted(record['value'])}"


def _decode_naptr(record: Mapping[str, Any]) -> str:
    texts = " ".join(_quoted(record.get(key, "").strip('"')) for key in ("flags", "services", "regexp"))
    return f"{record['order']} {record['preference']} {texts} {_name(record['replacement'], root=True)}"


def _decode_ds(record: Mapping[str, Any]) -> str:
    digest = record["digest"]
    return f"{record['keyTag']} {record['algorithm']} {digest['algorithmType']} {digest['value']}"


WIRE: Mapping[str, Wire] = {
    "A": Wire(
        "ARecords",
        True,
        lambda data: {"ipv4Address": data.address},
        lambda record: str(ipaddress.IPv4Address(record["ipv4Address"])),
    ),
    "AAAA": Wire(
        "AAAARecords",
        True,
        lambda data: {"ipv6Address": data.address},
        lambda record: str(ipaddress.IPv6Address(record["ipv6Address"])),
    ),
    "CAA": Wire(
        "caaRecords",
        True,
        lambda data: {"flags": data.flags, "tag": data.tag.decode(), "value": data.value.decode()},
        _decode_caa,
    ),
    "CNAME": Wire(
        "CNAMERecord",
        False,
        lambda data: {"cname": _dotless(data.target)},
        lambda record: _name(record["cname"]),
        target="cname",
    ),
    "DS": Wire(
        "DSRecords",
        True,
        lambda data: {
            "keyTag": data.key_tag,
            "algorithm": int(data.algorithm),
            "digest": {"algorithmType": int(data.digest_type), "value": data.digest.hex().upper()},
        },
        _decode_ds,
    ),
    "MX": Wire(
        "MXRecords",
        True,
        lambda data: {"preference": data.preference, "exchange": _dotless(data.exchange)},
        lambda record: f"{record['preference']} {_name(record['exchange'])}",
        target="exchange",
    ),
    "NAPTR": Wire(
        "NAPTRRecords",
        True,
        lambda data: {
            "order": data.order,
            "preference": data.preference,
            "flags": data.flags.decode(),
            "services": data.service.decode(),
            "regexp": data.regexp.decode(),
            "replacement": data.replacement.to_text(),
        },
        _decode_naptr,
        target="replacement",
    ),
    "NS": Wire(
        "NSRecords",
        True,
        lambda data: {"nsdname": data.target.to_text()},
        lambda record: _name(record["nsdname"]),
        target="nsdname",
    ),
    "PTR": Wire(
        "PTRRecords",
        True,
        lambda data: {"ptrdname": _dotless(data.target)},
        lambda record: _name(record["ptrdname"]),
        target="ptrdname",
    ),
    "SOA": Wire("SOARecord", False, _encode_soa, _decode_soa),
    "SRV": Wire(
        "SRVRecords",
        True,
        lambda data: {
            "priority": data.priority,
            "weight": data.weight,
            "port": data.port,
            "target": _dotless(data.target),
        },
        lambda record: " ".join(
            [*(str(record[key]) for key in ("priority", "weight", "port")), _name(record["target"], root=True)]
        ),
        target="target",
    ),
    "TLSA": Wire(
        "TLSARecords",
        True,
        lambda data: {
            "usage": data.usage,
            "selector": data.selector,
            "matchingType": data.mtype,
            "certAssociationData": data.cert.hex().upper(),
        },
        lambda record: " ".join(
            str(record[key]) for key in ("usage", "selector", "matchingType", "certAssociationData")
        ),
    ),
    "TXT": Wire("TXTRecords", True, lambda data: {"value": [each.decode() for each in data.strings]}, _decode_txt),
}
"""Every type that Azure DNS holds, by its name."""


def encode(rrtype: str, values: tuple[str, ...], spelling: Mapping[str, str]) -> dict[str, Any]:
    """Return the member of `properties` that carries `values`; an empty single-record set has none at all.

    `spelling` has the name in each value as it was sent; one that is not in it was written by somebody else.
    """
    wire = WIRE[rrtype]
    records = [wire.encode(dns.rdata.from_text(IN, rrtype, value, relativize=False)) for value in values]
    for value, record in zip(values, records, strict=True):
        if wire.target and value in spelling:
            record[wire.target] = spelling[value]
    if wire.many:
        return {wire.member: records}
    return {wire.member: records[0]} if records else {}


def decode(rrtype: str, properties: Mapping[str, Any]) -> dict[str, str] | None:
    """Return the zone-file values in `properties`, each with the name in it as sent (empty where it has none).

    None where the member for `rrtype` is missing. Raises InvalidRecordError for a member of another type or a record
    that the type does not allow.
    """
    wire = WIRE[rrtype]
    for other in WIRE.values():
        if other is not wire and properties.get(other.member):
            raise InvalidRecordError(f"A record set of type '{rrtype}' holds no '{other.member}'.")
    if (given := properties.get(wire.member)) is None:
        return None
    records = list(given) if wire.many else [given]
    try:
        # Twice through dnspython, so that what differs only in its spelling (a digest's case) becomes the same value.
        values = [dns.rdata.from_text(IN, rrtype, wire.decode(each), relativize=False).to_text() for each in records]
    except InvalidRecordError:
        raise
    except InvalidNameError as error:
        raise InvalidRecordError(str(error)) from error
    except KeyError as error:
        raise InvalidRecordError(f"A record of the '{rrtype}' record set has no {error}.") from error
    except (ValueError, dns.exception.DNSException) as error:
        raise InvalidRecordError(f"A record of the '{rrtype}' record set is invalid: {error}") from error
    if len(set(values)) < len(values):
        raise InvalidRecordError("The record set holds the same record twice.")
    if rrtype == "TXT" and sum(len(text) for each in records for text in each["value"]) > TXT_CHARACTERS_PER_SET:
        raise InvalidRecordError(f"A TXT record set holds at most {TXT_CHARACTERS_PER_SET} characters.")
    return {value: record.get(wire.target, "") for value, record in zip(values, records, strict=True)}
