"""Reads the sources of signals: status pages of clouds, and Prometheus servers that the installation declares."""

import asyncio
import json
import logging
import math
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from detour.checks.failures import Reason
from detour.health.signals import said_by_query
from detour.model.checks import CheckResult, PrometheusCheck
from detour.model.defects import told
from detour.model.signals import FeedSource, Incidents, QuerySource, Reading, Samples, Source, Unreadable
from detour.signals.feeds import UnreadableFeedError, incidents_in
from detour.signals.fetching import Answer, Fetcher, FetchError
from detour.signals.prometheus import PrometheusServer, QueryRefusedError, permit

logger = logging.getLogger(__name__)

FEEDS: Mapping[str, str] = {
    "AWS": "https://health.aws.amazon.com/public/currentevents",
    "Azure": "https://azure.status.microsoft/en-us/status/feed/",
    "Google": "https://status.cloud.google.com/incidents.json",
}
"""Where the clouds say what is wrong, for everybody."""

LARGEST_FEED = 16 * 1024 * 1024
LARGEST_RESULT = 64 * 1024
"""Bytes of an answer. Google's page has the incidents of years in it; a query should give a few numbers."""

QUERY_TIMEOUT = 5.0
"""Seconds."""

MOST_TOLD = 200
"""Characters of an error of a Prometheus server's that are passed on."""

ASKED_AGAIN_AFTER = 5.0
"""Seconds for which one answer to a record's query is good, for all endpoints and records that ask it."""

OK, NOT_MODIFIED = 200, 304


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a status page said last, and the headers by which it is asked whether that is still so."""

    incidents: Incidents
    validators: Mapping[str, str]


class _Lately(NamedTuple):
    at: float
    reading: asyncio.Future[Reading]


class SignalReader:
    """Reads sources. `feeds` are the URLs of status pages by cloud, `servers` the Prometheus servers.

    Where `tokens` has a file of a server's name, what stands in it is sent as a bearer token.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        *,
        feeds: Mapping[str, str],
        servers: Iterable[PrometheusServer],
        tokens: Path | None = None,
    ) -> None:
        self._fetcher = fetcher
        self._feeds = {**FEEDS, **feeds}
        self._servers = {each.name: each for each in servers}
        self._lately: OrderedDict[QuerySource, _Lately] = OrderedDict()  # the oldest first
        self._tokens = tokens
        self._seen: dict[str, _Seen] = {}

    async def read(self, source: Source) -> Reading:
        """Return what a source says now. Raises nothing."""
        return await self._read(source, tells=True)

    async def _read(self, source: Source, *, tells: bool) -> Reading:
        """Return what a source says; a server that refuses a query `tells` why in its own words, or in one of ours."""
        try:
            match source:
                case FeedSource(cloud):
                    return await self._read_feed(cloud)
                case QuerySource(server, query):
                    return await self._ask(server, query, tells=tells)
        except FetchError as error:
            return Unreadable(str(error))
        except Exception as error:
            logger.error("a source of signals could not be read: %s", told(error))
            return Unreadable(f"reading it broke on an unforeseen {type(error).__qualname__}; please report it")

    async def _read_feed(self, cloud: str) -> Reading:
        url = self._feeds.get(cloud)
        if url is None:
            return Unreadable(f"no status page of {cloud} is known")
        seen = self._seen.get(url)
        answer = await self._fetcher.get(url, headers=seen.validators if seen else {}, at_most=LARGEST_FEED)
        if answer.status == NOT_MODIFIED and seen is not None:
            return seen.incidents
        if answer.status != OK:
            return Unreadable(f"the status page of {cloud} answers with HTTP {answer.status}")
        try:
            incidents = await asyncio.to_thread(incidents_in, cloud, answer.body)
        except UnreadableFeedError as error:
            return Unreadable(f"the status page of {cloud} cannot be read: {error}")
        self._seen[url] = _Seen(incidents, _validators(answer))
        return incidents

    async def verdict(self, check: PrometheusCheck) -> CheckResult:
        """Return whether a record's query passes. Raises nothing.

        What it gives is nobody's business but the server's: only whether it is beyond the bound is told.
        """
        server = self._servers.get(check.server)
        try:
            if server is not None:
                permit(server, check.namespace, check.query)
        except QueryRefusedError as refusal:
            return CheckResult(None, Reason.INVALID_CHECK, str(refusal), 0.0)
        reading = await self._read_lately(QuerySource(check.server, check.query))
        if isinstance(reading, Samples) and not reading.values:
            return CheckResult(None, Reason.NO_VERDICT, f"the query to {check.server} gives no value", 0.0)
        said = said_by_query(reading, check.above, check.below, f"a value of the query to {check.server}")
        if said.against is None:
            return CheckResult(None, Reason.NO_VERDICT, said.message, 0.0)
        return CheckResult(not said.against, Reason.SAID_ELSEWHERE if said.against else "", said.message, 0.0)

    async def _read_lately(self, source: QuerySource) -> Reading:
        """Return what a query gave within the last seconds, however many ask."""
        now = asyncio.get_running_loop().time()
        while self._lately and now >= next(iter(self._lately.values())).at + ASKED_AGAIN_AFTER:
            self._lately.popitem(last=False)
        known = self._lately.get(source)
        if known is None:
            known = self._lately[source] = _Lately(now, asyncio.ensure_future(self._read(source, tells=False)))
        return await asyncio.shield(known.reading)

    async def _ask(self, name: str, query: str, *, tells: bool) -> Reading:
        server = self._servers.get(name)
        if server is None:
            return Unreadable(f"no Prometheus server {name!r} is declared: add it to prometheusServers of the chart")
        answer = await self._fetcher.get(
            f"{server.url.rstrip('/')}/api/v1/query",
            query={"query": query, "timeout": f"{QUERY_TIMEOUT:g}s"},
            headers=self._authorization(name),
            at_most=LARGEST_RESULT,
            timeout=QUERY_TIMEOUT,
        )
        try:
            return _samples(json.loads(answer.body), name, tells=tells)
        except (ValueError, KeyError, TypeError, IndexError, RecursionError):
            return Unreadable(f"Prometheus server {name} answers with HTTP {answer.status} and no result of a query")

    def _authorization(self, server: str) -> Mapping[str, str]:
        path = self._tokens / server if self._tokens is not None else None
        if path is None or not path.is_file():
            return {}
        return {"Authorization": f"Bearer {path.read_text().strip()}"}  # anew each time: it may be replaced


def _validators(answer: Answer) -> Mapping[str, str]:
    named = {"if-none-match": "etag", "if-modified-since": "last-modified"}
    return {name: answer.headers[given] for name, given in named.items() if given in answer.headers}


def _samples(result: dict[str, object], server: str, *, tells: bool) -> Reading:
    """Return the least and the largest value of a query.

    Raises ValueError, KeyError, TypeError or IndexError where it is no result.
    """
    if result["status"] != "success":  # whose words may have values in them
        why = " ".join(str(result.get("error" if tells else "errorType", "")).split())[:MOST_TOLD]
        return Unreadable(f"Prometheus server {server} refuses the query: {why or 'it does not say why'}")
    data = result["data"]
    if not isinstance(data, dict):
        raise TypeError
    if data["resultType"] == "scalar":
        texts = [data["result"][1]]
    elif data["resultType"] == "vector":
        texts = [each["value"][1] for each in data["result"]]
    else:
        kind = str(data["resultType"])[:MOST_TOLD]
        return Unreadable(f"the query gives a {kind}; write one that gives numbers of this moment")
    values = [value for each in texts if not math.isnan(value := float(each))]
    return Samples(tuple(sorted({min(values), max(values)})) if values else ())
