"""The TSIG key that signs our messages, read from a Secret.

People fill Secrets from files: with a byte order mark, a newline at the end, quotes, or the whole statement of their
server's configuration. What BIND's own tools would make of it is taken; everything else is refused by the name of the
part that is wrong. No text here quotes a value.
"""

import binascii
import hashlib
import re

import dns.exception
import dns.name
import dns.tsig

from detour.enactment.contract import CredentialsRefusedError, Secret
from detour.model.zone import RFC2136Settings
from detour.providers.rfc2136.address import server_address
from detour.providers.rfc2136.keyfiles import WrittenKey, key_in

ALGORITHMS = {
    name.to_text(omit_final_dot=True): name
    for name in (dns.tsig.HMAC_SHA256, dns.tsig.HMAC_SHA224, dns.tsig.HMAC_SHA384, dns.tsig.HMAC_SHA512)
}
"""The algorithms of RFC 8945 §6 that are not advised against."""

DEFAULT_ALGORITHM = "hmac-sha256"

PARTS = ("keyName", "secret")

_BLANKS = re.compile(r"\s+")
_BYTE_ORDER_MARK = "\ufeff"


def key_from(secret: Secret | None) -> dns.tsig.Key | None:
    """Return the key in `secret` (`keyName`, `secret` in base64, optional `algorithm`); None without a Secret.

    `secret`, or the only entry of a Secret made from a file, may also be the key as the server's configuration has it
    (`keyfiles`). Raises CredentialsRefusedError where a part is missing or malformed, naming the part.
    """
    if secret is None:
        return None
    try:
        return _key(_written({part: _plain(text) for part, text in secret.items()}))
    except CredentialsRefusedError:
        raise
    except Exception as error:  # whatever a Secret holds is that zone's trouble, and the text may quote it
        raise CredentialsRefusedError(
            f"the Secret holds no TSIG key that can be read ({type(error).__name__}): it needs keyName and secret"
        ) from None


def _written(parts: dict[str, str]) -> WrittenKey:
    """Return the key as the Secret has it, whichever form that is."""
    whole, place = parts.get("secret", ""), "'secret'"
    if not any(parts.get(part) for part in PARTS) and len(parts) == 1:
        ((place, whole),) = parts.items()
        place = f"{place!r}"
    try:
        found = key_in(whole)
    except ValueError as error:
        raise CredentialsRefusedError(f"the Secret's {place} is a key file, but {error}") from None
    if found is not None:
        return _agreeing(found, parts)
    for part in PARTS:
        if not parts.get(part):
            raise CredentialsRefusedError(
                f"the Secret has no key {part!r}, or it is empty or no text in UTF-8: a TSIG key needs keyName and "
                "secret"
            )
    return WrittenKey(parts["keyName"], parts.get("algorithm") or None, parts["secret"])


def _agreeing(found: WrittenKey, parts: dict[str, str]) -> WrittenKey:
    """Return the key of a whole statement, where what stands beside it in the Secret says the same."""
    beside = {"keyName": (found.name, _same_name), "algorithm": (found.algorithm, _algorithm_word)}
    for part, (value, form) in beside.items():
        if value and parts.get(part) and form(value) != form(parts[part]):
            raise CredentialsRefusedError(
                f"the Secret's {part!r} differs from what the statement in 'secret' says: keep one of the two"
            )
    if not found.secret:
        raise CredentialsRefusedError("the key statement in the Secret has no secret: copy it whole")
    return WrittenKey(found.name, found.algorithm or parts.get("algorithm") or None, found.secret)


def _key(written: WrittenKey) -> dns.tsig.Key:
    algorithm = _algorithm_word(written.algorithm or DEFAULT_ALGORITHM)
    if algorithm not in ALGORITHMS:
        known = ", ".join(sorted(ALGORITHMS))
        raise CredentialsRefusedError(f"the Secret's 'algorithm' is none that Detour signs with; choose one of {known}")
    return dns.tsig.Key(_key_name(written.name), _octets(written.secret), ALGORITHMS[algorithm])


def _key_name(text: str) -> dns.name.Name:
    try:
        if _BLANKS.search(text) or not text.isascii():
            raise ValueError
        return dns.name.from_text(text)
    except (dns.exception.DNSException, ValueError):
        raise CredentialsRefusedError(
            "the Secret's 'keyName' is not a DNS name: write it as the server's configuration has it"
        ) from None


def _octets(text: str) -> bytes:
    """Return the octets of a secret in base64. Blanks inside are passed over, as BIND does."""
    packed = _BLANKS.sub("", text)
    try:
        if len(packed) % 4:
            raise ValueError
        octets = binascii.a2b_base64(packed, strict_mode=True)
    except ValueError:
        raise CredentialsRefusedError(
            "the Secret's 'secret' is not base64: copy it as the key file has it, with its = signs at the end and "
            "without quotes"
        ) from None
    if not octets:
        raise CredentialsRefusedError("the Secret's 'secret' is empty: copy it as the key file has it")
    return octets


def _plain(text: str) -> str:
    """Return a value of a Secret without what editors and shells leave around it."""
    text = text.removeprefix(_BYTE_ORDER_MARK).strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1].strip()
    return text


def _same_name(text: str) -> str:
    return text.rstrip(".").lower()


def _algorithm_word(text: str) -> str:
    """Return an algorithm's name as RFC 8945 spells it; cert-manager's HMACSHA256 is one that people have, too."""
    word = text.strip().lower().rstrip(".").replace("_", "-")
    return re.sub(r"^hmac-?sha-?", "hmac-sha", word)


def account(settings: RFC2136Settings, secret: Secret | None) -> str:
    """Return a word that is equal for zones at the same server, whose capacity they share."""
    del secret  # a server has one capacity, whichever key signs
    try:
        server = str(server_address(settings.server))
    except ValueError:
        server = settings.server  # opening it will say what is wrong
    return hashlib.sha256(f"rfc2136 {server}".encode()).hexdigest()[:16]
