"""Every door is in a table of rights: what is in none stops the start, and says what is missing."""

from __future__ import annotations

import dataclasses

import pytest
from flask import Flask

from guitaronline import rights
from guitaronline.admin.command_page import commands
from guitaronline.identity import access
from guitaronline.identity.access import KEY_SCOPES, KeyScope, Permission
from guitaronline.office.bulk_actions import ACTIONS
from jobs import scheduler, triggers, worker
from jobs.schedule import TIMETABLE

PAGES = {  # job → the pages of the console where people give it work
    "booking.expire_holds": {"ExpireHolds"},
    "billing.expire_packages": {"ExpirePackages"},
    "proofs.run_asked": {"RunChecks", "VerifyNow"},
    "payments.take_events": {"RetryEvent"},
    "payments.ask_providers": {"AskProvider"},
    "settlements.read": {"UploadFile"},
    "webhooks.deliver": {"SendWebhookAgain", "ReplayWebhooks"},
    "notifications.deliver": {"ResendMessage", "WriteToPerson"},
}


def test_everything_that_can_be_reached_is_in_a_table(app: Flask) -> None:
    rights.check(app)

    assert len(list(app.url_map.iter_rules())) > 300


def test_no_line_is_about_a_door_that_is_gone(app: Flask) -> None:
    assert set(rights.OPEN) <= {rule.endpoint for rule in app.url_map.iter_rules()}


@pytest.mark.parametrize("path", ["/api/v1/back-door", "/back-door", "/hooks/new"])
def test_a_route_in_no_table_stops_the_start_and_is_named(path: str) -> None:
    bare = Flask("bare")
    bare.add_url_rule(path, "back_door", lambda: "come in")

    with pytest.raises(rights.RightsIncomplete, match=f"{path} \\(back_door\\): name its permission"):
        rights.check(bare)


def test_a_bulk_page_that_asks_for_less_than_its_action_stops_the_start(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    action = ACTIONS["bookings.cancel"]
    monkeypatch.setitem(ACTIONS, action.name, dataclasses.replace(action, permission=Permission.ADMINISTER))

    with pytest.raises(rights.RightsIncomplete, match="BulkCancelBookings: asks for another permission"):
        rights.check(app)


def test_a_permission_or_scope_without_a_line_stops_the_start(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(access.TABLE, Permission.EXPORT)
    monkeypatch.delitem(KEY_SCOPES, KeyScope.FIGURES_READ)

    with pytest.raises(rights.RightsIncomplete, match=r"EXPORT: has no line in TABLE\n.*figures:read: has no line"):
        rights.check(app)


def test_every_job_says_who_gives_it_work() -> None:
    triggers.check()

    assert set(triggers.TRIGGERS) == {job.name for job in TIMETABLE}


@pytest.mark.parametrize("start", [lambda: worker.main([]), scheduler.main])
def test_a_job_that_no_line_speaks_of_stops_worker_and_scheduler(
    monkeypatch: pytest.MonkeyPatch, start: object
) -> None:
    monkeypatch.delitem(triggers.TRIGGERS, "exports.make")

    with pytest.raises(triggers.TriggersIncomplete, match=r"exports\.make"):
        start()  # type: ignore[operator]


@pytest.mark.parametrize("job", PAGES)
def test_what_the_table_says_of_a_job_is_what_its_pages_ask_for(app: Flask, job: str) -> None:
    asked = {page.permission for page in commands.pages if page.name in PAGES[job]}

    assert triggers.TRIGGERS[job] == asked


def test_no_scope_of_a_key_reaches_contacts_money_going_out_settings_or_the_audit() -> None:
    never = {
        Permission.READ_CONTACTS, Permission.READ_MASKED, Permission.READ_PEOPLE, Permission.EDIT_PEOPLE, Permission.EDIT_PAYMENTS,
        Permission.APPROVE, Permission.OVERRIDE, Permission.ADMINISTER, Permission.READ_AUDIT, Permission.READ_MONEY_AUDIT,
        Permission.EXPORT, Permission.VIEW_AS, Permission.RUN_BULK, Permission.SEND_MESSAGES, Permission.KEEP_BOOKS,
    }  # fmt: skip

    assert frozenset().union(*KEY_SCOPES.values()).isdisjoint(never)
