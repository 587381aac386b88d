"""One check of one target, from the guard's word to a result.

Whatever happens, a result comes of it: a check that raised would be a check that stops. Nothing is claimed of a target
when the fault is on this side, such as a deadline that fired far too late because the process itself was stopped.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from detour.checks.dns import probe_dns
from detour.checks.failures import ProbeFailedError, ProbeImpossibleError, Reason, place
from detour.checks.guard import NetworkGuard
from detour.checks.http import HTTPProber
from detour.checks.periodic import STANDSTILL
from detour.checks.tcp import probe_tcp
from detour.model.checks import (
    CheckResult,
    DNSCheck,
    Elsewhere,
    ExternalCheck,
    HTTPCheck,
    PrometheusCheck,
    Target,
    TCPCheck,
)
from detour.model.defects import told

_log = logging.getLogger(__name__)


def what_is_checked(target: Target) -> str:
    """Return what a target is, for people: an address, or what is asked elsewhere."""
    match target.probe:
        case PrometheusCheck(server, namespace):
            return f"a query of {namespace} to Prometheus server {server}"
        case ExternalCheck(namespace, name):
            return f"ExternalVerdict {namespace}/{name}"
        case _:
            return target.address


async def nobody_asked(_: Elsewhere) -> CheckResult:
    """Return that nothing is known: where nobody asks for verdicts that are made elsewhere."""
    return CheckResult(None, Reason.NOT_ASKED, "verdicts that are made elsewhere are not asked for from here", 0.0)


async def run_check(
    target: Target,
    *,
    guard: NetworkGuard,
    http: HTTPProber,
    clock: Callable[[], float],
    elsewhere: Callable[[Elsewhere], Awaitable[CheckResult]] = nobody_asked,
) -> CheckResult:
    """Check `target` once within `target.timing.timeout` seconds. `clock` gives seconds and only moves forward.

    `elsewhere` asks for a verdict that is made there.

    Raises nothing but CancelledError. `passed` is None where nothing was learned: the guard refuses the address, the
    check makes no sense, or this host could not make it.
    """
    started = clock()
    try:
        if isinstance(target.probe, (PrometheusCheck, ExternalCheck)):
            async with asyncio.timeout(target.timing.timeout):
                return await elsewhere(target.probe)
        if refusal := guard.refusal(target.address):
            return CheckResult(None, Reason.TARGET_REFUSED, refusal, 0.0)
        if isinstance(target.probe, HTTPCheck):
            await http.prepare(target.probe)
            started = clock()
        async with asyncio.timeout(target.timing.timeout):
            await _probe(target, http)
    except ProbeFailedError as failure:
        return CheckResult(False, failure.reason, failure.message, clock() - started)
    except ProbeImpossibleError as impossible:
        return CheckResult(None, impossible.reason, impossible.message, clock() - started)
    except TimeoutError:
        return _timed_out(target, clock() - started)
    except Exception as error:
        # Without the exception's text: it may quote a request header
        _log.error("check of %s ended in an unforeseen %s", target.address, told(error))
        message = f"the check of {target.address} broke on an unforeseen {type(error).__qualname__}; please report it"
        return CheckResult(None, Reason.LOCAL_ERROR, message, clock() - started)
    return CheckResult(True, "", "", clock() - started)


async def _probe(target: Target, http: HTTPProber) -> None:
    match target.probe:
        case HTTPCheck():
            await http.probe(target.address, target.probe)
        case TCPCheck():
            await probe_tcp(target.address, target.probe)
        case DNSCheck():
            await probe_dns(target.address, target.probe)


def _timed_out(target: Target, elapsed: float) -> CheckResult:
    timeout = target.timing.timeout
    if isinstance(target.probe, (PrometheusCheck, ExternalCheck)):
        told = f"{what_is_checked(target)} gave no verdict within {timeout:g} s"
        return CheckResult(None, Reason.NOT_ASKED, told, elapsed)
    where = place(target.address, target.probe.port)
    if elapsed > timeout + STANDSTILL:
        message = (
            f"this process stood still while it checked {where} "
            f"(the deadline of {timeout:g} s came after {elapsed:.1f} s), so nothing was learned of it"
        )
        return CheckResult(None, Reason.LOCAL_ERROR, message, elapsed)
    reason = Reason.UNANSWERED if isinstance(target.probe, DNSCheck) else Reason.TIMEOUT
    return CheckResult(False, reason, f"{where} did not answer within {timeout:g} s", elapsed)
