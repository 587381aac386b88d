"""What the engine asks of the world around it, and how that may fail."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from detour.enactment.contract import Pace, Provider, ProviderLimits, Secret
from detour.model.rrset import RRset
from detour.model.zone import ProviderSettings, Zone

NOT_REACHED = 0
NONSENSE = 200
"""What `ClusterError.status` is where nobody answered, and where the answer is not what it should be."""


class ClusterError(Exception):
    """A call to the API server failed. `status` is the HTTP status, NOT_REACHED or NONSENSE.

    The text never quotes an answer.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class OpenZone(Protocol):
    """How a zone's provider is opened; `registry.open_zone` says what it may raise."""

    async def __call__(self, zone: Zone, *, secret: Secret | None, pace: Pace) -> Provider: ...


@dataclass(frozen=True, slots=True)
class Providers:
    """The DNS providers, by what a DNSZone declares.

    `name_of` gives what a provider is called, `account_of` a word that is equal for zones that share one account's
    quota, `limits_of` the quotas in force, `delete_command` the command with which a person deletes a set.
    """

    name_of: Callable[[ProviderSettings], str]
    account_of: Callable[[Zone, Secret | None], str]
    limits_of: Callable[[Zone], Awaitable[ProviderLimits]]
    open_zone: OpenZone
    delete_command: Callable[[Zone, RRset], str]
