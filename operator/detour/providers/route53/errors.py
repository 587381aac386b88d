"""What Route 53's and botocore's errors mean for a write and for a read."""

from botocore import exceptions as botocore

from detour.enactment.contract import (
    BatchRefusedError,
    CredentialsRefusedError,
    ProviderError,
    Scope,
    ThrottledError,
    UnavailableError,
    UnexpectedAnswerError,
    ZoneMissingError,
)
from detour.providers.translation import Quote, Translation, kind, lost, quoted, retry_after

THROTTLED = frozenset(
    {"Throttling", "ThrottlingException", "ThrottledException", "RequestLimitExceeded", "TooManyRequestsException"}
)
REFUSED_WHO = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "ExpiredToken",
        "ExpiredTokenException",
        "IDPCommunicationError",
        "IDPRejectedClaim",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "InvalidIdentityToken",
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
    botocore.NoAuthTokenError,
    botocore.PartialCredentialsError,
    botocore.CredentialRetrievalError,
    botocore.MetadataRetrievalError,
    botocore.TokenRetrievalError,
    botocore.UnknownCredentialError,
    botocore.ProfileNotFound,
    botocore.ConfigNotFound,
    botocore.ConfigParseError,
    botocore.InvalidConfigError,
    botocore.LoginError,
    botocore.SSOError,
)
"""All of them before anything is sent."""

FOR_AN_IDENTITY = ("AssumeRole", "GetRoleCredentials", "CreateToken", "GetSessionToken")
"""The beginnings of operations that botocore calls to get credentials, at other services and before our own call."""


def meaning(error: Exception, doing: str, write: bool, quote: Quote) -> ProviderError | None:
    """Return what an error of botocore's means, None for others (see `Translation`)."""
    match error:
        case botocore.ClientError() if error.operation_name.startswith(FOR_AN_IDENTITY):
            return _of_identity(error, doing, quote)
        case botocore.ClientError():
            return _from_answer(error, doing, write, quote)
        case _ if isinstance(error, NEVER_SENT):
            return UnavailableError(f"{doing}: no connection to the API endpoint ({kind(error)})")
        case _ if isinstance(error, NO_IDENTITY):
            return CredentialsRefusedError(
                f"{doing}: no usable AWS credentials ({kind(error)}): name a Secret in credentialsSecretRef, or give "
                "the operator's service account an IAM role"
            )
        case botocore.ParamValidationError():
            refused = BatchRefusedError if write else UnexpectedAnswerError
            return refused(f"{doing}: the SDK does not accept the request: {quoted(error)}")
        case botocore.BotoCoreError():
            return lost(doing, f"no complete answer from the API ({kind(error)})", write=write)
    return None


translated = Translation(meaning)


def _of_identity(error: botocore.ClientError, doing: str, quote: Quote) -> ProviderError:
    """Return what it means that we got no credentials; whatever was to be done with them was not sent."""
    code, text, status, headers = _parts(error)
    what = f"{error.operation_name} gave us no credentials ({code or status})"
    if code in THROTTLED or status == 429:
        return ThrottledError(f"{doing}: {what}: AWS asks for patience", retry_after(headers))
    if status >= 500:
        return UnavailableError(f"{doing}: {what}: AWS had a fault of its own")
    detail = f": {quote(text)}" if code.startswith("AccessDenied") else ""
    return CredentialsRefusedError(f"{doing}: {what}: AWS does not accept us or the call{detail}")


def _from_answer(error: botocore.ClientError, doing: str, write: bool, quote: Quote) -> ProviderError:
    code, text, status, headers = _parts(error)
    code = quote(code)
    if code in THROTTLED or status == 429:
        return ThrottledError(f"{doing}: Route 53 asks for patience ({code})", retry_after(headers))
    if code == "PriorRequestNotComplete":
        return ThrottledError(
            f"{doing}: another change of this zone is in flight ({code})", CHANGE_IN_FLIGHT_WAIT, scope=Scope.ZONE
        )
    if code == "NoSuchHostedZone":
        return ZoneMissingError(f"{doing}: the account has no such hosted zone ({code}): check zoneID and the account")
    if code in REFUSED_WHO or status in (401, 403):
        # Only a denial names what is missing; the other texts quote the request, which bears the key's id.
        denied = code.startswith("AccessDenied") and text
        detail = f": {quote(text)}" if denied else ": check the access key and its session token"
        return CredentialsRefusedError(f"{doing}: AWS does not accept us or the call ({code or status}){detail}")
    if status >= 500:
        return lost(doing, f"Route 53 had a fault of its own ({status} {code})", write=write)
    if not 400 <= status < 500:
        return lost(doing, f"something else than Route 53 answered ({status})", write=write)
    refused = BatchRefusedError if write else UnavailableError
    said = f"({code or status})" + (f": {quote(text)}" if text else "")
    return refused(f"{doing}: Route 53 refused the request {said}")


def _parts(error: botocore.ClientError) -> tuple[str, str, int, dict[str, str]]:
    """Return code, text, HTTP status and headers of the answer."""
    told = error.response.get("Error", {})
    metadata = error.response.get("ResponseMetadata", {})
    headers = {str(name): str(value) for name, value in metadata.get("HTTPHeaders", {}).items()}
    status = int(metadata.get("HTTPStatusCode", 0))
    return str(told.get("Code", "")), str(told.get("Message", "")), status, headers
