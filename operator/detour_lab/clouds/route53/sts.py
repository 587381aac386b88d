"""As much of AWS STS as an operator with `roleARN` needs: AssumeRole, on the same port as Route 53.

Source: STS API reference, AssumeRole (query protocol, version 2011-06-15).
"""

from collections.abc import Collection
from datetime import UTC, datetime
from urllib.parse import parse_qs

from detour_lab.clouds.route53.document import document
from detour_lab.clouds.route53.errors import APIError
from detour_lab.clouds.route53.signature import KeyRing

NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"
_DURATIONS = range(900, 43_201)  # seconds


def assume_role(body: bytes, keys: KeyRing, caller: str, roles: Collection[str], request_id: str) -> bytes:
    """Return the answer to AssumeRole. Raises APIError: InvalidAction, ValidationError or AccessDenied."""
    form = {name: texts[0] for name, texts in parse_qs(body.decode(), keep_blank_values=True).items()}
    if form.get("Action") != "AssumeRole":
        raise APIError("InvalidAction", f"Could not find operation {form.get('Action')} for version 2011-06-15")
    role, session = form.get("RoleArn", ""), form.get("RoleSessionName", "")
    duration = form.get("DurationSeconds", "3600")
    if not role or not session or not duration.isdecimal() or int(duration) not in _DURATIONS:
        raise APIError("ValidationError", "RoleArn, RoleSessionName or DurationSeconds is missing or out of range")
    if role not in roles:
        raise APIError(
            "AccessDenied", f"User: {caller} is not authorized to perform: sts:AssumeRole on resource: {role}", 403
        )
    key = keys.issue(role, int(duration))
    arn = role.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/")
    credentials = {
        "AccessKeyId": key.access_key,
        "SecretAccessKey": key.secret_key,
        "SessionToken": key.token,
        "Expiration": datetime.fromtimestamp(key.expires, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    user = {"AssumedRoleId": f"AROALAB:{session}", "Arn": f"{arn}/{session}"}
    result = {"AssumedRoleUser": user, "Credentials": credentials}
    content = {"AssumeRoleResult": result, "ResponseMetadata": {"RequestId": request_id}}
    return document("AssumeRoleResponse", content, NAMESPACE)
