"""Every command page does its one command, writes it into the audit, and says what happened."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from guitaronline.admin.command_page import commands
from guitaronline.notifications.letter_texts import LETTER_TEXTS
from tests.admin.browser import signed_in, signed_in_by_password, words
from tests.admin.conftest import School, actions
from tests.world import PASSWORD

WHY = {"reason": "because people asked"}
Typed = Callable[[School], dict[str, Any]]
ADDRESS = {"name": "Ann", "street": "Road 1", "postal_code": "1010", "city": "Wien"}
BANK = {
    "booked_on": "Day",
    "amount": "Amount",
    "value_on": "",
    "currency": "",
    "one_currency": "EUR",
    "counterparty": "",
    "balance": "",
    "texts": "Text",
    "delimiter": ";",
    "encoding": "utf-8",
    "decimal": ",",
    "thousands": "",
    "day": "%d.%m.%Y",
}
SHEET = LETTER_TEXTS["contact"]  # as the page fills it in
LETTER = {"template": "contact", "subject": SHEET.subject, "text": SHEET.text}
HOOK = {"name": "Acme", "url": "https://partner.example/hook", "topics": ["booking.confirmed", "payment.failed"]}
PERSON = {"full_name": "Eve", "email": "eve@people.example", "timezone": "Europe/Berlin"}


def _today(school: School, days: int) -> str:
    return (school.world.now + timedelta(days=days)).date().isoformat()


# page, the record it is opened on, the action it leaves, what is typed
CASES: dict[str, tuple[str, str, Typed]] = {
    "CreatePerson": ("", "person.create", lambda s: {**PERSON, "role": "student"}),
    "EditPerson": ("child", "person.edit", lambda s: {**PERSON, "email": "", "full_name": "Mia B"}),
    "InvitePerson": ("ann", "person.invite", lambda s: {}),
    "AddressWorks": ("unreachable", "person.address_works", lambda s: WHY),
    "SetRole": ("ann", "person.set_role", lambda s: {"role": "support", **WHY}),
    "ResetTotp": ("with_app", "person.reset_totp", lambda s: WHY),
    "SignOutPerson": ("ann", "person.sign_out_everywhere", lambda s: WHY),
    "EnrollTotp": ("", "person.enroll_totp", lambda s: {"code": s.code_of_new_app()}),
    "RenewRecoveryCodes": ("", "person.renew_recovery_codes", lambda s: s.enrolled()),
    "SignOutDevice": ("", "person.sign_out_device", lambda s: {"device_id": str(s.device.id)}),
    "SignOutElsewhere": ("", "person.sign_out_elsewhere", lambda s: {}),
    "ChangeEmail": ("", "person.ask_address_change", lambda s: {"email": "ada@new.example", "password": PASSWORD}),
    "DeactivatePerson": ("ann", "person.deactivate", lambda s: WHY),
    "ReactivatePerson": ("asleep", "person.reactivate", lambda s: {}),
    "MarkTest": ("ann", "person.set_test", lambda s: WHY),
    "UnmarkTest": ("tester", "person.set_test", lambda s: WHY),
    "AddGuardian": ("child", "person.add_guardian", lambda s: {"guardian_id": str(s.world.ann.id), "relation": "aunt"}),
    "RemoveGuardian": ("guardian", "person.remove_guardian", lambda s: WHY),
    "GiveData": ("ann", "person.give_data", lambda s: WHY),
    "ErasePerson": ("child", "person.erase", lambda s: {"typed": s["child"].reference, **WHY}),
    "MergePerson": ("ann", "person.merge", lambda s: {"other_id": str(s.world.ben.id), "seen": f"{s.world.ben.id}/{s.world.again(s.world.ben).version}", **WHY}),
    "UndoMerge": ("merge", "person.unmerge", lambda s: WHY),
    "NotSamePerson": ("pair", "duplicate.dismiss", lambda s: WHY),
    "FindDuplicates": ("", "duplicate.find", lambda s: {}),
    "CheckFiles": ("", "opening.check", lambda s: {}),
    "ImportFiles": ("opening", "opening.import", lambda s: {}),
    "DiscardFiles": ("opening", "opening.discard", lambda s: WHY),
    "RevealContacts": ("ann", "person.reveal_contacts", lambda s: WHY),
    "ViewAsPerson": ("ann", "person.view_as", lambda s: WHY),
    "LeaveViewAs": ("", "person.view_as_end", lambda s: s.look_as(s.world.ann)),
    "RevealAction": ("money_action", "audit.reveal", lambda s: WHY),
    "VerifyNow": ("", "audit.verify", lambda s: {}),
    "RunChecks": ("", "checks.run", lambda s: {}),
    "ChangePassword": ("", "person.change_password", lambda s: {"old_password": PASSWORD, "new_password": "seven wooden drums hum"}),
    "WriteNote": ("", "note.write", lambda s: {"record_type": "users", "record_id": str(s.world.ann.id), "body": "Nice"}),
    "CreateTask": ("", "task.create", lambda s: {"record_type": "users", "record_id": str(s.world.ann.id), "title": "Call", "owner_id": str(s.world.sue.id)}),
    "FinishTask": ("open_task", "task.finish", lambda s: {}),
    "CancelTask": ("open_task", "task.cancel", lambda s: {}),
    "ReachedByPhone": ("call", "task.finish", lambda s: {}),
    "RedriveMessage": ("dead_message", "message.redrive", lambda s: WHY),
    "ResendMessage": ("sent_message", "message.resend", lambda s: WHY),
    "WriteToPerson": ("ann", "message.write", lambda s: {"subject": "Hello", "text": "Dear {name}, call us."}),
    "WriteToMany": ("ann", "bulk.request", lambda s: {**LETTER, **WHY}),
    "BulkRedrive": ("dead_message", "bulk.request", lambda s: WHY),
    "SendTest": ("", "message.test", lambda s: {"kind": "booking_confirmed", "about": s["booked"].reference, "language": "en"}),
    "ReopenTask": ("done_task", "task.reopen", lambda s: {}),
    "EditProfile": ("profile", "teacher.edit_profile", lambda s: {"display_name": "Tom O", "experience_years": "7", "tags": "blues, jazz"}),
    "DisableTeacher": ("profile", "teacher.disable", lambda s: WHY),
    "EnableTeacher": ("disabled_profile", "teacher.enable", lambda s: WHY),
    "CreateSlot": ("", "slot.create", lambda s: {"teacher_id": str(s.world.tina.id), "day": _today(s, 4), "start": "12:00", "minutes": "45", "clock": "teacher"}),
    "CreateSlots": ("", "slot.create_many", lambda s: {"teacher_id": str(s.world.tina.id), "first_day": _today(s, 2), "last_day": _today(s, 12), "weekdays": ["0", "3"], "start_local": "10:00", "end_local": "12:00", "lesson_minutes": "60", "buffer_minutes": "0"}),
    "BlockRange": ("", "slot.block_range", lambda s: {"teacher_id": str(s["open_slot"].teacher_id), "first_day": _today(s, 1), "last_day": _today(s, 9), "clock": "teacher", **WHY}),
    "EditHours": ("profile", "schedule.set", lambda s: {"rows-0-weekday": "2", "rows-0-start_local": "10:00", "rows-0-end_local": "12:00", "rows-0-lesson_minutes": "60", "rows-0-buffer_minutes": "0"}),
    "CopyHours": ("profile", "schedule.set", lambda s: {"teacher_id": str(s["busy"].id)}),
    "CreateTimeOff": ("", "time_off.create", lambda s: {"teacher_id": str(s.world.tina.id), "first_day": _today(s, 2), "last_day": _today(s, 5), "clock": "teacher"}),
    "CancelTimeOff": ("off", "time_off.cancel", lambda s: WHY),
    "RevokeFeed": ("subscriber", "feed.revoke", lambda s: WHY),
    "BlockSlot": ("open_slot", "slot.block", lambda s: WHY),
    "UnblockSlot": ("blocked", "slot.unblock", lambda s: {}),
    "WithdrawSlot": ("open_slot", "slot.withdraw", lambda s: WHY),
    "HoldSlot": ("open_slot", "booking.hold", lambda s: {"student_id": str(s["package"].student_id)}),
    "NewBooking": ("", "booking.by_phone", lambda s: {"student_id": "new", "full_name": "Zoe", "timezone": "UTC", "package_id": "new", "lessons_total": "1", "currency": "USD", "slot_id": str(s["open_slot"].id), "clock": "mine", "confirm": "yes", **WHY}),
    "ConfirmBooking": ("held", "booking.confirm", lambda s: {}),
    "CancelBooking": ("booked", "booking.cancel", lambda s: {"cause": "teacher", **WHY}),
    "RescheduleBooking": ("booked", "booking.reschedule", lambda s: {"new_slot_id": str(s["open_slot"].id), "cause": "student", **WHY}),
    "DecideBooking": ("undecided", "booking.decide", lambda s: {"decision": "cancel", **WHY}),
    "UnkeepBooking": ("kept", "booking.unkeep", lambda s: WHY),
    "CreateClosure": ("", "closure.create", lambda s: {"name": "Easter", "first_day": _today(s, 9), "last_day": _today(s, 10)}),
    "CancelClosure": ("closure", "closure.cancel", lambda s: WHY),
    "ImportHolidays": ("", "closure.import", lambda s: {"events": json.dumps([["uid-1", "May Day", _today(s, 20), _today(s, 20)]])}),
    "SubstituteBooking": ("booked", "booking.substitute", lambda s: {"teacher_id": str(s.world.tina.id), **WHY}),
    "DeclineSubstitute": ("substituted", "booking.decline_substitute", lambda s: WHY),
    "TeacherIll": ("profile", "time_off.report_ill", lambda s: {"from_day": _today(s, 1), "from_time": "08:00", "until_day": _today(s, 1), "until_time": "20:00", **WHY}),
    "JoinWaitlist": ("", "waitlist.join", lambda s: {"student_id": str(s.world.ben.id), "teacher_id": str(s.world.tina.id), "first_day": _today(s, 1), "last_day": _today(s, 9)}),
    "LeaveWaitlist": ("wait", "waitlist.leave", lambda s: WHY),
    "NewSeries": ("", "series.create", lambda s: {"student_id": str(s["package"].student_id), "teacher_id": str(s.world.tina.id), "first_day": _today(s, 9), "start_local": "12:00", "lesson_minutes": "60", "interval_weeks": "1", "count": "2", **WHY}),
    "ExtendSeries": ("series", "series.extend", lambda s: {"count": "1", **WHY}),
    "MoveSeries": ("series", "series.move", lambda s: {"weekday": "2", "start_local": "16:00", "cause": "school", "teacher_id": str(s.world.tom.id), **WHY}),
    "CancelSeries": ("series", "series.cancel", lambda s: {"cause": "student", **WHY}),
    "CompleteLesson": ("waiting", "lesson.complete", lambda s: {}),
    "MarkNoShow": ("waiting", "lesson.no_show", lambda s: {"side": "teacher"}),
    "CorrectOutcome": ("given", "lesson.correct_outcome", lambda s: {"outcome": "no_show/teacher", **WHY}),
    "EditReport": ("given", "lesson.edit_report", lambda s: {"topic": "Chords", "links": "https://tabs.example/1"}),
    "SetJoinUrl": ("waiting", "lesson.set_join_url", lambda s: {"join_url": "https://meet.example/tom"}),
    "CreatePlan": ("", "plan.create", lambda s: {"name": "Five", "lessons_total": "5", "amount": "49.00", "currency": "EUR"}),
    "EditPlan": ("plan", "plan.edit", lambda s: {"name": "Ten lessons", "lessons_total": "10", "is_active": "y"}),
    "SetPrice": ("plan", "plan.set_price", lambda s: {"amount": "120", "currency": "USD"}),
    "GrantPackage": ("", "package.grant", lambda s: {"student_id": str(s.world.ann.id), "lessons_total": "4", "currency": "USD", **WHY}),
    "SellPlan": ("", "package.sell", lambda s: {"student_id": str(s.world.ann.id), "plan_id": str(s["plan"].id), "origin": "on_account"}),
    "ExtendPackage": ("package", "package.extend", lambda s: {"expires_on": _today(s, 200), **WHY}),
    "FreezePackage": ("package", "package.freeze", lambda s: WHY),
    "UnfreezePackage": ("frozen", "package.unfreeze", lambda s: {}),
    "ReinstatePackage": ("expired", "package.reinstate", lambda s: WHY),
    "AdjustPackage": ("package", "package.adjust", lambda s: {"lessons": "-1", **WHY}),
    "RevokePackage": ("frozen", "package.revoke", lambda s: WHY),
    "SetRate": ("profile", "rate.set", lambda s: {"amount": "24.00", "currency": "USD", "unit": "hour", "valid_from": _today(s, 1)}),
    "EndRate": ("rate", "rate.end", lambda s: {"valid_until": _today(s, 9), **WHY}),
    "AddExtra": ("profile", "statement.add_extra", lambda s: {"month": s.last_month.written(), "kind": "deduction", "amount": "5", "currency": "USD", **WHY}),
    "ApproveStatement": ("payable", "statement.approve", lambda s: {"month": s.last_month.written()}),
    "SetAccounts": ("", "account.map", lambda s: {"kind": "breakage", "currency": "", "debit_account": "2400", "credit_account": "4100"}),
    "RecordPayment": ("package", "payment.record", lambda s: {"amount": "12.50", "currency": "USD"}),
    "ReceivePayment": ("awaited", "payment.set_status", lambda s: WHY),
    "FailPayment": ("awaited", "payment.set_status", lambda s: WHY),
    "ReopenPayment": ("failed", "payment.set_status", lambda s: {"evidence": "statement, line 4"}),
    "RefundPayment": ("paid", "refund.ask_with_bookings", lambda s: {"amount": "5", "cancel": [str(s["booked"].id)], **WHY}),
    "CreditPayment": ("paid", "refund.credit_with_bookings", lambda s: {"amount": "20", "lessons": "1", **WHY}),
    "LookAtRefund": ("seen_refund", "refund.look_at", lambda s: WHY),
    "OpenDispute": ("paid", "dispute.open", lambda s: {"amount": "40", "fee": "15", "evidence_due_on": _today(s, 9), **WHY}),
    "AssignDispute": ("dispute", "dispute.assign", lambda s: {"owner_id": str(s.world.ada.id), "evidence_due_on": _today(s, 9)}),
    "AnswerDispute": ("dispute", "dispute.answer", lambda s: WHY),
    "WinDispute": ("dispute", "dispute.decide", lambda s: WHY),
    "LoseDispute": ("dispute", "dispute.decide", lambda s: WHY),
    "Withdraw": ("own_approval", "approval.withdraw", lambda s: WHY),
    "AskProvider": ("online", "payment.ask_provider", lambda s: WHY),
    "RetryEvent": ("provider_event", "payment.retry_event", lambda s: WHY),
    "ResolveException": ("exception", "payment.resolve_exception", lambda s: WHY),
    "SettleRefund": ("refund", "refund.settle", lambda s: {}),
    "FailRefund": ("refund", "refund.settle", lambda s: WHY),
    "CancelRefund": ("refund", "refund.cancel", lambda s: WHY),
    "Approve": ("approval", "approval.decide", lambda s: {}),
    "Reject": ("approval", "approval.decide", lambda s: WHY),
    "CancelExport": ("wanted", "export.cancel", lambda s: {}),
    "BulkCancelBookings": ("booked", "bulk.request", lambda s: {"cause": "school", **WHY}),
    "BulkConfirmBookings": ("held", "bulk.request", lambda s: WHY),
    "BulkCompleteLessons": ("waiting", "bulk.request", lambda s: WHY),
    "BulkBlockSlots": ("open_slot", "bulk.request", lambda s: WHY),
    "BulkUnblockSlots": ("blocked", "bulk.request", lambda s: WHY),
    "BulkWithdrawSlots": ("open_slot", "bulk.request", lambda s: WHY),
    "BulkExtendPackages": ("package", "bulk.request", lambda s: {"days": "14", **WHY}),
    "BulkFreezePackages": ("package", "bulk.request", lambda s: WHY),
    "BulkUnfreezePackages": ("frozen", "bulk.request", lambda s: WHY),
    "BulkFinishTasks": ("open_task", "bulk.request", lambda s: WHY),
    "UndoBulk": ("bulk_run", "bulk.undo", lambda s: WHY),
    "StopBulk": ("open_run", "bulk.stop", lambda s: WHY),
    "DownloadBulk": ("bulk_run", "bulk.download", lambda s: {}),
    "ExpireHolds": ("", "booking.expire_holds", lambda s: {}),
    "ExpirePackages": ("", "package.expire", lambda s: {}),
    "SaveView": ("", "view.save", lambda s: {"desk": "bookings", "query": "state=hold&columns=reference", "name": "Holds"}),
    "ChangeView": ("view", "view.change", lambda s: {"query": "state=hold"}),
    "RenameView": ("view", "view.rename", lambda s: {"name": "Sure"}),
    "ShareView": ("own_view", "view.share", lambda s: {}),
    "KeepViewPrivate": ("view", "view.keep", lambda s: {}),
    "MakeViewDefault": ("view", "view.make_default", lambda s: {"role": "support"}),
    "EndViewDefault": ("first_view", "view.end_default", lambda s: {}),
    "DeleteView": ("view", "view.delete", lambda s: {}),
    "IssueInvoice": ("unbilled", "invoice.issue", lambda s: {}),
    "SetSeller": ("", "seller.set", lambda s: {**ADDRESS, "country": s["tax_rate"].country, "valid_from": _today(s, 1)}),
    "SetTaxRate": ("", "tax_rate.set", lambda s: {"country": "AT", "rate": "20", "valid_from": _today(s, 0)}),
    "EndTaxRate": ("tax_rate", "tax_rate.end", lambda s: {"valid_until": _today(s, 2), **WHY}),
    "SetBillingAddress": ("ann", "billing_address.set", lambda s: {**ADDRESS, "country": "AT"}),
    "UploadFile": ("", "settlement.receive", lambda s: {}),
    "ConfirmFile": ("bank_file", "settlement.confirm", lambda s: {}),
    "DiscardFile": ("bank_file", "settlement.discard", lambda s: WHY),
    "MakeBankProfile": ("", "settlement.create_profile", lambda s: {"name": "Bank", **BANK}),
    "EditBankProfile": ("bank_profile", "settlement.edit_profile", lambda s: {"name": "Bank", **BANK}),
    "AcceptCandidate": ("unexplained", "exception.accept", lambda s: {"other": str(s.awaits(123).id)}),
    "SplitLine": ("unexplained", "exception.split", lambda s: {"payments": f"{s.awaits(100).reference}\n{s.awaits(23).reference}"}),
    "SettleByMatch": ("lagging", "exception.settle", lambda s: WHY),
    "IgnoreException": ("unexplained", "exception.ignore", lambda s: WHY),
    "WriteOff": ("unexplained", "exception.write_off", lambda s: WHY),
    "Escalate": ("unexplained", "exception.escalate", lambda s: {"owner": str(s.world.finn.id), **WHY}),
    "UndoDecision": ("ignored", "exception.undo", lambda s: WHY),
    "UndoMatch": ("match", "match.undo", lambda s: WHY),
    "AddFeeContract": ("", "fee_contract.add", lambda s: {"account": "stripe", "currency": "USD", "from_on": _today(s, 0), "percent": "2.9", "fixed": "0.30"}),
    "PreparePeriod": ("", "period.prepare", lambda s: {"first_on": _today(s, -3), "last_on": _today(s, -1)}),
    "ClosePeriod": ("period", "period.close", lambda s: {}),
    "CreateServiceKey": ("", "service_key.create", lambda s: {"name": "Acme", "scopes": ["bookings:read"], "days": "30", **WHY}),
    "RotateServiceKey": ("service_key", "service_key.rotate", lambda s: {"days": "30", "overlap_hours": "1", **WHY}),
    "RevokeServiceKey": ("service_key", "service_key.revoke", lambda s: WHY),
    "CreateEndpoint": ("", "webhook.create", lambda s: {**HOOK, "owner_id": str(s.world.ada.id), **WHY}),
    "EditEndpoint": ("endpoint", "webhook.edit", lambda s: {**HOOK, "owner_id": str(s.world.ada.id), **WHY}),
    "RotateWebhookSecret": ("endpoint", "webhook.rotate_secret", lambda s: {"overlap_hours": "1", **WHY}),
    "DisableEndpoint": ("endpoint", "webhook.disable", lambda s: WHY),
    "EnableEndpoint": ("disabled_endpoint", "webhook.enable", lambda s: WHY),
    "ReplayWebhooks": ("endpoint", "webhook.replay", lambda s: {"first_day": _today(s, -1), "first_time": "00:00", "last_day": _today(s, 1), "last_time": "00:00", **WHY}),
    "SendWebhookAgain": ("delivery", "webhook.send_again", lambda s: WHY),
    "SendPeriodBack": ("period", "period.send_back", lambda s: WHY),
}  # fmt: skip
ELSEWHERE = {
    "UploadFile",
    "CheckFiles",
}  # their forms have files, which are read once: tests/settlements, tests/opening/test_desk.py
QUIET = {"ExpireHolds", "ExpirePackages", "FindDuplicates"}  # nothing was due: no action, and a sentence that says 0
UNKEPT = {
    "EnrollTotp",
    "RenewRecoveryCodes",
    "ChangePassword",
    "ChangeEmail",
    "DownloadBulk",
    "CreateServiceKey",
    "RotateServiceKey",
    "CreateEndpoint",
    "RotateWebhookSecret",
}  # their answer must not be stored


def test_every_command_page_is_tried_here() -> None:
    assert set(CASES) == {page.name for page in commands.pages}


@pytest.mark.parametrize("name", [name for name in CASES if name not in QUIET | UNKEPT | ELSEWHERE])
def test_a_command_page_does_its_command_once_and_a_second_click_changes_nothing(
    app: Flask, school: School, name: str
) -> None:
    on, action, typed = CASES[name]
    ada = signed_in(app, school.world.ada)
    url = _url(school, name, on)
    opened, body = ada.get(url).text, typed(school)
    before = actions(action)

    first = ada.post(url, body, opened=opened)
    after_first = actions()
    second = ada.post(url, body, opened=opened)

    assert first.status_code == 303, words(first.text)[:600]
    assert actions(action) == before + 1
    assert (second.status_code, second.headers.get("Location")) == (303, first.headers["Location"])
    assert actions() == after_first


@pytest.mark.parametrize("name", sorted(UNKEPT))
def test_a_command_page_that_deals_with_a_secret_does_its_command(app: Flask, school: School, name: str) -> None:
    on, action, typed = CASES[name]
    ada = signed_in_by_password(app, school.world.ada)
    before = actions(action)

    answer = ada.post(_url(school, name, on), typed(school))

    assert answer.status_code == (303 if name in ("ChangePassword", "ChangeEmail") else 200)
    assert actions(action) == before + 1


@pytest.mark.parametrize("name", sorted(QUIET))
def test_a_sweep_that_finds_nothing_says_so(app: Flask, school: School, name: str) -> None:
    ada = signed_in(app, school.world.ada)

    answer = ada.post(_url(school, name, ""), {})

    assert answer.status_code == 303
    assert "0 " in words(ada.get(answer.headers["Location"]).text)


def _url(school: School, name: str, on: str) -> str:
    page = next(page for page in commands.pages if page.name == name)
    if page.path.split("/")[1:2] == ["bulk"]:
        return f"/admin/{page.path}?id={school[on].id}"
    about = f"?record_type=users&record_id={school.world.ann.id}" if name in ("WriteNote", "CreateTask") else ""
    return "/admin/" + page.path.replace("<uuid:id>", str(school[on].id) if on else "") + about
