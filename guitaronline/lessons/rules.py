"""Lessons: when an outcome may be recorded, what it costs, and what a report may hold. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from guitaronline.errors import Reason
from guitaronline.identity.rules import is_text
from guitaronline.lessons.models import Lesson, LessonStatus, NoShowSide
from guitaronline.teachers.rules import URL_LENGTH, is_https

TEXTS = {"topic": 200, "notes": 4000, "private_note": 4000, "homework": 4000}  # longest, in characters
LINKS = 10
EDITABLE = (*TEXTS, "links")


def costs_a_lesson(status: LessonStatus, side: NoShowSide | None) -> bool:
    """Taken, or missed by the student. The teacher's or the line's failure costs the student nothing."""
    return status is LessonStatus.COMPLETED or side is NoShowSide.STUDENT


def outcome_problems(lesson: Lesson, now: datetime) -> list[Reason]:
    """Why no outcome can be recorded for the lesson."""
    found = [
        (lesson.status is LessonStatus.CANCELED, CANCELED),
        (lesson.status in (LessonStatus.COMPLETED, LessonStatus.NO_SHOW), RECORDED),
        (lesson.status is not LessonStatus.CANCELED and lesson.scheduled_start_at > now, NOT_STARTED),
    ]
    return [reason for applies, reason in found if applies]


def report_problems(changes: Mapping[str, Any]) -> list[Reason]:
    """Everything that is wrong with these changes of the report; empty when they may be stored."""
    problems = [_wrong(field, "unknown_field", "There is no such field.") for field in changes if field not in EDITABLE]
    for field, most in TEXTS.items():
        if not _is_text(changes.get(field), most):
            problems.append(_wrong(field, "bad_text", f"At most {most} characters, without control characters."))
    return problems + _link_problems(changes.get("links", []))


def report_for_student(lesson: Lesson) -> tuple[str, ...]:
    """What the student reads about the lesson; empty while nothing is written."""
    parts = [lesson.topic, lesson.notes, lesson.homework, *lesson.links]
    return tuple(part or "" for part in parts) if any(parts) else ()


def join_url_problems(url: str | None) -> list[Reason]:
    if url is None or (len(url) <= URL_LENGTH and is_https(url)):
        return []
    return [_wrong("join_url", "bad_join_url", "The address starts with https:// and names a host.")]


def _is_text(value: Any, most: int) -> bool:
    return value is None or (isinstance(value, str) and len(value) <= most and is_text(value, lines=True))


def _link_problems(links: Any) -> list[Reason]:
    if not isinstance(links, list | tuple) or len(links) > LINKS:
        return [_wrong("links", "bad_links", f"At most {LINKS} links.")]
    return [
        Reason(
            "bad_link",
            "A link starts with https:// and names a host.",
            "Correct the link.",
            f"/links/{number}",
            {"longest": URL_LENGTH},
        )
        for number, link in enumerate(links)
        if not isinstance(link, str) or len(link) > URL_LENGTH or not is_https(link)
    ]


def _wrong(field: str, code: str, detail: str) -> Reason:
    return Reason(code, detail, f"Correct {field}.", f"/{field}")


CANCELED = Reason("lesson_canceled", "The lesson was canceled.", "Look at its booking.")
RECORDED = Reason("outcome_already_recorded", "The lesson has an outcome.", "Ask the school to correct it.")
NOT_STARTED = Reason("lesson_not_started", "The lesson has not started yet.", "Record it once it has started.")
