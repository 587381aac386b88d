"""What a vantage writes into its own status, and how that is read again.

Nothing that stands there is relied on: a stolen token can write what the schema lets through. So every number has its
bounds here too, and what makes no sense is an error of that vantage's alone.
"""

import math
from collections.abc import Mapping
from typing import Any

from detour.kube.translate import DeclarationError
from detour.model.timestamps import timestamp
from detour.model.vantage import Latency, References, VantageReport, digest, packed, unpacked

LARGEST_COUNT = 2**53
LONGEST_INSTANCE = 253


def report_body(report: VantageReport, *, version: str, at: float) -> dict[str, Any]:
    """Return the status with which a vantage says what it sees; `at` in seconds since the Unix epoch."""
    told: dict[str, Any] = {
        "instance": report.instance,
        "number": report.number,
        "at": timestamp(at),
        "version": version,
        "checks": report.checks,
        "failing": report.failing,
        "digest": digest(report.findings),
        "findings": packed(report.findings),
        "references": report.references.value,
        "latenessMilliseconds": _milliseconds(report.lateness),
        "stretchPercent": round(report.stretch * 100),
        "clockOffsetMilliseconds": None if report.clock_offset is None else _milliseconds(report.clock_offset),
        "latencyMilliseconds": None,
    }
    if report.latency is not None:
        told["latencyMilliseconds"] = {
            "median": _milliseconds(report.latency.median),
            "p90": _milliseconds(report.latency.p90),
            "p99": _milliseconds(report.latency.p99),
        }
    return {"status": {"report": told}}


def report_name(item: Mapping[str, Any]) -> tuple[str, int] | None:
    """Return which report a Vantage bears, without reading it: the process that wrote it, and its number.

    None where there is none that could be read.
    """
    told = _report(item)
    instance, number = told.get("instance"), told.get("number")
    if not isinstance(instance, str) or not 0 < len(instance) <= LONGEST_INSTANCE:
        return None
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= LARGEST_COUNT:
        return None
    return instance, number


def report_from(item: Mapping[str, Any]) -> VantageReport:
    """Return what a Vantage reports. Raises DeclarationError."""
    name, told = report_name(item), _report(item)
    if name is None:
        raise DeclarationError("status.report: has no instance and number; its probe is of another version")
    findings = told.get("findings")
    try:
        found = unpacked(findings if isinstance(findings, str) else "")
    except ValueError as error:
        raise DeclarationError(f"status.report.findings: {error}; what was reported before counts") from None
    return VantageReport(
        instance=name[0],
        number=name[1],
        checks=int(_number(told.get("checks")) or len(found)),
        findings=found,
        failing=int(_number(told.get("failing")) or 0),
        references=_references(told.get("references")),
        lateness=(_number(told.get("latenessMilliseconds")) or 0.0) / 1000,
        stretch=(_number(told.get("stretchPercent")) or 100.0) / 100,
        clock_offset=None if (offset := _number(told.get("clockOffsetMilliseconds"))) is None else offset / 1000,
        latency=_latency(told.get("latencyMilliseconds")),
    )


def _report(item: Mapping[str, Any]) -> Mapping[str, Any]:
    status = item.get("status")
    told = status.get("report") if isinstance(status, Mapping) else None
    return told if isinstance(told, Mapping) else {}


def _references(value: object) -> References:
    """Return what is said of references: what makes no sense is no sign that they pass."""
    try:
        return References(str(value))
    except ValueError:
        return References.FAILING


def _latency(value: object) -> Latency | None:
    if not isinstance(value, Mapping):
        return None
    found = [_number(value.get(each)) for each in ("median", "p90", "p99")]
    known = [each / 1000 for each in found if each is not None]
    return Latency(*known) if len(known) == len(found) else None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return max(-float(LARGEST_COUNT), min(float(LARGEST_COUNT), float(value)))


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
