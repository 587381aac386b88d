"""A probe in another place, with all its parts, at the API server in memory."""

import asyncio
import copy
import random
from collections.abc import Collection, Mapping

from prometheus_client import CollectorRegistry

from detour.app.probe.assembly import WATCHED, ProbeAssembly, ProbePorts
from detour.checks.resolver import Resolution, ResolutionOutcome
from detour.engine.clock import Clock
from detour.engine.metrics import Metrics
from detour.kube.kinds import DeletionSeen, Listed, Seen
from detour.kube.lease import VANTAGE
from detour.model.checks import CheckResult, Target

from .apiserver import Connection
from .world import LEASE, WALL, World

NAMESPACE = LEASE[0]


class Elsewhere:
    """A probe for the vantage `name`. `down` are addresses that fail there, `is_blind` makes all fail.

    Those `beyond_reach` cannot be checked there.

    `names` are what hostnames lead to there, the same as in `world` where that is not said.

    While its `connection` is cut it reaches nobody at the API server. `clock_error` is how far its clock is ahead.
    """

    def __init__(
        self,
        world: World,
        name: str,
        *,
        has_references: bool = False,
        names: Mapping[str, tuple[str, ...]] | None = None,
        beyond_reach: Collection[str] = (),
    ) -> None:
        loop = asyncio.get_running_loop()
        self.name = name
        self.down: set[str] = set()
        self.names = world.names if names is None else names
        self.is_blind = False
        self.beyond_reach = beyond_reach
        self.clock_error = 0.0
        self.connection = Connection(world.api)
        self._world = world
        world.api.leases[NAMESPACE, f"vantage-{name}"] = {
            "metadata": {"name": f"vantage-{name}", "labels": {VANTAGE: name}, "resourceVersion": "1"},
            "spec": {},
        }
        self.clock = Clock(now=loop.time, wall=lambda: WALL + loop.time() + self.clock_error)
        self.parts = ProbeAssembly(
            ProbePorts(
                self.connection,
                read_config_map=self.connection.read_config_map,
                check=self._check,
                resolve=self._resolve,
                references=self._references if has_references else None,
            ),
            name=name,
            lease=(NAMESPACE, f"vantage-{name}"),
            instance=f"{name}_1",
            clock=self.clock,
            randomness=random.Random(name),
            metrics=Metrics(CollectorRegistry()),
            checks_in_flight=100,
        )
        world.api.watchers.append(self._watch)
        self._work = [asyncio.create_task(run()) for run in self.parts.work.values()]
        for kind in WATCHED:
            raws = [copy.deepcopy(raw) for key, raw in world.api.objects.items() if key[0] is kind]
            self.parts.take(Listed(kind, raws, self.clock.now()))

    async def stop(self) -> None:
        """End at once."""
        if self._watch not in self._world.api.watchers:
            return
        self._world.api.watchers.remove(self._watch)
        for task in self._work:
            task.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)

    def _watch(self, message: Seen | DeletionSeen) -> None:
        if message.kind in WATCHED and not self.connection.is_cut:
            self.parts.take(message)

    async def _check(self, target: Target) -> CheckResult:
        await asyncio.sleep(0.01)
        if target.address in self.beyond_reach:
            return CheckResult(None, "NoRoute", "this host has no route there", 0.0)
        passed = not self.is_blind and target.address not in self.down
        return CheckResult(passed, "" if passed else "Refused", "" if passed else "connection refused", 0.01)

    async def _resolve(self, hostname: str) -> Resolution:
        await asyncio.sleep(0.01)
        found = self.names.get(hostname, ())
        return Resolution(ResolutionOutcome.ANSWERED if found else ResolutionOutcome.NO_ADDRESSES, found, 5.0)

    async def _references(self) -> bool:
        await asyncio.sleep(0.01)
        return not self.is_blind
