"""What a check asks of a target and how its results become a verdict."""

from dataclasses import dataclass, field

HTTP_BODY_LIMIT = 5 * 1024
"""Bytes of a response body in which the expected text is looked for."""


@dataclass(frozen=True, slots=True)
class StatusRange:
    """HTTP statuses from `first` to `last`, both included."""

    first: int
    last: int

    def __contains__(self, status: int) -> bool:
        return self.first <= status <= self.last


@dataclass(frozen=True, slots=True)
class HTTPCheck:
    """GET `path` and look at the status and the start of the body. Redirects are answers, never followed.

    `host` is the Host header; `server_name` the name in SNI and the one that the certificate must bear.
    `ca_bundle` is PEM text; None means the system's authorities. `tls` False makes it plain HTTP.
    """

    tls: bool
    port: int
    path: str
    host: str
    server_name: str
    expected_statuses: tuple[StatusRange, ...]
    expected_body: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    verify_certificate: bool = True
    ca_bundle: str | None = None


@dataclass(frozen=True, slots=True)
class TCPCheck:
    """Open a connection to `port`."""

    port: int


@dataclass(frozen=True, slots=True)
class DNSCheck:
    """Ask the target for `name` and `type`, expecting `minimum_answers` values, or all of `expected_answers`."""

    port: int
    name: str
    type: str
    minimum_answers: int = 1
    expected_answers: tuple[str, ...] = ()


Probe = HTTPCheck | TCPCheck | DNSCheck


USUALLY_SLOW_FOR = 60.0
"""Seconds."""


@dataclass(frozen=True, slots=True)
class CheckTiming:
    """When to check and how many results in a row decide. Times in seconds.

    `timeout` is the deadline of one whole check: connect, TLS and answer together. `recheck_interval` holds
    while the verdict is in question: before the first one, and after the first contrary result. A hostname that
    leads to fewer than `minimum_addresses` counts as one that leads nowhere. Passes that all take longer than
    `slow_above` for `slow_for` make a target slow; None for never.
    """

    interval: float
    recheck_interval: float
    timeout: float
    fall: int
    rise: int
    minimum_addresses: int = 1
    slow_above: float | None = None
    slow_for: float = USUALLY_SLOW_FOR


@dataclass(frozen=True, slots=True)
class Target:
    """One check of one address. Equal targets are checked once, however many records share them.

    Every check looks its target up several times, so its hash is reckoned once.
    """

    address: str
    probe: Probe
    timing: CheckTiming
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash((self.address, self.probe, self.timing)))

    def __hash__(self) -> int:
        return self._hash


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The outcome of one check: `passed` is None where nothing was learned (refused to probe, say).

    `reason` is one CamelCase word for machines (empty when passed), `message` a sentence for people;
    `latency` in seconds.
    """

    passed: bool | None
    reason: str
    message: str
    latency: float
