"""THE table of messages: which event tells whom what, by which channel, until when, and what switches it off.

A kind is one message as people know it; its words are `templates/messages/<name>.txt`. `planning` makes rows of it, `truth`
asks again at sending whether it is still so. What is told to nobody stands in `untold`, with the reason."""

from __future__ import annotations

from datetime import timedelta

from guitaronline.identity.access import Permission
from guitaronline.notifications.account_kinds import ACCOUNT_KINDS
from guitaronline.notifications.kind import Audience, Kind
from guitaronline.notifications.models import Channel, Preference

__all__ = ["KINDS", "Audience", "Kind", "kinds_of", "topics"]

STUDENT = (Audience.STUDENT,)
TEACHER = (Audience.TEACHER,)
BOTH = (Audience.STUDENT, Audience.TEACHER)
FORMER = (Audience.FORMER_TEACHER,)
STAFF = (Audience.STAFF,)
WITH_PHONE = (Channel.EMAIL, Channel.IN_APP, Channel.SMS)  # the phone only for what starts soon
DAY, WEEK, MONTH = timedelta(days=1), timedelta(days=7), timedelta(days=30)

BOOKINGS = (
    Kind("booking_confirmed", "booking.confirmed", BOTH, makes_sense_for=WEEK, title="Lesson booked"),
    Kind(
        "booking_moved", "booking.rescheduled", BOTH, WITH_PHONE,
        makes_sense_for=WEEK, payload_has="rescheduled_from", is_urgent=True, title="Lesson moved",
    ),
    Kind(
        "lesson_moved_away", "booking.rescheduled", FORMER, WITH_PHONE,
        makes_sense_for=WEEK, payload_has="successor", is_urgent=True, title="Lesson moved to another teacher",
    ),
    Kind(
        "booking_canceled", "booking.canceled", BOTH, WITH_PHONE,
        makes_sense_for=WEEK, is_urgent=True, title="Lesson canceled",
    ),
    Kind("booking_restored", "booking.restored", BOTH, WITH_PHONE, makes_sense_for=WEEK, is_urgent=True, title="Lesson takes place after all"),
    Kind(
        "teacher_changed", "booking.teacher_changed", BOTH, WITH_PHONE,
        makes_sense_for=WEEK, is_urgent=True, title="Another teacher",
    ),
    Kind(
        "lesson_given_away", "booking.teacher_changed", FORMER, WITH_PHONE,
        makes_sense_for=WEEK, is_urgent=True, title="Somebody else gives the lesson",
    ),
    Kind("hold_lapsed", "booking.expired", STUDENT, makes_sense_for=DAY, title="Time not kept any longer"),
    Kind("series_booked", "series.created", BOTH, makes_sense_for=WEEK, title="Weekly lessons booked"),
    Kind("series_extended", "series.extended", BOTH, makes_sense_for=WEEK, title="More weekly lessons booked"),
    Kind("series_moved", "series.moved", BOTH, makes_sense_for=WEEK, title="Weekly lessons moved"),
    Kind("series_moved_away", "series.moved", FORMER, makes_sense_for=WEEK, title="Weekly lessons moved to another teacher"),
    Kind("series_canceled", "series.canceled", BOTH, makes_sense_for=WEEK, title="Weekly lessons canceled"),
    Kind("series_ended", "series.ended", BOTH, makes_sense_for=WEEK, title="Weekly lessons ended"),
    Kind(
        "waitlist_offer", "waitlist.offered", STUDENT, WITH_PHONE,
        preference=Preference.OFFERS, is_quiet=True, title="A time has come free",
    ),
    Kind("time_off_created", "time_off.created", TEACHER, makes_sense_for=WEEK, title="Time off"),
    Kind("time_off_canceled", "time_off.canceled", TEACHER, makes_sense_for=WEEK, title="Time off called off"),
)  # fmt: skip

LESSONS = (
    Kind("lesson_reminder", None, BOTH, preference=Preference.REMINDERS, is_quiet=True, title="Reminder of a lesson"),
    Kind("outcome_missing", None, TEACHER, makes_sense_for=WEEK, is_quiet=True, title="How did the lesson go?"),
    Kind("report_ready", "lesson.reported", STUDENT, makes_sense_for=WEEK, is_once=True, title="Report of a lesson"),
)

MONEY = (
    Kind("package_bought", "package.activated", STUDENT, makes_sense_for=WEEK, title="New lessons"),
    Kind("package_low", None, STUDENT, preference=Preference.PACKAGES, makes_sense_for=WEEK, is_quiet=True, title="Few lessons left"),
    Kind("package_expiring", "package.expiring", STUDENT, preference=Preference.PACKAGES, makes_sense_for=WEEK, is_quiet=True, title="Lessons expire soon"),
    Kind("package_expired", "package.expired", STUDENT, makes_sense_for=WEEK, title="Lessons expired"),
    Kind("payment_succeeded", "payment.succeeded", STUDENT, makes_sense_for=MONTH, is_money=True, title="Payment received"),
    Kind("payment_failed", "payment.failed", STUDENT, makes_sense_for=WEEK, is_money=True, title="Payment failed"),
    Kind("payment_refunded", "refund.succeeded", STUDENT, makes_sense_for=MONTH, is_money=True, title="Money paid back"),
)  # fmt: skip

FOR_STAFF = (
    Kind("approval_alone", "approval.one_person", (Audience.PERSON,), makes_sense_for=DAY, is_money=True, title="Asked for by one person"),
    Kind("dead_letters", None, STAFF, makes_sense_for=DAY, permission=Permission.ADMINISTER, title="Messages that did not arrive"),
    Kind("failed_checks", None, STAFF, makes_sense_for=DAY, permission=Permission.READ_CHECKS, title="Checks found something"),
    Kind("exceptions_overdue", None, STAFF, makes_sense_for=DAY, permission=Permission.EDIT_PAYMENTS, title="Exceptions past their due time"),
)  # fmt: skip

WRITTEN = (
    Kind("from_staff", None, (Audience.PERSON,), title="A message from the school"),
    Kind("template_test", None, (Audience.PERSON,), (Channel.EMAIL,), makes_sense_for=DAY, title="Test of a template"),
)

KINDS: dict[str, Kind] = {
    kind.name: kind for kind in (*ACCOUNT_KINDS, *BOOKINGS, *LESSONS, *MONEY, *FOR_STAFF, *WRITTEN)
}


def kinds_of(topic: str, payload: dict[str, object]) -> list[Kind]:
    """What that event tells. What a school brings along when it moves in is no news to anybody."""
    if payload.get("is_opening"):
        return []
    return [kind for kind in KINDS.values() if kind.is_told_by(topic, payload)]


def topics() -> set[str]:
    """Every topic that tells somebody something."""
    return {kind.topic for kind in KINDS.values() if kind.topic is not None}
