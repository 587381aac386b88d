"""Whatever is answered, a reading is a reading or an error, and a write is done only where the answer says so."""

import json
from collections.abc import Awaitable

import pytest

from detour.enactment.contract import (
    Batch,
    Change,
    OutcomeUnknownError,
    ProviderError,
    Scope,
    ThrottledError,
    UnavailableError,
    UnexpectedAnswerError,
)
from detour.model.rrset import RRset, RRType

from .clouds import API, AWS, CLOUDS, DOMAIN, LEDGER, Azure, Cloud, Google, claim, moving
from .relay import Relay, Spoilt

JSON, XML, HTML, TEXT = "application/json", "text/xml", "text/html", "text/plain"
NAMESPACE = b'xmlns="https://route53.amazonaws.com/doc/2013-04-01/"'

BODIES: dict[str, tuple[bytes, str]] = {
    "Internal Failure": (b"Internal Failure", TEXT),
    "nothing": (b"", JSON),
    "a page of a portal": (b"<html><body>Please log in</body></html>", HTML),
    "a page that is no XML": (b"<!doctype html><html><br>", HTML),
    "truncated XML": (b'<?xml version="1.0"?><ListResourceRecordSetsResponse ' + NAMESPACE + b"><ResourceRec", XML),
    "truncated JSON": (b'{"kind": "dns#resourceRecordSetsListResponse", "value": [{"id": "', JSON),
    "another service's XML": (b'<?xml version="1.0"?><Foo xmlns="urn:x"><Bar>1</Bar></Foo>', XML),
    "an empty list in XML": (
        b'<?xml version="1.0"?><ListResourceRecordSetsResponse ' + NAMESPACE + b"><ResourceRecordSets/>"
        b"<IsTruncated>false</IsTruncated><MaxItems>300</MaxItems></ListResourceRecordSetsResponse>",
        XML,
    ),
    "an empty object": (b"{}", JSON),
    "an empty object in HTML": (b"{}", HTML),
    "a list": (b"[]", JSON),
    "null": (b"null", JSON),
    "a string": (b'"x"', JSON),
    "a number": (b"3", JSON),
    "members of other types": (
        b'{"kind": "dns#resourceRecordSetsListResponse", "value": 5, "properties": 7, "rrsets": 5, "name": 4}',
        JSON,
    ),
    "a list of nothing": (b'{"kind": "dns#resourceRecordSetsListResponse", "rrsets": [], "value": []}', JSON),
    "a list of odd things": (
        b'{"kind": "dns#resourceRecordSetsListResponse", "rrsets": [null, 3], "value": [null, 3]}',
        JSON,
    ),
    "a list without names": (
        b'{"kind": "dns#resourceRecordSetsListResponse", "rrsets": [{"type": "A"}], "value": [{"type": "A"}]}',
        JSON,
    ),
    "not UTF-8": (b"\xff\xfe\x00" * 9, JSON),
    "a byte order mark": (b"\xef\xbb\xbf{}", JSON),
    "very deep": (b"[" * 100_000, JSON),
}


@pytest.fixture(params=CLOUDS, ids=[each.name for each in CLOUDS])
def cloud(request: pytest.FixtureRequest) -> Cloud:
    made: Cloud = request.param()
    return made


async def test_an_odd_answer_to_a_reading_is_an_error_that_quotes_nothing(cloud: Cloud) -> None:
    async with cloud.behind_a_relay() as (relay, provider):
        for body, (content, content_type) in BODIES.items():
            relay.spoil(Spoilt(content, content_type=content_type))
            for call in (provider.describe, provider.read_zone):
                error = await error_of(call())
                assert isinstance(error, (UnexpectedAnswerError, UnavailableError)), (body, error)
                assert DOMAIN in str(error)
                assert "log in" not in str(error)
            relay.heal()
        assert (await provider.read_zone()).opaque


@pytest.mark.slow
async def test_an_odd_answer_to_the_reading_of_a_name_is_an_error(cloud: Cloud) -> None:
    async with cloud.behind_a_relay() as (relay, provider):
        await provider.describe()
        for body, (content, content_type) in BODIES.items():
            if "list" in body:
                continue  # at a name that is not there a list is empty
            relay.spoil(Spoilt(content, content_type=content_type))
            error = await error_of(provider.read_names([API]))
            assert isinstance(error, (UnexpectedAnswerError, UnavailableError)), (body, error)
            relay.heal()


@pytest.mark.slow
@pytest.mark.parametrize("reaches", [True, False], ids=["applied", "not applied"])
async def test_an_odd_answer_to_a_write_is_a_lost_answer(cloud: Cloud, reaches: bool) -> None:
    async with cloud.behind_a_relay() as (relay, provider):
        ledger = (await claim(provider))[LEDGER]
        for number, (body, (content, content_type)) in enumerate(BODIES.items()):
            moved = RRset(LEDGER.name, RRType.TXT, 60, (f"detour/1 seq={10 + number}",))
            relay.spoil(Spoilt(content, content_type=content_type, reaches=reaches), methods=cloud.writes)
            error = await error_of(provider.apply(Batch(Change(ledger, moved))))
            assert isinstance(error, OutcomeUnknownError), (body, error)
            relay.heal()
            stored = (await provider.read_names([LEDGER.name])).sets[LEDGER.key]
            assert stored.rrset == (moved if reaches else LEDGER)
            ledger = stored


async def error_of(call: Awaitable[object]) -> Exception | None:
    """Return what `call` raises, None where it succeeds."""
    try:
        await call
    except Exception as error:
        return error
    return None


async def test_a_redirect_is_never_followed(cloud: Cloud) -> None:
    async with Relay() as elsewhere, cloud.behind_a_relay() as (relay, provider):
        held = await claim(provider)
        for status in (301, 302, 303, 307, 308):
            moved = Spoilt(b"", status=status, headers={"Location": f"{elsewhere.url}/taken"})
            relay.spoil(moved)
            for call in (provider.describe, provider.read_zone):
                assert isinstance(await error_of(call()), (UnavailableError, UnexpectedAnswerError))
            relay.heal()
            relay.spoil(moved, methods=cloud.writes)
            assert isinstance(await error_of(provider.apply(moving(held))), OutcomeUnknownError)
            relay.heal()
        assert elsewhere.asked == []


async def test_a_success_for_another_set_is_no_success_at_azure() -> None:
    async with Azure().behind_a_relay() as (relay, provider):
        held = await claim(provider)
        body = (
            b'{"name": "prod._detour", "type": "Microsoft.Network/dnszones/TXT", "etag": "e", '
            b'"properties": {"TTL": 60, "TXTRecords": [{"value": ["detour/1 seq=99"]}]}}'
        )
        relay.spoil(Spoilt(body), methods=("PUT",))
        with pytest.raises(OutcomeUnknownError, match="another set than the one that was sent"):
            await provider.apply(moving(held))


async def test_a_deletion_that_is_confirmed_and_not_made_is_noticed_at_azure() -> None:
    rrset = RRset(API, RRType.A, 30, ("192.0.2.1",))
    async with Azure().behind_a_relay() as (relay, provider):
        held = await claim(provider, rrset)
        relay.spoil(Spoilt(b"<html>Please log in</html>", content_type=HTML), methods=("DELETE",))
        with pytest.raises(OutcomeUnknownError, match="though its deletion was confirmed"):
            await provider.apply(moving(held, Change(held[rrset], None)))


async def test_a_set_of_another_name_is_no_answer_at_azure() -> None:
    body = (
        b'{"name": "www", "type": "Microsoft.Network/dnszones/A", "etag": "e", '
        b'"properties": {"TTL": 60, "ARecords": [{"ipv4Address": "192.0.2.1"}]}}'
    )
    async with Azure().behind_a_relay() as (relay, provider):
        await provider.describe()
        relay.spoil(Spoilt(body), methods=("GET",))
        with pytest.raises(UnexpectedAnswerError, match="another record set"):
            await provider.read_names([API])


async def test_a_next_page_elsewhere_is_not_asked_for_at_azure() -> None:
    async with Relay() as elsewhere, Azure().behind_a_relay() as (relay, provider):
        body = b'{"value": [], "nextLink": "' + elsewhere.url.encode() + b'/page?two=2"}'
        relay.spoil(Spoilt(body), methods=("GET",), within="recordsets")
        with pytest.raises(UnexpectedAnswerError, match="another host"):
            await provider.read_zone()
        assert elsewhere.asked == []


@pytest.mark.parametrize("position", [b"", b"<NextRecordName>a.</NextRecordName><NextRecordType>A</NextRecordType>"])
async def test_pages_without_an_end_are_not_followed_for_ever_at_route_53(position: bytes) -> None:
    body = (
        b'<?xml version="1.0"?><ListResourceRecordSetsResponse ' + NAMESPACE + b"><ResourceRecordSets/>"
        b"<IsTruncated>true</IsTruncated>" + position + b"<MaxItems>300</MaxItems></ListResourceRecordSetsResponse>"
    )
    async with AWS().behind_a_relay() as (relay, provider):
        relay.spoil(Spoilt(body, content_type=XML), within="rrset")
        with pytest.raises(UnexpectedAnswerError, match=r"circle|and not where"):
            await provider.read_zone()


async def test_pages_without_an_end_are_not_followed_for_ever_at_google() -> None:
    body = b'{"kind": "dns#resourceRecordSetsListResponse", "rrsets": [], "nextPageToken": "again"}'
    async with Google().behind_a_relay() as (relay, provider):
        relay.spoil(Spoilt(body), within="rrsets")
        with pytest.raises(UnexpectedAnswerError, match="circle"):
            await provider.read_zone()


async def test_pages_without_an_end_are_not_followed_for_ever_at_azure() -> None:
    async with Azure().behind_a_relay() as (relay, provider):
        body = b'{"value": [], "nextLink": "' + relay.url.encode() + b'/recordsets?page=2"}'
        relay.spoil(Spoilt(body), within="recordsets")
        with pytest.raises(UnexpectedAnswerError, match="circle"):
            await provider.read_zone()


async def test_what_route_53_refuses_a_batch_for_is_told_also_as_a_list_of_messages() -> None:
    """The form that the API reference shows for InvalidChangeBatch; botocore finds neither code nor text in it."""
    body = (
        b'<?xml version="1.0"?><InvalidChangeBatch ' + NAMESPACE + b"><Messages>"
        b"<Message>Tried to create resource record set a. type A, but it already exists</Message>"
        b"<Message>Tried to delete resource record set b. type A, but it was not found</Message>"
        b"</Messages><RequestId>1</RequestId></InvalidChangeBatch>"
    )
    async with AWS().behind_a_relay() as (relay, provider):
        held = await claim(provider)
        relay.spoil(Spoilt(body, status=400, content_type=XML), methods=("POST",))
        with pytest.raises(
            ProviderError, match=r"InvalidChangeBatch\): Tried to create .*; Tried to delete"
        ) as refusal:
            await provider.apply(moving(held))
        assert refusal.value.reason == "BatchRefused"


async def test_a_refusal_without_any_words_names_its_status() -> None:
    async with AWS().behind_a_relay() as (relay, provider):
        held = await claim(provider)
        relay.spoil(Spoilt(b"", status=400, content_type=XML), methods=("POST",))
        with pytest.raises(ProviderError, match=r"refused the request \(400\)"):
            await provider.apply(moving(held))


PATIENCE = [
    ({"Retry-After": "7"}, 7.0),
    ({"Retry-After": "0.5"}, 0.5),
    ({"Retry-After": "86400"}, 300.0),
    ({"Retry-After": "1e9"}, 300.0),
    ({"Retry-After": "inf"}, None),
    ({"Retry-After": "nan"}, None),
    ({"Retry-After": "-3"}, None),
    ({"Retry-After": "soon"}, None),
    ({"Retry-After": ""}, None),
    ({}, None),
    ({"Retry-After": "Sat, 28 Nov 2026 12:00:09 GMT", "Date": "Sat, 28 Nov 2026 12:00:00 GMT"}, 9.0),
    ({"Retry-After": "Sun, 29 Nov 2026 12:00:00 GMT", "Date": "Sat, 28 Nov 2026 12:00:00 GMT"}, 300.0),
    ({"Retry-After": "Sat, 28 Nov 2026 11:00:00 GMT", "Date": "Sat, 28 Nov 2026 12:00:00 GMT"}, 0.0),
    ({"Retry-After": "Sat, 99 Nov 2026 11:00:00 GMT", "Date": "Sat, 28 Nov 2026 12:00:00 GMT"}, None),
]


async def test_the_patience_that_is_asked_for_is_bounded(cloud: Cloud) -> None:
    async with cloud.behind_a_relay() as (relay, provider):
        for headers, seconds in PATIENCE:
            relay.spoil(Spoilt(b"slow down", status=429, content_type=TEXT, headers=headers))
            error = await error_of(provider.read_zone())
            assert isinstance(error, ThrottledError)
            assert error.retry_after == seconds, headers
            relay.heal()


LEFT = "x-ms-ratelimit-remaining-subscription-"


@pytest.mark.parametrize(
    ("code", "headers", "scope"),
    [
        ("TooManyRequests", {f"{LEFT}reads": "243"}, Scope.ZONE),
        ("TooManyRequests", {}, Scope.ZONE),
        ("TooManyRequests", {f"{LEFT}reads": "0"}, Scope.ACCOUNT),
        ("TooManyRequests", {f"{LEFT}writes": "0"}, Scope.ACCOUNT),
        ("SubscriptionRequestsThrottled", {}, Scope.ACCOUNT),
        ("TenantRequestsThrottled", {}, Scope.ACCOUNT),
    ],
)
async def test_azure_s_answer_says_whether_the_zone_or_the_subscription_is_to_be_patient(
    code: str, headers: dict[str, str], scope: Scope
) -> None:
    async with Azure().behind_a_relay() as (relay, provider):
        body = json.dumps({"error": {"code": code, "message": "slow down"}}).encode()
        relay.spoil(Spoilt(body, status=429, headers={"Retry-After": "2", **headers}))
        error = await error_of(provider.read_zone())
        assert isinstance(error, ThrottledError)
        assert (error.scope, error.retry_after) == (scope, 2.0)


async def test_the_others_throttle_an_account() -> None:
    for each in (AWS(), Google()):
        async with each.behind_a_relay() as (relay, provider):
            relay.spoil(Spoilt(b"slow down", status=429, content_type=TEXT))
            error = await error_of(provider.read_zone())
            assert isinstance(error, ThrottledError)
            assert error.scope is Scope.ACCOUNT
