"""What the office does beside the lessons: notes, tasks, blocked time, a teacher who leaves, people on the phone, holds."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from functools import partial

from guitaronline.booking.absences import create_closure, create_time_off
from guitaronline.booking.desk import NewGrant, NewStudent, book_by_phone
from guitaronline.booking.horizon import regenerate_slots
from guitaronline.booking.series import Wanted, create_series
from guitaronline.booking.series_rules import Term
from guitaronline.booking.service import hold_slot
from guitaronline.booking.slots import block_slot, withdraw_slot
from guitaronline.booking.waitlist import join_waitlist
from guitaronline.db import session
from guitaronline.demo import cast, money
from guitaronline.demo.stage import Place, School, Student, Teacher
from guitaronline.identity.service import cancel_task, create_task, finish_task, reopen_task, write_note
from guitaronline.scheduling.service import unblock_slot
from guitaronline.teachers.queries import profile_of
from guitaronline.teachers.service import disable_teacher

CALLERS = ("Agnes Tidwell", "Boris Ekman", "Cora Delaney")
HOLDS = (
    (50, None),
    (45, 1440),
    (3, None),
    (1, None),
)  # minutes ago, and how long if not as usual: the first has lapsed


def run(school: School) -> None:
    """Plan the office's days."""
    for student in school.students[::6]:
        school.on(student.joins_at + school.days(1, 9), partial(_note, school, student))
    for number, student in enumerate(school.students[1::9]):
        when = max(student.joins_at + timedelta(hours=2), school.ago(12 - number % 12))
        school.on(when, partial(_task, school, student, number))
    for teacher in school.teachers[:6]:
        school.on(school.ago(school.random.randint(5, 9)), partial(_keep_back, school, teacher))
    school.on(school.ago(2), partial(_teacher_leaves, school))
    school.on(school.ago(4), partial(_closure, school))
    school.on(school.ago(), partial(_time_off, school))  # last: nobody books into it any more
    for teacher in school.teachers[::2]:
        school.on(school.ago(minutes=90), partial(_next_weeks, school, teacher))
    for number, name in enumerate(CALLERS):
        school.on(school.ago(3 - number, hours=5), partial(_phone, school, name))
    school.on(school.ago(2, hours=3), partial(_weekly_lessons, school))
    school.on(school.ago(1, hours=2), partial(_waits, school))
    for number, (minutes_ago, lasting) in enumerate(HOLDS):
        school.on(school.ago(minutes=minutes_ago), partial(_hold, school, number, lasting))


def _note(school: School, student: Student, _: datetime) -> None:
    write_note(school.support, record_type="users", record_id=student.known_id, body=school.one_of(cast.NOTES))


def _task(school: School, student: Student, number: int, moment: datetime) -> None:
    """Some are done, one is no longer needed, one was closed too early; the others wait, some overdue."""
    owner = (school.support, school.finance)[number % 2]
    assert owner.id is not None
    due = (moment + timedelta(days=4)).date()
    title = school.next_of("tasks", cast.TASKS)
    task = create_task(
        school.support, record_type="users", record_id=student.known_id, title=title, owner_id=owner.id, due_on=due
    )
    later = moment + timedelta(days=1)
    if number % 4 == 1:
        school.on(later, lambda _: finish_task(owner, task.id))
    elif number % 8 == 2:
        school.on(later, lambda _: cancel_task(owner, task.id, reason="solved by itself"))
    elif number % 8 == 3:
        school.on(later, lambda _: finish_task(owner, task.id))
        school.on(later + timedelta(hours=3), lambda _: reopen_task(school.support, task.id, reason="nobody answered"))


def _keep_back(school: School, teacher: Teacher, moment: datetime) -> None:
    """A dentist's appointment, a lesson time given up, and a day that was free after all."""
    dentist, given_up, after_all = _free(teacher, moment + timedelta(days=12), 3)
    for place in (dentist, given_up):
        place.free = False
    block_slot(teacher.actor, dentist.slot_id, reason="dentist")
    withdraw_slot(school.support, given_up.slot_id, reason="the teacher asked for it")
    block_slot(school.support, after_all.slot_id, reason="recital rehearsal")
    unblock_slot(school.support, after_all.slot_id, reason="rehearsal was moved")


def _teacher_leaves(school: School, moment: datetime) -> None:
    """The one who has most to do, of those whose time nobody blocked: the bookings stay and wait for a decision."""
    teacher = max(
        school.teachers[6:], key=lambda each: sum(place.start > moment and not place.free for place in each.places)
    )
    profile = profile_of(session(), teacher.id)
    assert profile is not None
    disable_teacher(school.support, profile.id, reason="ill for some weeks")
    teacher.gone_from = moment


def _closure(school: School, _: datetime) -> None:
    """The school is closed for three days, beyond the weeks in which people have booked."""
    first = (school.now + timedelta(days=40)).date()
    create_closure(school.support, name="Teachers' meeting", first_day=first, last_day=first + timedelta(days=2))


def _time_off(school: School, moment: datetime) -> None:
    """A teacher with weekly hours goes to the mountains; lessons inside wait for a decision."""
    teacher = school.teachers[2]
    if teacher.gone_from is None:
        start = (moment + timedelta(days=9)).astimezone(teacher.zone).replace(hour=0, minute=0, second=0, microsecond=0)
        end = start + timedelta(days=5)
        create_time_off(
            teacher.actor, teacher_id=teacher.id, start_at=start, end_at=end, reason="a week in the mountains"
        )


def _next_weeks(school: School, teacher: Teacher, _: datetime) -> None:
    """The nightly job's work of the last days; what it makes nobody in the demo books."""
    if teacher.gone_from is None:
        regenerate_slots(school.support, teacher.id, reason="weeks that have come into reach")


def _phone(school: School, name: str, moment: datetime) -> None:
    """Somebody new calls: person, free trial, slot and booking in one."""
    teacher = school.teachers[len(name) % 4]
    (place,) = _free(teacher, moment + timedelta(days=2), 1)
    place.free = False
    caller = NewStudent(
        full_name=name,
        email=f"{name.lower().replace(' ', '.')}@people.example",
        timezone=teacher.part.zone,
        phone="+1 555 300 0001",
    )
    trial = NewGrant(
        lessons_total=1, expires_at=moment + timedelta(days=30), plan_id=school.plans[cast.TRIAL.name], is_trial=True
    )
    book_by_phone(school.admin, student=caller, package=trial, slot=place.slot_id, reason="called to try a lesson")


def _weekly_lessons(school: School, moment: datetime) -> None:
    """Four Sunday mornings, agreed on the phone, outside the teacher's hours."""
    student = _untroubled(school)[0]
    money.gift(school, student, 4, expires_at=moment + timedelta(days=90), reason="a month of Sundays")
    first = (moment + timedelta(days=13 - moment.weekday())).date()
    term = Term(first, time(8, 10), student.teacher.part.minutes, count=4)
    wanted = Wanted(student.known_id, student.teacher.id, term)
    create_series(school.support, wanted=wanted, reason="called: Sundays before breakfast")


def _waits(school: School, moment: datetime) -> None:
    """Two would take anything of a teacher who is fully booked; one of them has no lesson left."""
    for student in _untroubled(school)[1:8:6]:
        join_waitlist(
            school.support,
            student_id=student.known_id,
            teacher_id=student.teacher.id,
            from_at=moment,
            until_at=moment + timedelta(days=2),
            reason="would like to come sooner",
        )


def _hold(school: School, number: int, lasting: int | None, moment: datetime) -> None:
    """A slot that somebody is thinking about at this moment, or for which the office waits for money."""
    thinking = _untroubled(school)[number : number + 1]
    for student in thinking:
        (place,) = _free(student.teacher, moment + timedelta(days=9), 1)
        place.free = False
        money.gift(school, student, 1, expires_at=moment + timedelta(days=60), reason="for a good review")
        if lasting:
            why = "waits for the transfer"
            hold_slot(school.support, place.slot_id, student_id=student.known_id, hold_minutes=lasting, reason=why)
        else:
            hold_slot(school.student_actor(student), place.slot_id)


def _untroubled(school: School) -> list[Student]:
    """Grown students of teachers who are there, from the end of the list, where no incident befell anybody."""
    there = [each for each in reversed(school.students) if each.id and not each.is_child and not each.until]
    return [each for each in there if not each.teacher.gone_from]


def _free(teacher: Teacher, earliest: datetime, number: int) -> list[Place]:
    return [place for place in teacher.places if place.free and place.start >= earliest][:number]
