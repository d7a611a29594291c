"""A day on which something waits in every queue of Today."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select, update

from guitaronline import clock, policy
from guitaronline.actor import SYSTEM, Role
from guitaronline.audit.models import CheckRun, JobTick, OutboxEvent, OutboxStatus
from guitaronline.billing import service as billing
from guitaronline.billing.facts import hear
from guitaronline.billing.models import Package, Payment, PaymentProvider
from guitaronline.billing.provider_models import EventStatus, PaymentAsk, ProviderEvent
from guitaronline.billing.providers import FactKind, ProviderFact
from guitaronline.billing.reconciliation.models import ReconciliationException
from guitaronline.billing.reconciliation.service import escalate, run_matching
from guitaronline.booking.models import Booking
from guitaronline.db import new_id, session, technical_transaction
from guitaronline.identity.models import User
from guitaronline.identity.service import create_task
from guitaronline.lessons import service as lessons
from guitaronline.lessons.models import Lesson
from guitaronline.notifications.models import MessageStatus
from guitaronline.teachers.models import TeacherProfile
from guitaronline.teachers.service import disable_teacher
from tests.admin.posted import address_failed, posted
from tests.reconciliation.statements import credit
from tests.reconciliation.statements import told as lines_came
from tests.refunds.scripted import bought, told
from tests.settlements.files import stripe, stripe_row
from tests.settlements.imports import checked
from tests.world import World, as_actor

DAY = timedelta(days=1)


def busy_day(world: World) -> None:
    """One of everything that waits; people and money of one queue stay out of the others where they can."""
    bookings_wait(world)
    lessons_wait(world)
    money_waits(world)
    providers_wait(world)
    disputes_wait(world)
    exceptions_wait(world)
    checked(as_actor(world.finn), stripe(stripe_row(1)))
    packages_wait(world)
    messages_wait(world)
    system_waits(world)
    create_task(
        as_actor(world.ada), record_type="users", record_id=world.ann.id, title="Call Ann", owner_id=world.ada.id
    )


def bookings_wait(world: World) -> None:
    world.package(lessons=9)
    world.hold(world.slot(hours=70))
    world.booking(world.slot(world.tina, hours=90))
    profile = session().scalars(select(TeacherProfile).where(TeacherProfile.user_id == world.tina.id)).one()
    disable_teacher(as_actor(world.ada), profile.id, reason="ill")


def lessons_wait(world: World) -> None:
    world.booking(world.slot(hours=30))
    past_lesson(world, world.ann, days=2)


def money_waits(world: World) -> None:
    unpaid = world.package(world.ben, lessons=4, price_minor=9000)
    world.hold(world.slot(hours=71), world.ben)
    paid = recorded(world, world.package(price_minor=9000), 9000)
    billing.set_payment_status(as_actor(world.finn), paid.id, status="succeeded", reason="seen")
    billing.refund_payment(as_actor(world.finn), paid.id, amount_minor=100, reason="goodwill")
    failed = recorded(world, unpaid, 9000)
    billing.set_payment_status(as_actor(world.finn), failed.id, status="failed", reason="bounced")
    recorded(world, world.package(price_minor=100), 100)
    large = recorded(world, world.package(price_minor=70_000), 70_000)
    billing.set_payment_status(as_actor(world.finn), large.id, status="succeeded", reason="seen")
    old = world.package(price_minor=300)
    with clock.moved_by(-2 * DAY):
        recorded(world, old, 300)


def providers_wait(world: World) -> None:
    """Too little came for one payment, and of another nobody knows; an event is about one that never came."""
    plan = billing.create_plan(as_actor(world.ada), name="Online", lessons_total=5, amount_minor=5000)
    short, silent = (billing.buy_plan(as_actor(world.person(n, Role.STUDENT)), plan_id=plan.id) for n in ("Ola", "Ole"))
    told = {"amount_minor": 1, "currency": "USD", "reference": "pay_1"}
    hear(SYSTEM, short.payment.id, facts=[ProviderFact("evt_1", FactKind.PAID, world.now, **told)])
    with technical_transaction() as current:
        asked = update(PaymentAsk).where(PaymentAsk.payment_id == silent.payment.id)
        current.execute(asked.values(unknown_since=PaymentAsk.ask_at))
        columns = {"provider": PaymentProvider.SANDBOX, "event_id": "evt_2", "body": b"", "status": EventStatus.DEAD}
        moments = dict.fromkeys(("received_at", "available_at", "closed_at"), clock.read(current))
        current.add(ProviderEvent(id=new_id(), **columns, **moments))


def disputes_wait(world: World) -> None:
    """A bank asks for money back, a provider paid some back by itself, and one person asked for what nobody else allows."""
    finn = as_actor(world.finn)
    disputed = recorded(world, world.package(world.person("Dana", Role.STUDENT), price_minor=9000), 9000)
    billing.set_payment_status(finn, disputed.id, status="succeeded", reason="seen")
    billing.open_dispute(finn, disputed.id, amount_minor=9000, reason="not known to the payer")
    seen = bought(world)
    hear(SYSTEM, seen.id, facts=[told(seen, FactKind.REFUNDED, 2, 4_900, refund_reference="re_own")])
    with policy.changed(ONE_PERSON_APPROVALS=True, OWNER_EMAIL="owner@school.example"):
        large = recorded(world, world.package(world.person("Dora", Role.STUDENT), price_minor=80_000), 80_000)
        billing.set_payment_status(finn, large.id, status="succeeded", reason="seen")


def recorded(world: World, package: Package, amount_minor: int) -> Payment:
    return billing.record_payment(
        as_actor(world.finn), package_id=package.id, amount_minor=amount_minor, currency="USD"
    )


def exceptions_wait(world: World) -> None:
    """Two lines of a bank that nobody knows; one was given to Ada."""
    day = world.now.date()
    lines_came([credit("b1", 123, day), credit("b2", 456, day)])
    run_matching(SYSTEM)
    query = select(ReconciliationException.id).where(ReconciliationException.value_minor == 456)
    escalate(as_actor(world.finn), session().scalars(query).one(), owner_id=world.ada.id, reason="who is this?")


def packages_wait(world: World) -> None:
    world.package(world.person("Seven", Role.STUDENT), expires_at=world.now + 3 * DAY)
    world.package(world.person("Thirty", Role.STUDENT), expires_at=world.now + 20 * DAY)
    world.package(world.person("Runa", Role.STUDENT), lessons=1)
    tried = world.person("Trudy", Role.STUDENT)
    world.package(tried, lessons=1, is_trial=True)
    given(world, past_lesson(world, tried, days=3))
    quiet = world.person("Quentin", Role.STUDENT)
    with clock.moved_by(-40 * DAY):
        world.package(quiet)
    given(world, past_lesson(world, quiet, days=30))


def messages_wait(world: World) -> None:
    """One that nobody could send, and somebody whose address does not work."""
    lost = world.person("Lottie", Role.STUDENT)
    posted(lost, lost, MessageStatus.FAILED)
    address_failed(lost)


def system_waits(world: World) -> None:
    now = world.now
    with technical_transaction() as technical:
        one = technical.scalars(select(OutboxEvent.id).limit(1)).one()
        technical.execute(update(OutboxEvent).where(OutboxEvent.id == one).values(status=OutboxStatus.DEAD, attempts=7))
        technical.add(JobTick(id=new_id(), job="checks.run", tick_at=now, started_at=now, outcome="failed: Broken"))
        technical.add(JobTick(id=new_id(), job="checks.run", tick_at=now - DAY * 2, outcome="failed: long ago"))
        technical.add(JobTick(id=new_id(), job="audit.seal", tick_at=now, started_at=now, outcome="done: 3"))
        technical.add(CheckRun(id=new_id(), at=now - DAY, seconds=1, findings={"findings": []}))
        broken = {"check": "I1 buckets", "facts": {"id": "x"}}
        technical.add(CheckRun(id=new_id(), at=now, seconds=1, findings={"findings": [broken, broken]}))


def past_lesson(world: World, student: User, *, days: int) -> Lesson:
    """A lesson that began `days` ago, without an outcome."""
    with clock.moved_by(timedelta(days=-days - 2)):
        booking: Booking = world.booking(world.slot(hours=48), student)
    return session().scalars(select(Lesson).where(Lesson.booking_id == booking.id)).one()


def given(world: World, lesson: Lesson) -> Lesson:
    return lessons.complete_lesson(as_actor(world.ada), lesson.id)
