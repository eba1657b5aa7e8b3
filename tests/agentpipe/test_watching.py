"""The dashboard and the alerts ask for figures that there are, and say what to do."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.agentpipe.knocking import knock
from tests.clients import Api

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
ALERTS: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((DEPLOY / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]
DASHBOARD: dict[str, Any] = json.loads((DEPLOY / "grafana/agentpipe.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
NAMES = re.compile(r"\b(?:agentpipe|process)_\w+")
SUFFIXES = {"histogram": ("_bucket", "_count", "_sum"), "summary": ("_count", "_sum")}


async def test_every_query_asks_for_what_the_metrics_have(api: Api, key: str) -> None:
    text = (await knock("/metrics", key=key)).body.decode()
    kinds = dict(re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE))
    asked = {name for query in queries() for name in NAMES.findall(without_labels(query))}
    known = {name + suffix for name, kind in kinds.items() for suffix in SUFFIXES.get(kind, ("",))}

    assert asked - known == set()


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: str(alert["alert"]))
def test_an_alert_says_what_is_wrong_and_what_to_do(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in {"page", "ticket"}
    assert alert["annotations"].keys() == {"summary", "description"}
    assert f"`{alert['alert']}`" in (ROOT / "docs/operations.md").read_text()


def test_lines_of_the_log_are_asked_for_by_names_that_they_have() -> None:
    code = "\n".join(
        path.read_text()
        for room in ("agentpipe", "streaming", "conversations", "agents", "workflows")
        for path in (ROOT / room).rglob("*.py")
    )
    said = [
        name
        for query in queries()
        for names in re.findall(r'event=~?"([^"]+)"', query)
        for name in names.split("|")
    ]

    assert len(said) >= 3
    assert [name for name in said if f'"{name}"' not in code] == []


def test_panels_have_places_of_their_own_and_choose_the_process() -> None:
    numbers = [panel["id"] for panel in DASHBOARD["panels"]]
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in DASHBOARD["panels"]]
    assert len({*numbers}) == len({*places}) == len(DASHBOARD["panels"])
    for panel in PANELS:
        assert panel["datasource"]["uid"] == "${datasource}"
        for target in panel["targets"]:
            assert 'instance=~"$instance"' in target["expr"], panel["title"]
            assert target["expr"].count("(") == target["expr"].count(")")


def test_every_process_of_the_topology_is_asked() -> None:
    scraped = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())["scrape_configs"][0]
    targets = [target for group in scraped["static_configs"] for target in group["targets"]]
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    services = {
        name: service
        for name, service in compose["services"].items()
        if service.get("image") == "agentpipe"
    }

    assert {target.partition(":")[0] for target in targets} == services.keys()


def queries() -> list[str]:
    shown = [target["expr"] for panel in PANELS for target in panel["targets"]]
    return [*shown, *(alert["expr"] for alert in ALERTS)]


def without_labels(query: str) -> str:
    return re.sub(r"\{[^}]*\}", "", query)
