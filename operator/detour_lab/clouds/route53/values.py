"""The syntax of record values: what Route 53 accepts for each type, and how it differs from a zone file.

Two differences matter. A domain name in a value is absolute with or without its trailing dot. And an escape in a TXT
string or a name is three octal digits, not three decimal ones. The store holds zone-file form; the two functions
translate. What they are given is kept beside it (`members.SPELLING`), since the service lists a value as it was sent:
a CNAME without its final dot comes back without (octodns#647, dnscontrol#719).

A value holds printable characters of ASCII, and no blank before or after it; the service's words: plesk/ext-route53#13.
Source: Route 53 developer guide, "Supported DNS record types" (and its section on TXT values).
"""

import re

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
from dns.rdtypes.ANY.TXT import TXT

from detour_lab.clouds.route53 import names
from detour_lab.dns import servicebinding

_TEXT_TYPES = ("TXT", "SPF")
_LONGEST_STRING = 255
_LONGEST_VALUE = 4000
_PROBLEMS = {
    "A": "ARRDATAIllegalIPv4Address (Value is not a valid IPv4 address)",
    "AAAA": "AAAARRDATAIllegalIPv6Address (Value is not a valid IPv6 address)",
    "CNAME": "CNAMERRDATANotSingleField (Value contains spaces)",
}
_NAME_FIELDS = {"CNAME": 0, "MX": 1, "NS": 0, "PTR": 0, "SRV": 3}
"""Which of the fields of a value is a name, by type."""

_UNPRINTABLE = re.compile(r"[^ -~]|\A | \Z")
_STRING = re.compile(rb'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_OCTAL = re.compile(rb"\\([0-3][0-7]{2}|.)", re.DOTALL)


def to_zone_file(rrtype: str, value: str) -> str:
    """Return `value` in zone-file form. Raises ValueError, in Route 53's words, where the type does not allow it."""
    if len(value) > _LONGEST_VALUE:
        raise _fatal("CharacterStringTooLong (Value is too long)", value[:64] + "...")
    if unsupported := _UNPRINTABLE.search(value):
        raise _fatal("UnsupportedCharacter (Value contains unsupported characters)", unsupported[0])
    if rrtype in _TEXT_TYPES:
        return _text(rrtype, _strings(value))
    if rrtype in _NAME_FIELDS:
        value = _with_canonical_name(rrtype, value)
    try:
        if rrtype in servicebinding.TYPES:
            return servicebinding.with_opaque_ech(rrtype, value)
        rdata = dns.rdata.from_text(
            dns.rdataclass.IN, rrtype, value, origin=dns.name.root, relativize=False, idna_codec=None
        )
    except (dns.exception.DNSException, ValueError) as error:
        problem = _PROBLEMS.get(rrtype, f"{rrtype}RRDATAIllegal (Value is not valid for type {rrtype})")
        raise _fatal(problem, value) from error
    return rdata.to_text()


def to_api(rrtype: str, value: str) -> str:
    """Return a stored value as Route 53 lists it."""
    if rrtype in _NAME_FIELDS and "\\" in value:
        *fields, name = value.split()
        return " ".join([*fields, names.to_api(name.removesuffix("."))])
    if rrtype not in _TEXT_TYPES:
        return value
    rdata = dns.rdata.from_text(dns.rdataclass.IN, rrtype, value)
    strings: tuple[bytes, ...] = rdata.strings  # type: ignore[attr-defined]  # TXT and SPF both have them
    return " ".join(f'"{_octal(each)}"' for each in strings)


def _with_canonical_name(rrtype: str, value: str) -> str:
    """Return `value` with its name in zone-file form; what has not the right number of fields is left as it is."""
    fields = value.split()
    place = _NAME_FIELDS[rrtype]
    if len(fields) != place + 1 or fields[place] == ".":
        return value
    try:
        fields[place] = f"{names.from_api(fields[place])}."
    except ValueError as error:
        raise ValueError(f"Invalid Resource Record: {error}") from error
    return " ".join(fields)


def _strings(value: str) -> list[bytes]:
    raw = value.encode()
    strings: list[bytes] = []
    position = 0
    while position < len(raw):
        match = _STRING.match(raw, position)
        if match is None:
            raise _fatal("InvalidCharacterString (Value should be enclosed in quotation marks)", value)
        strings.append(_OCTAL.sub(_unescape, match[1]))
        position = match.end()
        blanks = len(raw[position:]) - len(raw[position:].lstrip())
        if position < len(raw) and not blanks:
            raise _fatal("InvalidCharacterString (Value should be enclosed in quotation marks)", value)
        position += blanks
    if not strings:
        raise _fatal("InvalidCharacterString (Value should be enclosed in quotation marks)", value)
    if any(len(each) > _LONGEST_STRING for each in strings):
        raise _fatal("CharacterStringTooLong (Value is too long)", value)
    return strings


def _text(rrtype: str, strings: list[bytes]) -> str:
    return TXT(dns.rdataclass.IN, dns.rdatatype.from_text(rrtype), strings).to_text()


def _unescape(match: re.Match[bytes]) -> bytes:
    return bytes([int(match[1], 8)]) if len(match[1]) == 3 else match[1]


def _octal(string: bytes) -> str:
    plain = {ord('"'): '\\"', ord("\\"): "\\\\"}
    return "".join(plain.get(each, chr(each) if 0x20 <= each < 0x7F else f"\\{each:03o}") for each in string)


def _fatal(problem: str, value: str) -> ValueError:
    return ValueError(f"Invalid Resource Record: FATAL problem: {problem} encountered with '{value}'")
