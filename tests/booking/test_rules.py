"""The rules by themselves, and the places where two of them must agree."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from sqlalchemy.orm import Session

from guitaronline import policy
from guitaronline.actor import SYSTEM, Actor, Role
from guitaronline.billing import ledger
from guitaronline.billing.models import Package, PackageStatus
from guitaronline.booking import cancellation, rules
from guitaronline.booking.models import Booking, BookingStatus, CancelCause
from guitaronline.db import new_id
from guitaronline.errors import Conflict
from guitaronline.states import moving
from guitaronline.unit_of_work import Work, command
from tests.world import World

NOW = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)  # the night the clocks go back in Europe


@pytest.mark.parametrize(
    ("status", "ends", "effective"),
    [
        (BookingStatus.HOLD, timedelta(microseconds=1), BookingStatus.HOLD),
        (BookingStatus.HOLD, timedelta(), BookingStatus.EXPIRED),
        (BookingStatus.CONFIRMED, timedelta(minutes=-5), BookingStatus.CONFIRMED),
        (BookingStatus.CANCELED, timedelta(minutes=-5), BookingStatus.CANCELED),
    ],
)
def test_a_lapsed_hold_reads_expired(status: BookingStatus, ends: timedelta, effective: BookingStatus) -> None:
    assert rules.effective_status(Booking(status=status, hold_expires_at=NOW + ends), NOW) is effective


@pytest.mark.parametrize(
    ("notice", "cause", "waive", "outcome"),
    [
        (timedelta(hours=24), "student", False, "returned"),
        (timedelta(hours=24) - timedelta(microseconds=1), "student", False, "forfeited"),
        (timedelta(minutes=1), "student", True, "returned"),
        (timedelta(minutes=1), "teacher", False, "returned"),
        (timedelta(minutes=1), "goodwill", False, "returned"),
    ],
)
def test_what_the_notice_costs(notice: timedelta, cause: str, waive: bool, outcome: str) -> None:
    booking = Booking(status=BookingStatus.CONFIRMED, start_at=NOW + notice, policy={"refund_window_hours": 24})
    package = Package(id=new_id(), reference="PKG-1", status=PackageStatus.ACTIVE, available=0)

    decision = cancellation.cancel_decision(
        booking, package, cause=CancelCause(cause), waive=waive, now=NOW, reinstate_days=30
    )

    assert decision.outcome == outcome
    assert decision.sentence()


@pytest.mark.parametrize(
    ("minutes", "spoken"),
    [(0, "0 minutes"), (1, "1 minute"), (119, "119 minutes"), (120, "2 hours"), (1505, "25 hours"), (4320, "3 days")],
)
def test_notice_in_words(minutes: int, spoken: str) -> None:
    assert cancellation.spoken(minutes) == spoken


def test_the_cause_of_whoever_says_nothing() -> None:
    causes = {
        role: cancellation.own_cause(Actor(new_id(), role))
        for role in (Role.STUDENT, Role.TEACHER, Role.SUPPORT, Role.ADMIN)
    }

    assert causes == {Role.STUDENT: "student", Role.TEACHER: "teacher", Role.SUPPORT: "school", Role.ADMIN: "school"}


class Compared(Conflict):
    """Ends the comparison: nothing of it is kept."""


@command("test.compare", on="packages")
def compare(
    work: Work, package_id: object, *, status: PackageStatus, ends: timedelta | None, frozen: bool, fault: bool
) -> None:
    """What the rule foresees and what the ledger does with the same package."""
    package = work.lock(Package, package_id)  # type: ignore[arg-type]
    booking_id = new_id()
    ledger.reserve(work, package, booking_id)
    ledger.consume(work, package, booking_id)
    with moving():
        package.status = status
    package.expires_at = work.now + ends if ends else None
    package.frozen_at, package.frozen_reason = (work.now - timedelta(days=9), "ill") if frozen else (None, None)
    seen = cancellation.package_after_return(
        package, now=work.now, students_fault=fault, reinstate_days=policy.current().PACKAGE_REINSTATE_DAYS
    )
    went = ledger.give_back(work, package, booking_id, 1, students_fault=fault)
    told = rules.purse_of(package)
    outcome = cancellation._home(seen)
    raise Compared(
        same=(seen == told, outcome.value.removesuffix("_bucket").replace("returned", "available") == went.bucket)
    )


@pytest.mark.parametrize(
    ("status", "days", "frozen", "fault"),
    [
        each
        for each in product(PackageStatus, (None, -5, 5, 50), (False, True), (False, True))
        if each[0] is not PackageStatus.PENDING and not (each[0] is PackageStatus.EXPIRED and each[1] in (None, 5, 50))
    ],
)
def test_the_preview_foresees_what_the_ledger_does(
    db: Session, world: World, status: PackageStatus, days: int | None, frozen: bool, fault: bool
) -> None:
    package = world.package(lessons=1 if status is PackageStatus.DEPLETED else 3)

    with pytest.raises(Compared) as compared:
        compare(
            SYSTEM, package.id, status=status, ends=timedelta(days=days) if days else None, frozen=frozen, fault=fault
        )

    assert compared.value.facts["same"] == (True, True)
