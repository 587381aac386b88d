"""What the errors of azure-core mean for a write and for a read.

Two traps. azure-core's "request error", which claims that nothing was sent, covers every broken connection of aiohttp;
only a connection that never came about is certain. And Azure DNS answers errors bare, Resource Manager wrapped in
`error`: the SDK reads both.
"""

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
    ThrottledError,
    UnavailableError,
    ZoneMissingError,
)


class ForbiddenError(CredentialsRefusedError):
    """We are known but not allowed this call; another call may be."""


def translated(error: AzureError, doing: str, *, write: bool) -> ProviderError:
    """Return the contract's error for `error`; `doing` names the call for people."""
    status = error.status_code if isinstance(error, HttpResponseError) else None
    if isinstance(error, ClientAuthenticationError) or status == 401:
        why = _said(error) or str(error.message).splitlines()[0]
        return CredentialsRefusedError(
            f"{doing}: Azure does not accept who we are ({why}): check the Secret's keys or the workload identity"
        )
    if status is not None and 400 <= status < 500:
        return _refusal(error, status, doing, write)
    if isinstance(error, ServiceRequestError) and _never_sent(error):
        return UnavailableError(f"{doing}: no connection to the API endpoint ({_kind(error)})")
    lost = OutcomeUnknownError if write else UnavailableError
    if status is not None and status >= 500:
        return lost(f"{doing}: Azure had a fault of its own ({status} {_said(error)})")
    return lost(f"{doing}: no complete answer from the API ({_kind(error)})")


def is_record_missing(error: AzureError) -> bool:
    """Tell a record set that does not exist from a zone, group or subscription that does not; all are 404."""
    return isinstance(error, HttpResponseError) and error.status_code == 404 and _code(error) == "NotFound"


def is_precondition_failed(error: AzureError) -> bool:
    return isinstance(error, HttpResponseError) and error.status_code == 412


def _refusal(error: Any, status: int, doing: str, write: bool) -> ProviderError:
    said = _said(error) or str(status)
    match status:
        case 403:
            what = "give the identity the role 'DNS Zone Contributor' on the zone"
            return ForbiddenError(f"{doing}: Azure does not allow us the call ({said}): {what}")
        case 404 if not write or _code(error) != "NotFound":
            what = "check domain, subscriptionID and resourceGroup"
            return ZoneMissingError(f"{doing}: there is no such zone ({said}): {what}")
        case 408 if write:
            return OutcomeUnknownError(f"{doing}: Azure gave up waiting ({said})")
        case 429:
            return ThrottledError(f"{doing}: Azure asks for patience ({said})", _retry_after(error))
    if write:
        return BatchRefusedError(f"{doing}: Azure DNS refused the change ({said})")
    return UnavailableError(f"{doing}: Azure DNS refused the call ({said})")


def _never_sent(error: ServiceRequestError) -> bool:
    return isinstance(error, ServiceRequestTimeoutError) or isinstance(
        error.inner_exception, aiohttp.ClientConnectorError
    )


def _kind(error: AzureError) -> str:
    return type(error.inner_exception or error).__name__


def _code(error: Any) -> str:
    return str(getattr(error.error, "code", "") or "")


def _said(error: Any) -> str:
    """Return Azure's code and message, which quote names and identifiers but no credential."""
    body = getattr(error, "error", None)
    parts = (getattr(body, "code", None), getattr(body, "message", None))
    return ": ".join(str(part) for part in parts if part)


def _retry_after(error: Any) -> float | None:
    try:
        return float(error.response.headers["Retry-After"])
    except (AttributeError, KeyError, ValueError):
        return None
