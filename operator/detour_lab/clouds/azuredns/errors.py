"""Refusals, in the two shapes that a caller of Azure DNS meets.

Resource Manager, which stands in front, wraps its errors in an `error` member. The DNS service behind it does not: its
bodies are bare `code` and `message`. A client must take both.
"""

import json
from collections.abc import Mapping, Sequence

from aiohttp import web


class Refusal(Exception):  # noqa: N818 - an answer of the API, not a failure of the emulator
    """An error answer: HTTP `status`, Azure's `code` and `message`; `wrapped` for Resource Manager's own."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        wrapped: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.wrapped = wrapped
        self.headers = dict(headers or {})

    def response(self) -> web.Response:
        """Return the answer that carries this refusal."""
        error = {"code": self.code, "message": self.message}
        body = json.dumps({"error": error} if self.wrapped else error)
        return web.Response(status=self.status, text=body, content_type="application/json", headers=self.headers)


def bad_request(message: str, code: str = "BadRequest") -> Refusal:
    return Refusal(400, code, message)


def unknown_version(version: str, resource: str, supported: Sequence[str]) -> Refusal:
    """Return Resource Manager's answer to an api-version that does not know `resource`: azure-cli#26863."""
    what = f"No registered resource provider found for location 'global' and API version '{version}' for type"
    known = f"The supported api-versions are '{', '.join(supported)}'. The supported locations are ', global'."
    return Refusal(400, "NoRegisteredProviderFound", f"{what} '{resource}'. {known}", wrapped=True)


def unauthenticated(code: str, message: str) -> Refusal:
    """Resource Manager's 401; the challenge names where a token could be had (RFC 6750 §3)."""
    challenge = f'Bearer authorization_uri="https://login.invalid/", error="invalid_token", error_description="{code}"'
    return Refusal(401, code, message, wrapped=True, headers={"WWW-Authenticate": challenge})


def record_not_found(name: str, resource_group: str, subscription: str) -> Refusal:
    where = f"resource group '{resource_group}' of subscription '{subscription}'"
    return Refusal(404, "NotFound", f"The resource record '{name}' does not exist in {where}.")


def zone_not_found(domain: str, resource_group: str) -> Refusal:
    what = f"The Resource 'Microsoft.Network/dnszones/{domain}' under resource group '{resource_group}' was not found."
    return Refusal(404, "ResourceNotFound", what, wrapped=True)


def parent_not_found(rrtype: str, domain: str, resource_group: str) -> Refusal:
    what = f"Can not perform requested operation on nested resource of type 'dnszones/{rrtype}'"
    where = f"parent resource '{domain}' not found in resource group '{resource_group}'"
    return Refusal(404, "ParentResourceNotFound", f"{what}: {where}.", wrapped=True)


def precondition_failed(header: str, condition: str, current: str) -> Refusal:
    what = f"The condition '{condition}' in the {header} header was not satisfied. The current was '{current}'."
    return Refusal(412, "PreconditionFailed", what)


def throttled(wait: int, operation: str) -> Refusal:
    """429 with Retry-After in whole seconds, as both the service and Resource Manager send it."""
    message = f"The request limit of operation '{operation}' has been reached. Try again in {wait} seconds."
    return Refusal(429, "TooManyRequests", message, headers={"Retry-After": str(wait)})


def server_error() -> Refusal:
    return Refusal(500, "InternalServerError", "The service met an internal error. Try the request again.")
