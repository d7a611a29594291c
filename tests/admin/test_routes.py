"""Every route of the console names a permission, and every role gets what the permission table says."""

from __future__ import annotations

import pytest
from flask import Flask, url_for

from guitaronline.actor import Actor, Role
from guitaronline.admin import DESKS, gate
from guitaronline.admin.command_page import CommandPage, commands
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from tests.admin.browser import Browser, signed_in
from tests.admin.conftest import School, actions

STAFF = {Role.SUPPORT: "sue", Role.FINANCE: "finn", Role.AUDITOR: "audrey", Role.ADMIN: "ada"}
RECORDS = {  # a record of each table that has command pages
    "users": "child", "guardians": "guardian", "teacher_profiles": "profile", "availability_slots": "open_slot",
    "bookings": "booked", "lessons": "given", "packages": "package", "payments": "paid", "refunds": "refund",
    "disputes": "dispute",
    "approvals": "approval", "plans": "plan", "tasks": "open_task", "messages": "dead_message", "saved_views": "view", "audit_actions": "money_action",
    "exports": "wanted", "bulk_runs": "bulk_run", "closures": "closure",
    "lesson_series": "series",
    "waitlist_entries": "wait",
    "time_off": "off",
    "payment_exceptions": "exception", "provider_events": "provider_event",
    "settlement_matches": "match",
    "reconciliation_exceptions": "unexplained",
    "reconciliation_periods": "period",
    "settlement_files": "bank_file", "settlement_profiles": "bank_profile",
    "tax_rates": "tax_rate",
    "teacher_rates": "rate",
    "service_keys": "service_key", "webhook_endpoints": "endpoint", "webhook_deliveries": "delivery",
    "opening_imports": "opening", "person_merges": "merge", "duplicate_pairs": "pair",
}  # fmt: skip


def test_every_console_route_names_a_permission(app: Flask) -> None:
    nameless = [each for each in gate.console_endpoints(app) if gate.permission_of(app, each) is None]

    assert gate.console_endpoints(app)
    assert nameless == []


def test_start_up_fails_for_a_console_route_without_a_permission(app: Flask) -> None:
    bare = Flask("bare")
    bare.add_url_rule("/admin/back-door", "back_door", lambda: "come in")

    with pytest.raises(RuntimeError, match="back_door"):
        gate.guard(bare)


@pytest.mark.parametrize("role", STAFF)
def test_every_get_answers_each_role_as_the_table_says(app: Flask, school: School, role: Role) -> None:
    browser = signed_in(app, getattr(school.world, STAFF[role]))
    pages = _gets(app, school)

    answered = {name: browser.get(url).status_code for name, (url, _) in pages.items()}

    hidden = set() if role is Role.ADMIN else {"CancelExport"}  # Ada's export: somebody else's does not exist
    assert answered == {
        name: 404 if name in hidden else 200 if _may(role, permission) else 403
        for name, (_, permission) in pages.items()
    }


@pytest.mark.parametrize("role", STAFF)
def test_no_post_gets_past_the_table(app: Flask, school: School, role: Role) -> None:
    browser = signed_in(app, getattr(school.world, STAFF[role]))
    token = browser.get("/admin/account/password").text
    closed = {page.name: _url(app, page, school) for page in commands.pages if not _may(role, page.permission)}
    before = actions()

    answered = {name: browser.post(url, {}, opened=token).status_code for name, url in closed.items()}

    assert answered == dict.fromkeys(closed, 403)
    assert actions() == before


def test_a_stranger_is_asked_to_sign_in_everywhere(app: Flask, school: School) -> None:
    stranger = Browser(app)

    asked = {name: stranger.get(url).headers.get("Location", "")[:9] for name, (url, _) in _gets(app, school).items()}

    assert set(asked.values()) == {"/sign-in?"}


WRITING = ("new/", "edit/?id=1", "delete/", "action/", "export/csv/", "ajax/lookup/?name=x", "ajax/update/")


def test_flask_admins_own_ways_of_writing_do_not_exist(ada: Browser) -> None:
    token = ada.get("/admin/account/password").text
    urls = [f"/admin/{desk.path}/{path}" for desk in DESKS for path in WRITING]

    answers = {ada.get(url).status_code for url in urls} | {ada.post(url, {}, opened=token).status_code for url in urls}

    assert answers <= {404, 405}


def _gets(app: Flask, school: School) -> dict[str, tuple[str, Permission]]:
    pages = {page.name: (_url(app, page, school), page.permission) for page in commands.pages}
    lists = {desk.__name__: (f"/admin/{desk.path}/", desk.permission) for desk in DESKS}
    return {
        **pages,
        **lists,
        "Today": ("/admin/", Permission.READ_BOOKINGS),
        "AuditChain": ("/admin/audit-chain/", Permission.READ_AUDIT),
        "Integrity": ("/admin/integrity/", Permission.READ_CHECKS),
        "Roles": ("/admin/roles/", Permission.READ_SETTINGS),
        "ViewAs": ("/admin/view-as/", Permission.VIEW_AS),
        "BulkProgress": (f"/admin/bulk-runs/progress/?id={school['bulk_run'].id}", Permission.READ_BOOKINGS),
        "MoneyPage": ("/admin/money/", Permission.READ_PAYMENTS),
        "Calendar": ("/admin/calendar/", Permission.READ_BOOKINGS),
        "calendar_events": ("/admin/calendar/events?start=2026-11-23&end=2026-11-30", Permission.READ_BOOKINGS),
        "Statement": (f"/admin/statements/?student={school['ann'].id}", Permission.READ_PAYMENTS),
        "statement_pdf": (f"/admin/statements/{school['ann'].id}.pdf", Permission.READ_PAYMENTS),
        "invoice_pdf": (f"/admin/invoices/{school['invoice'].id}.pdf", Permission.READ_PAYMENTS),
        "credit_note_pdf": (f"/admin/credit-notes/{school['credit_note'].id}.pdf", Permission.READ_PAYMENTS),
        "receipt_pdf": (f"/admin/payments/{school['paid'].id}/receipt.pdf", Permission.READ_PAYMENTS),
        "DeadLetters": ("/admin/dead-letters/", Permission.READ_MESSAGES),
        "Templates": ("/admin/templates/", Permission.READ_MESSAGES),
        "Template": (
            f"/admin/templates/?kind=booking_confirmed&about={school['booked'].reference}",
            Permission.READ_MESSAGES,
        ),
        "template_html": (
            f"/admin/templates/html?kind=booking_confirmed&about={school['booked'].reference}",
            Permission.READ_MESSAGES,
        ),
        "message_html": (f"/admin/messages/{school['sent_message'].id}/html", Permission.READ_MESSAGES),
        "CaughtMail": ("/admin/caught-mail/", Permission.ADMINISTER),
        "Search": ("/admin/search/", Permission.READ_PEOPLE),
        "EvidencePack": (f"/admin/evidence/?dispute={school['dispute'].id}", Permission.READ_PAYMENTS),
        "suggest": ("/admin/search/suggest?q=ann", Permission.READ_PEOPLE),
    }


def _url(app: Flask, page: CommandPage, school: School) -> str:
    about = (
        {"record_type": "users", "record_id": school["child"].id} if page.name in ("WriteNote", "CreateTask") else {}
    )
    record = {"id": school[RECORDS[page.record.__tablename__]].id} if page.record is not None else {}
    with app.test_request_context():
        return url_for(page.endpoint, **record, **about)


def _may(role: Role, permission: Permission) -> bool:
    return access.may(Actor(None, role), permission, own=permission is Permission.OWN_PROFILE)
