"""Status pages and Prometheus over a real connection: bounded, guarded, and with an answer to every answer."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from detour.checks.guard import NetworkGuard
from detour.checks.resolver import Resolution, ResolutionOutcome
from detour.model.signals import FeedSource, Incidents, QuerySource, Samples, Unreadable
from detour.signals.fetching import Fetcher, FetchError
from detour.signals.prometheus import PrometheusServer
from detour.signals.reading import SignalReader

EVENT = {"arn": "arn:aws:health:us-east-1::event/EC2/X/Y", "status": "2", "summary": "Slow"}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Outside:
    """A server of status pages, and of a Prometheus, with what it answers and what it was asked."""

    def __init__(self) -> None:
        self.answer: Handler = self._page
        self.asked: list[web.Request] = []
        self.body = json.dumps([EVENT]).encode("utf-16")

    async def _page(self, request: web.Request) -> web.StreamResponse:
        return web.Response(body=self.body, content_type="application/json", charset="utf-16", headers={"ETag": '"1"'})

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        return await self.answer(request)


@pytest.fixture
def outside() -> Outside:
    return Outside()


@pytest.fixture
async def url(outside: Outside) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", outside.handle)
    async with TestServer(app) as server:
        yield f"http://127.0.0.1:{server.port}"


async def resolve(hostname: str) -> Resolution:
    found = {"pages.test": ("127.0.0.1",), "inside.test": ("169.254.169.254",)}.get(hostname, ())
    outcome = ResolutionOutcome.ANSWERED if found else ResolutionOutcome.NO_ADDRESSES
    return Resolution(outcome, found, 5.0, message="" if found else f"{hostname} leads to no address")


@pytest.fixture
async def fetcher() -> AsyncIterator[Fetcher]:
    fetcher = Fetcher(NetworkGuard.from_text(["127.0.0.0/8"]), resolve)
    yield fetcher
    await fetcher.close()


def reader(fetcher: Fetcher, url: str, tokens: Path | None = None) -> SignalReader:
    return SignalReader(
        fetcher, feeds={"AWS": f"{url}/events"}, servers=[PrometheusServer("main", f"{url}/prom/")], tokens=tokens
    )


# -- status pages ------------------------------------------------------------------------------------------------------


async def test_a_page_is_read_and_asked_next_time_only_whether_it_is_new(
    outside: Outside, url: str, fetcher: Fetcher
) -> None:
    reads = reader(fetcher, url)
    first = await reads.read(FeedSource("AWS"))
    assert isinstance(first, Incidents)
    assert [each.summary for each in first.found] == ["Slow"]

    async def unchanged(request: web.Request) -> web.StreamResponse:
        assert request.headers["If-None-Match"] == '"1"'
        return web.Response(status=304)

    outside.answer = unchanged
    assert await reads.read(FeedSource("AWS")) == first


@pytest.mark.parametrize("status", [204, 301, 403, 404, 500, 503])
async def test_any_other_status_tells_nothing(outside: Outside, url: str, fetcher: Fetcher, status: int) -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, headers={"Location": f"{url}/elsewhere"})

    outside.answer = answer
    found = await reader(fetcher, url).read(FeedSource("AWS"))
    assert found == Unreadable(f"the status page of AWS answers with HTTP {status}")
    assert len(outside.asked) == 1  # a redirect leads nowhere


async def test_a_page_without_sense_tells_nothing(outside: Outside, url: str, fetcher: Fetcher) -> None:
    outside.body = b"<html>"
    found = await reader(fetcher, url).read(FeedSource("AWS"))
    assert isinstance(found, Unreadable)
    assert "cannot be read" in found.message


async def test_a_page_that_is_compressed_all_the_same_is_not_unpacked(
    outside: Outside, url: str, fetcher: Fetcher
) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.Response(body=json.dumps([EVENT] * 10_000).encode())
        response.enable_compression(web.ContentCoding.gzip)
        return response

    outside.answer = answer
    assert isinstance(await reader(fetcher, url).read(FeedSource("AWS")), Unreadable)
    assert outside.asked[0].headers["Accept-Encoding"] == "identity"


async def test_an_answer_without_end_is_cut_off(outside: Outside, url: str, fetcher: Fetcher) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 65536)

    outside.answer = answer
    with pytest.raises(FetchError, match="more than 100000 bytes"):
        await fetcher.get(url, at_most=100_000)


async def test_an_answer_that_does_not_come_is_not_waited_for(outside: Outside, url: str, fetcher: Fetcher) -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(60)
        raise AssertionError

    outside.answer = answer
    with pytest.raises(FetchError, match=r"did not answer within 0\.2 s"):
        await fetcher.get(url, at_most=1000, timeout=0.2)


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("http://169.254.169.254/latest/meta-data", "169.254.169.254 is not probed"),
        ("http://[::1]:1/", "::1 is not probed"),
        ("http://inside.test/", "169.254.169.254 is not probed"),
        ("http://nowhere.test/", "leads to no address"),
        ("http://127.0.0.1:1/", "cannot be reached"),
    ],
)
async def test_only_addresses_that_may_be_checked_are_asked(fetcher: Fetcher, target: str, told: str) -> None:
    with pytest.raises(FetchError, match=told):
        await fetcher.get(target, at_most=1000)


async def test_a_name_is_looked_up_as_those_of_endpoints_are(outside: Outside, url: str, fetcher: Fetcher) -> None:
    answer = await fetcher.get(url.replace("127.0.0.1", "pages.test"), at_most=1000)
    assert answer.status == 200
    assert outside.asked[0].host.startswith("pages.test:")


# -- Prometheus --------------------------------------------------------------------------------------------------------


def result(kind: str, found: object) -> Handler:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.json_response({"status": "success", "data": {"resultType": kind, "result": found}})

    return answer


@pytest.mark.parametrize(
    ("answer", "values"),
    [
        (result("scalar", [1.0, "0.25"]), (0.25,)),
        (result("vector", [{"value": [1.0, "3"]}, {"value": [1.0, "+Inf"]}]), (3.0, float("inf"))),
        (result("vector", [{"metric": {}, "value": [1.0, "NaN"]}]), ()),
        (result("vector", []), ()),
    ],
)
async def test_a_query_gives_its_values(
    outside: Outside, url: str, fetcher: Fetcher, answer: Handler, values: tuple[float, ...]
) -> None:
    outside.answer = answer
    asked = 'sum(rate(http_requests_total{code=~"5.."}[1m])) > 0'
    assert await reader(fetcher, url).read(QuerySource("main", asked)) == Samples(values)
    assert outside.asked[0].path == "/prom/api/v1/query"
    assert outside.asked[0].query["query"] == asked


@pytest.mark.parametrize(
    "body", ["", "[]", '{"status": "success"}', '{"status": "success", "data": 3}', "x" * 2_000_000]
)
async def test_an_answer_that_is_no_result_tells_nothing(
    outside: Outside, url: str, fetcher: Fetcher, body: str
) -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(text=body)

    outside.answer = answer
    assert isinstance(await reader(fetcher, url).read(QuerySource("main", "up")), Unreadable)


async def test_a_query_that_is_refused_is_told_why(outside: Outside, url: str, fetcher: Fetcher) -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        told = {"status": "error", "errorType": "bad_data", "error": "parse error:\nunexpected end"}
        return web.json_response(told, status=400)

    outside.answer = answer
    found = await reader(fetcher, url).read(QuerySource("main", "sum("))
    assert found == Unreadable("Prometheus server main refuses the query: parse error: unexpected end")


async def test_a_range_is_no_number(outside: Outside, url: str, fetcher: Fetcher) -> None:
    outside.answer = result("matrix", [])
    found = await reader(fetcher, url).read(QuerySource("main", "up[5m]"))
    assert found == Unreadable("the query gives a matrix; write one that gives numbers of this moment")


async def test_only_declared_servers_are_asked(outside: Outside, url: str, fetcher: Fetcher) -> None:
    found = await reader(fetcher, url).read(QuerySource("other", "up"))
    assert isinstance(found, Unreadable)
    assert "no Prometheus server 'other' is declared" in found.message
    assert not outside.asked


async def test_a_token_goes_to_its_server_alone_and_into_no_message(
    outside: Outside, url: str, fetcher: Fetcher, tmp_path: Path
) -> None:
    (tmp_path / "main").write_text("s3cret\n")

    async def refuse(_: web.Request) -> web.StreamResponse:
        return web.Response(status=401, text="s3cret is wrong")

    outside.answer = refuse
    reads = reader(fetcher, url, tmp_path)
    found = await reads.read(QuerySource("main", "up"))
    await reads.read(FeedSource("AWS"))
    assert outside.asked[0].headers["Authorization"] == "Bearer s3cret"
    assert "Authorization" not in outside.asked[1].headers
    assert isinstance(found, Unreadable)
    assert "s3cret" not in found.message
