"""Alerts speak of metrics that exist and lead to sections that exist; every value of the chart is documented."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import yaml
from prometheus_client import CollectorRegistry

from detour.enactment.delivery import Tally
from detour.enactment.wishes import Explanation, ZoneReport
from detour.engine.metrics import Metrics, StateCollector
from detour.engine.tallies import RecordTallies, Tallied
from detour.health.regions import RegionPhase
from detour.model.generation import Generation
from detour.model.health import Verdict
from detour.model.overrides import Action
from detour.model.record import ObjectKey
from detour.model.states import RecordState
from detour_lab.controlplane import ControlPlane
from detour_lab.stage.chart import CHART

RUNBOOKS = Path(__file__).resolve().parents[2] / "docs" / "runbooks"
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
# Their content is Kubernetes' own or the user's.
FREE_FORM = ("resources",)

Alert = dict[str, Any]


def alerts(plane: ControlPlane, *settings: str) -> list[Alert]:
    """Return the alerts as Prometheus gets them."""
    printed = plane.helm(
        "template",
        "detour",
        str(CHART),
        "--namespace=detour-system",
        "--show-only=templates/prometheusrule.yaml",
        *(f"--set={each}" for each in ("owner=production", "prometheusRule.enabled=true", *settings)),
    ).stdout
    (group,) = yaml.safe_load(printed)["spec"]["groups"]
    found: list[Alert] = group["rules"]
    return found


def families() -> dict[str, set[str]]:
    """Return the labels of each metric family that the operator has, by the name under which it is asked for."""
    metrics = Metrics(CollectorRegistry())
    standby = Explanation("Standby", "another site keeps it")
    report = ZoneReport(ready=True, generation=Generation(1, 1), negative_ttl=60, standby=standby, ledger_seen_at=0.0)
    state = (ObjectKey("dns", "zone"), "rfc2136", report, Tally())
    ready = {"True": 1, "False": 0, "Unknown": 0}
    tallies = RecordTallies()
    tallies.note(ObjectKey("shop", "api"), Tallied(RecordState.OK, (ObjectKey("dns", "zone"),), ("east",)))
    collector = StateCollector(
        lambda: [state],
        lambda: ready,
        leads=lambda: True,
        clock=lambda: 1.0,
        vantages=lambda: {"east": True},
        tallies=lambda: tallies,
        phases=lambda: {"east": RegionPhase.HEALTHY},
        endpoints=lambda: {"east": {Verdict.HEALTHY: 1}},
        overrides=lambda: {Action.DRAIN: (1, 60.0)},
    )
    metrics.registry.register(collector)
    for counter in (metrics.verdicts, metrics.decisions, metrics.kubernetes_requests, metrics.kubernetes_errors):
        counter.labels("x").inc()
    metrics.checks.labels("tcp", "pass").inc()
    for histogram in (metrics.check_seconds, metrics.stage_seconds):
        histogram.labels("x").observe(1.0)
    counters = {family.name for family in metrics.registry.collect() if family.type == "counter"}
    labels = {family.name: set(sample.labels) for family in metrics.registry.collect() for sample in family.samples}
    named = {family.name: labels.get(family.name, set()) for family in metrics.registry.collect()}
    parts = {sample.name: set(sample.labels) for each in metrics.registry.collect() for sample in each.samples}
    return {**parts, **{f"{name}_total" if name in counters else name: found for name, found in named.items()}}


def test_every_metric_that_an_alert_asks_for_exists(control_plane: ControlPlane) -> None:
    known = families()
    for alert in alerts(control_plane):
        asked = set(re.findall(r"\bdetour_\w+", alert["expr"]))
        assert asked or alert["alert"] == "DetourAbsent"
        assert asked <= set(known), alert["alert"]
        for label in re.findall(r"\$labels\.(\w+)", json.dumps(alert["annotations"])):
            grouped = re.search(r"by \(([\w, ]+)\)", alert["expr"])
            offered = set(re.split(r", *", grouped[1])) if grouped else set().union(*(known[each] for each in asked))
            assert label in offered, f"{alert['alert']} names label {label}"


BY_THE_LIBRARY = {"process_resident_memory_bytes", "process_cpu_seconds_total"}


def test_every_query_of_the_dashboard_is_one_and_asks_for_metrics_and_labels_that_exist() -> None:
    board = json.loads((CHART / "files" / "dashboard.json").read_text())
    known, offered = families(), 0
    queries = [(each["title"], target) for each in board["panels"] for target in each.get("targets", ())]
    queries += [(each["name"], {**each, "legendFormat": each["titleFormat"]}) for each in board["annotations"]["list"]]
    for title, target in queries:
        expression = target["expr"].replace("$job", "detour").replace("$__rate_interval", "5m")
        promql_parser.parse(expression)
        asked = {each.removesuffix("_bucket") for each in re.findall(r"\b(?:detour|process)_\w+", expression)}
        assert asked <= {*known, *BY_THE_LIBRARY}, title
        assert 'job="$job"' in target["expr"], title
        labels = set().union(*(known.get(each, set()) | known.get(f"{each}_bucket", set()) for each in asked))
        named = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
        for grouped in re.findall(r"by \(([\w, ]+)\)", expression):
            assert set(re.split(r", *", grouped)) <= labels, title
            assert named <= set(re.split(r", *", grouped)), title
        assert named <= labels, title
        offered += 1
    assert offered > 30
    places = [tuple(each["gridPos"][side] for side in "xy") for each in board["panels"]]
    assert len(set(places)) == len(places), "panels lie upon each other"


def test_the_dashboard_is_installed_where_it_is_asked_for(control_plane: ControlPlane) -> None:
    def rendered(*settings: str) -> list[dict[str, Any]]:
        given = (f"--set={each}" for each in ("owner=production", *settings))
        printed = control_plane.helm("template", "detour", str(CHART), *given).stdout
        return [each for each in yaml.safe_load_all(printed) if each and each["kind"] == "ConfigMap"]

    assert rendered() == []
    (found,) = rendered("dashboard.enabled=true")
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert json.loads(found["data"]["detour.json"])["title"] == "Detour"


def test_every_alert_asks_only_for_this_release(control_plane: ControlPlane) -> None:
    for alert in alerts(control_plane, "fullnameOverride=dns-pointer"):
        assert 'job="dns-pointer"' in alert["expr"], alert["alert"]
        assert "OPERATOR" not in alert["expr"]


def test_every_alert_says_what_it_is_and_where_to_read_on(control_plane: ControlPlane) -> None:
    pages = {each.name for each in RUNBOOKS.iterdir()}
    installed = alerts(control_plane, "prometheusRule.runbookURL=https://wiki.example.com/ops/")
    assert pages == {f"{each['alert']}.md" for each in installed}, "a page for each alert, and no other"
    for alert in installed:
        told = alert["annotations"]
        assert told["summary"].endswith(".")
        assert told["description"].endswith(".")
        assert told["runbook_url"] == f"https://wiki.example.com/ops/{alert['alert']}.md"
        assert (RUNBOOKS / f"{alert['alert']}.md").read_text().startswith(f"# {alert['alert']}\n")
        assert alert["labels"]["severity"] in ("critical", "warning", "info")


def test_alerts_can_be_left_out_and_labelled(control_plane: ControlPlane) -> None:
    usual = {each["alert"] for each in alerts(control_plane)}
    fewer = alerts(
        control_plane, "prometheusRule.disabled={DetourNamesOrphaned}", "prometheusRule.alertLabels.team=dns"
    )
    assert {each["alert"] for each in fewer} == usual - {"DetourNamesOrphaned"}
    assert {each["labels"]["team"] for each in fewer} == {"dns"}


def leaves(values: dict[str, Any], path: str = "") -> Iterator[str]:
    for key, value in values.items():
        if isinstance(value, dict) and value and key not in FREE_FORM:
            yield from leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}"


def test_the_readme_documents_every_value_and_no_other() -> None:
    text = (CHART / "README.md").read_text()
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    assert {name for row in rows for name in re.findall(r"`([^`]+)`", row)} == set(leaves(VALUES))


def test_the_schema_knows_every_value_and_is_strict_about_all_of_them() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())

    def properties(node: dict[str, Any]) -> dict[str, Any]:
        assert node["additionalProperties"] is False
        found: dict[str, Any] = node["properties"]
        return found

    def known(node: dict[str, Any], path: str = "") -> Iterator[str]:
        for key, inner in properties(node).items():
            if "properties" in inner and key not in FREE_FORM:
                yield from known(inner, f"{path}{key}.")
            else:
                yield f"{path}{key}"

    assert set(known(schema)) == {*leaves(VALUES), "global"}
