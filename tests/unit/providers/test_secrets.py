"""Secrets as people have them: what surrounds a key does no harm, what is no key is said, and nothing is quoted."""

import pytest

from detour.enactment.contract import CredentialsRefusedError, ThrottledError

from .clouds import AWS, CLOUDS, Azure, Cloud

BROKEN = ["hush\nhush", "hu\rsh", "hush\x00", "hush hush", "hüsh", "hush\ufeffhush", "hush\u200b", "\x1b[hush"]


@pytest.fixture(params=CLOUDS, ids=[each.name for each in CLOUDS])
def cloud(request: pytest.FixtureRequest) -> Cloud:
    made: Cloud = request.param()
    return made


async def test_line_ends_and_byte_order_marks_around_a_key_are_no_part_of_it(cloud: Cloud) -> None:
    async with cloud.behind_a_relay() as (relay, _):
        secret = {key: f"\ufeff {value}\r\n" for key, value in cloud.secret().items()}
        provider = await cloud.opened(relay.url, secret=secret)
        assert (await provider.read_zone()).opaque
        await provider.close()


@pytest.mark.parametrize("broken", BROKEN)
async def test_a_key_that_cannot_be_one_is_refused_by_its_name(cloud: Cloud, broken: str) -> None:
    for part in cloud.secret():
        with pytest.raises(CredentialsRefusedError, match=part) as refusal:
            await cloud.opened("http://127.0.0.1:9", secret={**cloud.secret(), part: broken})
        assert broken not in str(refusal.value)


async def test_every_key_of_a_secret_is_looked_at() -> None:
    with pytest.raises(CredentialsRefusedError, match="aws_session_token"):
        await AWS().opened("http://127.0.0.1:9", secret={**AWS().secret(), "aws_session_token": "hush\nhush"})
    principal = {"tenantID": "t", "clientID": "c", "clientSecret": "hush\nhush"}
    with pytest.raises(CredentialsRefusedError, match="clientSecret"):
        await Azure().opened("https://127.0.0.1:9", secret=principal)


@pytest.mark.parametrize(
    ("asked", "patience"),
    [
        (30.0, 30.0),
        (0.0, 0.0),
        (600.0, 300.0),
        (86400.0, 300.0),
        (1000000000.0, 300.0),
        (float("inf"), 300.0),
        (float("nan"), None),
        (-1.0, None),
        (None, None),
    ],
)
def test_no_answer_makes_us_wait_for_longer_than_five_minutes(asked: float | None, patience: float | None) -> None:
    assert ThrottledError("429", asked).retry_after == patience
