"""A certificate authority of the lab's own: certificates that are good, out of date or made out to someone else.

Checks trust it through `authority.pem`, the way that users hand a CA bundle to a check. Keys are ECDSA P-256, whose
handshakes are cheap, and live in memory; they touch the disk only for the moment in which OpenSSL reads them.
"""

import datetime
import ipaddress
import ssl
import tempfile
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = datetime.timedelta(days=1)
AUTHORITY_DAYS = 3650


@dataclass(frozen=True, slots=True)
class ServerCertificate:
    """A server's certificate and its key, both PEM."""

    certificate: str
    key: str = field(repr=False)

    def context(self) -> ssl.SSLContext:
        """Return a server-side TLS context that presents this certificate, also an expired one."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.num_tickets = 0  # checks never resume a session
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
            file.write(self.certificate + self.key)
            file.flush()
            context.load_cert_chain(file.name)
        return context


class CertificateAuthority:
    """Issues certificates as of `now`, which bears a time zone; `pem` is its own certificate, the CA bundle."""

    def __init__(self, now: datetime.datetime, *, name: str = "Detour lab") -> None:
        self._now = now
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = (
            self._builder(self._name, self._key.public_key(), now - DAY, now + AUTHORITY_DAYS * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_authority_usage(), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.pem = certificate.public_bytes(serialization.Encoding.PEM).decode()

    def valid(self, *names: str) -> ServerCertificate:
        """Return a certificate for host names and addresses that holds from yesterday for 90 days.

        For one with the wrong name, ask for another name than the one that is going to be checked.
        """
        return self.issue(names, not_before=self._now - DAY, not_after=self._now + 90 * DAY)

    def expired(self, *names: str) -> ServerCertificate:
        """Return a certificate that ended yesterday."""
        return self.issue(names, not_before=self._now - 90 * DAY, not_after=self._now - DAY)

    def issue(
        self, names: tuple[str, ...], *, not_before: datetime.datetime, not_after: datetime.datetime
    ) -> ServerCertificate:
        """Return a certificate for `names`, at least one, which holds between the two times."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
        certificate = (
            self._builder(subject, key.public_key(), not_before, not_after)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        plain = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return ServerCertificate(certificate.public_bytes(serialization.Encoding.PEM).decode(), plain.decode())

    def _builder(
        self,
        subject: x509.Name,
        public_key: ec.EllipticCurvePublicKey,
        not_before: datetime.datetime,
        not_after: datetime.datetime,
    ) -> x509.CertificateBuilder:
        authority_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(not_before)
            .not_valid_after(not_after)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(authority_key, critical=False)
        )


def _authority_usage() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
