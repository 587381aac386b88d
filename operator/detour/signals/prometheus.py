"""Prometheus servers as the installation declares them: who may ask them, and what every query must say.

A record's author chooses the query and the server's name, and no URL. What must be in each selector of the query, such
as `namespace="shop"`, the administrator says: a query without it is not sent.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import promql_parser

NAMESPACE = "$namespace"
"""What stands in a matcher for the namespace of the record that asks."""

ANY = "*"


@dataclass(frozen=True, slots=True)
class PrometheusServer:
    """A server: its URL, the `namespaces` whose records may ask it (ANY for all), and the labels in each selector."""

    name: str
    url: str
    namespaces: frozenset[str] = frozenset()
    matchers: tuple[tuple[str, str], ...] = ()


class QueryRefusedError(ValueError):
    """A query is not sent; the text says why, for its author."""


def servers_from(text: str) -> tuple[PrometheusServer, ...]:
    """Read servers from JSON: a list of objects with name, url, namespaces and matchers. Raises ValueError."""
    found = json.loads(text)
    if not isinstance(found, list):
        raise ValueError("it is no list of servers")
    return tuple(_server(each) for each in found)


def _server(given: object) -> PrometheusServer:
    if not isinstance(given, dict) or given.keys() - {"name", "url", "namespaces", "matchers"}:
        raise ValueError("each server has name, url, namespaces and matchers, and nothing else")
    name, url = given.get("name"), given.get("url")
    namespaces, matchers = given.get("namespaces", []), given.get("matchers", {})
    if not isinstance(name, str) or not name:
        raise ValueError("a server has no name")
    parts = urlsplit(url) if isinstance(url, str) else None
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"server {name!r} needs a url such as http://prometheus.monitoring:9090")
    if parts.username or parts.password:
        raise ValueError(f"the url of server {name!r} has credentials in it; give a token in a file")
    if not isinstance(namespaces, list) or not all(isinstance(each, str) for each in namespaces):
        raise ValueError(f"the namespaces of server {name!r} are no list of names")
    if not isinstance(matchers, dict) or not all(isinstance(each, str) for each in matchers.values()):
        raise ValueError(f"the matchers of server {name!r} are no labels with their values")
    return PrometheusServer(name, url or "", frozenset(namespaces), tuple(sorted(matchers.items())))


def permit(server: PrometheusServer, namespace: str, query: str) -> None:
    """Let a query of a record in this namespace be sent as it is. Raises QueryRefusedError, saying what to write."""
    if not {ANY, namespace} & server.namespaces:
        raise QueryRefusedError(
            f"Prometheus server {server.name} takes no queries from namespace {namespace}: its entry in "
            "prometheusServers of the chart has to name it"
        )
    if not server.matchers:
        return
    wanted = {label: value.replace(NAMESPACE, namespace) for label, value in server.matchers}
    try:
        asked = promql_parser.parse(query)
    except (KeyboardInterrupt, SystemExit, asyncio.CancelledError):
        raise
    except BaseException as error:  # the library's own, and the panics of its Rust, which are no Exception
        told = " ".join(str(error).split())[:200]
        raise QueryRefusedError(f"the query is no PromQL that can be read: {told}") from None
    refusals = _Refusals(wanted)
    promql_parser.walk(asked, refusals.look)
    if refusals.found:
        raise QueryRefusedError(refusals.found[0])


class _Refusals:
    def __init__(self, wanted: Mapping[str, str]) -> None:
        self._wanted = wanted
        self.found: list[str] = []

    def look(self, expression: object) -> bool:
        match expression:
            case promql_parser.VectorSelector():
                self._judge(expression.matchers)
            case promql_parser.Call() if expression.func.name == "info":
                self.found.append("the query uses info(), which reads what no selector names")
            case _:
                pass
        return True

    def _judge(self, matchers: promql_parser.Matchers) -> None:
        if matchers.or_matchers:
            self.found.append("the query has `or` within a selector; write two selectors")
            return
        given = {(each.name, each.value) for each in matchers.matchers if each.op == promql_parser.MatchOp.Equal}
        missing = [f'{label}="{value}"' for label, value in self._wanted.items() if (label, value) not in given]
        if missing:
            self.found.append(f"each selector of the query must have {', '.join(missing)}")
