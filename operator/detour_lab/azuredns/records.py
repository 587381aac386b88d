"""Record sets on Azure's wire: the JSON of each type against the zone-file form that the store holds.

Names of members: the API's own (Record Sets, "RecordSet" and the type definitions). A TXT record is a list of strings
of up to 255 octets (RFC 1035 §3.3.14), without quotes or escapes.
"""

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.TXT

TXT_CHARACTERS_PER_SET = 4096
"""Azure DNS FAQ and "DNS zones and records overview", TXT records."""


class InvalidRecordError(ValueError):
    """A record that the service would not take; the text says why."""


@dataclass(frozen=True, slots=True)
class Wire:
    """How a type is written: its member of `properties`, whether that holds a list, and both directions."""

    member: str
    many: bool
    encode: Callable[[Any], dict[str, Any]]
    decode: Callable[[Mapping[str, Any]], str]


def _name(text: str) -> str:
    return dns.name.from_text(text).to_text().lower()


def _dotless(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True)


def _decode_txt(record: Mapping[str, Any]) -> str:
    strings = [each.encode() for each in record["value"]]
    if any(len(each) > 255 for each in strings):
        raise InvalidRecordError("A string of a TXT record is longer than 255 characters.")
    return dns.rdtypes.ANY.TXT.TXT(dns.rdataclass.IN, dns.rdatatype.TXT, strings).to_text()


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
    times = " ".join(str(int(soa[key])) for key in ("refreshTime", "retryTime", "expireTime", "minimumTTL"))
    return f"{_name(soa['host'])} {_name(soa['email'])} {int(soa.get('serialNumber', 1))} {times}"


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
        lambda record: f'{int(record["flags"])} {record["tag"]} "{record["value"]}"',
    ),
    "CNAME": Wire(
        "CNAMERecord",
        False,
        lambda data: {"cname": _dotless(data.target)},
        lambda record: _name(record["cname"]),
    ),
    "MX": Wire(
        "MXRecords",
        True,
        lambda data: {"preference": data.preference, "exchange": _dotless(data.exchange)},
        lambda record: f"{int(record['preference'])} {_name(record['exchange'])}",
    ),
    "NS": Wire(
        "NSRecords",
        True,
        lambda data: {"nsdname": data.target.to_text()},
        lambda record: _name(record["nsdname"]),
    ),
    "PTR": Wire(
        "PTRRecords",
        True,
        lambda data: {"ptrdname": _dotless(data.target)},
        lambda record: _name(record["ptrdname"]),
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
            [*(str(int(record[key])) for key in ("priority", "weight", "port")), _name(record["target"])]
        ),
    ),
    "TXT": Wire("TXTRecords", True, lambda data: {"value": [each.decode() for each in data.strings]}, _decode_txt),
}
"""Every type that Azure DNS holds, by its name."""


def encode(rrtype: str, values: tuple[str, ...]) -> dict[str, Any]:
    """Return the member of `properties` that carries `values`; an empty single-record set has none at all."""
    wire = WIRE[rrtype]
    records = [wire.encode(dns.rdata.from_text("IN", rrtype, value, relativize=False)) for value in values]
    if wire.many:
        return {wire.member: records}
    return {wire.member: records[0]} if records else {}


def decode(rrtype: str, properties: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Return the zone-file values in `properties`, or None where its member for `rrtype` is missing.

    Raises InvalidRecordError for a member of another type or a record that the type does not allow.
    """
    wire = WIRE[rrtype]
    for other in WIRE.values():
        if other is not wire and properties.get(other.member):
            raise InvalidRecordError(f"A record set of type '{rrtype}' holds no '{other.member}'.")
    if (given := properties.get(wire.member)) is None:
        return None
    try:
        records = list(given) if wire.many else [given]
        values = tuple(wire.decode(each) for each in records)
        for value in values:
            dns.rdata.from_text("IN", rrtype, value, relativize=False)
    except InvalidRecordError:
        raise
    except (AttributeError, KeyError, TypeError, ValueError, dns.exception.DNSException) as error:
        raise InvalidRecordError(f"A record of the '{rrtype}' record set is invalid: {error}") from error
    if len(set(values)) < len(values):
        raise InvalidRecordError("The record set holds the same record twice.")
    if rrtype == "TXT" and sum(map(len, values)) > TXT_CHARACTERS_PER_SET:
        raise InvalidRecordError(f"A TXT record set holds at most {TXT_CHARACTERS_PER_SET} characters.")
    return values
