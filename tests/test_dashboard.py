"""The dashboard for Grafana and the files of Prometheus and Alertmanager: they parse, fit each other, and ask for what is told."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from guitaronline import health, meters

DOCS = Path(__file__).resolve().parents[1] / "docs"
BOARD: dict[str, Any] = json.loads((DOCS / "grafana" / "guitaronline.json").read_text())
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
QUERIES = [(panel["title"], target["expr"]) for panel in PANELS for target in panel["targets"]]
NAME = re.compile(r"\b[a-z]+(?:_[a-z0-9]+)+\b|\b(?:up|messages)\b")
WORDS = {"histogram_quantile", "sum", "by", "le", "topk", "rate"}  # of the language
SELECTED = re.compile(r"([a-z_0-9]+)\{([a-z_]+)=")
COUNTED = {
    "http_requests_total": {"method", "route", "status"},
    "http_request_seconds_bucket": {"route", "le"},
    "commands_total": {"command", "ending"},
    "command_seconds_bucket": {"command", "le"},
    "database_pool_in_use": set(),
    "database_pool_free": set(),
}
TOLD = {
    **{name: {label} if label else set() for name, (_, label) in health.GAUGES.items()},
    **COUNTED,
    "database_up": set(),
    "up": set(),
}
LABELS = set().union(*TOLD.values())


def test_what_is_counted_is_what_the_meters_count() -> None:
    made = meters.make(None)
    described = {
        metric.name for each in (made.requests, made.seconds, made.commands, made.command_seconds, made.in_use, made.free)
        for metric in each.describe()
    }  # fmt: skip

    assert {re.sub("_(total|bucket)$", "", name) for name in COUNTED} == described


@pytest.mark.parametrize(("title", "query"), QUERIES, ids=[title for title, _ in QUERIES])
def test_a_panel_asks_for_numbers_that_are_told(title: str, query: str) -> None:
    asked = set(NAME.findall(re.sub(r'"[^"]*"|by \([^)]*\)', "", query))) - WORDS

    assert asked - LABELS != set()
    assert asked - LABELS - set(TOLD) == set()


@pytest.mark.parametrize(("title", "query"), QUERIES, ids=[title for title, _ in QUERIES])
def test_a_panel_names_labels_that_its_numbers_have(title: str, query: str) -> None:
    grouped = {label for some in re.findall(r"by \(([^)]*)\)", query) for label in re.split(r",\s*", some)}
    asked = {name for name in TOLD if re.search(rf"\b{name}\b", query)}

    assert grouped <= set().union(*(TOLD[name] for name in asked))
    assert [(name, label) for name, label in SELECTED.findall(query) if label not in TOLD[name]] == []


def test_every_panel_has_a_place_of_its_own() -> None:
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in BOARD["panels"]]
    ids = [panel["id"] for panel in BOARD["panels"]]

    assert len(set(places)) == len(places)
    assert len(set(ids)) == len(ids)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in BOARD["panels"])


def test_every_number_that_is_told_stands_on_the_dashboard_or_is_of_no_use_there() -> None:
    shown = {name for name in TOLD for _, query in QUERIES if re.search(rf"\b{name}\b", query)}

    assert set(TOLD) - shown == {
        "audit_sealed_changes",
        "address_problems",
        "invariant_last_run_seconds",
        "messages_sent_1h",
    }
