"""Some students' banks ask for money back, and one student takes lessons instead of money."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from guitaronline.billing.models import Payment
from guitaronline.billing.service import answer_dispute, assign_dispute, credit_payment, decide_dispute, open_dispute
from guitaronline.db import session
from guitaronline.demo import cast, money
from guitaronline.demo.stage import School, Student

UNKNOWN = "the payer says that they do not know this payment"


def disputed(school: School, student: Student) -> None:
    """Open, looked after, its evidence due in a week."""
    student.until = school.ago(6)

    def paid(_: datetime, payment_id: UUID) -> None:
        school.on(school.ago(4), lambda now: _open(school, payment_id, UNKNOWN, due=now + timedelta(days=11)))

    _buy_first(school, student, paid)


def dispute_lost(school: School, student: Student) -> None:
    student.until = school.ago(21)
    _decided(school, student, "the card was stolen, says the bank", won=False)


def dispute_won(school: School, student: Student) -> None:
    student.pauses.append((school.ago(21), school.ago(8)))
    _decided(school, student, UNKNOWN, won=True)


def credited(school: School, student: Student) -> None:
    def paid(moment: datetime, payment_id: UUID) -> None:
        why = "the teacher fell ill; takes lessons later instead of money"
        school.on(
            moment + timedelta(days=3),
            lambda _: credit_payment(school.finance, payment_id, amount_minor=9_000, reason=why),
        )

    school.on(school.ago(14), lambda now: money.buy(school, student, now, cast.TEN, paid))


def _open(school: School, payment_id: UUID, why: str, *, due: datetime) -> UUID:
    amount = session().get_one(Payment, payment_id).amount_minor
    dispute = open_dispute(
        school.finance, payment_id, amount_minor=amount, fee_minor=1_500, evidence_due_at=due, reason=why
    )
    assign_dispute(school.finance, dispute.id, owner_id=school.finance.id, evidence_due_at=due)
    return dispute.id


def _decided(school: School, student: Student, why: str, *, won: bool) -> None:
    """Opened twenty days ago, answered, decided ten days later."""

    def opened(moment: datetime, payment_id: UUID) -> None:
        dispute_id = _open(school, payment_id, why, due=moment + timedelta(days=7))
        sent, end = "the pack, by the bank's portal", "the bank's letter"
        school.on(moment + timedelta(days=3), lambda _: answer_dispute(school.finance, dispute_id, reason=sent))
        school.on(
            moment + timedelta(days=10), lambda _: decide_dispute(school.finance, dispute_id, won=won, reason=end)
        )

    def paid(_: datetime, payment_id: UUID) -> None:
        school.on(school.ago(20), lambda now: opened(now, payment_id))

    _buy_first(school, student, paid)


def _buy_first(school: School, student: Student, then: money.Then) -> None:
    """Ten lessons on the first day, so that some are given and some are left."""
    plan = cast.KIDS if student.is_child else cast.TEN
    school.on(student.joins_at + timedelta(hours=2), lambda now: money.buy(school, student, now, plan, then))
