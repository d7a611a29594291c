"""The navigation, grouped by work, and what every page of the console shows around it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import flask
from flask import Flask

import config
from guitaronline.admin import caught_mail, gate

STATIC = Path(__file__).resolve().parent.parent / "static"
GROUPS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    ("", (("desk_today.index", "layout-dashboard"), ("desk_calendar.index", "calendar-week"))),
    ("Bookings", (("console.NewBooking", "plus"), ("desk_bookings.index_view", "calendar-event"), ("desk_series.index_view", "history"), ("desk_waitlist.index_view", "users"))),
    ("Teachers' time", (("desk_slots.index_view", "clock"), ("desk_time-off.index_view", "sun"), ("desk_closures.index_view", "lock"))),
    ("Lessons", (("desk_lessons.index_view", "video"),)),
    ("People", (("desk_people.index_view", "users"), ("desk_teachers.index_view", "school"), ("desk_tasks.index_view", "list-check"), ("desk_duplicates.index_view", "users"), ("desk_merges.index_view", "history"))),
    ("Messages", (("desk_messages.index_view", "mail"), ("desk_dead-letters.index", "alert-triangle"), ("desk_templates.index", "notes"), ("desk_caught-mail.index", "mail"))),
    ("Money", (("desk_money.index", "chart-bar"), ("desk_packages.index_view", "packages"), ("desk_plans.index_view", "tag"), ("desk_payments.index_view", "credit-card"), ("desk_refunds.index_view", "receipt-refund"), ("desk_disputes.index_view", "alert-triangle"), ("desk_approvals.index_view", "shield-check"), ("desk_invoices.index_view", "notes"), ("desk_credit-notes.index_view", "receipt-refund"))),
    ("Reconciliation", (("desk_exceptions.index_view", "list-check"), ("desk_matches.index_view", "checklist"), ("desk_periods.index_view", "lock"), ("desk_imports.index_view", "download"), ("desk_settlement-lines.index_view", "list-check"), ("desk_payment-exceptions.index_view", "alert-triangle"), ("desk_provider-events.index_view", "mail"), ("desk_fee-contracts.index_view", "tag"), ("desk_bank-profiles.index_view", "adjustments"))),
    ("Books", (("desk_liability.index", "cash"), ("desk_journal.index", "notes"), ("desk_teacher-statements.index_view", "school"), ("desk_rates.index_view", "tag"), ("desk_accounts.index_view", "adjustments"), ("desk_tax-rates.index_view", "tag"), ("desk_invoice-settings.index_view", "adjustments"))),
    ("Insight", (("desk_kpis.index", "chart-bar"),)),
    ("System", (("desk_audit.index_view", "file-search"), ("desk_audit-chain.index", "lock"), ("desk_integrity.index", "checklist"), ("desk_backups.index_view", "shield-check"), ("desk_roles.index", "users"), ("desk_contact-readings.index_view", "file-search"), ("desk_erasures.index_view", "lock"), ("desk_opening.index_view", "download"), ("desk_elevated-accounts.index_view", "shield-check"), ("desk_service-keys.index_view", "lock"), ("desk_webhooks.index_view", "arrow-right"), ("desk_webhook-deliveries.index_view", "mail"), ("desk_exports.index_view", "download"), ("desk_bulk-runs.index_view", "list-check"), ("desk_events.index_view", "mail"), ("desk_jobs.index_view", "history"))),
)  # fmt: skip


SHORTCUTS = (
    ("g t", "desk_today.index"),
    ("g c", "desk_calendar.index"),
    ("g b", "desk_bookings.index_view"),
    ("g l", "desk_lessons.index_view"),
    ("g p", "desk_people.index_view"),
    ("g m", "desk_payments.index_view"),
    ("n b", "console.NewBooking"),
)  # keys.js reads them from the help sheet


ONLY_WHERE: dict[str, Callable[[], bool]] = {"desk_caught-mail.index": caught_mail.is_on}  # a page that some runs have


@dataclass(frozen=True)
class Item:
    title: str
    url: str
    icon: str
    is_current: bool


@dataclass(frozen=True)
class Group:
    title: str
    items: list[Item]


def init_navigation(app: Flask) -> None:
    app.jinja_env.globals.update(
        navigation=navigation, asset=asset, environment_name=environment_name, shortcuts=shortcuts, may_open=may_open
    )


def navigation() -> list[Group]:
    """The pages that the viewer's role may open."""
    groups = [
        Group(title, [_item(endpoint, icon) for endpoint, icon in items if may_open(endpoint) and _is_here(endpoint)])
        for title, items in GROUPS
    ]
    return [group for group in groups if group.items]


def shortcuts() -> list[tuple[list[str], str, str]]:
    """Keys, title and address of the pages that the viewer reaches by two keys."""
    return [
        (keys.split(), gate.view_of(endpoint).title, flask.url_for(endpoint))
        for keys, endpoint in SHORTCUTS
        if may_open(endpoint)
    ]


def environment_name() -> str:
    """What kind of installation this is; nothing in production, where there is only one."""
    settings: config.Settings = flask.current_app.config["SETTINGS"]
    if settings.is_production:
        return ""
    return "Demo data" if settings.DEMO and settings.ENVIRONMENT == "embedded" else settings.ENVIRONMENT


def asset(path: str) -> str:
    """The address of a static file, with its version, so that it may be kept for a year. Needs no route: error pages use it."""
    return f"{flask.request.script_root}/static/{path}?v={_version(path)}"


@cache
def _version(path: str) -> str:
    return hashlib.sha256((STATIC / path).read_bytes()).hexdigest()[:12]


def endpoints() -> list[str]:
    return [endpoint for _, items in GROUPS for endpoint, _ in items]


def may_open(endpoint: str) -> bool:
    permission = gate.permission_of(flask.current_app, endpoint)
    return permission is not None and gate.may(permission)


def _is_here(endpoint: str) -> bool:
    return endpoint not in ONLY_WHERE or ONLY_WHERE[endpoint]()


def _item(endpoint: str, icon: str) -> Item:
    here = (flask.request.endpoint or "").partition(".")
    current = flask.request.endpoint == endpoint or (here[0] == endpoint.partition(".")[0] != "console")
    return Item(gate.view_of(endpoint).title, flask.url_for(endpoint), icon, current)
