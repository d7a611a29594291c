"""Weekly lessons booked, extended, moved and called off: every date is shown with what will become of it, by the rule that
decides, before anything is done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import select
from wtforms import SelectMultipleField
from wtforms.validators import InputRequired, Optional
from wtforms.widgets import CheckboxInput, ListWidget

from guitaronline.actor import Actor, Role
from guitaronline.admin import forms, gate, people_picker, show
from guitaronline.admin.bookings import CAUSES
from guitaronline.admin.command_page import CommandPage, Consequences, Done, commands
from guitaronline.admin.new_booking import packages_for
from guitaronline.admin.series import rhythm
from guitaronline.admin.slots import WEEKDAYS
from guitaronline.billing.models import Package
from guitaronline.booking import series_rules
from guitaronline.booking.models import CancelCause
from guitaronline.booking.series import (
    SeriesPreview,
    Wanted,
    create_series,
    extend_series,
    extension,
    preview_extension,
    preview_series,
)
from guitaronline.booking.series_canceling import cancel_series, preview_cancel_series
from guitaronline.booking.series_ground import Judged
from guitaronline.booking.series_lessons import Fate, read_lessons
from guitaronline.booking.series_models import LessonSeries, SeriesStatus
from guitaronline.booking.series_moving import MovePreview, NewTime, move_series, preview_move_series
from guitaronline.booking.series_rules import Term
from guitaronline.db import session
from guitaronline.errors import DomainError, Reason
from guitaronline.identity.access import Permission
from guitaronline.scheduling.rules import SLOT_MINUTES_MAX, SLOT_MINUTES_MIN

MOST = series_rules.DATES_MAX
ALL = ""


def several(label: str, *, help: str = "") -> SelectMultipleField:  # noqa: A002  # the word on screen
    return SelectMultipleField(
        label,
        choices=[],
        option_widget=CheckboxInput(),
        widget=ListWidget(),
        validators=[Optional()],
        description=help,
    )


def days_chosen(field: Any) -> frozenset[date]:
    return frozenset(day for day in map(_day, field.data or ()) if day)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def offer_days(field: Any, days: Iterable[date]) -> None:
    """Dates that may be left out; what was chosen and is none of them any more is forgotten."""
    field.choices = forms.choices((day.isoformat(), series_rules.spoken(day)) for day in days)
    known = {each.value for each in field.choices}
    field.data = [each for each in field.data or () if each in known]


class NewSeriesForm(forms.CommandForm):
    linkable = frozenset({"find", "student_id", "teacher_find", "teacher_id"})

    find = people_picker.find("Student: name, e-mail or USR-…")
    student_id = people_picker.chosen("Student")
    teacher_find = people_picker.find("Teacher: name or USR-…")
    teacher_id = people_picker.chosen("Teacher")
    first_day = forms.DateField("First lesson on", validators=[InputRequired("A day is needed.")])
    start_local = forms.TimeField(
        "Starts at",
        validators=[InputRequired("A time is needed.")],
        description="On the teacher's clock, all the year.",
    )
    lesson_minutes = forms.number("Minutes", least=SLOT_MINUTES_MIN, most=SLOT_MINUTES_MAX, default=60)
    interval_weeks = forms.choice("How often", [("1", "every week"), ("2", "every other week")])
    count = forms.number("How many lessons", least=1, most=MOST, required=False, help="Or the last day, below.")
    last_day = forms.DateField("Last day", validators=[Optional()], description="At most a year.")
    package_ids = several("Paid by", help="None: any that fits, the earliest expiry first. Several: in this order.")
    skip = several("Leave out", help="Look first: dates that cannot be booked are marked above.")
    override = forms.BooleanField("Override notice and lesson length")
    reason = forms.reason()

    def term(self: Any) -> Term | None:
        """None while something is missing."""
        if not (self.first_day.data and self.start_local.data and self.lesson_minutes.data):
            return None
        return Term(
            self.first_day.data,
            self.start_local.data,
            self.lesson_minutes.data,
            self.last_day.data,
            self.count.data,
            2 if self.interval_weeks.data == "2" else 1,
        )

    def wanted(self: Any) -> Wanted | None:
        term = self.term()
        student_id, teacher_id = people_picker.id_of(self.student_id), people_picker.id_of(self.teacher_id)
        if term is None or student_id is None or teacher_id is None:
            return None
        packages = tuple(map(UUID, self.package_ids.data or ()))
        return Wanted(student_id, teacher_id, term, packages, days_chosen(self.skip), bool(self.override.data))


class NewSeries(CommandPage):
    path = "series/new"
    title = "Book weekly lessons"
    parent = "desk_series.index_view"
    button = "Book all dates"
    permission = Permission.BOOK
    form = NewSeriesForm
    looks = "Look, show every date"
    lead = "The same lesson every week. Look as often as you like; nothing happens before you book."
    template = "admin/new_series.html"

    def prepare(self, form: Any, record: Any) -> None:
        people_picker.fill(form.student_id, form.find.data, role=Role.STUDENT)
        people_picker.fill(form.teacher_id, form.teacher_find.data, role=Role.TEACHER)
        offer_packages(form.package_ids, people_picker.id_of(form.student_id))
        term = form.term()
        is_term = term is not None and not series_rules.term_problems(term)
        offer_days(form.skip, series_rules.days_of(term) if is_term else ())

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        wanted = form.wanted()
        if wanted is None:
            return Consequences()
        return told(lambda: dates_told(preview_series(session(), actor, wanted)))

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        people_picker.picked(form.student_id), people_picker.picked(form.teacher_id)
        return create_series(actor, wanted=form.wanted(), reason=form.reason.data)

    def done(self, result: Any) -> Done:
        words = f"{result.series.reference}: {len(result.bookings)} lessons are booked."
        return Done(words, show.record_url("lesson_series", result.series.id) or "")


class ExtendForm(forms.CommandForm):
    count = forms.number("How many more lessons", least=1, most=MOST, required=False, help="Or the last day, below.")
    last_day = forms.DateField("Last day", validators=[Optional()])
    package_ids = several("Paid by", help="None: any that fits, the earliest expiry first. Several: in this order.")
    skip = several("Leave out", help="Look first: dates that cannot be booked are marked above.")
    override = forms.BooleanField("Override notice and lesson length")
    reason = forms.reason()

    def more(self: Any) -> dict[str, Any]:
        return {
            "last_day": self.last_day.data,
            "count": self.count.data,
            "package_ids": tuple(map(UUID, self.package_ids.data or ())),
            "skip": days_chosen(self.skip),
            "override": bool(self.override.data),
        }


class SeriesCommand(CommandPage):
    record = LessonSeries

    def done(self, result: Any) -> Done:
        words = f"{result.series.reference}: {len(result.bookings)} lessons are booked."
        return Done(words, show.record_url("lesson_series", result.series.id) or "")


class ExtendSeries(SeriesCommand):
    path = "series/<uuid:id>/extend"
    title = "Extend"
    button = "Book the dates"
    permission = Permission.BOOK
    form = ExtendForm
    looks = "Look, show every date"
    template = "admin/series.html"

    def refused_because(self, record: Any) -> str | None:
        return over(record)

    def initial(self, record: Any) -> dict[str, Any]:
        return {"package_ids": [str(each) for each in record.package_ids]}

    def prepare(self, form: Any, record: Any) -> None:
        offer_packages(form.package_ids, record.student_id, also=record.package_ids)
        term = self._wanted(form, record).term
        offer_days(form.skip, () if series_rules.term_problems(term) else series_rules.days_of(term))

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        if form.count.data is None and form.last_day.data is None:
            return Consequences(about(record))
        wanted = self._wanted(form, record)
        return told(lambda: dates_told(preview_extension(session(), actor, record, wanted)), about(record))

    def _wanted(self, form: Any, record: Any) -> Wanted:
        return extension(record, gate.now(), **form.more())

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return extend_series(actor, record.id, reason=form.reason.data, **form.more())


class MoveForm(forms.CommandForm):
    linkable = frozenset({"from_booking"})
    from_booking = forms.choice("Which lessons", [(ALL, "all that are ahead")])
    weekday = forms.choice("To", [(str(number), day) for number, day in enumerate(WEEKDAYS)])
    start_local = forms.TimeField(
        "Starts at", validators=[InputRequired("A time is needed.")], description="On the teacher's clock."
    )
    find = people_picker.find("Another teacher: name or USR-…")
    teacher_id = people_picker.chosen("Teacher", required=False)
    skip = several("Leave where they are", help="Look first: lessons that cannot move are marked above.")
    cause = forms.choice("Because of", CAUSES)
    waive = forms.BooleanField("Keep the lessons although the notice was too short")
    override = forms.BooleanField("Override notice and lesson length")
    reason = forms.reason()

    def new_time(self: Any) -> NewTime | None:
        if self.start_local.data is None:
            return None
        return NewTime(
            int(self.weekday.data) if self.weekday.data in set("0123456") else 0,
            self.start_local.data,
            people_picker.id_of(self.teacher_id),
            forms.id_or_none(self.from_booking.data),
            days_chosen(self.skip),
            self.cause.data,
            bool(self.waive.data),
            bool(self.override.data),
        )


class MoveSeries(SeriesCommand):
    path = "series/<uuid:id>/move"
    title = "Move"
    button = "Move the lessons"
    permission = Permission.CANCEL
    form = MoveForm
    looks = "Look, show every lesson"
    template = "admin/series.html"

    def refused_because(self, record: Any) -> str | None:
        return over(record)

    def initial(self, record: Any) -> dict[str, Any]:
        return {"weekday": str(record.weekday), "start_local": record.start_local, "cause": str(CancelCause.SCHOOL)}

    def prepare(self, form: Any, record: Any) -> None:
        ahead = offer_lessons(form.from_booking, record)
        people_picker.fill(form.teacher_id, form.find.data, role=Role.TEACHER)
        offer_days(form.skip, [each.series_day for each in ahead if each.series_day])

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        to = form.new_time()
        if to is None:
            return Consequences(about(record))
        return told(lambda: moves_told(preview_move_series(session(), actor, record.id, to=to)), about(record))

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return move_series(actor, record.id, to=form.new_time(), reason=form.reason.data)

    def done(self, result: Any) -> Done:
        words = f"{len(result.bookings)} lessons moved: {rhythm(result.series)}.{stayed(result.kept)}"
        return Done(words, show.record_url("lesson_series", result.series.id) or "")


class CancelSeriesForm(forms.CommandForm):
    linkable = frozenset({"from_booking", "cause"})
    from_booking = forms.choice("Which lessons", [(ALL, "all that are ahead")])
    cause = forms.choice("Because of", CAUSES, help="Whose doing it is decides what becomes of the lessons; see above.")
    waive = forms.BooleanField("Give the lessons back although the notice was too short")
    reason = forms.reason()


class CancelSeries(SeriesCommand):
    path = "series/<uuid:id>/cancel"
    title = "Cancel"
    button = "Cancel the lessons"
    tone = "danger"
    permission = Permission.CANCEL
    form = CancelSeriesForm
    looks = "Look, show every lesson"
    template = "admin/series.html"

    def refused_because(self, record: Any) -> str | None:
        return None if record.status is not SeriesStatus.CANCELED else "It was canceled already."

    def initial(self, record: Any) -> dict[str, Any]:
        return {"cause": str(CancelCause.STUDENT)}

    def prepare(self, form: Any, record: Any) -> None:
        offer_lessons(form.from_booking, record)

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        asked = {"from_booking": forms.id_or_none(form.from_booking.data), "cause": form.cause.data}

        def foreseen() -> Consequences:
            found = preview_cancel_series(session(), actor, record.id, waive=bool(form.waive.data), **asked)
            return Consequences(table=fates_told(found))

        return told(foreseen, about(record))

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return cancel_series(
            actor,
            record.id,
            from_booking=forms.id_or_none(form.from_booking.data),
            reason=form.reason.data,
            cause=form.cause.data,
            waive=form.waive.data,
        )

    def done(self, result: Any) -> Done:
        words = f"{len(result.canceled)} lessons are canceled.{stayed(result.kept)}"
        return Done(words, show.record_url("lesson_series", result.series.id) or "")


# What the pages say


def told(look: Callable[[], Consequences], lines: Sequence[tuple[str, Any]] = ()) -> Consequences:
    """What will happen, or why it cannot be said."""
    try:
        found = look()
    except DomainError as refusal:
        return Consequences(lines, blockers=forms.reasons_of(refusal))
    return Consequences([*lines, *found.lines], found.table, found.blockers)


def dates_told(preview: SeriesPreview) -> Consequences:
    if preview.problems:
        return Consequences(blockers=preview.problems)
    packages = _named(each.purse.id for each in preview.dates if each.purse)
    table = [[_starts(each), _slot(each), _paid(each, packages), _verdict(each)] for each in preview.dates]
    heading = ("Date", "Slot", "Paid by", "Then")
    return Consequences(_sum(preview.dates), [heading, *table], _in_the_way(preview.dates))


def moves_told(preview: MovePreview) -> Consequences:
    if preview.problems and not preview.dates:
        return Consequences(blockers=preview.problems)
    table = [
        [
            show.link(each.booking),
            show.when(each.booking.start_at) if each.booking else "",
            _starts(each),
            _outcome(each),
            _verdict(each),
        ]
        for each in preview.dates
    ]
    stay = [[show.link(each.booking), show.when(each.booking.start_at), "", "", _stays(each)] for each in preview.kept]
    heading = ("Booking", "Now", "Then", "Old lesson", "")
    return Consequences(_sum(preview.dates), [heading, *table, *stay], [*preview.problems, *_in_the_way(preview.dates)])


def fates_told(found: Sequence[Fate]) -> Sequence[Sequence[Any]]:
    table = [
        [
            show.link(each.booking),
            show.when(each.booking.start_at),
            each.decision.sentence() if each.decision else _stays(each),
        ]
        for each in found
    ]
    return [("Booking", "Starts", "What becomes of the lesson"), *table] if table else ()


def about(series: LessonSeries) -> list[tuple[str, Any]]:
    """Which series it is, for somebody who acts on it."""
    return [
        ("Series", f"{rhythm(series)} on the clock of {series.zone}, {series.lesson_minutes} min"),
        ("Student", show.link(series.student)),
        ("Teacher", show.link(series.teacher)),
        ("Last day", show.day(series.last_day)),
    ]


def over(series: LessonSeries) -> str | None:
    return None if series.status is SeriesStatus.ACTIVE else f"It was {show.word(series.status)}. Book a new series."


def stayed(kept: Sequence[Fate]) -> str:
    some = ", ".join(each.booking.reference for each in kept[:5])
    return f" {len(kept)} stay as they are: {some}{' …' if len(kept) > 5 else ''}." if kept else ""


def offer_lessons(field: Any, series: LessonSeries) -> list[Any]:
    """From which lesson on; those ahead, the soonest first."""
    ahead = [
        each
        for each in read_lessons(session(), series, from_booking=None, now=gate.now())
        if each.start_at > gate.now()
    ]
    zone = show.zone()
    days = [(str(each.id), f"{each.start_at.astimezone(zone):%a %d %b %Y, %H:%M} and later") for each in ahead]
    field.choices = forms.choices([(ALL, "all that are ahead"), *days])
    field.data = field.data or ALL
    return ahead


def offer_packages(field: Any, student_id: UUID | None, *, also: Sequence[UUID] = ()) -> None:
    """What the student has; what was chosen and is none of it any more is forgotten."""
    offered = [each for each in packages_for(student_id) if forms.id_or_none(each[0])]
    known = {value for value, _ in offered}
    others = session().scalars(select(Package).where(Package.id.in_([each for each in also if str(each) not in known])))
    offered += [(str(each.id), each.reference) for each in others]
    field.choices = forms.choices(offered)
    field.data = [each for each in field.data or () if each in {value for value, _ in offered}]


def _sum(dates: Sequence[Judged]) -> list[tuple[str, Any]]:
    fine, made = sum(each.is_fine for each in dates), sum(each.is_fine and each.is_new_slot for each in dates)
    return [("Lessons", f"{fine} of {len(dates)} dates; {made} slots are made for them")]


def _in_the_way(dates: Sequence[Judged]) -> list[Reason]:
    """One sentence; the table says why, date by date."""
    count = sum(bool(each.reasons) for each in dates)
    words = "1 date is not possible" if count == 1 else f"{count} dates are not possible"
    return (
        [Reason("series_conflicts", f"{words}; see the table.", "Leave out what is marked, or change the time.")]
        if count
        else []
    )


def _named(ids: Iterable[UUID]) -> dict[UUID, Package]:
    return {each.id: each for each in session().scalars(select(Package).where(Package.id.in_(set(ids))))}


def _starts(judged: Judged) -> Any:
    return show.when(judged.date.start_at) if judged.date.start_at else series_rules.spoken(judged.date.day)


def _outcome(judged: Judged) -> str:
    """What becomes of the old lesson, in a word; its booking tells it at length."""
    return show.word(judged.decision.outcome) if judged.decision and judged.is_fine else ""


def _slot(judged: Judged) -> str:
    return "" if judged.is_left_out or judged.scene is None else "is made" if judged.is_new_slot else "is there"


def _paid(judged: Judged, packages: dict[UUID, Package]) -> Any:
    return show.link(packages.get(judged.purse.id)) if judged.purse and judged.is_fine else ""


def _verdict(judged: Judged) -> Any:
    if judged.is_left_out:
        return show.chip("left out")
    if judged.is_fine:
        return show.chip("will happen")
    return show.html("{} {}", show.chip("refused"), " ".join(dict.fromkeys(each.detail for each in judged.reasons)))


def _stays(fate: Fate) -> Any:
    return show.html("{} {}", show.chip("stays"), " ".join(each.detail for each in fate.reasons))


commands.add(NewSeries, ExtendSeries, MoveSeries, CancelSeries)
