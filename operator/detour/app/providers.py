"""The providers that there are, as the engine asks for them."""

import asyncio

from detour.enactment.contract import ProviderLimits
from detour.engine.ports import Providers
from detour.model.zone import ProviderSettings, Zone
from detour.providers import registry
from detour.providers.commands import delete_command


def _name_of(settings: ProviderSettings) -> str:
    return registry.kind_of(settings).name


async def _limits_of(zone: Zone) -> ProviderLimits:
    await asyncio.to_thread(registry.kind_of(zone.settings).load)  # importing an SDK takes its time
    return registry.limits_for(zone)


PROVIDERS = Providers(_name_of, registry.account_of, _limits_of, registry.open_zone, delete_command)
