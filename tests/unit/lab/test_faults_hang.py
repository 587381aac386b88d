"""A call that hangs does so until its fault is taken away, and is carried out then."""

import asyncio

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from detour_lab.faults import Fault, FaultKind, Faults


@pytest.mark.parametrize("by_clearing", [False, True])
async def test_a_call_that_hangs_is_carried_out_when_the_fault_is_over(by_clearing: bool) -> None:
    faults = Faults()
    fault = faults.inject(Fault(FaultKind.HANG, "write"))
    done: list[str] = []

    async def call(operation: str) -> None:
        async def handle() -> web.StreamResponse:
            done.append(operation)
            return web.Response()

        request = make_mocked_request("POST", "/")
        await faults.around(
            request, operation, "example.com", handle=handle, throttled=web.Response, server_error=_never
        )

    hanging = asyncio.create_task(call("write"))
    await call("read")
    assert done == ["read"]

    faults.clear() if by_clearing else faults.remove(fault)
    await asyncio.wait_for(hanging, 60)
    await call("write")
    assert done == ["read", "write", "write"]


def test_a_fault_that_is_not_in_force_cannot_be_removed() -> None:
    faults = Faults()
    faults.inject(Fault(FaultKind.HANG))

    with pytest.raises(ValueError, match="is not in force"):
        faults.remove(Fault(FaultKind.HANG))


def _never() -> web.StreamResponse:
    raise AssertionError("no server error was asked for")
