"""How students come by packages: bought by bank transfer, on trial, or on account."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from guitaronline.billing.models import Approval, PackageOrigin, PaymentStatus
from guitaronline.billing.service import decide_approval, grant_package, record_payment, sell_plan, set_payment_status
from guitaronline.demo import cast
from guitaronline.demo.cast import PlanPart
from guitaronline.demo.stage import School, Student
from guitaronline.money import Money

Then = Callable[[datetime, UUID], None]  # the moment, and the payment


def buy(school: School, student: Student, moment: datetime, plan: PlanPart, then: Then | None = None) -> UUID:
    """The plan is ordered now, the transfer comes within hours and is recorded, seen on the account and, above the
    limit, approved by a second person; `then` follows. Returns the package."""
    package = sell_plan(school.finance, student_id=student.known_id, plan_id=school.plans[plan.name])
    student.packages.append(package.id)

    def paid(when: datetime, payment_id: UUID) -> None:
        school.on(when + school.minutes(5, 90), lambda now: succeed(school, now, payment_id, then))

    price = Money(package.price_minor, package.currency)
    school.on(moment + school.minutes(20, 300), lambda now: record(school, now, package.id, price, paid))
    return package.id


def record(school: School, moment: datetime, package_id: UUID, price: Money, then: Then | None = None) -> UUID:
    payment = record_payment(
        school.finance,
        package_id=package_id,
        amount_minor=price.amount_minor,
        currency=price.currency,
        external_reference=school.transfer(),
    )
    if then:
        then(moment, payment.id)
    return payment.id


def succeed(school: School, moment: datetime, payment_id: UUID, then: Then | None = None) -> None:
    answer = set_payment_status(
        school.finance,
        payment_id,
        status=PaymentStatus.SUCCEEDED,
        evidence=f"bank statement {moment:%Y-%m-%d}, line {school.random.randint(1, 60)}",
    )
    if isinstance(answer, Approval):
        approval_id = answer.id
        school.on(moment + school.minutes(5, 60), lambda now: _approve(school, now, approval_id, payment_id, then))
    elif then:
        then(moment, payment_id)


def _approve(school: School, moment: datetime, approval_id: UUID, payment_id: UUID, then: Then | None) -> None:
    decide_approval(school.finance_second, approval_id, approve=True)
    if then:
        then(moment, payment_id)


def try_out(school: School, student: Student) -> UUID:
    """The first lesson is free."""
    package = sell_plan(
        school.finance, student_id=student.known_id, plan_id=school.plans[cast.TRIAL.name], origin=PackageOrigin.GRANTED
    )
    student.has_tried = True
    return package.id


def on_account(school: School, student: Student) -> UUID:
    """Lessons before the money."""
    package = sell_plan(
        school.finance,
        student_id=student.known_id,
        plan_id=school.plans[student.plan.name],
        origin=PackageOrigin.ON_ACCOUNT,
        reason="company pays by monthly invoice",
    )
    student.packages.append(package.id)
    return package.id


def gift(
    school: School,
    student: Student,
    lessons: int,
    *,
    expires_at: datetime | None,
    reason: str,
    minutes: int | None = None,
) -> UUID:
    """Free lessons, as long as the student's are unless it says otherwise."""
    package = grant_package(
        school.finance,
        student_id=student.known_id,
        lessons_total=lessons,
        lesson_minutes=minutes or student.teacher.part.minutes,
        expires_at=expires_at,
        reason=reason,
    )
    student.packages.append(package.id)
    return package.id
