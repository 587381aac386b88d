"""A provider whose every fault is one of the contract's errors.

An adapter foresees what it can. What it does not foresee (an SDK's parser that stumbles over a page of HTML, a Secret
with a stray octet) must end the call that met it, and nothing else. The text of such an exception may quote what was
sent, so only its type is told.
"""

import asyncio
import logging
from collections.abc import Awaitable, Collection
from types import UnionType
from typing import TypeVar

from detour.enactment.cancellation import is_of_a_library
from detour.enactment.contract import (
    Batch,
    ChangedNames,
    OutcomeUnknownError,
    Provider,
    ProviderError,
    ProviderLimits,
    UnexpectedAnswerError,
    ZoneContents,
    ZoneFacts,
)
from detour.model.defects import told

logger = logging.getLogger(__name__)

Found = TypeVar("Found")


class GuardedProvider:
    """Implements Provider by another one. What `apply` returns is believed only where it tells of every set written."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    @property
    def limits(self) -> ProviderLimits:
        return self._provider.limits

    async def describe(self) -> ZoneFacts:
        return await _reading("describing the zone", self._provider.describe(), ZoneFacts)

    async def read_zone(self) -> ZoneContents:
        return await _reading("reading the zone", self._provider.read_zone(), ZoneContents)

    async def read_names(self, names: Collection[str]) -> ZoneContents:
        return await _reading("reading names", self._provider.read_names(names), ZoneContents)

    async def changed_since(self, mark: str) -> ChangedNames | None:
        return await _reading("asking what has changed", self._provider.changed_since(mark), ChangedNames | None)

    async def apply(self, batch: Batch) -> ZoneContents:
        try:
            stored = await self._provider.apply(batch)
            written = {change.new.key for change in (batch.ledger, *batch.changes) if change.new is not None}
            is_whole = isinstance(stored, ZoneContents) and written <= set(stored.sets)
        except ProviderError:
            raise
        except asyncio.CancelledError as error:
            if not is_of_a_library():
                raise
            raise OutcomeUnknownError(_told("writing to the zone", error)) from None
        except Exception as error:
            raise OutcomeUnknownError(_told("writing to the zone", error)) from None
        if not is_whole:
            raise OutcomeUnknownError("the provider's answer to a write does not tell of every set that was written")
        return stored

    async def close(self) -> None:
        """Release connections, as far as that can be done."""
        try:
            await self._provider.close()
        except Exception as error:
            logger.warning("a connection to a provider could not be closed: %s", type(error).__name__)


async def _reading(what: str, answer: Awaitable[Found], kind: type[Found] | UnionType) -> Found:
    try:
        found = await answer
    except ProviderError:
        raise
    except asyncio.CancelledError as error:
        if not is_of_a_library():
            raise
        raise UnexpectedAnswerError(_told(what, error)) from None
    except Exception as error:
        raise UnexpectedAnswerError(_told(what, error)) from None
    if not isinstance(found, kind):
        raise UnexpectedAnswerError(f"{what} ended with something that is no answer")
    return found


def _told(what: str, error: BaseException) -> str:
    logger.error("%s: %s", what, told(error))
    return f"{what} ended in an error that Detour does not know ({type(error).__name__})"
