"""Who may not, and who cannot be reached: told apart, in words for people, without a credential."""

import pytest

from detour.enactment.contract import CredentialsRefusedError, UnavailableError

from .backends import Backend
from .zonework import Work


@pytest.mark.needs("wrong_key")
async def test_a_wrong_credential_is_refused_and_never_quoted(backend: Backend, work: Work) -> None:
    secret = backend.wrong_secret()
    intruder = await backend.open(secret=secret)
    before = await work.stored_ledger()
    try:
        for call in (
            intruder.describe(),
            intruder.read_zone(),
            intruder.read_names([work.name("www")]),
            intruder.apply(work.batch()),
        ):
            with pytest.raises(CredentialsRefusedError) as refusal:
                await call
            assert not any(secret[part] in str(refusal.value) for part in secret if part in SECRET_PARTS)
    finally:
        await intruder.close()
    assert await work.stored_ledger() == before


SECRET_PARTS = ("aws_secret_access_key", "accessToken", "secret")


@pytest.mark.needs("wrong_key")
async def test_a_secret_without_its_keys_is_refused_with_the_missing_keys_name(backend: Backend) -> None:
    missing = {"route53": "aws_access_key_id", "azuredns": "accessToken", "clouddns": "service-account.json"}
    with pytest.raises(CredentialsRefusedError, match=missing.get(backend.name, "keyName")):
        await backend.open(secret={"unrelated": "value"})


@pytest.mark.needs("stoppable")
async def test_a_server_that_is_down_is_unavailable_for_reads_and_writes(backend: Backend, work: Work) -> None:
    fresh = await backend.open()
    await fresh.describe()
    await backend.stop()
    try:
        for call in (fresh.describe(), fresh.read_zone(), fresh.read_names([work.name("www")])):
            with pytest.raises(UnavailableError):
                await call
    finally:
        await fresh.close()


@pytest.mark.needs("stoppable")
async def test_a_write_that_found_no_server_was_certainly_not_sent(backend: Backend, work: Work) -> None:
    provider = await backend.open()
    await provider.describe()
    await backend.stop()
    try:
        with pytest.raises(UnavailableError):
            await provider.apply(work.batch())
    finally:
        await provider.close()
