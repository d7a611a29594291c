from __future__ import annotations

import json
from datetime import time, timedelta
from functools import cached_property
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import func, select, update

from guitaronline import clock, policy
from guitaronline.actor import SYSTEM, Actor, Role
from guitaronline.audit.models import AuditAction
from guitaronline.billing import service as billing
from guitaronline.billing.dispute_models import Dispute
from guitaronline.billing.facts import hear
from guitaronline.billing.inbox import receive
from guitaronline.billing.invoices.days import school_day
from guitaronline.billing.invoices.models import CreditNote, Invoice, Seller, TaxRate
from guitaronline.billing.invoices.parties import Party
from guitaronline.billing.invoices.sellers import set_seller
from guitaronline.billing.invoices.taxes import set_tax_rate
from guitaronline.billing.models import Approval, Package, Payment, PaymentProvider, Plan, Refund
from guitaronline.billing.provider_models import PaymentException, ProviderEvent
from guitaronline.billing.providers import FactKind, ProviderFact, sandbox, signatures
from guitaronline.billing.reconciliation.models import Category, Match, ReconciliationException
from guitaronline.billing.reconciliation.period_models import FeeContract, ReconciliationPeriod
from guitaronline.billing.reconciliation.service import add_fee_contract, ignore_exception, prepare_period, run_matching
from guitaronline.billing.settlements.models import SettlementFile, SettlementProfile
from guitaronline.billing.settlements.profiles import create_profile
from guitaronline.booking import series as weekly
from guitaronline.booking.absences import create_closure, create_time_off
from guitaronline.booking.decisions import Chosen, Way
from guitaronline.booking.feeds import new_feed
from guitaronline.booking.horizon import set_hours
from guitaronline.booking.models import Booking
from guitaronline.booking.series_models import LessonSeries
from guitaronline.booking.series_rules import Term
from guitaronline.booking.slots import block_slot
from guitaronline.booking.substitution import substitute_booking
from guitaronline.booking.waitlist import join_waitlist
from guitaronline.booking.waitlist_models import WaitlistEntry
from guitaronline.db import new_id, session, technical_transaction
from guitaronline.finance import service as finance
from guitaronline.finance.account_models import AccountMapping
from guitaronline.finance.months import Month, month_of
from guitaronline.finance.statement_models import TeacherRate, TeacherStatement
from guitaronline.identity import second_factor, totp
from guitaronline.identity import service as identity
from guitaronline.identity.access import KeyScope, Permission
from guitaronline.identity.key_models import ServiceKey
from guitaronline.identity.models import ConsoleSession, Guardian, Task, TokenFamily, User
from guitaronline.identity.service_keys import create_service_key
from guitaronline.identity.viewing import start_viewing
from guitaronline.lessons import service as lessons
from guitaronline.lessons.models import Lesson
from guitaronline.notifications.models import Message, MessageStatus
from guitaronline.office import views
from guitaronline.office.bulk_models import BulkRun
from guitaronline.office.export_models import Export, ExportFormat
from guitaronline.office.exports import Wanted, request_export
from guitaronline.office.merge_models import DuplicatePair, PersonMerge
from guitaronline.office.merging.finding import find_duplicates
from guitaronline.office.merging.merging import merge_people
from guitaronline.office.opening.importing import check_files
from guitaronline.office.opening_models import OpeningImport, Sheet
from guitaronline.office.view_models import SavedView
from guitaronline.scheduling.hours_models import Closure, TimeOff
from guitaronline.scheduling.models import Slot
from guitaronline.scheduling.rules import Window
from guitaronline.teachers.models import TeacherProfile
from guitaronline.teachers.service import disable_teacher
from guitaronline.webhooks import endpoints
from guitaronline.webhooks.models import DeliveryStatus, WebhookDelivery, WebhookEndpoint
from guitaronline.webhooks.planning import Happened, put_in_queue
from tests.admin.browser import Browser, signed_in
from tests.admin.posted import address_failed, posted
from tests.office.bulk import ask, carried_out
from tests.reconciliation.statements import charged, credit, line, matches, told
from tests.refunds.scripted import bought
from tests.refunds.scripted import told as told_of
from tests.settlements.files import GERMAN, stripe, stripe_row
from tests.settlements.imports import checked, imported
from tests.signing_in import code_of, signed_in_app
from tests.world import World, as_actor


class School:
    """A record of every kind, in the states in which people act on them; each is made on first use."""

    def __init__(self, world: World) -> None:
        self.world = world

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name) if hasattr(type(self), name) else getattr(self.world, name)

    def everything(self) -> list[Any]:
        return [self[name] for name, value in vars(School).items() if isinstance(value, cached_property)]

    @property
    def admin(self) -> Actor:
        return as_actor(self.world.ada)

    @property
    def finance(self) -> Actor:
        return as_actor(self.world.finn)

    @cached_property
    def child(self) -> User:
        return self.world.person("Mia", Role.STUDENT, email=None)

    @cached_property
    def guardian(self) -> Guardian:
        return identity.add_guardian(self.admin, self.child.id, guardian_id=self.world.ben.id)

    @cached_property
    def asleep(self) -> User:
        return identity.deactivate_person(self.admin, self.world.person("Carl", Role.STUDENT).id, reason="moved away")

    @cached_property
    def tester(self) -> User:
        return self.world.person("Tess", Role.STUDENT, is_test=True)

    @cached_property
    def unreachable(self) -> User:
        """Mail to Una does not arrive."""
        una = self.world.person("Una", Role.STUDENT)
        address_failed(una)
        return una

    @cached_property
    def merge(self) -> PersonMerge:
        one, other = (
            self.world.person("Eve", Role.STUDENT, email=f"{each}@people.example") for each in ("eve1", "eve2")
        )
        return merge_people(self.admin, one.id, loser_id=other.id, reason="one person")

    @cached_property
    def pair(self) -> DuplicatePair:
        self.world.person("Pam", Role.STUDENT, email="pam1@people.example", phone="1234567")
        self.world.person("Pam", Role.STUDENT, email="pam2@people.example", phone="123 4567")
        find_duplicates(self.admin)
        return session().scalars(select(DuplicatePair)).one()

    @cached_property
    def opening(self) -> OpeningImport:
        row = b"id,full_name\nS-1,Otto Opening\n"
        return check_files(self.admin, files={Sheet.PEOPLE: row})

    @cached_property
    def profile(self) -> TeacherProfile:
        return self._profile_of(self.world.tom)

    @cached_property
    def disabled_profile(self) -> TeacherProfile:
        theo = self.world.person("Theo", Role.TEACHER)
        return disable_teacher(self.admin, self._profile_of(theo).id, reason="ill")

    def _profile_of(self, teacher: User) -> TeacherProfile:
        return session().scalars(select(TeacherProfile).where(TeacherProfile.user_id == teacher.id)).one()

    @cached_property
    def package(self) -> Package:
        return self.world.package(lessons=9, price_minor=9000, expires_at=self.world.now + timedelta(days=90))

    @cached_property
    def frozen(self) -> Package:
        return billing.freeze_package(self.admin, self.world.package(self.world.ben, lessons=2).id, reason="ill")

    @cached_property
    def expired(self) -> Package:
        with clock.moved_by(timedelta(days=-20)):
            package = self.world.package(self.world.ben, lessons=3, expires_at=self.world.now + timedelta(days=5))
        billing.expire_packages(self.admin)
        return package

    @cached_property
    def waiting(self) -> Lesson:
        """Over, without an outcome."""
        return self._past_lesson(20)

    @cached_property
    def given(self) -> Lesson:
        return lessons.complete_lesson(self.admin, self._past_lesson(30).id)

    def _past_lesson(self, hours: int) -> Lesson:
        assert self.package
        with clock.moved_by(timedelta(days=-3)):
            booking = self.world.booking(self.world.slot(hours=hours))
        return session().scalars(select(Lesson).where(Lesson.booking_id == booking.id)).one()

    @cached_property
    def held(self) -> Booking:
        assert self.package
        return self.world.hold(self.world.slot(hours=70))

    @cached_property
    def booked(self) -> Booking:
        assert self.package
        return self.world.booking(self.world.slot(hours=50))

    @cached_property
    def substituted(self) -> Booking:
        assert self.package
        booking = self.world.booking(self.world.slot(hours=57))
        return substitute_booking(self.admin, booking.id, teacher_id=self.world.tina.id, reason="ill")

    @cached_property
    def series(self) -> LessonSeries:
        """Two weekly lessons of Ben with Tina."""
        self.world.package(self.world.ben, lessons=3)
        first = (self.world.now + timedelta(days=8)).date()
        term = Term(first, time(10), 60, count=2)
        wanted = weekly.Wanted(self.world.ben.id, self.world.tina.id, term)
        return weekly.create_series(self.admin, wanted=wanted, reason="weekly").series

    @cached_property
    def open_slot(self) -> Slot:
        return self.world.slot(hours=100)

    @cached_property
    def blocked(self) -> Slot:
        return block_slot(self.admin, self.world.slot(hours=90).id, reason="dentist")

    @cached_property
    def undecided(self) -> Booking:
        """Tina will be away then."""
        assert self.package
        booking = self.world.booking(self.world.slot(self.world.tina, hours=52))
        self._tina_away(booking)
        return booking

    @cached_property
    def kept(self) -> Booking:
        """Given although Tina is away."""
        assert self.package
        booking = self.world.booking(self.world.slot(self.world.tina, hours=62))
        self._tina_away(booking, Chosen(booking.id, Way.KEEP))
        return booking

    def _tina_away(self, booking: Booking, *decisions: Chosen) -> None:
        times = {"start_at": booking.start_at, "end_at": booking.end_at}
        create_time_off(self.admin, teacher_id=booking.teacher_id, decisions=decisions or None, **times)

    @property
    def last_month(self) -> Month:
        return month_of(self.world.now).before()

    @cached_property
    def rate(self) -> TeacherRate:
        today = self.world.now.date()
        return finance.set_rate(
            self.finance, teacher_id=self.world.tom.id, amount_minor=2000, currency="USD", valid_from=today
        )

    @cached_property
    def payable(self) -> TeacherProfile:
        """Tom, who did other work last month."""
        self._extra(self.world.tom)
        return self.profile

    @cached_property
    def statement(self) -> TeacherStatement:
        """Tina's of last month."""
        self._extra(self.world.tina)
        return finance.approve_statement(self.finance, teacher_id=self.world.tina.id, month=self.last_month)

    def _extra(self, teacher: User) -> None:
        facts = {"kind": "work", "amount_minor": 500, "currency": "USD", "reason": "open evening"}
        finance.add_extra(self.finance, teacher_id=teacher.id, month=self.last_month, **facts)  # type: ignore[arg-type]

    @cached_property
    def mapping(self) -> AccountMapping:
        facts = {"kind": "breakage", "debit_account": "2400", "credit_account": "4100"}
        return finance.map_accounts(self.finance, **facts)

    @cached_property
    def closure(self) -> Closure:
        day = (self.world.now + timedelta(days=30)).date()
        return create_closure(self.admin, name="Carnival", first_day=day, last_day=day)

    @cached_property
    def wait(self) -> WaitlistEntry:
        now = self.world.now
        wish = {"from_at": now, "until_at": now + timedelta(days=7)}
        return join_waitlist(self.admin, student_id=self.world.ben.id, teacher_id=self.world.tina.id, **wish)

    @cached_property
    def off(self) -> TimeOff:
        """Tina is away in five days."""
        start = self.world.now + timedelta(days=5)
        return create_time_off(
            self.admin, teacher_id=self.world.tina.id, start_at=start, end_at=start + timedelta(days=2)
        )

    @cached_property
    def busy(self) -> User:
        """Tina, with weekly hours."""
        monday = Window(frozenset([0]), time(15), time(18), 60)
        set_hours(self.admin, self.world.tina.id, windows=[monday])
        return self.world.tina

    @cached_property
    def subscriber(self) -> User:
        """Ann, with a calendar feed."""
        new_feed(as_actor(self.world.ann))
        return self.world.ann

    @cached_property
    def bank_file(self) -> SettlementFile:
        """Read to its end; waits for somebody to import it."""
        content = stripe(stripe_row(1), stripe_row(2))
        return checked(self.finance, content)

    @cached_property
    def imported_file(self) -> SettlementFile:
        return imported(self.finance, stripe(stripe_row(3), stripe_row(4)))

    @cached_property
    def refused_file(self) -> SettlementFile:
        return checked(self.finance, stripe(stripe_row(1, gross="x")))

    @cached_property
    def bank_profile(self) -> SettlementProfile:
        return create_profile(self.finance, name="Hausbank", mapping=GERMAN)

    @cached_property
    def plan(self) -> Plan:
        return billing.create_plan(self.admin, name="Ten", lessons_total=10, amount_minor=10_000)

    @cached_property
    def paid(self) -> Payment:
        return self._moved(self._payment(9000), "succeeded")

    @cached_property
    def awaited(self) -> Payment:
        return self._payment(100)

    @cached_property
    def failed(self) -> Payment:
        return self._moved(self._payment(200), "failed")

    @cached_property
    def refund(self) -> Refund | Approval:
        return billing.refund_payment(self.finance, self.paid.id, amount_minor=1000, reason="goodwill")

    @cached_property
    def tax_rate(self) -> TaxRate:
        return set_tax_rate(self.finance, country="DE", rate_bps=1900, valid_from=school_day(self.world.now))

    @cached_property
    def seller(self) -> Seller:
        assert self.tax_rate
        party = Party("Example School", street="Road 1", postal_code="10115", city="Berlin", country="DE")
        return set_seller(self.finance, party=party)

    @cached_property
    def invoice(self) -> Invoice:
        """Of Ben, with a credit note."""
        assert self.seller
        package = self.world.package(self.world.ben, lessons=10, origin="purchase", price_minor=11_900)
        payment = billing.record_payment(self.finance, package_id=package.id, amount_minor=11_900, currency="USD")
        self._moved(payment, "succeeded")
        refund = billing.refund_payment(self.finance, payment.id, amount_minor=1_190, reason="goodwill")
        billing.settle_refund(self.finance, refund.id, succeeded=True)
        return session().scalars(select(Invoice).where(Invoice.payment_id == payment.id)).one()

    @cached_property
    def credit_note(self) -> CreditNote:
        return session().scalars(select(CreditNote).where(CreditNote.invoice_id == self.invoice.id)).one()

    @cached_property
    def approval(self) -> Approval:
        return self._moved(self._payment(70_000), "succeeded")

    @cached_property
    def match(self) -> Match:
        """A line that is a payment."""
        charged(self.world, "pi_1")
        told([line("txn_1", 4_900, self.world.now.date(), intent_id="pi_1")])
        run_matching(SYSTEM)
        return matches(session())[0]

    @cached_property
    def unexplained(self) -> ReconciliationException:
        """Money that nobody knows."""
        told([credit("b1", 123, self.world.now.date())])
        run_matching(SYSTEM)
        query = select(ReconciliationException).where(ReconciliationException.value_minor == 123)
        return session().scalars(query).one()

    @cached_property
    def ignored(self) -> ReconciliationException:
        return ignore_exception(self.finance, self.unexplained.id, reason="a test of the bank")

    @cached_property
    def lagging(self) -> ReconciliationException:
        """A payment that failed here, and whose money came."""
        charged(self.world, "pi_late", amount=4_800, status="failed")
        told([line("txn_late", 4_800, self.world.now.date(), intent_id="pi_late")])
        run_matching(SYSTEM)
        query = select(ReconciliationException).where(ReconciliationException.category == Category.STATE)
        return session().scalars(query.order_by(ReconciliationException.id.desc())).first()  # type: ignore[return-value]

    def awaits(self, amount_minor: int) -> Payment:
        package = self.world.package(self.world.ben, lessons=4, price_minor=amount_minor, origin="purchase")
        return billing.record_payment(self.finance, package_id=package.id, amount_minor=amount_minor, currency="USD")

    @cached_property
    def unbilled(self) -> Payment:
        """Paid before the school issued invoices."""
        assert [self.paid, self.seller]
        return self.paid

    @cached_property
    def period(self) -> ReconciliationPeriod:
        """A day on which nothing happened yet, prepared."""
        day = self.world.now.date() - timedelta(days=400)
        return prepare_period(self.finance, first_on=day, last_on=day)

    @cached_property
    def contract(self) -> FeeContract:
        day = self.world.now.date()
        return add_fee_contract(
            self.finance, account="paypal", currency="USD", from_on=day, percent_bps=290, fixed_minor=30
        )

    @cached_property
    def own_approval(self) -> Approval:
        """Asked for by Ada herself."""
        asked = billing.set_payment_status(
            self.admin, self._payment(80_000).id, status="succeeded", reason="seen on the statement"
        )
        assert isinstance(asked, Approval)
        return asked

    @cached_property
    def seen_refund(self) -> Refund:
        """Of a payment through a provider, which paid it back by itself."""
        bought_by_ann = bought(self.world)
        facts = [told_of(bought_by_ann, FactKind.REFUNDED, 2, 4_900, refund_reference="re_own")]
        hear(SYSTEM, bought_by_ann.id, facts=facts)
        return session().scalars(select(Refund).where(Refund.payment_id == bought_by_ann.id)).one()

    @cached_property
    def dispute(self) -> Dispute:
        """Of Ben's payment by hand; it freezes nothing that the others use."""
        package = self.world.package(self.world.ben, lessons=4, price_minor=4_000)
        made = billing.record_payment(self.finance, package_id=package.id, amount_minor=4_000, currency="USD")
        paid = self._moved(made, "succeeded")
        return billing.open_dispute(self.finance, paid.id, amount_minor=4_000, reason="not known to the payer")

    def _payment(self, amount_minor: int) -> Payment:
        return billing.record_payment(
            self.finance, package_id=self.package.id, amount_minor=amount_minor, currency="USD"
        )

    def _moved(self, payment: Payment, status: str) -> Any:
        return billing.set_payment_status(self.finance, payment.id, status=status, reason="seen")

    @cached_property
    def online(self) -> Payment:
        """Ann's, with a provider, awaited."""
        offer = billing.create_plan(self.admin, name="Online", lessons_total=5, amount_minor=5000)
        return billing.buy_plan(as_actor(self.world.ann), plan_id=offer.id).payment

    @cached_property
    def exception(self) -> PaymentException:
        """Too little came."""
        hear(SYSTEM, self.online.id, facts=[self._money(amount_minor=1)])
        return session().scalars(select(PaymentException)).one()

    @cached_property
    def provider_event(self) -> ProviderEvent:
        """Its payment never came."""
        raw = json.dumps(sandbox.body_of(self._money(payment_id=new_id()))).encode()
        header = signatures.signed(raw, policy.current().SANDBOX_SECRET, at=self.world.now)
        receive(PaymentProvider.SANDBOX, raw, {sandbox.SIGNATURE: header})
        return session().scalars(select(ProviderEvent)).one()

    def _money(self, **more: Any) -> ProviderFact:
        about = {"payment_id": self.online.id, "reference": "pay_1", "amount_minor": 5000, "currency": "USD"}
        return ProviderFact("evt_1", FactKind.PAID, self.world.now, **{**about, **more})

    @property
    def money_action(self) -> AuditAction:
        """The grant of the package: everybody who may read about money sees it."""
        query = select(AuditAction).where(AuditAction.record_id == self.package.id).order_by(AuditAction.id)
        return session().scalars(query).first()  # type: ignore[return-value]

    def look_as(self, person: User) -> dict[str, Any]:
        """The admin's newest browser views as that person; nothing is to be typed for it."""
        start_viewing(self.admin, person.id, session_id=self._newest_session(), reason="they called")
        return {}

    @cached_property
    def with_app(self) -> User:
        """Otto signs in with an authenticator app."""
        otto = self.world.person("Otto", Role.SUPPORT)
        identity.set_up_totp(SYSTEM, otto.id)
        return otto

    @cached_property
    def device(self) -> TokenFamily:
        """The admin's telephone."""
        return signed_in_app(self.world.ada)

    def code_of_new_app(self) -> str:
        """What an app shows that reads the secret from the page to set one up."""
        return code_of(next(totp.new_secrets(self._newest_session(), None)), self.world.now)

    def enrolled(self) -> dict[str, Any]:
        """The admin has an authenticator app; nothing is to be typed for it."""
        session_id = self._newest_session()
        second_factor.enroll(self.admin, self.world.ada.id, code=self.code_of_new_app(), session_id=session_id)
        return {}

    def _newest_session(self) -> UUID:
        """Of the admin's browsers."""
        newest = select(ConsoleSession.id).where(ConsoleSession.user_id == self.world.ada.id)
        session_id = session().scalars(newest.order_by(ConsoleSession.id.desc())).first()
        assert session_id
        return session_id

    @cached_property
    def view(self) -> SavedView:
        """An admin's, shared."""
        asked = {"search": "", "filters": {"state": "confirmed"}, "sort": "", "is_descending": False}
        return views.save_view(self.admin, desk="bookings", name="Confirmed", selection=asked, is_shared=True)

    @cached_property
    def own_view(self) -> SavedView:
        """An admin's, nobody else's."""
        return views.save_view(self.admin, desk="bookings", name="Mine", selection={})

    @cached_property
    def first_view(self) -> SavedView:
        """What support sees first."""
        view = views.save_view(self.admin, desk="bookings", name="First", selection={})
        return views.make_view_default(self.admin, view.id, role=Role.SUPPORT)

    @cached_property
    def open_task(self) -> Task:
        return self._task("Call")

    @cached_property
    def done_task(self) -> Task:
        return identity.finish_task(self.admin, self._task("Write").id)

    @cached_property
    def wanted(self) -> Export:
        """A large file that Ada waits for."""
        list_of_people = Wanted("people", Permission.READ_PEOPLE, ["full_name"], ExportFormat.CSV, "UTC")
        return request_export(self.admin, wanted=list_of_people)

    @cached_property
    def bulk_run(self) -> BulkRun:
        """Done a moment ago."""
        return carried_out(ask(self.admin, "slots.block", [self.world.slot(hours=110)]))

    @cached_property
    def open_run(self) -> BulkRun:
        return ask(self.admin, "slots.block", [self.world.slot(hours=120)])

    @cached_property
    def call(self) -> Task:
        return self._task("Call Ann about tomorrow", self.world.sue)

    @cached_property
    def service_key(self) -> ServiceKey:
        wanted = {"name": "Acme sync", "scopes": [KeyScope.BOOKINGS_READ], "days": 30, "reason": "a partner asked"}
        return create_service_key(self.admin, **wanted).key

    @cached_property
    def endpoint(self) -> WebhookEndpoint:
        return self._endpoint("Acme")

    @cached_property
    def disabled_endpoint(self) -> WebhookEndpoint:
        return endpoints.disable_endpoint(self.admin, self._endpoint("Old").id, reason="they left")

    def _endpoint(self, name: str) -> WebhookEndpoint:
        wanted = {"name": name, "url": "https://partner.example/hook", "topics": ["booking.confirmed"]}
        return endpoints.create_endpoint(
            self.admin, **wanted, owner_id=self.world.ada.id, reason="a partner asked"
        ).endpoint

    @cached_property
    def delivery(self) -> WebhookDelivery:
        """Given up."""
        assert self.endpoint
        now = self.world.now
        event = Happened(new_id(), "booking.confirmed", "bookings", self.booked.id, now)
        with technical_transaction() as current:
            put_in_queue(current, [self.endpoint.id], [event])
            current.execute(
                update(WebhookDelivery).values(status=DeliveryStatus.DEAD, closed_at=now, last_answer="500")
            )
        return session().scalars(select(WebhookDelivery)).one()

    @cached_property
    def sent_message(self) -> Message:
        return posted(self.told_of, self.world.ann, MessageStatus.SENT)

    @cached_property
    def dead_message(self) -> Message:
        return posted(self.told_of, self.world.ann, MessageStatus.FAILED)

    @cached_property
    def told_of(self) -> Booking:
        """A booking that is told of, and that nobody cancels meanwhile."""
        assert self.package
        return self.world.booking(self.world.slot(hours=130))

    def _task(self, title: str, owner: User | None = None) -> Task:
        about = {"record_type": "users", "record_id": self.world.ann.id}
        return identity.create_task(self.admin, title=title, owner_id=(owner or self.world.ada).id, **about)


@pytest.fixture
def school(world: World) -> School:
    return School(world)


@pytest.fixture
def ada(app: Flask, world: World) -> Browser:
    """An admin's browser."""
    return signed_in(app, world.ada)


def actions(name: str | None = None) -> int:
    """How many actions the audit has, of that name when one is given."""
    query = select(func.count()).select_from(AuditAction)
    session().rollback()
    return session().scalar(query if name is None else query.where(AuditAction.name == name)) or 0


def booking_again(booking: Booking) -> Booking:
    session().rollback()
    return session().get_one(Booking, booking.id, populate_existing=True)
