"""What one object, namespace or answer does to us costs it its turn, and nobody else's: with the real client."""

import asyncio
import base64
import logging
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from detour.engine.ports import NONSENSE, NOT_REACHED, ClusterError
from detour.kube.cluster import Cluster
from detour.kube.metadata import MetadataWriter, has_finalizer, with_finalizer
from detour.kube.reporting import events, reporter
from detour.kube.reporting.reporter import Reporter
from detour.model.objects import Kind, Subject
from detour.model.record import ObjectKey

from .kubeapi import KubeApi

PATIENCE = 30.0
ODD_BODIES = [b"<html>sign in: hunter2</html>", b'{"metadata": {"na', b"[]", b"null", b"\xff\xfe", b""]


def subject(name: str, namespace: str = "shop") -> Subject:
    return Subject(Kind.FAILOVER_RECORD, ObjectKey(namespace, name), f"uid-{namespace}-{name}")


def record(name: str, namespace: str = "shop") -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace, "uid": f"uid-{namespace}-{name}"}
    return {"kind": "FailoverRecord", "metadata": metadata, "spec": {}}


async def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, condition
        await asyncio.sleep(0.02)


@pytest.fixture
async def api() -> AsyncIterator[KubeApi]:
    served = KubeApi()
    await served.start()
    yield served
    await served.stop()


@pytest.fixture
async def cluster(api: KubeApi, tmp_path: Path) -> AsyncIterator[Cluster]:
    made = Cluster(api.kubeconfig(tmp_path))
    yield made
    made.close()


class Desk:
    """A reporter at work. Each status says how often it was built; `broken` are the names whose building fails."""

    def __init__(self, cluster: Cluster) -> None:
        self.broken: set[str] = set()
        self.built: dict[str, int] = {}
        self.reporter = Reporter(
            cluster, component="detour", build=self._build, wall_clock=time.time, clock=time.monotonic
        )
        self.task = asyncio.create_task(self.reporter.run())

    def _build(self, of: Subject, previous: object) -> dict[str, Any] | None:
        self.built[of.key.name] = self.built.get(of.key.name, 0) + 1
        if of.key.name in self.broken:
            raise ValueError("a defect")
        return {"summary": {"serving": of.key.name}}


@pytest.fixture
async def desk(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    monkeypatch.setattr(reporter, "FIRST_PAUSE", 0.05)
    made = Desk(cluster)
    yield made
    assert not made.task.done(), "nothing ends it"
    made.task.cancel()


def written(api: KubeApi, name: str, namespace: str = "shop") -> object:
    return api.objects["failoverrecords", namespace, name].get("status")


def refusing(name: str, answer: Callable[[], web.Response]) -> Callable[[web.Request], web.Response | None]:
    return lambda request: answer() if f"/{name}/status" in request.path else None


async def test_a_status_that_cannot_be_made_costs_that_object_its_turn(
    api: KubeApi, desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("bad", "good"):
        api.put(record(name))
        desk.reporter.mark(subject(name))
    desk.broken = {"bad"}
    await until(lambda: written(api, "good"))
    await until(lambda: desk.built["bad"] >= 3)
    assert caplog.text.count("the status of FailoverRecord shop/bad could not be made") == 1
    desk.broken.clear()
    await until(lambda: written(api, "bad"))


@pytest.mark.slow
@pytest.mark.parametrize("status", [400, 403, 413, 422, 429, 500, 503])
async def test_a_status_that_is_not_taken_is_tried_again_later_and_the_others_are_written_meanwhile(
    api: KubeApi, desk: Desk, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    api.mangle = refusing("bad", lambda: web.Response(status=status))
    for name in ("bad", "good"):
        api.put(record(name))
        desk.reporter.mark(subject(name))
    await until(lambda: written(api, "good"))
    await until(lambda: desk.built["bad"] >= 3)
    assert caplog.text.count("the status of FailoverRecord shop/bad is not taken") == 1
    if status in (400, 413, 422):  # what is wrong with the object itself is said there
        await until(lambda: [each["reason"] for each in api.events] == ["StatusRefused"])
    else:
        assert not api.events
    api.mangle = lambda _: None
    await until(lambda: written(api, "bad"))


@pytest.mark.parametrize("body", ODD_BODIES)
async def test_an_answer_to_a_status_that_nobody_understands_counts_as_lost_and_it_is_written_again(
    api: KubeApi, desk: Desk, body: bytes
) -> None:
    api.put(record("api"))
    api.mangle = refusing("api", lambda: web.Response(body=body, content_type="application/json"))
    desk.reporter.mark(subject("api"))
    await until(lambda: desk.built.get("api", 0) >= 2)
    api.mangle = lambda _: None
    await until(lambda: written(api, "api"))


async def test_while_nobody_answers_one_status_is_tried_at_a_time_and_all_are_written_afterwards(
    api: KubeApi, cluster: Cluster, desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    names = [f"r{number}" for number in range(60)]
    for name in names:
        api.put(record(name))
    is_away = True

    async def patch(*_: Any, **__: Any) -> Any:
        if is_away:
            raise ClusterError("nobody there", NOT_REACHED)
        return await reached(*_, **__)

    reached, cluster.patch = cluster.patch, patch  # type: ignore[method-assign]  # the network is cut
    for name in names:
        desk.reporter.mark(subject(name))
    await until(lambda: desk.built)
    await asyncio.sleep(0)
    assert sum(desk.built.values()) <= 2 * reporter.WRITES_IN_FLIGHT
    is_away = False
    await until(lambda: all(written(api, name) for name in names))
    assert caplog.text.count("status cannot be written") == 1


@pytest.mark.parametrize("status", [403, 422, 500])
async def test_an_event_that_is_not_taken_keeps_no_other_waiting(api: KubeApi, desk: Desk, status: int) -> None:
    api.mangle = lambda request: web.Response(status=status) if "/bad/events" in request.path else None
    desk.reporter.events.tell(subject("api", "bad"), "First", "not taken")
    for number in range(3):
        desk.reporter.events.tell(subject("api", "good"), f"Then{number}", "taken")
    await until(lambda: len(api.events) == 3)
    await until(lambda: not desk.reporter.events.waiting)
    tried = sum("/bad/events" in each for each in api.requests)
    assert tried == (1 if status < 500 else events.EVENT_TRIES), "and it is given up in the end"


async def test_the_name_of_an_event_is_a_valid_one_however_long_the_objects(api: KubeApi, desk: Desk) -> None:
    desk.reporter.events.tell(subject("a" * 199 + "-" + "b" * 50), "Told", "x")
    await until(lambda: api.events)
    assert "-." not in api.events[0]["metadata"]["name"]


async def test_a_finalizer_that_is_not_taken_keeps_no_other_waiting(api: KubeApi, cluster: Cluster) -> None:
    bad, good = record("bad"), record("good")
    api.put(bad)
    api.put(good)
    api.mangle = lambda request: web.Response(status=500) if request.path.endswith("/bad") else None
    writer = MetadataWriter(cluster, clock=time.monotonic)
    task = asyncio.create_task(writer.run())
    writer.patch(subject("bad"), with_finalizer(bad, wanted=True))
    writer.patch(subject("odd"), {"metadata": None})  # type: ignore[dict-item]  # a defect of ours
    writer.patch(subject("good"), with_finalizer(good, wanted=True))
    await until(lambda: has_finalizer(api.objects["failoverrecords", "shop", "good"]))
    api.mangle = lambda _: None
    await until(lambda: has_finalizer(api.objects["failoverrecords", "shop", "bad"]))
    assert not task.done()
    task.cancel()


def encoded(value: bytes) -> str:
    return base64.b64encode(value).decode()


async def test_what_is_no_text_in_a_secret_is_left_out_and_ends_nothing(api: KubeApi, cluster: Cluster) -> None:
    data: dict[str, Any] = {
        "good": encoded(b"value"),
        "bom": encoded(b"\xef\xbb\xbfvalue"),
        "latin1": encoded("schlüssel".encode("latin-1")),
        "utf16": encoded("value".encode("utf-16")),
        "zip": encoded(b"PK\x03\x04\xff\xfe"),
        "not-base64": "ä",
        "half-base64": "YQ",
        "null": None,
        "number": 7,
        "list": ["YQ=="],
    }
    api.secrets["shop", "tsig"] = {"data": data}
    assert await cluster.read_secret("shop", "tsig") == {"good": "value", "bom": "value"}


@pytest.mark.parametrize("data", [None, [], "text", {"data": []}, {"data": "text"}])
async def test_a_secret_or_config_map_of_any_shape_is_empty_at_worst(
    api: KubeApi, cluster: Cluster, data: object
) -> None:
    found: Any = data if isinstance(data, dict) else {"data": data}
    api.secrets["shop", "odd"] = api.config_maps["shop", "odd"] = found
    assert await cluster.read_secret("shop", "odd") == {}
    assert await cluster.read_config_map("shop", "odd") == {}


@pytest.mark.parametrize("body", ODD_BODIES)
async def test_an_answer_that_nobody_understands_fails_its_call_and_is_not_quoted(
    api: KubeApi, cluster: Cluster, body: bytes
) -> None:
    api.mangle = lambda _: web.Response(body=body, content_type="application/json")
    calls = (
        cluster.read_secret("shop", "x"),
        cluster.read_config_map("shop", "x"),
        cluster.namespace_labels(),
        cluster.namespace_uid("kube-system"),
        cluster.read_lease("detour", "leader"),
        cluster.read_object(Kind.FAILOVER_RECORD, "shop", "api"),
    )
    for call in calls:
        with pytest.raises(ClusterError) as raised:
            await call
        assert raised.value.status == NONSENSE
        assert "hunter2" not in str(raised.value)


async def test_a_kubeconfig_that_is_no_kubeconfig_is_not_quoted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text("users: [{name: lab, user: {token: hunter2\n")
    made = Cluster(str(path))
    with caplog.at_level(logging.DEBUG), pytest.raises(ClusterError) as raised:
        await made.read_secret("shop", "x")
    assert "hunter2" not in f"{raised.value}{caplog.text}"
    made.close()
