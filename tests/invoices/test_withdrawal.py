"""Who bought may withdraw for some days, and sees what would go back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy.orm import Session

from guitaronline import clock, policy
from guitaronline.actor import SYSTEM
from guitaronline.billing.invoices import consents
from guitaronline.billing.invoices.consents import notice_now, notice_of
from guitaronline.billing.invoices.refusals import NoticeUnknown
from guitaronline.billing.invoices.withdrawal import Withdrawal, withdrawal_of, withdrawal_until
from guitaronline.billing.models import Package, Payment
from guitaronline.lessons.service import complete_lesson
from guitaronline.unit_of_work import Work, command
from tests.invoices.office import bought, given_back
from tests.world import World, as_actor


@command("test.consent", on="packages")
def consent(work: Work, package_id: UUID, *, given: bool, text_version: str = consents.CURRENT) -> None:
    consents.note(work, work.lock(Package, package_id), given=given, text_version=text_version)


def seen(db: Session, payment: Payment, now: datetime) -> Withdrawal | None:
    db.rollback()
    return withdrawal_of(db, payment, db.get_one(Package, payment.package_id), now)


def give_a_lesson(world: World) -> datetime:
    """Ann takes one lesson; afterwards it is that late."""
    from sqlalchemy import select

    from guitaronline.db import session
    from guitaronline.lessons.models import Lesson

    booking = world.booking(world.slot(hours=2))
    lesson_id = session().scalars(select(Lesson.id).where(Lesson.booking_id == booking.id)).one()
    with clock.standing_at(booking.end_at):
        complete_lesson(as_actor(world.tom), lesson_id)
    return booking.end_at


def test_everything_goes_back_when_nothing_was_given(world: World, db: Session) -> None:
    made = bought(world, 10_000)

    found = seen(db, made, world.now)

    assert found is not None
    assert (found.is_open, found.refund_minor, found.delivered) == (True, 10_000, 0)


def test_who_agreed_pays_for_the_lessons_that_were_given(world: World, db: Session) -> None:
    made = bought(world, 10_000)
    consent(SYSTEM, made.package_id, given=True)
    after = give_a_lesson(world)

    found = seen(db, made, after)

    assert found is not None
    assert (found.is_open, found.refund_minor, found.delivered) == (True, 9_000, 1)


def test_who_did_not_agree_gets_everything_back(world: World, db: Session) -> None:
    made = bought(world, 10_000)
    consent(SYSTEM, made.package_id, given=False)
    after = give_a_lesson(world)

    found = seen(db, made, after)

    assert found is not None
    assert found.refund_minor == 10_000


def test_who_was_not_asked_gets_everything_back(world: World, db: Session) -> None:
    made = bought(world, 10_000)
    after = give_a_lesson(world)

    found = seen(db, made, after)

    assert found is not None
    assert (found.consent, found.refund_minor) == (None, 10_000)


def test_what_went_back_already_is_taken_off(world: World, db: Session) -> None:
    made = bought(world, 10_000)
    given_back(world, made, 4_000)

    found = seen(db, made, world.now)

    assert found is not None
    assert found.refund_minor == 6_000


def test_the_days_end_with_the_last_day_of_the_school() -> None:
    bought_at = datetime(2026, 3, 15, 23, 30, tzinfo=UTC)  # the 16th in Berlin, where the clocks change on the 29th

    with policy.changed(SCHOOL_TIMEZONE="Europe/Berlin"):
        until = withdrawal_until(bought_at, 14)

    assert until == datetime(2026, 3, 30, 22, tzinfo=UTC)


def test_after_the_last_day_it_is_over(world: World, db: Session) -> None:
    made = bought(world)
    until = seen(db, made, world.now)
    assert until is not None

    last, over = (seen(db, made, until.until - late) for late in (timedelta(seconds=1), timedelta(0)))

    assert (last and last.is_open, over and over.is_open) == (True, False)


def test_what_was_promised_at_the_purchase_holds(world: World, db: Session) -> None:
    made = bought(world)
    with policy.changed(WITHDRAWAL_DAYS=30):
        consent(SYSTEM, made.package_id, given=True)

    found = seen(db, made, world.now + timedelta(days=29))

    assert found is not None
    assert found.is_open


def test_where_there_is_no_such_right_nothing_is_shown(world: World, db: Session) -> None:
    made = bought(world)

    with policy.changed(WITHDRAWAL_DAYS=0):
        assert seen(db, made, world.now) is None


def test_a_gift_is_not_withdrawn_from(world: World, db: Session) -> None:
    from tests.billing.books import paid

    made = paid(world, world.package(lessons=5, price_minor=500), 500)

    assert seen(db, made, world.now) is None


def test_the_notice_names_the_days() -> None:
    with policy.changed(WITHDRAWAL_DAYS=21):
        assert "within 21 days" in notice_now().text


def test_without_the_right_the_notice_says_so() -> None:
    with policy.changed(WITHDRAWAL_DAYS=0):
        assert notice_now().text == consents.NO_RIGHT


def test_a_text_that_nobody_wrote_cannot_be_agreed_to(world: World) -> None:
    made = bought(world)

    with pytest.raises(NoticeUnknown):
        consent(SYSTEM, made.package_id, given=True, text_version="1999-01")
    with pytest.raises(NoticeUnknown):
        notice_of("1999-01", 14)
