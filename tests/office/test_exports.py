"""Exports as commands: who may, what is written down, and what becomes of files."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg2
import pytest
from flask import Flask
from psycopg2.extensions import connection as Connection
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.actor import SYSTEM, Actor, Role
from guitaronline.audit.models import AuditAction, AuditChange
from guitaronline.db import new_id
from guitaronline.errors import NotAllowed, NotFound
from guitaronline.identity.access import Permission
from guitaronline.identity.service import set_role
from guitaronline.office import export_runs
from guitaronline.office.export_models import Export, ExportFormat, ExportPart, ExportRun, ExportStatus
from guitaronline.office.export_runs import Progress, claim
from guitaronline.office.exports import (
    FencedOut,
    NotReady,
    OtherRole,
    TooManyExports,
    Wanted,
    cancel_export,
    expire_exports,
    fail_export,
    finish_export,
    record_download,
    record_export,
    request_export,
    start_export,
)
from guitaronline.states import IllegalMove
from tests.concurrency import at_once, refused
from tests.jobs.processes import eventually
from tests.jobs.test_processes import waits
from tests.servers import Servers
from tests.world import World, as_actor

PEOPLE = Wanted("people", Permission.READ_PEOPLE, ["full_name"], ExportFormat.CSV, "Europe/Berlin", search="ann")


@pytest.fixture
def sue(world: World) -> Actor:
    return as_actor(world.sue)


def running(sue: Actor) -> Any:
    """An export that is being made, and the claim of who makes it."""
    export = request_export(sue, wanted=PEOPLE)
    claimed = claim(new_id())
    assert claimed is not None
    start_export(SYSTEM, export.id, token=claimed.token)
    return claimed


def ready(sue: Actor) -> Export:
    claimed = running(sue)
    export_runs.keep(claimed, sequence=0, part=b"x", progress=Progress(1, 1))
    return finish_export(SYSTEM, claimed.export_id, token=claimed.token, rows=1)


def left(db: Session, model: Any) -> int:
    db.rollback()
    return db.scalar(select(func.count()).select_from(model)) or 0


def test_what_goes_out_is_written_down_with_list_filter_and_rows(world: World, db: Session, sue: Actor) -> None:
    export = record_export(sue, wanted=PEOPLE, rows=7, reason="for the tax office")

    action = db.scalars(select(AuditAction).where(AuditAction.name == "list.export")).one()
    change = db.scalars(select(AuditChange).where(AuditChange.action_id == action.id)).one()
    assert (action.actor_id, action.reason, action.record_id) == (sue.id, "for the tax office", export.id)
    assert change.after is not None
    assert (change.after["desk"], change.after["rows"], change.after["format"]) == ("people", 7, "csv")
    assert change.after["search"].startswith("sha256:")


@pytest.mark.parametrize("role", [Role.STUDENT, Role.TEACHER, Role.ANONYMOUS])
def test_who_is_not_staff_exports_nothing(db: Session, role: Role) -> None:
    with pytest.raises(NotAllowed):
        record_export(Actor(new_id(), role), wanted=PEOPLE, rows=1)


def test_the_lists_own_permission_is_needed_too(world: World, sue: Actor) -> None:
    money = replace(PEOPLE, desk="plans", needs=Permission.READ_SETTINGS)

    with pytest.raises(NotAllowed):
        record_export(sue, wanted=money, rows=1)
    with pytest.raises(NotAllowed):
        request_export(sue, wanted=money)


def test_the_same_request_again_is_the_same_export(world: World, db: Session, sue: Actor) -> None:
    first, again = request_export(sue, wanted=PEOPLE), request_export(sue, wanted=PEOPLE)

    assert first.id == again.id
    assert left(db, ExportRun) == 1


def test_two_same_requests_at_once_are_one(app: Flask, world: World, db: Session, sue: Actor) -> None:
    db.rollback()

    found = at_once(app, *[lambda: request_export(sue, wanted=PEOPLE).id] * 3)

    assert len(set(found)) == 1


def test_one_person_has_three_files_in_the_making_at_most(world: World, sue: Actor) -> None:
    for number in range(3):
        request_export(sue, wanted=replace(PEOPLE, search=str(number)))

    with pytest.raises(TooManyExports):
        request_export(sue, wanted=PEOPLE)
    assert request_export(as_actor(world.ada), wanted=PEOPLE)


def test_an_export_is_claimed_by_one_and_free_again_when_the_lease_ran_out(db: Session, sue: Actor) -> None:
    request_export(sue, wanted=PEOPLE)
    first = claim(new_id())

    assert claim(new_id()) is None
    lease_is_over(db)
    second = claim(new_id())

    assert first
    assert second
    assert (first.attempts, second.attempts) == (1, 2)


def test_a_claim_does_not_wait_for_one_that_another_is_just_claiming(
    mine: Servers, world: World, db: Session, sue: Actor
) -> None:
    """Without SKIP LOCKED this would wait for the other worker, and then find nothing."""
    first = request_export(sue, wanted=PEOPLE)
    second = request_export(sue, wanted=replace(PEOPLE, search="ben"))
    db.rollback()
    with closing(psycopg2.connect(mine.app_url)) as other:
        other.cursor().execute("SELECT FROM export_runs WHERE export_id = %s FOR UPDATE", (str(first.id),))

        claimed = claim(new_id())

    assert claimed
    assert claimed.export_id == second.id


def lease_is_over(db: Session) -> None:
    db.rollback()
    db.execute(text("UPDATE export_runs SET lease_until = clock_timestamp() - interval '1 second'"))
    db.commit()


def test_who_lost_the_lease_is_fenced_out_and_its_parts_are_gone(db: Session, sue: Actor) -> None:
    slow = running(sue)
    export_runs.keep(slow, sequence=0, part=b"old", progress=Progress(1, 2))
    lease_is_over(db)
    quick = claim(new_id())
    assert quick

    with pytest.raises(FencedOut):
        export_runs.keep(slow, sequence=1, part=b"late", progress=Progress(2, 2))
    with pytest.raises(FencedOut):
        finish_export(SYSTEM, slow.export_id, token=slow.token, rows=2)
    with pytest.raises(FencedOut):
        fail_export(SYSTEM, slow.export_id, token=slow.token, why="late")

    assert left(db, ExportPart) == 0
    assert finish_export(SYSTEM, quick.export_id, token=quick.token, rows=2).status is ExportStatus.READY


def test_who_is_taken_over_while_it_finishes_is_fenced_out(
    app: Flask, mine: Servers, owner: Connection, db: Session, sue: Actor
) -> None:
    """The next worker has claimed it and not committed yet: a look without a lock would see the old lease, and the export would
    be ready with the parts that the claim has just removed."""
    slow = running(sue)
    export_runs.keep(slow, sequence=0, part=b"old", progress=Progress(1, 1))
    lease_is_over(db)
    with ThreadPoolExecutor(1) as threads, closing(psycopg2.connect(mine.app_url)) as quick:
        cursor = quick.cursor()
        cursor.execute("UPDATE export_runs SET lease_token = gen_random_uuid()")
        cursor.execute("DELETE FROM export_parts")
        looked = threads.submit(at_once, app, lambda: finish_export(SYSTEM, slow.export_id, token=slow.token, rows=1))
        eventually(lambda: waits(owner))
        quick.commit()

        assert refused(looked.result()) == ["fenced_out"]
    db.rollback()
    assert db.get_one(Export, slow.export_id).status is ExportStatus.RUNNING


def test_begun_again_it_is_still_running_and_leaves_no_second_action(db: Session, sue: Actor) -> None:
    claimed = running(sue)

    assert start_export(SYSTEM, claimed.export_id, token=claimed.token) is False
    assert left(db, select(AuditAction).where(AuditAction.name == "export.start").subquery()) == 1


def test_the_owner_takes_the_file_and_it_is_written_down(db: Session, sue: Actor) -> None:
    export = ready(sue)

    assert record_download(sue, export.id, needs=Permission.READ_PEOPLE).id == export.id
    assert left(db, select(AuditAction).where(AuditAction.name == "export.download").subquery()) == 1


def test_somebody_elses_file_does_not_exist(world: World, sue: Actor) -> None:
    export = ready(sue)

    with pytest.raises(NotFound):
        record_download(as_actor(world.ada), export.id, needs=Permission.READ_PEOPLE)


def test_a_file_made_for_another_role_is_not_given_out(world: World, sue: Actor) -> None:
    export = ready(sue)
    set_role(as_actor(world.ada), world.sue.id, role=Role.FINANCE, reason="moved")

    with pytest.raises(OtherRole):
        record_download(Actor(sue.id, Role.FINANCE), export.id, needs=Permission.READ_PEOPLE)


def test_a_file_is_kept_for_seven_days_to_the_second(world: World, db: Session, sue: Actor) -> None:
    export = ready(sue)
    assert export.expires_at is not None

    with clock.standing_at(export.expires_at - timedelta(seconds=1)):
        assert expire_exports(SYSTEM) == 0
        assert record_download(sue, export.id, needs=Permission.READ_PEOPLE)
    with clock.standing_at(export.expires_at):
        with pytest.raises(NotReady):  # before any job has run
            record_download(sue, export.id, needs=Permission.READ_PEOPLE)
        assert (expire_exports(SYSTEM), expire_exports(SYSTEM)) == (1, 0)

    assert world.again(export).status is ExportStatus.EXPIRED
    assert left(db, ExportPart) == 0


@pytest.mark.parametrize("begin", [running, ready])
def test_a_canceled_export_has_no_file_and_stops_who_makes_it(db: Session, sue: Actor, begin: Any) -> None:
    made = begin(sue)
    export_id = getattr(made, "export_id", None) or made.id

    first, again = cancel_export(sue, export_id), cancel_export(sue, export_id)

    assert first.status is again.status is ExportStatus.CANCELED
    assert (left(db, ExportPart), left(db, ExportRun)) == (0, 0)
    with pytest.raises(NotReady):
        record_download(sue, export_id, needs=Permission.READ_PEOPLE)


def test_an_admin_cancels_anybodys_and_others_only_their_own(world: World, sue: Actor) -> None:
    export = request_export(sue, wanted=PEOPLE)

    with pytest.raises(NotFound):
        cancel_export(as_actor(world.finn), export.id)
    assert cancel_export(as_actor(world.ada), export.id).status is ExportStatus.CANCELED


def test_what_went_out_at_once_cannot_be_canceled(sue: Actor) -> None:
    export = record_export(sue, wanted=PEOPLE, rows=1)

    with pytest.raises(IllegalMove):
        cancel_export(sue, export.id)
