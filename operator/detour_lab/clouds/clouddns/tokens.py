"""Who calls: bearer tokens, and the OAuth 2 endpoint that gives them to service accounts.

A service account signs an assertion with its private key; the endpoint checks it with the public one.
Source: RFC 7523 §2.1; Google identity documentation, "Using OAuth 2.0 for server to server applications".
"""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import jwt

from detour_lab.clouds.clouddns.errors import JSON, unauthenticated

ANONYMOUS = "anonymous"
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_AUDIENCE = "https://oauth2.googleapis.com/token"  # google-auth names it whatever the token_uri
_LIFETIME = 3600  # seconds


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """A service account as its owner sees it: `key_file` is the JSON to put into a Secret."""

    email: str
    key_file: Mapping[str, str] = field(repr=False)
    public_key: str


def new_service_account(name: str, *, project: str, token_uri: str) -> ServiceAccount:
    """Return a service account with a fresh 2048-bit key; `token_uri` is the emulator's `token_uri`."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    email = f"{name}@{project}.iam.gserviceaccount.com"
    private_pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    public_pem = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    key_file = {
        "type": "service_account",
        "project_id": project,
        "private_key_id": hashlib.sha256(public_pem).hexdigest()[:40],
        "private_key": private_pem,
        "client_email": email,
        "client_id": "100000000000000000000",
        "token_uri": token_uri,
    }
    return ServiceAccount(email, key_file, public_pem.decode())


class TokenDesk:
    """The tokens in force. With `tokens` None, and no account added, nobody has to show one."""

    def __init__(self, tokens: Collection[str] | None) -> None:
        self._holders: dict[str, str] = dict.fromkeys(tokens or (), "bearer")
        self._accounts: dict[str, ServiceAccount] = {}
        self._is_open = tokens is None

    def trust(self, account: ServiceAccount) -> None:
        """Give tokens to `account` from now on, and ask everybody for one."""
        self._accounts[account.email] = account
        self._is_open = False

    def revoke(self) -> None:
        """Make every token worthless; service accounts get new ones."""
        self._holders.clear()

    def caller(self, request: web.Request) -> str:
        """Return whose token `request` bears. Raises APIError (401) for none or an unknown one."""
        if self._is_open:
            return ANONYMOUS
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or token not in self._holders:
            raise unauthenticated()
        return self._holders[token]

    async def exchange(self, request: web.Request) -> web.StreamResponse:
        """Answer the token endpoint: an access token for a well-signed assertion, else `invalid_grant`."""
        form = await request.post()
        assertion = str(form.get("assertion", ""))
        if form.get("grant_type") != _GRANT:
            return _refusal("unsupported_grant_type", "Only signed assertions are exchanged here")
        try:
            claims = _decode(assertion, verify=False)
            account = self._accounts[str(claims.get("iss"))]
            _decode(assertion, certs=account.public_key, audience=[_AUDIENCE, account.key_file["token_uri"]])
        except (ValueError, KeyError):
            return _refusal("invalid_grant", "Invalid JWT Signature.")
        token = "ya29." + hashlib.sha256(f"{len(self._holders)}/{assertion}".encode()).hexdigest()
        self._holders[token] = account.email
        answer: JSON = {"access_token": token, "expires_in": _LIFETIME, "token_type": "Bearer"}
        return web.json_response(answer)


def _decode(assertion: str, **how: object) -> Mapping[str, object]:
    claims: Mapping[str, object] = jwt.decode(assertion, **how)  # type: ignore[no-untyped-call]  # google-auth has none
    return claims


def _refusal(error: str, description: str) -> web.Response:
    return web.json_response({"error": error, "error_description": description}, status=400)
