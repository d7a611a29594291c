"""A run is carried out row by row, at most once each, whoever dies on the way."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.actor import Actor, Role
from guitaronline.audit.models import AuditAction
from guitaronline.booking.models import BookingStatus
from guitaronline.booking.service import cancel_booking
from guitaronline.db import new_id, session, technical_transaction
from guitaronline.identity.service import deactivate_person, set_role
from guitaronline.office import bulk, bulk_rows
from guitaronline.office.bulk_models import BulkQueue, RowStatus, RunStatus
from guitaronline.scheduling.models import Slot, SlotStatus
from jobs import bulk as job
from jobs import cleaning
from jobs.runtime import JobFailed
from tests.booking.test_crash import DIED, DONE, in_a_child
from tests.concurrency import at_once
from tests.office.bulk import SCHOOL, WHY, Class, actions, again, ask, carried_out, lease_runs_out, rows, states
from tests.world import World, as_actor


def test_each_row_is_an_action_of_its_own_by_the_person_who_asked(world: World, db: Session) -> None:
    slots = [world.slot(hours=hours) for hours in (50, 60)]

    run = carried_out(ask(as_actor(world.sue), "slots.block", slots))

    query = select(AuditAction).where(AuditAction.name == "slot.block")
    told = [(each.actor_id, each.actor_kind, each.reason, each.request_id) for each in db.scalars(query)]
    assert told == [(world.sue.id, "support", WHY, run.reference)] * 2
    assert {world.again(slot).status for slot in slots} == {SlotStatus.BLOCKED}


def test_a_finished_run_has_its_counts_and_a_time_until_which_it_can_be_undone(world: World, db: Session) -> None:
    open_slot, booked = world.slot(hours=50), world.slot(hours=60)
    world.package()
    world.booking(booked)

    run = carried_out(ask(as_actor(world.ada), "slots.block", [open_slot, booked]))

    assert (run.status, run.rows_total, run.rows_done, run.succeeded, run.refused) == (RunStatus.DONE, 2, 2, 1, 1)
    assert run.undo_until == run.finished_at + timedelta(minutes=10)
    assert db.scalars(select(BulkQueue)).all() == []


def test_what_somebody_else_did_in_between_is_a_refused_row_with_the_reason(world: World) -> None:
    school = Class(world)
    mine, theirs = school.confirmed(), school.confirmed()
    run = ask(as_actor(world.ada), "bookings.cancel", [mine, theirs], SCHOOL)
    cancel_booking(as_actor(world.sue), theirs.id, reason="called", cause="student")

    run = carried_out(run)

    assert states(run) == ["done", "refused"]
    assert rows(run)[1].sentence == "Somebody changed it in between. The booking was canceled."
    assert world.again(theirs).cancel_cause == "student"


def test_a_change_that_does_not_forbid_it_still_asks_to_look_again(world: World) -> None:
    from guitaronline.billing.service import extend_package

    package = world.package(expires_at=world.now + timedelta(days=30))
    run = ask(as_actor(world.ada), "packages.extend", [package], {"days": 7})
    meanwhile = world.now + timedelta(days=60)
    extend_package(as_actor(world.finn), package.id, expires_at=meanwhile, reason="ill")

    run = carried_out(run)

    assert [(row.status.value, row.code) for row in rows(run)] == [("refused", "changed_in_between")]
    assert world.again(package).expires_at == meanwhile


@pytest.mark.parametrize("change", ["deactivated", "no staff any more"])
def test_a_run_stops_when_whoever_asked_is_gone(world: World, change: str) -> None:
    slot = world.slot()
    run = ask(as_actor(world.sue), "slots.block", [slot])
    ada = as_actor(world.ada)
    leave = {
        "deactivated": lambda: deactivate_person(ada, world.sue.id, reason="left"),
        "no staff any more": lambda: set_role(ada, world.sue.id, role=Role.STUDENT, reason="left"),
    }
    leave[change]()

    run = carried_out(run)

    assert (run.status, states(run), world.again(slot).status) == (RunStatus.STOPPED, ["refused"], SlotStatus.OPEN)
    assert "no active member of staff" in (run.stopped_because or "")


def test_a_smaller_role_refuses_each_row(world: World) -> None:
    slot = world.slot()
    run = ask(as_actor(world.sue), "slots.block", [slot])
    set_role(as_actor(world.ada), world.sue.id, role=Role.AUDITOR, reason="moved to another office")

    run = carried_out(run)

    assert [(row.status.value, row.sentence) for row in rows(run)] == [("refused", "Your role does not allow this.")]
    assert world.again(slot).status is SlotStatus.OPEN


def test_a_stopped_run_leaves_the_rest_as_it_is(world: World) -> None:
    slot = world.slot()
    run = ask(as_actor(world.sue), "slots.block", [slot])
    bulk.stop_bulk(as_actor(world.ada), run.id, reason="wrong week")

    run = carried_out(run)

    assert (run.status, run.stopped_because) == (RunStatus.STOPPED, "wrong week")
    assert [row.sentence for row in rows(run)] == ["Not done: the run was stopped. wrong week"]
    assert world.again(slot).status is SlotStatus.OPEN


def test_a_row_that_kills_its_worker_every_time_is_given_up(world: World) -> None:
    run = ask(as_actor(world.ada), "slots.block", [world.slot(hours=50), world.slot(hours=60)])
    with technical_transaction() as current:
        current.execute(text("UPDATE bulk_rows SET attempts = 3 WHERE position = 1"))

    run = carried_out(run)

    assert states(run) == ["failed", "done"]
    assert rows(run)[0].sentence == "3 attempts ended in a technical failure; nothing was done."


def test_a_worker_killed_at_any_statement_does_no_row_twice_and_none_is_lost(world: World, db: Session) -> None:
    school = Class(world)
    bookings = [school.confirmed(), school.confirmed()]
    run = ask(as_actor(world.ada), "bookings.cancel", bookings, SCHOOL)
    deaths = 0
    while True:
        lease_runs_out()
        with technical_transaction() as current:
            current.execute(text("UPDATE bulk_rows SET attempts = 0"))  # this one dies more often than is allowed
        ended, _ = in_a_child(db, job.carry_out, dies_at=deaths + 1)
        if ended == DONE:
            break
        assert ended == DIED
        deaths += 1

    assert deaths > 10
    assert states(again(run)) == ["done", "done"]
    assert again(run).status is RunStatus.DONE
    assert actions("booking.cancel") == 2
    assert {world.again(each).status for each in bookings} == {BookingStatus.CANCELED}


def test_without_the_mark_in_its_transaction_a_row_would_be_done_twice(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The race without its guard: the command is done, the mark is not, and the next worker comes."""
    expires_at = world.now + timedelta(days=30)
    package = world.package(expires_at=expires_at)
    ask(as_actor(world.ada), "packages.extend", [package], {"days": 7})
    row = _next_row()
    with monkeypatch.context() as patch:
        patch.setattr(bulk_rows, "_done", lambda *_: None)
        bulk_rows.carry_out(as_actor(world.ada), row)
        bulk_rows.carry_out(as_actor(world.ada), _as_seen_now(row, world.again(package).version))

    assert world.again(package).expires_at == expires_at + timedelta(days=14)


def test_with_the_mark_the_second_worker_undoes_what_it_did(world: World) -> None:
    expires_at = world.now + timedelta(days=30)
    package = world.package(expires_at=expires_at)
    run = ask(as_actor(world.ada), "packages.extend", [package], {"days": 7})
    row = _next_row()

    bulk_rows.carry_out(as_actor(world.ada), row)
    bulk_rows.carry_out(as_actor(world.ada), _as_seen_now(row, world.again(package).version))

    assert states(run) == ["done"]
    assert world.again(package).expires_at == expires_at + timedelta(days=7)


def test_a_worker_killed_after_a_row_and_a_stop_before_the_next_lose_no_result(world: World, db: Session) -> None:
    """Whatever statement it dies at: a row says that it was done exactly when it was, so that an undo finds it."""
    ada = as_actor(world.ada)
    slots = iter([SimpleNamespace(id=world.slot(hours=50 + 2 * number).id) for number in range(60)])
    deaths, ended, came_of_it = 0, DIED, []
    while ended == DIED:
        slot = next(slots)
        run = SimpleNamespace(id=ask(ada, "slots.block", [slot]).id, owner_id=ada.id)
        deaths += 1
        ended, _ = in_a_child(db, job.carry_out, dies_at=deaths)
        _stopped(run)
        blocked = db.scalars(select(Slot.status).where(Slot.id == slot.id)).one() is SlotStatus.BLOCKED
        came_of_it.append((states(run), again(run).succeeded, blocked))

    assert deaths > 20
    assert {(str(rows), done, blocked) for rows, done, blocked in came_of_it} == {
        ("['refused']", 0, False),
        ("['done']", 1, True),
    }


def test_who_was_taken_over_does_nothing_after_the_run_was_closed(world: World) -> None:
    slot = world.slot()
    run = ask(as_actor(world.ada), "slots.block", [slot])
    row = _next_row()
    _stopped(run)

    bulk_rows.carry_out(as_actor(world.ada), row)

    assert (states(run), again(run).succeeded, world.again(slot).status) == (["refused"], 0, SlotStatus.OPEN)


def test_what_would_end_otherwise_than_agreed_is_refused(world: World) -> None:
    """The worker comes when the notice is too short by now: nobody agreed that these lessons are lost."""
    school = Class(world)
    booking = school.confirmed()
    run = ask(as_actor(world.ada), "bookings.cancel", [booking], {"cause": "student", "waive": False})

    with clock.standing_at(booking.start_at - timedelta(hours=23)):
        run = carried_out(run)

    assert [(row.status.value, row.code) for row in rows(run)] == [("refused", "outcome_changed")]
    assert world.again(booking).status is BookingStatus.CONFIRMED


def test_a_row_that_breaks_keeps_the_others_waiting_no_longer_than_a_tick(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ask(as_actor(world.ada), "slots.block", [world.slot(hours=50), world.slot(hours=60)])
    with monkeypatch.context() as patch:
        patch.setattr(bulk_rows, "_done", lambda *_: {}["a mistake of ours"])
        with pytest.raises(JobFailed):
            job.carry_out()

    assert states(carried_out(run)) == ["done", "done"]


def test_the_rows_of_an_old_run_are_cleaned_up_and_its_counts_stay(world: World) -> None:
    ada, slot = as_actor(world.ada), world.slot()
    with clock.moved_by(timedelta(days=-91)):
        old = carried_out(ask(ada, "slots.block", [slot]))
    new = carried_out(ask(ada, "slots.unblock", [slot]))

    cleaning.clean_up()

    assert (states(old), states(new)) == ([], ["done"])
    assert (again(old).rows_done, bulk.counts_of(session(), again(old))[RowStatus.DONE]) == (1, 1)


def _stopped(run: Any) -> None:
    """Somebody stops the run, and the next worker comes when the lease of the last one is over."""
    with suppress(bulk.RunNotOpen):
        bulk.stop_bulk(Actor(run.owner_id, Role.ADMIN), run.id, reason="wrong week")
    lease_runs_out()
    job.carry_out()


def test_two_workers_share_the_runs_and_do_no_row_twice(world: World, app: Flask) -> None:
    slots = [world.slot(hours=50 + 2 * number) for number in range(8)]
    runs = [ask(as_actor(world.ada), "slots.block", slots[:4]), ask(as_actor(world.sue), "slots.block", slots[4:])]

    at_once(app, job.carry_out, job.carry_out, job.carry_out)

    assert [again(run).status for run in runs] == [RunStatus.DONE] * 2
    assert [states(run) for run in runs] == [["done"] * 4] * 2
    assert actions("slot.block") == 8


def test_going_on_with_a_run_is_no_action_of_its_own(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    run = ask(as_actor(world.ada), "slots.block", [world.slot()])
    with monkeypatch.context() as patch:
        patch.setattr(job, "SLICE_SECONDS", 0.0)
        assert job.work_on(run.id, _claimed()) + job.work_on(run.id, _claimed()) == 0

    carried_out(run)

    assert (actions("bulk.start"), actions("bulk.close"), again(run).status) == (1, 1, RunStatus.DONE)


def test_a_run_that_somebody_works_on_is_not_taken_until_the_lease_ends(world: World) -> None:
    ask(as_actor(world.ada), "slots.block", [world.slot()])

    first, second = job.claim(new_id()), job.claim(new_id())
    lease_runs_out()
    third = job.claim(new_id())

    assert (first is not None, second, third) == (True, None, first)


def test_a_worker_that_lost_its_lease_stops(world: World) -> None:
    run = ask(as_actor(world.ada), "slots.block", [world.slot()])
    slow = new_id()
    assert job.claim(slow) == run.id
    lease_runs_out()
    assert job.claim(new_id()) == run.id

    assert job.work_on(run.id, slow) == 0
    assert states(run) == ["waiting"]


def _claimed() -> UUID:
    token = new_id()
    assert job.claim(token) is not None
    return token


def _next_row() -> bulk_rows.Due:
    token = new_id()
    run_id = job.claim(token)
    assert run_id is not None
    taken = job.take(run_id, token)
    assert taken is not None
    return taken[1]


def _as_seen_now(row: bulk_rows.Due, version: int) -> bulk_rows.Due:
    from dataclasses import replace

    return replace(row, seen_version=version)
