"""The dashboard asks for what runs really export, by labels that are really there, and its page is in order."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import generate_latest

from jobs.telemetry.metrics import Metrics
from tests.jobs.telemetry.happened import ATTEMPT, RUN, progress

DEPLOY = Path(__file__).resolve().parents[3] / "jobs" / "deploy"
DASHBOARD = DEPLOY / "grafana" / "dashboards" / "joinery.json"
GIVEN_BY_PROMETHEUS = {"job", "instance"}
BY_WORD = re.compile(r"\b(?:by|on) \(([^)]*)\)")
SELECTED = re.compile(r"(joinery_\w+)(?:\{([^}]*)\})?")


def exported() -> dict[str, set[str]]:
    """Metric → its labels, from a scrape of a run in which everything has happened."""
    metrics = Metrics()
    metrics.began(RUN)
    metrics.handed("ingest", 4)
    metrics.came("ingest", ATTEMPT)
    metrics.stage(progress(1, 1, running=True))
    found = {}
    for name, labels in re.findall(r"^(joinery_\w+)(?:\{(.*)\})? ", generate_latest(metrics.registry).decode(), re.M):
        found[name] = set(re.findall(r'(\w+)="', labels)) | GIVEN_BY_PROMETHEUS
    return found


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    return found


def queries() -> list[str]:
    return [target["expr"] for panel in dashboard()["panels"] for target in panel["targets"]]


@pytest.mark.parametrize("query", queries())
def test_a_query_names_metrics_and_labels_that_there_are(query: str) -> None:
    there = exported()
    named = SELECTED.findall(query)
    assert named
    for name, selected in named:
        assert name in there
        assert set(re.findall(r"(\w+)=~?", selected)) <= there[name], name
    grouped = {label.strip() for labels in BY_WORD.findall(query) for label in labels.split(",")}
    assert grouped <= set.union(*(there[name] for name, _ in named))
    assert query.count("(") == query.count(")")


def test_counters_are_asked_for_their_rate_and_gauges_for_their_value() -> None:
    for query in queries():
        for name in re.findall(r"joinery_\w+", query):
            rated = re.search(rf"(?:rate|increase)\({name}\{{[^}}]*\}}\[", query) is not None
            assert rated == name.endswith(("_total", "_bucket")), query


def test_panels_have_places_and_names_of_their_own() -> None:
    panels = dashboard()["panels"]
    places = [panel["gridPos"] for panel in panels]
    cells = [
        (x, y) for at in places for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    assert len({panel["title"] for panel in panels}) == len({panel["id"] for panel in panels}) == len(panels)


def test_every_metric_is_on_the_monitoring_page() -> None:
    page = (DEPLOY.parents[1] / "docs" / "monitor.md").read_text(encoding="utf-8")
    names = {re.sub(r"_(bucket|sum|count|created)$", "", name) for name in exported()}
    own = {name for name in names if not name.startswith("joinery_process_")}
    # a counter's time of birth is named after the counter without its ending
    own = {name for name in own if f"{name}_total" not in own}
    assert {name for name in own if f"`{name}`" not in page} == set()


def test_what_grafana_is_told_leads_to_the_dashboard() -> None:
    provider = yaml.safe_load((DEPLOY / "grafana/provisioning/dashboards/joinery.yaml").read_text("utf-8"))[
        "providers"
    ][0]
    source = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/prometheus.yaml").read_text("utf-8"))
    assert provider["type"] == "file"
    assert source["datasources"][0]["type"] == dashboard()["templating"]["list"][0]["query"] == "prometheus"
