"""Who calls: Signature Version 4, recomputed with botocore's own signer, and the keys that AssumeRole hands out.

Source: AWS General Reference, "Signature Version 4 signing process"; STS API reference, AssumeRole.
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from aiohttp import web
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from detour_lab.clouds.route53.errors import APIError

ANONYMOUS = "anonymous"
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/\d{8}/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request,"
    r" ?SignedHeaders=(?P<headers>[^,]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)
_STAMP = "%Y%m%dT%H%M%SZ"
_SKEW = 300.0  # seconds that a request's clock may differ from the service's


@dataclass(frozen=True, slots=True)
class TemporaryKey:
    """What AssumeRole handed out. `expires` in seconds since the Unix epoch."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str = field(repr=False)
    role: str
    expires: float


class KeyRing:
    """The access keys of the account, and whom they belong to. None accepts unsigned requests."""

    def __init__(self, access_keys: Mapping[str, str] | None, wall_clock: Callable[[], float]) -> None:
        self.access_keys = None if access_keys is None else dict(access_keys)
        self._temporary: dict[str, TemporaryKey] = {}
        self._now = wall_clock

    def issue(self, role: str, duration: int) -> TemporaryKey:
        """Return new keys that act as `role` for `duration` seconds."""
        place = f"{role}/{len(self._temporary)}"
        digest = hashlib.sha512(place.encode()).hexdigest()
        key = TemporaryKey(f"ASIA{digest[:16].upper()}", digest[16:56], digest[56:120], role, self._now() + duration)
        self._temporary[key.access_key] = key
        return key

    def caller(self, request: web.Request, body: bytes) -> str:
        """Return the access key ID or the role behind a signed request. Raises APIError (403) for anybody else."""
        if self.access_keys is None:
            return ANONYMOUS
        claimed = _AUTHORIZATION.fullmatch(request.headers.get("Authorization", ""))
        if claimed is None:
            raise APIError("MissingAuthenticationToken", "Missing Authentication Token", 403)
        credentials, caller = self._credentials(claimed["key"], request.headers.get("X-Amz-Security-Token"))
        stamp = request.headers.get("X-Amz-Date", "")
        self._check_age(stamp)
        signed = _signature(request, body, credentials, claimed, stamp)
        if not hmac.compare_digest(signed, claimed["signature"]):
            raise _mismatch(
                "The request signature we calculated does not match the signature you provided. Check your AWS Secret"
                " Access Key and signing method. Consult the service documentation for details."
            )
        return caller

    def _credentials(self, access_key: str, token: str | None) -> tuple[Credentials, str]:
        permanent = (self.access_keys or {}).get(access_key)
        temporary = self._temporary.get(access_key)
        if permanent is not None and token is None:
            return Credentials(access_key, permanent), access_key
        if temporary is None or temporary.token != token:
            raise APIError("InvalidClientTokenId", "The security token included in the request is invalid.", 403)
        if temporary.expires < self._now():
            raise APIError("ExpiredToken", "The security token included in the request is expired", 403)
        return Credentials(access_key, temporary.secret_key, token), temporary.role

    def _check_age(self, stamp: str) -> None:
        try:
            signed_at = datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC).timestamp()
        except ValueError:
            raise APIError("IncompleteSignature", "Date must be in ISO-8601 basic format.", 403) from None
        if abs(signed_at - self._now()) > _SKEW:
            now = datetime.fromtimestamp(self._now(), UTC).strftime(_STAMP)
            raise _mismatch(f"Signature expired: {stamp} is not within 5 min. of {now}")


def _signature(request: web.Request, body: bytes, credentials: Credentials, claimed: re.Match[str], stamp: str) -> str:
    headers = {name: request.headers.get(name, "") for name in claimed["headers"].split(";")}
    url = f"http://{request.headers.get('Host', '')}{request.raw_path}"
    again = AWSRequest(method=request.method, url=url, headers=headers, data=body)
    again.context["timestamp"] = stamp
    signer = SigV4Auth(credentials, claimed["service"], claimed["region"])
    return signer.signature(signer.string_to_sign(again, signer.canonical_request(again)), again)


def _mismatch(message: str) -> APIError:
    return APIError("SignatureDoesNotMatch", message, 403)
