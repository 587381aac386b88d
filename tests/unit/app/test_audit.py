"""The audit trail: every write to DNS is told before it is sent, with before and after, and what became of it."""

import asyncio
import json
import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from detour.app.auditfile import Trail, keeper
from detour.enactment.audit import SCHEMA
from detour.model.objects import Kind
from detour.model.rrset import RRset, RRType
from detour_simulation.memoryzone import ONE_BY_ONE, Fault

from .objects import dns_zone, failover_record
from .world import Clouds, World

Boot = Callable[..., World]
Entry = Mapping[str, Any]
CALM = {"safety": {"panicThreshold": 100}}


def intents(entries: Iterable[Entry]) -> list[Entry]:
    return [each for each in entries if each["stage"] == "intent"]


def outcomes(entries: Iterable[Entry]) -> list[tuple[str, str]]:
    return [(each["generation"], each["result"]) for each in entries if each["stage"] == "outcome"]


def named(entry: Entry, hostname: str = "api.example.org") -> Mapping[str, Any]:
    return next(each for each in entry["names"] if each["hostname"] == hostname)


async def test_each_write_is_told_before_it_is_sent_and_after(boot: Boot, clouds: Clouds) -> None:
    world = boot(dns_zone(**CALM), failover_record())
    await asyncio.sleep(60)
    world.down = {"192.0.2.1"}
    await asyncio.sleep(60)
    writes = [write for provider in clouds.providers for write in provider.writes]
    assert len(intents(world.audit)) == len(writes)
    assert [each["stage"] for each in world.audit] == ["intent", "outcome"] * len(writes)
    assert {result for _, result in outcomes(world.audit)} == {"Applied"}
    created, moved = (each for each in intents(world.audit) if each["names"])
    assert (created["schema"], created["zone"], created["site"]) == (SCHEMA, "shop/main", "here")
    told = named(created)
    assert (told["record"], told["action"]) == ("shop/api", "create")
    assert told["sets"] == [
        {"name": "api.example.org", "type": "A", "before": None, "after": {"values": ["192.0.2.1"], "ttl": 30}}
    ]
    assert [each["name"] for each in told["markers"]] == ["_detour.api.example.org"]
    told = named(moved)
    assert told["action"] == "update"
    assert told["sets"] == [
        {
            "name": "api.example.org",
            "type": "A",
            "before": {"values": ["192.0.2.1"], "ttl": 30},
            "after": {"values": ["192.0.2.2"], "ttl": 30},
        }
    ]


async def test_repairs_adoptions_and_deletions_are_called_so(boot: Boot, clouds: Clouds) -> None:
    clouds.zone().put(RRset("old.example.org", RRType.A, 60, ("203.0.113.1",)))
    world = boot(
        dns_zone(**CALM),
        failover_record(deletionPolicy="Delete"),
        failover_record("old", uid="u-2", adopt=True),
    )
    await asyncio.sleep(60)
    assert named(world.audit[-2], "old.example.org")["action"] == "adopt"
    clouds.zone().put(RRset("api.example.org", RRType.A, 30, ("203.0.113.9",)))
    await asyncio.sleep(60)
    repaired = named(intents(world.audit)[-1])
    assert repaired["action"] == "repair"
    assert repaired["sets"][0]["before"]["values"] == ["203.0.113.9"]
    clouds.zone().guarded.clear()
    world.api.delete(Kind.FAILOVER_RECORD, "api")
    await asyncio.sleep(60)
    assert named(intents(world.audit)[-1])["action"] == "delete"


@pytest.mark.parametrize(
    ("fault", "results"),
    [
        (Fault.LOST_BEFORE, ["Unclear", "NotApplied"]),
        (Fault.LOST_AFTER, ["Unclear", "Applied"]),
        (Fault.THROTTLED, ["NotApplied"]),
        (Fault.UNAVAILABLE, ["NotApplied"]),
    ],
)
async def test_what_became_of_a_write_whose_answer_is_lost_is_told_once_it_is_known(
    boot: Boot, clouds: Clouds, fault: Fault, results: list[str]
) -> None:
    world = boot(dns_zone(**CALM), failover_record())
    await asyncio.sleep(60)
    before = len(world.audit)
    clouds.providers[-1].trouble(fault, 1.0)
    world.down = {"192.0.2.1"}
    await asyncio.sleep(60)
    found = world.audit[before:]
    first = found[0]["generation"]
    assert [result for generation, result in outcomes(found) if generation == first][: len(results)] == results
    assert world.answers() == {"192.0.2.2"}
    assert outcomes(found)[-1][1] == "Applied"


def test_a_file_has_one_object_a_line_and_is_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    for number in range(2):
        keeper(str(path))({"number": number})
    assert [json.loads(each) for each in path.read_text().splitlines()] == [{"number": 0}, {"number": 1}]


def test_a_file_is_rotated_and_what_is_kept_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("detour.app.auditfile.LARGEST", 100)
    keep = keeper(str(tmp_path / "audit.jsonl"))
    for number in range(200):
        keep({"number": number})
    files = sorted(each.name for each in tmp_path.iterdir())
    assert len(files) == 10
    assert sum(each.stat().st_size for each in tmp_path.iterdir()) <= 10 * 100


def test_a_folder_that_is_not_there_is_said_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"--audit: .* cannot be opened: No such file"):
        keeper(str(tmp_path / "nowhere" / "audit.jsonl"))


def test_a_disk_that_is_full_keeps_no_failover_waiting(capsys: pytest.CaptureFixture[str]) -> None:
    keep = keeper("/dev/full")
    keep({"number": 1})
    keep({"number": 2})
    assert capsys.readouterr().err == "", "the library's own traceback is not printed"


def test_standard_output_will_do(capsys: pytest.CaptureFixture[str]) -> None:
    keeper("-")({"number": 1})
    assert capsys.readouterr().out == '{"number":1}\n'


class Hanging(logging.Handler):
    """A disk that hangs until it is `released`."""

    def __init__(self) -> None:
        super().__init__()
        self.released = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.released.wait(10)


def test_a_disk_that_hangs_keeps_no_failover_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("detour.app.auditfile.WAITING", 5)
    disk = Hanging()
    trail = Trail(disk)
    began = time.monotonic()
    for number in range(100):
        trail.keep({"number": number})
    took = time.monotonic() - began
    disk.released.set()
    assert took < 5, "one entry waits a moment, and those after it not at all"


async def test_a_trail_that_breaks_keeps_no_name_from_moving(boot: Boot) -> None:
    world = boot(dns_zone(**CALM), failover_record())

    def breaks(_: Entry) -> None:
        raise RuntimeError("a defect")

    object.__setattr__(world.engine.zones._environment, "audit", breaks)
    world.audit.clear()
    await asyncio.sleep(60)
    world.down = {"192.0.2.1"}
    await asyncio.sleep(60)
    assert world.answers() == {"192.0.2.2"}


async def test_outcomes_name_the_write_that_they_are_of(boot: Boot, clouds: Clouds) -> None:
    world = boot(dns_zone(**CALM), failover_record())
    await asyncio.sleep(60)
    clouds.providers[-1].trouble(Fault.LOST_BEFORE, times=2)
    world.down = {"192.0.2.1"}
    await asyncio.sleep(120)
    told: dict[str, list[str]] = {}
    for each in world.audit:
        told.setdefault(each["write"], []).append(each.get("result", "intent"))
    assert all(found[0] == "intent" for found in told.values())
    assert list(told.values())[-3:] == [
        ["intent", "Unclear", "NotApplied"],
        ["intent", "Unclear", "NotApplied"],
        ["intent", "Applied"],
    ]


async def test_what_is_applied_in_part_is_told_so(boot: Boot, clouds: Clouds) -> None:
    """Where a provider has no transactions the ledger moves first, and names follow until one is refused."""
    clouds.limits = ONE_BY_ONE
    names = [failover_record(name, uid=f"u-{name}") for name in ("a", "b", "c")]
    world = boot(dns_zone(**CALM), *names)
    await asyncio.sleep(60)
    clouds.providers[-1].refused.add("b.example.org")
    world.down = {"192.0.2.1"}
    await asyncio.sleep(30)
    partly = [each for each in world.audit if each.get("result") == "PartlyApplied"]
    assert partly
    assert {each["undone"] for each in partly} == {"b.example.org"}
