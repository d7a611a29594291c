"""Lessons: made and canceled with their booking; their outcome, its correction and the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import select

from guitaronline.billing import ledger
from guitaronline.billing.models import Package
from guitaronline.errors import Conflict, DomainError, Invalid, Reason, code_of
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.lessons import rules
from guitaronline.lessons.models import Lesson, LessonStatus, NoShowSide
from guitaronline.teachers.models import TeacherProfile
from guitaronline.unit_of_work import Work, command, constraint_errors

FRESH = {"populate_existing": True}


class LessonNotStarted(Conflict):
    detail = "The lesson has not started yet."


class LessonCanceled(Conflict):
    detail = "The lesson was canceled."


class OutcomeAlreadyRecorded(Conflict):
    detail = "The lesson has an outcome."


class NoOutcomeYet(Conflict):
    detail = "The lesson has no outcome that could be corrected."


class LessonExists(Conflict):
    detail = "The booking has its lesson already."


class OutcomeInvalid(Invalid):
    detail = "This is not an outcome."


class ReportInvalid(Invalid):
    detail = "The report cannot be stored like this."


REFUSALS: dict[str, type[DomainError]] = {
    code_of(kind): kind for kind in (LessonNotStarted, LessonCanceled, OutcomeAlreadyRecorded)
}
constraint_errors["uq_lessons_booking_id"] = LessonExists


class BookedTime(Protocol):
    """What a lesson needs to know of its booking."""

    id: Any
    package_id: Any
    student_id: Any
    teacher_id: Any
    start_at: Any
    end_at: Any


def create_lesson(work: Work, booking: BookedTime) -> Lesson:
    """A step: the booking's one lesson, at the booking's times."""
    lesson = Lesson(
        booking_id=booking.id,
        package_id=booking.package_id,
        student_id=booking.student_id,
        teacher_id=booking.teacher_id,
        scheduled_start_at=booking.start_at,
        scheduled_end_at=booking.end_at,
        status=LessonStatus.SCHEDULED,
        settlement=1,
        is_returned=False,
        links=[],
    )
    work.create(lesson, **_parties(lesson))
    return lesson


def keep_report(lesson: Lesson, before: Lesson | None) -> None:
    """A step: what was prepared for the lesson that was canceled by mistake stands on the one in its place."""
    for field in (*rules.EDITABLE, "join_url") if before is not None else ():
        setattr(lesson, field, getattr(before, field))


def lock_lesson_of(work: Work, booking_id: UUID) -> Lesson | None:
    """A step: the booking's lesson, locked, fresh; None while there is none."""
    query = select(Lesson).where(Lesson.booking_id == booking_id).with_for_update(key_share=True)
    return work.session.scalars(query, execution_options=FRESH).one_or_none()


def cancel_lesson(work: Work, lesson: Lesson, *, is_returned: bool) -> None:
    """A step: the (locked, scheduled) lesson will not be given; `is_returned`: its settlement was given back."""
    lesson.is_returned = is_returned
    work.move(lesson, LessonStatus.CANCELED, **_parties(lesson))


def change_teacher(work: Work, lesson: Lesson, teacher_id: UUID) -> None:
    """A step: somebody else gives the (locked, scheduled) lesson. An address of its own that was the old teacher's room is gone."""
    room = select(TeacherProfile.meeting_url).where(TeacherProfile.user_id == lesson.teacher_id)
    if lesson.join_url is not None and lesson.join_url == work.session.scalar(room):
        lesson.join_url = None
    lesson.teacher_id = teacher_id


@command("lesson.complete", on="lessons")
def complete_lesson(work: Work, lesson_id: UUID) -> Lesson:
    """The lesson was given. By its teacher or staff, once it has started. Repeat: no-op. Locks the lesson.

    Raises LessonNotStarted, LessonCanceled, OutcomeAlreadyRecorded (a no-show)."""
    access.require(work.actor, Permission.RECORD_OUTCOME, own=True)
    lesson = _lock(work, lesson_id)
    if lesson.status is LessonStatus.COMPLETED:
        return lesson
    _refuse(rules.outcome_problems(lesson, work.now))
    lesson.outcome_at = work.now
    work.move(lesson, LessonStatus.COMPLETED, **_parties(lesson))
    _tell_report(work, lesson, before=())
    return lesson


@command("lesson.no_show", on="lessons")
def mark_no_show(work: Work, lesson_id: UUID, *, side: str = NoShowSide.STUDENT, reason: str | None = None) -> Lesson:
    """Somebody did not come. The student's absence costs the lesson; the teacher's or a technical failure returns it.

    Repeat: no-op. Locks package and lesson. Raises LessonNotStarted, LessonCanceled, OutcomeAlreadyRecorded."""
    access.require(work.actor, Permission.RECORD_OUTCOME, own=True)
    chosen = _side(side)
    package, lesson = _lock_with_package(work, lesson_id)
    if lesson.status is LessonStatus.NO_SHOW and lesson.no_show_side is chosen:
        return lesson
    _refuse(rules.outcome_problems(lesson, work.now))
    lesson.outcome_at = work.now
    lesson.no_show_side = chosen
    work.move(lesson, LessonStatus.NO_SHOW, side=chosen.value, **_parties(lesson))
    _settle(work, lesson, package)
    return lesson


@command("lesson.correct_outcome", on="lessons")
def correct_outcome(work: Work, lesson_id: UUID, *, status: str, side: str | None = None, reason: str) -> Lesson:
    """The recorded outcome was wrong; this is the right one, and the lesson is settled anew under the next key.

    Same outcome: no-op. Locks package and lesson. Raises NoOutcomeYet, OutcomeInvalid, NoLessonsLeft."""
    access.require(work.actor, Permission.OVERRIDE)
    target, chosen = _outcome(status, side, reason)
    package, lesson = _lock_with_package(work, lesson_id)
    if lesson.status not in (LessonStatus.COMPLETED, LessonStatus.NO_SHOW):
        raise NoOutcomeYet(status=lesson.status.value)
    if (lesson.status, lesson.no_show_side) == (target, chosen):
        return lesson
    before = lesson.no_show_side.value if lesson.no_show_side else lesson.status.value
    lesson.no_show_side = chosen
    lesson.outcome_at = work.now
    work.move(lesson, target, before=before, side=chosen.value if chosen else None, **_parties(lesson))
    _settle(work, lesson, package)
    return lesson


@command("lesson.edit_report", on="lessons")
def edit_report(work: Work, lesson_id: UUID, *, changes: Mapping[str, Any], reason: str | None = None) -> Lesson:
    """Topic, notes, private note, homework and links hold these values; what is not named stays.

    By its teacher or staff. Raises ReportInvalid with every reason, LessonCanceled."""
    access.require(work.actor, Permission.RECORD_OUTCOME, own=True)
    lesson = _lock(work, lesson_id)
    problems = rules.report_problems(changes)
    if problems:
        raise ReportInvalid(reasons=problems)
    if lesson.status is LessonStatus.CANCELED:
        raise LessonCanceled()
    before = rules.report_for_student(lesson)
    for field in rules.TEXTS:
        if field in changes:
            setattr(lesson, field, (changes[field] or "").strip() or None)
    if "links" in changes:
        lesson.links = list(changes["links"])
    _tell_report(work, lesson, before=before)
    return lesson


@command("lesson.set_join_url", on="lessons")
def set_join_url(work: Work, lesson_id: UUID, *, join_url: str | None, reason: str | None = None) -> Lesson:
    """The lesson has a meeting address of its own; None: its teacher's is shown again. Raises ReportInvalid, LessonCanceled."""
    access.require(work.actor, Permission.RECORD_OUTCOME, own=True)
    lesson = _lock(work, lesson_id)
    problems = rules.join_url_problems(join_url)
    if problems:
        raise ReportInvalid(reasons=problems)
    if lesson.status is LessonStatus.CANCELED:
        raise LessonCanceled()
    lesson.join_url = join_url
    return lesson


def _tell_report(work: Work, lesson: Lesson, *, before: tuple[str, ...]) -> None:
    """An event when the student of a given lesson has something new to read."""
    report = rules.report_for_student(lesson)
    if lesson.status is LessonStatus.COMPLETED and report and report != before:
        work.emit("lesson.reported", lesson, **_parties(lesson))


def _settle(work: Work, lesson: Lesson, package: Package) -> None:
    """The ledger agrees with the outcome: what it costs is consumed, what it does not cost is given back, each once."""
    costs = rules.costs_a_lesson(lesson.status, lesson.no_show_side)
    if not costs and not lesson.is_returned:
        ledger.give_back(work, package, lesson.booking_id, lesson.settlement, students_fault=False)
        lesson.is_returned = True
    elif costs and lesson.is_returned:
        ledger.consume_again(work, package, lesson.booking_id, lesson.settlement + 1)
        lesson.settlement += 1
        lesson.is_returned = False


def _lock(work: Work, lesson_id: UUID) -> Lesson:
    """The lesson, locked, if it is the actor's to record. Raises NotFound."""
    lesson = work.lock(Lesson, lesson_id)
    access.require(work.actor, Permission.RECORD_OUTCOME, own=lesson.teacher_id == work.actor.id)
    return lesson


def _lock_with_package(work: Work, lesson_id: UUID) -> tuple[Package, Lesson]:
    package_id = work.find(Lesson, lesson_id).package_id  # never changes
    package = work.lock(Package, package_id)
    return package, _lock(work, lesson_id)


def _refuse(problems: list[Reason]) -> None:
    if problems:
        raise REFUSALS[problems[0].code](reasons=problems)


def _side(side: str) -> NoShowSide:
    if side not in {each.value for each in NoShowSide}:
        wrong = Reason("unknown_side", "One of student, teacher, technical.", "Name who did not come.", "/side")
        raise OutcomeInvalid(reasons=[wrong])
    return NoShowSide(side)


def _outcome(status: str, side: str | None, reason: str) -> tuple[LessonStatus, NoShowSide | None]:
    problems = []
    if status not in (LessonStatus.COMPLETED, LessonStatus.NO_SHOW):
        problems.append(Reason("unknown_outcome", "Either completed or no_show.", "Choose one.", "/status"))
    if (side is None) == (status == LessonStatus.NO_SHOW):
        problems.append(Reason("side_mismatch", "A no-show has a side, a completed lesson has none.", "", "/side"))
    if not reason.strip():
        problems.append(Reason("reason_required", "Say why the outcome was wrong.", "Give a reason.", "/reason"))
    if problems:
        raise OutcomeInvalid(reasons=problems)
    return LessonStatus(status), _side(side) if side is not None else None


def _parties(lesson: Lesson) -> dict[str, str]:
    """Whom the news of a lesson is for."""
    return {
        "booking_id": str(lesson.booking_id),
        "student_id": str(lesson.student_id),
        "teacher_id": str(lesson.teacher_id),
    }
