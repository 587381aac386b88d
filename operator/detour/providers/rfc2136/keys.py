"""The TSIG key that signs our messages, read from a Secret."""

import binascii
import hashlib

import dns.exception
import dns.name
import dns.tsig

from detour.enactment.contract import CredentialsRefusedError, Secret
from detour.model.zone import RFC2136Settings

ALGORITHMS = {
    name.to_text(omit_final_dot=True): name
    for name in (dns.tsig.HMAC_SHA256, dns.tsig.HMAC_SHA224, dns.tsig.HMAC_SHA384, dns.tsig.HMAC_SHA512)
}
"""The algorithms of RFC 8945 §6 that are not advised against."""

DEFAULT_ALGORITHM = "hmac-sha256"


def key_from(secret: Secret | None) -> dns.tsig.Key | None:
    """Return the key in `secret` (`keyName`, `secret` in base64, optional `algorithm`); None without a Secret.

    Raises CredentialsRefusedError where a part is missing or malformed, naming the part.
    """
    if secret is None:
        return None
    for part in ("keyName", "secret"):
        if not secret.get(part, "").strip():
            raise CredentialsRefusedError(f"the Secret has no key {part!r}: a TSIG key needs keyName and secret")
    algorithm = secret.get("algorithm", DEFAULT_ALGORITHM).strip().lower().rstrip(".")
    if algorithm not in ALGORITHMS:
        known = ", ".join(sorted(ALGORITHMS))
        raise CredentialsRefusedError(f"the Secret's 'algorithm' is none that Detour signs with; choose one of {known}")
    try:
        name = dns.name.from_text(secret["keyName"].strip())
        octets = binascii.a2b_base64(secret["secret"].strip(), strict_mode=True)
    except dns.exception.DNSException:
        raise CredentialsRefusedError("the Secret's 'keyName' is not a DNS name") from None
    except binascii.Error:
        raise CredentialsRefusedError("the Secret's 'secret' is not base64: copy it as the key file has it") from None
    return dns.tsig.Key(name, octets, ALGORITHMS[algorithm])


def account(settings: RFC2136Settings, secret: Secret | None) -> str:
    """Return a word that is equal for zones at the same server, whose capacity they share."""
    del secret  # a server has one capacity, whichever key signs
    return hashlib.sha256(f"rfc2136 {settings.server}".encode()).hexdigest()[:16]
