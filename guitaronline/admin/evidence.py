"""The evidence pack of a dispute: one page to print, or to keep as PDF, for the bank that asks."""

from __future__ import annotations

from typing import Any

import flask

from guitaronline.admin import forms, gate, show
from guitaronline.admin.base import ConsolePage
from guitaronline.admin.history import TOLD
from guitaronline.admin.record_page import Section, facts, rows
from guitaronline.billing.dispute_models import Dispute
from guitaronline.billing.invoices.queries import invoice_of
from guitaronline.booking.models import Booking
from guitaronline.db import session
from guitaronline.errors import NotFound
from guitaronline.identity.access import Permission
from guitaronline.lessons.models import LessonStatus
from guitaronline.office import evidence
from guitaronline.office.evidence import Evidence, Proof


class EvidencePack(ConsolePage):
    path = "evidence"
    title = "Evidence pack"
    permission = Permission.READ_PAYMENTS

    def page(self) -> Any:
        dispute_id = forms.id_or_none(flask.request.args.get("dispute"))
        dispute = session().get(Dispute, dispute_id) if dispute_id else None
        if dispute is None:
            raise NotFound("There is no such dispute. Open the pack from the dispute's page.")
        found = evidence.evidence_of(session(), dispute)
        return self.render(
            "admin/evidence.html",
            dispute=dispute,
            back=show.record_url("disputes", dispute.id),
            made=show.when(gate.now()),
            state=show.state(dispute),
            disputed=_disputed(found),
            bought=_bought(found),
            terms=list(dict.fromkeys(_terms(each) for each in found.terms)),
            sections=[_steps(found), _lessons(found), _called_off(found), _messages(found)],
            proof=_proof(found.proof),
            is_cut=evidence.is_cut(session(), found.package.id),
        )


def _disputed(found: Evidence) -> list[show.Fact]:
    dispute, student = found.dispute, found.payment.student
    return facts(
        ("Dispute", dispute.reference),
        ("Provider's reference", dispute.provider_reference),
        ("Amount", show.money(dispute.amount_minor, dispute.currency)),
        ("Reason given", dispute.reason),
        ("Opened", show.when(dispute.created_at)),
        ("Answer due", show.when(dispute.evidence_due_at)),
        ("Customer", f"{student.full_name} ({student.reference})"),
        ("E-mail", show.email(student)),
        ("Customer since", show.when(student.created_at)),
    )


def _bought(found: Evidence) -> list[show.Fact]:
    payment, package, price = found.payment, found.package, found.price
    version = (
        show.html("version {}, {}", price.revision, show.money(price.amount_minor, price.currency)) if price else None
    )
    return facts(
        ("Payment", payment.reference),
        ("Amount", show.money(payment.amount_minor, payment.currency)),
        ("Paid", show.when(payment.paid_at)),
        ("By", show.word(payment.provider)),
        ("Outside reference", payment.external_reference),
        ("Plan", found.plan.name if found.plan else "none: agreed with the student"),
        ("Price as it stood", version),
        ("Package", f"{package.reference}, {package.lessons_total} lessons"),
        ("Lessons used", package.consumed),
        ("Valid until", show.when(package.expires_at) if package.expires_at else "no end"),
        ("Invoice", show.link(invoice_of(session(), payment.id))),
    )


def _terms(policy: dict[str, Any]) -> str:
    hours = policy.get("refund_window_hours")
    return (
        f"A lesson called off {hours} hours or more before its start goes back to the package; later it counts as used."
        if hours
        else "A lesson that is called off before its start goes back to the package."
    )


def _steps(found: Evidence) -> Section:
    table = rows(
        found.steps,
        lambda each: show.when(each.created_at),
        lambda each: show.word(each.to_status),
        lambda each: show.text(each.evidence or each.reason),
    )
    return Section("The payment, step by step", ("When", "Became", "By what"), table)


def _lessons(found: Evidence) -> Section:
    table = rows(
        found.lessons,
        lambda each: show.when(each.start_at),
        lambda each: each.reference,
        lambda each: show.label_of(each.teacher),
        lambda each: show.when(each.confirmed_at),
        _attendance,
        lambda each: show.text(each.lesson.topic if each.lesson else None),
    )
    headings = ("Lesson", "Booking", "Teacher", "Booked", "Attendance", "Topic")
    return Section("Every lesson", headings, table, "No lesson was booked.")


def _attendance(booking: Booking) -> Any:
    lesson = booking.lesson
    if lesson is None:
        return show.NOTHING
    recorded = show.html(", recorded {}", show.when(lesson.outcome_at)) if lesson.outcome_at else ""
    side = f": {lesson.no_show_side} did not come" if lesson.no_show_side else ""
    words = {
        LessonStatus.COMPLETED: "given",
        LessonStatus.NO_SHOW: f"no show{side}",
        LessonStatus.CANCELED: "called off",
        LessonStatus.SCHEDULED: "still to come" if booking.start_at > gate.now() else "not recorded yet",
    }
    return show.html("{}{}", words[lesson.status], recorded)


def _called_off(found: Evidence) -> Section:
    table = rows(
        found.called_off,
        lambda each: show.when(each.start_at),
        lambda each: each.reference,
        lambda each: show.when(each.canceled_at),
        lambda each: show.word(each.cancel_cause),
        lambda each: show.text((each.decision or {}).get("sentence")),
    )
    headings = ("Lesson", "Booking", "Called off", "By whose doing", "What was decided and told")
    return Section("Called off", headings, table, "None was called off.")


def _messages(found: Evidence) -> Section:
    table = rows(
        found.events,
        lambda each: show.when(each.created_at),
        lambda each: show.word(each.topic.replace(".", " ")),
        lambda each: TOLD[each.status][1],
    )
    return Section(
        "What there was to tell", ("When", "What", ""), table, "Nothing within the time that events are kept."
    )


def _proof(proof: Proof) -> list[show.Fact]:
    return facts(
        ("Actions on these records", f"{proof.actions}, of them {proof.sealed} sealed"),
        ("Links of the chain", _links(proof)),
        (
            "Hash of the last of them",
            show.html('<code class="hash">{}</code>', proof.last_link) if proof.last_link else None,
        ),
        ("The whole chain", _verdict(proof)),
    )


def _links(proof: Proof) -> str | None:
    return None if proof.first is None else f"{proof.first:,} to {proof.last:,}"


def _verdict(proof: Proof) -> Any:
    seen: Any = proof.verification
    if seen is None:
        return "has not been proved yet"
    words = (
        show.chip("holds", "nothing was edited, removed, put in or reordered") if proof.holds else show.chip("failed")
    )
    return show.html("{} as proved {}, {} actions", words, show.when(seen.at), f"{seen.sealed:,}")
