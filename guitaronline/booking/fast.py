"""Hold and confirm in one statement each, for a student's own plain case: the functions of migration 0011.

They decline (GL001, nothing has happened) whenever a rule might say no; then the command decides. So what is refused, and
why, is known in one place only. What it gains is measured by `make bench`.
"""

from __future__ import annotations

import json
from datetime import timedelta
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import inspect

import config
from guitaronline import db, policy
from guitaronline.actor import Role
from guitaronline.booking import rules
from guitaronline.booking.models import Booking, BookingStatus
from guitaronline.unit_of_work import Work, begin_arguments

COLUMNS = tuple(Booking.__table__.columns.keys())
BEGIN = ("request_id", "address", "at", "shift", "key_user", "key_method", "key_path", "key", "key_hash")
BEGIN_TYPES = "text, text, timestamptz, interval, uuid, text, text, text, bytea"


def _prepared(function: str, types: str) -> db.Prepared:
    values = ", ".join(f"${number + 1}" for number in range(len(types.split(","))))
    sql = f"SELECT {', '.join(COLUMNS)} FROM {function}({values})"  # noqa: S608  # names of our own
    return db.Prepared(function, types, sql)


HOLD = _prepared(
    "hold_slot_fast",
    f"uuid, uuid, uuid, {BEGIN_TYPES}, uuid, uuid, interval, interval, interval, int, jsonb, uuid, uuid",
)
CONFIRM = _prepared("confirm_booking_fast", f"uuid, uuid, {BEGIN_TYPES}, uuid, uuid, uuid, uuid, uuid")


def hold(
    work: Work,
    connection: db.Quick,
    slot_id: UUID,
    *,
    student_id: UUID | None = None,
    package_id: UUID | None = None,
    override: bool = False,
    hold_minutes: int | None = None,
    reason: str | None = None,
) -> Booking | None:
    """The shortcut of `hold_slot`."""
    settings = policy.current()
    liberties = override or hold_minutes is not None or reason is not None or student_id not in (None, work.actor.id)
    limits = (
        settings.BOOKING_MAX_ACTIVE_PER_STUDENT
        or settings.BOOKING_MAX_PER_TEACHER_DAY
        or settings.BOOKING_FIRST_LESSON_FIRST
    )
    if work.actor.role is not Role.STUDENT or liberties or limits:
        return None
    work.topics.add("booking.held")
    who = (work.action_id, work.record_id, work.actor.id)
    return _one(work, connection, HOLD, who, (slot_id, package_id, *_terms(settings), db.new_id(), db.new_id()))


def confirm(work: Work, connection: db.Quick, booking_id: UUID) -> Booking | None:
    """The shortcut of `confirm_booking`."""
    if work.actor.role is not Role.STUDENT:
        return None
    work.topics |= {"booking.confirmed", "lesson.created"}
    made = (db.new_id(), db.new_id(), db.new_id(), db.new_id())
    return _one(work, connection, CONFIRM, (work.action_id, work.actor.id), (booking_id, *made))


def _one(
    work: Work, connection: db.Quick, statement: db.Prepared, who: tuple[Any, ...], what: tuple[Any, ...]
) -> Booking | None:
    begin = begin_arguments(work, Booking.__tablename__)
    row = connection.one(statement, *who, *(begin[name] for name in BEGIN), *what)
    if row is None:
        return None
    booking = _loaded(row)
    work.now = booking.updated_at
    return booking


def _loaded(row: tuple[Any, ...]) -> Booking:
    """The row as a detached record, as the ORM would load it."""
    values = dict(zip(COLUMNS, row, strict=True))
    values["status"] = BookingStatus(values["status"])
    booking: Booking = Booking.__mapper__.class_manager.new_instance()
    state = inspect(booking)
    state.dict.update(values)
    state.key = Booking.__mapper__.identity_key_from_primary_key((booking.id,))
    return booking


@cache
def _terms(settings: config.Settings) -> tuple[Any, ...]:
    return (
        timedelta(minutes=settings.BOOKING_HOLD_MINUTES),
        timedelta(minutes=settings.BOOKING_MIN_NOTICE_MINUTES),
        timedelta(days=settings.BOOKING_HORIZON_DAYS),
        settings.BOOKING_MAX_LIVE_HOLDS,
        json.dumps(rules.policy_snapshot(settings)),
    )
