"""What Cloud DNS's, google-auth's and requests' errors mean for a write and for a read."""

from collections.abc import Iterator
from contextlib import contextmanager

import requests.exceptions
from google.api_core.exceptions import GoogleAPICallError
from google.auth.exceptions import GoogleAuthError, TransportError

from detour.enactment.contract import (
    BatchRefusedError,
    CredentialsRefusedError,
    OutcomeUnknownError,
    ProviderError,
    ThrottledError,
    UnavailableError,
    ZoneMissingError,
)

THROTTLED = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "RATE_LIMIT_EXCEEDED"})
NEVER_CONNECTED = ("NewConnectionError", "NameResolutionError", "ConnectTimeoutError")


@contextmanager
def translated(doing: str, *, write: bool) -> Iterator[None]:
    """Turn what the libraries raise inside into the contract's errors; `doing` names the call for people."""
    lost = OutcomeUnknownError if write else UnavailableError
    try:
        yield
    except GoogleAPICallError as error:
        raise _from_answer(error, doing, write) from None
    except TransportError:
        # Fetching a token failed, so the request itself was not sent.
        raise UnavailableError(f"{doing}: no connection to Google's token service") from None
    except GoogleAuthError as error:
        raise CredentialsRefusedError(
            f"{doing}: Google does not accept the credentials ({type(error).__name__}): renew the key or the token"
        ) from None
    except requests.exceptions.ConnectionError as error:
        if isinstance(error, requests.exceptions.ConnectTimeout) or _never_connected(error):
            raise UnavailableError(f"{doing}: no connection to the API endpoint") from None
        raise lost(f"{doing}: the connection broke before the answer came") from None
    except (requests.exceptions.RequestException, ValueError) as error:
        # ValueError: an answer that isn't JSON.
        raise lost(f"{doing}: no complete answer from the API ({type(error).__name__})") from None


def _never_connected(error: requests.exceptions.ConnectionError) -> bool:
    cause = error.args[0] if error.args else None
    reason = getattr(cause, "reason", cause)
    return type(reason).__name__ in NEVER_CONNECTED


def _from_answer(error: GoogleAPICallError, doing: str, write: bool) -> ProviderError:
    status = int(error.code or 0)
    reasons = {str(each.get("reason")) for each in error.errors if isinstance(each, dict)}
    said = f"{status} {', '.join(sorted(reasons)) or 'no reason given'}"
    if status == 429 or reasons & THROTTLED:
        return ThrottledError(f"{doing}: Google asks for patience ({said})", _retry_after(error))
    if status in (401, 403) and "quotaExceeded" not in reasons:
        return CredentialsRefusedError(
            f"{doing}: Google does not accept us or the call ({said}): the identity needs roles/dns.admin"
        )
    if status >= 500:
        lost = OutcomeUnknownError if write else UnavailableError
        return lost(f"{doing}: Cloud DNS had a fault of its own ({said})")
    if status == 404 and not write:
        return ZoneMissingError(
            f"{doing}: the project has no such managed zone ({said}): check project and managedZone"
        )
    refused = BatchRefusedError if write else UnavailableError
    return refused(f"{doing}: Cloud DNS refused the request ({said}): {error.message}")


def _retry_after(error: GoogleAPICallError) -> float | None:
    try:
        return float(error.response.headers["Retry-After"])
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
