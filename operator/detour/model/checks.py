"""What a check asks of a target and how its results become a verdict."""

import enum
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


@dataclass(frozen=True, slots=True)
class PrometheusCheck:
    """Ask a declared Prometheus server for `query`: it fails while any value is above, or below, a bound.

    A query without any value tells nothing. It is asked in the name of `namespace`, with what the server's declaration
    enforces for it. Just one of the two bounds is given.
    """

    server: str
    namespace: str
    query: str
    above: float | None = None
    below: float | None = None


@dataclass(frozen=True, slots=True)
class ExternalCheck:
    """Take the verdict that an ExternalVerdict of this namespace and name has; one that has expired tells nothing."""

    namespace: str
    name: str


Probe = HTTPCheck | TCPCheck | DNSCheck
"""What is asked of an address, by every vantage."""

Elsewhere = PrometheusCheck | ExternalCheck
"""Verdicts that are made elsewhere, of an endpoint as a whole: the operator alone asks for them."""

NOWHERE = ""
"""What stands in the place of an address for a verdict that is made elsewhere."""


class CheckRole(enum.StrEnum):
    """What a check means for its endpoint: it must pass, it counts beside others, or it is only shown."""

    REQUIRED = "Required"
    COUNTED = "Counted"
    OBSERVED = "Observed"


@dataclass(frozen=True, slots=True)
class NamedCheck:
    """One of several checks of an endpoint."""

    name: str
    role: CheckRole
    probe: Probe | Elsewhere

    @property
    def is_elsewhere(self) -> bool:
        return isinstance(self.probe, (PrometheusCheck, ExternalCheck))


@dataclass(frozen=True, slots=True)
class MoreChecks:
    """The checks that an endpoint has beside its first; of those that are counted `at_least` so many must pass."""

    checks: tuple[NamedCheck, ...] = ()
    at_least: int = 1

    def __bool__(self) -> bool:
        return bool(self.checks)


NO_MORE_CHECKS = MoreChecks()


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
    probe: Probe | Elsewhere
    timing: CheckTiming
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash((self.address, self.probe, self.timing)))

    def __hash__(self) -> int:
        return self._hash

    @property
    def is_elsewhere(self) -> bool:
        """Tell whether it is no check of an address, but a verdict that is made elsewhere."""
        return self.address == NOWHERE


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
