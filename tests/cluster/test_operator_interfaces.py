"""What the operator shows of itself: health pages, metrics, logs; and that it writes no status without news."""

import asyncio
import re
from pathlib import Path

import pytest

from detour_lab.services.services import Mode

from .operating import Stage
from .operatorprocess import until
from .stories import story

pytestmark = pytest.mark.asyncio(loop_scope="session")

DOCS = Path(__file__).resolve().parents[2] / "docs"
SUFFIXES = ("_total", "_bucket", "_sum", "_count")


@story
async def test_it_is_alive_and_ready_and_tells_its_metrics(stage: Stage) -> None:
    virginia, netherlands = await stage.places("virginia", "netherlands")
    await stage.apply(*stage.basics(), stage.record([virginia, netherlands]))
    await stage.ready()
    await virginia.service.switch(Mode.REFUSING)
    await stage.serves(netherlands.address)
    await stage.ready()
    operator = await stage.lab.operator()
    assert (await operator.get("/livez"))[0] == 200
    assert (await operator.get("/readyz"))[0] == 200
    fragments = (
        'detour_checks_total{kind="http",result="passed"}',
        'detour_checks_total{kind="http",result="failed"}',
        'detour_check_duration_seconds_bucket{kind="http"',
        'detour_verdict_changes_total{verdict="Unhealthy"}',
        'detour_failover_stage_seconds_count{stage="decided"}',
        'detour_failover_stage_seconds_count{stage="accepted"}',
        'detour_failover_stage_seconds_count{stage="visible"}',
        f'detour_zone_generation_epoch{{namespace="{stage.namespace}",provider="rfc2136",zone="zone"}} 1.0',
        f'detour_zone_generation_sequence{{namespace="{stage.namespace}",provider="rfc2136",zone="zone"}} 2.0',
        f'detour_provider_requests_total{{namespace="{stage.namespace}",provider="rfc2136",result="sent",zone="zone"}}',
        f'detour_zone_throttled{{namespace="{stage.namespace}",provider="rfc2136",zone="zone"}} 0.0',
        'detour_records_ready{ready="True"}',
        'detour_records{state="OK"}',
        "detour_record_state{",
        "detour_region_endpoints{",
        "detour_zone_records{",
        "detour_build_info{version=",
        "detour_kubernetes_requests_total{",
        "detour_repairs_total",
        'result="refused"',
    )
    missing = list(fragments)

    async def all_told() -> bool:
        # Ready may still speak of the answer before: the last stage is counted when every server shows the new one.
        told = await operator.answers("/metrics", 200)
        missing[:] = [fragment for fragment in fragments if fragment not in told]
        return not missing

    await until(all_told, lambda: f"/metrics has {missing}")


@story
async def test_every_metric_in_the_docs_exists(stage: Stage) -> None:
    (virginia,) = await stage.places("virginia")
    await stage.apply(*stage.basics(), stage.record([virginia]))
    await stage.ready()
    told = await (await stage.lab.operator()).answers("/metrics", 200)
    exposed = set(re.findall(r"^(?:# TYPE )?(detour_[a-z_]+)", told, re.MULTILINE))
    (table,) = re.findall(r"^## Metrics\n(.+?)^## ", (DOCS / "operations.md").read_text(), re.MULTILINE | re.DOTALL)
    cells = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    documented = {f"detour_{name}" for cell in cells for name in re.findall(r"`([a-z_]+)`", cell)}
    assert len(documented) > 20
    assert {name for name in documented if not any(name + end in exposed for end in ("", *SUFFIXES))} == set()
    ours = {name for name in exposed if not name.endswith(("_created", "_bucket", "_count", "_sum"))}
    assert {name for name in ours if name not in documented and f"{name}_total" not in documented} == set()


@story
async def test_a_status_without_news_is_not_written(stage: Stage) -> None:
    virginia, netherlands = await stage.places("virginia", "netherlands")
    await stage.apply(*stage.basics(), stage.record([virginia, netherlands]))
    await stage.ready()
    await stage.ready("zone", kind="dz")
    await stage.condition("api", "Healthy", "True")  # on a slow machine the second one's first verdict comes later
    await asyncio.sleep(1.5)  # what was merged into one write is out by then
    before = {kind: (await stage.read(name, kind))["metadata"] for kind, name in (("fr", "api"), ("dz", "zone"))}
    checks = virginia.service.requests
    await until(lambda: virginia.service.requests >= checks + 4, "four more checks were made")
    for kind, name in (("fr", "api"), ("dz", "zone")):
        assert (await stage.read(name, kind))["metadata"]["resourceVersion"] == before[kind]["resourceVersion"]


@story
async def test_each_line_of_its_log_is_json_and_tells_the_story_of_a_failover(stage: Stage) -> None:
    virginia, netherlands = await stage.places("virginia", "netherlands")
    await stage.apply(*stage.basics(), stage.record([virginia, netherlands]))
    await stage.ready()
    await virginia.service.switch(Mode.REFUSING)
    await stage.serves(netherlands.address)
    operator = await stage.lab.operator()
    hostname, addresses = f"api.{stage.domain}", (virginia.address, netherlands.address)

    def told() -> list[str]:
        about = [
            line for line in operator.lines() if line.get("hostname") == hostname or line.get("target") in addresses
        ]
        return [line["event"] for line in about]

    wanted = ["first-failure", "verdict", "decision", "accepted", "visible"]
    await until(lambda: told()[-5:] == wanted, lambda: f"{wanted}; it told {told()}")
    lines = operator.lines()
    assert {"time", "level", "logger", "message"} <= lines[-1].keys()
    assert [line for line in lines if line["level"] in ("error", "critical")] == []


@story
async def test_kubectl_explains_the_columns_and_waits_for_readiness(stage: Stage) -> None:
    (virginia,) = await stage.places("virginia")
    await stage.apply(*stage.basics(), stage.record([virginia]))
    told = await stage.kubectl("wait", "--for=condition=Ready", "fr/api", "dz/zone", "--timeout=180s")
    assert told.count("condition met") == 2
    head = (await stage.kubectl("get", "fr")).splitlines()[0].split()
    assert head == ["NAME", "HOSTNAME", "STATE", "SERVING", "HEALTHY", "READY", "AGE"]
    wide = (await stage.kubectl("get", "fr", "-o", "wide")).splitlines()[0].split()
    assert wide[:2] + wide[6:] == ["NAME", "HOSTNAME", "MESSAGE", "PINNED", "ZONES", "REASON", "AGE"]
    listed = await stage.kubectl("get", "detour")
    assert "failoverrecord.detour.dev/api" in listed
    assert "dnszone.detour.dev/zone" in listed
