"""The connection to Cloud DNS: one google-cloud-dns client for each thread, and who we are.

The client's own classes cannot read every zone (they raise KeyError on a set without plain values, and drop routing
policies), so requests go through its connection as REST, which also leaves every call visible and sent once.
"""

import hashlib
import json
import threading
from collections.abc import Mapping
from typing import Any, cast

import google.auth
import google.auth.credentials
import google.oauth2.credentials
import google.oauth2.service_account
from google.auth.exceptions import DefaultCredentialsError
from google.cloud import dns

from detour.enactment.contract import CredentialsRefusedError, Secret
from detour.model.zone import GoogleCloudDNSSettings

SCOPES = ("https://www.googleapis.com/auth/ndev.clouddns.readwrite",)
TIMEOUT = (3.0, 10.0)
"""Seconds to connect and to wait for data."""

SERVICE_ACCOUNT, ACCESS_TOKEN = "service-account.json", "accessToken"


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
            endpoint = self._settings.endpoint_url
            self._per_thread.client = dns.Client(
                project=self._settings.project,
                credentials=self._credentials,
                client_options={"api_endpoint": endpoint.rstrip("/")} if endpoint else None,
            )
        answer = self._per_thread.client._connection.api_request(
            method=method,
            path=f"/projects/{self._settings.project}{path}",
            query_params=dict(query or {}),
            data=None if body is None else dict(body),
            timeout=TIMEOUT,
        )
        return cast(dict[str, Any], answer)


def make_credentials(secret: Secret | None) -> Any:
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
    if secret.get(ACCESS_TOKEN, "").strip():
        return google.oauth2.credentials.Credentials(token=secret[ACCESS_TOKEN].strip())  # type: ignore[no-untyped-call]  # google-auth has no types here
    if not secret.get(SERVICE_ACCOUNT, "").strip():
        raise CredentialsRefusedError(
            f"the Secret has no key {SERVICE_ACCOUNT!r}: put the service account's JSON key under it (or a bearer "
            f"token under {ACCESS_TOKEN!r})"
        )
    try:
        return google.oauth2.service_account.Credentials.from_service_account_info(  # type: ignore[no-untyped-call]  # as above
            json.loads(secret[SERVICE_ACCOUNT]), scopes=SCOPES
        )
    except (ValueError, AttributeError):
        # The error's own text can quote the key.
        raise CredentialsRefusedError(
            f"the Secret's {SERVICE_ACCOUNT!r} is not a service account key: copy the JSON file as Google made it"
        ) from None


def account(settings: GoogleCloudDNSSettings, secret: Secret | None) -> str:
    """Return a word that is equal for zones of one project, which share its quota."""
    del secret  # the quota is the project's, whoever calls
    return hashlib.sha256(f"clouddns {settings.endpoint_url} {settings.project}".encode()).hexdigest()[:16]
