"""What the errors of azure-core mean for a write and for a read.

Two traps. azure-core's "request error", which claims that nothing was sent, covers every broken connection of aiohttp;
only a connection that never came about is certain. And Azure DNS answers errors bare, Resource Manager wrapped in
`error`: the SDK reads both.
"""

import re
from typing import Any

import aiohttp
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceRequestTimeoutError,
)

from detour.enactment.contract import (
    BatchRefusedError,
    CredentialsRefusedError,
    OutcomeUnknownError,
    ProviderError,
    Scope,
    ThrottledError,
    UnavailableError,
    ZoneMissingError,
)
from detour.providers.translation import Quote, Translation, kind, lost, retry_after

OF_SUBSCRIPTION = frozenset({"SubscriptionRequestsThrottled", "TenantRequestsThrottled"})
"""Codes of Resource Manager's own refusals of too many calls."""

LEFT_IN_SUBSCRIPTION = tuple(f"x-ms-ratelimit-remaining-subscription-{each}" for each in ("reads", "writes", "deletes"))
"""Headers that count down to Resource Manager's limit; where none is at its end, the DNS service refused, which counts
by zone ("Understand how Azure Resource Manager throttles requests", "Troubleshooting API throttling errors")."""

NO_IDENTITY = "DefaultAzureCredential failed to retrieve a token"
"""How azure-identity begins when every kind of identity that a pod may have has failed."""

_AAD_CODE = re.compile(r"AADSTS\d{1,10}")


class ForbiddenError(CredentialsRefusedError):
    """We are known but not allowed this call; another call may be."""


class SetChangedError(BatchRefusedError):
    """412: the set is not as expected."""


class SetMissingError(ZoneMissingError):
    """404 to a read, as of a record set in a zone that is there."""


def meaning(error: Exception, doing: str, write: bool, quote: Quote) -> ProviderError | None:
    """Return what an error of azure-core or azure-identity means, None for others (see `Translation`)."""
    if not isinstance(error, AzureError):
        return None
    status = error.status_code if isinstance(error, HttpResponseError) else None
    if isinstance(error, ClientAuthenticationError) or status == 401:
        return CredentialsRefusedError(
            f"{doing}: Azure does not accept who we are ({_why(error, quote)}): check the Secret's keys, or the "
            "workload's identity"
        )
    if status is not None and 400 <= status < 500:
        return _refusal(error, status, doing, write, quote)
    if isinstance(error, ServiceRequestError) and _never_sent(error):
        return UnavailableError(f"{doing}: no connection to the API endpoint ({_kind(error)})")
    if status is not None and status >= 500:
        return lost(doing, f"Azure had a fault of its own ({status} {_said(error, quote)})", write=write)
    if status is not None and status >= 300:
        return lost(doing, f"something else than Azure answered ({status}); Detour follows no redirect", write=write)
    if status is not None:
        return None  # a success that is none: it does not say what was asked for
    return lost(doing, f"no complete answer from the API ({_kind(error)})", write=write)


translated = Translation(meaning)


def _refusal(error: Any, status: int, doing: str, write: bool, quote: Quote) -> ProviderError:
    said = _said(error, quote) or str(status)
    match status:
        case 403:
            what = "give the identity the role 'DNS Zone Contributor' on the zone"
            return ForbiddenError(f"{doing}: Azure does not allow us the call ({said}): {what}")
        case 404 if not write or _code(error) != "NotFound":
            # Of a record set it is a bare NotFound; of a zone, group or subscription another code.
            missing = SetMissingError if _code(error) == "NotFound" else ZoneMissingError
            what = "check domain, subscriptionID and resourceGroup"
            return missing(f"{doing}: there is no such zone ({said}): {what}")
        case 408 if write:
            return OutcomeUnknownError(f"{doing}: Azure gave up waiting ({said})")
        case 412 if write:
            return SetChangedError(f"{doing}: Azure DNS refused the change ({said})")
        case 429:
            scope, headers = _throttled(error)
            return ThrottledError(f"{doing}: Azure asks for patience ({said})", retry_after(headers), scope=scope)
    if write:
        return BatchRefusedError(f"{doing}: Azure DNS refused the change ({said})")
    return UnavailableError(f"{doing}: Azure DNS refused the call ({said})")


def _throttled(error: Any) -> tuple[Scope, dict[str, str]]:
    """Return whose quota is used up, and the headers."""
    found = getattr(error.response, "headers", None) or {}
    headers = {str(name).lower(): str(value) for name, value in found.items()}
    used_up = any(headers.get(each, "").strip() == "0" for each in LEFT_IN_SUBSCRIPTION)
    return (Scope.ACCOUNT if used_up or _code(error) in OF_SUBSCRIPTION else Scope.ZONE), headers


def _never_sent(error: ServiceRequestError) -> bool:
    return isinstance(error, ServiceRequestTimeoutError) or isinstance(
        error.inner_exception, aiohttp.ClientConnectorError
    )


def _kind(error: AzureError) -> str:
    return kind(error.inner_exception or error)


def _code(error: Any) -> str:
    return str(getattr(error.error, "code", "") or "")


def _why(error: Any, quote: Quote) -> str:
    """Return why we are not accepted: the service's words, or the code of the one that gives tokens."""
    message = str(error.message or "")
    if message.startswith(NO_IDENTITY):
        return "none of the workload's identities gave a token"
    code = _AAD_CODE.search(message)
    return _said(error, quote) or (code[0] if code else kind(error))


def _said(error: Any, quote: Quote) -> str:
    """Return Azure's code and message, which quote names and identifiers but no credential."""
    body = getattr(error, "error", None)
    parts = (getattr(body, "code", None), getattr(body, "message", None))
    return ": ".join(quote(part) for part in parts if part)
