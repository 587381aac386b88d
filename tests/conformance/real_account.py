"""The suite in a user's own account: `make conformance PROVIDER=route53 ZONE=example.com`.

It works below one random label of the zone, `detour-<random>.<zone>`, and removes what it made, also after a failure.
Tests that need faults or the whole zone are not made. Credentials come from the environment, as each SDK finds them:

    route53   the AWS default chain                           optional AWS_ROUTE53_ZONE_ID
    azuredns  DefaultAzureCredential                          AZURE_SUBSCRIPTION_ID, AZURE_RESOURCE_GROUP
    clouddns  Application Default Credentials                 GOOGLE_CLOUD_PROJECT, optional CLOUDDNS_MANAGED_ZONE
    rfc2136   TSIG_KEY_NAME, TSIG_SECRET, TSIG_ALGORITHM      RFC2136_SERVER (address:port)
"""

import asyncio
import os
import secrets
from collections.abc import Awaitable, Callable, Collection
from typing import ClassVar, TypeVar

import dns.rdata
import pytest

from detour.enactment.contract import (
    Batch,
    Change,
    Provider,
    ProviderLimits,
    Secret,
    ThrottledError,
    ZoneContents,
    ZoneFacts,
)
from detour.model.names import is_within
from detour.model.rrset import RRKey, RRset, RRType
from detour.model.zone import (
    AzureDNSSettings,
    GoogleCloudDNSSettings,
    ProviderSettings,
    RFC2136Settings,
    Route53Settings,
)

from .backends import Backend

PATIENCE = 60
"""Times that a throttled request is repeated, about a second apart."""

T = TypeVar("T")


class PatientProvider:
    """A provider that waits where a real service asks for it, which says that nothing was applied."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    @property
    def limits(self) -> ProviderLimits:
        return self._provider.limits

    async def describe(self) -> ZoneFacts:
        return await patiently(self._provider.describe)

    async def read_zone(self) -> ZoneContents:
        return await patiently(self._provider.read_zone)

    async def read_names(self, names: Collection[str]) -> ZoneContents:
        return await patiently(lambda: self._provider.read_names(names))

    async def apply(self, batch: Batch) -> ZoneContents:
        return await patiently(lambda: self._provider.apply(batch))

    async def close(self) -> None:
        await self._provider.close()


async def patiently(call: Callable[[], Awaitable[T]]) -> T:
    """Return what `call` returns, repeating it while the service asks for patience."""
    for _ in range(PATIENCE):
        try:
            return await call()
        except ThrottledError as error:
            await asyncio.sleep(error.retry_after or 1.0)
    return await call()


class RealAccount(Backend):
    """A zone in an account of the user's."""

    own_zone = False
    stoppable = False
    wrong_key = False
    keeps_spelling = False  # what an outsider writes here passes through the provider itself
    provider_name: ClassVar[str]
    zone: ClassVar[str]

    def __init__(self) -> None:
        self.domain = self.zone
        super().__init__()
        self.base = f"detour-{secrets.token_hex(4)}.{self.domain}"

    def settings(self) -> ProviderSettings:
        match self.provider_name:
            case "route53":
                return Route53Settings(zone_id=os.environ.get("AWS_ROUTE53_ZONE_ID"))
            case "azuredns":
                return AzureDNSSettings(needed("AZURE_SUBSCRIPTION_ID"), needed("AZURE_RESOURCE_GROUP"))
            case "clouddns":
                return GoogleCloudDNSSettings(needed("GOOGLE_CLOUD_PROJECT"), os.environ.get("CLOUDDNS_MANAGED_ZONE"))
            case _:
                return RFC2136Settings(needed("RFC2136_SERVER"))

    def secret(self) -> Secret | None:
        if self.provider_name != "rfc2136" or "TSIG_KEY_NAME" not in os.environ:
            return None
        key = {"keyName": needed("TSIG_KEY_NAME"), "secret": needed("TSIG_SECRET")}
        return {**key, "algorithm": os.environ.get("TSIG_ALGORITHM", "hmac-sha256")}

    def wrong_secret(self) -> Secret:
        raise NotImplementedError("a real account is not asked with wrong keys: it may lock somebody out")

    async def open(self, *, domain: str | None = None, secret: Secret | None = None) -> Provider:
        return PatientProvider(await super().open(domain=domain, secret=secret))

    async def start(self) -> None:
        """Nothing to start: the service is there."""

    async def stop(self) -> None:
        """Remove everything below the random label."""
        provider = await self.open()
        try:
            await self._remove_all(provider)
        finally:
            await provider.close()

    async def _remove_all(self, provider: Provider) -> None:
        found = (await provider.read_zone()).sets
        changes = [Change(each, None) for key, each in found.items() if is_within(key.name, self.base)]
        step = max(1, min(100, provider.limits.batch_elements - 1))
        while changes:
            batch, changes = changes[:step], changes[step:]
            await provider.apply(Batch(batch[0], tuple(batch[1:])))

    async def put(self, name: str, rrtype: str, ttl: int, values: tuple[str, ...]) -> None:
        plain = tuple(_plain(rrtype, value) for value in values)
        rrset = RRset(name, RRType(rrtype), ttl, plain)
        provider = await self.open()
        try:
            old = (await provider.read_names([name])).sets.get(rrset.key)
            await provider.apply(Batch(Change(old, rrset)))
        finally:
            await provider.close()

    async def remove(self, name: str, rrtype: str) -> None:
        provider = await self.open()
        try:
            old = (await provider.read_names([name])).sets[RRKey(name, RRType(rrtype))]
            await provider.apply(Batch(Change(old, None)))
        finally:
            await provider.close()


def _plain(rrtype: str, value: str) -> str:
    if rrtype != "TXT":
        return value
    text = dns.rdata.from_text("IN", "TXT", value)
    return b"".join(text.strings).decode()  # type: ignore[attr-defined]  # dnspython returns the type's own class


def needed(variable: str) -> str:
    """Return an environment variable, or end the run saying which one is missing."""
    if not os.environ.get(variable):
        pytest.exit(f"set {variable} in the environment (see tests/conformance/real_account.py)", returncode=2)
    return os.environ[variable]


def account_backend(provider: str, zone: str) -> type[RealAccount]:
    """Return the backend of `zone` at `provider`."""
    atomic = provider != "azuredns"
    attributes = {
        "name": f"account-{provider}",
        "provider_name": provider,
        "zone": zone.rstrip(".").lower(),
        "atomic": atomic,
        "compares_ttl": provider != "rfc2136",
    }
    return type("NamedAccount", (RealAccount,), attributes)


def how_to_report(provider: str, *, passed: int, on: str) -> str:
    """Return what to tell the user after a run without failures."""
    return (
        f"All {passed} tests passed. To let others know, add this line under 'Verified against' in\n"
        f"operator/detour/providers/{provider}/README.md and open a pull request:\n\n"
        f"    * {on}: the real service, {passed} conformance tests, Detour <version>, by <your name>\n"
    )
