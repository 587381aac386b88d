"""The errors of the Route 53 API, with the codes, statuses and XML that the SDKs parse.

Source: Amazon Route 53 API reference, "Common Errors" and the errors listed with each action.
"""

from collections.abc import Sequence

from detour_lab.clouds.route53.document import NAMESPACE, document


class APIError(Exception):
    """An answer other than success: `code` as the SDKs know it, `status` the HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


class InvalidChangeBatchError(APIError):
    """A change batch that breaks a rule; nothing of it is applied. One message for each broken rule."""

    def __init__(self, messages: Sequence[str]) -> None:
        super().__init__("InvalidChangeBatch", f"[{', '.join(messages)}]")
        self.messages = tuple(messages)


def invalid_input(message: str) -> APIError:
    return APIError("InvalidInput", message)


def no_such_hosted_zone(zone_id: str) -> APIError:
    return APIError("NoSuchHostedZone", f"No hosted zone found with ID: {zone_id}", 404)


def no_such_change(change_id: str) -> APIError:
    return APIError("NoSuchChange", f"Could not find resource with ID: {change_id}", 404)


def no_such_health_check(check_id: str) -> APIError:
    return APIError("NoSuchHealthCheck", f"No health check exists with the specified ID: {check_id}", 404)


def throttling() -> APIError:
    return APIError("Throttling", "Rate exceeded")


def prior_request_not_complete() -> APIError:
    return APIError(
        "PriorRequestNotComplete",
        "The request was rejected because Route 53 was still processing a prior request.",
    )


def internal_failure() -> APIError:
    return APIError("InternalFailure", "We encountered an internal error. Please try again.", 500)


def access_denied(caller: str, action: str, resource: str) -> APIError:
    return APIError(
        "AccessDenied",
        f"User: {caller} is not authorized to perform: {action} on resource: {resource}"
        " because no identity-based policy allows the action",
        403,
    )


def to_listed_xml(error: InvalidChangeBatchError, request_id: str) -> bytes:
    """Return the other body that an InvalidChangeBatch can have, the one that the API reference shows.

    It has no `Error` element, so that botocore finds neither a code nor a text in it.
    """
    messages = [("Message", each) for each in error.messages]
    return document("InvalidChangeBatch", {"Messages": messages, "RequestId": request_id}, NAMESPACE)


def to_xml(error: APIError, request_id: str, namespace: str = NAMESPACE) -> bytes:
    """Return the body of `error`, in the shape that Route 53 and STS share."""
    sender = "Sender" if error.status < 500 else "Receiver"
    detail = {"Type": sender, "Code": error.code, "Message": error.message}
    return document("ErrorResponse", {"Error": detail, "RequestId": request_id}, namespace)
