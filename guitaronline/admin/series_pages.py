"""Weekly lessons booked, extended, moved and called off: every date is shown with what will become of it, by the rule that
decides, before anything is done."""

from __future__ import annotations

from typing import Any

from guitaronline.actor import Actor, Role
from guitaronline.admin import forms, gate, people_picker, show
from guitaronline.admin.command_page import CommandPage, Consequences, Done, commands
from guitaronline.admin.series import rhythm
from guitaronline.admin.series_forms import (
    CancelSeriesForm,
    ExtendForm,
    MoveForm,
    NewSeriesForm,
    offer_days,
    offer_lessons,
    offer_packages,
)
from guitaronline.admin.series_told import about, dates_told, fates_told, moves_told, over, stayed, told
from guitaronline.booking import series_rules
from guitaronline.booking.models import CancelCause
from guitaronline.booking.series import (
    Wanted,
    create_series,
    extend_series,
    extension,
    preview_extension,
    preview_series,
)
from guitaronline.booking.series_canceling import cancel_series, preview_cancel_series
from guitaronline.booking.series_models import LessonSeries, SeriesStatus
from guitaronline.booking.series_moving import move_series, preview_move_series
from guitaronline.db import session
from guitaronline.identity.access import Permission


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


commands.add(NewSeries, ExtendSeries, MoveSeries, CancelSeries)
