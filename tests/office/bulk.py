"""Bulk actions as people use them: look, agree, and let the worker do it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import count
from typing import Any

from sqlalchemy import func, select, text

from guitaronline import clock
from guitaronline.actor import Actor, Role
from guitaronline.audit.models import AuditAction
from guitaronline.booking.models import Booking
from guitaronline.booking.service import cancel_booking
from guitaronline.db import session, technical_transaction
from guitaronline.lessons.models import Lesson
from guitaronline.lessons.service import complete_lesson
from guitaronline.office import bulk, bulk_forecast
from guitaronline.office.bulk_forecast import Forecast
from guitaronline.office.bulk_models import BulkRow, BulkRun
from jobs import bulk as job
from tests.world import World, as_actor

NUMBERS: Iterator[int] = count(1)  # nobody is met twice
WHY = "the studio is flooded"
SCHOOL = {"cause": "school", "waive": False}


def look(actor: Actor, action: str, records: Sequence[Any], arguments: dict[str, Any]) -> list[Forecast]:
    ids = [each.id for each in records]
    now = clock.read(session())
    found = bulk.foresee(session(), actor, action, ids, arguments=arguments, now=now)
    session().rollback()
    return found


def ask(
    actor: Actor, action: str, records: Sequence[Any], arguments: dict[str, Any] | None = None, **more: str
) -> BulkRun:
    """What was looked at is agreed to, in the same breath; `digest=` and `seen=` say otherwise."""
    arguments = arguments or {}
    forecasts = look(actor, action, records, arguments)
    seen = {"digest": bulk_forecast.digest(action, arguments, forecasts), "seen": bulk_forecast.marks(forecasts)}
    ids = [each.id for each in records]
    return bulk.request_bulk(actor, action=action, record_ids=ids, arguments=arguments, reason=WHY, **{**seen, **more})


def undo(actor: Actor, run: BulkRun) -> BulkRun:
    action = bulk.inverse_of(run).name
    forecasts = bulk.foresee_undo(session(), actor, run, clock.read(session()))
    session().rollback()
    return bulk.undo_bulk(
        actor,
        run.id,
        digest=bulk_forecast.digest(action, bulk.undo_arguments(run), forecasts),
        seen=bulk_forecast.marks(forecasts),
        reason="that was a mistake",
    )


def carried_out(run: BulkRun) -> BulkRun:
    """The run after the worker was there."""
    job.carry_out()
    return again(run)


def again(run: BulkRun) -> BulkRun:
    session().rollback()
    return session().get_one(BulkRun, run.id, populate_existing=True)


def rows(run: BulkRun) -> list[BulkRow]:
    session().rollback()
    query = select(BulkRow).where(BulkRow.run_id == run.id).order_by(BulkRow.position)
    return list(session().scalars(query, execution_options={"populate_existing": True}))


def states(run: BulkRun) -> list[str]:
    return [row.status.value for row in rows(run)]


def actions(name: str) -> int:
    session().rollback()
    return session().scalars(select(func.count()).where(AuditAction.name == name)).one()


def lease_runs_out() -> None:
    """As if the worker that had it were dead for a minute."""
    with technical_transaction() as current:
        current.execute(text("UPDATE bulk_queue SET lease_until = clock_timestamp() - interval '1 second'"))


class Class:
    """Bookings in every state, each with a student and a teacher of its own."""

    def __init__(self, world: World) -> None:
        self.world = world

    def make(self, state: str) -> Booking:
        made: Booking = getattr(self, state)()
        return made

    def hold(self) -> Booking:
        return self.world.hold(*self._ahead(50))

    def lapsed(self) -> Booking:
        with clock.moved_by(timedelta(hours=-1)):
            return self.world.hold(*self._ahead(50))

    def confirmed(self) -> Booking:
        return self.world.booking(*self._ahead(50))

    def late(self) -> Booking:
        return self.world.booking(*self._ahead(5))

    def started(self) -> Booking:
        with clock.moved_by(timedelta(hours=-6)):
            return self.world.booking(*self._ahead(5))

    def given(self) -> Booking:
        booking = self.started()
        complete_lesson(as_actor(self.world.ada), lesson_of(booking).id)
        return booking

    def canceled(self) -> Booking:
        return cancel_booking(as_actor(self.world.ada), self.confirmed().id, reason="ill", cause="student")

    def _ahead(self, hours: float) -> tuple[Any, Any]:
        number = next(NUMBERS)
        student = self.world.person(f"Student {number}", Role.STUDENT, email=None)
        teacher = self.world.person(f"Teacher {number}", Role.TEACHER, email=f"teacher{number}@people.example")
        self.world.package(student, lessons=2)
        return self.world.slot(teacher, hours=hours), student


def lesson_of(booking: Booking) -> Lesson:
    return session().scalars(select(Lesson).where(Lesson.booking_id == booking.id)).one()
