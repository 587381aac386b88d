"""Names as Azure DNS takes them: of record sets, and in the data of records.

A name that is none is answered with 400 and "The domain name '…' is invalid." (seen for the target of a CNAME:
external-dns#4855; for the name of a record set it is inferred). Names beyond ASCII have to be sent in punycode (Azure
DNS FAQ, "Does Azure DNS support internationalized domain names?"). A `*` is a wildcard as the first label and nothing
anywhere else (Azure DNS, "Overview of DNS zones and records", Wildcard records).
"""

import re

LONGEST_NAME = 253
"""Octets of a name in text, without its final dot: 255 on the wire (RFC 1035 §2.3.4)."""

_LABEL = re.compile(r"[A-Za-z0-9_-]{1,63}", re.ASCII)


class InvalidNameError(ValueError):
    """The text is no name that the service takes."""

    def __init__(self, name: str) -> None:
        super().__init__(f"The domain name '{name}' is invalid.")


def check_relative(relative: str, domain: str) -> None:
    """Raise InvalidNameError unless `relative`, as a request's path has it, names a record set of `domain`."""
    if relative == "@":
        return
    first, dot, rest = relative.partition(".")
    labels = rest.split(".") if first == "*" and dot else [] if first == "*" else relative.split(".")
    if not all(map(_LABEL.fullmatch, labels)) or len(relative) + 1 + len(domain) > LONGEST_NAME:
        raise InvalidNameError(relative)


def check_target(text: str, *, root: bool = False) -> None:
    """Raise InvalidNameError unless `text`, with or without a final dot, is a host's name; `root` allows the dot alone.

    The service refuses the null MX of RFC 7505 (dnscontrol's rules for Azure DNS) and takes a SRV's "." (RFC 2782).
    """
    if root and text == ".":
        return
    name = text.removesuffix(".")
    if not all(map(_LABEL.fullmatch, name.split("."))) or len(name) > LONGEST_NAME:
        raise InvalidNameError(text)
