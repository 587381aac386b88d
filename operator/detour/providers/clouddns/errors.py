"""What Cloud DNS's, google-auth's and requests' errors mean for a write and for a read."""

import requests.exceptions
from google.api_core.exceptions import GoogleAPICallError
from google.auth.exceptions import GoogleAuthError, TransportError

from detour.enactment.contract import (
    BatchRefusedError,
    CredentialsRefusedError,
    ProviderError,
    ThrottledError,
    UnavailableError,
    ZoneMissingError,
)
from detour.providers.translation import Quote, Translation, kind, lost, retry_after

THROTTLED = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "RATE_LIMIT_EXCEEDED"})
NEVER_CONNECTED = ("NewConnectionError", "NameResolutionError", "ConnectTimeoutError")
OF_THE_ADDRESS = "'parameters."
"""What a 404 complains of when it is not about a set: the parameters of the path, project and managed zone."""


def meaning(error: Exception, doing: str, write: bool, quote: Quote) -> ProviderError | None:
    """Return what an error of the libraries means, None for others (see `Translation`)."""
    match error:
        case GoogleAPICallError():
            return _from_answer(error, doing, write, quote)
        case GoogleAuthError() if isinstance(error, TransportError) or error.retryable:
            # Fetching a token failed, so the request itself was not sent.
            return UnavailableError(f"{doing}: no answer from Google's token service ({kind(error)})")
        case GoogleAuthError():
            return CredentialsRefusedError(
                f"{doing}: Google does not accept the credentials ({kind(error)}): renew the key or the token"
            )
        case requests.exceptions.ConnectionError() if _never_connected(error):
            return UnavailableError(f"{doing}: no connection to the API endpoint")
        case requests.exceptions.ConnectionError():
            return lost(doing, "the connection broke before the answer came", write=write)
        case requests.exceptions.TooManyRedirects():
            return lost(doing, "the endpoint redirects, and Detour follows no redirect", write=write)
        case requests.exceptions.JSONDecodeError():
            return None
        case requests.exceptions.RequestException():
            return lost(doing, f"no complete answer from the API ({kind(error)})", write=write)
    return None


translated = Translation(meaning)


def _never_connected(error: requests.exceptions.ConnectionError) -> bool:
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return True
    cause = error.args[0] if error.args else None
    return type(getattr(cause, "reason", cause)).__name__ in NEVER_CONNECTED


def _from_answer(error: GoogleAPICallError, doing: str, write: bool, quote: Quote) -> ProviderError:
    status = int(error.code or 0)
    reasons = {str(each.get("reason")) for each in error.errors or () if isinstance(each, dict)}
    said = f"{status} {', '.join(map(quote, sorted(reasons))) or 'no reason given'}"
    if status == 429 or reasons & THROTTLED:
        headers = getattr(error.response, "headers", None) or {}
        return ThrottledError(f"{doing}: Google asks for patience ({said})", retry_after(headers))
    if status in (401, 403) and "quotaExceeded" not in reasons:
        return CredentialsRefusedError(
            f"{doing}: Google does not accept us or the call ({said}): the identity needs roles/dns.admin"
        )
    if status >= 500:
        return lost(doing, f"Cloud DNS had a fault of its own ({said})", write=write)
    if not 400 <= status < 500:
        return lost(doing, f"something else than Cloud DNS answered ({said})", write=write)
    if status == 404 and (not write or OF_THE_ADDRESS in str(error.message)):
        return ZoneMissingError(
            f"{doing}: the project has no such managed zone ({said}): check project and managedZone"
        )
    refused = BatchRefusedError if write else UnavailableError
    return refused(f"{doing}: Cloud DNS refused the request ({said}): {quote(error.message)}")
