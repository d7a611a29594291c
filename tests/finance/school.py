"""Tom teaches Ann in March and April 2026; each lesson stands on the day that is named."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any

from sqlalchemy import select

from guitaronline import clock
from guitaronline.actor import Actor
from guitaronline.billing.models import Package
from guitaronline.booking.models import Booking
from guitaronline.booking.service import cancel_booking
from guitaronline.db import session
from guitaronline.finance.months import Month
from guitaronline.finance.service import add_extra, approve_statement, set_rate
from guitaronline.finance.statement_models import LineKind, StatementExtra, TeacherRate, TeacherStatement
from guitaronline.finance.statements import lines_of
from guitaronline.lessons.models import Lesson
from guitaronline.lessons.service import complete_lesson, correct_outcome, mark_no_show
from tests.world import World, as_actor

MARCH, APRIL, MAY = (Month(date(2026, month, 1)) for month in (3, 4, 5))
AFTER = {MARCH: datetime(2026, 4, 2, 9, tzinfo=UTC), APRIL: datetime(2026, 5, 2, 9, tzinfo=UTC)}


class School:
    def __init__(self, world: World) -> None:
        self.world = world

    @property
    def finance(self) -> Actor:
        return as_actor(self.world.finn)

    @cached_property
    def package(self) -> Package:
        with clock.standing_at(datetime(2026, 2, 1, tzinfo=UTC)):
            return self.world.package(lessons=40)

    def rate(self, amount_minor: int = 2_000, **more: Any) -> TeacherRate:
        facts = {"currency": "USD", "valid_from": date(2026, 1, 1), "teacher_id": self.world.tom.id, **more}
        return set_rate(self.finance, amount_minor=amount_minor, **facts)

    def lesson(self, month: int, day: int, *, hour: int = 12, minutes: int = 60) -> Lesson:
        """Booked three weeks before."""
        assert self.package
        start = datetime(2026, month, day, hour, tzinfo=UTC)
        with clock.standing_at(start - timedelta(days=21)):
            booking = self.world.booking(self.world.slot(start_at=start, minutes=minutes))
        return session().scalars(select(Lesson).where(Lesson.booking_id == booking.id)).one()

    def given(self, month: int, day: int, **more: Any) -> Lesson:
        lesson = self.lesson(month, day, **more)
        with clock.standing_at(lesson.scheduled_end_at):
            return complete_lesson(as_actor(self.world.tom), lesson.id)

    def missed(self, month: int, day: int, side: str) -> Lesson:
        lesson = self.lesson(month, day)
        with clock.standing_at(lesson.scheduled_end_at):
            return mark_no_show(as_actor(self.world.tom), lesson.id, side=side)

    def called_off(self, month: int, day: int, *, hours_before: int) -> Booking:
        """By Ann."""
        lesson = self.lesson(month, day)
        with clock.standing_at(lesson.scheduled_start_at - timedelta(hours=hours_before)):
            return cancel_booking(as_actor(self.world.ann), lesson.booking_id)

    def corrected(self, lesson: Lesson, at: datetime, *, side: str | None = "teacher") -> Lesson:
        status = "no_show" if side else "completed"
        with clock.standing_at(at):
            return correct_outcome(
                as_actor(self.world.ada), lesson.id, status=status, side=side, reason="the teacher wrote"
            )

    def extra(self, month: Month, kind: LineKind = LineKind.WORK, amount_minor: int = 5_000) -> StatementExtra:
        facts = {"teacher_id": self.world.tom.id, "currency": "USD", "reason": "open evening"}
        return add_extra(self.finance, month=month, kind=kind, amount_minor=amount_minor, **facts)

    def approved(self, month: Month, **more: Any) -> TeacherStatement:
        with clock.standing_at(AFTER[month]):
            return approve_statement(self.finance, teacher_id=self.world.tom.id, month=month, **more)

    def lines(self, statement: TeacherStatement) -> list[tuple[str, str, int]]:
        """Kind, what, amount."""
        session().rollback()
        return [(each.kind.value, each.words, each.amount_minor) for each in lines_of(session(), statement.id)]
