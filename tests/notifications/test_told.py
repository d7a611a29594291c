"""The other kinds, each from what happens to what is read: money, series, offers, time off, approvals."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest
from sqlalchemy.orm import Session

from guitaronline import clock, policy
from guitaronline.actor import SYSTEM
from guitaronline.billing.models import Payment
from guitaronline.billing.service import expire_packages, record_payment, set_payment_status
from guitaronline.booking.absences import cancel_time_off, create_time_off
from guitaronline.booking.series import Wanted, create_series
from guitaronline.booking.series_moving import NewTime, move_series
from guitaronline.booking.series_rules import Term
from guitaronline.booking.service import cancel_booking
from guitaronline.booking.waitlist import join_waitlist
from guitaronline.identity.service import edit_person
from jobs import waitlist as rounds
from tests.notifications.telling import because, forget, mail_to, tell_all, told, words
from tests.world import World, as_actor

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)  # a Monday


def paid(world: World, amount_minor: int = 4900) -> Payment:
    """Ann's package, paid by hand."""
    payment = record_payment(
        as_actor(world.finn),
        package_id=world.package(price_minor=amount_minor).id,
        amount_minor=amount_minor,
        currency="USD",
    )
    set_payment_status(as_actor(world.finn), payment.id, status="succeeded", reason="cash")
    return payment


def test_a_payment_is_told_with_its_amount(db: Session, world: World) -> None:
    paid(world)
    tell_all(db)

    assert words(db, mail_to(db, world.ann, "payment_succeeded")).subject == "Payment received: $49.00"


def test_money_paid_back_is_told_once(db: Session, world: World) -> None:
    payment = paid(world)
    forget(db)
    set_payment_status(as_actor(world.finn), payment.id, status="refunded", reason="illness")
    tell_all(db)

    assert told(db) == [("payment_refunded", "Ann")]
    text = words(db, mail_to(db, world.ann, "payment_refunded")).text
    assert "We have paid back $49.00." in text


def test_a_failed_payment_that_succeeded_meanwhile_is_not_told(db: Session, world: World) -> None:
    package = world.package(price_minor=4900)
    payment = record_payment(as_actor(world.finn), package_id=package.id, amount_minor=4900, currency="USD")
    set_payment_status(as_actor(world.finn), payment.id, status="failed", reason="bounced")
    tell_all(db)
    message = mail_to(db, world.ann, "payment_failed")
    assert "Nothing was charged" in words(db, message).text

    set_payment_status(as_actor(world.finn), payment.id, status="succeeded", reason="cash", evidence="RCPT-1")

    assert because(db, message) == "paid"


def test_lessons_that_expired_are_told_where_any_were_lost(db: Session, world: World) -> None:
    with clock.moved_by(timedelta(days=-20)):
        world.package(lessons=3, expires_at=world.now + timedelta(days=5))
    forget(db)
    expire_packages(SYSTEM)
    tell_all(db)

    assert "3 lessons were not used and have expired." in words(db, mail_to(db, world.ann, "package_expired")).text


def test_a_package_is_told_when_it_can_be_used(db: Session, world: World) -> None:
    edit_person(as_actor(world.ada), world.ann.id, changes={"language": "de"})
    world.package(lessons=5)
    tell_all(db)

    assert words(db, mail_to(db, world.ann, "package_bought")).subject == "5 Stunden können gebucht werden"


def test_a_series_that_goes_to_another_teacher_is_told_to_all_three(db: Session, world: World) -> None:
    with clock.standing_at(NOW):
        world.package(lessons=4)
        assert world.tina
        term = Term((NOW + timedelta(days=7)).date(), time(15), 60, count=3)
        made = create_series(as_actor(world.ada), wanted=Wanted(world.ann.id, world.tom.id, term), reason="weekly")
        forget(db)
    with clock.standing_at(NOW + timedelta(days=1)):
        to = NewTime(weekday=1, start_local=time(16), teacher_id=world.tina.id)
        move_series(as_actor(world.ada), made.series.id, to=to, reason="a new job")
        tell_all(db)

        assert told(db) == [("series_moved", "Ann"), ("series_moved", "Tina"), ("series_moved_away", "Tom")]
        ann, tom = (
            words(db, mail_to(db, person, kind)).text
            for person, kind in ((world.ann, "series_moved"), (world.tom, "series_moved_away"))
        )

    assert "- Tue, 1 Dec 2026, 16:00 (UTC)" in ann
    assert "- Mon, 30 Nov 2026, 15:00 (UTC)" in tom


def test_an_offer_says_until_when_and_not_after_it(db: Session, world: World) -> None:
    slot = world.slot()
    world.package()
    world.package(world.ben)
    booking = world.booking(slot)
    join_waitlist(
        as_actor(world.ben), teacher_id=world.tom.id, from_at=world.now, until_at=world.now + timedelta(days=7)
    )
    cancel_booking(as_actor(world.ann), booking.id)
    forget(db)
    rounds.go_round()
    tell_all(db)

    message = mail_to(db, world.ben, "waitlist_offer")
    assert message.not_after is not None
    assert "You wait for a lesson with Tom. One has come free:" in words(db, message).text
    assert because(db, message, now=message.not_after + timedelta(seconds=1)) == "too_late"


def test_time_off_is_told_and_called_off(db: Session, world: World) -> None:
    start = world.now + timedelta(days=3)
    off = create_time_off(
        as_actor(world.tom), teacher_id=world.tom.id, start_at=start, end_at=start + timedelta(days=2)
    )
    tell_all(db)
    message = mail_to(db, world.tom, "time_off_created")
    assert "No lesson lies inside." in words(db, message).text

    cancel_time_off(as_actor(world.tom), off.id)
    tell_all(db)

    assert because(db, message) == "canceled"
    assert words(db, mail_to(db, world.tom, "time_off_canceled")).subject == "Your time off is called off"


@pytest.mark.parametrize("address", ["ada@people.example", "nobody@people.example"])
def test_the_owner_hears_of_what_one_person_asks_for(db: Session, world: World, address: str) -> None:
    assert world.ada
    package = world.package(price_minor=80_000)
    payment = record_payment(as_actor(world.finn), package_id=package.id, amount_minor=80_000, currency="USD")
    with policy.changed(ONE_PERSON_APPROVALS=True, OWNER_EMAIL=address):
        set_payment_status(as_actor(world.finn), payment.id, status="succeeded", reason="seen")
        tell_all(db)

    assert ("approval_alone", "Ada") in told(db)
    assert words(db, mail_to(db, world.ada, "approval_alone")).subject == "$800.00: asked for by one person"
