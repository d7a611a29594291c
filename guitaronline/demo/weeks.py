"""The weekly life: a lesson is booked some days ahead, and then what happens to lessons happens to it."""

from __future__ import annotations

from datetime import datetime, timedelta
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


def plan_weeks(school: School, student: Student) -> None:
    """The student's places from joining on, each to be booked two to ten days before; some weeks nobody has time."""
    for place in student.series:
        booked_at = max(place.start - school.days(2, 10), student.joins_at + school.hours(6, 20))
        too_late = place.start - booked_at < timedelta(hours=30)
        is_holiday = school.random.random() < 0.14
        too_far = place.start - school.now > timedelta(days=AHEAD)
        if not (too_late or is_holiday or too_far or student.is_away(booked_at, place.start)):
            school.on(booked_at, lambda moment, place=place: _book(school, student, place, moment))  # type: ignore[misc]


def sweep_daily(school: School) -> None:
    """What the jobs of the school do every night."""
    for day in range(DAYS_BACK):
        school.on(school.ago(day, hours=3), lambda _: _sweep())


def _sweep() -> None:
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
    if fate == "hold forgotten":
        school.on(moment + timedelta(minutes=15), lambda _: _forget(place))
    elif fate == "hold released":
        school.on(moment + school.minutes(2, 8), lambda _: _release(place, actor, booking_id))
    else:
        school.on(
            moment + school.minutes(1, 8), lambda now: _confirm(school, student, place, actor, booking_id, fate, now)
        )


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
            school.on(when + school.minutes(10, 60), lambda now: _book(school, student, place, now))

    money.buy(school, student, moment, student.plan, paid)


def _forget(place: Place) -> None:
    place.free = True


def _release(place: Place, actor: Actor, booking_id: UUID) -> None:
    cancel_booking(actor, booking_id, reason="chose another day")
    place.free = True


def _confirm(
    school: School, student: Student, place: Place, actor: Actor, booking_id: UUID, fate: str, moment: datetime
) -> None:
    confirm_booking(actor, booking_id)
    late = max(place.start - school.hours(3, 20), moment + timedelta(minutes=10))
    early = max(place.start - school.hours(26, 60), moment + timedelta(minutes=10))
    teacher = student.teacher.actor
    mine = school.support if student.is_child else school.student_actor(student)
    reason = {"reason": school.one_of(["is ill", "exam at school", "on a journey", "works late"])}
    as_student = {"cause": "student"} if mine.is_staff else {}
    ends: dict[str, tuple[datetime, Actor, dict[str, Any]]] = {
        "canceled early": (early, mine, {**reason, **as_student}),
        "canceled late": (late, mine, {**reason, **as_student}),
        "canceled by the teacher": (early, teacher, {"reason": "teacher is ill"}),
        "canceled by the school": (late, school.support, {"cause": "technical", "reason": "the lesson room is down"}),
        "waived": (late, school.support, {"cause": "student", "waive": True, "reason": "family emergency, first time"}),
    }
    if fate in ends:
        when, who, how = ends[fate]
        school.on(when, lambda _: _call_off(place, who, booking_id, how))
    elif fate == "moved":
        school.on(early, lambda now: _move(school, student, place, mine, booking_id, now))
    else:
        _end_lesson(school, student, place, booking_id, fate)


def _call_off(place: Place, who: Actor, booking_id: UUID, how: dict[str, Any]) -> None:
    cancel_booking(who, booking_id, **how)
    place.free = True


def _move(school: School, student: Student, place: Place, who: Actor, booking_id: UUID, moment: datetime) -> None:
    """To the first free place of the same teacher from the next day on."""
    earliest = max(moment + timedelta(hours=3), place.start + timedelta(hours=12))
    free = next((each for each in student.teacher.places if each.free and each.start >= earliest), None)
    if free is None or student.teacher.gone_from:
        _end_lesson(school, student, place, booking_id, "given")
        return
    how = {"cause": "student"} if who.is_staff else {}
    successor = reschedule_booking(who, booking_id, new_slot_id=free.slot_id, reason="another day suits better", **how)
    place.free, free.free = True, False
    _end_lesson(school, student, free, successor.id, "given")


def _end_lesson(school: School, student: Student, place: Place, booking_id: UUID, fate: str) -> None:
    """What is recorded after the lesson; nothing when somebody forgot."""
    if fate != "outcome forgotten":
        school.on(place.end + school.minutes(3, 120), lambda now: _record(school, student, booking_id, fate, now))


def _record(school: School, student: Student, booking_id: UUID, fate: str, moment: datetime) -> None:
    lesson_id = session().scalars(select(Lesson.id).where(Lesson.booking_id == booking_id)).one()
    teacher = student.teacher.actor
    absent = {
        "student did not come": NoShowSide.STUDENT,
        "no-show corrected": NoShowSide.STUDENT,
        "teacher did not come": NoShowSide.TEACHER,
        "line was down": NoShowSide.TECHNICAL,
    }
    if fate in absent:
        by = school.support if fate == "teacher did not come" else teacher
        mark_no_show(by, lesson_id, side=absent[fate], reason=fate)
    else:
        complete_lesson(teacher, lesson_id)
    if fate == "given with report":
        report = {"topic": school.one_of(cast.TOPICS), "homework": school.one_of(cast.HOMEWORK), "notes": "Well done."}
        edit_report(teacher, lesson_id, changes=report)
    corrections: dict[str, dict[str, Any]] = {
        "outcome corrected": {
            "status": "no_show",
            "side": "technical",
            "reason": "the recording shows that nobody could hear",
        },
        "no-show corrected": {"status": "completed", "reason": "the student had joined by another link"},
    }
    if fate in corrections:
        right = corrections[fate]
        school.on(moment + school.hours(10, 30), lambda _: _correct(school, lesson_id, right))


def _correct(school: School, lesson_id: UUID, right: dict[str, Any]) -> None:
    correct_outcome(school.support, lesson_id, **right)
