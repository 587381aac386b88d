"""The DNS services of a lab: Route 53, Azure DNS, Google Cloud DNS and a server for RFC 2136, one zone each.

All four hold the same domain, as a zone does that is served by several providers. Each has a name server of its own
address. The three APIs want credentials and keep their quotas, as the real ones do.
"""

import json
import secrets
from collections.abc import Mapping
from contextlib import AsyncExitStack

import dns.tsig

from detour_lab.clouds.azuredns import PUBLISHED, AzureDNSEmulator
from detour_lab.clouds.clouddns import DEFAULT_QUOTAS as GOOGLE_QUOTAS
from detour_lab.clouds.clouddns import CloudDNSEmulator, new_service_account
from detour_lab.clouds.labzones import EmulatedZone, LabZone, RealZone
from detour_lab.clouds.route53 import DEFAULT_QUOTAS as ROUTE53_QUOTAS
from detour_lab.clouds.route53 import Route53Emulator
from detour_lab.dns.nameserver import NameServer
from detour_lab.dns.realservers import MissingServerError, RealBIND, UpdateKey
from detour_lab.faults import Faults
from detour_lab.loopback import LoopbackBlock
from detour_lab.zones.store import ZoneStore

DOMAIN = "shop.example.com"
NAME_SERVER_PORT = 5300
"""Not 5353, which desktops give to multicast DNS on all addresses."""
API_PORT = 8053

ROUTE53, AZURE, GOOGLE, BIND = "shop-route53", "shop-azure", "shop-google", "shop-bind"
NAME_SERVERS = {ROUTE53: 11, AZURE: 12, GOOGLE: 13}
"""The last octet of each zone's name server, in 127.N.0.0/24."""
APIS = {ROUTE53: 21, AZURE: 22, GOOGLE: 23}

SUBSCRIPTION = "00000000-0000-4000-8000-000000000053"
RESOURCE_GROUP = "lab-dns"
PROJECT = "detour-lab"
MANAGED_ZONE = "shop-example-com"


class Clouds:
    """Made with fresh credentials; `start` opens everything and leaves the closing to the stack that it is given.

    `google_token` is a bearer token beside the service account's own, for those who have no client that fetches one.
    """

    def __init__(self, block: LoopbackBlock, *, throttled: bool, real_bind: bool) -> None:
        """Prepare. `throttled` False lifts the APIs' quotas; `real_bind` False doesn't look for BIND."""
        self._block = block
        self._real_bind = real_bind
        self._access_key = ("AKIA" + secrets.token_hex(8).upper(), secrets.token_urlsafe(30))
        self._azure_token = secrets.token_urlsafe(30)
        self._google_key: Mapping[str, str] = {}
        self.google_token = secrets.token_urlsafe(30)
        self._tsig = UpdateKey.random()
        self.notes: list[str] = []
        self.zones: dict[str, LabZone] = {}
        self._emulated = [
            self._emulated_zone(ROUTE53, "Route 53", "route53.test"),
            self._emulated_zone(AZURE, "Azure DNS", "azuredns.test"),
            self._emulated_zone(GOOGLE, "Google Cloud DNS", "googledomains.test"),
        ]
        route53, azure, google = self._emulated
        self.route53 = Route53Emulator(
            [route53.store],
            faults=route53.api_faults,
            host=block.address(0, APIS[ROUTE53]),
            port=API_PORT,
            access_keys=dict([self._access_key]),
            throttle=ROUTE53_QUOTAS if throttled else None,
        )
        self.azure = AzureDNSEmulator(
            [azure.store],
            subscription=SUBSCRIPTION,
            resource_group=RESOURCE_GROUP,
            tokens=[self._azure_token],
            faults=azure.api_faults,
            host=block.address(0, APIS[AZURE]),
            port=API_PORT,
            quota=PUBLISHED if throttled else None,
        )
        self.google = CloudDNSEmulator(
            {MANAGED_ZONE: google.store},
            project=PROJECT,
            faults=google.api_faults,
            host=block.address(0, APIS[GOOGLE]),
            port=API_PORT,
            tokens=[self.google_token],
            throttle=GOOGLE_QUOTAS if throttled else None,
        )

    async def start(self, stack: AsyncExitStack) -> None:
        """Open everything. Raises OSError where an address is taken, RuntimeError where BIND doesn't start."""
        for zone in self._emulated:
            await zone.server.start()
            stack.push_async_callback(zone.server.stop)
            self.zones[zone.name] = zone
        for api in (self.route53, self.azure, self.google):
            await stack.enter_async_context(api)
        account = new_service_account("detour", project=PROJECT, token_uri=self.google.token_uri)
        self.google.tokens.trust(account)
        self._google_key = account.key_file
        self.zones[BIND] = await self._start_bind(stack)

    @property
    def apis(self) -> Mapping[str, str]:
        """The URL of each API, by the name of its zone."""
        return {ROUTE53: self.route53.url, AZURE: self.azure.url, GOOGLE: self.google.url}

    @property
    def hosted_zone_id(self) -> str:
        """The ID of the hosted zone at Route 53."""
        return self.route53.zone_id(self._emulated[0].store)

    def credentials(self) -> Mapping[str, Mapping[str, str]]:
        """Return the data of each Secret that the quickstart's zones name. They open this lab and nothing else."""
        return {
            "route53-credentials": {
                "aws_access_key_id": self._access_key[0],
                "aws_secret_access_key": self._access_key[1],
            },
            "azure-credentials": {"accessToken": self._azure_token},
            "google-credentials": {"service-account.json": json.dumps(dict(self._google_key))},
            "bind-tsig": self._tsig.as_secret(),
        }

    def _emulated_zone(self, name: str, provider: str, name_servers: str) -> EmulatedZone:
        store = ZoneStore(
            DOMAIN, name_servers=(f"ns1.{name_servers}", f"ns2.{name_servers}"), counts_commits=name == GOOGLE
        )
        host = self._block.address(0, NAME_SERVERS[name])
        server = NameServer([store], host=host, port=NAME_SERVER_PORT, answers_only=True)
        return EmulatedZone(name, provider, store, server, Faults())

    async def _start_bind(self, stack: AsyncExitStack) -> LabZone:
        # BIND listens on addresses that an interface has been given, and loopback has been given this one.
        host, port = "127.0.0.1", self._block.plain_port
        if self._real_bind:
            real = RealBIND(DOMAIN, self._tsig, host=host, port=port)
            try:
                await stack.enter_async_context(real)
            except MissingServerError as error:
                self.notes.append(f"{error}. Until then the lab's own name server stands in for BIND.")
            else:
                return RealZone(BIND, "BIND", DOMAIN, real)
        store = ZoneStore(DOMAIN)
        key = dns.tsig.Key(self._tsig.name, self._tsig.secret, dns.tsig.HMAC_SHA256)
        server = NameServer([store], host=host, port=port, keys={DOMAIN: key})
        await server.start()
        stack.push_async_callback(server.stop)
        return EmulatedZone(BIND, "RFC 2136", store, server, server.faults)
