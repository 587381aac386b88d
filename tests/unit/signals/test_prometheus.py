"""Who may ask a Prometheus server, and what a query must say so that it is sent."""

import asyncio
import contextlib
import json
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detour.checks.failures import Reason
from detour.model.checks import PrometheusCheck
from detour.signals import reading
from detour.signals.fetching import Answer, Fetcher
from detour.signals.prometheus import PrometheusServer, QueryRefusedError, permit, servers_from
from detour.signals.reading import SignalReader

SERVER = PrometheusServer(
    "main", "http://192.0.2.9:9090", frozenset({"shop"}), (("cluster", "eu"), ("namespace", "$namespace"))
)
MINE = '{namespace="shop",cluster="eu"}'


@pytest.mark.parametrize(
    "query",
    [
        f"up{MINE}",
        f'sum by (pod) (rate(errors{{namespace="shop",cluster="eu",code=~"5.."}}[5m])) / sum(rate(all{MINE}[5m]))',
        f"max_over_time(up{MINE}[5m:1m]) or vector(0)",
        f"up{MINE} offset 5m",
        "vector(1)",
        "up{namespace='shop',cluster=`eu`}",
        'up{namespace="shop",namespace=~".*",cluster="eu"}',
    ],
)
def test_a_query_that_names_what_it_must_is_sent(query: str) -> None:
    permit(SERVER, "shop", query)


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("up", 'each selector of the query must have cluster="eu", namespace="shop"'),
        ('up{namespace="shop"}', 'must have cluster="eu"'),
        (f'up{MINE} + up{{namespace="bank",cluster="eu"}}', 'must have namespace="shop"'),
        (f"up{MINE} unless on () secrets", "each selector"),
        ('up{namespace=~"shop",cluster="eu"}', 'must have namespace="shop"'),
        ('up{namespace=~"shop|bank",cluster="eu"}', 'must have namespace="shop"'),
        ('up{namespace!="shop",cluster="eu"}', 'must have namespace="shop"'),
        ('up{x="namespace=\\"shop\\",cluster=\\"eu\\""}', "each selector"),
        ('up{namespace="shop\\"},cluster=\\"eu",y="z"}', "each selector"),
        ("rate(secrets[5m])", "each selector"),
        ("max_over_time(secrets[5m:1m])", "each selector"),
        (f"topk(3, up{MINE}) and secrets", "each selector"),
        ('up{namespace="shop",cluster="eu" or namespace="bank"}', "`or` within a selector"),
        (f"info(up{MINE})", "info()"),
        ("sum(", "no PromQL that can be read"),
        ("", "no PromQL that can be read"),
        ("(" * 900, "no PromQL that can be read"),
        ('up{namespace="shop",cluster="eu"}[5m] offset NaN', "no PromQL that can be read"),  # its Rust panics
    ],
)
def test_one_that_does_not_is_not_sent_and_told_what_it_lacks(query: str, told: str) -> None:
    with pytest.raises(QueryRefusedError) as refused:
        permit(SERVER, "shop", query)
    assert told in str(refused.value)


@given(st.text(max_size=100))
def test_no_text_breaks_the_reading(query: str) -> None:
    with contextlib.suppress(QueryRefusedError):
        permit(SERVER, "shop", query)


def test_only_namespaces_that_may_ask_do() -> None:
    with pytest.raises(QueryRefusedError, match="takes no queries from namespace bank"):
        permit(SERVER, "bank", f"up{MINE}")
    with pytest.raises(QueryRefusedError, match="takes no queries from namespace shop"):
        permit(PrometheusServer("main", "http://x"), "shop", "up")
    permit(PrometheusServer("main", "http://x", frozenset({"*"})), "shop", "up")


def test_servers_are_read_as_the_chart_writes_them() -> None:
    text = json.dumps(
        [{"name": "main", "url": "https://x:1/prom", "namespaces": ["*"], "matchers": {"b": "2", "a": "1"}}]
    )
    assert servers_from(text) == (
        PrometheusServer("main", "https://x:1/prom", frozenset("*"), (("a", "1"), ("b", "2"))),
    )


# -- verdicts ----------------------------------------------------------------------------------------------------------


class Asked:
    """A Fetcher that gives an answer, and counts how often."""

    def __init__(self, values: list[str], *, wait: float = 0.0) -> None:
        self.values, self.wait, self.times = values, wait, 0

    async def get(self, *_: Any, **__: Any) -> Answer:
        self.times += 1
        await asyncio.sleep(self.wait)
        result = [{"metric": {}, "value": [0, each]} for each in self.values]
        body = json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}})
        return Answer(200, body.encode(), {})


def reader(asked: Asked, server: PrometheusServer = SERVER) -> SignalReader:
    return SignalReader(cast(Fetcher, asked), feeds={}, servers=[server])


def check(**changes: Any) -> PrometheusCheck:
    return PrometheusCheck(**{"server": "main", "namespace": "shop", "query": f"up{MINE}", "above": 0.5, **changes})


@pytest.mark.parametrize(
    ("values", "changes", "passed"),
    [
        (["0.4"], {}, True),
        (["0.4", "0.6"], {}, False),
        (["0.6"], {"above": None, "below": 1.0}, False),
        ([], {}, None),
        (["NaN"], {}, None),
    ],
)
async def test_a_query_passes_while_no_value_is_beyond_its_bound(
    values: list[str], changes: dict[str, Any], passed: bool | None
) -> None:
    found = await reader(Asked(values)).verdict(check(**changes))
    assert found.passed is passed
    assert bool(found.reason) is (passed is not True)
    assert not any(each in found.message for each in values), "values are nobody's business"


async def test_a_query_that_is_refused_is_never_sent() -> None:
    asked = Asked(["1"])
    for each in (check(query="secrets"), check(namespace="bank")):
        found = await reader(asked).verdict(each)
        assert (found.passed, found.reason) == (None, Reason.INVALID_CHECK)
    assert (await reader(asked).verdict(check(server="other"))).passed is None
    assert asked.times == 0


async def test_one_answer_is_good_for_all_who_ask_at_a_time() -> None:
    asked = Asked(["0.4"], wait=0.05)
    reads = reader(asked)
    found = await asyncio.gather(*(reads.verdict(check()) for _ in range(50)))
    assert all(each.passed for each in found)
    assert asked.times == 1
    await asyncio.gather(*(reads.verdict(check(query=f"up{MINE} + {number}")) for number in range(5)))
    assert asked.times == 6


async def test_who_gives_up_waiting_takes_the_answer_from_nobody() -> None:
    asked = Asked(["0.4"], wait=0.1)
    reads = reader(asked)
    hasty = asyncio.create_task(reads.verdict(check()))
    patient = asyncio.create_task(reads.verdict(check()))
    await asyncio.sleep(0.02)
    hasty.cancel()
    assert (await patient).passed


async def test_no_word_of_a_servers_reaches_a_record() -> None:
    class Refusing(Asked):
        async def get(self, *_: Any, **__: Any) -> Answer:
            told = {"status": "error", "errorType": "execution", "error": 'duplicate series {v="42"}'}
            return Answer(422, json.dumps(told).encode(), {})

    found = await reader(Refusing([])).verdict(check())
    assert found.message == "Prometheus server main refuses the query: execution"


async def test_what_was_answered_is_forgotten_within_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    reads = reader(Asked(["0.4"] * 500))
    for number in range(20):
        await reads.verdict(check(query=f"up{MINE} + {number}"))
    assert len(reads._lately) == 20
    assert all(len(each.reading.result().values) == 1 for each in reads._lately.values())  # type: ignore[union-attr]
    monkeypatch.setattr(reading, "ASKED_AGAIN_AFTER", 0.0)
    await reads.verdict(check())
    assert len(reads._lately) == 1
