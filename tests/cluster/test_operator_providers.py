"""Providers on bad days: wrong keys, no answer, no such zone, throttling, slowness; and all four at once."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from detour_lab.clouds.azuredns import AzureDNSEmulator
from detour_lab.clouds.clouddns import CloudDNSEmulator
from detour_lab.clouds.route53 import Route53Emulator
from detour_lab.dns.nameserver import NameServer
from detour_lab.faults import Fault, FaultKind, Faults
from detour_lab.services.services import Mode
from detour_lab.zones.store import ZoneStore

from .operating import TSIG_KEY, TSIG_SECRET, Manifest, Stage
from .operatorprocess import until
from .stories import story

pytestmark = pytest.mark.asyncio(loop_scope="session")

WRITE = "ChangeResourceRecordSets"
AWS_KEYS = ("AKIALABLABLABLABLAB1", "the-route53-secret-in-no-log")
AZURE_TOKEN = "the-azure-token-in-no-log"
GOOGLE_TOKEN = "the-google-token-in-no-log"
SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
WRONG_SECRET = "d3JvbmcgYW5kIGluIG5vIGxvZyBlaXRoZXI="


class Route53Zone:
    """A zone at the Route 53 emulator, with a name server of its own."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.store = ZoneStore(stage.domain)
        self.faults = Faults()
        self.names = NameServer([self.store])
        self.api = Route53Emulator([self.store], faults=self.faults, access_keys=dict([AWS_KEYS]), throttle=None)

    def manifests(self) -> list[Manifest]:
        secret = self.stage.secret("aws", aws_access_key_id=AWS_KEYS[0], aws_secret_access_key=AWS_KEYS[1])
        return [secret, cloud_zone(self.stage, "aws", self.names, route53={"endpointURL": self.api.url})]


def cloud_zone(stage: Stage, name: str, names: NameServer, **settings: Manifest) -> Manifest:
    """Return a DNSZone at a cloud, verified at that emulator's own name server."""
    secret = {"credentialsSecretRef": {"name": name}}
    return stage.zone(name, rfc2136=None, verification={"nameServers": [names.address]}, **secret, **settings)


@contextlib.asynccontextmanager
async def at_route53(stage: Stage) -> AsyncIterator[Route53Zone]:
    """The stage's zone at Route 53 as well, as an object named `aws`."""
    made = Route53Zone(stage)
    await made.names.start()
    try:
        async with made.api:
            yield made
            await stage.kubectl("delete", "fr,dz", "--all")
    finally:
        await made.names.stop()


@story
async def test_one_record_moves_in_the_zones_of_all_four_providers(stage: Stage) -> None:
    async with at_route53(stage) as aws:
        at_azure, at_google = ZoneStore(stage.domain), ZoneStore(stage.domain)
        azure_names, google_names = NameServer([at_azure]), NameServer([at_google])
        await asyncio.gather(azure_names.start(), google_names.start())
        azure = AzureDNSEmulator(
            [at_azure], subscription=SUBSCRIPTION, resource_group="dns", tokens=[AZURE_TOKEN], quota=None
        )
        google = CloudDNSEmulator(
            {"example": at_google}, project="detour-lab", tokens=[GOOGLE_TOKEN], faults=Faults(), throttle=None
        )
        virginia, netherlands = await stage.places("virginia", "netherlands")
        async with azure, google:
            azure_settings = {"subscriptionID": SUBSCRIPTION, "resourceGroup": "dns", "endpointURL": azure.url}
            await stage.apply(
                *stage.basics(),
                *aws.manifests(),
                stage.secret("azure", accessToken=AZURE_TOKEN),
                stage.secret("google", accessToken=GOOGLE_TOKEN),
                cloud_zone(stage, "azure", azure_names, azureDNS=azure_settings),
                cloud_zone(
                    stage, "google", google_names, googleCloudDNS={"project": "detour-lab", "endpointURL": google.url}
                ),
                stage.record(
                    [virginia, netherlands], zones=[{"name": each} for each in ("zone", "aws", "azure", "google")]
                ),
            )
            await stage.ready()
            stores = (stage.store, aws.store, at_azure, at_google)
            for place, mode in ((virginia, Mode.UP), (netherlands, Mode.REFUSING)):
                await virginia.service.switch(mode)
                await asyncio.gather(*(stage.serves(place.address, store=store) for store in stores))

            async def is_told() -> bool:
                summary = (await stage.status())["summary"]
                return bool(summary == {"serving": "netherlands", "healthy": "1/2", "zones": "4/4"})

            await until(is_told, "the status tells of all four zones")
            await stage.ready()
            table = await stage.kubectl("get", "dz")
            assert [line.split()[2:5] for line in sorted(table.splitlines()[1:])] == [
                ["OK", "route53", "True"],
                ["OK", "azuredns", "True"],
                ["OK", "clouddns", "True"],
                ["OK", "rfc2136", "True"],
            ]
            await stage.kubectl("delete", "fr,dz", "--all")
        await asyncio.gather(azure_names.stop(), google_names.stop())


@story
async def test_a_freeze_also_stops_what_the_provider_has_not_taken_yet(stage: Stage) -> None:
    async with at_route53(stage) as aws:
        virginia, netherlands = await stage.places("virginia", "netherlands")
        await stage.apply(
            *stage.basics(), *aws.manifests(), stage.record([virginia, netherlands], zones=[{"name": "aws"}])
        )
        await stage.ready()
        throttling = aws.faults.inject(Fault(FaultKind.THROTTLE, WRITE, stage.domain))
        await virginia.service.switch(Mode.REFUSING)
        await stage.condition("aws", "Throttled", "True", kind="dz")
        await stage.patch("aws", {"safety": {"frozen": True}}, "dz")
        await stage.condition("aws", "Held", "True", "FrozenByUser", saying=netherlands.address, kind="dz")
        await stage.condition("api", "Published", "False", "Held")
        aws.faults.remove(throttling)
        await stage.condition("aws", "Throttled", "False", kind="dz")
        await asyncio.sleep(3)
        assert stage.published(store=aws.store) == (virginia.address,)
        await stage.patch("aws", {"safety": {"frozen": False}}, "dz")
        await stage.serves(netherlands.address, store=aws.store)


@story
async def test_a_missing_secret_is_named_and_used_once_it_is_there(stage: Stage) -> None:
    (virginia,) = await stage.places("virginia")
    namespace, secret, zone = stage.basics()
    await stage.apply(namespace, zone, stage.record([virginia]))
    told = await stage.condition("zone", "Ready", "False", "SecretMissing", kind="dz")
    assert f"Secret {stage.namespace}/tsig does not exist" in told
    await stage.condition("api", "Published", "False", "SecretMissing", saying="create it")
    await stage.apply(secret)
    await stage.ready("zone", kind="dz")
    await stage.serves(virginia.address)


@story
async def test_an_endpoint_that_the_operator_does_not_permit_is_told_as_such(stage: Stage) -> None:
    """Loopback is permitted for the laboratory; of this address nobody has said that it may have our identity."""
    (virginia,) = await stage.places("virginia")
    namespace, _, _ = stage.basics()
    zone = stage.zone("zone", rfc2136=None, credentialsSecretRef=None, route53={"endpointURL": "https://192.0.2.1"})
    await stage.apply(namespace, zone, stage.record([virginia]))
    told = await stage.condition("zone", "Ready", "False", "EndpointNotPermitted", kind="dz")
    assert "operator's own identity is not sent" in told
    await stage.condition("api", "Published", "False", "EndpointNotPermitted", saying="credentialsSecretRef")


@story
async def test_a_wrong_key_is_refused_and_its_correction_taken_up_without_a_restart(stage: Stage) -> None:
    (virginia,) = await stage.places("virginia")
    namespace, secret, zone = stage.basics()
    wrong = stage.secret(keyName="detour-lab.", secret=WRONG_SECRET)
    await stage.apply(namespace, wrong, zone, stage.record([virginia]))
    await stage.condition("zone", "Ready", "False", "CredentialsRefused", kind="dz")
    await stage.condition("api", "Published", "False", "CredentialsRefused")
    await stage.apply(secret)
    await stage.serves(virginia.address)
    await stage.ready("zone", kind="dz")
    await stage.apply(stage.secret(keyName="detour-lab.", secret="no base64 !"))
    await stage.apply(stage.secret())
    await stage.ready()


@story
async def test_a_secret_without_the_part_that_is_needed_is_told_which(stage: Stage) -> None:
    namespace, _, zone = stage.basics()
    await stage.apply(namespace, stage.secret(keyname="detour-lab.", secret=TSIG_SECRET), zone)
    await stage.condition("zone", "Ready", "False", "CredentialsRefused", saying="keyName", kind="dz")


@story
async def test_while_a_provider_is_away_dns_stays_and_follows_once_it_is_back(stage: Stage) -> None:
    virginia, netherlands = await stage.places("virginia", "netherlands")
    server = NameServer([stage.store], keys={stage.domain: TSIG_KEY})
    await server.start()
    namespace, secret, _ = stage.basics()
    away = stage.zone(rfc2136={"server": server.address})
    await stage.apply(namespace, secret, away, stage.record([virginia, netherlands]))
    await stage.ready()
    await server.stop()
    await virginia.service.switch(Mode.REFUSING)
    told = await stage.condition("api", "Published", "False", "ProviderUnreachable")
    assert server.address in told
    await stage.condition("zone", "Ready", "False", "ProviderUnreachable", kind="dz")
    assert stage.published() == (virginia.address,)
    await server.start()
    await stage.serves(netherlands.address)
    await stage.ready()
    await stage.ready("zone", kind="dz")
    await server.stop()


@story
async def test_a_zone_that_the_provider_does_not_have_is_named(stage: Stage) -> None:
    (virginia,) = await stage.places("virginia")
    missing = f"missing.{stage.domain[1:]}"
    namespace, secret, _ = stage.basics()
    record = stage.record([virginia], hostname=f"api.{missing}")
    await stage.apply(namespace, secret, stage.zone(domain=missing), record)
    await stage.condition("zone", "Ready", "False", "ZoneNotFound", saying=missing, kind="dz")
    await stage.condition("api", "Published", "False", "ZoneNotFound")

    async def is_told() -> bool:
        return [line.split(":")[0] for line in await stage.events("ZoneNotFound")] == ["Warning ZoneNotFound"] * 2

    await until(is_told, "zone and record each have one event")


@story
async def test_a_slow_provider_delays_neither_other_zones_nor_checks(stage: Stage) -> None:
    async with at_route53(stage) as aws:
        virginia, netherlands = await stage.places("virginia", "netherlands")
        both = [{"name": "aws"}, {"name": "zone"}]
        await stage.apply(*stage.basics(), *aws.manifests(), stage.record([virginia, netherlands], zones=both))
        await stage.ready()
        aws.faults.inject(Fault(FaultKind.LATENCY, WRITE, stage.domain, seconds=9, times=1))
        before = netherlands.service.requests
        await virginia.service.switch(Mode.REFUSING)
        await stage.serves(netherlands.address)
        assert stage.published(store=aws.store) == (virginia.address,)
        await stage.condition("api", "Published", "False", "InProgress", saying="aws")
        await stage.serves(netherlands.address, store=aws.store)
        assert netherlands.service.requests - before >= 5
        await stage.ready()


@story
async def test_throttling_is_a_condition_of_the_zone_and_only_delays(stage: Stage) -> None:
    async with at_route53(stage) as aws:
        virginia, netherlands = await stage.places("virginia", "netherlands")
        here = [{"name": "aws"}]
        await stage.apply(*stage.basics(), *aws.manifests(), stage.record([virginia, netherlands], zones=here))
        await stage.ready()
        fault = aws.faults.inject(Fault(FaultKind.THROTTLE, WRITE, stage.domain))
        await virginia.service.switch(Mode.REFUSING)
        await stage.condition("aws", "Throttled", "True", "ProviderQuota", kind="dz")
        assert stage.published(store=aws.store) == (virginia.address,)
        aws.faults.remove(fault)
        await stage.serves(netherlands.address, store=aws.store)
        await stage.condition("aws", "Throttled", "False", kind="dz")
        await stage.ready()


@story
async def test_a_lost_answer_is_settled_by_reading_and_nothing_is_written_twice(stage: Stage) -> None:
    async with at_route53(stage) as aws:
        virginia, netherlands = await stage.places("virginia", "netherlands")
        here = [{"name": "aws"}]
        await stage.apply(*stage.basics(), *aws.manifests(), stage.record([virginia, netherlands], zones=here))
        await stage.ready()
        aws.faults.inject(Fault(FaultKind.RESET_AFTER, WRITE, stage.domain, times=1))
        await virginia.service.switch(Mode.REFUSING)
        await stage.serves(netherlands.address, store=aws.store)
        await stage.ready()
        name = f"api.{stage.domain}"
        written = [each.values for commit in aws.store.log for each in commit.added if each.key == (name, "A")]
        assert written == [(virginia.address,), (netherlands.address,)]


@story
async def test_no_credential_is_in_logs_conditions_or_events(stage: Stage) -> None:
    async with at_route53(stage) as aws:
        (virginia,) = await stage.places("virginia")
        wrong = stage.secret("aws", aws_access_key_id=AWS_KEYS[0], aws_secret_access_key="wrong-and-in-no-log")
        spoiled = stage.secret(keyName="detour-lab.", secret=WRONG_SECRET)
        namespace, _, zone = stage.basics()
        both = [{"name": "zone"}, {"name": "aws"}]
        await stage.apply(namespace, spoiled, zone, wrong, aws.manifests()[1], stage.record([virginia], zones=both))
        for name in ("zone", "aws"):
            await stage.condition(name, "Ready", "False", "CredentialsRefused", kind="dz")
        await stage.apply(stage.secret(), *aws.manifests()[:1])
        await stage.ready()
        operator = await stage.lab.operator()
        told = operator.log.read_text() + await stage.lab.kubectl("get", "fr,dz,region,events", "-A", "-o", "yaml")
        for secret in (TSIG_SECRET, WRONG_SECRET, AWS_KEYS[1], "wrong-and-in-no-log", AZURE_TOKEN, GOOGLE_TOKEN):
            assert secret not in told
        assert "CredentialsRefused" in told
