"""What the database refuses by itself, each rule by its name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from guitaronline.billing.models import Approval, Package
from guitaronline.billing.service import create_plan, refund_payment, set_payment_status
from guitaronline.db import new_id
from tests.billing.books import is_refund, paid, payment
from tests.by_hand import by_hand, refused_by
from tests.world import World, as_actor


@pytest.fixture
def package(world: World) -> Package:
    return world.package(lessons=5)


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("available = available + 1", "ck_packages_buckets_add_up"),
        ("lessons_total = lessons_total + 1", "ck_packages_buckets_add_up"),
        ("available = available - 6, reserved = reserved + 6", "ck_packages_buckets_not_negative"),
        ("reserved = -1, available = 6", "ck_packages_buckets_not_negative"),
        ("consumed = -1, available = 6", "ck_packages_buckets_not_negative"),
        ("expired = -1, available = 6", "ck_packages_buckets_not_negative"),
        ("revoked = -1, available = 6", "ck_packages_buckets_not_negative"),
        ("available = 1001, lessons_total = 1001", "ck_packages_lessons_plausible"),
        ("lessons_ordered = 0", "ck_packages_order_plausible"),
        ("lessons_ordered = 1001", "ck_packages_order_plausible"),
        ("status = 'pending'", "ck_packages_pending_is_ordered"),
        ("price_minor = -1", "ck_packages_price_range"),
        ("price_minor = 1000000000001", "ck_packages_price_range"),
        ("currency = 'usd'", "ck_packages_currency_code"),
        ("frozen_at = now()", "ck_packages_frozen_with_reason"),
        ("frozen_reason = 'ill'", "ck_packages_frozen_with_reason"),
        ("expires_at = 'infinity'", "ck_packages_expiry_finite"),
        ("expires_at = '9999-01-01'", "ck_packages_expiry_finite"),
        ("status = 'lost'", "ck_packages_status_known"),
        ("origin = 'found'", "ck_packages_origin_known"),
        ("student_id = gen_random_uuid()", "fk_packages_student_id"),
        ("plan_id = gen_random_uuid()", "fk_packages_plan_id"),
        ("plan_price_id = gen_random_uuid()", "fk_packages_plan_price_id"),
    ],
)
def test_a_package_that_cannot_be_is_refused(db: Session, package: Package, change: str, constraint: str) -> None:
    with refused_by(constraint):
        by_hand(db, f"UPDATE packages SET {change} WHERE id = :id", id=package.id)


def test_references_are_their_own(world: World, db: Session, package: Package) -> None:
    other, made = world.package(), [payment(world, package) for _ in range(2)]
    refunds = [
        is_refund(refund_payment(as_actor(world.finn), paid(world, package).id, amount_minor=1, reason="x"))
        for _ in range(2)
    ]

    for table, (one, two) in {"packages": (package, other), "payments": made, "refunds": refunds}.items():
        with refused_by(f"uq_{table}_reference"):
            by_hand(
                db, f"UPDATE {table} SET reference = :taken WHERE id = :id", taken=world.again(one).reference, id=two.id
            )


ENTRY: dict[str, Any] = {
    "sequence": 2,
    "kind": "hold",
    "op_key": "hold:x",
    "d_available": -1,
    "d_reserved": 1,
    "breakage_minor": 0,
    "reason": None,
}


def write_entry(db: Session, package: Package, **more: Any) -> None:
    by_hand(
        db,
        "INSERT INTO credit_entries (id, package_id, sequence, kind, op_key, d_available, d_reserved, available, reserved, consumed,"
        " expired, revoked, breakage_minor, reason, created_at) VALUES (gen_random_uuid(), :package_id, :sequence, :kind, :op_key, :d_available,"
        " :d_reserved, 4, 1, 0, 0, 0, :breakage_minor, :reason, now())",
        **{"package_id": package.id, **ENTRY, **more},
    )


@pytest.mark.parametrize(
    ("facts", "constraint"),
    [
        ({"d_reserved": 0}, "ck_credit_entries_moves_only"),
        ({"kind": "return", "d_reserved": 2}, "ck_credit_entries_moves_only"),
        ({"kind": "adjust"}, "ck_credit_entries_adjustment_has_reason"),
        ({"breakage_minor": 1}, "ck_credit_entries_breakage_of_expired"),
        ({"kind": "gift"}, "ck_credit_entries_kind_known"),
        ({"sequence": 1}, "ix_credit_entries_package"),
        ({"package_id": new_id()}, "fk_credit_entries_package_id"),
    ],
)
def test_an_entry_that_cannot_be_is_refused(
    db: Session, package: Package, facts: dict[str, Any], constraint: str
) -> None:
    with refused_by(constraint):
        write_entry(db, package, **facts)


def test_a_fact_counts_once_even_past_the_commands(db: Session, package: Package) -> None:
    with refused_by("uq_credit_entries_op_key"):
        write_entry(db, package, op_key=f"grant:{package.id}")


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("amount_minor = 0", "ck_payments_amount_range"),
        ("amount_minor = 1000000000001", "ck_payments_amount_range"),
        ("currency = 'US'", "ck_payments_currency_code"),
        ("status = 'succeeded'", "ck_payments_paid_has_time"),
        ("status = 'refunded'", "ck_payments_paid_has_time"),
        ("status = 'paid'", "ck_payments_status_known"),
        ("provider = 'wallet'", "ck_payments_provider_known"),
        ("external_reference = 'WIRE-1'", "uq_payments_external_reference"),
        ("package_id = gen_random_uuid()", "fk_payments_package_id"),
        ("student_id = gen_random_uuid()", "fk_payments_student_id"),
    ],
)
def test_a_payment_that_cannot_be_is_refused(
    world: World, db: Session, package: Package, change: str, constraint: str
) -> None:
    payment(world, package, external_reference="WIRE-1")
    made = payment(world, package)

    with refused_by(constraint):
        by_hand(db, f"UPDATE payments SET {change} WHERE id = :id", id=made.id)


@pytest.mark.parametrize(
    ("sequence", "cause", "constraint"),
    [
        (1, "person:other", "uq_payment_transitions_sequence"),
        (2, None, "uq_payment_transitions_cause"),
    ],
)
def test_a_payments_history_has_one_row_a_step_and_a_cause(
    world: World, db: Session, package: Package, sequence: int, cause: str | None, constraint: str
) -> None:
    made = payment(world, package)

    with refused_by(constraint):
        by_hand(
            db,
            "INSERT INTO payment_transitions (id, payment_id, sequence, to_status, cause, created_at)"
            " SELECT gen_random_uuid(), payment_id, :sequence, to_status, coalesce(:cause, cause), now() FROM payment_transitions"
            " WHERE payment_id = :id",
            sequence=sequence,
            cause=cause,
            id=made.id,
        )


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("amount_minor = 0", "ck_refunds_amount_positive"),
        ("status = 'lost'", "ck_refunds_status_known"),
        ("payment_id = gen_random_uuid()", "fk_refunds_payment_id"),
        ("requested_by = gen_random_uuid()", "fk_refunds_requested_by"),
        ("approval_id = gen_random_uuid()", "fk_refunds_approval_id"),
        ("source = 'dream', provider_reference = 're_1'", "ck_refunds_source_known"),
        ("source = 'provider'", "ck_refunds_seen_where"),
        ("returned_at = now()", "ck_refunds_returned_was_paid"),
    ],
)
def test_a_refund_that_cannot_be_is_refused(
    world: World, db: Session, package: Package, change: str, constraint: str
) -> None:
    refund = is_refund(refund_payment(as_actor(world.finn), paid(world, package).id, amount_minor=1, reason="x"))

    with refused_by(constraint):
        by_hand(db, f"UPDATE refunds SET {change} WHERE id = :id", id=refund.id)


@pytest.fixture
def approval(world: World) -> Approval:
    made = payment(world, world.package(), 50_001)
    asked = set_payment_status(as_actor(world.finn), made.id, status="succeeded", reason="cash")
    assert isinstance(asked, Approval)
    return asked


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("status = 'approved', decided_by = requested_by", "ck_approvals_four_eyes"),
        ("status = 'approved'", "ck_approvals_decided_by_somebody"),
        ("decided_by = (SELECT id FROM users WHERE id <> requested_by LIMIT 1)", "ck_approvals_decided_by_somebody"),
        (
            "status = 'lost', decided_by = (SELECT id FROM users WHERE id <> requested_by LIMIT 1)",
            "ck_approvals_status_known",
        ),
        ("decided_how = 'alone'", "ck_approvals_decided_by_somebody"),
        ("status = 'rejected', decided_how = 'forgotten'", "ck_approvals_decided_how_known"),
        (
            "status = 'rejected', decided_how = 'withdrawn', decided_by = (SELECT id FROM users WHERE id <> requested_by LIMIT 1)",
            "ck_approvals_decided_in_one_way",
        ),
        ("due_alone_at = created_at + interval '23:59:59'", "ck_approvals_alone_never_sooner"),
        (
            "due_alone_at = created_at + interval '1 day', status = 'approved', decided_how = 'alone', decided_at = now()",
            "ck_approvals_alone_after_a_day",
        ),
        ("kind = 'gift'", "approvals_stay_as_asked"),
        ("payment_id = gen_random_uuid()", "approvals_stay_as_asked"),
        ("requested_by = gen_random_uuid()", "approvals_stay_as_asked"),
        ("status = 'approved', decided_by = gen_random_uuid()", "fk_approvals_decided_by"),
    ],
)
def test_an_approval_that_cannot_be_is_refused(
    world: World, db: Session, approval: Approval, change: str, constraint: str
) -> None:
    assert world.ada.id

    with refused_by(constraint):
        by_hand(db, f"UPDATE approvals SET {change} WHERE id = :id", id=approval.id)


@pytest.mark.parametrize(
    ("column", "value", "constraint"),
    [
        ("kind", "'gift'", "ck_approvals_kind_known"),
        ("payment_id", "gen_random_uuid()", "fk_approvals_payment_id"),
        ("requested_by", "gen_random_uuid(), 'kind', 'refund'", "fk_approvals_requested_by"),  # one of a kind waits
    ],
)
def test_an_approval_that_cannot_be_is_not_made(
    db: Session, approval: Approval, column: str, value: str, constraint: str
) -> None:
    other = f"jsonb_build_object('id', gen_random_uuid(), 'reference', 'APR-OTHER', '{column}', {value})"
    copied = f"SELECT (jsonb_populate_record(a, {other})).* FROM approvals a WHERE a.id = :id"

    with refused_by(constraint):
        by_hand(db, f"INSERT INTO approvals {copied}", id=approval.id)


def test_a_providers_refund_is_noted_once(world: World, db: Session, package: Package) -> None:
    made = paid(world, package)
    refunds = [
        is_refund(refund_payment(as_actor(world.finn), made.id, amount_minor=1, reason="x")).id for _ in range(2)
    ]

    with refused_by("uq_refunds_provider_reference"):
        by_hand(db, "UPDATE refunds SET provider_reference = 're_1' WHERE id = ANY(:ids)", ids=refunds)


def test_one_wish_of_a_kind_waits_on_a_payment(db: Session, approval: Approval) -> None:
    with refused_by("uq_approvals_pending"):
        by_hand(
            db,
            "INSERT INTO approvals (id, kind, payment_id, amount_minor, currency, reason, wish, status, requested_by, created_at, updated_at)"
            " SELECT gen_random_uuid(), kind, payment_id, amount_minor, currency, reason, wish, status, requested_by, now(), now()"
            " FROM approvals WHERE id = :id",
            id=approval.id,
        )


@pytest.mark.parametrize(
    ("table", "change", "constraint"),
    [
        ("plans", "lessons_total = 0", "ck_plans_lessons_plausible"),
        ("plans", "lessons_total = 1001", "ck_plans_lessons_plausible"),
        ("plans", "lesson_minutes = 14", "ck_plans_lesson_minutes_plausible"),
        ("plans", "lesson_minutes = 241", "ck_plans_lesson_minutes_plausible"),
        ("plans", "valid_days = 0", "ck_plans_valid_days_plausible"),
        ("plans", "name = 'Other'", "uq_plans_name"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(world: World, db: Session, table: str, change: str, constraint: str) -> None:
    plans = [create_plan(as_actor(world.finn), name=name, lessons_total=1, amount_minor=1) for name in ("Other", "One")]

    with refused_by(constraint):
        by_hand(db, f"UPDATE {table} SET {change} WHERE id = :id", id=plans[1].id)


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ("1, 1, 'USD'", "uq_plan_prices_revision"),
        ("2, -1, 'USD'", "ck_plan_prices_amount_range"),
        ("2, 1000000000001, 'USD'", "ck_plan_prices_amount_range"),
        ("2, 1, 'usd'", "ck_plan_prices_currency_code"),
    ],
)
def test_a_price_that_cannot_be_is_refused(world: World, db: Session, values: str, constraint: str) -> None:
    plan = create_plan(as_actor(world.finn), name="One", lessons_total=1, amount_minor=1)

    with refused_by(constraint):
        by_hand(
            db,
            f"INSERT INTO plan_prices (id, plan_id, revision, amount_minor, currency, created_at) VALUES (gen_random_uuid(), :id, {values}, now())",
            id=plan.id,
        )


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        (
            (
                "INSERT INTO plan_prices (id, plan_id, revision, amount_minor, currency, created_at)"
                " VALUES (gen_random_uuid(), gen_random_uuid(), 1, 1, 'USD', now())"
            ),
            "fk_plan_prices_plan_id",
        ),
        (
            (
                "INSERT INTO payment_transitions (id, payment_id, sequence, to_status, cause, created_at)"
                " VALUES (gen_random_uuid(), gen_random_uuid(), 1, 'pending', 'x', now())"
            ),
            "fk_payment_transitions_payment_id",
        ),
    ],
)
def test_history_belongs_to_something(db: Session, statement: str, constraint: str) -> None:
    with refused_by(constraint):
        by_hand(db, statement)


TABLES = [
    "plans",
    "plan_prices",
    "packages",
    "credit_entries",
    "payments",
    "payment_transitions",
    "refunds",
    "approvals",
]
NAMES = text(
    "SELECT c.conname FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid"
    " WHERE t.relname = ANY(:tables) AND c.contype IN ('c', 'u', 'f', 'x')"
    " UNION SELECT i.relname FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid"
    " WHERE t.relname = ANY(:tables) AND x.indisunique AND NOT x.indisprimary"
)
OTHERWISE = {
    "uq_packages_owner",  # cannot be broken while the primary key stands; bookings' foreign key refers to it
    "uq_packages_reference",
    "uq_payments_reference",
    "uq_refunds_reference",
}


def test_every_constraint_of_billing_is_proved_here(db: Session) -> None:
    named = {name for (name,) in db.execute(NAMES, {"tables": TABLES})}
    written = Path(__file__).read_text()

    assert sorted(name for name in named - OTHERWISE if f'"{name}"' not in written) == []
