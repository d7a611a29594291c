"""The demo school is loaded into an empty database: six weeks are lived day by day, and the logins written down."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import select, text

from guitaronline import clock, policy, unit_of_work
from guitaronline.actor import Role
from guitaronline.db import session
from guitaronline.demo import (
    books,
    cast,
    desks,
    founding,
    incidents,
    messages,
    office,
    online,
    platform,
    statements,
    weeks,
)
from guitaronline.demo.stage import School
from guitaronline.errors import Conflict
from guitaronline.identity.models import User

SEED = 20_260_301


class NotForProduction(Conflict):
    detail = "The demo school has known passwords; it is not loaded in production."


class NotEmpty(Conflict):
    detail = "There are people in this database already; the demo school is loaded into an empty one only."


@dataclass(frozen=True)
class Loaded:
    happenings: int
    refused: dict[str, int]  # refusal code → how often somebody in the demo met it
    logins: list[cast.Login]


def load_school(students: int, *, seed: int = SEED) -> Loaded:
    """The school has lived its six weeks up to this moment. The same seed, number and moment give the same school.

    Raises NotForProduction, NotEmpty."""
    if policy.current().is_production:
        raise NotForProduction()
    if session().scalar(select(User.id).limit(1)) is not None:
        raise NotEmpty()
    with _quick():
        school = School(_now(), seed)
        founding.found(school, students)
        incidents.befall(school)
        for student in school.students:
            weeks.plan_weeks(school, student)
        weeks.sweep_daily(school)
        office.run(school)
        desks.run(school)
        platform.run(school)
        online.run(school)
        books.run(school)
        statements.run(school)
        messages.run(school)
        happenings = school.live()
        messages.tell(school)
    return Loaded(happenings, dict(school.refused), _logins(school))


def write_logins(folder: Path, logins: list[cast.Login]) -> Path:
    """`demo-logins.txt`, for people: who, address, password."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "demo-logins.txt"
    lines = [f"  {login.role.value:<8} {login.email:<32} {login.password}" for login in logins]
    path.write_text("\n".join(["Demo logins (console; students use the API):", *lines]) + "\n", encoding="utf-8")
    return path


@contextmanager
def _quick() -> Iterator[None]:
    """Commits do not wait for the disk and nobody is rung: who loads a demo can load it again. Garbage of a hundred
    thousand objects is collected at a time, not of seven hundred: that was a fifth of the time."""
    thresholds = gc.get_threshold()
    gc.set_threshold(100_000, 50, 100)
    bells = unit_of_work.doorbell[:]
    unit_of_work.doorbell.clear()
    session().execute(text("SET synchronous_commit = off"))
    session().commit()
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        session().rollback()
        session().execute(text("SET synchronous_commit = on"))
        session().commit()
        unit_of_work.doorbell.extend(bells)


def _now() -> datetime:
    moment = clock.read(session()).replace(microsecond=0)
    session().rollback()
    return moment


def _logins(school: School) -> list[cast.Login]:
    first_teacher, first_student = cast.TEACHERS[0], school.students[0]
    teacher = cast.Login(
        Role.TEACHER, first_teacher.full_name, founding.teacher_email(first_teacher.full_name), cast.TEACHER_PASSWORD
    )
    student = cast.Login(
        Role.STUDENT, first_student.full_name, founding.student_email(first_student.full_name), cast.STUDENT_PASSWORD
    )
    return [*cast.STAFF, teacher, student]
