"""An Azure DNS client that never repeats a request by itself.

Two layers would: azure-core's retry policy, which has a switch, and aiohttp, which sends a PUT or DELETE once more when
its connection breaks before the answer. For a conditional write that turns "applied" into "refused". A middleware keeps
aiohttp from it; the enactor alone decides about a second time.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import aiohttp
from aiohttp.client_middlewares import ClientHandlerType
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.core.pipeline.transport import AioHttpTransport
from azure.identity import AzureAuthorityHosts
from azure.identity.aio import ClientSecretCredential, DefaultAzureCredential
from azure.mgmt.dns.aio import DnsManagementClient

from detour.enactment.contract import CredentialsRefusedError, Secret
from detour.model.zone import AzureDNSSettings
from detour.providers.endpoints import Origin
from detour.providers.secretparts import part_of, text_of
from detour.providers.translation import OddAnswerError

TENANT, CLIENT, SECRET, TOKEN = "tenantID", "clientID", "clientSecret", "accessToken"
NEEDS = f"Azure DNS needs {TENANT}, {CLIENT} and {SECRET}, or {TOKEN} alone"

PUBLIC_ENDPOINT = "https://management.azure.com"
AUTHORITIES = {
    PUBLIC_ENDPOINT: AzureAuthorityHosts.AZURE_PUBLIC_CLOUD,
    "https://management.usgovcloudapi.net": AzureAuthorityHosts.AZURE_GOVERNMENT,
    "https://management.chinacloudapi.cn": AzureAuthorityHosts.AZURE_CHINA,
}
"""Where each cloud issues tokens; for other endpoints the SDK reads AZURE_AUTHORITY_HOST."""

TIMEOUTS: Mapping[str, Any] = {"connection_timeout": 3, "read_timeout": 10}  # seconds


class AnswerLostError(aiohttp.ClientConnectionError):
    """The connection broke after the request was sent; of a class that aiohttp does not answer with a second try."""


class FixedToken(SansIOHTTPPolicy[Any, Any]):
    """Puts a given token on every request. The SDK's own policy would not speak plain http, which a lab does."""

    def __init__(self, token: str) -> None:
        self._token = token

    def on_request(self, request: Any) -> None:
        request.http_request.headers["Authorization"] = f"Bearer {self._token}"


class AtEndpoint(SansIOHTTPPolicy[Any, Any]):
    """Lets no request go elsewhere than to the endpoint, whatever a list says where its next page is."""

    def __init__(self, endpoint: str) -> None:
        self._origin = Origin.of(endpoint)

    def on_request(self, request: Any) -> None:
        if Origin.of(request.http_request.url) != self._origin:
            raise OddAnswerError("the answer leads to another host than the endpoint's")


class AzureClient:
    """The SDK's client and the credential behind it. Its types end here."""

    def __init__(self, settings: AzureDNSSettings, secret: Secret | None) -> None:
        """Call nothing yet; an event loop must be running. Raises CredentialsRefusedError for an unusable Secret."""
        endpoint = (settings.endpoint_url or PUBLIC_ENDPOINT).rstrip("/")
        options: dict[str, Any] = {"credential_scopes": [f"{endpoint}/.default"]}
        self._credential: Any = None
        if secret is not None and TOKEN in secret:
            options["authentication_policy"] = FixedToken(part_of(secret, TOKEN, needs=NEEDS))
        else:
            self._credential = _credential(endpoint, secret)
        session = aiohttp.ClientSession(
            cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False, trust_env=True, middlewares=(_send_once,)
        )
        sdk = DnsManagementClient(
            self._credential or options["authentication_policy"],  # wanted, and not used where a policy is given
            settings.subscription_id,
            base_url=endpoint,
            transport=AioHttpTransport(session=session, **TIMEOUTS),
            retry_total=0,
            permit_redirects=False,
            custom_hook_policy=AtEndpoint(endpoint),
            **options,
        )
        self._sdk = sdk
        self.zones: Any = sdk.zones
        self.record_sets: Any = sdk.record_sets

    async def close(self) -> None:
        await self._sdk.close()
        if self._credential is not None:
            await self._credential.close()


async def _send_once(request: aiohttp.ClientRequest, handler: ClientHandlerType) -> aiohttp.ClientResponse:
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:  # nothing was sent; aiohttp does not repeat it either
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise AnswerLostError(f"{request.method} was sent, its answer was lost") from error


def _credential(endpoint: str, secret: Secret | None) -> Any:
    if not endpoint.startswith("https://"):
        raise CredentialsRefusedError(
            f"Azure DNS: plain http is for an {TOKEN} alone: put that key into the Secret, or use https in endpointURL"
        )
    options: dict[str, Any] = {"retry_total": 1, **TIMEOUTS}
    if endpoint in AUTHORITIES:
        options["authority"] = AUTHORITIES[endpoint]
    if secret is None:
        return DefaultAzureCredential(**options)
    tenant, client, client_secret = (part_of(secret, key, needs=NEEDS) for key in (TENANT, CLIENT, SECRET))
    try:
        return ClientSecretCredential(tenant, client, client_secret, **options)
    except ValueError:
        raise CredentialsRefusedError(f"Azure DNS: the {TENANT} in the Secret is no tenant's ID or domain") from None


def account(settings: AzureDNSSettings, secret: Secret | None) -> str:
    """Return a word that is equal for zones that share Resource Manager's quota: one subscription, one principal.

    Zones of a subscription that use tokens are taken together, whosever they are: a token doesn't tell and is renewed.
    """
    who = "default chain" if secret is None else text_of(secret, CLIENT) or "token"
    text = f"azuredns {settings.endpoint_url} {settings.subscription_id.lower()} {who}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]
