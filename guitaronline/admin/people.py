"""People: students, teachers and staff, with their guardians and their standing."""

from __future__ import annotations

from typing import Any

import flask
from sqlalchemy import select
from sqlalchemy.orm import joinedload
from sqlalchemy.sql.elements import ColumnElement

from guitaronline.actor import Role
from guitaronline.admin import show
from guitaronline.admin.base import Column, Desk
from guitaronline.admin.command_page import Button, button_of, buttons_of, commands
from guitaronline.admin.counted import Counted
from guitaronline.admin.filters import Choice, Days, people_matching, reference_is
from guitaronline.admin.person_commands import ROLES, CreatePerson, RemoveGuardian
from guitaronline.admin.record_page import Page, Section, facts, rows, whole
from guitaronline.billing.models import Package
from guitaronline.booking.models import Booking
from guitaronline.db import session
from guitaronline.identity.access import Permission
from guitaronline.identity.models import Guardian, User
from guitaronline.teachers.models import TeacherProfile


def active_chip(person: User) -> Any:
    return show.chip("active") if person.is_active else show.chip("deactivated", "cannot sign in or book")


class PeopleDesk(Desk):
    model_of = User
    path = "people"
    title = "People"
    one = ""
    permission = Permission.READ_PEOPLE
    empty = "Nobody yet. Create the first student."
    search_words = "Name, e-mail, phone or USR-…"
    columns = (
        Column(
            "full_name",
            "Name",
            lambda person: show.link(person, person.full_name or person.reference),
            sort=User.full_name,
        ),
        Column("role", "Role", lambda person: show.word(person.role)),
        Column("email", "E-mail", show.email),
        Column("phone", "Phone", show.phone),
        Column("timezone", "Time zone", lambda person: person.timezone),
        Column("is_active", "State", active_chip),
        Column("id", "Since", lambda person: show.stamp(person.created_at), sort=User.id),
    )
    filters = (
        Choice("role", "Role", ROLES, lambda value: User.role == value),
        Choice("active", "State", ["active", "deactivated"], lambda value: User.is_active.is_(value == "active")),
        Days("since", "Since", User.created_at),
        Counted("people", User.id),
    )
    default_order = (User.id, True)
    row_actions = staticmethod(buttons_of)

    def search_clauses(self, words: str) -> list[ColumnElement[bool]]:
        exact = reference_is(User.reference, words)
        return exact or [User.id.in_(people_matching(words))]

    def list_extras(self) -> dict[str, Any]:
        return {"buttons": [button_of(commands.named(CreatePerson))]}

    def record_page(self, person: Any) -> dict[str, Any]:
        return whole(
            person,
            Page(
                facts=_facts(person),
                state=active_chip(person),
                marks=[show.chip(person.role)],
                sections=_sections(person),
                also=_for_student(person) if person.role is Role.STUDENT else (),
            ),
        )


def _for_student(person: User) -> list[Button]:
    from guitaronline.admin.new_booking import NewBooking
    from guitaronline.admin.packages import GrantPackage

    return [button_of(commands.named(kind), student_id=person.id) for kind in (NewBooking, GrantPackage)]


def _facts(person: User) -> list[show.Fact]:
    return facts(
        ("Reference", person.reference),
        ("E-mail", show.email(person)),
        ("Phone", show.phone(person)),
        ("Time zone", person.timezone),
        ("Language", person.language),
        ("Instrument", person.instrument),
        ("Level", person.level),
        ("Sign-in", "has a password" if person.password_hash else "no password yet; invite them"),
        ("Test account", show.yes(person.is_test)),
        ("Since", show.when(person.created_at)),
    )


def _sections(person: User) -> list[Section]:
    if person.role is Role.STUDENT:
        return [*_student_sections(person), *_family(person)]
    if person.role is Role.TEACHER:
        return [_profile(person), _bookings(person, Booking.teacher_id), *_family(person)]
    return _family(person)


def _student_sections(person: User) -> list[Section]:
    from guitaronline.admin.packages import balance, package_state
    from guitaronline.admin.payments import payments_section

    packages = session().scalars(
        select(Package).where(Package.student_id == person.id).order_by(Package.id.desc()).limit(10)
    )
    return [
        Section(
            "Packages",
            ("Package", "State", "Lessons", "Expires"),
            rows(packages, show.link, package_state, balance, lambda each: show.when(each.expires_at)),
            "No package yet.",
            flask.url_for("desk_packages.index_view", student=person.id),
        ),
        _bookings(person, Booking.student_id),
        payments_section(person),
    ]


def _bookings(person: User, column: Any) -> Section:
    from guitaronline.admin.bookings import booking_state

    gives = person.role is Role.TEACHER
    query = select(Booking).where(column == person.id).order_by(Booking.start_at.desc(), Booking.id.desc()).limit(10)
    found = session().scalars(query.options(joinedload(Booking.teacher), joinedload(Booking.student)))
    return Section(
        "Bookings",
        ("Booking", "Starts", "With", "State"),
        rows(
            found,
            show.link,
            lambda each: show.when(each.start_at, each.student, each.teacher),
            lambda each: show.link(each.student if gives else each.teacher),
            booking_state,
        ),
        "No booking yet.",
        flask.url_for("desk_bookings.index_view", teacher=person.id)
        if gives
        else flask.url_for("desk_bookings.index_view", student=person.id),
    )


def _profile(person: User) -> Section:
    profile = session().scalars(select(TeacherProfile).where(TeacherProfile.user_id == person.id)).one_or_none()
    found = [[show.link(profile), show.state(profile)]] if profile else []
    return Section("Teacher profile", ("Shown to students as", "State"), found, "No profile yet.")


def _family(person: User) -> list[Section]:
    if person.role is Role.STUDENT:
        heading, other, mine = "Guardians", "guardian", Guardian.student_id
    else:
        heading, other, mine = "Children", "student", Guardian.guardian_id
    query = select(Guardian).where(mine == person.id).options(joinedload(getattr(Guardian, other))).limit(20)
    found = list(session().scalars(query))
    if not found and person.role is not Role.STUDENT:
        return []
    table = rows(
        found,
        lambda each: show.link(getattr(each, other)),
        lambda each: each.relation,
        lambda each: show.yes(each.pays),
        lambda each: show.yes(each.receives_messages),
        lambda each: show.email(getattr(each, other)),
        lambda each: show.action_link(button_of(commands.named(RemoveGuardian), each)),
    )
    return [Section(heading, ("Name", "Relation", "Pays", "Gets messages", "E-mail", ""), table)]
