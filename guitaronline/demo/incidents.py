"""What happens to some students only, so that every state of packages and payments can be looked at.

One incident a student, in the order of their numbers; later students have none. Each plans what happens when.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from guitaronline.billing.models import Approval, PaymentStatus, Refund
from guitaronline.billing.service import (
    adjust_lessons,
    cancel_refund,
    decide_approval,
    extend_package,
    freeze_package,
    refund_payment,
    reinstate_package,
    revoke_package,
    sell_plan,
    set_payment_status,
    settle_refund,
    unfreeze_package,
)
from guitaronline.demo import cast, disputes, money
from guitaronline.demo.stage import School, Student
from guitaronline.identity.service import deactivate_person
from guitaronline.money import Money

VOUCHER = "birthday voucher for lessons of 45 minutes"  # which nobody offers: it stays unused

Incident = Callable[[School, Student], None]


def befall(school: School) -> None:
    """Plan the incidents. They concern students who are there from the beginning; number 0 can be signed in as."""
    there = [each for each in school.students if each.number > 0 and each.joins_at < school.first_day]
    for student, incident in zip(there, INCIDENTS, strict=False):
        incident(school, student)


def ill_and_frozen(school: School, student: Student) -> None:
    student.until = school.ago(8)
    package_id = _have_many(school, student)
    frozen = "broken wrist, doctor's note until next month"
    school.on(school.ago(7), lambda _: freeze_package(school.support, package_id(), reason=frozen))


def frozen_and_back(school: School, student: Student) -> None:
    student.pauses.append((school.ago(20), school.ago(11)))
    package_id = _have_many(school, student)
    school.on(school.ago(19), lambda _: freeze_package(school.support, package_id(), reason="disputed invoice"))
    school.on(school.ago(12), lambda _: unfreeze_package(school.support, package_id(), reason="settled"))


def gift_expired(school: School, student: Student) -> None:
    school.on(
        school.ago(35), lambda _: money.gift(school, student, 8, expires_at=school.ago(10), reason=VOUCHER, minutes=45)
    )


def gift_reinstated(school: School, student: Student) -> None:
    def give(_: datetime) -> None:
        package_id = money.gift(school, student, 8, expires_at=school.ago(14), reason=VOUCHER, minutes=45)
        again = "was in hospital when it expired"
        school.on(school.ago(9), lambda _: reinstate_package(school.finance, package_id, reason=again))

    school.on(school.ago(35), give)


def lessons_adjusted(school: School, student: Student) -> None:
    def give(_: datetime) -> None:
        package_id = money.gift(school, student, 10, expires_at=None, reason=VOUCHER, minutes=45)
        fewer, back = "two lessons were counted on paper", "one of them was given by mistake"
        school.on(school.ago(15), lambda _: adjust_lessons(school.support, package_id, lessons=-2, reason=fewer))
        school.on(school.ago(14), lambda _: adjust_lessons(school.finance, package_id, lessons=1, reason=back))

    school.on(school.ago(16), give)


def granted_by_mistake(school: School, student: Student) -> None:
    def give(moment: datetime) -> None:
        package_id = money.gift(school, student, 10, expires_at=None, reason=VOUCHER, minutes=45)
        wrong = "meant for somebody of the same name"
        school.on(moment + timedelta(hours=2), lambda _: revoke_package(school.finance, package_id, reason=wrong))

    school.on(school.ago(12), give)


def package_extended(school: School, student: Student) -> None:
    package_id = _have_many(school, student)
    until = school.now + timedelta(days=300)
    why = "two weeks abroad"
    school.on(school.ago(6), lambda _: extend_package(school.support, package_id(), expires_at=until, reason=why))


def pays_by_invoice(school: School, student: Student) -> None:
    school.on(student.joins_at + timedelta(hours=3), lambda _: money.on_account(school, student))


def partly_refunded(school: School, student: Student) -> None:
    def paid(moment: datetime, payment_id: UUID) -> None:
        school.on(
            moment + timedelta(days=4), lambda now: _refund(school, now, payment_id, settled=True, amount_minor=9_000)
        )

    school.on(school.ago(25), lambda now: money.buy(school, student, now, cast.TEN, paid))


def fully_refunded(school: School, student: Student) -> None:
    why = "moved away, nothing was used"

    def paid(moment: datetime, payment_id: UUID) -> None:
        when = moment + timedelta(hours=2)
        school.on(
            when, lambda _: set_payment_status(school.finance, payment_id, status=PaymentStatus.REFUNDED, reason=why)
        )

    school.on(school.ago(13), lambda now: money.buy(school, student, now, _whole_package(student), paid))


def payment_failed(school: School, student: Student) -> None:
    school.on(school.ago(10), lambda now: _order(school, student, now, fails=True))


def payment_failed_then_came(school: School, student: Student) -> None:
    def failed(moment: datetime, payment_id: UUID) -> None:
        school.on(moment + timedelta(days=2), lambda now: money.succeed(school, now, payment_id))

    school.on(school.ago(18), lambda now: _order(school, student, now, fails=True, then=failed))


def payment_awaited(school: School, student: Student) -> None:
    school.on(school.ago(hours=9), lambda now: _order(school, student, now))


def payment_awaits_approval(school: School, student: Student) -> None:
    def recorded(moment: datetime, payment_id: UUID) -> None:
        evidence = f"bank statement {moment:%Y-%m-%d}, line 3"
        when = moment + timedelta(hours=1)
        school.on(
            when,
            lambda _: set_payment_status(school.finance, payment_id, status=PaymentStatus.SUCCEEDED, evidence=evidence),
        )

    school.on(school.ago(1), lambda now: _order(school, student, now, plan=cast.TWENTY, then=recorded))


def refund_awaits_approval(school: School, student: Student) -> None:
    def paid(_: datetime, payment_id: UUID) -> None:
        why = "cannot come any more, asks for everything back"
        school.on(
            school.ago(hours=6), lambda _: refund_payment(school.finance, payment_id, amount_minor=60_000, reason=why)
        )

    school.on(school.ago(5), lambda now: money.buy(school, student, now, cast.TWENTY, paid))


def refund_rejected(school: School, student: Student) -> None:
    def paid(moment: datetime, payment_id: UUID) -> None:
        school.on(moment + timedelta(days=3), lambda now: _ask_in_vain(school, now, payment_id))

    school.on(school.ago(15), lambda now: money.buy(school, student, now, cast.TWENTY, paid))


def refund_bounced(school: School, student: Student) -> None:
    def paid(moment: datetime, payment_id: UUID) -> None:
        school.on(
            moment + timedelta(days=1), lambda now: _refund(school, now, payment_id, settled=False, amount_minor=7_000)
        )

    school.on(school.ago(16), lambda now: money.buy(school, student, now, cast.TEN, paid))


def refund_on_its_way(school: School, student: Student) -> None:
    def paid(_: datetime, payment_id: UUID) -> None:
        school.on(school.ago(hours=20), lambda now: _refund(school, now, payment_id, settled=None, amount_minor=8_000))

    school.on(school.ago(6), lambda now: money.buy(school, student, now, cast.TEN, paid))


def refund_withdrawn(school: School, student: Student) -> None:
    def paid(moment: datetime, payment_id: UUID) -> None:
        school.on(moment + timedelta(days=1), lambda now: _refund_and_withdraw(school, now, payment_id))

    school.on(school.ago(11), lambda now: money.buy(school, student, now, cast.TEN, paid))


def left_the_school(school: School, student: Student) -> None:
    student.until = school.ago(11)
    school.on(school.ago(9), lambda _: deactivate_person(school.support, student.known_id, reason="moved abroad"))


def _have_many(school: School, student: Student) -> Callable[[], UUID]:
    """Ten lessons, bought on the first day, so that there is something left to freeze or extend; asked for later."""
    plan = cast.KIDS if student.is_child else cast.TEN
    school.on(student.joins_at + timedelta(hours=2), lambda now: money.buy(school, student, now, plan))
    return lambda: student.packages[0]


def _whole_package(student: Student) -> cast.PlanPart:
    """A plan that the weekly life of this student does not touch: its lessons have another length."""
    return cast.TEN if student.is_child else cast.KIDS


def _order(
    school: School,
    student: Student,
    moment: datetime,
    *,
    fails: bool = False,
    plan: cast.PlanPart = cast.FOUR,
    then: money.Then | None = None,
) -> None:
    """A plan is ordered and its payment recorded; the payment fails at once, or is left as it is."""
    package = sell_plan(school.finance, student_id=student.known_id, plan_id=school.plans[plan.name])
    payment_id = money.record(school, moment, package.id, Money(package.price_minor, package.currency))
    if fails:
        set_payment_status(
            school.finance, payment_id, status=PaymentStatus.FAILED, reason="the transfer was called back"
        )
    if then is not None:
        then(moment, payment_id)


def _refund(school: School, moment: datetime, payment_id: UUID, *, settled: bool | None, amount_minor: int) -> UUID:
    """Asked for now; paid out or bounced the next day, or (None) still on its way."""
    refund = refund_payment(school.finance, payment_id, amount_minor=amount_minor, reason="wants fewer lessons")
    assert isinstance(refund, Refund)
    if settled is not None:
        why = "paid out" if settled else "the account was closed"
        school.on(
            moment + timedelta(days=1),
            lambda _: settle_refund(school.finance, refund.id, succeeded=settled, reason=why),
        )
    return refund.id


def _refund_and_withdraw(school: School, moment: datetime, payment_id: UUID) -> None:
    refund_id = _refund(school, moment, payment_id, settled=None, amount_minor=8_000)
    school.on(
        moment + timedelta(hours=5),
        lambda _: cancel_refund(school.finance, refund_id, reason="keeps the lessons after all"),
    )


def _ask_in_vain(school: School, moment: datetime, payment_id: UUID) -> None:
    approval = refund_payment(school.finance, payment_id, amount_minor=60_000, reason="wants to stop")
    assert isinstance(approval, Approval)
    why = "half of the lessons are still to be taken; talk to the student first"
    school.on(
        moment + timedelta(hours=4),
        lambda _: decide_approval(school.finance_second, approval.id, approve=False, reason=why),
    )


INCIDENTS: tuple[Incident, ...] = (
    partly_refunded,
    fully_refunded,
    payment_awaits_approval,
    refund_awaits_approval,
    gift_expired,
    ill_and_frozen,
    payment_failed,
    payment_awaited,
    lessons_adjusted,
    granted_by_mistake,
    gift_reinstated,
    pays_by_invoice,
    payment_failed_then_came,
    refund_rejected,
    refund_bounced,
    refund_on_its_way,
    refund_withdrawn,
    package_extended,
    frozen_and_back,
    left_the_school,
    disputes.disputed,
    disputes.dispute_lost,
    disputes.dispute_won,
    disputes.credited,
)
