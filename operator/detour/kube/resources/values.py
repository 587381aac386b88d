"""The single values that the resources share: names, addresses, ports, and the rules that each kind must keep."""

import functools
import ipaddress
import re
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainValidator, Strict, StringConstraints, WithJsonSchema

from detour.kube.resources.rules import Rule, Rules, in_cel, shaped

LABEL = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
NAME_LABEL = "[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
SUBDOMAIN = "[a-z0-9]([a-z0-9-]*[a-z0-9])?([.][a-z0-9]([a-z0-9-]*[a-z0-9])?)*"
PORT = "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"


def whole(value: object) -> object:
    """Let 30.0 pass as 30: JSON has one kind of number, and the API server stores either."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def decimal(value: object) -> object:
    """Let 3 pass as 3.0: JSON has one kind of number."""
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


WHOLE = BeforeValidator(whole)
"""Stands last in an annotation: bounds that come after it would not reach the schema."""
Integer = Annotated[int, Strict(), WHOLE]
Number = Annotated[float, Strict(), Field(allow_inf_nan=False)]
Flag = Annotated[bool, Strict()]
EXTERNAL_DNS = "external-dns"


def _adoption(value: object) -> bool | str:
    if isinstance(value, bool):
        return value
    if value == {"from": EXTERNAL_DNS}:
        return EXTERNAL_DNS
    raise ValueError("must be true, false or {from: external-dns}")


Adoption = Annotated[
    bool | str,
    PlainValidator(_adoption),
    WithJsonSchema({"x-kubernetes-preserve-unknown-fields": True, "enum": [False, True, {"from": EXTERNAL_DNS}]}),
]
"""Whether to take over what is there, or (the tool's name) also from which other tool."""
MOST_COUNTED = 1000


def _number_or_share(value: object) -> int | str:
    value = whole(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str):
        return value
    raise ValueError("must be a number, or a percentage such as 60%")


def _is_number_or_share(value: int | str) -> bool:
    if isinstance(value, str):
        return re.fullmatch(PERCENTAGE, value, re.ASCII) is not None
    return 1 <= value <= MOST_COUNTED


PERCENTAGE = "([1-9][0-9]?|100)%"
NumberOrShare = Annotated[
    int | str, PlainValidator(_number_or_share), WithJsonSchema({"x-kubernetes-int-or-string": True})
]
"""A number, or a share of all in percent; to be had with the rule that says so."""


def number_or_share_rule(field: str, what: str) -> Rule:
    """Return the rule that `field` is a number of `what`, or a share of all of them."""
    return Rule(
        f"type(self) == int ? self >= 1 && self <= {MOST_COUNTED} : self.matches('^{PERCENTAGE}$')",
        f"{field} must be a number of {what} from 1 to {MOST_COUNTED}, or a share of all from 1% to 100%",
        _is_number_or_share,
    )


Port = Annotated[int, Strict(), Field(ge=1, le=65535), WHOLE]


@functools.lru_cache(maxsize=4096)  # three rules ask it of each address
def is_address(text: str) -> bool:
    """Tell whether `text` is an IPv4 or IPv6 address as CEL's `isIP` means it: no zone, not IPv4-mapped."""
    if ":" not in text and not text[-1:].isdigit():
        return False  # most texts are names, and parsing is slow
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text and not (address.version == 6 and address.ipv4_mapped is not None)


def is_canonical(text: str) -> bool:
    """Tell whether an address is in its shortest form (RFC 5952 §4); IPv4 has no other."""
    return ":" not in text or str(ipaddress.IPv6Address(text)) == text


@functools.lru_cache(maxsize=4096)
def is_usable(text: str) -> bool:
    """Tell whether an address can be one host's: unicast, not link-local, not from the reserved blocks.

    Loopback passes: laboratories live there, and the operator's probing rules have the last word.
    """
    address = ipaddress.ip_address(text)
    if address.version == 6:
        return not (address.is_unspecified or address.is_multicast or address.is_link_local)
    return 1 <= int(address) >> 24 < 224 and not address.is_link_local


Address = Annotated[
    str,
    StringConstraints(max_length=45),
    Rules(
        Rule(
            "isIP(self)",
            "addresses takes IP addresses: write an IPv4 address such as 192.0.2.10 or an IPv6 address such as"
            " 2001:db8::10, without port, prefix length, zone or IPv4-mapped form; a name goes into hostname",
            is_address,
        ),
        Rule(
            "!isIP(self) || ip.isCanonical(self)",
            "addresses takes IPv6 addresses in their shortest form (RFC 5952): write 2001:db8::10, not 2001:DB8:0::10",
            lambda text: not is_address(text) or is_canonical(text),
        ),
        Rule(
            "!isIP(self) || ip(self).isLoopback() || (ip(self).isGlobalUnicast()"
            " && !cidr('0.0.0.0/8').containsIP(self) && !cidr('240.0.0.0/4').containsIP(self))",
            "addresses takes the addresses of single hosts: unspecified, multicast, link-local, broadcast and reserved"
            " ones cannot serve; write the address that clients connect to",
            lambda text: not is_address(text) or is_usable(text),
        ),
    ),
]


def name_rules(field: str, *, wildcard: bool = False, single_label: bool = False) -> tuple[Rule, ...]:
    """Return the rules that make `field` a host name (RFC 1123 §2.1, underscores allowed but in the last label)."""
    repeat = "*" if single_label else "+"
    pattern = ("([*][.])?" if wildcard else "") + f"({NAME_LABEL}[.]){repeat}{LABEL}"
    # The dot and the case have sentences of their own, so they are no bad label here.
    tolerant = re.compile(pattern + "[.]?", re.ASCII | re.IGNORECASE)
    example = "api.example.com or *.example.com" if wildcard else "api.example.com"
    return (
        Rule(
            "!self.endsWith('.')",
            f"{field} must not end with a dot: leave out the last character",
            lambda text: not text.endswith("."),
        ),
        Rule(
            "self == self.lowerAscii()",
            f"{field} must be in lower case: write api.example.com, not API.example.com",
            lambda text: not any("A" <= letter <= "Z" for letter in text),
        ),
        Rule(
            f"self.lowerAscii().matches('^{pattern}[.]?$')",
            f"{field} must be a host name such as {example}: labels of 1 to 63 letters, digits, hyphens and"
            " underscores, no hyphen at either end of a label, international names in their xn-- form",
            lambda text: tolerant.fullmatch(text) is not None,
        ),
        Rule(
            "!isIP(self)",
            f"{field} must be a name, not an IP address",
            lambda text: not is_address(text),
        ),
    )


def object_name_rule(field: str, what: str) -> Rule:
    """Return the rule that `field` can be the name of a Kubernetes object (an RFC 1123 subdomain)."""
    return shaped(
        SUBDOMAIN,
        f"{field} must be the name of {what}: lower-case letters, digits, hyphens and dots, with a letter or digit at"
        " both ends",
    )


def label_rule(field: str) -> Rule:
    """Return the rule that `field` is a DNS label (RFC 1123 §2.1)."""
    return shaped(
        LABEL,
        f"{field} must be 1 to 63 lower-case letters, digits and hyphens, with a letter or digit at both ends,"
        " such as aws-us-east-1",
    )


def server_rule(field: str, *, names: bool) -> Rule:
    """Return the rule that `field` is `address:port`; with `names` also `host:port`. IPv6 stands in brackets."""
    host = f"({NAME_LABEL}[.])*{LABEL}" if names else "[0-9.]+"
    pattern = rf"({host}|\[[0-9a-f:.]+\]):{PORT}"
    compiled = re.compile(pattern, re.ASCII)
    host_part = "self.substring(0, self.lastIndexOf(':')).replace('[', '').replace(']', '')"
    looks_numeric = "[0-9.]+|.*:.*"

    def holds(text: str) -> bool:
        if compiled.fullmatch(text) is None:
            return False
        written = text.rpartition(":")[0].replace("[", "").replace("]", "")
        return re.fullmatch(looks_numeric, written) is None or is_address(written)

    return Rule(
        f"self.matches('^{in_cel(pattern)}$') && (!{host_part}.matches('^({looks_numeric})$') || isIP({host_part}))",
        f"{field} must be address:port, such as 192.0.2.53:53 or [2001:db8::53]:53"
        + (", or host:port, such as ns1.example.com:53" if names else ""),
        holds,
    )
