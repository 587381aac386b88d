"""What a check can ask of an endpoint: HTTP, HTTPS, TCP or DNS, as a FailoverRecord declares it."""

import enum
from typing import Annotated, ClassVar

from pydantic import Field, Strict, StringConstraints

from detour.kube.resources.rules import Declared, Rule, Rules, Unique, shaped
from detour.kube.resources.values import (
    LABEL,
    NAME_LABEL,
    WHOLE,
    Flag,
    Port,
    is_address,
    name_rules,
    object_name_rule,
)

RESERVED_HEADERS = (
    "host",
    "connection",
    "content-length",
    "expect",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
)
"""Headers that the prober sets itself, or that say how a message ends: one of them could smuggle a second request."""

STATUS = "[2-5][0-9][0-9]"


def _ordered(text: str) -> bool:
    first, dash, last = text.partition("-")
    return not dash or first <= last


StatusText = Annotated[
    str,
    StringConstraints(max_length=7),
    Rules(
        shaped(
            f"{STATUS}(-{STATUS})?",
            "expectedStatuses takes final HTTP statuses from 200 to 599, one such as 204 or a range such as 200-299",
        ),
        Rule(
            f"!self.matches('^{STATUS}-{STATUS}$') || self.substring(0, 3) <= self.substring(4, 7)",
            "expectedStatuses takes ranges with the lower status first: write 200-299, not 299-200",
            _ordered,
        ),
    ),
]


class Header(Declared):
    """A request header."""

    name: Annotated[
        str,
        StringConstraints(max_length=64),
        Rules(
            shaped(
                "[A-Za-z0-9!#$%&*+.^_`|~-]+",
                "headers[].name must be an HTTP header name: letters, digits and hyphens, such as X-Probe",
            ),
            Rule(
                "!(self.lowerAscii() in [" + ", ".join(f"'{name}'" for name in RESERVED_HEADERS) + "])",
                "headers[].name must not be one that the prober sets itself (Connection, Content-Length,"
                " Transfer-Encoding and the like); for Host use the field host",
                lambda name: name.lower() not in RESERVED_HEADERS,
            ),
        ),
    ] = Field(description="Name of the header, such as `X-Probe`. Host and the connection's own headers are refused.")
    value: Annotated[
        str,
        StringConstraints(max_length=1024),
        Rules(
            shaped(
                "([!-~]([ -~]*[!-~])?)?",
                "headers[].value must be printable ASCII on one line, without blanks at either end",
            )
        ),
    ] = Field(
        description="Value of the header, printable ASCII. It is readable to everyone who can read the record:"
        " put no credential here."
    )


class CABundleReference(Declared):
    """Where the accepted certificate authorities are."""

    name: Annotated[
        str, StringConstraints(max_length=253), Rules(object_name_rule("caBundleRef.name", "a ConfigMap"))
    ] = Field(description="Name of a ConfigMap in the record's namespace.")
    key: Annotated[
        str,
        StringConstraints(max_length=253),
        Rules(
            shaped(
                "[A-Za-z0-9._-]+",
                "caBundleRef.key must be a key of a ConfigMap: letters, digits, dots, hyphens and underscores",
            )
        ),
    ] = Field(default="ca.crt", description="Key in the ConfigMap whose value holds the certificates in PEM form.")


HostHeader = Annotated[
    str,
    StringConstraints(max_length=253),
    Rules(
        shaped(
            f"({NAME_LABEL}[.])*{LABEL}",
            "host must be a host name or an IPv4 address in lower case, without port, such as api.example.com",
        )
    ),
]


class HTTPCheck(Declared):
    """GET a path and look at status and body. Redirects count as answers and are not followed."""

    port: Port = Field(default=80, description="TCP port, 1 to 65535.")
    path: Annotated[
        str,
        StringConstraints(max_length=1024),
        Rules(
            shaped(
                '/[!"$-~]*',
                "path must start with / and hold printable ASCII without blanks and #: write /healthz, percent-encode"
                " other characters",
            )
        ),
    ] = Field(default="/", description="Path to request, with the query if there is one.")
    host: HostHeader | None = Field(
        default=None,
        description="Host header. Without it the record's hostname; required where that one is a wildcard.",
    )
    expected_statuses: Annotated[
        tuple[StatusText, ...],
        Field(min_length=1, max_length=16),
        Unique(),
    ] = Field(
        default=("200-299",),
        description='Statuses that pass, single ("204") or ranges ("200-299"), from 200 to 599.',
    )
    expected_body: Annotated[str, StringConstraints(min_length=1, max_length=1024)] | None = Field(
        default=None, description="Text that the first 5 kB of the body must contain. Without it any body passes."
    )
    headers: Annotated[
        tuple[Header, ...],
        Field(max_length=16),
        Rules(
            Rule(
                "self.all(h, self.exists_one(o, o.name.lowerAscii() == h.name.lowerAscii()))",
                "headers must not name one header twice (upper and lower case are the same); keep one of them",
                lambda headers: len({header.name.lower() for header in headers}) == len(headers),
            )
        ),
    ] = Field(default=(), description="Headers sent with each request, at most 16.")


class PublicHTTPSCheck(HTTPCheck):
    """The same over TLS, with a certificate of the system's authorities."""

    port: Port = Field(default=443, description="TCP port, 1 to 65535.")
    server_name: Annotated[str, StringConstraints(max_length=253), Rules(*name_rules("serverName"))] | None = Field(
        default=None, description="Name sent in SNI, which the certificate must bear. Without it the value of `host`."
    )
    verify_certificate: Flag = Field(
        default=True,
        description="Whether a certificate that is expired, untrusted or for another name fails the check.",
    )


class HTTPSCheck(PublicHTTPSCheck):
    """The same over TLS."""

    ca_bundle_ref: CABundleReference | None = Field(
        default=None,
        description="Certificates to trust instead of the system's authorities: roots, intermediates or the server's"
        " own. Only with `verifyCertificate: true`.",
    )

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.verifyCertificate || !has(self.caBundleRef)",
            "https.caBundleRef has no effect with verifyCertificate: false; remove one of the two",
            lambda check: check.verify_certificate or check.ca_bundle_ref is None,
        ),
    )


class TCPCheck(Declared):
    """Open a connection; nothing is sent."""

    port: Port = Field(description="TCP port, 1 to 65535.")


class DNSType(enum.StrEnum):
    """Types that a DNS check can ask for."""

    A = "A"
    AAAA = "AAAA"
    CAA = "CAA"
    CNAME = "CNAME"
    MX = "MX"
    NS = "NS"
    PTR = "PTR"
    SOA = "SOA"
    SRV = "SRV"
    TXT = "TXT"


def _expected_fit(check: "DNSCheck") -> bool:
    version = {"A": 4, "AAAA": 6}.get(check.type)
    return version is None or all(
        is_address(answer) and (":" in answer) == (version == 6) for answer in check.expected_answers
    )


class DNSCheck(Declared):
    """Ask the target, as a DNS server, for a name."""

    port: Port = Field(default=53, description="UDP and TCP port, 1 to 65535.")
    name: Annotated[str, StringConstraints(max_length=253), Rules(*name_rules("dns.name", single_label=True))] = Field(
        description="Name to ask for, without a trailing dot."
    )
    type: DNSType = Field(default=DNSType.A, description="Type to ask for.")
    min_answers: Annotated[int, Strict(), Field(ge=1, le=100), WHOLE] = Field(
        default=1, description="How many values the answer must have at least, 1 to 100. An empty answer never passes."
    )
    expected_answers: Annotated[
        tuple[Annotated[str, StringConstraints(min_length=1, max_length=255)], ...],
        Field(max_length=32),
        Unique(),
    ] = Field(
        default=(), description="Values that must all be in the answer, in zone-file form. Without it any values pass."
    )

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!(self.type in ['A', 'AAAA']) || !has(self.expectedAnswers) || self.expectedAnswers.all(a, isIP(a)"
            " && ip(a).family() == (self.type == 'A' ? 4 : 6))",
            "dns.expectedAnswers must be IPv4 addresses with type A and IPv6 addresses with type AAAA",
            _expected_fit,
        ),
    )
