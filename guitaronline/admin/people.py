"""People: students, teachers and staff, with their guardians and their standing."""

from __future__ import annotations

from typing import Any

import flask
from sqlalchemy import select
from sqlalchemy.orm import joinedload
from sqlalchemy.sql.elements import ColumnElement

from guitaronline.actor import Role
from guitaronline.admin import contacts, exported, feeds, gate, merging, messages, show
from guitaronline.admin.base import Column, Desk
from guitaronline.admin.command_page import Button, button_of, buttons_of, commands
from guitaronline.admin.counted import Counted
from guitaronline.admin.filters import Choice, Days, people_matching, reference_is
from guitaronline.admin.person_commands import ROLES, CreatePerson, RemoveGuardian
from guitaronline.admin.record_page import SHOWN, Figure, Page, Section, facts, rows, whole
from guitaronline.admin.waiting import Waiting
from guitaronline.booking import queries, waiting
from guitaronline.db import session
from guitaronline.identity.access import Permission
from guitaronline.identity.models import Guardian, User
from guitaronline.identity.signed_in_devices import devices_of
from guitaronline.teachers.models import TeacherProfile


def active_chip(person: User) -> Any:
    if person.erased_at is not None:
        return show.chip("erased", "names and contacts are gone for good")
    if person.merged_into_id is not None:
        return show.chip("merged", "is a pointer to another record of the same person")
    found = show.chip("active") if person.is_active else show.chip("deactivated", "cannot sign in or book")
    return show.html("{} {}", found, problem) if (problem := address_chip(person)) else found


def address_chip(person: User) -> Any:
    """Where mail does not arrive; nothing where it does."""
    if person.address_problem is None:
        return ""
    return show.html('<span class="badge chip bg-orange-lt" title="{}">address problem</span>', person.address_problem)


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
        Column("email", "E-mail", show.email_hint),
        Column("phone", "Phone", show.phone_hint),
        Column("timezone", "Time zone", lambda person: person.timezone),
        Column("is_active", "State", active_chip),
        Column("id", "Since", lambda person: show.stamp(person.created_at), sort=User.id),
        Column("reference", "Reference", lambda person: person.reference, is_default=False),
        Column("language", "Language", lambda person: show.text(person.language), is_default=False),
        Column("instrument", "Instrument", lambda person: show.text(person.instrument), is_default=False),
        Column("level", "Level", lambda person: show.text(person.level), is_default=False),
    )
    filters = (
        Choice("role", "Role", ROLES, lambda value: User.role == value),
        Choice("active", "State", ["active", "deactivated"], lambda value: User.is_active.is_(value == "active")),
        Waiting(waiting.PEOPLE),
        Days("since", "Since", User.created_at, is_past=True),
        Counted("people", User.id),
    )
    has_personal_files = True
    exported = exported.PEOPLE
    default_order = (User.id, True)
    row_actions = staticmethod(buttons_of)
    details_template = "admin/person.html"

    def prepare_rows(self, rows: list[Any]) -> None:
        feeds.HAVE_FEEDS.look(each.id for each in rows)

    def search_clauses(self, words: str) -> list[ColumnElement[bool]]:
        exact = reference_is(User.reference, words)
        return exact or [User.id.in_(people_matching(words))]

    def list_extras(self) -> dict[str, Any]:
        return {"buttons": [button_of(commands.named(CreatePerson))]}

    def record_page(self, person: Any) -> dict[str, Any]:
        figures, sections = _parts(person)
        return whole(
            person,
            Page(
                facts=_facts(person),
                state=active_chip(person),
                marks=[show.chip(person.role)],
                figures=figures,
                sections=[
                    *sections,
                    *messages.to_person(person),
                    *_family(person),
                    *merging.merged_sections(person),
                    _devices(person),
                ],
                also=_for_student(person) if person.role is Role.STUDENT else (),
            ),
        )


def _parts(person: User) -> tuple[list[Figure], list[Section]]:
    """What a student or a teacher has that others have not."""
    from guitaronline.admin.student_page import student_figures, student_sections
    from guitaronline.admin.teacher_page import teacher_parts

    if person.role is Role.STUDENT:
        ahead = queries.bookings_ahead(session(), person.id, now=gate.now())
        return student_figures(person, ahead), student_sections(person, ahead)
    if person.role is Role.TEACHER:
        figures, sections = teacher_parts(person.id)
        return figures, [_profile(person), *sections]
    return [], []


def _for_student(person: User) -> list[Button]:
    from guitaronline.admin.new_booking import NewBooking
    from guitaronline.admin.packages import GrantPackage
    from guitaronline.admin.selling import SellPlan
    from guitaronline.admin.series_pages import NewSeries

    found = [
        button_of(commands.named(kind), student_id=person.id)
        for kind in (NewBooking, NewSeries, SellPlan, GrantPackage)
    ]
    return [
        *found,
        Button("Statement", flask.url_for("desk_statements.index", student=person.id), None, "", is_rare=True),
    ]


def _facts(person: User) -> list[show.Fact]:
    return facts(
        ("Reference", person.reference),
        *merging.merged_facts(person),
        ("E-mail", contacts.email(person)),
        ("Confirmed", show.when(person.email_verified_at) if person.email_verified_at else "not yet"),
        *_address_facts(person),
        ("Phone", contacts.phone(person)),
        ("Time zone", person.timezone),
        ("Language", person.language),
        ("Instrument", person.instrument),
        ("Level", person.level),
        ("Sign-in", _sign_in_words(person)),
        ("Test account", show.yes(person.is_test)),
        ("Since", show.when(person.created_at)),
    )


def _sign_in_words(person: User) -> str:
    if person.password_hash is None:
        return "no password; invite them"
    return "has a password" + (" and an authenticator app" if person.totp_secret else "")


def _address_facts(person: User) -> list[tuple[str, Any]]:
    if person.address_problem is None:
        return []
    return [
        (
            "Mail does not arrive",
            show.html("{}, since {}", person.address_problem, show.when(person.address_problem_at)),
        )
    ]


def _profile(person: User) -> Section:
    profile = session().scalars(select(TeacherProfile).where(TeacherProfile.user_id == person.id)).one_or_none()
    found = [[show.link(profile), show.state(profile)]] if profile else []
    return Section("Teacher profile", ("Shown to students as", ""), found, "No profile yet.", is_aside=True)


def _family(person: User) -> list[Section]:
    if person.role is Role.STUDENT:
        heading, other, mine = "Guardians", "guardian", Guardian.student_id
    else:
        heading, other, mine = "Children", "student", Guardian.guardian_id
    query = select(Guardian).where(mine == person.id).options(joinedload(getattr(Guardian, other))).limit(20)
    found = list(session().scalars(query))
    if not found and person.role is not Role.STUDENT:
        return []
    return [
        Section(
            heading,
            ("Name", "Relation", "Pays", "Gets messages", "E-mail", "Phone", ""),
            _relatives(found, other),
            is_aside=True,
        )
    ]


def _relatives(found: list[Guardian], other: str) -> list[list[Any]]:
    return rows(
        found,
        lambda each: show.link(getattr(each, other)),
        lambda each: each.relation,
        lambda each: show.yes(each.pays),
        lambda each: show.yes(each.receives_messages),
        lambda each: show.email(getattr(each, other)),
        lambda each: show.phone(getattr(each, other)),
        lambda each: show.action_link(button_of(commands.named(RemoveGuardian), each)),
    )


def _devices(person: User) -> Section:
    """Browsers and apps. "Sign out everywhere" and deactivating the person sign all of them out."""
    table = rows(
        devices_of(session(), person.id, now=gate.now(), limit=SHOWN),
        lambda each: each.name or ("a browser" if each.is_browser else "an app without a name"),
        lambda each: show.stamp(each.last_used_at),
        lambda each: show.stamp(each.signed_in_at),
    )
    return Section("Devices", ("Device", "Last used", "Signed in"), table, "Not signed in anywhere.", is_aside=True)
