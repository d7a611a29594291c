"""The pure rules of packages and refunds, by tables of examples and by properties."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guitaronline.billing import rules
from guitaronline.billing.models import Package, PackageStatus

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def package(**more: Any) -> Package:
    facts: dict[str, Any] = {
        "status": PackageStatus.ACTIVE,
        "available": 1,
        "reserved": 0,
        "currency": "USD",
        "price_minor": 0,
    }
    return Package(**{**facts, **more})


def codes(given: Package, *, minutes: int = 60, start: datetime = NOW + timedelta(days=1)) -> list[str]:
    return [each.code for each in rules.package_problems(given, minutes=minutes, lesson_start=start, now=NOW)]


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({}, []),
        ({"status": PackageStatus.PENDING, "available": 0}, ["package_not_active"]),
        ({"status": PackageStatus.REVOKED, "available": 0}, ["package_not_active"]),
        ({"status": PackageStatus.EXPIRED, "available": 0}, ["package_expired"]),
        ({"expires_at": NOW}, ["package_expired"]),
        ({"expires_at": NOW + SECOND}, ["package_expires_before_lesson"]),
        ({"expires_at": NOW + timedelta(days=1)}, []),
        ({"expires_at": NOW + timedelta(days=1) - SECOND}, ["package_expires_before_lesson"]),
        ({"frozen_at": NOW, "expires_at": NOW - SECOND}, ["package_frozen"]),
        ({"lesson_minutes": 60}, []),
        ({"lesson_minutes": 45}, ["wrong_lesson_length"]),
        ({"available": 0, "reserved": 1}, ["no_lessons_left"]),
        ({"status": PackageStatus.DEPLETED, "available": 0}, ["no_lessons_left"]),
        (
            {"frozen_at": NOW, "lesson_minutes": 45, "available": 0},
            ["package_frozen", "wrong_lesson_length", "no_lessons_left"],
        ),
    ],
)
def test_every_reason_against_a_hold_is_named(facts: dict[str, Any], said: list[str]) -> None:
    assert codes(package(**facts)) == said


@pytest.mark.parametrize(
    ("expires_at", "status"),
    [
        (None, PackageStatus.ACTIVE),
        (NOW + SECOND, PackageStatus.ACTIVE),
        (NOW, PackageStatus.EXPIRED),
        (NOW - SECOND, PackageStatus.EXPIRED),
    ],
)
def test_an_overdue_package_reads_expired_before_any_job_ran(
    expires_at: datetime | None, status: PackageStatus
) -> None:
    assert rules.effective_package_status(package(expires_at=expires_at), NOW) is status


def test_a_frozen_packages_clock_stands() -> None:
    frozen = package(expires_at=NOW - timedelta(days=9), frozen_at=NOW - timedelta(days=10))

    assert rules.effective_package_status(frozen, NOW) is PackageStatus.ACTIVE


@pytest.mark.parametrize(
    ("facts", "until"),
    [
        ({"expires_at": None}, None),
        ({"expires_at": NOW - SECOND}, NOW + timedelta(days=30)),
        ({"expires_at": NOW + timedelta(days=29)}, NOW + timedelta(days=30)),
        ({"expires_at": NOW + timedelta(days=31)}, NOW + timedelta(days=31)),
        ({"expires_at": NOW, "frozen_at": NOW - timedelta(days=5)}, NOW + timedelta(days=25)),
    ],
)
def test_a_package_that_must_live_on_never_lives_shorter(facts: dict[str, Any], until: datetime | None) -> None:
    assert rules.lives_until(package(**facts), NOW, 30) == until


@pytest.mark.parametrize(
    ("paid", "committed", "total", "delivered", "refundable"),
    [
        (49_000, 0, 10, 0, 49_000),
        (49_000, 0, 10, 3, 34_300),
        (49_000, 34_300, 10, 3, 0),
        (49_000, 40_000, 10, 3, 0),
        (10_000, 0, 3, 1, 6_666),
        (10_000, 1, 3, 0, 9_999),
        (10_000, 0, 3, 3, 0),
        (1, 0, 1000, 1, 0),
    ],
)
def test_what_can_be_refunded(paid: int, committed: int, total: int, delivered: int, refundable: int) -> None:
    figures = rules.refund_figures(paid_minor=paid, committed_minor=committed, lessons_total=total, delivered=delivered)

    assert figures.refundable_minor == refundable


def test_what_was_paid_twice_can_all_be_refunded_and_takes_no_lesson() -> None:
    figures = rules.refund_figures(
        paid_minor=49_000, committed_minor=0, lessons_total=10, delivered=9, covered_otherwise=True
    )

    assert figures.refundable_minor == 49_000
    assert rules.lessons_to_revoke(figures, 49_000, revoked_before=0, available=1) == 0


@pytest.mark.parametrize(
    ("committed", "amount", "before", "available", "lessons"),
    [
        (0, 49_000, 0, 10, 10),
        (0, 4_899, 0, 10, 0),
        (0, 4_900, 0, 10, 1),
        (4_899, 1, 0, 10, 1),
        (4_900, 4_900, 1, 9, 1),
        (4_900, 44_100, 1, 4, 4),
        (0, 48_999, 0, 10, 9),
        (0, 24_500, 0, 2, 2),
    ],
)
def test_a_refund_takes_its_share_of_the_lessons(
    committed: int, amount: int, before: int, available: int, lessons: int
) -> None:
    figures = rules.refund_figures(paid_minor=49_000, committed_minor=committed, lessons_total=10, delivered=0)

    assert rules.lessons_to_revoke(figures, amount, revoked_before=before, available=available) == lessons


def test_a_deposit_refunded_takes_only_its_share() -> None:
    figures = rules.refund_figures(
        paid_minor=24_500, committed_minor=0, lessons_total=10, delivered=0, price_minor=49_000
    )

    assert rules.lessons_to_revoke(figures, 24_500, revoked_before=0, available=10) == 5


@given(
    paid=st.integers(1, 10**12),
    total=st.integers(1, 1000),
    data=st.data(),
)
def test_a_refund_never_exceeds_what_is_left_and_takes_no_lesson_that_is_not_there(
    paid: int, total: int, data: st.DataObject
) -> None:
    committed = data.draw(st.integers(0, paid))
    delivered = data.draw(st.integers(0, total))
    available = data.draw(st.integers(0, total))
    before = data.draw(st.integers(0, total))

    figures = rules.refund_figures(paid_minor=paid, committed_minor=committed, lessons_total=total, delivered=delivered)
    lessons = rules.lessons_to_revoke(figures, figures.refundable_minor, revoked_before=before, available=available)

    assert 0 <= figures.refundable_minor <= figures.left_minor
    assert 0 <= lessons <= available


@pytest.mark.parametrize(
    ("amount", "before", "asked"),
    [(50_000, 0, False), (50_001, 0, True), (1, 50_000, True), (25_000, 25_000, False), (25_000, 25_001, True)],
)
def test_the_limit_is_exclusive_and_summed(amount: int, before: int, asked: bool) -> None:
    assert rules.needs_approval(amount, before_minor=before, limit_minor=50_000) is asked


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"lessons_total": 0}, "lessons_total"),
        ({"lessons_total": 1001}, "lessons_total"),
        ({"lessons_total": 5, "lesson_minutes": 14}, "lesson_minutes"),
        ({"lessons_total": 5, "lesson_minutes": 241}, "lesson_minutes"),
        ({"lessons_total": 5, "expires_at": NOW}, "expires_at"),
        ({"lessons_total": 5, "expires_at": datetime.max.replace(tzinfo=UTC)}, "expires_at"),
        ({"lessons_total": 5, "price_minor": -1}, "price"),
        ({"lessons_total": 5, "price_minor": 10**12 + 1}, "price"),
        ({"lessons_total": 5, "currency": "usd"}, "currency"),
        ({"lessons_total": 5, "currency": "XXX"}, "currency"),
    ],
)
def test_a_package_that_cannot_be_made_says_why(facts: dict[str, Any], field: str) -> None:
    (reason,) = rules.order_problems(**facts, now=NOW)

    assert (reason.code, reason.pointer) == (f"{field}_invalid", f"/{field}")


@pytest.mark.parametrize(
    ("expires_at", "valid_days", "until"),
    [
        (None, None, None),
        (None, 90, NOW + timedelta(days=90)),
        (NOW + timedelta(days=3), 90, NOW + timedelta(days=3)),
        (NOW - SECOND, None, NOW + timedelta(days=10) - SECOND),
    ],
)
def test_a_late_payment_loses_no_day(
    expires_at: datetime | None, valid_days: int | None, until: datetime | None
) -> None:
    ordered_at = NOW - timedelta(days=10)

    assert (
        rules.expiry_when_activated(now=NOW, ordered_at=ordered_at, expires_at=expires_at, valid_days=valid_days)
        == until
    )
