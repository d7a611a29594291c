"""What people decide about exceptions, and that it can be taken back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline import policy
from guitaronline.actor import SYSTEM
from guitaronline.billing import queries as billing_queries
from guitaronline.billing.models import Approval, Payment, PaymentStatus
from guitaronline.billing.reconciliation import queries
from guitaronline.billing.reconciliation.models import Category, ExceptionStatus, ReconciliationException, Rule
from guitaronline.billing.reconciliation.service import (
    AlreadyMatched,
    ExceptionDecided,
    NoPersonalOwner,
    NotAState,
    NothingToMatch,
    SidesDiffer,
    SplitTooSmall,
    WriteOffTooLarge,
    accept_candidate,
    escalate,
    ignore_exception,
    run_matching,
    settle_by_match,
    split_line,
    undo_decision,
    undo_match,
    write_off,
)
from guitaronline.billing.refusals import ApprovalOutdated, ApproverIsRequester, ReasonRequired
from guitaronline.billing.service import decide_approval, refund_payment
from guitaronline.errors import NotAllowed
from tests.billing.books import is_refund, payment
from tests.reconciliation.statements import charged, credit, line, matches, the_exception, told, waiting
from tests.world import World, as_actor


@pytest.fixture
def today(world: World) -> Iterator[date]:
    return world.now.date()


def unknown_credit(today: date, amount: int = 4_900, **more: object) -> None:
    told([credit("b1", amount, today, **more)])
    run_matching(SYSTEM)


def test_the_likeliest_candidate_comes_first_and_says_why(world: World, db: Session, today: date) -> None:
    other = payment(world, world.package(world.ben), 4_900)
    likely = payment(world, world.package(), 4_900)
    payment(world, world.package(), 4_901)
    unknown_credit(today, counterparty="Anna", remittance=f"for {likely.reference}")

    found = queries.candidates(db, the_exception(db))

    assert [each.record.id for each in found] == [likely.id, other.id]
    assert "its reference stands in the text" in found[0].reasons


def test_an_accepted_candidate_is_a_match_in_the_persons_name(world: World, db: Session, today: date) -> None:
    awaited = payment(world, world.package(), 4_900)
    unknown_credit(today)

    done = accept_candidate(as_actor(world.finn), the_exception(db).id, other_id=awaited.id, reason="she rang")

    (made,) = matches(db)
    assert (made.payment_id, made.rule, made.matched_by, made.id) == (
        awaited.id,
        Rule.PERSON,
        world.finn.id,
        done.match_id,
    )
    assert done.status is ExceptionStatus.RESOLVED
    run_matching(SYSTEM)
    assert waiting(db) == [Category.STATE]  # the payment still says that it is awaited


def test_no_candidate_is_accepted_that_differs_by_a_minor_unit_or_is_taken(
    world: World, db: Session, today: date
) -> None:
    less = payment(world, world.package(), 4_899)
    taken = charged(world, "pi_1")
    told([line("txn_1", 4_900, today, intent_id="pi_1")])
    unknown_credit(today)
    waits = the_exception(db).id

    with pytest.raises(SidesDiffer):
        accept_candidate(as_actor(world.finn), waits, other_id=less.id)
    with pytest.raises(AlreadyMatched):
        accept_candidate(as_actor(world.finn), waits, other_id=taken.id)


def test_a_line_is_split_between_payments_that_make_its_amount(world: World, db: Session, today: date) -> None:
    both = [payment(world, world.package(), amount) for amount in (3_000, 1_900)]
    unknown_credit(today)
    assert {each.id for each in queries.parts_suggested(db, the_exception(db).line)} == {each.id for each in both}  # type: ignore[arg-type]

    split_line(as_actor(world.finn), the_exception(db).id, payment_ids=[each.id for each in both])

    assert [each.rule for each in matches(db)] == [Rule.SPLIT]
    run_matching(SYSTEM)
    assert [each.rule for each in matches(db)] == [Rule.SPLIT]


def test_a_split_needs_two_and_exactly_the_amount(world: World, db: Session, today: date) -> None:
    both = [payment(world, world.package(), amount).id for amount in (3_000, 1_901)]
    unknown_credit(today)

    with pytest.raises(SplitTooSmall):
        split_line(as_actor(world.finn), the_exception(db).id, payment_ids=both[:1])
    with pytest.raises(SidesDiffer):
        split_line(as_actor(world.finn), the_exception(db).id, payment_ids=both)


def test_ignoring_needs_a_reason_and_lasts(world: World, db: Session, today: date) -> None:
    unknown_credit(today)
    waits = the_exception(db).id

    with pytest.raises(ReasonRequired):
        ignore_exception(as_actor(world.finn), waits, reason=" ")
    ignore_exception(as_actor(world.finn), waits, reason="interest")
    run_matching(SYSTEM)

    assert waiting(db) == []
    with pytest.raises(ExceptionDecided):
        ignore_exception(as_actor(world.finn), waits, reason="interest")


def test_what_is_written_off_is_limited_by_role(world: World, db: Session, today: date) -> None:
    unknown_credit(today, 501)
    waits = the_exception(db).id

    with policy.changed(WRITE_OFF_FINANCE_MINOR=500, WRITE_OFF_ADMIN_MINOR=501):
        with pytest.raises(WriteOffTooLarge):
            write_off(as_actor(world.finn), waits, reason="small")
        assert write_off(as_actor(world.ada), waits, reason="small").status is ExceptionStatus.WRITTEN_OFF


def test_an_escalated_one_has_an_owner_who_may_decide(world: World, db: Session, today: date) -> None:
    unknown_credit(today)
    waits = the_exception(db).id

    with pytest.raises(NoPersonalOwner):
        escalate(as_actor(world.finn), waits, owner_id=world.sue.id, reason="help")
    given = escalate(as_actor(world.finn), waits, owner_id=world.ada.id, reason="help")

    assert (given.status, given.owner_id) == (ExceptionStatus.ESCALATED, world.ada.id)
    assert ignore_exception(as_actor(world.ada), waits, reason="interest").status is ExceptionStatus.IGNORED


def test_support_and_auditors_decide_nothing(world: World, db: Session, today: date) -> None:
    unknown_credit(today)

    with pytest.raises(NotAllowed):
        ignore_exception(as_actor(world.sue), the_exception(db).id, reason="x")
    with pytest.raises(NotAllowed):
        ignore_exception(as_actor(world.audrey), the_exception(db).id, reason="x")


def test_undoing_a_decision_undoes_its_match(world: World, db: Session, today: date) -> None:
    awaited = payment(world, world.package(), 4_900)
    unknown_credit(today)
    done = accept_candidate(as_actor(world.finn), the_exception(db).id, other_id=awaited.id)

    undo_decision(as_actor(world.finn), done.id, reason="wrong Ann")

    assert matches(db) == []
    assert the_exception(db).id == done.id


def failed_but_charged(world: World, today: date, amount: int = 4_900) -> None:
    charged(world, "pi_1", status="failed", amount=amount)
    told([line("txn_1", amount, today, intent_id="pi_1")])
    run_matching(SYSTEM)


def test_a_failed_payment_succeeds_by_its_match_when_a_second_person_allows_it(
    world: World, db: Session, today: date
) -> None:
    failed_but_charged(world, today)
    (made,) = matches(db)

    approval = settle_by_match(as_actor(world.finn), the_exception(db).id, reason="seen in the file")
    assert isinstance(approval, Approval)
    with pytest.raises(ApproverIsRequester):
        decide_approval(as_actor(world.finn), approval.id, approve=True)
    decide_approval(as_actor(world.ada), approval.id, approve=True)

    last = billing_queries.transitions_of(db, made.payment_id)[-1]  # type: ignore[arg-type]
    assert (last.from_status, last.to_status, last.cause) == ("failed", "succeeded", f"match:{made.id}")
    assert str(last.evidence).startswith("txn_1, 49.00 USD on ")
    run_matching(SYSTEM)
    assert waiting(db) == []
    assert world.reloaded(Payment, made.payment_id).status is PaymentStatus.SUCCEEDED  # type: ignore[arg-type]


def test_an_approval_whose_match_was_undone_is_outdated(world: World, db: Session, today: date) -> None:
    failed_but_charged(world, today)
    approval = settle_by_match(as_actor(world.finn), the_exception(db).id, reason="seen")
    undo_match(as_actor(world.ada), matches(db)[0].id, reason="not ours")

    with pytest.raises(ApprovalOutdated):
        decide_approval(as_actor(world.ada), approval.id, approve=True)


def test_only_a_state_that_lags_behind_is_settled(world: World, db: Session, today: date) -> None:
    unknown_credit(today)

    with pytest.raises(NotAState):
        settle_by_match(as_actor(world.finn), the_exception(db).id, reason="x")


def test_a_match_answers_no_question_of_sums_and_fees(world: World, db: Session, today: date) -> None:
    told([line("txn_1", -700, today, kind="payout", source_id="po_1", payout_id="po_1")])
    arrived = credit("b1", 700, today, remittance="others")
    told([arrived, credit("b2", 700, today)])
    run_matching(SYSTEM)
    (wrong_sum,) = [each for each in exceptions(db) if each.category is Category.PAYOUT_SUM]

    with pytest.raises(NothingToMatch):
        accept_candidate(as_actor(world.finn), wrong_sum.id, other_id=arrived["id"])

    assert world.again(wrong_sum).status is ExceptionStatus.OPEN


def test_a_payout_arrives_at_a_bank_and_nowhere_else(world: World, db: Session, today: date) -> None:
    charge = line("txn_2", 700, today, kind="adjustment", payout_id="po_1")
    told([line("txn_1", -700, today, kind="payout", source_id="po_1", payout_id="po_1"), charge])
    told([credit("b1", 700, today), credit("b2", 700, today)])
    run_matching(SYSTEM)
    (unclear,) = [each for each in exceptions(db) if each.line is not None and each.line.source_id == "po_1"]

    with pytest.raises(NothingToMatch):
        accept_candidate(as_actor(world.finn), unclear.id, other_id=charge["id"])


def test_undoing_the_match_opens_again_what_it_resolved(world: World, db: Session, today: date) -> None:
    awaited = payment(world, world.package(), 4_900)
    unknown_credit(today)
    done = accept_candidate(as_actor(world.finn), the_exception(db).id, other_id=awaited.id)

    undo_match(as_actor(world.finn), matches(db)[0].id, reason="wrong Ann")
    run_matching(SYSTEM)

    assert the_exception(db).id == done.id


def test_a_refund_that_a_person_matched_before_it_was_paid_out_waits_as_a_state(
    world: World, db: Session, today: date
) -> None:
    paid = charged(world, "pi_1")
    refund = is_refund(refund_payment(as_actor(world.finn), paid.id, amount_minor=900, reason="half"))
    told([line("txn_1", 4_900, today, intent_id="pi_1"), line("txn_2", -900, today, kind="refund")])
    run_matching(SYSTEM)

    accept_candidate(as_actor(world.finn), the_exception(db).id, other_id=refund.id)
    run_matching(SYSTEM)

    found = the_exception(db)
    assert (found.category, found.refund_id, found.value_minor) == (Category.STATE, refund.id, 900)


def test_payments_of_a_split_that_are_not_paid_wait_each_and_succeed_by_it(
    world: World, db: Session, today: date
) -> None:
    both = [payment(world, world.package(), amount) for amount in (3_000, 1_900)]
    unknown_credit(today)
    split_line(as_actor(world.finn), the_exception(db).id, payment_ids=[each.id for each in both])
    run_matching(SYSTEM)
    states = exceptions(db)
    assert {(each.category, each.payment_id) for each in states} == {(Category.STATE, each.id) for each in both}

    approval = settle_by_match(as_actor(world.finn), states[0].id, reason="seen in the file")
    decide_approval(as_actor(world.ada), approval.id, approve=True)
    run_matching(SYSTEM)

    assert waiting(db) == [Category.STATE]


def exceptions(db: Session) -> list[ReconciliationException]:
    """Those that wait, by the payment or line that they are about."""
    db.rollback()
    query = select(ReconciliationException).where(ReconciliationException.decided_at.is_(None))
    return list(db.scalars(query.order_by(ReconciliationException.natural_key)))
