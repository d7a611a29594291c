"""The named cast of the tests. Everybody and everything is made through the commands, on first use.

Ann and Ben learn, Tom and Tina teach; Sue is support, Finn finance, Audrey auditor, Ada admin.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cached_property
from typing import Any
from uuid import UUID

from guitaronline import clock
from guitaronline.actor import SYSTEM, Actor, Role
from guitaronline.billing.models import Package
from guitaronline.booking.models import Booking
from guitaronline.db import session
from guitaronline.identity.models import User
from guitaronline.scheduling.models import Slot

PASSWORD = "six silver strings sing"


def as_actor(user: User) -> Actor:
    return Actor(user.id, user.role)


class World:
    def person(self, name: str, role: Role, **more: Any) -> User:
        from guitaronline.identity.service import create_person

        more = {"email": f"{name.lower()}@people.example", **more}
        return create_person(SYSTEM, role=role, full_name=name, **more)

    @cached_property
    def ann(self) -> User:
        return self.person("Ann", Role.STUDENT)

    @cached_property
    def ben(self) -> User:
        return self.person("Ben", Role.STUDENT)

    @cached_property
    def tom(self) -> User:
        return self.person("Tom", Role.TEACHER)

    @cached_property
    def tina(self) -> User:
        return self.person("Tina", Role.TEACHER)

    @cached_property
    def sue(self) -> User:
        return self.person("Sue", Role.SUPPORT)

    @cached_property
    def finn(self) -> User:
        return self.person("Finn", Role.FINANCE)

    @cached_property
    def audrey(self) -> User:
        return self.person("Audrey", Role.AUDITOR)

    @cached_property
    def ada(self) -> User:
        return self.person("Ada", Role.ADMIN)

    @property
    def now(self) -> datetime:
        """The clock's present second."""
        moment = clock.read(session())
        session().rollback()
        return moment.replace(microsecond=0)

    def slot(
        self, teacher: User | None = None, *, hours: float = 48, start_at: datetime | None = None, minutes: int = 60
    ) -> Slot:
        """A slot of the teacher (Tom), `hours` from now unless `start_at` says when."""
        from guitaronline.scheduling.service import create_slot

        start = start_at or self.now + timedelta(hours=hours)
        return create_slot(
            as_actor(self.ada),
            teacher_id=(teacher or self.tom).id,
            start_at=start,
            end_at=start + timedelta(minutes=minutes),
        )

    def package(self, student: User | None = None, *, lessons: int = 5, **more: Any) -> Package:
        """A package granted to the student (Ann)."""
        from guitaronline.billing.service import grant_package

        return grant_package(
            as_actor(self.ada), student_id=(student or self.ann).id, lessons_total=lessons, reason="a gift", **more
        )

    def hold(self, slot: Slot | None = None, student: User | None = None, **more: Any) -> Booking:
        """A hold by the student (Ann) on the slot (a new one); needs a package."""
        from guitaronline.booking.service import hold_slot

        return hold_slot(as_actor(student or self.ann), (slot or self.slot()).id, **more)

    def booking(self, slot: Slot | None = None, student: User | None = None, **more: Any) -> Booking:
        """A confirmed booking by the student (Ann) on the slot (a new one); needs a package."""
        from guitaronline.booking.service import confirm_booking

        held = self.hold(slot, student, **more)
        return confirm_booking(as_actor(student or self.ann), held.id)

    def again(self, record: Any) -> Any:
        """The record as the database has it now."""
        session().rollback()
        return session().get(type(record), record.id, populate_existing=True)

    def reloaded(self, model: type[Any], record_id: UUID) -> Any:
        session().rollback()
        return session().get(model, record_id, populate_existing=True)
