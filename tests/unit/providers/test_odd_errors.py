"""Whatever an SDK raises, a provider raises one of the contract's errors, and none of the SDK's words."""

import asyncio
import concurrent.futures
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import botocore.exceptions
import botocore.parsers
import google.auth.exceptions
import pytest
import requests.exceptions
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    DecodeError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)
from google.api_core.exceptions import GoogleAPICallError

from detour.enactment.contract import (
    Batch,
    Change,
    CredentialsRefusedError,
    OutcomeUnknownError,
    Provider,
    ProviderError,
    ThrottledError,
    UnavailableError,
    UnexpectedAnswerError,
    ZoneMissingError,
)
from detour.model.zone import AzureDNSSettings, GoogleCloudDNSSettings, Route53Settings
from detour.providers import azuredns, clouddns, route53
from detour.providers.azuredns import AzureDNSProvider
from detour.providers.clouddns import CloudDNSProvider
from detour.providers.route53.provider import Route53Provider
from detour.providers.threads import Threads

from .clouds import API, DOMAIN, LEDGER, no_pace

HUSH = "hush-hush-credential"


class NobodysError(Exception):
    """An error that no library here declares; to tell it in words fails."""

    def __str__(self) -> str:
        raise RuntimeError(HUSH)


def client_error(operation: str, code: str, status: int) -> Exception:
    content = {"Error": {"Code": code, "Message": HUSH}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return botocore.exceptions.ClientError(content, operation)  # type: ignore[arg-type]  # as botocore itself makes it


def headless() -> Exception:
    """An error answer without its parts."""
    error = botocore.exceptions.ClientError({}, "GetHostedZone")
    error.response = None  # type: ignore[assignment]  # nothing says that it can't be
    return error


def wordless() -> AzureError:
    error = ClientAuthenticationError(message=HUSH)
    error.message = None
    return error


STRANGERS: list[Callable[[], BaseException]] = [
    lambda: ValueError(HUSH),
    lambda: KeyError(HUSH),
    lambda: AttributeError(HUSH),
    lambda: TypeError(HUSH),
    lambda: IndexError(HUSH),
    lambda: AssertionError(HUSH),
    lambda: RecursionError(HUSH),
    lambda: MemoryError(HUSH),
    lambda: NotImplementedError(HUSH),
    lambda: RuntimeError(HUSH),
    lambda: OSError(HUSH),
    lambda: TimeoutError(HUSH),
    lambda: ConnectionResetError(HUSH),
    lambda: EOFError(HUSH),
    lambda: UnicodeDecodeError("utf-8", HUSH.encode(), 0, 1, HUSH),
    lambda: ExceptionGroup(HUSH, [ValueError(HUSH)]),
    NobodysError,
    headless,
    wordless,
    lambda: botocore.parsers.ResponseParserError(HUSH),
    lambda: botocore.exceptions.HTTPClientError(error=HUSH),
    lambda: client_error("ListResourceRecordSets", "Oddity", 200),
    lambda: client_error("ListResourceRecordSets", "302", 302),
    lambda: requests.exceptions.ChunkedEncodingError(HUSH),
    lambda: requests.exceptions.JSONDecodeError(HUSH, "", 0),
    lambda: requests.exceptions.InvalidURL(HUSH),
    lambda: google.auth.exceptions.ResponseError(HUSH),
    lambda: GoogleAPICallError(HUSH),
    lambda: aiohttp.ClientPayloadError(HUSH),
    lambda: DecodeError(HUSH),
    lambda: HttpResponseError(HUSH),
    lambda: ServiceResponseError(HUSH),
    lambda: AzureError(HUSH),
]
"""Of every library for every provider: which one depends on which other is not ours to know."""

PLAIN = 17
"""Of these so many belong to no library: of them nothing is known but that the call did not end well."""

BLOCKING_STRANGERS: list[Callable[[], BaseException]] = [
    lambda: StopIteration(HUSH),
    lambda: SystemExit(HUSH),
    KeyboardInterrupt,
    concurrent.futures.CancelledError,
    asyncio.CancelledError,
    GeneratorExit,
]
"""What only a call in a thread of its own can be kept from doing to everybody else."""

AWAY = (FileNotFoundError, PermissionError, IsADirectoryError)


class Raising:
    """Stands for an SDK: whatever is called raises what it is told to."""

    def __init__(self) -> None:
        self.raised: Callable[[], BaseException] = lambda: ValueError(HUSH)
        self.meta = SimpleNamespace()

    def __getattr__(self, name: str) -> Any:
        return self

    def __call__(self, *_: Any, **__: Any) -> Any:
        raise self.raised()


def aws(client: Any) -> Provider:
    return Route53Provider(
        domain=DOMAIN,
        settings=Route53Settings(zone_id="Z1"),
        client=client,
        threads=Threads("odd"),
        limits=route53.LIMITS,
        pace=no_pace,
    )


def azure(client: Any) -> Provider:
    settings = AzureDNSSettings("sub", "dns")
    return AzureDNSProvider(domain=DOMAIN, settings=settings, client=client, limits=azuredns.LIMITS, pace=no_pace)


def google_cloud(client: Any) -> Provider:
    settings = GoogleCloudDNSSettings("project", "example")
    return CloudDNSProvider(
        domain=DOMAIN,
        settings=settings,
        connection=client,
        threads=Threads("odd"),
        limits=clouddns.LIMITS,
        pace=no_pace,
    )


OPENERS = [aws, azure, google_cloud]


async def ends(provider: Provider) -> list[Exception | None]:
    """Return what each reading, and then a write, raises."""
    calls = [
        provider.describe,
        provider.read_zone,
        lambda: provider.read_names([API]),
        lambda: provider.apply(Batch(Change(None, LEDGER))),
    ]
    found: list[Exception | None] = []
    for call in calls:
        try:
            await call()
            found.append(None)
        except Exception as error:
            found.append(error)
    return found


@pytest.mark.parametrize("opener", OPENERS)
async def test_what_an_sdk_raises_is_told_by_its_type_alone(opener: Callable[[Any], Provider]) -> None:
    sdk = Raising()
    provider = opener(sdk)
    for sdk.raised in STRANGERS + ([] if opener is azure else BLOCKING_STRANGERS):
        for error in await ends(provider):
            assert isinstance(error, ProviderError), (sdk.raised(), error)
            assert HUSH not in str(error)
            assert HUSH not in repr(error.__cause__)
    sdk.raised = STRANGERS[0]
    await provider.close()


@pytest.mark.parametrize("opener", [aws, google_cloud])
async def test_a_write_that_ended_so_is_a_lost_answer(opener: Callable[[Any], Provider]) -> None:
    """At Azure a write begins with a reading, so that the next test is about it."""
    sdk = Raising()
    provider = opener(sdk)
    for sdk.raised in (*STRANGERS[:PLAIN], *BLOCKING_STRANGERS):
        *reads, write = await ends(provider)
        assert all(isinstance(each, (UnexpectedAnswerError, UnavailableError)) for each in reads), reads
        assert isinstance(write, OutcomeUnknownError), write
    sdk.raised = STRANGERS[0]
    await provider.close()


async def test_a_write_at_azure_that_ended_so_is_a_lost_answer() -> None:
    class Empty(Raising):
        """Nothing is there, and writing raises."""

        async def get(self, *_: Any) -> Any:
            error = HttpResponseError("nothing")
            error.status_code = 404
            error.error = SimpleNamespace(code="NotFound", message="")  # type: ignore[assignment]  # its two fields
            raise error

    sdk = Empty()
    provider = azure(sdk)
    for sdk.raised in STRANGERS[:PLAIN]:
        with pytest.raises(OutcomeUnknownError):
            await provider.apply(Batch(Change(None, LEDGER)))


@pytest.mark.parametrize("opener", OPENERS)
async def test_a_missing_token_file_of_a_workload_identity_is_a_matter_of_credentials(
    opener: Callable[[Any], Provider],
) -> None:
    sdk = Raising()
    provider = opener(sdk)
    for away in AWAY:
        sdk.raised = lambda kind=away: kind(2, HUSH, f"/var/run/secrets/{HUSH}")  # type: ignore[misc]  # bound at once
        for error in await ends(provider):
            assert isinstance(error, CredentialsRefusedError)
            assert "token is mounted" in str(error)
            assert HUSH not in str(error)
    await provider.close()


async def test_the_sdks_themselves_are_understood_when_the_token_file_is_not_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    away = str(tmp_path / "token")
    for name, value in {
        "AWS_WEB_IDENTITY_TOKEN_FILE": away,
        "AWS_ROLE_ARN": "arn:aws:iam::111122223333:role/dns",
        "AWS_CONFIG_FILE": away,
        "AWS_SHARED_CREDENTIALS_FILE": away,
        "AWS_EC2_METADATA_DISABLED": "true",
        "GOOGLE_APPLICATION_CREDENTIALS": away,
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    opened = await route53.open_zone(
        domain=DOMAIN, settings=Route53Settings(zone_id="Z1"), secret=None, limits=route53.LIMITS, pace=no_pace
    )
    for error in await ends(opened):
        assert isinstance(error, CredentialsRefusedError)
        assert "FileNotFoundError" in str(error)
        assert away not in str(error)
    await opened.close()
    settings = GoogleCloudDNSSettings("project")
    with pytest.raises(CredentialsRefusedError, match="Workload Identity"):
        await clouddns.open_zone(domain=DOMAIN, settings=settings, secret=None, limits=clouddns.LIMITS, pace=no_pace)


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (client_error("AssumeRoleWithWebIdentity", "InvalidIdentityToken", 400), CredentialsRefusedError),
        (client_error("AssumeRole", "ValidationError", 400), CredentialsRefusedError),
        (client_error("AssumeRole", "Throttling", 400), ThrottledError),
        (client_error("AssumeRole", "InternalFailure", 500), UnavailableError),
        (botocore.exceptions.MetadataRetrievalError(error_msg=HUSH), CredentialsRefusedError),
        (botocore.exceptions.TokenRetrievalError(provider="p", error_msg=HUSH), CredentialsRefusedError),
        (botocore.exceptions.ConfigParseError(path=HUSH, error=HUSH), CredentialsRefusedError),
    ],
)
async def test_an_identity_that_is_not_to_be_had_leaves_no_doubt_about_a_write(
    error: Exception, meaning: type[ProviderError]
) -> None:
    sdk = Raising()
    sdk.raised = lambda: error
    provider = aws(sdk)
    for found in await ends(provider):
        assert isinstance(found, meaning)
        assert HUSH not in str(found)
    await provider.close()


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (google.auth.exceptions.RefreshError(HUSH), CredentialsRefusedError),
        (google.auth.exceptions.RefreshError(HUSH, retryable=True), UnavailableError),
        (google.auth.exceptions.TransportError(HUSH), UnavailableError),
    ],
)
async def test_a_token_that_google_does_not_give_leaves_no_doubt_about_a_write(
    error: Exception, meaning: type[ProviderError]
) -> None:
    sdk = Raising()
    sdk.raised = lambda: error
    provider = google_cloud(sdk)
    for found in await ends(provider):
        assert isinstance(found, meaning)
        assert HUSH not in str(found)
    await provider.close()


async def test_what_azure_s_token_service_says_is_told_by_its_code() -> None:
    sdk = Raising()
    said = f"AADSTS7000215: Invalid client secret provided: {HUSH}"
    for sdk.raised in (lambda: ClientAuthenticationError(message=said), lambda: ServiceRequestError(HUSH)):
        for error in await ends(azure(sdk)):
            assert isinstance(error, ProviderError)
            assert HUSH not in str(error)
    sdk.raised = lambda: ClientAuthenticationError(message=said)
    with pytest.raises(CredentialsRefusedError, match="AADSTS7000215"):
        await azure(sdk).read_zone()
    sdk.raised = lambda: ClientAuthenticationError(
        message=f"DefaultAzureCredential failed to retrieve a token from the included credentials.\n{HUSH}"
    )
    with pytest.raises(CredentialsRefusedError, match="none of the workload's identities gave a token"):
        await azure(sdk).read_zone()


async def test_a_zone_that_is_gone_is_told_as_such_and_not_as_a_refused_batch() -> None:
    sdk = Raising()
    sdk.raised = lambda: client_error("ChangeResourceRecordSets", "NoSuchHostedZone", 404)
    provider = aws(sdk)
    for error in await ends(provider):
        assert isinstance(error, ZoneMissingError)
    await provider.close()


async def test_closing_never_fails() -> None:
    for opener in OPENERS:
        await opener(Raising()).close()
