"""Two replicas of the operator on one stage: the one that the stage has started, and a standby beside it.

Both run as the chart's Deployment says, under its service account; a Kubernetes Lease says which of them leads.
"""

import asyncio
from types import TracebackType
from typing import Self

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from detour_lab.stage.chart import operator_command
from detour_lab.stage.operatorprocess import OperatorProcess
from detour_lab.stage.stage import (
    IDENTITY,
    PATIENCE,
    RELEASE,
    RELEASE_NAMESPACE,
    Stage,
    StageError,
    leases_of,
    wait_for,
)
from detour_lab.stories.october.standstill import until_stopped

LEASE = "--lease="
STANDBY = f"{RELEASE}-standby"
LEAD_TIMEOUT = PATIENCE
"""Seconds within which somebody must lead: a Lease that nobody renews has to run out first."""

METRICS_TIMEOUT = 5.0
REQUESTS = "detour_provider_requests_total"


class Replicas:
    """An async context manager: `leader` is the stage's operator, which leads already; `standby` is started here."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._lease_namespace = self._lease = ""
        self.leader = stage.operator
        self.standby: OperatorProcess

    async def __aenter__(self) -> Self:
        """Start the standby. Raises OperatorError where it doesn't start, StageError where nobody leads yet."""
        command = await asyncio.to_thread(operator_command, self._stage.plane, RELEASE, RELEASE_NAMESPACE)
        lease = next((each.removeprefix(LEASE) for each in command.argv if each.startswith(LEASE)), None)
        if lease is None:
            raise StageError(
                f"the chart's Deployment gives the operator no {LEASE}: two replicas would not elect a leader"
            )
        self._lease_namespace, _, self._lease = lease.partition("/")
        await wait_for(self._has_leader, timeout=LEAD_TIMEOUT, what="a Lease with a holder", interval=0.3)
        arguments = [each for each in command.argv[2:] if not each.startswith(IDENTITY)]
        self.standby = OperatorProcess(
            [*arguments, f"{IDENTITY}{STANDBY}"], environment=command.environment, name=STANDBY
        )
        await self.standby.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.standby.close()

    async def holder(self) -> str:
        """Return the identity that the Lease names, empty where there is no Lease or it names nobody."""
        leases = await self._stage.read(leases_of(self._lease_namespace))
        found = (each for each in leases if each["metadata"]["name"] == self._lease)
        return next((str(each["spec"].get("holderIdentity") or "") for each in found), "")

    async def stop_leader(self) -> None:
        """Stop the leader (SIGSTOP) and wait until it stands still."""
        self.leader.pause()
        await until_stopped(self.leader.pid)

    async def taken_over(self) -> None:
        """Wait until the Lease names the standby. Raises StageError after LEAD_TIMEOUT seconds."""
        await wait_for(self._standby_leads, timeout=LEAD_TIMEOUT, what="the standby's Lease", interval=0.3)

    async def _standby_leads(self) -> bool:
        return await self.holder() == STANDBY

    async def _has_leader(self) -> bool:
        return bool(await self.holder())


async def unsuccessful_batches(operator: OperatorProcess, zone: str) -> int:
    """Return how many batches for `zone` this operator knows to be refused or lost, by its own metrics."""
    timeout = aiohttp.ClientTimeout(total=METRICS_TIMEOUT)
    async with aiohttp.ClientSession(timeout=timeout) as client, client.get(f"{operator.url}/metrics") as answer:
        text = await answer.text()
    return sum(
        int(sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == REQUESTS and sample.labels["zone"] == zone and sample.labels["result"] in ("refused", "lost")
    )
