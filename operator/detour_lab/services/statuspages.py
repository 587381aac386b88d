"""What stands outside and speaks of regions: the clouds' status pages, and a Prometheus, on a loopback address.

The pages have the shapes that the clouds' have; AWS's first event is that of 20 October 2025 as it stood there at 07:51
UTC.
"""

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

OCTOBER_2025: Mapping[str, Any] = {
    "date": "1760944260",
    "arn": "arn:aws:health:us-east-1::event/MULTIPLE_SERVICES/AWS_MULTIPLE_SERVICES_OPERATIONAL_ISSUE/"
    "AWS_MULTIPLE_SERVICES_OPERATIONAL_ISSUE_BA540_514A652BE1A",
    "region_name": "N. Virginia",
    "status": "2",
    "service": "multipleservices-us-east-1",
    "service_name": "Multiple services (N. Virginia)",
    "summary": "Increased Error Rates and Latencies",
    "event_log": [
        {"summary": "Increased Error Rates and Latencies", "message": "…", "status": 2, "timestamp": 1760944260},
        {"summary": "Increased Error Rates and Latencies", "message": "…", "status": 2, "timestamp": 1760946660},
    ],
    "impacted_services": {
        "dynamodb-us-east-1": {"service_name": "Amazon DynamoDB", "current": "2", "max": "2"},
        "ec2-us-east-1": {"service_name": "Amazon Elastic Compute Cloud", "current": "2", "max": "2"},
    },
}
ELSEWHERE: Mapping[str, Any] = {
    **OCTOBER_2025,
    "arn": "arn:aws:health:ap-northeast-1::event/EC2/AWS_EC2_OPERATIONAL_ISSUE/AWS_EC2_OPERATIONAL_ISSUE_X",
    "region_name": "Tokyo",
    "service": "ec2-ap-northeast-1",
    "impacted_services": {},
}
RESOLVED: Mapping[str, Any] = {**OCTOBER_2025, "status": "0", "end_time": "1760998860"}

_GOOGLE: tuple[Mapping[str, Any], ...] = (
    {
        "id": "ow5i3PPK96RduMcb1SsW",
        "number": "1234567890123456789",
        "begin": "2025-06-12T17:51:00+00:00",
        "end": "2025-06-13T01:18:00+00:00",
        "external_desc": "Multiple GCP products are experiencing Service issues.",
        "status_impact": "SERVICE_OUTAGE",
        "severity": "high",
        "service_name": "Multiple Products",
        "most_recent_update": {"status": "AVAILABLE", "text": "…", "affected_locations": []},
        "currently_affected_locations": [],
        "previously_affected_locations": [{"title": "Frankfurt (europe-west3)", "id": "europe-west3"}],
    },
)
_AZURE = """<?xml version="1.0" encoding="utf-8"?>
<rss xmlns:a10="http://www.w3.org/2005/Atom" version="2.0">
  <channel>
    <title>Azure Status</title>
    <link>https://status.azure.com/status/</link>
    <description>Azure Status</description>
    %s
  </channel>
</rss>
"""


class StatusPages:
    """Serves all of them. `aws` are AWS's events, `azure` titles of items, `value` what each query to Prometheus gives.

    While they are `away` all answer 503; None for a `value` is no result. `queries` are those that were asked.
    """

    def __init__(self) -> None:
        self.aws: tuple[Mapping[str, Any], ...] = (ELSEWHERE, RESOLVED)
        self.google = _GOOGLE
        self.azure: tuple[str, ...] = ()
        self.value: float | None = 0.0
        self.away = False
        self.queries: list[str] = []
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self) -> None:
        """Take a free port of 127.0.0.1."""
        app = web.Application(middlewares=[self._absence])
        app.router.add_get("/aws", self._of_aws)
        app.router.add_get("/google", self._of_google)
        app.router.add_get("/azure", self._of_azure)
        app.router.add_get("/prometheus/api/v1/query", self._query)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Give it back."""
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def feeds(self) -> Mapping[str, str]:
        """The URLs of the clouds' pages, by cloud."""
        return {"AWS": f"{self.url}/aws", "Azure": f"{self.url}/azure", "Google": f"{self.url}/google"}

    @web.middleware
    async def _absence(self, request: web.Request, handler: Any) -> web.StreamResponse:
        response: web.StreamResponse = web.Response(status=503) if self.away else await handler(request)
        return response

    async def _of_aws(self, _: web.Request) -> web.Response:
        body = json.dumps(self.aws).encode("utf-16-be")
        return web.Response(body=b"\xfe\xff" + body, content_type="application/json", charset="utf-16")

    async def _of_google(self, _: web.Request) -> web.Response:
        return web.json_response(self.google)

    async def _of_azure(self, _: web.Request) -> web.Response:
        items = "".join(f"<item><title>{each}</title><description>…</description></item>" for each in self.azure)
        return web.Response(text=_AZURE % items, content_type="application/rss+xml")

    async def _query(self, request: web.Request) -> web.Response:
        self.queries.append(request.query.get("query", ""))
        result = [] if self.value is None else [{"metric": {}, "value": [0.0, str(self.value)]}]
        return web.json_response({"status": "success", "data": {"resultType": "vector", "result": result}})
