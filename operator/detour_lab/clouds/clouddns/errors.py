"""The errors of the Cloud DNS API: status, reason and message, in the JSON that Google's clients parse.

Source: Cloud DNS documentation, "Error messages"; Google's JSON error format ("error.errors[]").
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

JSON = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a request. `status` is the HTTP status."""

    status: int
    reason: str
    message: str
    domain: str = "global"
    extra: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.message


class APIError(Exception):
    """An answer other than success. The first problem gives the status and the message, as with the real service."""

    def __init__(self, *problems: Problem, canonical: str | None = None) -> None:
        super().__init__(problems[0].message)
        self.problems = problems
        self.canonical = canonical

    @property
    def status(self) -> int:
        return self.problems[0].status

    def to_json(self) -> JSON:
        """Return the body; `canonical` is the status name that some errors carry (UNAUTHENTICATED, ...)."""
        first = self.problems[0]
        listed = [
            {"message": each.message, "domain": each.domain, "reason": each.reason, **each.extra}
            for each in self.problems
            if each.status == first.status
        ]
        status = {} if self.canonical is None else {"status": self.canonical}
        return {"error": {"code": first.status, "message": first.message, "errors": listed, **status}}


def refuse(problems: Sequence[Problem]) -> None:
    """Raise APIError where there is a problem."""
    if problems:
        raise APIError(*problems)


def invalid(path: str, value: object) -> Problem:
    return Problem(400, "invalid", f"Invalid value for '{path}': '{value}'")


def required(path: str) -> Problem:
    return Problem(400, "required", f"The '{path}' parameter is required but was missing.")


def not_found(path: str, name: str) -> Problem:
    return Problem(404, "notFound", f"The '{path}' resource named '{name}' does not exist.")


def already_exists(path: str, name: str) -> Problem:
    return Problem(409, "alreadyExists", f"The resource '{path}' named '{name}' already exists")


def condition_not_met(path: str) -> Problem:
    return Problem(412, "conditionNotMet", f"Precondition not met for '{path}'")


def quota_exceeded(quota: str, limit: int) -> Problem:
    return Problem(403, "quotaExceeded", f"Quota exceeded: the limit of '{quota}' is {limit}.")


def malformed(message: str) -> APIError:
    return APIError(Problem(400, "badRequest", message), canonical="INVALID_ARGUMENT")


def unauthenticated() -> APIError:
    problem = Problem(
        401,
        "authError",
        "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid"
        " authentication credential.",
        extra={"location": "Authorization", "locationType": "header"},
    )
    return APIError(problem, canonical="UNAUTHENTICATED")


def forbidden(operation: str) -> APIError:
    return APIError(Problem(403, "forbidden", f"Forbidden: dns.{operation}"), canonical="PERMISSION_DENIED")


def rate_limited(status: int, project: str) -> APIError:
    """Return the refusal of a caller above its rate; `status` 403 (older front ends) or 429."""
    message = (
        "Quota exceeded for quota metric 'Queries' and limit 'Queries per minute' of service 'dns.googleapis.com'"
        f" for consumer 'projects/{project}'."
    )
    problem = Problem(status, "rateLimitExceeded", message, domain="usageLimits")
    return APIError(problem, canonical="RESOURCE_EXHAUSTED" if status == 429 else "PERMISSION_DENIED")


def unavailable() -> APIError:
    return APIError(Problem(503, "backendError", "The service is currently unavailable."), canonical="UNAVAILABLE")
