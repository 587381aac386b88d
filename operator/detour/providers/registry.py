"""Which provider serves which kind of zone. Adding a provider means adding its line here.

A provider's modules, and the SDK behind them, are imported when the first zone of its kind appears: the three SDKs
together take more than a second and 100 MB, which an installation with one of them need not pay.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any, Protocol, cast

from detour.enactment.contract import Pace, Provider, ProviderLimits, Secret
from detour.model.zone import (
    AzureDNSSettings,
    GoogleCloudDNSSettings,
    ProviderSettings,
    RFC2136Settings,
    Route53Settings,
    Zone,
)
from detour.providers.endpoints import PermittedEndpoints, check_endpoint


class ProviderModule(Protocol):
    """What a provider's package exports."""

    LIMITS: ProviderLimits

    async def open_zone(
        self, *, domain: str, settings: Any, secret: Secret | None, limits: ProviderLimits, pace: Pace, **more: Any
    ) -> Provider:
        """Return the provider of one zone.

        One whose settings name an endpoint also takes `quotes`: False where the endpoint's words must not be told.
        """
        ...

    def account(self, settings: Any, secret: Secret | None) -> str:
        """Return a word that is equal for zones that share one account's quota."""
        ...


@dataclass(frozen=True, slots=True)
class ProviderKind:
    """A provider's name, for people and metrics, and the package that implements it."""

    name: str
    package: str

    def load(self) -> ProviderModule:
        """Import the package; the first time may take a second, so do it in a thread."""
        return cast(ProviderModule, import_module(self.package))


KINDS: Mapping[type[ProviderSettings], ProviderKind] = {
    Route53Settings: ProviderKind("route53", "detour.providers.route53"),
    AzureDNSSettings: ProviderKind("azuredns", "detour.providers.azuredns"),
    GoogleCloudDNSSettings: ProviderKind("clouddns", "detour.providers.clouddns"),
    RFC2136Settings: ProviderKind("rfc2136", "detour.providers.rfc2136"),
}


def kind_of(settings: ProviderSettings) -> ProviderKind:
    """Return the provider that `settings` are for."""
    return KINDS[type(settings)]


def limits_for(zone: Zone) -> ProviderLimits:
    """Return the quotas in force for `zone`: its provider's own, but for what its budget overrides."""
    budget = zone.budget
    overrides = {
        "requests_per_second": budget.requests_per_second,
        "requests_burst": budget.requests_burst,
        "changes_per_second": budget.changes_per_second,
        "changes_burst": budget.changes_burst,
        "sets_per_zone": budget.sets_per_zone,
    }
    given: dict[str, Any] = {name: value for name, value in overrides.items() if value is not None}
    return replace(kind_of(zone.settings).load().LIMITS, **given)


def account_of(zone: Zone, secret: Secret | None) -> str:
    """Return a word that is equal for zones that share one account's quota; no credential can be read from it."""
    kind = kind_of(zone.settings)
    return f"{kind.name}-{kind.load().account(zone.settings, secret)}"


async def open_zone(
    zone: Zone, *, secret: Secret | None, pace: Pace, permitted: PermittedEndpoints | None = None
) -> Provider:
    """Return the provider of `zone`; `permitted` are the endpoints that the operator was started with.

    Raises CredentialsRefusedError where `secret` is unusable, EndpointNotPermittedError where nothing may be sent to
    the endpoint that the zone declares (see `endpoints`), and UnexpectedAnswerError where it holds what nobody foresaw.
    """
    is_trusted = check_endpoint(zone, has_secret=secret is not None, permitted=permitted)
    module = kind_of(zone.settings).load()
    return await module.open_zone(
        domain=zone.domain,
        settings=zone.settings,
        secret=secret,
        limits=limits_for(zone),
        pace=pace,
        **({} if is_trusted else {"quotes": False}),
    )
