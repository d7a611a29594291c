"""Packages with their ledger: granted, extended, frozen, reinstated, adjusted, taken back."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from functools import partial
from typing import Any

import flask
from sqlalchemy import and_, or_, select
from sqlalchemy.orm import selectinload
from sqlalchemy.sql.elements import ColumnElement
from wtforms.validators import Optional

from guitaronline import policy
from guitaronline.actor import Actor, Role
from guitaronline.admin import exported, forms, gate, people_picker, show
from guitaronline.admin.base import Column, Desk
from guitaronline.admin.command_page import CommandPage, Consequences, Done, button_of, buttons_of, commands
from guitaronline.admin.counted import Counted
from guitaronline.admin.filters import Choice, Days, Person, State, Whole, record_or_people
from guitaronline.admin.record_page import Page, Section, facts, rows, whole
from guitaronline.admin.waiting import Waiting
from guitaronline.admin.withdrawals import withdrawal_sections
from guitaronline.billing import queries, rules, service
from guitaronline.billing.models import CreditEntry, Package, PackageOrigin, PackageStatus, Payment, Plan
from guitaronline.booking import waiting
from guitaronline.booking.models import Booking
from guitaronline.db import session
from guitaronline.identity.access import Permission

BUCKETS = ("available", "reserved", "consumed", "expired", "revoked")
LEDGER_SHOWN = 50


def package_state(package: Package) -> Any:
    """As it reads now: an overdue package is expired before any job has run; a frozen one says so."""
    chip = show.state(package, rules.effective_package_status(package, gate.now()))
    return chip + " " + show.chip("frozen", package.frozen_reason or "") if package.frozen_at else chip


def balance(package: Package) -> str:
    return f"{package.lessons_left} of {package.lessons_total} left" + (
        f" ({package.reserved} reserved)" if package.reserved else ""
    )


def _clause(state: str, now: datetime) -> ColumnElement[bool]:
    lapsed = and_(Package.status.in_(rules.LIVING), Package.frozen_at.is_(None), Package.expires_at <= now)
    status = PackageStatus(state)
    if status is PackageStatus.EXPIRED:
        return or_(Package.status == status, lapsed)
    return and_(Package.status == status, ~lapsed) if status in rules.LIVING else Package.status == status


class PackagesDesk(Desk):
    model_of = Package
    path = "packages"
    title = "Packages"
    one = "Package"
    permission = Permission.READ_PACKAGES
    empty = "No package yet. Grant one from here or from a student's page."
    search_words = "PKG-… or student"
    columns = (
        Column("reference", "Package", show.link),
        Column("student", "Student", lambda each: show.link(each.student)),
        Column("status", "State", package_state),
        Column("lessons_left", "Lessons", balance),
        Column("expires_at", "Expires", lambda each: show.when(each.expires_at), sort=Package.expires_at),
        Column("origin", "Origin", lambda each: show.word(each.origin)),
        Column("price_minor", "Price", lambda each: show.money(each.price_minor, each.currency), is_number=True),
        Column("id", "Made", lambda each: show.stamp(each.created_at), sort=Package.id),
        Column("consumed", "Used", lambda each: each.consumed, is_number=True, is_default=False),
        Column(
            "lesson_minutes", "Minutes", lambda each: show.text(each.lesson_minutes), is_number=True, is_default=False
        ),
        Column("is_trial", "Trial", lambda each: show.yes(each.is_trial), is_default=False),
    )
    filters = (
        State(Package.status, PackageStatus, _clause),
        Waiting(waiting.PACKAGES),
        Choice("origin", "Origin", list(PackageOrigin), lambda value: Package.origin == value),
        Choice(
            "frozen",
            "Frozen",
            ["yes", "no"],
            lambda value: Package.frozen_at.is_not(None) if value == "yes" else Package.frozen_at.is_(None),
        ),
        Days("expires", "Expires", Package.expires_at),
        Whole("left", "Lessons left", Package.available + Package.reserved),
        Person("student", "Student", Package.student_id),
        Counted("packages", Package.id),
    )
    exported = exported.PACKAGES
    default_order = (Package.id, True)
    row_actions = staticmethod(buttons_of)
    load = (selectinload(Package.student),)

    def search_clauses(self, words: str) -> list[ColumnElement[bool]]:
        return record_or_people(Package.reference, words, Package.student_id)

    def list_extras(self) -> dict[str, Any]:
        from guitaronline.admin.selling import SellPlan

        return {"buttons": [button_of(commands.named(kind)) for kind in (SellPlan, GrantPackage)]}

    def record_page(self, package: Any) -> dict[str, Any]:
        sections = [_ledger(package), _payments(package), *_withdrawal(package)]
        return whole(package, Page(_facts(package), state=package_state(package), sections=sections))


def _facts(package: Package) -> list[show.Fact]:
    plan = session().get(Plan, package.plan_id) if package.plan_id else None
    bookings = flask.url_for("desk_bookings.index_view", package=package.id)
    return facts(
        ("Student", show.link(package.student)),
        ("Lessons", balance(package)),
        *((show.word(bucket).capitalize(), getattr(package, bucket)) for bucket in BUCKETS),
        ("Lesson length", f"{package.lesson_minutes} min" if package.lesson_minutes else "any"),
        ("Expires", show.when(package.expires_at, package.student) if package.expires_at else "never"),
        ("Origin", show.word(package.origin) + (", trial" if package.is_trial else "")),
        ("Price", show.money(package.price_minor, package.currency)),
        ("Plan", show.link(plan)),
        ("Active since", show.when(package.activated_at)),
        ("Frozen", show.when(package.frozen_at)),
        ("Frozen because", package.frozen_reason),
        ("Bookings", show.html('<a href="{}">all bookings paid by it</a>', bookings)),
    )


def _ledger(package: Package) -> Section:
    """Each fact about its lessons, newest first, with what stood there after."""
    entries = queries.entries_of(session(), package.id, limit=LEDGER_SHOWN)
    ids = {entry.booking_id for entry in entries if entry.booking_id}
    bookings = {each.id: each for each in session().scalars(select(Booking).where(Booking.id.in_(ids)))} if ids else {}
    told = [each for each in BUCKETS if any(getattr(entry, each) or getattr(entry, f"d_{each}") for entry in entries)]
    table = rows(
        entries,
        lambda entry: show.stamp(entry.created_at),
        lambda entry: show.word(entry.kind),
        lambda entry: show.link(bookings.get(entry.booking_id)),
        *(partial(_moved, bucket=bucket) for bucket in told),
        lambda entry: show.text(entry.reason),
    )
    return Section("Ledger", ("When", "What", "Booking", *(bucket.capitalize() for bucket in told), "Reason"), table)


def _moved(entry: CreditEntry, bucket: str) -> Any:
    """What stood in the bucket after, and what the entry did to it."""
    change = getattr(entry, f"d_{bucket}")
    after = getattr(entry, bucket)
    return show.html('{} <span class="muted nowrap">({})</span>', after, f"{change:+d}") if change else after


def _payments(package: Package) -> Section:
    found = session().scalars(
        select(Payment).where(Payment.package_id == package.id).order_by(Payment.id.desc()).limit(10)
    )
    table = rows(
        found,
        show.link,
        show.state,
        lambda each: show.money(each.amount_minor, each.currency),
        lambda each: show.when(each.paid_at),
    )
    return Section("Payments", ("Payment", "State", "Amount", "Paid"), table, "No payment for it.")


def _withdrawal(package: Package) -> list[Section]:
    """Of what was bought; the first payment that came decides."""
    query = select(Payment).where(Payment.package_id == package.id, Payment.paid_at.is_not(None))
    paid = session().scalars(query.order_by(Payment.paid_at).limit(1)).one_or_none()
    return withdrawal_sections(paid, package) if paid else []


class GrantForm(forms.CommandForm):
    linkable = frozenset({"find", "student_id"})
    find = people_picker.find("Student: name, e-mail or USR-…")
    student_id = people_picker.chosen("Student")
    lessons_total = forms.number("Lessons", least=1, most=1000, default=5)
    lesson_minutes = forms.number(
        "Lesson length, minutes", least=15, most=240, required=False, help="Empty: any length."
    )
    expires_on = forms.DateField("Expires at the end of", validators=[Optional()], description="Empty: never.")
    price = forms.amount(
        "Price", required=False, help="Empty: free. With a price it is on account: usable before the money."
    )
    currency = forms.currency()
    is_trial = forms.BooleanField("Trial: one a person")
    reason = forms.reason()


def end_of(day: Any, zone: Any) -> datetime | None:
    """The end of that day on that clock."""
    return datetime.combine(day + timedelta(days=1), time(), zone) if day else None


class GrantPackage(CommandPage):
    path = "packages/new"
    title = "Grant a package"
    is_rare = True
    parent = "desk_packages.index_view"
    permission = Permission.GRANT_PACKAGES
    form = GrantForm
    looks = "Look for the student"

    def prepare(self, form: Any, record: Any) -> None:
        people_picker.fill(form.student_id, form.find.data, role=Role.STUDENT)

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        return Consequences([("Package", "Active at once; its lessons can be booked.")])

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        student_id = people_picker.picked(form.student_id)
        return service.grant_package(
            actor,
            student_id=student_id,
            lessons_total=form.lessons_total.data,
            lesson_minutes=form.lesson_minutes.data,
            expires_at=end_of(form.expires_on.data, people_picker.zone_of(student_id)),
            price_minor=form.price.minor(form.currency.data) or 0,
            currency=form.currency.data,
            is_trial=form.is_trial.data,
            reason=form.reason.data,
        )

    def done(self, result: Any) -> Done:
        return Done(f"{result.reference} is granted.", show.record_url("packages", result.id) or "")


class PackageCommand(CommandPage):
    record = Package
    permission = Permission.EXTEND_PACKAGES

    def done(self, result: Any) -> Done:
        return Done(f"{result.reference} is saved: {balance(result)}.", show.record_url("packages", result.id) or "")

    def refused_because(self, record: Any) -> str | None:
        return _unless(record, *rules.LIVING)


def _unless(package: Package, *states: PackageStatus) -> str | None:
    """Why not, unless the package reads as one of these states now."""
    status = rules.effective_package_status(package, gate.now())
    return None if status in states else f"It is {show.word(status)}: {package.states.meanings[status]}."


class UntilForm(forms.CommandForm):
    expires_on = forms.DateField(
        "Expires at the end of", validators=[Optional()], description="On the student's clock. Empty: never."
    )
    reason = forms.reason()


class ExtendPackage(PackageCommand):
    path = "packages/<uuid:id>/extend"
    title = "Extend"
    form = UntilForm

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        return Consequences(
            [("Expires now", show.when(record.expires_at, record.student) if record.expires_at else "never")]
        )

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        until = end_of(form.expires_on.data, people_picker.zone_of(record.student_id))
        return service.extend_package(actor, record.id, expires_at=until, reason=form.reason.data)


class FreezePackage(PackageCommand):
    path = "packages/<uuid:id>/freeze"
    title = "Freeze"
    form = forms.ReasonForm

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        return Consequences(
            [
                ("Bookings", "No new ones until it is unfrozen; those that stand, stand."),
                ("Expiry", "Its clock stands still."),
            ]
        )

    def refused_because(self, record: Any) -> str | None:
        return "It is frozen already." if record.frozen_at else super().refused_because(record)

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.freeze_package(actor, record.id, reason=form.reason.data)


class UnfreezePackage(PackageCommand):
    path = "packages/<uuid:id>/unfreeze"
    title = "Unfreeze"
    form = forms.MaybeReasonForm

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        if not (record.frozen_at and record.expires_at):
            return Consequences()
        return Consequences(
            [("Expires", show.when(record.expires_at + (gate.now() - record.frozen_at), record.student))]
        )

    def refused_because(self, record: Any) -> str | None:
        return None if record.frozen_at else "It is not frozen."

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.unfreeze_package(actor, record.id, reason=form.reason.data)


class ReinstatePackage(PackageCommand):
    path = "packages/<uuid:id>/reinstate"
    title = "Reinstate"
    permission = Permission.GRANT_PACKAGES
    form = UntilForm

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        back = record.expired or record.available
        days = policy.current().PACKAGE_REINSTATE_DAYS
        return Consequences(
            [
                ("Lessons", f"{back} can be booked again."),
                ("Expires", f"At the end of the day below, else in {days} days."),
            ]
        )

    def refused_because(self, record: Any) -> str | None:
        return _unless(record, PackageStatus.EXPIRED)

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        until = end_of(form.expires_on.data, people_picker.zone_of(record.student_id))
        return service.reinstate_package(actor, record.id, reason=form.reason.data, expires_at=until)


class AdjustForm(forms.CommandForm):
    lessons = forms.number(
        "Lessons, more (+) or fewer (−)",
        least=-1000,
        most=1000,
        help="More come out of what was taken back or expired; to give new ones, grant a package.",
    )
    reason = forms.reason()


class AdjustPackage(PackageCommand):
    path = "packages/<uuid:id>/adjust"
    title = "Adjust the lessons"
    permission = Permission.ADJUST_LESSONS
    form = AdjustForm

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        return Consequences([("Now", ", ".join(f"{getattr(record, bucket)} {bucket}" for bucket in BUCKETS))])

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.adjust_lessons(actor, record.id, lessons=form.lessons.data, reason=form.reason.data)


class RevokePackage(PackageCommand):
    path = "packages/<uuid:id>/revoke"
    title = "Take back"
    permission = Permission.GRANT_PACKAGES
    tone = "danger"
    form = forms.ReasonForm

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        lines = [
            ("Lessons", f"{record.available} available ones are taken back; {record.consumed} used ones stay used.")
        ]
        holds = f"{record.reserved} are reserved by holds; it is refused until those are confirmed, canceled or lapsed."
        return Consequences([*lines, ("Holds", holds)] if record.reserved else lines)

    def refused_because(self, record: Any) -> str | None:
        return _unless(record, PackageStatus.PENDING, *rules.LIVING)

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.revoke_package(actor, record.id, reason=form.reason.data)


commands.add(
    GrantPackage, ExtendPackage, FreezePackage, UnfreezePackage, ReinstatePackage, AdjustPackage, RevokePackage
)
