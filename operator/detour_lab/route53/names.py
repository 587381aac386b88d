"""Names as Route 53 writes them: lower-case, with a trailing dot, unusual characters as three octal digits.

Source: Route 53 developer guide, "DNS domain name format". The store holds the canonical form instead: no trailing
dot, a plain asterisk.
"""

import re

_ESCAPE = re.compile(r"\\([0-3][0-7]{2})")
_UNUSUAL = re.compile(r"[^a-z0-9_.\\-]")
_LONGEST_LABEL = 63
_LONGEST_NAME = 255


def from_api(text: str) -> str:
    """Return the canonical form of a name in a request. Raises ValueError, in Route 53's words, for no name."""
    name = _ESCAPE.sub(_unescape, text).lower()
    name = name[:-1] if name.endswith(".") else name
    for label in name.split("."):
        if not label:
            raise ValueError(f"FATAL problem: DomainLabelEmpty (Domain label is empty) encountered with '{text}'")
        if len(label) > _LONGEST_LABEL:
            raise ValueError(f"FATAL problem: DomainLabelTooLong (Domain label is too long) encountered with '{text}'")
    if len(name) > _LONGEST_NAME:
        raise ValueError(f"FATAL problem: DomainNameTooLong (Domain name is too long) encountered with '{text}'")
    return name


def to_api(name: str) -> str:
    """Return the form in which Route 53 lists a canonical name."""
    return _UNUSUAL.sub(lambda match: f"\\{ord(match[0]):03o}", name) + "."


def list_order(name: str) -> str:
    """Return the sort key of a canonical name: its labels reversed, compared as ASCII with the dots in place."""
    return ".".join(reversed(name.split("."))) + "."


def _unescape(match: re.Match[str]) -> str:
    character = chr(int(match[1], 8))
    return match[0] if character in ".\\" else character  # those two would change the name's meaning
