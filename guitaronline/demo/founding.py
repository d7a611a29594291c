"""How the school begins: staff, plans, teachers with their time, and the people who will learn."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import select

from guitaronline.actor import SYSTEM, Actor, Role
from guitaronline.billing.service import create_plan, set_price
from guitaronline.booking.horizon import regenerate_slots, set_hours
from guitaronline.db import session
from guitaronline.demo import cast, papers
from guitaronline.demo.cast import TeacherPart
from guitaronline.demo.stage import DAYS_AHEAD, Place, School, Student, Teacher
from guitaronline.identity.service import add_guardian, create_person
from guitaronline.scheduling.models import Slot, SlotStatus
from guitaronline.scheduling.rules import Window
from guitaronline.scheduling.service import create_slots
from guitaronline.teachers.queries import profile_of
from guitaronline.teachers.service import edit_profile

STUDENTS_PER_TEACHER = 12
TEACHERS_LEAST = len(cast.TEACHERS)


def found(school: School, students: int) -> None:
    """Everybody and everything that is there on the first day, and the arrival of those who come later."""
    school.on(school.founded, lambda _: _hire(school))
    school.on(school.founded + timedelta(minutes=30), lambda moment: papers.open_books(school, moment))
    school.on(school.founded + timedelta(hours=1), lambda _: _offer_plans(school))
    school.on(
        school.founded + timedelta(hours=2),
        lambda _: _teach(school, max(TEACHERS_LEAST, -(-students // STUDENTS_PER_TEACHER))),
    )
    school.live()
    _enroll(school, students)


def _hire(school: School) -> None:
    for login in cast.STAFF:
        user = create_person(
            SYSTEM,
            role=login.role,
            full_name=login.full_name,
            email=login.email,
            password=login.password,
            timezone=login.timezone,
        )
        school.staff[login.email.partition("@")[0]] = Actor(user.id, login.role)


def _offer_plans(school: School) -> None:
    for part in cast.PLANS:
        plan = create_plan(
            school.finance,
            name=part.name,
            lessons_total=part.lessons,
            lesson_minutes=part.minutes,
            valid_days=part.valid_days,
            amount_minor=part.amount_minor,
            currency=part.currency,
            is_trial=part.is_trial,
            books_breakage=part.amount_minor > 0 and part.currency == "USD",
        )
        school.plans[part.name] = plan.id
    school.on(school.ago(20), lambda _: _raise_price(school))


def _raise_price(school: School) -> None:
    part, amount_minor = cast.TEN, cast.TEN.amount_minor + 1_000
    set_price(
        school.finance, school.plans[part.name], amount_minor=amount_minor, currency=part.currency, reason="new season"
    )


def _teach(school: School, number: int) -> None:
    for index in range(number):
        part = cast.TEACHERS[index % TEACHERS_LEAST]
        name = part.full_name if index < TEACHERS_LEAST else f"{_name(index * 7)} ({index + 1})"
        email = teacher_email(name)
        password = cast.TEACHER_PASSWORD if index == 0 else None
        user = create_person(
            school.admin, role=Role.TEACHER, full_name=name, email=email, timezone=part.zone, password=password
        )
        teacher = Teacher(part, Actor(user.id, Role.TEACHER))
        _write_profile(teacher)
        _open_calendar(school, teacher, by_weekly_hours=index % 2 == 0)
        school.teachers.append(teacher)


def _write_profile(teacher: Teacher) -> None:
    profile = profile_of(session(), teacher.id)
    assert profile is not None
    part = teacher.part
    room = f"https://meet.example/{_address(part.full_name)}" if part.has_room else None
    changes = {"bio": part.bio, "experience_years": part.years, "tags": list(part.tags), "meeting_url": room}
    edit_profile(teacher.actor, profile.id, changes=changes)


def _open_calendar(school: School, teacher: Teacher, *, by_weekly_hours: bool) -> None:
    """Every other teacher lets the school make the slots from their weekly hours, as far ahead as it does; and again some
    weeks later. The others made theirs by hand, from the first day to four weeks ahead, on their own calendar."""
    if by_weekly_hours:
        _keep_hours(teacher)
        school.on(school.ago(13), lambda _: _look_ahead(school, teacher))
        return
    last = (school.now + timedelta(days=DAYS_AHEAD)).astimezone(teacher.zone).date()
    for hours in teacher.part.hours:
        made = create_slots(
            teacher.actor,
            teacher_id=teacher.id,
            first_day=school.first_day.astimezone(teacher.zone).date(),
            last_day=last,
            weekdays=set(hours.weekdays),
            start_local=hours.start,
            end_local=hours.end,
            lesson_minutes=teacher.part.minutes,
            buffer_minutes=teacher.part.pause,
        ).made
        for slot in made:
            teacher.keeps(Place(slot.start_at, slot.end_at, slot.id))


def _keep_hours(teacher: Teacher) -> None:
    part = teacher.part
    windows = [
        Window(frozenset([day]), hours.start, hours.end, part.minutes, part.pause)
        for hours in part.hours
        for day in hours.weekdays
    ]
    set_hours(teacher.actor, teacher.id, windows=windows)
    _remember_places(teacher)


def _look_ahead(school: School, teacher: Teacher) -> None:
    """What the nightly job does: weeks that have come into reach are turned into slots."""
    if teacher.gone_from is None:
        regenerate_slots(school.support, teacher.id, reason="weeks that have come into reach")
        _remember_places(teacher)


def _remember_places(teacher: Teacher) -> None:
    known = {place.slot_id for place in teacher.places}
    slots = select(Slot).where(Slot.teacher_id == teacher.id, Slot.status == SlotStatus.OPEN).order_by(Slot.start_at)
    for slot in session().scalars(slots):
        if slot.id not in known:
            teacher.keeps(Place(slot.start_at, slot.end_at, slot.id))


def _enroll(school: School, number: int) -> None:
    """Who will learn, with whom and when. Every fifth is a child; most are there from the beginning."""
    adults = _weekly_places(school, lambda part: part.minutes > 30)
    children = _weekly_places(school, lambda part: part.minutes == 30)
    for index in range(number):
        is_child = index % 5 == 4
        teacher, series = (children if is_child else adults)[index // 5 if is_child else index - (index + 1) // 5]
        student = Student(
            number=index,
            full_name=_name(index),
            zone=teacher.part.zone if index % 3 else cast.ZONES[index % len(cast.ZONES)],
            is_child=is_child,
            joins_at=_joins_at(school, index),
            teacher=teacher,
            series=series,
            plan=_plan_for(index, is_child=is_child, zone=teacher.part.zone),
        )
        school.students.append(student)
        school.on(student.joins_at, partial(_join, school, student))


def _joins_at(school: School, index: int) -> datetime:
    first = school.founded + timedelta(hours=3) + timedelta(minutes=7 * (index % 200))
    return first if index % 4 else first + school.days(1, 32)


def _plan_for(index: int, *, is_child: bool, zone: str) -> cast.PlanPart:
    if is_child:
        return cast.KIDS
    if index % 11 == 6:
        return cast.TWENTY
    if index % 6 == 1:
        return cast.FOUR
    return cast.TEN_EUR if zone.startswith("Europe/") else cast.TEN


def _weekly_places(school: School, fits: Callable[[TeacherPart], bool]) -> list[tuple[Teacher, list[Place]]]:
    """Weekday and time of each such teacher, with the slots there; dealt out so that everybody gets students."""
    dealt: list[list[tuple[Teacher, list[Place]]]] = []
    for teacher in school.teachers:
        if not fits(teacher.part):
            continue
        weekly: dict[tuple[int, str], list[Place]] = defaultdict(list)
        for place in teacher.places:
            local = place.start.astimezone(teacher.zone)
            weekly[local.weekday(), f"{local:%H:%M}"].append(place)
        found = [(teacher, places) for _, places in sorted(weekly.items(), key=lambda item: item[0])]
        dealt.append(school.random.sample(found, len(found)))
    rounds = max(len(each) for each in dealt)
    return [each[turn] for turn in range(rounds) for each in dealt if turn < len(each)]


def _join(school: School, student: Student, _: datetime) -> None:
    index = student.number
    person = create_person(
        school.support,
        role=Role.STUDENT,
        full_name=student.full_name,
        email=None if student.is_child else student_email(student.full_name),
        password=cast.STUDENT_PASSWORD if index == 0 else None,
        timezone=student.zone,
        phone=None if student.is_child else f"+1 555 {100 + index % 900:03d} {index % 10_000:04d}",
        language=cast.LANGUAGES[index % len(cast.LANGUAGES)],
        instrument=cast.INSTRUMENTS[index % len(cast.INSTRUMENTS)],
        level=cast.LEVELS[index % len(cast.LEVELS)],
    )
    student.id = person.id
    if student.is_child:
        _bring_guardian(school, student)
    else:
        papers.give_address(school, person.id, name=student.full_name, zone=student.zone, number=index)


def _bring_guardian(school: School, child: Student) -> None:
    """Children come with a parent. The second of every four is a brother or sister: same parent, same address."""
    number = child.number // 5
    family = child.full_name.split()[1]
    if number % 4 == 1:
        sibling = school.students[child.number - 5]
        school.on(
            max(child.joins_at, sibling.joins_at) + timedelta(minutes=20),
            lambda _: _share_guardian(school, sibling, child),
        )
        return
    guardian = create_person(
        school.support,
        role=Role.STUDENT,
        full_name=f"{cast.FIRST_NAMES[(number * 3 + 1) % 50]} {family}",
        email=f"parent.{_address(child.full_name)}@people.example",
        timezone=child.zone,
        phone=f"+1 555 200 {number % 10_000:04d}",
    )
    school.guardians[child.number] = guardian.id
    papers.give_address(school, guardian.id, name=guardian.full_name, zone=child.zone, number=number)
    add_guardian(school.support, child.known_id, guardian_id=guardian.id, relation="mother" if number % 2 else "father")


def _share_guardian(school: School, sibling: Student, child: Student) -> None:
    add_guardian(school.support, child.known_id, guardian_id=school.guardians[sibling.number], relation="father")


def teacher_email(name: str) -> str:
    return f"{_address(name)}@teachers.example"


def student_email(name: str) -> str:
    return f"{_address(name)}@people.example"


def _name(index: int) -> str:
    """Different for every index below 2,500; then with a number."""
    first, last = cast.FIRST_NAMES, cast.LAST_NAMES
    number = f" {index // 2500 + 1}" if index >= 2500 else ""
    return f"{first[index % 50]} {last[(index * 7 + index // 50) % 50]}{number}"


def _address(name: str) -> str:
    """`Inés Cabrera` → `ines.cabrera`"""
    plain = name.translate(str.maketrans("éÉáíóúñ", "eeaioun")).lower()
    return ".".join(part.strip("()") for part in plain.split())
