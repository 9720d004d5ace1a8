"""The alert rules and the Grafana dashboard: valid, about metrics that exist, and explained."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.support.http_gateway import MODEL, surface

ROOT = Path(__file__).parents[2]
ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yaml"
DASHBOARD = ROOT / "deploy" / "grafana" / "dashboard.json"
NAMES = re.compile(r"\b(?:gateway|process)_[a-z0-9_]+\b")
ELSEWHERE = {"gateway_worker_up", "gateway_redis_up"}
"""Only with several workers, and only with Redis; tests of their own see them."""

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed (Debian: prometheus)"
)


def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


def queries() -> list[str]:
    """What the panels of the dashboard ask, with Grafana's variables filled in."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    asked = [target["expr"] for panel in panels for target in panel.get("targets", ())]
    return [query.replace("$__rate_interval", "5m").replace("$instance", ".*").replace("$job", ".*") for query in asked]


def promtool(*arguments: object) -> None:
    done = subprocess.run(
        ["promtool", *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_promtool_accepts_the_rules_and_they_fire_when_they_should() -> None:
    promtool("check", "rules", ALERTS)
    promtool("test", "rules", ALERTS.with_suffix(".test.yaml"))


@needs_promtool
def test_promtool_accepts_every_query_of_the_dashboard(tmp_path: Path) -> None:
    asked = [{"record": f"panel:{number}", "expr": query} for number, query in enumerate(queries())]
    assert len(asked) > 25
    file = tmp_path / "panels.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": asked}]}))
    promtool("check", "rules", file)


async def test_rules_and_dashboard_ask_for_metrics_that_the_gateway_has(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        await made.http.post("/v1/models", json=MODEL)
        hello = {"model": MODEL["id"], "messages": [{"role": "user", "content": "hi"}]}
        await made.http.post("/v1/chat/completions", json=hello)
        text = (await made.http.get("/metrics")).text
    there = {sample for family in text_string_to_metric_families(text) for sample in _names(family)}
    asked = {name for query in [*queries(), *(rule["expr"] for rule in rules())] for name in NAMES.findall(query)}
    assert asked - ELSEWHERE <= there


def test_every_alert_says_what_it_means_and_the_guide_what_to_do() -> None:
    guide = (ROOT / "docs" / "operations.md").read_text().split("## Alerts", 1)[1]
    explained = re.findall(r"^\| `(\w+)` \|", guide, re.MULTILINE)
    assert sorted(explained) == sorted(rule["alert"] for rule in rules())
    assert all(rule["annotations"]["summary"] and rule["labels"]["severity"] for rule in rules())


def _names(family: Any) -> set[str]:
    """The names of its values, those that have none yet included."""
    endings = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}.get(family.type, ("",))
    return {family.name + ending for ending in endings}
