"""`detour check`: makes the checks of records and regions once, from where it stands, and publishes nothing.

For whoever writes a FailoverRecord: does each endpoint pass, as Detour would check it? A file need not be applied.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from detour.checks.guard import NetworkGuard
from detour.checks.http import HTTPProber
from detour.checks.resolver import Resolution, ResolutionOutcome, Resolver, too_few, with_enough
from detour.checks.run import run_check
from detour.cli.validate import filled, objects_in
from detour.engine.canaries import as_records
from detour.engine.checktargets import checks_of, target_of
from detour.engine.clock import Clock
from detour.engine.ports import ClusterError
from detour.health.combined import Part, combined
from detour.health.thresholds import Streak
from detour.kube.cluster import Cluster
from detour.kube.translate import DeclarationError, ca_bundle_reference, record_from, region_from
from detour.model.checks import CheckResult, DNSCheck, HTTPCheck, NamedCheck, Probe, Target
from detour.model.endpoint import AdminState, Endpoint
from detour.model.health import Verdict
from detour.model.objects import Kind
from detour.model.record import Record

KINDS = {"FailoverRecord": Kind.FAILOVER_RECORD, "CloudRegion": Kind.CLOUD_REGION}
COLUMNS = ("ENDPOINT", "ADDRESS", "RESULT", "TIME", "WHY")


@dataclass(frozen=True, slots=True)
class CheckSettings:
    """What is to be checked: a file (`-` for standard input), or the name of a FailoverRecord, in `namespace`."""

    what: str
    namespace: str = "default"
    kubeconfig: str | None = None
    context: str | None = None
    resolver: str | None = None
    allow_networks: tuple[str, ...] = ()
    deny_networks: tuple[str, ...] = ()
    checks_in_flight: int = 500


VERDICTS = {True: Verdict.HEALTHY, False: Verdict.UNHEALTHY, None: Verdict.UNKNOWN}
"""What a check shows, as the verdict that it would be."""


@dataclass(frozen=True, slots=True)
class Line:
    """What came of one address of an endpoint; `passed` None where nothing was learned."""

    endpoint: str
    address: str
    passed: bool | None
    seconds: float | None = None
    why: str = ""

    def cells(self) -> tuple[str, ...]:
        """Return what the columns show."""
        result = {True: "passes", False: "fails", None: "not known"}[self.passed]
        took = f"{self.seconds * 1000:.0f} ms" if self.passed and self.seconds is not None else "-"
        return self.endpoint, self.address or "-", result, took, self.why


class Checker:
    """Makes checks once. `resolve` looks a hostname up, `check` makes one check."""

    def __init__(
        self,
        *,
        resolve: Callable[[str], Awaitable[Resolution]],
        check: Callable[[Target], Awaitable[CheckResult]],
        at_once: int,
    ) -> None:
        self._resolve = resolve
        self._check = check
        self._places = asyncio.Semaphore(at_once)

    async def lines(self, record: Record) -> list[Line]:
        """Check every address of every endpoint of a record, in the order of its declaration."""
        found = await asyncio.gather(*(self._endpoint(record, each) for each in record.endpoints))
        return [line for lines in found for line in lines]

    async def _endpoint(self, record: Record, endpoint: Endpoint) -> list[Line]:
        if endpoint.hostname is None:
            return await self._addresses(record, endpoint, endpoint.addresses)
        wanted = record.timing.minimum_addresses
        found = with_enough(await self._resolve(endpoint.hostname), endpoint.hostname, wanted)
        if found.outcome is ResolutionOutcome.FAILED:
            return [Line(endpoint.name, endpoint.hostname, None, why=found.message)]
        if found.outcome is ResolutionOutcome.NO_ADDRESSES:
            why = found.message or too_few(endpoint.hostname, 0, wanted)
            return [Line(endpoint.name, endpoint.hostname, passed=False, why=why)]
        return await self._addresses(record, endpoint, found.addresses)

    async def _addresses(self, record: Record, endpoint: Endpoint, addresses: Iterable[str]) -> list[Line]:
        found = await asyncio.gather(*(self._address(record, endpoint, each) for each in addresses))
        return [line for lines in found for line in lines]

    async def _address(self, record: Record, endpoint: Endpoint, address: str) -> list[Line]:
        """Make all checks of an address: a line for what they say together; where there are several, one for each."""
        checks = list(checks_of(record))
        results = await asyncio.gather(*(self._one(target_of(record, endpoint, each, address)) for each in checks))
        told = [f"{each.reason}: {each.message}" if each.reason else "" for each in results]
        if len(checks) == 1:
            why = told[0] or _remark(record, endpoint, results[0])
            return [Line(endpoint.name, address, results[0].passed, results[0].latency, why)]
        passed = _together(checks, [each.passed for each in results], record.more_checks.at_least)
        lines = [Line(endpoint.name, address, passed, results[0].latency, _remark(record, endpoint, results[0]))]
        for check, result, why in zip(checks, results, told, strict=True):
            lines.append(Line("", f"  {check.name}", result.passed, result.latency, why))
        return lines

    async def _one(self, target: Target) -> CheckResult:
        async with self._places:
            return await self._check(target)


def _together(checks: Sequence[NamedCheck], passed: Sequence[bool | None], at_least: int) -> bool | None:
    """Return what several checks say together, of which those that are made elsewhere were not asked for."""
    parts = [
        Part(check.name, check.role, Streak(VERDICTS[each], since=0.0))
        for check, each in zip(checks, passed, strict=True)
        if not check.is_elsewhere
    ]
    together = combined("", parts, at_least).verdict
    return next(each for each, verdict in VERDICTS.items() if verdict is together)


def _remark(record: Record, endpoint: Endpoint, result: CheckResult) -> str:
    """Return what there is to say of an address that passes."""
    slow = record.timing.slow_above
    told = ["drained: it takes no traffic"] if endpoint.state is AdminState.DRAINED else []
    if slow is not None and result.latency > slow:
        told.append(f"slower than healthCheck.latency.above ({slow * 1000:.0f} ms)")
    return "; ".join(told)


def table(lines: Sequence[Line]) -> str:
    """Return the lines as a table."""
    rows = [COLUMNS, *(each.cells() for each in lines)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS) - 1)]
    padded = (
        "   ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]) for row in rows
    )
    return "\n".join(f"  {row}".rstrip() for row in padded)


def passing(lines: Iterable[Line]) -> tuple[int, int]:
    """Return how many endpoints have an address that passes, and how many there are."""
    found: dict[str, bool] = {}
    for each in [line for line in lines if line.endpoint]:
        found[each.endpoint] = found.get(each.endpoint, False) or each.passed is True
    return sum(found.values()), len(found)


def told_of(record: Record) -> str:
    """Return in a few words what is checked."""
    name = f"{record.key.namespace}/{record.key.name} ({record.hostname})" if record.hostname else record.key.name
    return f"{name}: {_told_of_probe(record.probe)}, within {record.timing.timeout:g} s"


def _told_of_probe(probe: Probe) -> str:
    match probe:
        case HTTPCheck():
            scheme = "https" if probe.tls else "http"
            return f"{scheme} port {probe.port}, GET {probe.path} of {probe.host}"
        case DNSCheck():
            return f"dns port {probe.port}, {probe.name} {probe.type}"
        case _:
            return f"tcp port {probe.port}"


async def run(chosen: CheckSettings) -> int:
    """Check, print what came of it, and return the exit status. Raises ValueError where a setting makes no sense."""
    guard = NetworkGuard.from_text(chosen.allow_networks, chosen.deny_networks)
    resolver, prober, clock = Resolver(chosen.resolver), HTTPProber(), Clock()

    async def check(target: Target) -> CheckResult:
        return await run_check(target, guard=guard, http=prober, clock=clock.now)

    checker = Checker(resolve=resolver.resolve, check=check, at_once=chosen.checks_in_flight)
    try:
        records = await _records(chosen)
    except (DeclarationError, ClusterError, OSError, yaml.YAMLError) as error:
        print(f"detour check: {error}", file=sys.stderr)
        return 2
    if not records:
        print(f"detour check: {chosen.what} has no FailoverRecord and no CloudRegion with canaries", file=sys.stderr)
        return 2
    all_pass = True
    for record in records:
        lines = await checker.lines(record)
        good, total = passing(lines)
        all_pass = all_pass and good == total
        what = "endpoints" if record.zones else "canaries"
        print(f"{told_of(record)}\n{table(lines)}\n  {good} of {total} {what} pass\n")
    return 0 if all_pass else 1


async def _records(chosen: CheckSettings) -> list[Record]:
    if chosen.what == "-":
        return await _in_text(sys.stdin.read(), chosen)
    if await asyncio.to_thread(Path(chosen.what).is_file):
        return await _in_text(await asyncio.to_thread(Path(chosen.what).read_text), chosen)
    if chosen.what.endswith((".yaml", ".yml", ".json")):
        raise OSError(f"there is no file {chosen.what}")
    namespace, _, name = chosen.what.rpartition("/")
    cluster = Cluster(chosen.kubeconfig, context=chosen.context)
    try:
        raw = await cluster.read_object(Kind.FAILOVER_RECORD, namespace or chosen.namespace, name)
        return await _read(raw, cluster.read_config_map)
    finally:
        cluster.close()


async def _in_text(text: str, chosen: CheckSettings) -> list[Record]:
    """Return the records and canaries in a file, each with a namespace as if it was applied."""

    async def from_the_cluster(namespace: str, name: str) -> Mapping[str, str]:
        cluster = Cluster(chosen.kubeconfig, context=chosen.context)
        try:
            return await cluster.read_config_map(namespace, name)
        finally:
            cluster.close()

    found: list[Record] = []
    for raw in objects_in(text):
        kind = KINDS.get(str(raw.get("kind")))
        if kind is not None:
            found += await _read(filled(raw, kind, chosen.namespace), from_the_cluster)
    return found


async def _read(
    raw: Mapping[str, Any], read_config_map: Callable[[str, str], Awaitable[Mapping[str, str]]]
) -> list[Record]:
    """Return what an object declares. Raises DeclarationError, and ClusterError where what it refers to is missing."""
    name = f"{raw['kind']} {raw.get('metadata', {}).get('name', '')}" if "kind" in raw else "the object"
    try:
        if raw.get("kind") == "CloudRegion":
            return as_records(region_from(raw))
        bundle = None
        if (reference := ca_bundle_reference(raw)) is not None:
            config_map, key = reference
            bundle = (await read_config_map(raw["metadata"]["namespace"], config_map)).get(key)
        return [record_from(raw, bundle)]
    except DeclarationError as error:
        raise DeclarationError(f"{name}: {error}") from error
