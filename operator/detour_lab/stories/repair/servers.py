"""The six DNS services of the suite, each with a zone for every domain that it is given.

Three clouds as emulators that want credentials and keep their quotas, a server of the lab for RFC 2136, a real BIND
and a real Knot. All listen on free loopback ports, and all end with the `async with` block.
"""

import enum
import json
import secrets
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, Self

import dns.tsig

from detour_lab.clouds.azuredns import PUBLISHED, AzureDNSEmulator
from detour_lab.clouds.clouddns import DEFAULT_QUOTAS as GOOGLE_QUOTAS
from detour_lab.clouds.clouddns import CloudDNSEmulator, new_service_account
from detour_lab.clouds.labzones import EmulatedZone, LabZone, RealZone
from detour_lab.clouds.route53 import DEFAULT_QUOTAS as ROUTE53_QUOTAS
from detour_lab.clouds.route53 import Route53Emulator
from detour_lab.dns.nameserver import NameServer
from detour_lab.dns.realservers import RealBIND, RealKnot, RealServer, UpdateKey
from detour_lab.faults import Faults
from detour_lab.zones.store import ZoneStore

SUBSCRIPTION = "00000000-0000-4000-8000-000000000053"
RESOURCE_GROUP = "lab-dns"
PROJECT = "detour-lab"
BUDGET_FIELDS = ("requestsPerSecond", "requestsBurst", "changesPerSecond", "changesBurst")
UNLIMITED = 100_000


class Service(enum.StrEnum):
    """A DNS service; the value is a DNS label."""

    ROUTE53 = "route53"
    AZURE = "azure"
    GOOGLE = "google"
    RFC2136 = "rfc2136"
    BIND = "bind"
    KNOT = "knot"


REAL: Mapping[Service, type[RealServer]] = {Service.BIND: RealBIND, Service.KNOT: RealKnot}


class Servers:
    """An async context manager; `domains` are those of each service, none for a service that is not wanted."""

    def __init__(self, domains: Mapping[Service, Sequence[str]], *, throttled: bool = True) -> None:
        """Prepare. `throttled` False lifts the three clouds' quotas, and the budgets that Detour keeps for them."""
        self._domains = {service: tuple(listed) for service, listed in domains.items() if listed}
        self._throttled = throttled
        self._stack = AsyncExitStack()
        self._specs: dict[Service, Mapping[str, Any]] = {}
        self._secrets: dict[Service, Mapping[str, str]] = {}
        self.zones: dict[str, LabZone] = {}

    async def __aenter__(self) -> Self:
        """Start everything.

        Raises MissingServerError where BIND or Knot is wanted and not installed, RuntimeError where it doesn't start.
        """
        starters = {
            Service.ROUTE53: self._start_route53,
            Service.AZURE: self._start_azure,
            Service.GOOGLE: self._start_google,
            Service.RFC2136: self._start_rfc2136,
        }
        async with AsyncExitStack() as stack:
            for service, domains in self._domains.items():
                if service in REAL:
                    await self._start_real(stack, service, domains)
                else:
                    await starters[service](stack, domains)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()

    def zone_spec(self, service: Service, domain: str) -> dict[str, Any]:
        """Return the `spec` of the DNSZone for `domain`, whose Secret is named as the service."""
        budget = {} if self._throttled else {"budget": dict.fromkeys(BUDGET_FIELDS, UNLIMITED)}
        return {"domain": domain, "credentialsSecretRef": {"name": service.value}, **self._specs[service], **budget}

    def secret(self, service: Service) -> Mapping[str, str]:
        """Return the data of the Secret that opens a service's zones. It opens this lab and nothing else."""
        return self._secrets[service]

    # -- the three clouds ------------------------------------------------------------------------------------------

    async def _start_route53(self, stack: AsyncExitStack, domains: Sequence[str]) -> None:
        key = ("AKIA" + secrets.token_hex(8).upper(), secrets.token_urlsafe(30))
        stores, faults, server = await self._serve(stack, Service.ROUTE53, domains)
        quotas = ROUTE53_QUOTAS if self._throttled else None
        api = Route53Emulator(stores, faults=faults, access_keys=dict([key]), throttle=quotas)
        await stack.enter_async_context(api)
        self._secrets[Service.ROUTE53] = {"aws_access_key_id": key[0], "aws_secret_access_key": key[1]}
        self._specs[Service.ROUTE53] = {"route53": {"endpointURL": api.url}, **_asked_at(server)}

    async def _start_azure(self, stack: AsyncExitStack, domains: Sequence[str]) -> None:
        token = secrets.token_urlsafe(30)
        stores, faults, server = await self._serve(stack, Service.AZURE, domains)
        api = AzureDNSEmulator(
            stores,
            subscription=SUBSCRIPTION,
            resource_group=RESOURCE_GROUP,
            tokens=[token],
            faults=faults,
            quota=PUBLISHED if self._throttled else None,
        )
        await stack.enter_async_context(api)
        account = {"subscriptionID": SUBSCRIPTION, "resourceGroup": RESOURCE_GROUP, "endpointURL": api.url}
        self._secrets[Service.AZURE] = {"accessToken": token}
        self._specs[Service.AZURE] = {"azureDNS": account, **_asked_at(server)}

    async def _start_google(self, stack: AsyncExitStack, domains: Sequence[str]) -> None:
        stores, faults, server = await self._serve(stack, Service.GOOGLE, domains)
        api = CloudDNSEmulator(
            {store.domain.replace(".", "-"): store for store in stores},
            project=PROJECT,
            faults=faults,
            tokens=(),
            throttle=GOOGLE_QUOTAS if self._throttled else None,
        )
        await stack.enter_async_context(api)
        account = new_service_account("detour", project=PROJECT, token_uri=api.token_uri)
        api.tokens.trust(account)
        self._secrets[Service.GOOGLE] = {"service-account.json": json.dumps(dict(account.key_file))}
        self._specs[Service.GOOGLE] = {
            "googleCloudDNS": {"project": PROJECT, "endpointURL": api.url},
            **_asked_at(server),
        }

    # -- servers for RFC 2136 --------------------------------------------------------------------------------------

    async def _start_rfc2136(self, stack: AsyncExitStack, domains: Sequence[str]) -> None:
        key = UpdateKey.random()
        signed = dns.tsig.Key(key.name, key.secret, key.algorithm)
        _, _, server = await self._serve(stack, Service.RFC2136, domains, key=signed)
        self._secrets[Service.RFC2136] = key.as_secret()
        self._specs[Service.RFC2136] = {"rfc2136": {"server": server.address}}

    async def _start_real(self, stack: AsyncExitStack, service: Service, domains: Sequence[str]) -> None:
        key = UpdateKey.random()
        server = REAL[service](domains[0], key, more_domains=domains[1:])
        await stack.enter_async_context(server)
        for domain in domains:
            self.zones[domain] = RealZone(domain, server.program, domain, server)
        self._secrets[service] = key.as_secret()
        self._specs[service] = {"rfc2136": {"server": server.address}}

    async def _serve(
        self, stack: AsyncExitStack, service: Service, domains: Sequence[str], *, key: dns.tsig.Key | None = None
    ) -> tuple[list[ZoneStore], Faults, NameServer]:
        """Make a store for each domain and serve them all; return them with the faults of their API."""
        stores = [ZoneStore(domain) for domain in domains]
        server = NameServer(stores, keys=dict.fromkeys(domains, key) if key else None, answers_only=key is None)
        await server.start()
        stack.push_async_callback(server.stop)
        faults = server.faults if service is Service.RFC2136 else Faults()
        for store in stores:
            self.zones[store.domain] = EmulatedZone(store.domain, service.value, store, server, faults)
        return stores, faults, server


def _asked_at(server: NameServer) -> dict[str, Any]:
    return {"verification": {"nameServers": [server.address]}}
