"""Lessons: their outcome, its correction, the report and the meeting address."""

from __future__ import annotations

from typing import Any

from sqlalchemy import and_
from sqlalchemy.orm import selectinload
from sqlalchemy.sql.elements import ColumnElement

from guitaronline.actor import Actor
from guitaronline.admin import exported, forms, gate, show
from guitaronline.admin.base import Column, Desk
from guitaronline.admin.command_page import CommandPage, Consequences, Done, buttons_of, commands
from guitaronline.admin.counted import Counted
from guitaronline.admin.filters import Choice, Days, Person, State, record_or_people
from guitaronline.admin.record_page import Page, facts, whole
from guitaronline.admin.waiting import Waiting
from guitaronline.billing.models import Package
from guitaronline.booking import waiting
from guitaronline.booking.models import Booking
from guitaronline.db import session
from guitaronline.identity.access import Permission
from guitaronline.lessons import queries, rules, service
from guitaronline.lessons.models import Lesson, LessonStatus, NoShowSide

SIDES = [(str(side), show.word(side)) for side in NoShowSide]
TEXTS = ("topic", "notes", "private_note", "homework")


def lesson_state(lesson: Lesson) -> Any:
    if lesson.no_show_side is None:
        return show.state(lesson)
    return show.chip("no_show", f"did not come: {lesson.no_show_side}") + f" {lesson.no_show_side}"


def is_waiting() -> ColumnElement[bool]:
    """Over, and nobody has said how it went."""
    return and_(Lesson.status == LessonStatus.SCHEDULED, Lesson.scheduled_end_at <= gate.now())


class LessonsDesk(Desk):
    model_of = Lesson
    path = "lessons"
    title = "Lessons"
    one = "Lesson"
    permission = Permission.READ_BOOKINGS
    empty = "No lesson yet. A lesson comes with each confirmed booking."
    search_words = "LES-…, student or teacher"
    columns = (
        Column("reference", "Lesson", show.link),
        Column(
            "scheduled_start_at",
            "Starts",
            lambda each: show.span(each.scheduled_start_at, each.scheduled_end_at, each.student, each.teacher),
            sort=Lesson.scheduled_start_at,
        ),
        Column("student", "Student", lambda each: show.link(each.student)),
        Column("teacher", "Teacher", lambda each: show.link(each.teacher)),
        Column("status", "State", lesson_state),
        Column("topic", "Topic", lambda each: show.text(each.topic)),
        Column("outcome_at", "Outcome recorded", lambda each: show.stamp(each.outcome_at), is_default=False),
        Column("is_returned", "Given back", lambda each: show.yes(each.is_returned), is_default=False),
        Column("homework", "Homework", lambda each: show.text(each.homework), is_default=False),
        Column("join_url", "Own join link", lambda each: show.text(each.join_url), is_default=False),
    )
    filters = (
        State(Lesson.status, LessonStatus),
        Choice("outcome", "Outcome", ["missing"], lambda value: is_waiting()),
        Waiting(waiting.LESSONS),
        Choice("side", "No-show of", list(NoShowSide), lambda value: Lesson.no_show_side == value),
        Days("day", "Day", Lesson.scheduled_start_at),
        Person("student", "Student", Lesson.student_id),
        Person("teacher", "Teacher", Lesson.teacher_id),
        Counted("lessons", Lesson.id),
    )
    exported = exported.LESSONS
    default_order = (Lesson.scheduled_start_at, True)
    row_actions = staticmethod(buttons_of)
    load = (selectinload(Lesson.student), selectinload(Lesson.teacher))

    def search_clauses(self, words: str) -> list[ColumnElement[bool]]:
        return record_or_people(Lesson.reference, words, Lesson.student_id, Lesson.teacher_id)

    def record_page(self, lesson: Any) -> dict[str, Any]:
        return whole(lesson, Page(_facts(lesson), state=lesson_state(lesson)))


def _facts(lesson: Lesson) -> list[show.Fact]:
    people = (lesson.student, lesson.teacher)
    costs = (
        "given back"
        if lesson.is_returned
        else "used"
        if lesson.status is not LessonStatus.SCHEDULED
        else "used when it was confirmed"
    )
    return facts(
        ("Student", show.link(lesson.student)),
        ("Teacher", show.link(lesson.teacher)),
        ("Starts", show.when(lesson.scheduled_start_at, *people)),
        ("Length", show.minutes(lesson.scheduled_end_at - lesson.scheduled_start_at)),
        ("Booking", show.link(session().get(Booking, lesson.booking_id))),
        ("Paid by", show.link(session().get(Package, lesson.package_id))),
        ("The package's lesson", costs),
        ("Outcome recorded", show.when(lesson.outcome_at)),
        ("Join link", queries.join_urls(session(), [lesson]).get(lesson.id)),
        ("Topic", lesson.topic),
        ("Notes for the student", show.prose(lesson.notes)),
        ("Private note", show.prose(lesson.private_note)),
        ("Homework", show.prose(lesson.homework)),
        ("Links", show.joined(lesson.links)),
    )


class LessonCommand(CommandPage):
    record = Lesson
    permission = Permission.RECORD_OUTCOME

    def done(self, result: Any) -> Done:
        return Done(f"{result.reference} is saved.", show.record_url("lessons", result.id) or "")


class OutcomeCommand(LessonCommand):
    """Recording an outcome: the lesson must have started and have none."""

    def refused_because(self, record: Any) -> str | None:
        problems = rules.outcome_problems(record, gate.now())
        return problems[0].detail if problems else None

    def done(self, result: Any) -> Done:
        return Done(f"{result.reference}: {show.word(result.status)}.", show.record_url("lessons", result.id) or "")


class CompleteLesson(OutcomeCommand):
    path = "lessons/<uuid:id>/complete"
    title = "Was given"
    button = "The lesson was given"

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        return Consequences([("The package's lesson", "Stays used.")])

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.complete_lesson(actor, record.id)


class NoShowForm(forms.CommandForm):
    side = forms.choice("Who did not come?", SIDES)
    reason = forms.reason(required=False)


def side_table() -> list[tuple[str, str]]:
    """What each side costs, by the rule that settles."""
    costs = {side: rules.costs_a_lesson(LessonStatus.NO_SHOW, side) for side in NoShowSide}
    return [
        ("Who", "The package's lesson"),
        *((show.word(side), "stays used" if used else "is given back") for side, used in costs.items()),
    ]


class MarkNoShow(OutcomeCommand):
    path = "lessons/<uuid:id>/no-show"
    title = "No-show"
    button = "Record the no-show"
    form = NoShowForm

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        return Consequences(table=side_table())

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.mark_no_show(actor, record.id, side=form.side.data, reason=form.reason.data)


class CorrectForm(forms.CommandForm):
    outcome = forms.choice(
        "What really happened",
        [("completed", "the lesson was given"), *((f"no_show/{side}", f"no-show: {words}") for side, words in SIDES)],
    )
    reason = forms.reason()


class CorrectOutcome(LessonCommand):
    path = "lessons/<uuid:id>/correct"
    title = "Correct the outcome"
    permission = Permission.OVERRIDE
    form = CorrectForm

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        return Consequences(
            [
                ("Recorded now", lesson_state(record)),
                (
                    "The package",
                    "Is settled anew: what the right outcome costs is used, what it does not cost is given back.",
                ),
            ],
            table=[*side_table(), ("nobody: it was given", "stays used")],
        )

    def refused_because(self, record: Any) -> str | None:
        has_one = record.status in (LessonStatus.COMPLETED, LessonStatus.NO_SHOW)
        return None if has_one else "There is no outcome to correct."

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        status, _, side = form.outcome.data.partition("/")
        return service.correct_outcome(actor, record.id, status=status, side=side or None, reason=form.reason.data)


class ReportForm(forms.CommandForm):
    topic = forms.line("Topic")
    notes = forms.paragraph("Notes for the student")
    private_note = forms.paragraph("Private note", help="For the teacher and staff.")
    homework = forms.paragraph("Homework")
    links = forms.paragraph("Links", help="One a line, beginning with https://.")


class EditReport(LessonCommand):
    path = "lessons/<uuid:id>/report"
    title = "Edit the report"
    button = "Save"
    form = ReportForm

    def initial(self, record: Any) -> dict[str, Any]:
        return {name: getattr(record, name) for name in TEXTS} | {"links": "\n".join(record.links)}

    def refused_because(self, record: Any) -> str | None:
        return "The lesson was canceled." if record.status is LessonStatus.CANCELED else None

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        changes = {name: form[name].data for name in TEXTS} | {"links": (form.links.data or "").split()}
        return service.edit_report(actor, record.id, changes=changes)


class JoinForm(forms.CommandForm):
    join_url = forms.line("Join link", most=500, help="Empty: the teacher's meeting room.")


class SetJoinUrl(LessonCommand):
    path = "lessons/<uuid:id>/join-link"
    title = "Set the join link"
    button = "Save"
    form = JoinForm

    def initial(self, record: Any) -> dict[str, Any]:
        return {"join_url": record.join_url}

    def refused_because(self, record: Any) -> str | None:
        return "The lesson was canceled." if record.status is LessonStatus.CANCELED else None

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.set_join_url(actor, record.id, join_url=form.join_url.data)


commands.add(CompleteLesson, MarkNoShow, CorrectOutcome, EditReport, SetJoinUrl)
