"""Reports are fetched from Stripe through its own library, over loopback: each day once, whatever the line does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2
import pytest
from flask import Flask
from psycopg2.extensions import connection as Connection
from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline import clock, policy
from guitaronline.billing.settlements import fetching, importing
from guitaronline.billing.settlements.fetch_models import ReportKind, SettlementFetch
from guitaronline.billing.settlements.models import FileStatus, SettlementFile
from jobs import settlements
from tests.admin.browser import signed_in, words
from tests.concurrency import at_once
from tests.providers.fake_stripe import FakeStripe
from tests.servers import Servers
from tests.settlements.files import stripe, stripe_row
from tests.settlements.imports import lines, uploaded
from tests.world import World, as_actor

ACTIVITY, PAYOUTS, PAYOUT_LINES = (fetching.REPORTS[kind][0] for kind in ReportKind)


@pytest.fixture
def school(fake: FakeStripe, db: Session) -> Iterator[FakeStripe]:
    """Their report of activity has one line; the day before is over for more than six hours."""
    fake.reports = {
        ACTIVITY: stripe(stripe_row(1)),
        PAYOUTS: stripe(),
        PAYOUT_LINES: stripe(stripe_row(1, payout="po_9")),
    }
    noon = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    with (
        clock.moved_by(noon - datetime.now(UTC)),
        policy.changed(STRIPE_REPORTS="activity", STRIPE_SECRET_KEY="sk_test_1", STRIPE_API_BASE=fake.base),
    ):
        yield fake


@pytest.fixture
def again(owner: Connection) -> Any:
    """The queue's clock runs on until everything is due and no lease holds; then the job comes by."""

    def comes() -> int:
        with owner.cursor() as cursor:
            cursor.execute(
                "UPDATE settlement_fetches SET due_at = now() - interval '2 days', lease_until = NULL WHERE closed_at IS NULL"
            )
        return settlements.fetch()

    return comes


def fetches(db: Session) -> list[SettlementFetch]:
    db.rollback()
    query = select(SettlementFetch).order_by(SettlementFetch.day, SettlementFetch.kind)
    return list(db.scalars(query.execution_options(populate_existing=True)))


def fetch_of(db: Session) -> SettlementFetch:
    (found,) = fetches(db)
    return found


def files_of(db: Session) -> list[SettlementFile]:
    db.rollback()
    return list(db.scalars(select(SettlementFile).execution_options(populate_existing=True)))


def test_yesterdays_report_is_asked_for_fetched_and_imported_without_a_person(
    school: FakeStripe, db: Session, again: Any
) -> None:
    assert settlements.fetch() == 1
    assert (fetch_of(db).reference, files_of(db)) == ("frr_1", [])

    again()
    settlements.read()

    (file,) = files_of(db)
    yesterday = clock.read(db).date() - timedelta(days=1)
    assert (file.status, file.account, file.uploaded_by) == (FileStatus.IMPORTED, "stripe", None)
    assert file.file_name == f"stripe-activity-{yesterday}.csv"
    assert [line.external_id for line in lines()] == ["txn_1"]
    assert (fetch_of(db).file_id, settlements.fetch()) == (file.id, 0)


def test_they_are_asked_for_the_whole_day_of_utc_and_for_our_ids(school: FakeStripe, db: Session) -> None:
    settlements.fetch()

    asked = school.made["frr_1"]["asked"]
    start = datetime.fromtimestamp(int(asked["parameters[interval_start]"]), UTC)
    end = datetime.fromtimestamp(int(asked["parameters[interval_end]"]), UTC)
    assert (start.date(), start.hour, end - start) == (fetch_of(db).day, 0, timedelta(days=1))
    assert "payment_metadata[payment_id]" in asked.values()


def test_a_report_that_is_not_ready_is_looked_for_again(school: FakeStripe, db: Session, again: Any) -> None:
    school.run_ends = ["pending", "pending"]
    settlements.fetch()

    again()
    again()
    assert (files_of(db), fetch_of(db).reference) == ([], "frr_1")
    again()

    assert len(files_of(db)) == 1


@pytest.mark.parametrize("fault", ["drop", "hang", "error"])
def test_an_asking_that_nobody_answered_is_unknown_and_finds_the_same_run(
    school: FakeStripe, db: Session, again: Any, fault: str
) -> None:
    school.faults = [fault]
    settlements.fetch()
    assert (fetch_of(db).reference, fetch_of(db).last_error) == (None, "no answer")

    again()

    assert (fetch_of(db).reference, fetch_of(db).last_error, list(school.made)) == ("frr_1", None, ["frr_1"])


@pytest.mark.parametrize("fault", ["drop", "hang", "error", "cut"])
def test_a_download_that_breaks_off_leaves_nothing_and_comes_again(
    school: FakeStripe, db: Session, again: Any, fault: str
) -> None:
    settlements.fetch()
    school.faults = ["", fault]

    again()
    assert (files_of(db), fetch_of(db).last_error) == ([], "no answer")
    again()

    assert [file.size_bytes for file in files_of(db)] == [len(school.reports[ACTIVITY])]


def test_a_refusal_and_a_run_that_fails_are_asked_for_anew_and_say_why(
    school: FakeStripe, db: Session, again: Any
) -> None:
    school.faults = ["refuse"]
    settlements.fetch()
    assert (fetch_of(db).last_error, fetch_of(db).runs) == ("refused: amount_too_small", 1)

    school.run_ends = ["failed"]
    again()
    again()
    assert (fetch_of(db).last_error, fetch_of(db).reference) == ("failed: no data", None)
    again()
    again()

    assert (len(files_of(db)), len(school.made)) == (1, 2)


class Killed(BaseException):
    """The worker is gone."""


@pytest.mark.parametrize("point", ["_step", "_keep"])
def test_a_worker_that_is_killed_after_any_step_leaves_it_to_the_next(
    school: FakeStripe, db: Session, again: Any, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    real = getattr(fetching, point)

    def dies(*args: Any) -> None:
        real(*args)
        raise Killed()

    monkeypatch.setattr(fetching, point, dies)
    settle_until_killed(again)
    monkeypatch.setattr(fetching, point, real)
    again()
    again()

    assert (len(files_of(db)), len(fetches(db)), list(school.made)) == (1, 1, ["frr_1"])


def settle_until_killed(again: Any) -> None:
    with pytest.raises(Killed):
        assert [again(), again()] == []


def test_a_download_that_was_taken_over_keeps_nothing(
    school: FakeStripe, db: Session, again: Any, owner: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    settlements.fetch()
    real = importing.keep_fetched

    def late(*args: Any, **more: Any) -> SettlementFile:
        with owner.cursor() as cursor:
            cursor.execute("UPDATE settlement_fetches SET lease_token = gen_random_uuid()")
        return real(*args, **more)

    monkeypatch.setattr(importing, "keep_fetched", late)
    again()
    assert files_of(db) == []
    monkeypatch.setattr(importing, "keep_fetched", real)
    again()

    assert len(files_of(db)) == 1


def test_a_report_that_somebody_claims_at_this_moment_is_left_to_them(
    mine: Servers, school: FakeStripe, db: Session
) -> None:
    fetching.plan()
    db.rollback()

    with closing(psycopg2.connect(mine.app_url)) as other:
        other.cursor().execute("SELECT FROM settlement_fetches FOR UPDATE")
        assert fetching.fetch_next() is False
        other.rollback()
        assert fetching.fetch_next() is True


def test_two_workers_take_each_report_once(app: Flask, school: FakeStripe, db: Session) -> None:
    fetching.plan()
    db.rollback()

    steps = at_once(app, *[fetching.fetch_next] * 3)

    assert (sorted(map(bool, steps)), list(school.made)) == ([False, False, True], ["frr_1"])


def test_what_somebody_uploaded_is_not_kept_twice(school: FakeStripe, db: Session, again: Any, world: World) -> None:
    settlements.fetch()
    file = uploaded(as_actor(world.finn), school.reports[ACTIVITY], account="stripe")

    again()

    assert ([each.id for each in files_of(db)], fetch_of(db).file_id) == ([file.id], file.id)


def test_days_that_were_missed_are_caught_up_with(school: FakeStripe, db: Session) -> None:
    fetching.plan()
    with clock.moved_by(timedelta(days=3)):
        fetching.plan()
        fetching.plan()

    days = [each.day for each in fetches(db)]
    assert [day - days[0] for day in days] == [timedelta(days=number) for number in range(4)]


def test_what_a_later_report_tells_of_the_payout_completes_the_line(
    school: FakeStripe, db: Session, again: Any
) -> None:
    school.reports[ACTIVITY] = stripe(stripe_row(1, payout=""))
    settlements.fetch()
    again()
    settlements.read()
    assert lines()[0].payout_id is None

    with policy.changed(STRIPE_REPORTS="activity, payouts, payout_lines"):
        settlements.fetch()
        again()
    settlements.read()

    assert [line.payout_id for line in lines()] == ["po_9"]
    assert {file.status for file in files_of(db)} == {FileStatus.IMPORTED}


def test_nothing_is_fetched_where_the_settings_name_no_report(school: FakeStripe, db: Session) -> None:
    with policy.changed(STRIPE_REPORTS=""):
        assert settlements.fetch() == 0

    assert (fetches(db), school.asked) == ([], [])


def test_the_desk_says_what_is_awaited_and_what_was_fetched(
    app: Flask, school: FakeStripe, world: World, again: Any
) -> None:
    finn = signed_in(app, world.finn)
    school.faults = ["refuse"]
    settlements.fetch()
    page = words(finn.get("/admin/imports/").text)
    assert "Reports that are awaited" in page
    assert "refused: amount too small; asked again" in page

    again()
    again()
    settlements.read()

    page = words(finn.get("/admin/imports/").text)
    assert "fetched" in page
    assert "Reports that are awaited" not in page
