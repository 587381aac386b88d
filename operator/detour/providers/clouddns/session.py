"""The connection to Cloud DNS: one google-cloud-dns client for each thread, and who we are.

The client's own classes cannot read every zone (they raise KeyError on a set without plain values, and drop routing
policies), so requests go through its connection as REST, which also leaves every call visible and sent once.
"""

import hashlib
import json
import threading
from collections.abc import Mapping
from typing import Any

import google.auth
import google.auth.credentials
import google.oauth2.credentials
import google.oauth2.service_account
from google.auth.exceptions import DefaultCredentialsError
from google.cloud import dns

from detour.enactment.contract import CredentialsRefusedError, Secret
from detour.model.zone import GoogleCloudDNSSettings
from detour.providers.endpoints import Origin
from detour.providers.secretparts import part_of, text_of
from detour.providers.translation import kind, required

SCOPES = ("https://www.googleapis.com/auth/ndev.clouddns.readwrite",)
TIMEOUT = (3.0, 10.0)
"""Seconds to connect and to wait for data."""

SERVICE_ACCOUNT, ACCESS_TOKEN = "service-account.json", "accessToken"

GOOGLE = "googleapis.com"
TOKEN_URIS = frozenset(
    {
        "https://oauth2.googleapis.com/token",
        "https://accounts.google.com/o/oauth2/token",
        "https://www.googleapis.com/oauth2/v4/token",
    }
)
"""Where Google gives service accounts a token: today's address, and those in older key files."""


class Connection:
    """Sends REST requests from any thread; each thread has an HTTP session of its own, which isn't thread-safe."""

    def __init__(self, settings: GoogleCloudDNSSettings, credentials: Any) -> None:
        """Connect nowhere yet."""
        self._settings = settings
        self._credentials = credentials
        self._per_thread = threading.local()

    def request(
        self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Send one request for `path` below the project and return the answer. Raises the libraries' own errors."""
        if not hasattr(self._per_thread, "client"):
            self._per_thread.client = self._client()
        answer = self._per_thread.client._connection.api_request(
            method=method,
            path=f"/projects/{self._settings.project}{path}",
            query_params=dict(query or {}),
            data=None if body is None else dict(body),
            timeout=TIMEOUT,
        )
        return required("answer of Cloud DNS's", answer, ())

    def _client(self) -> Any:
        endpoint = self._settings.endpoint_url
        client = dns.Client(
            project=self._settings.project,
            credentials=self._credentials,
            client_options={"api_endpoint": endpoint.rstrip("/")} if endpoint else None,
        )
        # A redirect is no answer of this API's: following one would take requests, and who signs them, elsewhere.
        for session in (client._http, getattr(client._http, "_auth_request_session", None)):
            if session is not None:
                session.max_redirects = 0
        return client


def make_credentials(settings: GoogleCloudDNSSettings, secret: Secret | None) -> Any:
    """Return google-auth credentials from `secret` or, without one, from the workload's own identity.

    May block on the metadata server. Raises CredentialsRefusedError where there is nothing usable, naming what.
    """
    if secret is None:
        try:
            return google.auth.default(scopes=SCOPES)[0]
        except DefaultCredentialsError:
            raise CredentialsRefusedError(
                "no Google credentials: name a Secret in credentialsSecretRef, or give the operator's service account "
                "a Workload Identity"
            ) from None
    needs = f"put the service account's JSON key under {SERVICE_ACCOUNT!r} (or a bearer token under {ACCESS_TOKEN!r})"
    if text_of(secret, ACCESS_TOKEN):
        token = part_of(secret, ACCESS_TOKEN, needs=needs)
        return google.oauth2.credentials.Credentials(token=token)  # type: ignore[no-untyped-call]  # google-auth has no types here
    text = text_of(secret, SERVICE_ACCOUNT)
    if not text:
        raise CredentialsRefusedError(f"the Secret has no key {SERVICE_ACCOUNT!r}: {needs}")
    try:
        info = json.loads(text)
        _check_key(info, settings)
        return google.oauth2.service_account.Credentials.from_service_account_info(info, scopes=SCOPES)  # type: ignore[no-untyped-call]  # as above
    except CredentialsRefusedError:
        raise
    except Exception as error:
        # Whatever it is, its own text can quote the key.
        raise CredentialsRefusedError(
            f"the Secret's {SERVICE_ACCOUNT!r} is not a service account key ({kind(error)}): copy the JSON file as "
            "Google made it"
        ) from None


def _check_key(info: Any, settings: GoogleCloudDNSSettings) -> None:
    """Refuse a file that would send us, or the operator's own identity, where its author wants.

    Other kinds of credential files name files, URLs and programs to get a token from (google-auth, external accounts);
    a service account's names the address that its signed assertion is sent to.
    """
    if not isinstance(info, dict) or info.get("type") != "service_account":
        raise CredentialsRefusedError(
            f"the Secret's {SERVICE_ACCOUNT!r} is not a service account key: its type must be service_account; other "
            "kinds name files, addresses or programs to get a token from, and those are not a Secret's to choose"
        )
    if info.get("universe_domain", GOOGLE) != GOOGLE:
        raise CredentialsRefusedError(f"the Secret's {SERVICE_ACCOUNT!r} is of another universe than {GOOGLE}")
    uri = info.get("token_uri")
    if isinstance(uri, str) and (uri in TOKEN_URIS or _is_of_endpoint(uri, settings.endpoint_url)):
        return
    raise CredentialsRefusedError(
        f"the Secret's {SERVICE_ACCOUNT!r} names a token_uri that is neither Google's nor at the zone's endpointURL: "
        "copy the JSON file as Google made it"
    )


def _is_of_endpoint(uri: str, endpoint: str | None) -> bool:
    try:
        return endpoint is not None and Origin.of(uri) == Origin.of(endpoint)
    except ValueError:
        return False


def account(settings: GoogleCloudDNSSettings, secret: Secret | None) -> str:
    """Return a word that is equal for zones of one project, which share its quota."""
    del secret  # the quota is the project's, whoever calls
    return hashlib.sha256(f"clouddns {settings.endpoint_url} {settings.project}".encode()).hexdigest()[:16]
