"""Refunds of a provider's payment: asked once each, unknown is not failed, and whatever dies in between ends the same."""

from __future__ import annotations

import pytest
from psycopg2.extensions import connection as Connection
from sqlalchemy import text
from sqlalchemy.orm import Session

from guitaronline.billing import queries
from guitaronline.billing.models import PackageStatus, PaymentStatus, Refund, RefundStatus
from guitaronline.billing.refund_models import RefundCall
from guitaronline.billing.refusals import NotByHand, PaymentOfProvider, RefundUnderWay, RefundUnknown
from guitaronline.billing.service import cancel_refund, refund_payment, set_payment_status, settle_refund
from guitaronline.states import IllegalMove
from jobs.refunds import ask_providers
from tests.billing.books import buckets, is_refund, paid
from tests.refunds.scripted import Killed, Scripted, bought, package_of
from tests.world import World, as_actor


def asked(world: World, amount_minor: int | None = None) -> Refund:
    payment = bought(world)
    return is_refund(refund_payment(as_actor(world.finn), payment.id, amount_minor=amount_minor, reason="moved away"))


def again(owner: Connection) -> int:
    """The queue's clock runs on until every open call is due; then the job comes by."""
    with owner.cursor() as cursor:
        cursor.execute("UPDATE refund_calls SET due_at = clock_timestamp(), lease_until = NULL WHERE closed_at IS NULL")
    return ask_providers()


def call_of(db: Session, refund: Refund) -> RefundCall:
    db.rollback()
    return db.get_one(RefundCall, refund.id, populate_existing=True)


def test_the_provider_is_asked_and_the_refund_is_paid_out(world: World, provider: Scripted, db: Session) -> None:
    refund, provider.script = asked(world), ["yes"]
    assert buckets(package_of(refund.payment)) == {"revoked": 10}

    assert ask_providers() == 1

    fresh = world.again(refund)
    assert (fresh.status, fresh.provider_reference is not None) == (RefundStatus.SUCCEEDED, True)
    assert world.again(refund.payment).status is PaymentStatus.REFUNDED
    assert provider.sent == [str(refund.id)]
    assert call_of(db, refund).closed_at is not None
    assert ask_providers() == 0


def test_a_refusal_gives_room_and_lessons_back_and_finance_looks(world: World, provider: Scripted) -> None:
    refund, provider.script = asked(world), ["no"]

    ask_providers()

    fresh = world.again(refund)
    assert (fresh.status, fresh.needs_look) == (RefundStatus.FAILED, True)
    assert buckets(package_of(refund.payment)) == {"available": 10}
    assert is_refund(refund_payment(as_actor(world.finn), refund.payment_id, reason="again")).amount_minor == 49_000


def test_what_could_not_be_paid_out_gives_room_and_lessons_back(world: World, provider: Scripted) -> None:
    refund, provider.script = asked(world, 4_900), ["fails"]

    ask_providers()

    assert world.again(refund).status is RefundStatus.FAILED
    assert buckets(package_of(refund.payment)) == {"available": 10}


@pytest.mark.parametrize("line", ["lost", "silent"])
def test_no_answer_is_unknown_and_asked_again(
    world: World, provider: Scripted, owner: Connection, db: Session, line: str
) -> None:
    refund, provider.script = asked(world), [line, "yes"]

    ask_providers()
    assert world.again(refund).status is RefundStatus.PENDING
    assert (call_of(db, refund).attempts, call_of(db, refund).last_error) == (1, "provider_unknown")
    assert ask_providers() == 0  # not due before five minutes are over
    again(owner)

    assert world.again(refund).status is RefundStatus.SUCCEEDED
    assert len(provider.books) == 1
    assert provider.looked == 1


def test_a_no_to_the_question_is_none_to_a_refund_that_was_sent(
    world: World, provider: Scripted, owner: Connection
) -> None:
    refund, provider.script = asked(world), ["lost"]
    ask_providers()

    provider.is_closed = True
    again(owner)
    assert world.again(refund).status is RefundStatus.PENDING
    provider.is_closed = False
    again(owner)

    assert world.again(refund).status is RefundStatus.SUCCEEDED


def test_an_answer_that_breaks_us_keeps_no_other_waiting(world: World, provider: Scripted, db: Session) -> None:
    broken = asked(world, 10_000)
    good = is_refund(refund_payment(as_actor(world.finn), broken.payment_id, amount_minor=4_900, reason="besides"))
    provider.script = ["breaks", "yes"]

    assert ask_providers() == 2

    assert world.again(good).status is RefundStatus.SUCCEEDED
    assert (call_of(db, broken).last_error, call_of(db, broken).closed_at) == ("KeyError", None)
    assert ask_providers() == 0  # it is asked again later


def test_it_is_asked_again_after_five_minutes_an_hour_and_every_day(
    world: World, provider: Scripted, owner: Connection, db: Session
) -> None:
    refund, provider.script = asked(world), ["silent"] * 4
    waits = text("SELECT round(extract(epoch FROM due_at - clock_timestamp()) / 60) FROM refund_calls")

    found = [(again(owner), int(db.execute(waits).scalar_one()), db.rollback())[1] for _ in range(4)]

    assert found == [5, 60, 1440, 1440]
    assert call_of(db, refund).attempts == 4


def test_one_on_its_way_is_looked_for_and_never_sent_again(
    world: World, provider: Scripted, owner: Connection, db: Session
) -> None:
    refund, provider.script = asked(world), ["later"]
    ask_providers()
    kept, provider.books = provider.books, {}
    assert call_of(db, refund).accepted_at is not None

    again(owner)
    assert world.again(refund).status is RefundStatus.PENDING
    provider.books = kept
    again(owner)

    assert world.again(refund).status is RefundStatus.SUCCEEDED
    assert provider.sent == [str(refund.id)]


def test_a_worker_killed_after_the_yes_comes_to_the_same_end(
    world: World, provider: Scripted, owner: Connection, db: Session
) -> None:
    refund, provider.script = asked(world), ["killed"]

    with pytest.raises(Killed):
        ask_providers()
    assert world.again(refund).status is RefundStatus.PENDING
    assert ask_providers() == 0  # the dead one's lease still runs
    again(owner)

    assert world.again(refund).status is RefundStatus.SUCCEEDED
    assert (len(provider.books), provider.sent) == (1, [str(refund.id)])
    assert queries.refunds_sum(db, refund.payment_id, RefundStatus.SUCCEEDED) == 49_000


def test_a_key_that_the_provider_may_have_forgotten_is_not_sent_again(
    world: World, provider: Scripted, owner: Connection, db: Session
) -> None:
    refund, provider.script = asked(world), ["silent"]
    ask_providers()
    with owner.cursor() as cursor:
        cursor.execute("UPDATE refund_calls SET first_sent_at = first_sent_at - interval '23 hours'")

    again(owner)

    assert provider.sent == [str(refund.id)]
    assert world.again(refund).status is RefundStatus.PENDING
    settled = settle_refund(as_actor(world.finn), refund.id, succeeded=False, reason="not in their books either")
    assert settled.status is RefundStatus.FAILED
    assert call_of(db, refund).closed_at is not None


def test_while_it_is_unknown_nothing_more_is_refunded_and_it_is_asked_at_once(world: World, provider: Scripted) -> None:
    refund, provider.script = asked(world, 10_000), ["lost"]
    ask_providers()

    with pytest.raises(RefundUnknown) as refusal:
        refund_payment(as_actor(world.finn), refund.payment_id, amount_minor=1, reason="a cent more")
    assert refusal.value.facts == {"refunds": [refund.reference]}
    assert ask_providers() == 1

    assert world.again(refund).status is RefundStatus.SUCCEEDED
    is_refund(refund_payment(as_actor(world.finn), refund.payment_id, amount_minor=1, reason="a cent more"))


def test_a_provider_refund_is_settled_by_nobodys_hand(world: World, provider: Scripted) -> None:
    refund = asked(world)

    for succeeded in (True, False):
        with pytest.raises(NotByHand):
            settle_refund(as_actor(world.finn), refund.id, succeeded=succeeded, reason="I know it")
    assert world.again(refund).status is RefundStatus.PENDING


@pytest.mark.parametrize("status", ["pending", "failed", "refunded"])
def test_a_provider_payment_is_moved_by_nobodys_hand(world: World, status: str) -> None:
    payment = bought(world)

    with pytest.raises(PaymentOfProvider):
        set_payment_status(as_actor(world.finn), payment.id, status=status, reason="I say so", evidence="I saw it")
    assert set_payment_status(as_actor(world.finn), payment.id, status="succeeded", reason="x").id == payment.id


def test_a_refund_is_withdrawn_before_it_is_asked_for_and_not_after(world: World, provider: Scripted) -> None:
    first = asked(world, 10_000)
    cancel_refund(as_actor(world.finn), first.id, reason="stays")
    assert ask_providers() == 0
    assert buckets(package_of(first.payment)) == {"available": 10}

    second = is_refund(refund_payment(as_actor(world.finn), first.payment_id, amount_minor=10_000, reason="no"))
    provider.script = ["silent"]
    ask_providers()

    with pytest.raises(RefundUnderWay):
        cancel_refund(as_actor(world.finn), second.id, reason="stays")


def test_a_refund_by_hand_waits_for_a_person(world: World, provider: Scripted, db: Session) -> None:
    made = paid(world, world.package(lessons=10, price_minor=49_000))
    refund = is_refund(refund_payment(as_actor(world.finn), made.id, reason="moved away"))

    assert ask_providers() == 0
    assert db.get(RefundCall, refund.id) is None
    assert settle_refund(as_actor(world.finn), refund.id, succeeded=True).status is RefundStatus.SUCCEEDED
    with pytest.raises(IllegalMove):
        settle_refund(as_actor(world.finn), refund.id, succeeded=False, reason="came back")
    assert package_of(made).status is PackageStatus.REVOKED
