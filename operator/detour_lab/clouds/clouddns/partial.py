"""Partial responses: only what the parameter `fields` asks for.

    rrsets(name,type),nextPageToken      two fields of each set, and the token
    changes/additions/name               the same as changes(additions(name))
    *                                    everything

Source: Google Cloud documentation, "Working with partial resources" (fields parameter syntax). A field that the answer
does not have is left out of it; what does not follow the syntax is refused.
"""

import re
from collections.abc import Iterator
from typing import Any

from detour_lab.clouds.clouddns.errors import APIError, Problem

EVERYTHING = "*"
_TOKEN = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*|[*/(),])\s*")

Selection = dict[str, "Selection"]
"""The fields asked for, each with what is asked of it; nothing stands for all of it."""


class _SyntaxError(ValueError):
    pass


def select(content: Any, fields: str | None) -> Any:
    """Return what `fields` asks for of an answer. Raises APIError (400) where it cannot be understood."""
    if fields is None:
        return content
    try:
        tokens = list(_tokens(fields))
        selection = _fields(tokens)
        if tokens:
            raise _SyntaxError
    except (_SyntaxError, RecursionError):
        message = f"Invalid field selection {fields}"
        problem = Problem(400, "invalidParameter", message, extra={"location": "fields", "locationType": "parameter"})
        raise APIError(problem, canonical="INVALID_ARGUMENT") from None
    return _taken(content, selection)


def _tokens(text: str) -> Iterator[str]:
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise _SyntaxError
        yield match[1]
        place = match.end()


def _fields(tokens: list[str]) -> Selection:
    selection: Selection = {}
    while True:
        name, inner = _field(tokens)
        selection[name] = {**selection.get(name, {}), **inner}
        if not tokens or tokens[0] != ",":
            return selection
        tokens.pop(0)


def _field(tokens: list[str]) -> tuple[str, Selection]:
    if not tokens or tokens[0] in tuple("/(),"):
        raise _SyntaxError
    name = tokens.pop(0)
    if tokens and tokens[0] == "/":
        tokens.pop(0)
        return name, dict([_field(tokens)])
    if tokens and tokens[0] == "(":
        tokens.pop(0)
        inner = _fields(tokens)
        if not tokens or tokens.pop(0) != ")":
            raise _SyntaxError
        return name, inner
    return name, {}


def _taken(content: Any, selection: Selection) -> Any:
    if isinstance(content, list):
        return [_taken(each, selection) for each in content]
    if not isinstance(content, dict) or not selection:
        return content
    chosen = {}
    for key, value in content.items():
        if key in selection or EVERYTHING in selection:
            chosen[key] = _taken(value, selection.get(key) or selection.get(EVERYTHING, {}))
    return chosen
