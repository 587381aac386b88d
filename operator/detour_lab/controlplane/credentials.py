"""Keys, certificates and kubeconfigs for one control plane, made anew each time and good for nothing else.

The API server could make a certificate for itself, but for the address it guesses to be ours, not for loopback. So
there is a certificate authority that signs exactly one certificate; clients trust it by the copy in their kubeconfig.
A second key signs the tokens of service accounts. The admin is a random token in a file that the API server reads.
"""

from __future__ import annotations

import base64
import datetime
import ipaddress
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

CERTIFICATE_DAYS = 30
ADMIN_USER = "detour-lab-admin"


@dataclass(frozen=True, slots=True)
class Credentials:
    """The files that the API server is started with, and the admin's token."""

    authority: Path
    """The certificate authority's certificate (PEM)."""
    certificate: Path
    private_key: Path
    service_account_key: Path
    """The private key that signs service accounts' tokens; it verifies them as well."""
    tokens: Path
    admin_token: str

    @classmethod
    def make(cls, folder: Path, now: datetime.datetime) -> Credentials:
        """Generate everything into `folder`, readable by this user alone. `now` is an aware time."""
        folder.mkdir(mode=0o700)
        authority_key = ec.generate_private_key(ec.SECP256R1())
        server_key = ec.generate_private_key(ec.SECP256R1())
        authority_name = _name("detour lab authority")
        authority = (
            _certificate(authority_name, authority_name, authority_key.public_key(), now)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(authority_key, hashes.SHA256())
        )
        server = (
            _certificate(authority_name, _name("kube-apiserver"), server_key.public_key(), now)
            .add_extension(
                x509.SubjectAlternativeName(
                    [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]
                ),
                critical=False,
            )
            .sign(authority_key, hashes.SHA256())
        )
        token = secrets.token_urlsafe(32)
        pem = serialization.Encoding.PEM
        service_account_key = ec.generate_private_key(ec.SECP256R1())
        return cls(
            authority=_private_file(folder / "authority.crt", authority.public_bytes(pem)),
            certificate=_private_file(folder / "apiserver.crt", server.public_bytes(pem)),
            private_key=_private_file(folder / "apiserver.key", _key_bytes(server_key)),
            service_account_key=_private_file(folder / "service-accounts.key", _key_bytes(service_account_key)),
            tokens=_private_file(folder / "tokens.csv", f"{token},{ADMIN_USER},admin,system:masters\n".encode()),
            admin_token=token,
        )

    def write_kubeconfig(self, path: Path, *, url: str, user: str, token: str, namespace: str = "default") -> Path:
        """Write a kubeconfig that logs in with a token; replaces an older file at once. Returns `path`."""
        authority = base64.b64encode(self.authority.read_bytes()).decode()
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "detour-lab", "cluster": {"server": url, "certificate-authority-data": authority}}],
            "users": [{"name": user, "user": {"token": token}}],
            "contexts": [
                {"name": "detour-lab", "context": {"cluster": "detour-lab", "user": user, "namespace": namespace}}
            ],
            "current-context": "detour-lab",
        }
        temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
        _private_file(temporary, yaml.safe_dump(config, sort_keys=False).encode())
        # Whoever reads it, an operator that renews its login say, never meets half a file.
        return temporary.replace(path)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _certificate(
    issuer: x509.Name, subject: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime.datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .issuer_name(issuer)
        .subject_name(subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        # A little in the past: clients are strict about a certificate that begins in this very second.
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=CERTIFICATE_DAYS))
    )


def _key_bytes(key: ec.EllipticCurvePrivateKey) -> bytes:
    # The API server finds the public key in a private key file of this older form only.
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )


def _private_file(path: Path, content: bytes) -> Path:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    return path
