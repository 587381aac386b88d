"""Names as Route 53 writes them: lower-case, with a trailing dot, unusual characters as three octal digits.

Source: Route 53 developer guide, "DNS domain name format". A name may hold any printable character of ASCII but a
blank; everything else has to be sent as an escape code, three octal digits after a backslash, and what is sent raw is
an UnsupportedCharacter (the service's words: plesk/ext-route53#13). The store holds the canonical form instead: no
trailing dot, a plain asterisk, escapes as in a zone file.
"""

import re

import dns.exception
import dns.name

_PLAIN = re.compile(r"[a-z0-9_*-]+(\.[a-z0-9_*-]+)*", re.ASCII)
_ESCAPE = re.compile(rb"\\([0-3][0-7]{2})|\\?(.)", re.DOTALL)
_UNPRINTABLE = re.compile(r"[^!-~]")
_LONGEST_LABEL = 63
_LONGEST_NAME = 255


def from_api(text: str) -> str:
    """Return the canonical form of a name in a request. Raises ValueError, in Route 53's words, for no name."""
    name = text.removesuffix(".").lower()
    if not name:
        raise _fatal("DomainNameEmpty (Domain name is empty)", text)
    if unsupported := _UNPRINTABLE.search(text):
        raise _fatal("UnsupportedCharacter (Value contains unsupported characters)", unsupported[0])
    labels = _labels(name)
    if not all(labels):
        raise _fatal("DomainLabelEmpty (Domain label is empty)", text)
    if any(len(label) > _LONGEST_LABEL for label in labels):
        raise _fatal("DomainLabelTooLong (Domain label is too long)", text)
    if sum(len(label) + 1 for label in labels) + 1 > _LONGEST_NAME:
        raise _fatal("DomainNameTooLong (Domain name is too long)", text)
    if _PLAIN.fullmatch(name):
        return name
    return dns.name.Name([*labels, b""]).to_text(omit_final_dot=True).lower()


def to_api(name: str) -> str:
    """Return the form in which Route 53 lists a canonical name: all but letters, digits, `-` and `_` as escapes."""
    try:
        labels = dns.name.from_text(name).labels[:-1]
    except (dns.exception.DNSException, ValueError):  # a name that a test put into the store
        return name + "."
    return "".join(f"{''.join(map(_written, label.lower()))}." for label in labels)


def list_order(name: str) -> str:
    """Return the sort key of a canonical name: its labels reversed, compared as ASCII with the dots in place."""
    return ".".join(reversed(name.split("."))) + "."


def _labels(name: str) -> list[bytes]:
    """Split a name at the dots that are none of an escape (`\\056` is a dot inside a label)."""
    labels = [b""]
    for match in _ESCAPE.finditer(name.encode()):
        if match[1] is not None:
            labels[-1] += bytes([int(match[1], 8)]).lower()
        elif match[0] == b".":
            labels.append(b"")
        else:
            labels[-1] += match[2]
    return labels


def _written(octet: int) -> str:
    plain = chr(octet) in "-_" or (chr(octet).isascii() and chr(octet).isalnum())
    return chr(octet) if plain else f"\\{octet:03o}"


def _fatal(problem: str, where: str) -> ValueError:
    return ValueError(f"FATAL problem: {problem} encountered with '{where}'")
