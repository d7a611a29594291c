"""The alert rules for Prometheus: each names numbers that exist, fires when it should, and leads to a page that helps."""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.orm import Session

from guitaronline import health
from guitaronline.db import new_id
from guitaronline.watching import Ending
from jobs.schedule import TIMETABLE
from tests.world import World

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "docs" / "alerts" / "guitaronline.rules.yml"
RULES: list[dict[str, Any]] = [rule for group in yaml.safe_load(FILE.read_text())["groups"] for rule in group["rules"]]
EXPR = re.compile(
    r"(?P<grows>sum\(increase\()?(?P<name>[a-z_0-9]+)"
    r'(?:\{(?P<label>[a-z_]+)(?P<how>=~?)"(?P<value>[^"]*)"\})?'
    r"(?:\[[1-9][0-9]*m\]\)\))? (?P<sign>==|>|<) (?P<limit>[0-9.]+)"
)
SIGNS = {"==": operator.eq, ">": operator.gt, "<": operator.lt}
SAMPLES = {  # of each rule: a line of /metrics at which it fires, and one at which it does not
    "DatabaseDown": ("database_up 0.0", "database_up 1.0"),
    "QueueNotDraining": ("outbox_oldest_pending_seconds 121.0", "outbox_oldest_pending_seconds 119.0"),
    "SweepsStopped": (
        'job_last_success_seconds{job="outbox.drain"} 121.0',
        'job_last_success_seconds{job="checks.run"} 40000.0',
    ),
    "WorkStopped": (
        'job_last_success_seconds{job="booking.expire_holds"} 1801.0',
        'job_last_success_seconds{job="booking.expire_holds"} 1200.0',
    ),
    "SchedulerStopped": (
        'job_last_tick_seconds{job="outbox.drain"} 300.0',
        'job_last_tick_seconds{job="outbox.drain"} 4.0',
    ),
    "DeliveryStopped": (
        'job_last_success_seconds{job="notifications.deliver"} 121.0',
        'job_last_success_seconds{job="notifications.deliver"} 6.0',
    ),
    "MessagesWaitTooLong": (
        'messages_oldest_pending_seconds{channel="email"} 301.0',
        'messages_oldest_pending_seconds{channel="email"} 300.0',
    ),
    "DeliverySlow": (
        'messages_delivery_seconds{quantile="0.95"} 61.0',
        'messages_delivery_seconds{quantile="0.5"} 61.0',
    ),
    "ChannelPaused": ('channel_paused{channel="sms"} 1.0', 'channel_paused{channel="sms"} 0.0'),
    "ChannelFailing": ('channel_failures{channel="email"} 21.0', 'channel_failures{channel="email"} 20.0'),
    "DeadLettersGrowing": ('messages{status="failed"} 21.0', 'messages{status="queued"} 21.0'),
    "MessagesUncertain": ('messages{status="uncertain"} 1.0', 'messages{status="uncertain"} 0.0'),
    "MessagesPilingUp": ('messages{status="queued"} 20001.0', 'messages{status="queued"} 20000.0'),
    "EventsDead": ('outbox_events{status="dead"} 1.0', 'outbox_events{status="pending"} 1.0'),
    "JobFailing": ('job_failures_24h{job="kpis.roll_up"} 6.0', 'job_failures_24h{job="kpis.roll_up"} 5.0'),
    "InvariantBroken": ("invariant_findings 1.0", "invariant_findings 0.0"),
    "ChecksNotRun": ("invariant_last_run_seconds 130000.0", "invariant_last_run_seconds 90000.0"),
    "AuditNotSealed": ("audit_last_checkpoint_seconds 901.0", "audit_last_checkpoint_seconds 30.0"),
    "BackupMissing": (
        'backup_last_success_seconds{kind="backup"} +Inf',
        'backup_last_success_seconds{kind="backup"} 90000.0',
    ),
    "BackupFailed": ('backup_problems{kind="backup"} 1.0', 'backup_problems{kind="rehearsal"} 1.0'),
    "RehearsalMissing": (
        'backup_last_success_seconds{kind="rehearsal"} 180001.0',
        'backup_last_success_seconds{kind="rehearsal"} 100000.0',
    ),
    "RehearsalFailed": ('backup_problems{kind="rehearsal"} 2.0', 'backup_problems{kind="rehearsal"} 0.0'),
    "WebDown": ('up{instance="web:8000"} 0', 'up{instance="web:8000"} 1'),
    # Where a rule asks how much a counter grew, the number is that.
    "RequestsFail": (
        'http_requests_total{route="/",status="503"} 11',
        'http_requests_total{route="/",status="409"} 99',
    ),
    "CommandsFail": (
        'commands_total{command="x.y",ending="failed"} 4',
        'commands_total{command="x.y",ending="failed"} 3',
    ),
    "CommandsBusy": (
        'commands_total{command="x.y",ending="busy"} 21',
        'commands_total{command="x.y",ending="done"} 99',
    ),
    "CommandsStartAgain": (
        'commands_total{command="x.y",ending="again"} 51',
        'commands_total{command="x.y",ending="refused"} 99',
    ),
    "LocksWaiting": ("locks_oldest_wait_seconds 10.5", "locks_oldest_wait_seconds 5.0"),
    "TransactionOpenLong": ("transactions_oldest_seconds 1801.0", "transactions_oldest_seconds 900.0"),
    "PoolExhausted": ("database_pool_free 0.0", "database_pool_free 1.0"),
    "ConnectionsRunningOut": ("database_connections_free 9.0", "database_connections_free 10.0"),
    "ProviderEventsDead": ('provider_events{status="dead"} 1.0', 'provider_events{status="parked"} 5.0'),
    "ProviderEventsWait": ("provider_events_oldest_due_seconds 301.0", "provider_events_oldest_due_seconds 5.0"),
    "PaymentsUnknown": ("payments_unknown 1.0", "payments_unknown 0.0"),
    "PaymentExceptionsWait": (
        "payment_exceptions_oldest_seconds 259201.0",
        "payment_exceptions_oldest_seconds 86400.0",
    ),
    "RefundsWait": ("refunds_oldest_due_seconds 901.0", "refunds_oldest_due_seconds 60.0"),
    "ReconciliationStopped": (
        'job_last_success_seconds{job="reconciliation.match"} 3601.0',
        'job_last_success_seconds{job="checks.run"} 80000.0',
    ),
    "ReconciliationWaits": (
        "reconciliation_oldest_exception_seconds 1209601.0",
        "reconciliation_oldest_exception_seconds 604800.0",
    ),
}
PARTS = re.compile(r"([a-z_0-9]+)(?:\{(.*)\})? ([0-9.eE+-]+|\+Inf)")
LABEL = re.compile(r'([a-z_]+)="([^"]*)"')
OF_PROMETHEUS = {"up"}  # told by itself, of each target


@dataclass(frozen=True)
class Expression:
    """`name{label="value"} > limit`, or of a counter `sum(increase(name{label=~"value"}[5m])) > limit`: all that the rules need."""

    name: str
    label: str | None
    is_pattern: bool
    value: str
    sign: str
    limit: float
    grows: bool

    def fires_at(self, line: str) -> bool:
        found = PARTS.fullmatch(line)
        assert found
        name, labels, number = found.groups()
        given = dict(LABEL.findall(labels or "")).get(self.label or "", "")
        fits = re.fullmatch(self.value, given) if self.is_pattern else given == self.value
        return name == self.name and bool(fits) and bool(SIGNS[self.sign](float(number), self.limit))


def expression(rule: dict[str, Any]) -> Expression:
    found = EXPR.fullmatch(rule["expr"])
    assert found, rule["expr"]
    return Expression(
        found["name"],
        found["label"],
        found["how"] == "=~",
        found["value"] or "",
        found["sign"],
        float(found["limit"]),
        bool(found["grows"]),
    )


@pytest.fixture
def metrics(app: Any, db: Session, world: World) -> str:
    """/metrics of a school in which every number has something to count."""
    client: FlaskClient = app.test_client()
    client.get("/health")
    assert world.ann  # by a command
    db.execute(text("INSERT INTO channel_states (channel) VALUES ('email')"))
    tick = "INSERT INTO job_ticks (id, job, tick_at, finished_at, outcome) VALUES (:id, :job, now(), now(), 'done: 0')"
    db.execute(text(tick), [{"id": new_id(), "job": each.name} for each in TIMETABLE])
    db.execute(
        text(
            "INSERT INTO check_runs (id, at, seconds, findings) VALUES (gen_random_uuid(), now(), 1, '{\"findings\": []}')"
        )
    )
    db.commit()
    return client.get("/metrics").get_data(as_text=True)


def test_every_rule_has_its_examples() -> None:
    assert [rule["alert"] for rule in RULES] == list(SAMPLES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_a_rule_fires_at_its_example_and_not_at_the_other(rule: dict[str, Any]) -> None:
    fires, stays_quiet = SAMPLES[rule["alert"]]

    assert expression(rule).fires_at(fires)
    assert not expression(rule).fires_at(stays_quiet)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_a_rule_says_what_is_wrong_how_urgent_it_is_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert rule["annotations"]["summary"].endswith(".")
    assert re.fullmatch(r"[1-9][0-9]*[mh]", rule["for"])
    page = (ROOT / rule["annotations"]["runbook"]).read_text()
    assert f"`{rule['alert']}`" in page


def test_every_number_that_a_rule_names_is_told(metrics: str) -> None:
    told = set(re.findall(r"^# TYPE ([a-z_0-9]+) ", metrics, re.MULTILINE))

    assert {expression(rule).name for rule in RULES} - told == OF_PROMETHEUS


def test_every_label_that_a_rule_names_is_told(metrics: str) -> None:
    always = [each for each in map(expression, RULES) if each.name != "outbox_events" and each.label and not each.grows]
    lines = "\n".join(metrics.splitlines())
    wanted = [
        f'{each.name}{{{each.label}="{each.value}"}}' for each in always if each.name != "messages_delivery_seconds"
    ]

    assert [each for each in wanted if each not in lines] == []


def test_every_job_that_a_rule_names_is_in_the_timetable() -> None:
    named = {each.value for each in map(expression, RULES) if each.label == "job"}

    assert named <= {job.name for job in TIMETABLE}


@pytest.mark.parametrize(
    "name", sorted({Path(rule["annotations"]["runbook"]).stem for rule in RULES} | {"restore", "failover"})
)
def test_a_page_for_each_trouble_names_only_pages_that_exist(name: str) -> None:
    page = ROOT / "docs" / "runbooks" / f"{name}.md"
    linked = re.findall(r"\]\(([a-z-]+\.md)\)", page.read_text())

    assert [each for each in linked if not (page.parent / each).exists()] == []


def test_every_gauge_has_words() -> None:
    assert all(words.endswith(".") for words, _ in health.GAUGES.values())


def test_rules_about_commands_name_endings_that_exist() -> None:
    named = {each.value for each in map(expression, RULES) if each.name == "commands_total"}

    assert named <= {ending.value for ending in Ending}
