"""The teacher's students: names and lessons, no contact data."""

from __future__ import annotations

from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import flask
from flask.typing import ResponseReturnValue

from guitaronline.booking.queries import students_of_teacher
from guitaronline.db import session
from guitaronline.identity.access import Permission
from guitaronline.lessons.models import LessonStatus
from guitaronline.portal import queries, times
from guitaronline.portal.gate import page
from guitaronline.portal.today import cards_of
from guitaronline.signed_in import now, viewer

A_PAGE = 40


@page("/students", Permission.READ_PEOPLE)
def students() -> ResponseReturnValue:
    number = _page_number(flask.request.args.get("page"))
    found = students_of_teacher(session(), viewer().id, now=now(), offset=(number - 1) * A_PAGE, limit=A_PAGE + 1)
    return flask.render_template(
        "portal/students.html", students=found[:A_PAGE], number=number, has_more=len(found) > A_PAGE
    )


def _page_number(given: str | None) -> int:
    usable = given is not None and given.isascii() and given.isdigit() and len(given) < 4
    return max(1, int(given)) if usable and given else 1


@page("/students/<uuid:id>", Permission.READ_PEOPLE)
def student(id: UUID) -> ResponseReturnValue:  # noqa: A002  # the route's word
    person = queries.own_student(session(), viewer().id, id)
    lessons = queries.lessons_with(session(), viewer().id, id)
    ahead: list[Any] = [each for each in lessons if each.scheduled_start_at > now()]
    behind = [each for each in lessons if each.scheduled_start_at <= now()]
    return flask.render_template(
        "portal/student.html",
        person=person,
        place=times.place_of(person.timezone),
        there=f"{now().astimezone(ZoneInfo(person.timezone)):%a %H:%M}",
        ahead=cards_of(ahead[::-1]),
        behind=cards_of(behind),
        taken=sum(each.status is LessonStatus.COMPLETED for each in behind),
    )
