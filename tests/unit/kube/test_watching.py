"""Listing and watching, with the real client and the real kopf: an API server that refuses, lags and goes back."""

import asyncio
import gc
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable, Container
from pathlib import Path
from typing import Any

import kopf
import pytest
from aiohttp import web
from kopf._core.reactor.inventory import ResourceMemory

from detour.engine.ports import ClusterError
from detour.kube import cluster as cluster_module
from detour.kube import watching
from detour.kube.cluster import Cluster
from detour.kube.kinds import DeletionSeen, Listed, Message, Missing, Seen, Unread
from detour.kube.watching import Watcher
from detour.model.objects import Kind

from .kubeapi import KubeApi

PATIENCE = 30.0
RESTARTED = "starting the watches anew"


class Eyes:
    """What a watcher has delivered."""

    def __init__(self, api: KubeApi, folder: Path, *namespaces: str) -> None:
        self.api = api
        self.messages: list[Message] = []
        self._news = threading.Lock()
        self.cluster = Cluster(api.kubeconfig(folder))
        self.watcher = Watcher(
            self.cluster,
            kubeconfig=api.kubeconfig(folder),
            namespaces=namespaces,
            deliver=self._take,
            clock=time.monotonic,
        )

    def _take(self, message: Message) -> None:
        with self._news:
            self.messages.append(message)

    def names(self, kind: Kind = Kind.FAILOVER_RECORD) -> set[str]:
        """Return the names that are known by now."""
        known: set[str] = set()
        for each in list(self.messages):
            match each:
                case Seen(of, raw) if of is kind:
                    known.add(raw["metadata"]["name"])
                case DeletionSeen(of, raw) if of is kind:
                    known.discard(raw["metadata"]["name"])
                case Missing(of, _, name) if of is kind:
                    known.discard(name)
                case Listed(of, raws) if of is kind:
                    known |= {raw["metadata"]["name"] for raw in raws}
        return known

    def listings(self, kind: Kind) -> list[Listed]:
        return [each for each in list(self.messages) if isinstance(each, Listed) and each.kind is kind]

    def unread(self, kind: Kind) -> dict[str, str]:
        told = [each for each in list(self.messages) if isinstance(each, Unread) and each.kind is kind]
        return dict(told[-1].namespaces) if told else {}

    async def list_all(self) -> None:
        await asyncio.to_thread(self.watcher.list_all)

    async def compare(self, times: int = 1) -> None:
        """Look for what the watches missed, as the operator does every minute."""
        for _ in range(times):
            await asyncio.to_thread(self.watcher.compare_all)
            await asyncio.to_thread(self.watcher.settle)

    async def watches(self, plural: str, namespace: str = "") -> None:
        await until(lambda: any(each[:2] == (plural, namespace) for each in self.api.watches))


async def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, condition
        await asyncio.sleep(0.02)


def record(name: str, namespace: str = "shop") -> dict[str, Any]:
    return {
        "apiVersion": "detour.dev/v1alpha1",
        "kind": "FailoverRecord",
        "metadata": {"name": name, "namespace": namespace, "uid": f"uid-{namespace}-{name}"},
        "spec": {},
    }


@pytest.fixture(autouse=True)
def _quiet() -> None:
    """kopf tells of every server that went away, here also after the test."""
    logging.getLogger("kopf").setLevel(logging.CRITICAL)


@pytest.fixture
async def api() -> AsyncIterator[KubeApi]:
    served = KubeApi()
    await served.start()
    yield served
    await served.stop()


@pytest.fixture
async def look(api: KubeApi, tmp_path: Path) -> AsyncIterator[Callable[..., Eyes]]:
    made: list[Eyes] = []

    def begin(*namespaces: str) -> Eyes:
        made.append(Eyes(api, tmp_path, *namespaces))
        made[-1].watcher.start()
        return made[-1]

    yield begin
    for each in made:
        await asyncio.to_thread(each.watcher.stop, 0.5)
        each.cluster.close()


Look = Callable[..., Eyes]


def in_the_hands_of_kopf(names: Container[str]) -> list[kopf.Body]:
    return [each for each in gc.get_objects() if type(each) is kopf.Body and each.meta.name in names]


async def test_kopf_keeps_nothing_of_an_object_that_was_handed_on(api: KubeApi, look: Look) -> None:
    """Also not until garbage is collected: what is set apart from the collector meanwhile is never freed."""
    names = {f"kept-nowhere-{number}" for number in range(6)}
    gc.disable()
    try:
        for name in names - {"kept-nowhere-5"}:
            api.put({**record(name), "spec": {"hostname": name}, "status": {"summary": {}}})
        eyes = look()
        await eyes.watches("failoverrecords")
        api.put({**record("kept-nowhere-5"), "spec": {"hostname": "x"}})
        await until(lambda: names <= set(eyes.names()))
        await until(lambda: {each.meta.name for each in in_the_hands_of_kopf(names)} == names)
        await until(lambda: all(set(each) == {"metadata"} for each in in_the_hands_of_kopf(names)))
    finally:
        gc.enable()
    gc.collect()
    assert not in_the_hands_of_kopf(names)
    assert not [each for each in gc.get_objects() if isinstance(each, ResourceMemory)]


async def test_what_was_just_listed_is_not_delivered_once_more_when_the_watch_begins(api: KubeApi, look: Look) -> None:
    for name in ("one", "two"):
        api.put(record(name))
    eyes = look()
    await eyes.watches("failoverrecords")
    api.put({**record("two"), "spec": {"hostname": "two.example.org"}})
    api.put(record("three"))
    await until(lambda: "three" in eyes.names())
    assert [each.raw["metadata"]["name"] for each in eyes.messages if isinstance(each, Seen)] == ["two", "three"]


async def test_events_that_come_while_a_long_listing_runs_do_not_start_the_watches_anew(
    api: KubeApi, look: Look, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(cluster_module, "PAGE", 2)
    for number in range(6):
        api.put(record(f"r{number}"))
    eyes = look()
    for plural in ("failoverrecords", "dnszones", "cloudregions"):
        await eyes.watches(plural)

    async def others_are_at_work() -> None:
        name = f"new{len(api.objects)}"
        api.put(record(name))
        await until(lambda: name in eyes.names())

    api.after_page = others_are_at_work
    watches = list(api.watches)
    for _ in range(2):
        await eyes.list_all()
    assert len(api.objects) >= 8
    assert RESTARTED not in caplog.text
    assert api.watches == watches, "the very same watches go on"


async def test_a_restored_etcd_starts_the_watches_anew_and_what_comes_then_is_seen(
    api: KubeApi, look: Look, caplog: pytest.LogCaptureFixture
) -> None:
    api.put(record("old"))
    eyes = look()
    await eyes.watches("failoverrecords")
    api.put(record("lost"))
    await until(lambda: "lost" in eyes.names())
    del api.objects["failoverrecords", "shop", "lost"]
    api.restore(500)
    await eyes.list_all()
    await until(lambda: [each for each in api.watches if each[0] == "failoverrecords" and each[2] == 500])
    assert caplog.text.count(RESTARTED) == 1
    api.put(record("after"))
    await until(lambda: "after" in eyes.names())
    await eyes.list_all()
    assert caplog.text.count(RESTARTED) == 1


async def test_a_forbidden_namespace_does_not_stop_the_others_and_is_named(
    api: KubeApi, look: Look, caplog: pytest.LogCaptureFixture
) -> None:
    api.forbidden = {("failoverrecords", "team-b"), ("dnszones", "team-b")}
    api.put(record("one", "team-a"))
    eyes = look("team-a", "team-b")
    await eyes.watches("failoverrecords", "team-a")
    api.put(record("two", "team-a"))
    await until(lambda: eyes.names() == {"one", "two"})
    assert set(eyes.unread(Kind.FAILOVER_RECORD)) == {"team-b"}
    assert eyes.listings(Kind.FAILOVER_RECORD)[-1].namespaces == {"team-a"}, "it says nothing of the other namespace"
    assert "FailoverRecords cannot be listed in namespace team-b (the API server answers 403" in caplog.text
    with caplog.at_level(logging.INFO):
        api.forbidden.clear()
        api.put(record("three", "team-b"))
        await eyes.list_all()
        await eyes.watches("failoverrecords", "team-b")
    assert "FailoverRecords can be listed again in namespace team-b" in caplog.text
    assert eyes.unread(Kind.FAILOVER_RECORD) == {}
    api.put(record("four", "team-b"))
    await until(lambda: eyes.names() == {"one", "two", "three", "four"})


@pytest.mark.slow
async def test_a_namespace_that_is_forbidden_while_it_is_watched_does_not_stop_the_others(
    api: KubeApi, look: Look
) -> None:
    eyes = look("team-a", "team-b")
    await eyes.watches("failoverrecords", "team-a")
    await eyes.watches("failoverrecords", "team-b")
    api.forbidden = {("failoverrecords", "team-b")}
    for plural, namespace, _, queue in api.watches:
        if (plural, namespace) == ("failoverrecords", "team-b"):
            queue.put_nowait(None)  # the watch ends, as each does after some minutes
    await until(lambda: "team-b" in eyes.unread(Kind.FAILOVER_RECORD))
    await eyes.watches("failoverrecords", "team-a")
    api.put(record("one", "team-a"))
    await until(lambda: "one" in eyes.names())


async def test_vantages_that_may_not_be_listed_are_gone_without_and_keep_nobody_waiting(
    api: KubeApi, look: Look
) -> None:
    api.forbidden.add(("vantages", ""))
    eyes = await with_records(api, look, "one")
    assert [list(each.take()) for each in eyes.listings(Kind.VANTAGE)] == [[]]
    assert "403" in eyes.unread(Kind.VANTAGE)[""]
    api.forbidden.clear()
    await eyes.compare()
    await until(lambda: eyes.unread(Kind.VANTAGE) == {})


@pytest.mark.parametrize("kind", list(Kind))
async def test_a_forbidden_kind_does_not_stop_the_others(api: KubeApi, look: Look, kind: Kind) -> None:
    api.forbidden = {(kind.plural, "")}
    eyes = look()
    for other in Kind:
        if other is not kind:
            await eyes.watches(other.plural)
    assert set(eyes.unread(kind)) == {""}
    assert len(eyes.listings(kind)) == (kind in watching.MAY_BE_MISSING), "without which an operator does"


@pytest.mark.slow
async def test_a_namespace_that_may_be_listed_but_not_watched_is_listed_and_the_others_are_watched(
    api: KubeApi, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "FIRST_PAUSE", 0.05)
    api.unwatchable = {("failoverrecords", "team-b")}
    api.put(record("one", "team-b"))
    eyes = look("team-a", "team-b")
    await until(lambda: eyes.watcher._kept[Kind.FAILOVER_RECORD].unwatched)
    await eyes.watches("failoverrecords", "team-a")
    api.put(record("two", "team-a"))
    await until(lambda: eyes.names() == {"one", "two"})
    api.unwatchable.clear()
    await eyes.list_all()
    await eyes.watches("failoverrecords", "team-b")


@pytest.mark.slow
async def test_no_record_is_shown_before_it_is_known_which_regions_are_drained(api: KubeApi, look: Look) -> None:
    def broken(request: web.Request) -> web.Response | None:
        return web.Response(status=500) if request.path.endswith("/cloudregions") else None

    api.mangle = broken
    api.put(record("one"))
    eyes = look()
    await until(lambda: sum(each.endswith("/cloudregions") for each in api.requests) >= 2)
    assert eyes.names() == set()
    api.mangle = lambda _: None
    await until(lambda: eyes.names() == {"one"})


@pytest.mark.slow
async def test_a_token_that_was_rotated_is_read_anew_for_calls_and_for_watches(
    api: KubeApi, look: Look, tmp_path: Path
) -> None:
    eyes = look()
    await eyes.watches("failoverrecords")
    api.token = "the second token"
    for *_, queue in list(api.watches):
        queue.put_nowait(None)  # the watches end, as each does after some minutes
    with pytest.raises(ClusterError, match="401"):
        await eyes.list_all()
    (tmp_path / "token").write_text(api.token)
    api.put(record("later"))
    await until(lambda: "later" in eyes.names())
    await eyes.watches("failoverrecords")
    api.secrets["shop", "tsig"] = {"data": {}}
    assert await eyes.cluster.read_secret("shop", "tsig") == {}


NONSENSE = [
    web.Response(text="<html>welcome</html>", content_type="text/html"),
    web.Response(text='{"kind": "FailoverRecordList", "items": [{"meta', content_type="application/json"),
    web.Response(text="[]", content_type="application/json"),
    web.Response(text='{"items": "none"}', content_type="application/json"),
    web.Response(text='{"kind": "Status"}', content_type="application/json"),
    web.Response(text='"' + "x" * 100, content_type="application/json"),
    web.Response(text="[" * 100_000, content_type="application/json"),
    web.Response(body=b"\xff\xfe\x00\x01", content_type="application/json"),
]


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(NONSENSE)))
async def test_an_answer_that_is_no_list_fails_that_listing_and_nothing_more(
    api: KubeApi, look: Look, number: int
) -> None:
    nonsense = NONSENSE[number]
    eyes = look()
    await eyes.watches("failoverrecords")
    api.mangle = lambda request: (
        web.Response(body=nonsense.body, content_type=nonsense.content_type)
        if request.path.endswith("/dnszones")
        else None
    )
    with pytest.raises(ClusterError, match="is not what it should be") as raised:
        await eyes.list_all()
    assert "welcome" not in str(raised.value), "what was fetched is not quoted"
    api.put(record("one"))
    await until(lambda: "one" in eyes.names())
    assert len(eyes.listings(Kind.FAILOVER_RECORD)) >= 2, "the other kinds were listed all the same"
    api.mangle = lambda _: None
    await eyes.list_all()


# -- what the watches missed -------------------------------------------------------------------------------------------


async def with_records(api: KubeApi, look: Look, *names: str) -> Eyes:
    """Return a watcher that knows these records, and forget what it told so far."""
    for name in names:
        api.put(record(name))
    eyes = look()
    for plural in ("failoverrecords", "dnszones", "cloudregions"):
        await eyes.watches(plural)
    await until(lambda: eyes.names() == set(names))
    await asyncio.sleep(0.2)  # kopf's own listing
    await eyes.compare()
    return eyes


async def test_what_stands_as_it_was_seen_is_not_read_again(api: KubeApi, look: Look) -> None:
    eyes = await with_records(api, look, "one", "two")
    told, listed = len(eyes.messages), len(api.requests)
    for _ in range(3):
        await eyes.compare()
    assert len(eyes.messages) == told
    lists = tuple(each.plural for each in Kind)
    assert all(each.endswith(lists) for each in api.requests[listed:])


async def test_a_change_that_the_watch_missed_is_found_and_read(api: KubeApi, look: Look) -> None:
    eyes = await with_records(api, look, "one", "two")
    api.put({**record("one"), "spec": {"changed": True}}, quietly=True)
    await eyes.compare()
    (news,) = [each for each in eyes.messages if isinstance(each, Seen) and each.raw.get("spec")]
    assert news.raw["metadata"]["name"] == "one"
    told = len(eyes.messages)
    await eyes.compare()
    assert len(eyes.messages) == told


async def test_an_object_that_came_unseen_and_one_that_went_unseen_are_found(api: KubeApi, look: Look) -> None:
    eyes = await with_records(api, look, "one", "two")
    api.put(record("three"), quietly=True)
    del api.objects["failoverrecords", "shop", "one"]
    await eyes.compare()
    assert eyes.names() == {"two", "three"}
    (gone,) = [each for each in eyes.messages if isinstance(each, Missing)]
    assert (gone.namespace, gone.name, gone.uid) == ("shop", "one", "uid-shop-one")


async def test_an_object_that_was_made_anew_unseen_is_another_one(api: KubeApi, look: Look) -> None:
    eyes = await with_records(api, look, "one")
    anew = record("one")
    anew["metadata"]["uid"] = "another"
    api.put(anew, quietly=True)
    await eyes.compare()
    assert [each.raw["metadata"]["uid"] for each in eyes.messages if isinstance(each, Seen)][-1] == "another"


async def test_what_is_only_on_its_way_is_not_read(api: KubeApi, look: Look) -> None:
    eyes = await with_records(api, look, "one")
    api.put({**record("one"), "spec": {"changed": True}}, quietly=True)
    await asyncio.to_thread(eyes.watcher.compare_all)
    api.put_as_is("failoverrecords", "shop", "one", api.objects["failoverrecords", "shop", "one"])
    await until(lambda: any(isinstance(each, Seen) and each.raw.get("spec") for each in eyes.messages))
    reads = len(api.requests)
    await asyncio.to_thread(eyes.watcher.settle)
    assert len(api.requests) == reads


async def test_a_large_kind_is_compared_in_rotation(api: KubeApi, look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "PAGE", 1)
    monkeypatch.setattr(cluster_module, "PAGE", 1)
    names = [f"r{number:02}" for number in range(20)]
    eyes = await with_records(api, look, *names)
    for _ in range(12):
        await eyes.compare()
    api.put({**record("r17"), "spec": {"changed": True}}, quietly=True)
    begun, looks = len(api.requests), 0
    while not any(isinstance(each, Seen) and each.raw.get("spec") for each in eyes.messages):
        await eyes.compare()
        looks += 1
        assert looks <= 2 * watching.ROUNDS
    lists = [each for each in api.requests[begun:] if each.endswith("failoverrecords")]
    assert len(lists) <= 5 * looks, "some pages at a time"
    told = len(eyes.messages)
    api.tokens_expire = True
    await eyes.compare(2 * watching.ROUNDS)
    assert not api.tokens_expire
    api.tokens_expire, api.tells_where_to_go_on = True, False
    with pytest.raises(ClusterError, match="410"):
        await eyes.compare(2 * watching.ROUNDS)
    await eyes.compare(2 * watching.ROUNDS)
    assert len(eyes.messages) == told


async def test_a_count_that_differs_has_all_of_it_compared_at_once(
    api: KubeApi, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "PAGE", 2)
    monkeypatch.setattr(cluster_module, "PAGE", 2)
    monkeypatch.setattr(watching, "ROUNDS", 1_000)
    eyes = await with_records(api, look, *(f"r{number:02}" for number in range(20)))
    del api.objects["failoverrecords", "shop", "r15"]
    looks = 0
    while "r15" in eyes.names():
        await eyes.compare()
        looks += 1
        assert looks <= 25


async def test_a_drain_that_a_restored_backup_took_back_is_found_though_its_revision_has_overtaken_ours(
    api: KubeApi, look: Look, caplog: pytest.LogCaptureFixture
) -> None:
    """As many objects as before, and a newer revision: only the object itself is older than it was seen."""
    eyes = await with_records(api, look, "one", "two")
    before = dict(api.objects["failoverrecords", "shop", "one"])
    before = {**before, "metadata": dict(before["metadata"])}
    api.put({**record("one"), "spec": {"drained": True}})
    await until(lambda: any(isinstance(each, Seen) and each.raw.get("spec") for each in eyes.messages))
    api.objects["failoverrecords", "shop", "one"] = before
    api.version += 1_000
    await eyes.compare()
    assert RESTARTED in caplog.text
    await until(lambda: len(eyes.listings(Kind.FAILOVER_RECORD)) > 1)
    assert "spec" in next(iter(eyes.listings(Kind.FAILOVER_RECORD)[-1].raws))
    assert not next(iter(eyes.listings(Kind.FAILOVER_RECORD)[-1].raws))["spec"]


async def test_one_kind_that_cannot_be_compared_keeps_no_other_from_it(api: KubeApi, look: Look) -> None:
    eyes = await with_records(api, look, "one")
    api.put(record("two"), quietly=True)
    api.mangle = lambda request: web.Response(status=500) if request.path.endswith("/cloudregions") else None
    with pytest.raises(ClusterError):
        await asyncio.to_thread(eyes.watcher.compare_all)
    await asyncio.to_thread(eyes.watcher.settle)
    assert eyes.names() == {"one", "two"}


async def test_who_comes_to_decide_catches_up_with_all_that_the_watches_missed_in_one_go(
    api: KubeApi, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one pass, whatever stands in rotation, and without waiting for what may be on its way."""
    monkeypatch.setattr(cluster_module, "PAGE", 2)
    monkeypatch.setattr(watching, "PAGE", 2)
    names = [f"r{number}" for number in range(9)]
    eyes = await with_records(api, look, *names)
    for name in ("r0", "r8"):
        api.put({**record(name), "spec": {"hostname": f"new-{name}"}}, quietly=True)
    del api.objects["failoverrecords", "shop", "r4"]
    await asyncio.to_thread(eyes.watcher.catch_up)
    assert eyes.names() == set(names) - {"r4"}
    shown = [each.raw for each in eyes.messages if isinstance(each, Seen) and each.raw["spec"]]
    assert {each["spec"]["hostname"] for each in shown} == {"new-r0", "new-r8"}
