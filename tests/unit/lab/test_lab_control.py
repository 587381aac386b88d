"""Commands to a running lab: typed words do what they say, and nonsense is answered with what could be typed."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

from detour_lab import main
from detour_lab.clouds.labzones import EmulatedZone
from detour_lab.faults import FaultKind
from detour_lab.services.services import Mode
from detour_lab.stage.lab import Lab
from detour_lab.stage.labcontrol import LabControl, obey

AWS = "aws-us-east-1"


@pytest_asyncio.fixture
async def lab() -> AsyncIterator[Lab]:
    async with Lab(first_block=70, real_bind=False) as started:
        yield started


async def test_a_region_is_broken_and_mended(lab: Lab) -> None:
    await obey(lab, f"break {AWS}")
    assert {service.mode for service in lab.region(AWS).services.values()} == {Mode.REFUSING}
    assert "refusing" in await obey(lab, "status")
    await obey(lab, f"mend {AWS}")
    assert {service.mode for service in lab.region(AWS).services.values()} == {Mode.UP}
    assert "refusing" not in await obey(lab, "status")


async def test_a_service_is_slowed_down(lab: Lab) -> None:
    await obey(lab, f"service {AWS} www slow 1.5")
    service = lab.region(AWS).service("www")
    assert (service.mode, service.seconds) == (Mode.SLOW, 1.5)


async def test_a_name_vanishes_and_is_restored(lab: Lab) -> None:
    region = lab.region(AWS)
    hostname = "images.us-east-1.elb.amazonaws.test"
    await obey(lab, f"vanish {AWS} {hostname}")
    emptied = region.names.store.get(hostname, "A")
    await obey(lab, f"restore {AWS} {hostname}")
    restored = region.names.store.get(hostname, "A")
    assert emptied is not None
    assert restored is not None
    assert (emptied.values, restored.values) == ((), (region.service("images").address,))


async def test_a_set_is_edited_and_removed(lab: Lab) -> None:
    zone = lab.zone("shop-azure")
    assert isinstance(zone, EmulatedZone)
    await obey(lab, "edit shop-azure api.shop.example.com A 192.0.2.1 192.0.2.2")
    edited = zone.store.get("api.shop.example.com", "A")
    assert edited is not None
    assert edited.values == ("192.0.2.1", "192.0.2.2")
    await obey(lab, "edit shop-azure api.shop.example.com A")
    assert zone.store.get("api.shop.example.com", "A") is None


async def test_a_fault_is_injected_and_cleared(lab: Lab) -> None:
    await obey(lab, "fault shop-google latency operation=changes.create seconds=2 times=3")
    (fault,) = lab.api_faults("shop-google").draw("changes.create", "shop.example.com")
    assert (fault.kind, fault.seconds, fault.times) == (FaultKind.LATENCY, 2.0, 2)
    await obey(lab, "clear shop-google")
    assert lab.api_faults("shop-google").draw("changes.create", "shop.example.com") == []


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("explode", "no command 'explode'"),
        ("break", "write it as: break REGION"),
        ("break a b", "write it as: break REGION"),
        ("break mars", f"no region 'mars'.*{AWS}"),
        (f"service {AWS} www tired", "cannot be 'tired'.*status-500"),
        (f"service {AWS} www slow", "seconds above 0"),
        ("fault shop-azure sabotage", "no fault 'sabotage'.*reset-after"),
        ("fault shop-azure latency minutes=1", "minutes: only operation="),
        ("lag shop-azure soon", "'soon' is no number"),
        (f"restore {AWS} www.example.com", "is not a name of"),
    ],
)
async def test_nonsense_is_answered_with_what_could_be_typed(lab: Lab, line: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        await obey(lab, line)


async def test_commands_come_over_http_too(lab: Lab) -> None:
    async with LabControl(lab) as control, aiohttp.ClientSession() as session:
        async with session.post(control.url, data=f"break {AWS}") as answer:
            assert (answer.status, lab.region(AWS).is_broken) == (200, True)
        async with session.post(control.url, data="break mars") as answer:
            assert answer.status == 400
            assert AWS in await answer.text()
        async with session.get(control.url) as answer:
            assert "refusing" in await answer.text()


def test_the_command_line_names_what_it_knows(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["explode"]) == 2
    told = capsys.readouterr().err
    assert "no subcommand 'explode'" in told
    assert all(f"python -m detour_lab {name}" in told for name in main.COMMANDS)


def test_help_is_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["--help"]) == 0
    assert "python -m detour_lab up" in capsys.readouterr().out
