"""Everything about a student on one screen: what they still have, their lessons, their money, who stands for them."""

from __future__ import annotations

from typing import Any

import flask
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from guitaronline.admin import ages, gate, show
from guitaronline.admin.billing_addresses import billing_section
from guitaronline.admin.bookings import booking_state
from guitaronline.admin.invoices import invoices_section
from guitaronline.admin.lessons import lesson_state
from guitaronline.admin.packages import balance, package_state
from guitaronline.admin.payments import payments_section
from guitaronline.admin.record_page import Figure, Section, rows
from guitaronline.billing import queries as billing
from guitaronline.billing.models import CreditEntry
from guitaronline.booking.models import Booking
from guitaronline.db import session
from guitaronline.identity.models import User
from guitaronline.lessons.models import Lesson

SHOWN = 10


def student_figures(student: User, ahead: list[Booking]) -> list[Figure]:
    have = billing.balance_of(session(), student.id, now=gate.now())
    frozen = f"and {have.frozen} frozen" if have.frozen else ""
    following = ahead[0] if ahead else None
    return [
        Figure("Lessons left", have.left, frozen),
        Figure("Reserved by holds", have.reserved),
        Figure("Next expiry", *_moment(have.next_expiry)),
        Figure("Next lesson", *_moment(following.start_at if following else None)),
    ]


def _moment(moment: Any) -> tuple[Any, str]:
    return (show.stamp(moment), ages.ago(moment, gate.now())) if moment else ("none", "")


def student_sections(student: User, ahead: list[Booking]) -> list[Section]:
    lessons = [_packages(student), _ahead(student, ahead), _past(student), _ledger(student)]
    return [*lessons, payments_section(student), invoices_section(student), billing_section(student)]


def _packages(student: User) -> Section:
    found = billing.packages_of_student(session(), student.id, limit=SHOWN)
    return Section(
        "Packages",
        ("Package", "State", "Lessons", "Expires"),
        rows(found, show.link, package_state, balance, lambda each: show.when(each.expires_at)),
        "No package yet.",
        flask.url_for("desk_packages.index_view", student=student.id),
    )


def _ledger(student: User) -> Section:
    """The last facts about their lessons, over all packages."""
    found = billing.entries_of_student(session(), student.id, limit=SHOWN)
    ids = {entry.booking_id for entry, _ in found if entry.booking_id}
    bookings = {each.id: each for each in session().scalars(select(Booking).where(Booking.id.in_(ids)))} if ids else {}
    table = [
        [
            show.stamp(entry.created_at),
            show.word(entry.kind),
            moved(entry),
            entry.available + entry.reserved,
            show.link(package),
            show.link(bookings.get(entry.booking_id)) if entry.booking_id else show.NOTHING,
        ]
        for entry, package in found
    ]
    return Section("Ledger", ("When", "What", "Moved", "Left in it", "Package", "Booking"), table, "Nothing yet.")


def moved(entry: CreditEntry) -> str:
    """`available −1, reserved +1`."""
    buckets = ("available", "reserved", "consumed", "expired", "revoked")
    changes = [(bucket, getattr(entry, f"d_{bucket}")) for bucket in buckets]
    return ", ".join(f"{bucket} {change:+d}".replace("-", "−") for bucket, change in changes if change)


def _ahead(student: User, ahead: list[Booking]) -> Section:
    return Section(
        "Upcoming lessons",
        ("Booking", "Starts", "With", "State"),
        rows(
            ahead,
            show.link,
            lambda each: show.when(each.start_at, each.student, each.teacher),
            lambda each: show.link(each.teacher),
            booking_state,
        ),
        "Nothing is booked.",
        flask.url_for("desk_bookings.index_view", student=student.id),
    )


def _past(student: User) -> Section:
    """ix_lessons_student_start"""
    query = (
        select(Lesson)
        .where(Lesson.student_id == student.id, Lesson.scheduled_start_at <= gate.now())
        .order_by(Lesson.scheduled_start_at.desc(), Lesson.id.desc())
        .limit(SHOWN)
        .options(joinedload(Lesson.teacher))
    )
    return Section(
        "Past lessons",
        ("Lesson", "Started", "With", "Outcome", "Topic"),
        rows(
            session().scalars(query),
            show.link,
            lambda each: show.when(each.scheduled_start_at),
            lambda each: show.link(each.teacher),
            lesson_state,
            lambda each: show.text(each.topic),
        ),
        "No lesson yet.",
        flask.url_for("desk_lessons.index_view", student=student.id),
    )
