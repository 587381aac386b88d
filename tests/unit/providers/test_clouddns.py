"""How the Cloud DNS provider finds its zone and who it is; the rest is in the conformance suite."""

import dataclasses
import json
from collections.abc import AsyncIterator

import pytest

from detour.enactment.contract import (
    Batch,
    Change,
    CredentialsRefusedError,
    Provider,
    Secret,
    ThrottledError,
    ZoneMissingError,
)
from detour.model.rrset import RRset, RRType
from detour.model.zone import GoogleCloudDNSSettings
from detour.providers.clouddns import LIMITS, open_zone
from detour_lab.clouds.clouddns import CloudDNSEmulator
from detour_lab.clouds.clouddns.emulator import Quotas
from detour_lab.clouds.clouddns.tokens import new_service_account
from detour_lab.faults import Faults
from detour_lab.zones.store import RecordSet, ZoneStore

DOMAIN = "example.com"
TOKEN = {"accessToken": "the-token"}
LEDGER = RRset("o._detour.example.com", RRType.TXT, 60, ("detour/1 seq=1",))


async def no_pace(requests: int) -> None:
    """Let everything pass."""


@pytest.fixture
def store() -> ZoneStore:
    return ZoneStore(DOMAIN)


@pytest.fixture
async def emulator(store: ZoneStore) -> AsyncIterator[CloudDNSEmulator]:
    zones = {
        "example": store,
        "example-inside": ZoneStore(DOMAIN),
        "twice-a": ZoneStore("twice.example"),
        "twice-b": ZoneStore("twice.example"),
        "inside": ZoneStore("inside.example"),
    }
    async with CloudDNSEmulator(
        zones,
        project="lab",
        faults=Faults(),
        tokens=list(TOKEN.values()),
        throttle=None,
        private_zones=["example-inside", "inside"],
        items_per_page=7,
    ) as emulator:
        yield emulator


async def opened(
    emulator: CloudDNSEmulator, domain: str = DOMAIN, *, managed_zone: str | None = None, secret: Secret = TOKEN
) -> Provider:
    settings = GoogleCloudDNSSettings("lab", managed_zone, emulator.url)
    return await open_zone(domain=domain, settings=settings, secret=secret, limits=LIMITS, pace=no_pace)


async def test_the_public_zone_is_found_beside_a_private_one(emulator: CloudDNSEmulator) -> None:
    provider = await opened(emulator)
    facts = await provider.describe()
    assert facts.zone_id.startswith("lab/example/")
    assert facts.name_servers == ("ns1.lab.invalid", "ns2.lab.invalid")
    await provider.close()


async def test_several_zones_of_a_domain_ask_for_the_managed_zone(emulator: CloudDNSEmulator) -> None:
    provider = await opened(emulator, "twice.example")
    with pytest.raises(ZoneMissingError, match=r"twice-a, twice-b.*managedZone"):
        await provider.describe()
    await provider.close()
    provider = await opened(emulator, "twice.example", managed_zone="twice-b")
    assert (await provider.describe()).zone_id.startswith("lab/twice-b/")
    await provider.close()


async def test_the_public_zone_is_found_behind_more_private_ones_than_a_page_holds() -> None:
    zones = {f"inside-{number:02}": ZoneStore(DOMAIN) for number in range(20)} | {"outside": ZoneStore(DOMAIN)}
    async with CloudDNSEmulator(
        zones,
        project="lab",
        faults=Faults(),
        tokens=list(TOKEN.values()),
        throttle=None,
        private_zones=[each for each in zones if each != "outside"],
        items_per_page=7,
    ) as emulator:
        provider = await opened(emulator)
        assert (await provider.describe()).zone_id.startswith("lab/outside/")
        assert emulator.calls["managedZones.list"] == 3
        await provider.close()


async def test_a_zone_that_was_deleted_and_made_again_is_found_by_itself(emulator: CloudDNSEmulator) -> None:
    provider = await opened(emulator)
    before = await provider.describe()
    made = emulator._zones.pop("example")
    emulator._zones["again"] = dataclasses.replace(made, name="again", id="77")
    with pytest.raises(ZoneMissingError):
        await provider.apply(Batch(Change(None, LEDGER)))
    await provider.apply(Batch(Change(None, LEDGER)))
    after = await provider.describe()
    assert after.zone_id == "lab/again/77"
    assert after.identity != before.identity
    await provider.close()


async def test_the_same_zone_is_recognised_with_and_without_its_name(emulator: CloudDNSEmulator) -> None:
    by_domain, by_name = await opened(emulator), await opened(emulator, managed_zone="example")
    assert (await by_domain.describe()).identity == (await by_name.describe()).identity
    for each in (by_domain, by_name):
        await each.close()


@pytest.mark.parametrize("named", [None, "inside"])
async def test_a_private_zone_is_refused(emulator: CloudDNSEmulator, named: str | None) -> None:
    provider = await opened(emulator, "inside.example", managed_zone=named)
    with pytest.raises(ZoneMissingError, match="private"):
        await provider.describe()
    await provider.close()


async def test_a_managed_zone_of_another_domain_is_refused(emulator: CloudDNSEmulator) -> None:
    provider = await opened(emulator, managed_zone="twice-a")
    with pytest.raises(ZoneMissingError, match=r"is of twice\.example"):
        await provider.describe()
    await provider.close()


async def test_small_pages_are_followed_to_the_end(emulator: CloudDNSEmulator, store: ZoneStore) -> None:
    names = {f"h{number}.{DOMAIN}" for number in range(20)}
    store.commit(added=[RecordSet(name, "A", 60, ("192.0.2.1",)) for name in names], by="test")
    provider = await opened(emulator)
    assert {key.name for key in (await provider.read_zone()).sets} == names
    assert {key.name for key in (await provider.read_names(names)).sets} == names
    await provider.close()


async def test_a_service_account_fetches_its_own_token(emulator: CloudDNSEmulator, store: ZoneStore) -> None:
    account = new_service_account("detour", project="lab", token_uri=emulator.token_uri)
    emulator.tokens.trust(account)
    provider = await opened(emulator, secret={"service-account.json": json.dumps(dict(account.key_file))})
    await provider.apply(Batch(Change(None, LEDGER)))
    assert store.log[-1].by == f"clouddns:{account.email}"
    emulator.tokens.revoke()
    assert LEDGER.key in (await provider.read_names([LEDGER.name])).sets
    await provider.close()


async def test_a_service_account_that_google_does_not_know_is_refused(emulator: CloudDNSEmulator) -> None:
    account = new_service_account("stranger", project="lab", token_uri=emulator.token_uri)
    provider = await opened(emulator, secret={"service-account.json": json.dumps(dict(account.key_file))})
    with pytest.raises(CredentialsRefusedError) as refusal:
        await provider.describe()
    assert "PRIVATE KEY" not in str(refusal.value)
    await provider.close()


KEY_FILE = dict(new_service_account("hush", project="lab", token_uri="https://oauth2.googleapis.com/token").key_file)


def key_file(**changed: object) -> str:
    """Return a key file as Google makes them, but for what is `changed`; None leaves a member out."""
    content = KEY_FILE | changed
    return json.dumps({key: value for key, value in content.items() if value is not None})


@pytest.mark.parametrize(
    "content",
    [
        "not JSON",
        "[]",
        "null",
        "3",
        "{}",
        "[" * 100_000,
        key_file(private_key="-----BEGIN PRIVATE KEY-----\nhush\n-----END PRIVATE KEY-----\n"),
        key_file(private_key="hush"),
        key_file(private_key=5),
        key_file(private_key={"hush": 1}),
        key_file(private_key=None),
        key_file(client_email=None),
        key_file(token_uri=None),
        key_file(token_uri=["https://oauth2.googleapis.com/token"]),
        key_file(token_uri="http://[::1"),
    ],
    ids=lambda content: content[:12],
)
async def test_a_malformed_key_file_is_refused_without_being_quoted(content: str) -> None:
    with pytest.raises(CredentialsRefusedError, match=r"service-account\.json") as refusal:
        await opened_at(None, content)
    assert "hush" not in str(refusal.value)


@pytest.mark.parametrize(
    "uri", ["https://tokens.example.net/token", "http://169.254.169.254/token", "file:///etc/passwd"]
)
async def test_a_key_file_does_not_choose_where_its_assertion_is_sent(uri: str) -> None:
    for endpoint in (None, "https://dns.example.net"):
        with pytest.raises(CredentialsRefusedError, match="token_uri"):
            await opened_at(endpoint, key_file(token_uri=uri))


@pytest.mark.parametrize("uri", ["https://oauth2.googleapis.com/token", "https://dns.example.net/token"])
async def test_a_token_comes_from_google_or_from_the_zone_s_own_endpoint(uri: str) -> None:
    provider = await opened_at("https://dns.example.net:443/dns", key_file(token_uri=uri))
    await provider.close()


@pytest.mark.parametrize(
    "info",
    [
        {
            "type": "external_account",
            "audience": "a",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": "https://sts.googleapis.com/v1/token",
            "credential_source": {"file": "/var/run/secrets/kubernetes.io/serviceaccount/token"},
        },
        {
            "type": "external_account",
            "credential_source": {"executable": {"command": "/bin/sh -c hush"}},
            "audience": "a",
            "subject_token_type": "t",
        },
        {"type": "authorized_user", "client_id": "a", "client_secret": "hush", "refresh_token": "r"},
        {"type": "impersonated_service_account", "service_account_impersonation_url": "https://a.example"},
    ],
    ids=lambda info: str(info["type"]),
)
async def test_only_a_service_account_is_taken_from_a_secret(info: dict[str, object]) -> None:
    """The other kinds of credential files name files to read, programs to run and addresses to send things to."""
    with pytest.raises(CredentialsRefusedError, match="service_account") as refusal:
        await opened_at(None, json.dumps(info))
    assert "hush" not in str(refusal.value)


async def test_another_universe_is_not_a_secret_s_to_choose() -> None:
    with pytest.raises(CredentialsRefusedError, match="universe"):
        await opened_at(None, key_file(universe_domain="example.net"))


async def test_a_byte_order_mark_before_a_key_file_is_no_part_of_it() -> None:
    provider = await opened_at(None, "\ufeff" + key_file() + "\r\n")
    await provider.close()


async def opened_at(endpoint: str | None, content: str) -> Provider:
    """Open a zone with a key file; nothing is called yet."""
    return await open_zone(
        domain=DOMAIN,
        settings=GoogleCloudDNSSettings("lab", None, endpoint),
        secret={"service-account.json": content},
        limits=LIMITS,
        pace=no_pace,
    )


async def test_a_denied_call_names_the_role_that_is_missing(emulator: CloudDNSEmulator) -> None:
    emulator.denied.add("changes.create")
    provider = await opened(emulator)
    with pytest.raises(CredentialsRefusedError, match=r"roles/dns\.admin"):
        await provider.apply(Batch(Change(None, LEDGER)))
    await provider.close()


@pytest.mark.parametrize("status", [403, 429])
async def test_both_ways_of_asking_for_patience_are_understood(store: ZoneStore, status: int) -> None:
    quotas = Quotas(requests_per_minute=3, status=status)
    async with CloudDNSEmulator(
        {"example": store}, project="lab", faults=Faults(), tokens=list(TOKEN.values()), throttle=quotas
    ) as emulator:
        provider = await opened(emulator)
        await provider.read_zone()  # finds the zone, its newest change and its sets: three requests
        with pytest.raises(ThrottledError):
            await provider.read_zone()
        await provider.close()
