"""What each job does, and what runtime.py keeps of it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.billing.models import PackageStatus
from guitaronline.booking.models import BookingStatus
from guitaronline.db import new_id
from guitaronline.errors import Conflict
from jobs import billing, booking, checks, cleaning
from jobs.runtime import JobFailed, job, repeated
from tests.world import World


class NotNow(Conflict):
    pass


@job
def refused() -> int:
    raise NotNow("ann@people.example is not to be told")


@job
def fine() -> int:
    return 7


def tick(db: Session, name: str = "x") -> str:
    tick_id = str(new_id())
    db.execute(
        text("INSERT INTO job_ticks (id, job, tick_at) VALUES (:id, :name, now())"), {"id": tick_id, "name": name}
    )
    db.commit()
    return tick_id


def test_a_tick_says_how_the_job_went(db: Session) -> None:
    assert fine(tick(db)) == 7

    row = db.execute(text("SELECT outcome, finished_at >= started_at AS timed FROM job_ticks")).one()
    assert tuple(row) == ("done: 7", True)


def test_a_failure_stands_on_the_tick_and_tells_no_values(db: Session) -> None:
    with pytest.raises(JobFailed, match=r"^not_now$") as failure:
        refused(tick(db))

    assert failure.value.__suppress_context__
    assert db.execute(text("SELECT outcome FROM job_ticks")).scalar_one() == "failed: not_now"


def test_a_job_needs_no_tick(db: Session) -> None:
    assert fine() == 7


def test_a_sweep_goes_on_until_a_batch_is_not_full() -> None:
    found = iter([3, 3, 1])

    assert repeated(lambda: next(found), 3) == 7


def test_lapsed_holds_expire_and_twice_is_once(world: World, db: Session) -> None:
    package = world.package(lessons=2)
    with clock.moved_by(timedelta(minutes=-11)):
        held = [world.hold(world.slot(hours=hours)) for hours in (48, 50)]

    assert (booking.expire_holds(), booking.expire_holds()) == (2, 0)

    assert {world.again(each).status for each in held} == {BookingStatus.EXPIRED}
    assert world.again(package).available == 2


def test_a_sweep_that_finds_nothing_leaves_no_action(world: World, db: Session) -> None:
    world.package()
    before = db.execute(text("SELECT count(*) FROM audit_actions")).scalar_one()

    booking.expire_holds()
    billing.expire_packages()

    assert db.execute(text("SELECT count(*) FROM audit_actions")).scalar_one() == before


def test_overdue_packages_expire(world: World, db: Session) -> None:
    with clock.moved_by(timedelta(days=-30)):
        package = world.package(expires_at=world.now + timedelta(days=1))

    assert (billing.expire_packages(), billing.expire_packages()) == (1, 0)
    assert world.again(package).status is PackageStatus.EXPIRED


def test_a_flood_of_overdue_packages_is_shared_by_two_hands(
    world: World, db: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(billing, "AT_ONCE", 2)
    with clock.moved_by(timedelta(days=-30)):
        packages = [world.package(lessons=1, expires_at=world.now + timedelta(days=1)) for _ in range(9)]

    assert (billing.expire_packages(), billing.expire_packages()) == (9, 0)
    assert {world.again(each).status for each in packages} == {PackageStatus.EXPIRED}


def test_the_nightly_run_keeps_what_it_found(world: World, db: Session) -> None:
    world.package()

    assert checks.run() == 0
    assert db.execute(text("SELECT findings -> 'findings' FROM check_runs")).scalar_one() == []
    assert db.execute(text("SELECT broken FROM audit_verifications")).scalar_one() == []


OLD_ROWS = {
    "job_ticks": "INSERT INTO job_ticks (id, job, tick_at) VALUES (gen_random_uuid(), 'x', now() - interval '{age}')",
    "check_runs": "INSERT INTO check_runs (id, at, seconds, findings) VALUES (gen_random_uuid(), now() - interval '{age}', 1, '{{}}')",
    "outbox_events": """
        INSERT INTO outbox_events (id, topic, record_type, record_id, payload, action_id, created_at, available_at, status, closed_at)
        VALUES (gen_random_uuid(), 'x', 'users', gen_random_uuid(), '{{}}', gen_random_uuid(), now() - interval '{age}',
                now() - interval '{age}', 'no_handler', now() - interval '{age}')""",
    "idempotency_keys": """
        INSERT INTO idempotency_keys (id, user_id, method, path, key, body_hash, http_status, answer, created_at)
        VALUES (gen_random_uuid(), gen_random_uuid(), 'POST', '/', 'k', '', 200, '', now() - interval '{age}')""",
    "message_reports": """
        INSERT INTO message_reports (id, channel, event_id, body, received_at, available_at, status, closed_at)
        VALUES (gen_random_uuid(), 'email', gen_random_uuid(), '', now() - interval '{age}', now(), 'applied', now())""",
    "failed_logins": """
        INSERT INTO failed_logins (id, account_digest, address_digest, at) VALUES (gen_random_uuid(), '', '', now() - interval '{age}')""",
}
AGES = {
    "job_ticks": 3,
    "check_runs": 90,
    "outbox_events": 30,
    "idempotency_keys": 7,
    "failed_logins": 2,
    "message_reports": 90,
}  # days


@pytest.mark.parametrize("table", OLD_ROWS)
def test_what_is_old_enough_goes_and_the_rest_stays(db: Session, table: str) -> None:
    days = AGES[table]
    db.execute(text(OLD_ROWS[table].format(age=f"{days} days 1 minute")))
    db.execute(text(OLD_ROWS[table].format(age=f"{days - 1} days 23 hours")))
    db.commit()

    assert (cleaning.clean_up(), cleaning.clean_up()) == (1, 0)
    assert db.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() == 1


def test_an_old_message_goes_with_its_words_and_attempts_and_one_that_waits_stays(world: World, db: Session) -> None:
    old, younger, waiting = (("366 days", "sent"), ("364 days", "sent"), ("999 days", "queued"))
    rows = [{"person": world.ann.id, "age": age, "status": status} for age, status in (old, younger, waiting)]
    db.execute(text(MESSAGE), rows)
    db.execute(text(ATTEMPTS))
    db.execute(text(BODIES))
    db.commit()

    assert (cleaning.clean_up(), cleaning.clean_up()) == (3, 0)
    left = db.execute(
        text(
            "SELECT count(*) FROM messages JOIN message_bodies USING (id) JOIN message_attempts a ON a.message_id = messages.id"
        )
    )
    assert left.scalar_one() == 2


ATTEMPTS = """
INSERT INTO message_attempts (id, message_id, number, outcome, started_at)
SELECT gen_random_uuid(), id, 1, 'accepted', now() FROM messages
"""
BODIES = (
    "INSERT INTO message_bodies (id, sent_to, language, subject, text) SELECT id, 'x', 'en', 'x', 'x' FROM messages"
)
MESSAGE = """
INSERT INTO messages (id, event_id, kind, person_id, channel, record_type, record_id, facts, happened_at, available_at, status, closed_at)
VALUES (gen_random_uuid(), gen_random_uuid(), 'x', :person, 'email', 'users', :person, '{}', now(), now(), :status,
        CASE WHEN :status <> 'queued' THEN now() - CAST(:age AS interval) END)
"""


def test_an_event_that_waits_is_never_cleaned_up(db: Session) -> None:
    db.execute(text(OLD_ROWS["outbox_events"].format(age="99 days")))
    db.execute(text("UPDATE outbox_events SET status = 'pending', closed_at = NULL"))
    db.commit()

    assert cleaning.clean_up() == 0
