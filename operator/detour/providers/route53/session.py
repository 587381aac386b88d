"""A Route 53 client that never repeats a request by itself, and whose credentials renew themselves.

botocore repeats a request whose answer was lost. For a conditional write that turns "applied" into "refused", so
here every call is sent once and the enactor alone decides about a second time.
"""

import hashlib
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials

from detour.enactment.contract import CredentialsRefusedError, Secret
from detour.model.zone import Route53Settings
from detour.providers.secretparts import part_of, text_of

if TYPE_CHECKING:
    from mypy_boto3_route53 import Route53Client

ACCESS_KEY, SECRET_KEY, SESSION_TOKEN = "aws_access_key_id", "aws_secret_access_key", "aws_session_token"

CONFIG = Config(connect_timeout=3, read_timeout=10, retries={"total_max_attempts": 1, "mode": "standard"})


def make_client(settings: Route53Settings, secret: Secret | None) -> "Route53Client":
    """Return a client for `settings`, with the keys of `secret` or, without one, the SDK's default chain.

    Blocks while it loads the SDK's data. Raises CredentialsRefusedError where the Secret lacks a key.
    """
    session = botocore.session.get_session()
    if secret is not None:
        needs = f"Route 53 needs {ACCESS_KEY} and {SECRET_KEY}"
        key, hidden = part_of(secret, ACCESS_KEY, needs=needs), part_of(secret, SECRET_KEY, needs=needs)
        token = part_of(secret, SESSION_TOKEN, needs=needs) if text_of(secret, SESSION_TOKEN) else None
        session.set_credentials(key, hidden, token)
    if settings.role_arn is not None:
        session = _in_role(session, settings.role_arn, settings.region)
    client = boto3.Session(botocore_session=session).client(
        "route53", region_name=settings.region, endpoint_url=settings.endpoint_url, config=CONFIG
    )
    client.meta.events.register("response-received.route-53", _tell_refusal)
    return client


def _tell_refusal(response_dict: dict[str, Any] | None, parsed_response: dict[str, Any] | None, **_: Any) -> None:
    """Put code and text into a refusal that botocore finds none in.

    A refused batch may come as `<InvalidChangeBatch><Messages><Message>...` instead of an ErrorResponse (API reference,
    ChangeResourceRecordSets, Errors and Examples): the outermost element is the code, each message a reason.
    """
    error = (parsed_response or {}).get("Error")
    if response_dict is None or error is None or error.get("Code"):
        return
    try:
        root = ElementTree.fromstring(response_dict["body"])  # noqa: S314 - botocore has parsed it already, the same way
    except ElementTree.ParseError:
        return
    error["Code"] = _local(root)
    error["Message"] = "; ".join(each.text.strip() for each in root.iter() if _local(each) == "Message" and each.text)


def _local(element: ElementTree.Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _in_role(source: botocore.session.Session, role_arn: str, region: str) -> botocore.session.Session:
    """Return a session that acts as `role_arn`; its temporary credentials are renewed before they expire."""
    credentials = source.get_credentials()
    if credentials is None:
        raise CredentialsRefusedError(f"no AWS credentials to assume {role_arn} with: name a Secret or an identity")
    fetcher = AssumeRoleCredentialFetcher(
        client_creator=lambda service, **options: source.create_client(
            service, **{"region_name": region, "config": CONFIG, **options}
        ),
        source_credentials=credentials,
        role_arn=role_arn,
        extra_args={"RoleSessionName": "detour"},
    )
    session = botocore.session.get_session()
    # botocore has no public way to give a session refreshable credentials; its own documentation of them ends here.
    session._credentials = DeferredRefreshableCredentials(  # type: ignore[attr-defined]  # not in the stubs
        method="assume-role", refresh_using=fetcher.fetch_credentials
    )
    return session


def account(settings: Route53Settings, secret: Secret | None) -> str:
    """Return a word that is equal for zones that share an account's quota, as far as can be told without a call.

    A role's ARN names its account; otherwise zones with the same access key are taken together.
    """
    who = text_of(secret, ACCESS_KEY) if secret is not None else "default chain"
    if settings.role_arn is not None and settings.role_arn.count(":") >= 5:
        who = settings.role_arn.split(":")[4]
    return hashlib.sha256(f"route53 {settings.endpoint_url} {who}".encode()).hexdigest()[:16]
