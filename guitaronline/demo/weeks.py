"""The weekly life: a lesson is booked some days ahead, and then what happens to lessons happens to it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import select

from guitaronline.actor import SYSTEM, Actor
from guitaronline.billing.queries import fitting_package_ids
from guitaronline.billing.service import expire_packages
from guitaronline.booking.service import cancel_booking, confirm_booking, expire_holds, hold_slot, reschedule_booking
from guitaronline.db import session
from guitaronline.demo import cast, money
from guitaronline.demo.stage import DAYS_BACK, Place, School, Student
from guitaronline.errors import Conflict
from guitaronline.lessons.models import Lesson, NoShowSide
from guitaronline.lessons.service import complete_lesson, correct_outcome, edit_report, mark_no_show

AHEAD = 21  # days: who books, books at most three weeks ahead
FATES = (
    *["given"] * 24,
    *["given with report"] * 6,
    *["canceled early"] * 2,
    "canceled late",
    "canceled by the teacher",
    "canceled by the school",
    "waived",
    *["moved"] * 2,
    "student did not come",
    "teacher did not come",
    "line was down",
    "outcome forgotten",
    "outcome corrected",
    "no-show corrected",
    "hold forgotten",
    "hold released",
)
ABSENT = {
    "student did not come": NoShowSide.STUDENT,
    "no-show corrected": NoShowSide.STUDENT,
    "teacher did not come": NoShowSide.TEACHER,
    "line was down": NoShowSide.TECHNICAL,
}
CORRECTIONS: dict[str, dict[str, Any]] = {
    "outcome corrected": {
        "status": "no_show",
        "side": "technical",
        "reason": "the recording shows that nobody could hear",
    },
    "no-show corrected": {"status": "completed", "reason": "the student had joined by another link"},
}


@dataclass(frozen=True)
class Booked:
    """A booking on its way: whose, where, made by whom, and what will become of it."""

    student: Student
    place: Place
    booking_id: UUID
    by: Actor
    fate: str


def plan_weeks(school: School, student: Student) -> None:
    """The student's places from joining on, each to be booked two to ten days before.

    Every fourth student comes every other week, and some weeks nobody has time."""
    for place in student.series[:: 2 if student.number % 4 == 3 else 1]:
        booked_at = max(place.start - school.days(2, 10), student.joins_at + school.hours(6, 20))
        too_late = place.start - booked_at < timedelta(hours=30)
        is_holiday = school.random.random() < 0.18
        too_far = place.start - school.now > timedelta(days=AHEAD)
        if not (too_late or is_holiday or too_far or student.is_away(booked_at, place.start)):
            school.on(booked_at, partial(_book, school, student, place))


def sweep_daily(school: School) -> None:
    """What the jobs of the school do every night."""
    for day in range(DAYS_BACK):
        school.on(school.ago(day, hours=3), _sweep)


def _sweep(_: datetime) -> None:
    expire_holds(SYSTEM)
    expire_packages(SYSTEM)


def _book(school: School, student: Student, place: Place, moment: datetime) -> None:
    gone = student.teacher.gone_from
    if not place.free or (gone is not None and moment >= gone):
        return
    if not _has_lessons(student, place, moment):
        _buy_first(school, student, place, moment)
        return
    fate = school.next_of("fates", FATES)
    by_phone = student.is_child or school.random.random() < 0.1
    actor = school.support if by_phone else school.student_actor(student)
    try:
        booking_id = hold_slot(actor, place.slot_id, student_id=student.known_id).id
    except Conflict as refusal:
        school.refused[refusal.code] += 1
        return
    place.free = False
    booked = Booked(student, place, booking_id, actor, fate)
    if fate == "hold forgotten":
        school.on(moment + timedelta(minutes=15), partial(_forget, place))
    elif fate == "hold released":
        school.on(moment + school.minutes(2, 8), partial(_release, booked))
    else:
        school.on(moment + school.minutes(1, 8), partial(_confirm, school, booked))


def _has_lessons(student: Student, place: Place, moment: datetime) -> bool:
    minutes = int((place.end - place.start).total_seconds() // 60)
    return bool(fitting_package_ids(session(), student.known_id, minutes=minutes, lesson_start=place.start, now=moment))


def _buy_first(school: School, student: Student, place: Place, moment: datetime) -> None:
    """Without lessons one buys some, and books when the money is there; a trial comes before the first purchase."""
    if student.is_buying or student.is_away(moment):
        return
    if not student.packages and not student.has_tried and student.number % 4 == 2:
        money.try_out(school, student)
        _book(school, student, place, moment)
        return
    student.is_buying = True

    def paid(when: datetime, _: UUID) -> None:
        student.is_buying = False
        if place.start - when > timedelta(hours=30):
            school.on(when + school.minutes(10, 60), partial(_book, school, student, place))

    money.buy(school, student, moment, student.plan, paid)


def _forget(place: Place, _: datetime) -> None:
    place.free = True


def _release(booked: Booked, _: datetime) -> None:
    cancel_booking(booked.by, booked.booking_id, reason="chose another day")
    booked.place.free = True


def _confirm(school: School, booked: Booked, moment: datetime) -> None:
    confirm_booking(booked.by, booked.booking_id)
    soonest = moment + timedelta(minutes=10)
    early = max(booked.place.start - school.hours(26, 60), soonest)
    late = max(booked.place.start - school.hours(3, 20), soonest)
    endings: dict[str, tuple[datetime, Actor, dict[str, Any]]] = {
        "canceled early": (early, *_students_voice(school, booked.student)),
        "canceled late": (late, *_students_voice(school, booked.student)),
        "canceled by the teacher": (early, booked.student.teacher.actor, {"reason": "teacher is ill"}),
        "canceled by the school": (late, school.support, {"cause": "technical", "reason": "the lesson room is down"}),
        "waived": (late, school.support, {"cause": "student", "waive": True, "reason": "family emergency, first time"}),
    }
    if booked.fate in endings:
        when, who, how = endings[booked.fate]
        school.on(when, partial(_call_off, booked, who, how))
    elif booked.fate == "moved":
        school.on(early, partial(_move, school, booked))
    else:
        _await_end(school, booked)


def _students_voice(school: School, student: Student) -> tuple[Actor, dict[str, Any]]:
    """Who calls off for the student, and what they say: for a child somebody at home calls the office."""
    reason = school.one_of(["is ill", "exam at school", "on a journey", "works late"])
    if student.is_child:
        return school.support, {"reason": reason, "cause": "student"}
    return school.student_actor(student), {"reason": reason}


def _call_off(booked: Booked, who: Actor, how: dict[str, Any], _: datetime) -> None:
    cancel_booking(who, booked.booking_id, **how)
    booked.place.free = True


def _move(school: School, booked: Booked, moment: datetime) -> None:
    """To the first free place of the same teacher from the next day on."""
    teacher = booked.student.teacher
    earliest = max(moment + timedelta(hours=3), booked.place.start + timedelta(hours=12))
    free = next((each for each in teacher.places if each.free and each.start >= earliest), None)
    moved = replace(booked, fate="given")
    if free is not None and teacher.gone_from is None:
        who, how = _students_voice(school, booked.student)
        successor = reschedule_booking(who, booked.booking_id, new_slot_id=free.slot_id, **how)
        booked.place.free, free.free = True, False
        moved = replace(moved, place=free, booking_id=successor.id)
    _await_end(school, moved)


def _await_end(school: School, booked: Booked) -> None:
    """What is recorded after the lesson; nothing when somebody forgot."""
    if booked.fate != "outcome forgotten":
        school.on(booked.place.end + school.minutes(3, 120), partial(_record, school, booked))


def _record(school: School, booked: Booked, moment: datetime) -> None:
    lesson_id = session().scalars(select(Lesson.id).where(Lesson.booking_id == booked.booking_id)).one()
    teacher = booked.student.teacher.actor
    if booked.fate in ABSENT:
        by = school.support if booked.fate == "teacher did not come" else teacher
        mark_no_show(by, lesson_id, side=ABSENT[booked.fate], reason=booked.fate)
    else:
        complete_lesson(teacher, lesson_id)
    if booked.fate == "given with report":
        report = {"topic": school.one_of(cast.TOPICS), "homework": school.one_of(cast.HOMEWORK), "notes": "Well done."}
        edit_report(teacher, lesson_id, changes=report)
    if booked.fate in CORRECTIONS:
        school.on(moment + school.hours(10, 30), partial(_correct, school, lesson_id, CORRECTIONS[booked.fate]))


def _correct(school: School, lesson_id: UUID, right: dict[str, Any], _: datetime) -> None:
    correct_outcome(school.support, lesson_id, **right)
