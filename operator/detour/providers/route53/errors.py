"""What Route 53's and botocore's errors mean for a write and for a read."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore import exceptions as botocore

from detour.enactment.contract import (
    BatchRefusedError,
    CredentialsRefusedError,
    OutcomeUnknownError,
    ProviderError,
    ThrottledError,
    UnavailableError,
    ZoneMissingError,
)

THROTTLED = frozenset(
    {"Throttling", "ThrottlingException", "ThrottledException", "RequestLimitExceeded", "TooManyRequestsException"}
)
REFUSED_WHO = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "MissingAuthenticationToken",
        "OptInRequired",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
CHANGE_IN_FLIGHT_WAIT = 0.5
"""Seconds after which a change that was in the way (PriorRequestNotComplete) is usually through."""

NEVER_SENT = (botocore.EndpointConnectionError, botocore.ConnectTimeoutError, botocore.ProxyConnectionError)
NO_IDENTITY = (
    botocore.NoCredentialsError,
    botocore.PartialCredentialsError,
    botocore.CredentialRetrievalError,
    botocore.ProfileNotFound,
    botocore.SSOError,
)


@contextmanager
def translated(doing: str, *, write: bool) -> Iterator[None]:
    """Turn what botocore raises inside into the contract's errors; `doing` names the call for people."""
    try:
        yield
    except botocore.ClientError as error:
        raise _from_answer(error, doing, write) from None
    except NEVER_SENT as error:
        raise UnavailableError(f"{doing}: no connection to the API endpoint ({type(error).__name__})") from None
    except NO_IDENTITY as error:
        raise CredentialsRefusedError(
            f"{doing}: no usable AWS credentials ({type(error).__name__}): name a Secret in credentialsSecretRef, or "
            "give the operator's service account an IAM role"
        ) from None
    except botocore.ParamValidationError as error:
        raise BatchRefusedError(f"{doing}: the SDK does not accept the request: {error}") from None
    except botocore.BotoCoreError as error:
        lost = OutcomeUnknownError if write else UnavailableError
        raise lost(f"{doing}: no complete answer from the API ({type(error).__name__})") from None


def _from_answer(error: botocore.ClientError, doing: str, write: bool) -> ProviderError:
    code = str(error.response.get("Error", {}).get("Code", ""))
    text = str(error.response.get("Error", {}).get("Message", ""))
    metadata = error.response.get("ResponseMetadata", {})
    status = int(metadata.get("HTTPStatusCode", 0))
    if code in THROTTLED or status == 429:
        return ThrottledError(f"{doing}: Route 53 asks for patience ({code})", _retry_after(metadata))
    if code == "PriorRequestNotComplete":
        return ThrottledError(f"{doing}: another change of this zone is in flight ({code})", CHANGE_IN_FLIGHT_WAIT)
    if code == "NoSuchHostedZone":
        return ZoneMissingError(f"{doing}: the account has no such hosted zone ({code}): check zoneID and the account")
    if code in REFUSED_WHO or status in (401, 403):
        # Only a denial names what is missing; the other texts quote the request, which bears the key's id.
        detail = f": {text}" if code.startswith("AccessDenied") else ": check the access key and its session token"
        return CredentialsRefusedError(f"{doing}: AWS does not accept us or the call ({code}){detail}")
    if status >= 500:
        lost = OutcomeUnknownError if write else UnavailableError
        return lost(f"{doing}: Route 53 had a fault of its own ({status} {code})")
    refused = BatchRefusedError if write else UnavailableError
    return refused(f"{doing}: Route 53 refused the request ({code}): {text}")


def _retry_after(metadata: object) -> float | None:
    headers = metadata.get("HTTPHeaders", {}) if isinstance(metadata, dict) else {}
    try:
        return float(headers["retry-after"])
    except (KeyError, ValueError):
        return None
