"""Places that run checks, and what each of them says: values without I/O.

A vantage says of each of its checks whether it passes, packed into a text: 10,000 checks take 187 kB. Whoever reads one
takes nothing in it for granted.
"""

import base64
import binascii
import enum
import hashlib
import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from functools import lru_cache

from detour.model.checks import CheckTiming, Probe, Target
from detour.model.health import Verdict

MOST_FINDINGS = 10_000
"""Checks that one report tells of at most."""

MOST_VOTES = 100
"""Votes that one vantage has at most."""

CheckKey = bytes
"""Which check is meant, for whoever knows the same declarations (`check_key`)."""

KEY_BYTES = 8

_ENTRY = struct.Struct(f">{KEY_BYTES}sIH")
_STATES = (Verdict.UNKNOWN, Verdict.HEALTHY, Verdict.UNHEALTHY)
_OUT_OF_REACH = 3
_STATE_BITS = 2
_LONGEST_AGE = (1 << 32 - _STATE_BITS) - 1
_LONGEST_LOOK = (1 << 16) - 1
_TICKS = 100
"""Ages are told in hundredths of a second."""

LONGEST_TEXT = 4 * -(-MOST_FINDINGS * _ENTRY.size // 3)
"""Characters of packed findings at most: base64 takes four for three octets."""


@dataclass(frozen=True, slots=True)
class Vantage:
    """A place that runs checks, as people declare it.

    `region` is named as endpoints name theirs, empty for a place that is in none; with 0 `votes` it is only shown. It
    was `created` so many seconds after the Unix epoch.
    """

    name: str
    cloud: str = ""
    region: str = ""
    votes: int = 1
    generation: int = 0
    created: float = 0.0


@dataclass(frozen=True, slots=True)
class Finding:
    """What a vantage says of one check: a state, which holds since `age` seconds, and when its newest check began.

    A state begins with the first of the like results that it rests on. `looked` is how many seconds ago the newest
    check began that bears the state out, infinity where none does, or only one of long ago. What `is_out_of_reach` is
    Unknown: it never passed there and cannot be checked, such as an address of a family without a route.
    """

    state: Verdict
    age: float
    looked: float = math.inf
    is_out_of_reach: bool = False


class References(enum.StrEnum):
    """Whether a vantage sees the servers that it measures itself by: Passing, Failing, or that it has none."""

    PASSING = "Passing"
    FAILING = "Failing"
    NONE = "None"


@dataclass(frozen=True, slots=True)
class Latency:
    """How long checks took that passed, in seconds: half, nine tenths and 99 of 100 took no longer."""

    median: float
    p90: float
    p99: float


@dataclass(frozen=True, slots=True)
class VantageReport:
    """What a vantage wrote last. Nothing of it is to be relied on but as that vantage's own word.

    `instance` names the process, `number` counts what it wrote. `checks` is how many it runs, of which so many are
    `failing`; `findings` tell of as many as there is room for. `lateness` (seconds) is by how much the longest waiting
    check is overdue, `stretch` how many times as long as declared its intervals are; `clock_offset` (seconds) is how
    far its clock is ahead of the API server's.
    """

    instance: str
    number: int
    checks: int
    findings: Mapping[CheckKey, Finding] = field(repr=False)
    failing: int = 0
    references: References = References.NONE
    lateness: float = 0.0
    stretch: float = 1.0
    clock_offset: float | None = None
    latency: Latency | None = None


@dataclass(frozen=True, slots=True)
class SignOfLife:
    """The newest sign of life of a vantage: what its Lease says. `number` is the report that still holds by it."""

    instance: str
    number: int
    renewed: str


def check_key(target: Target) -> CheckKey:
    """Return by what a check of `target` is known to others: they reckon the same from the same declaration.

    An endpoint with a hostname is a check too, of the target that has the name for its address.
    """
    return hashlib.blake2b(
        target.address.encode() + _declared(target.probe, target.timing), digest_size=KEY_BYTES
    ).digest()


@lru_cache(maxsize=1024)
def _declared(probe: Probe, timing: CheckTiming) -> bytes:
    return hashlib.blake2b(repr((_told(probe), _told(timing))).encode()).digest()


def _told(value: object) -> object:
    """Return what a value declares beyond its defaults, so that a field that is added later changes no key."""
    if isinstance(value, tuple):
        return tuple(map(_told, value))
    if not is_dataclass(value) or isinstance(value, type):
        return value
    found = {each.name: getattr(value, each.name) for each in fields(value) if each.compare}
    defaults = {each.name: each.default for each in fields(value)}
    told = ((name, _told(found[name])) for name in sorted(found) if found[name] != defaults[name])
    return type(value).__name__, *told


def digest(keys: Iterator[CheckKey] | Mapping[CheckKey, object]) -> str:
    """Return a word that is equal for equal sets of checks."""
    return hashlib.blake2b(b"".join(sorted(keys)), digest_size=8).hexdigest()


def packed(findings: Mapping[CheckKey, Finding]) -> str:
    """Return findings as text. Raises ValueError where there are more than `MOST_FINDINGS`."""
    if len(findings) > MOST_FINDINGS:
        raise ValueError(f"{len(findings)} findings are more than {MOST_FINDINGS}")
    return base64.b64encode(b"".join(_pack(key, findings[key]) for key in sorted(findings))).decode()


def unpacked(text: str) -> dict[CheckKey, Finding]:
    """Return the findings that a text holds. Raises ValueError where it holds something else, or too much."""
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"more than {MOST_FINDINGS} findings")
    try:
        octets = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):  # the latter: not even ASCII
        raise ValueError("no base64") from None
    if len(octets) % _ENTRY.size:
        raise ValueError("no whole number of findings")
    return {key: _unpack(state, looked) for key, state, looked in _ENTRY.iter_unpack(octets)}


def _pack(key: CheckKey, finding: Finding) -> bytes:
    age = math.ceil(max(0.0, min(_LONGEST_AGE, finding.age * _TICKS)))  # what was after something stays so
    looked = int(max(0.0, min(_LONGEST_LOOK, finding.looked * _TICKS)))
    state = _OUT_OF_REACH if finding.is_out_of_reach else _STATES.index(finding.state)
    return _ENTRY.pack(key, age << _STATE_BITS | state, looked)


def _unpack(state: int, looked: int) -> Finding:
    which = state & (1 << _STATE_BITS) - 1
    is_out_of_reach = which == _OUT_OF_REACH
    since = math.inf if looked == _LONGEST_LOOK else looked / _TICKS  # so long ago that it shows nothing
    verdict = Verdict.UNKNOWN if is_out_of_reach else _STATES[which]
    return Finding(verdict, (state >> _STATE_BITS) / _TICKS, since, is_out_of_reach)
