"""A TSIG key in the words of the tools that people copy it from.

    key "detour" { algorithm hmac-sha256; secret "..."; };    named.conf, and what tsig-keygen(8) and nsupdate -k take
    hmac-sha256:detour:...                                    nsupdate -y, kdig -y, and keymgr -t's comment
    key: - id: detour ...                                     knot.conf, and what keymgr -t prints

Pure. Nothing here quotes what it was given: it holds a secret.
"""

import re
from dataclasses import dataclass

_COMMENT = re.compile(r"/\*[\s\S]*?\*/|^\s*(?://|#).*$", re.MULTILINE)
_STATEMENT = re.compile(
    r"key\s+(?:\"(?P<quoted>[^\"]+)\"|(?P<name>[^\s\"{;]+))\s*\{(?P<body>[^{}]*)\}\s*;?", re.IGNORECASE
)
_CLAUSE = re.compile(r"(?P<word>algorithm|secret)\s+(?:\"(?P<quoted>[^\"]*)\"|(?P<plain>[^\s\";]+))\s*;", re.IGNORECASE)
_ONE_LINE = re.compile(
    r"(?:(?P<algorithm>hmac-[a-z0-9-]+):)(?P<name>[^:\s]+):(?P<secret>[A-Za-z0-9+/=]+)", re.IGNORECASE
)
_KNOT = re.compile(r"^\s*-?\s*(?P<word>id|algorithm|secret)\s*:\s*\"?(?P<value>[^\s\"]+)\"?\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class WrittenKey:
    """A key as written; `algorithm` is None where nothing is said of it."""

    name: str
    algorithm: str | None
    secret: str

    def __repr__(self) -> str:
        return f"WrittenKey({self.name!r})"


def key_in(text: str) -> WrittenKey | None:
    """Return the key that `text` describes, None where it is none of these forms. Raises ValueError for several."""
    if line := _ONE_LINE.fullmatch(text.strip()):
        return WrittenKey(line["name"], line["algorithm"], line["secret"])
    plain = _COMMENT.sub("", text)
    statements = list(_STATEMENT.finditer(plain))
    if len(statements) > 1:
        raise ValueError("it holds several keys: leave the one that this zone is for")
    if statements:
        (statement,) = statements
        clauses = {
            each["word"].lower(): each["quoted"] or each["plain"] or "" for each in _CLAUSE.finditer(statement["body"])
        }
        return WrittenKey(statement["quoted"] or statement["name"], clauses.get("algorithm"), clauses.get("secret", ""))
    words = [(each["word"], each["value"]) for each in _KNOT.finditer(plain)]
    if sum(word == "id" for word, _ in words) > 1:
        raise ValueError("it holds several keys: leave the one that this zone is for")
    found = dict(words)
    if "id" in found and "secret" in found:
        return WrittenKey(found["id"], found.get("algorithm"), found["secret"])
    return None
