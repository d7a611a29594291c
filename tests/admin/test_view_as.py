"""Viewing as a student or teacher: what the API tells them and no more, nothing can be changed, fifteen minutes."""

from __future__ import annotations

import json
import re
from contextvars import Context
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from guitaronline import clock, db
from guitaronline.actor import SYSTEM, Role
from guitaronline.admin.command_page import commands
from guitaronline.audit.models import AuditAction
from guitaronline.db import session, technical_transaction
from guitaronline.errors import DomainError, NotAllowed, NotFound
from guitaronline.identity.models import ConsoleSession, User, ViewAsSession
from guitaronline.identity.refusals import NotToBeViewed, PersonInactive, ReasonRequired
from guitaronline.identity.service import set_password
from guitaronline.identity.viewing import start_viewing
from guitaronline.lessons import service as lessons
from jobs import viewing as job
from tests.admin.browser import Browser, links, signed_in, words
from tests.admin.conftest import School, actions
from tests.concurrency import at_once, done, refused
from tests.world import PASSWORD, World, as_actor

WHY = {"reason": "cannot find a package"}
REFERENCE = re.compile(r"(?:BK|LES|PKG|PAY)-[0-9A-Z]{5}")


def look(browser: Browser, person: User) -> Any:
    return browser.post(f"/admin/people/{person.id}/view-as", WHY)


def seen(browser: Browser, part: str) -> set[str]:
    """The references that the page shows."""
    answer = browser.get(f"/admin/view-as/?part={part}")
    assert answer.status_code == 200
    return set(REFERENCE.findall(answer.text.partition("<main")[2]))


def told(app: Flask, person: User, path: str) -> set[str]:
    """The references that the API tells that person."""
    return {each["reference"] for each in api(app, person, path)["items"]}


def api(app: Flask, person: User, path: str) -> Any:
    set_password(SYSTEM, person.id, password=PASSWORD)
    client = app.test_client()
    asked = {"email": person.email, "password": PASSWORD}
    token = Context().run(client.post, "/api/v1/identity/auth/login", json=asked).json["access_token"]
    answer = Context().run(client.get, f"/api/v1{path}", headers={"Authorization": f"Bearer {token}"})
    return json.loads(answer.text)


def session_of(person: User) -> ConsoleSession:
    session().rollback()
    query = select(ConsoleSession).where(ConsoleSession.user_id == person.id).order_by(ConsoleSession.id.desc())
    return session().scalars(query).all()[0]


@pytest.fixture
def busy(school: School) -> School:
    """Ann and Ben with bookings, lessons, packages and payments; Ann's lesson has a note that is not for her."""
    assert [school.booked, school.held, school.given, school.waiting, school.paid, school.awaited]
    world = school.world
    world.package(world.ben)
    world.booking(world.slot(world.tina, hours=60), world.ben)
    lessons.edit_report(
        as_actor(world.tom), school.given.id, changes={"topic": "Chords", "private_note": "tells lies about practising"}
    )
    return school


@pytest.mark.parametrize(
    ("part", "path"),
    [
        ("bookings", "/booking/my?limit=100"),
        ("lessons", "/lessons/my?limit=100"),
        ("packages", "/billing/packages/students/{id}?limit=100"),
        ("payments", "/billing/payments/students/{id}?limit=100"),
    ],
)
def test_a_students_view_is_what_the_api_tells_that_student(
    app: Flask, busy: School, ada: Browser, part: str, path: str
) -> None:
    ann = busy.world.ann
    look(ada, ann)

    assert seen(ada, part) == told(app, ann, path.format(id=ann.id))
    assert seen(ada, part)


@pytest.mark.parametrize(
    ("part", "path"), [("bookings", "/booking/my?limit=100"), ("lessons", "/lessons/my?limit=100")]
)
def test_a_teachers_view_is_what_the_api_tells_that_teacher(
    app: Flask, busy: School, ada: Browser, part: str, path: str
) -> None:
    look(ada, busy.world.tom)

    assert seen(ada, part) == told(app, busy.world.tom, path)
    assert seen(ada, part)


def test_a_teacher_sees_the_names_of_their_students_only(app: Flask, busy: School, ada: Browser) -> None:
    look(ada, busy.world.tom)

    page = words(ada.get("/admin/view-as/?part=students").text.partition("<main")[2])

    assert [each["full_name"] for each in api(app, busy.world.tom, "/booking/teacher/students")["items"]] == ["Ann"]
    assert "Ann" in page
    assert "Ben" not in page
    assert "ann@people.example" not in page


def test_a_teacher_sees_the_slots_that_the_api_offers(app: Flask, busy: School, ada: Browser) -> None:
    busy.world.slot(hours=200)
    busy.world.slot(busy.world.tina, hours=210)
    look(ada, busy.world.tom)

    page = ada.get("/admin/view-as/?part=slots").text.partition("<main")[2]
    offered = api(app, busy.world.tom, f"/scheduling/slots/open?teacher_id={busy.world.tom.id}")["items"]

    assert page.count('data-label="Starts"') == len(offered) == 1


def test_what_is_for_staff_stays_out_of_the_view(busy: School, ada: Browser) -> None:
    look(ada, busy.world.ann)

    page = ada.get("/admin/view-as/?part=lessons").text

    assert "Chords" in page
    assert "tells lies" not in page
    assert "/admin/lessons/details" not in page


@pytest.mark.parametrize("part", ["students", "slots", "payments'--", "%00"])
def test_a_part_that_the_person_does_not_see_is_not_found(busy: School, ada: Browser, part: str) -> None:
    look(ada, busy.world.ann)

    assert ada.get(f"/admin/view-as/?part={part}").status_code == 404


def test_the_banner_stands_on_every_page_and_leads_out(ada: Browser, school: School) -> None:
    look(ada, school.world.ann)
    page = ada.get("/admin/bookings/").text

    assert "You are viewing as Ann until" in words(page)
    assert ada.send("POST", "/admin/view-as/leave", data=_hidden(page)).status_code == 303
    assert "You are viewing as" not in words(ada.get("/admin/bookings/").text)


def _hidden(page: str) -> dict[str, str]:
    from tests.admin.browser import hidden

    return hidden(page)


def test_nothing_can_be_changed_while_viewing(ada: Browser, school: School) -> None:
    look(ada, school.world.ann)
    token = ada.get("/admin/account/password").text
    closed = [page for page in commands.pages if page.name not in ("LeaveViewAs", "ViewAsPerson")]
    urls = ["/admin/" + page.path.replace("<uuid:id>", str(school.world.ann.id)) for page in closed]
    before = actions()

    answered = {ada.post(url, WHY, opened=token).status_code for url in urls}

    assert answered == {403}
    assert actions() == before


def test_no_button_is_offered_while_viewing(ada: Browser, school: School) -> None:
    look(ada, school.world.ann)

    page = ada.get(f"/admin/people/details/?id={school.world.ann.id}").text

    assert f"/admin/people/{school.world.ann.id}/edit" not in links(page)


def test_leaving_after_the_time_is_up_is_no_trouble(ada: Browser, school: School) -> None:
    look(ada, school.world.ann)
    page = ada.get("/admin/").text

    with clock.moved_by(timedelta(minutes=16)):
        answer = ada.send("POST", "/admin/view-as/leave", data=_hidden(page))

    assert answer.status_code == 303


def test_leaving_without_a_view_is_said_in_words(ada: Browser) -> None:
    answer = ada.post("/admin/view-as/leave", {})

    assert answer.status_code == 409
    assert "not been viewing" in words(answer.text)


def test_viewing_binds_one_browser_only(app: Flask, ada: Browser, school: School) -> None:
    other = signed_in(app, school.world.ada)

    look(ada, school.world.ann)

    assert "You are viewing as" not in words(other.get("/admin/").text)
    assert (
        other.post(f"/admin/people/{school.world.ann.id}/edit", {"full_name": "Ann B", "timezone": "UTC"}).status_code
        == 303
    )


def test_after_fifteen_minutes_it_is_over_and_the_job_writes_that_down(ada: Browser, school: School) -> None:
    look(ada, school.world.ann)

    with clock.moved_by(timedelta(minutes=14, seconds=50)):
        inside = words(ada.get("/admin/view-as/").text)
        ended_early = job.end_over()
    with clock.moved_by(timedelta(minutes=15, seconds=1)):
        outside = words(ada.get("/admin/view-as/").text)
        ended = (job.end_over(), job.end_over())

    assert ("What Ann sees" in inside, "What Ann sees" in outside) == (True, False)
    assert (ended_early, ended) == (0, (1, 0))
    assert _ends() == [("system", "the time was up")]


def test_signing_out_ends_it_and_the_job_writes_that_down(app: Flask, ada: Browser, school: School) -> None:
    look(ada, school.world.ann)
    page = ada.get("/admin/").text

    ada.send("POST", "/sign-out", data=_hidden(page))
    again = signed_in(app, school.world.ada)

    assert "You are viewing as" not in words(again.get("/admin/").text)
    assert job.end_over() == 1
    assert _ends() == [("system", "signed out")]


def test_start_and_end_are_written_down_with_the_reason(ada: Browser, school: School) -> None:
    look(ada, school.world.ann)
    ada.send("POST", "/admin/view-as/leave", data=_hidden(ada.get("/admin/").text))

    session().rollback()
    started = session().scalars(select(AuditAction).where(AuditAction.name == "person.view_as")).one()
    assert (started.actor_id, started.record_id, started.reason) == (
        school.world.ada.id,
        school.world.ann.id,
        WHY["reason"],
    )
    assert _ends() == [("admin", None)]
    assert job.end_over() == 0


def _ends() -> list[tuple[str, str | None]]:
    session().rollback()
    query = select(AuditAction.actor_kind, AuditAction.reason).where(AuditAction.name == "person.view_as_end")
    return [(row[0], row[1]) for row in session().execute(query)]


@pytest.mark.parametrize("who", ["sue", "finn", "audrey", "ada"])
def test_staff_are_never_viewed(app: Flask, world: World, who: str) -> None:
    browser = signed_in(app, world.person("Agnes", Role.ADMIN))

    answer = look(browser, getattr(world, who))

    assert answer.status_code == 403
    assert "never viewed" in words(answer.text)


@pytest.mark.parametrize(("who", "status"), [("sue", 303), ("finn", 403), ("audrey", 403)])
def test_roles_view_as_the_table_says(app: Flask, world: World, who: str, status: int) -> None:
    browser = signed_in(app, getattr(world, who))
    opened = browser.get("/admin/account/password").text

    assert browser.post(f"/admin/people/{world.ann.id}/view-as", WHY, opened=opened).status_code == status


def test_who_becomes_staff_meanwhile_is_not_seen_any_more(ada: Browser, school: School) -> None:
    from guitaronline.identity.service import set_role

    look(ada, school.world.ann)
    set_role(SYSTEM, school.world.ann.id, role=Role.FINANCE, reason="hired")

    assert "You are not viewing" in words(ada.get("/admin/view-as/").text)


@pytest.mark.parametrize(
    ("person", "reason", "refusal"),
    [
        ("ann", " ", ReasonRequired),
        ("sue", "why", NotToBeViewed),
        ("asleep", "why", PersonInactive),
    ],
)
def test_the_command_refuses_by_itself(
    ada: Browser, school: School, person: str, reason: str, refusal: type[DomainError]
) -> None:
    mine = session_of(school.world.ada).id

    with pytest.raises(refusal):
        start_viewing(school.admin, school[person].id, session_id=mine, reason=reason)


def test_nobody_views_in_the_browser_of_another_and_finance_nowhere(ada: Browser, school: School) -> None:
    mine = session_of(school.world.ada).id

    with pytest.raises(NotFound):
        start_viewing(as_actor(school.world.sue), school.world.ann.id, session_id=mine, reason="why")
    with pytest.raises(NotAllowed):
        start_viewing(school.finance, school.world.ann.id, session_id=mine, reason="why")


def test_two_views_at_once_in_one_browser_are_one(app: Flask, ada: Browser, school: School) -> None:
    mine, admin = session_of(school.world.ada).id, school.admin
    people = [school.world.ann.id, school.world.ben.id]
    session().rollback()

    results = at_once(
        app, *(lambda each=each: start_viewing(admin, each, session_id=mine, reason="why") for each in people)
    )

    assert len(done(results)) == 1
    assert refused(results) == ["already_viewing"]


def test_without_the_lock_two_views_could_stand_beside_each_other(ada: Browser, school: School) -> None:
    """The race without its guard: nothing in the table itself forbids it."""
    mine, now = session_of(school.world.ada).id, school.world.now
    people = [school.world.ann.id, school.world.ben.id]

    with technical_transaction() as writing:
        writing.add_all([_view(mine, school.world.ada.id, person_id, now, 15) for person_id in people])

    assert session().query(ViewAsSession).count() == 2


def test_the_database_refuses_a_longer_view(ada: Browser, school: School) -> None:
    mine, now = session_of(school.world.ada).id, school.world.now

    with pytest.raises(IntegrityError, match="ck_view_as_sessions_short"), technical_transaction() as writing:
        writing.add(_view(mine, school.world.ada.id, school.world.ann.id, now, 16))


def _view(session_id: Any, viewer_id: Any, person_id: Any, now: Any, minutes: int) -> ViewAsSession:
    return ViewAsSession(
        id=db.new_id(),
        session_id=session_id,
        viewer_id=viewer_id,
        person_id=person_id,
        started_at=now,
        until=now + timedelta(minutes=minutes),
    )
