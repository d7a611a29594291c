"""New booking: somebody is on the phone. Person, package and slot on one page, one command, all or nothing."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from wtforms import RadioField
from wtforms.validators import Optional, ValidationError

from guitaronline.actor import Actor, Role
from guitaronline.admin import forms, gate, people_picker, show, slot_picker
from guitaronline.admin.command_page import CommandPage, Consequences, Done, commands
from guitaronline.admin.holding import explained
from guitaronline.admin.packages import balance, end_of
from guitaronline.admin.slots import exists_locally
from guitaronline.billing import queries as billing
from guitaronline.billing.models import Package
from guitaronline.booking.desk import NewGrant, NewGuardian, NewSlot, NewStudent, book_by_phone
from guitaronline.db import session
from guitaronline.errors import Reason
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User
from guitaronline.scheduling.models import Slot

NEW, ANY = "new", ""


def chosen_or_new(field: str) -> Any:
    """A field of the part that is made anew, needed only when "new" is chosen."""

    def check(form: Any, typed: Any) -> None:
        if form[field].data == NEW and typed.data in (None, ""):
            raise ValidationError(f"{typed.label.text} is needed.")

    return check


def parent_named(form: Any, typed: Any) -> None:
    """A parent is written to."""
    if form.student_id.data == NEW and form.parent_name.data and not typed.data:
        raise ValidationError("A parent can be reached by e-mail.")


class BookingForm(forms.CommandForm):
    linkable = frozenset({"find", "student_id", "slot_id", "day", "teacher_find"})

    find = people_picker.find("Who is it? Name, e-mail, phone or USR-…")
    student_id = people_picker.chosen("Student")
    full_name = forms.line("Full name", checks=[chosen_or_new("student_id")])
    email = forms.line("E-mail", most=320, help="A child may have none.")
    phone = forms.line("Phone", most=40)
    timezone = forms.timezone()
    parent_name = forms.line("Parent's name", help="For a child: who stands for them and pays. Empty: nobody.")
    parent_email = forms.line("Parent's e-mail", most=320, checks=[parent_named])
    parent_phone = forms.line("Parent's phone", most=40)

    package_id = RadioField("Package", choices=[], validators=[Optional()], validate_choice=False)
    lessons_total = forms.number("Lessons", least=1, most=1000, required=False, default=1)
    expires_on = forms.DateField("Expires at the end of", validators=[Optional()], description="Empty: never.")
    price = forms.amount("Price", required=False, help="Empty: free. With a price it is on account.")
    currency = forms.currency()
    is_trial = forms.BooleanField("Trial: one a person")

    teacher_find = forms.line("Teacher", most=100, help="Empty: any teacher.")
    day = forms.line("Day", most=24, help="tomorrow, thursday, next week, 2026-11-23 …; empty: the soonest.")
    slot_id = slot_picker.chosen("Slot")
    teacher_id = people_picker.chosen("Teacher", required=False)
    new_day = forms.DateField("Day", validators=[Optional()])
    new_start = forms.TimeField("Starts at", validators=[Optional()])
    new_minutes = forms.number("Minutes", least=15, most=240, required=False, default=60)
    clock = forms.choice(
        "This time is on",
        [("student", "the student's clock"), ("teacher", "the teacher's clock"), ("mine", "my clock")],
    )

    confirm = forms.choice("Then", [("yes", "confirm it now"), ("no", "only hold it")])
    override = forms.BooleanField("Override notice, horizon and lesson length")
    reason = forms.reason(required=False, help="Needed when rules are overridden; kept in the history.")

    def validate_teacher_id(self, field: Any) -> None:
        if self.slot_id.data == NEW and not (
            field.data and self.new_day.data and self.new_start.data and self.new_minutes.data
        ):
            raise ValidationError("A new slot needs a teacher, a day, a time and minutes.")

    def validate_new_start(self, field: Any) -> None:
        if self.slot_id.data == NEW and self.new_day.data and field.data:
            exists_locally(Wall(self.new_day, self.zone), field)

    def validate_lessons_total(self, field: Any) -> None:
        if self.package_id.data == NEW and not field.data:
            raise ValidationError("How many lessons?")

    def zone(self: Any) -> ZoneInfo:
        if self.clock.data == "mine":
            return show.zone()
        return (
            self.student_zone()
            if self.clock.data == "student"
            else people_picker.zone_of(people_picker.id_of(self.teacher_id))
        )

    def student_zone(self: Any) -> ZoneInfo:
        new = self.student_id.data == NEW
        return ZoneInfo(self.timezone.data) if new else people_picker.zone_of(people_picker.id_of(self.student_id))

    def student(self: Any) -> UUID | NewStudent:
        if self.student_id.data != NEW:
            return people_picker.picked(self.student_id)
        parent = NewGuardian(self.parent_name.data, self.parent_email.data, self.parent_phone.data)
        return NewStudent(
            self.full_name.data or "",
            self.email.data,
            self.timezone.data,
            self.phone.data,
            guardian=parent if parent.full_name else None,
        )

    def package(self: Any) -> UUID | NewGrant | None:
        if self.package_id.data != NEW:
            return people_picker.picked(self.package_id) if self.package_id.data else None
        return NewGrant(
            lessons_total=self.lessons_total.data,
            expires_at=end_of(self.expires_on.data, self.student_zone()),
            price_minor=self.price.minor(self.currency.data) or 0,
            currency=self.currency.data,
            is_trial=self.is_trial.data,
        )

    def slot(self: Any) -> UUID | NewSlot:
        if self.slot_id.data != NEW:
            return slot_picker.picked(self.slot_id)
        start = datetime.combine(self.new_day.data, self.new_start.data, self.zone())
        end = start.astimezone(ZoneInfo("UTC")) + timedelta(minutes=self.new_minutes.data)
        return NewSlot(people_picker.picked(self.teacher_id), start, end)


class Wall:
    """A day and a clock, as `exists_locally` reads them from a form."""

    def __init__(self, day: Any, zone: Any) -> None:
        self.day, self.zone = day, zone


class NewBooking(CommandPage):
    path = "bookings/new"
    title = "New booking"
    parent = "desk_bookings.index_view"
    button = "Book"
    permission = Permission.BOOK
    form = BookingForm
    looks = "Look, show what will happen"
    lead = "For somebody on the phone. Look as often as you like; nothing happens before you book."
    template = "admin/new_booking.html"

    def initial(self, record: Any) -> dict[str, Any]:
        return {"timezone": gate.viewer().timezone, "package_id": ANY}

    def prepare(self, form: Any, record: Any) -> None:
        people_picker.fill(form.student_id, form.find.data, role=Role.STUDENT)
        form.student_id.choices += forms.choices([(NEW, "Somebody new: fill in the name below")])
        if gate.why_not_allowed(Permission.GRANT_PACKAGES):
            form.student_id.description = "Somebody new needs a package first: finance or an admin sells or grants it."
        form.package_id.choices = forms.choices(packages_for(people_picker.id_of(form.student_id)))
        form.package_id.data = form.package_id.data or ANY
        slot_picker.fill(form.slot_id, teacher=form.teacher_find.data, days=form.day.data)
        form.slot_id.choices += forms.choices([(NEW, "Another time: make a slot below")])
        people_picker.fill(form.teacher_id, form.teacher_find.data, role=Role.TEACHER)

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        """What can be said so far; reasons against it by the rule that decides."""
        student_id, slot_id = people_picker.id_of(form.student_id), slot_picker.id_of(form.slot_id)
        slot = session().get(Slot, slot_id) if slot_id else None
        lines = []
        if form.student_id.data:
            person = session().get(User, student_id) if student_id else None
            lines.append(("Student", show.link(person) if person else "a new person"))
        if slot:
            lines.append(
                (
                    "Lesson",
                    show.html(
                        "{} with {}", show.span(slot.start_at, slot.end_at, slot.teacher), show.link(slot.teacher)
                    ),
                )
            )
        grants = form.package_id.data == NEW
        if form.student_id.data == NEW and not grants:
            return Consequences(lines, blockers=[nothing_pays()])
        if slot_id and student_id and not grants:
            return Consequences(lines, blockers=explained(slot_id, student_id, override=bool(form.override.data)))
        if grants:
            lines.append(("Package", f"{form.lessons_total.data or '?'} lessons are granted; this booking uses one."))
        return Consequences(lines)

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return book_by_phone(
            actor,
            student=form.student(),
            package=form.package(),
            slot=form.slot(),
            confirm=form.confirm.data == "yes",
            override=form.override.data,
            reason=form.reason.data,
        )

    def done(self, result: Any) -> Done:
        return Done(f"{result.reference} is {show.word(result.status)}.", show.record_url("bookings", result.id) or "")


def nothing_pays() -> Reason:
    """Somebody new has no package; who may grant one does it here, the others ask those who may."""
    if gate.why_not_allowed(Permission.GRANT_PACKAGES):
        fix = "Finance or an admin sells or grants one: make the person under People, and leave them a task there."
    else:
        fix = "Choose to grant one under 3, a trial for instance."
    return Reason("no_lessons_left", "Somebody new has no package yet.", fix)


def _ends(package: Package) -> str:
    ends = package.expires_at
    return f"expires {ends.astimezone(show.zone()):%d %b %Y}" if ends else "never expires"


def packages_for(student_id: UUID | None) -> list[tuple[str, str]]:
    """What may pay: the one that fits and expires first, a certain one, or a new one."""
    known = billing.packages_of_student(session(), student_id, limit=10) if student_id else []
    usable = [each for each in known if each.available]
    offered = [(str(each.id), f"{each.reference} · {balance(each)} · {_ends(each)}") for each in usable]
    grant = [] if gate.why_not_allowed(Permission.GRANT_PACKAGES) else [(NEW, "Grant a new package: fill it in below")]
    return [(ANY, "The package that fits and expires first"), *offered, *grant]


commands.add(NewBooking)
