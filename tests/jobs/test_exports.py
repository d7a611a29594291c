"""Large files: made by a job, as their owner sees the list, whatever happens to the worker."""

from __future__ import annotations

import csv
import io
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from psycopg2.extensions import connection as Connection
from sqlalchemy import text
from sqlalchemy.orm import Session

from guitaronline.actor import Role
from guitaronline.admin import export_making
from guitaronline.db import new_id
from guitaronline.identity.access import Permission
from guitaronline.identity.service import deactivate_person, set_role
from guitaronline.office import export_runs, exports
from guitaronline.office.export_models import Export, ExportFormat, ExportStatus
from guitaronline.office.exports import Wanted, request_export
from jobs import cleaning
from jobs.exports import make
from tests.concurrency import at_once
from tests.jobs.processes import Processes, eventually, kill
from tests.jobs.test_processes import done, locked, waits
from tests.servers import Servers
from tests.world import World, as_actor


def wanted(**more: Any) -> Wanted:
    facts = {"desk": "people", "needs": Permission.READ_PEOPLE, "format": ExportFormat.CSV, "zone": "Europe/Berlin"}
    return Wanted(**{**facts, "columns": ["full_name", "email"], "filters": {"role": "student"}, **more})


@pytest.fixture
def asked(world: World) -> Export:
    """Sue waits for a file of all students."""
    assert world.ann
    assert world.ben
    return request_export(as_actor(world.sue), wanted=wanted())


def rows(export_id: UUID) -> list[list[str]]:
    content = b""
    sequence = 0
    while (part := export_runs.part(export_id, sequence)) is not None:
        content += part
        sequence += 1
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def test_a_file_is_made_once_and_holds_what_the_list_shows(world: World, asked: Export) -> None:
    assert (make(), make()) == (1, 0)

    found = world.again(asked)
    assert (found.status, found.rows) == (ExportStatus.READY, 2)
    assert rows(asked.id) == [
        ["Name", "E-mail"],
        ["Ben", "ben@people.example"],
        ["Ann", "ann@people.example"],
    ]


def test_a_file_of_many_parts_is_whole(
    world: World, asked: Export, db: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_making, "PART_BYTES", 1)
    monkeypatch.setattr("guitaronline.admin.exporting.BATCH", 1)

    make()

    assert db.execute(text("SELECT count(*) FROM export_parts")).scalar_one() == 3
    assert len(rows(asked.id)) == 3


def test_contacts_are_masked_for_an_owner_who_may_not_see_them(world: World) -> None:
    assert world.ann
    export = request_export(as_actor(world.finn), wanted=wanted())

    make()

    assert rows(export.id)[1][1] == "a•••@p•••.example"


def test_an_owner_sees_no_more_of_the_audit_than_on_the_page(world: World) -> None:
    assert world.ann
    audit = wanted(desk="audit", needs=Permission.READ_OWN_ACTIONS, columns=["name"], filters={})
    export = request_export(as_actor(world.sue), wanted=audit)

    make()

    assert {row[0] for row in rows(export.id)[1:]} == {"list.request_export"}


def _another_role(world: World) -> None:
    set_role(as_actor(world.ada), world.sue.id, role=Role.FINANCE, reason="moved")


def _not_active(world: World) -> None:
    deactivate_person(as_actor(world.ada), world.sue.id, reason="left")


@pytest.mark.parametrize(
    ("happens", "why"), [(_another_role, "Export the list again"), (_not_active, "not active any more")]
)
def test_who_lost_the_right_meanwhile_gets_no_file(world: World, asked: Export, happens: Any, why: str) -> None:
    happens(world)

    make()

    assert world.again(asked).status is ExportStatus.FAILED
    assert why in world.again(asked).error
    assert rows(asked.id) == []


@pytest.mark.parametrize(
    ("odd", "why"),
    [
        ({"desk": "gone"}, "no such list"),
        ({"filters": {"gone": "x"}}, "no filter “gone”"),
        ({"sort": "gone"}, "cannot be sorted"),
    ],
)
def test_a_list_that_changed_meanwhile_is_told_in_words(world: World, odd: dict[str, Any], why: str) -> None:
    export = request_export(as_actor(world.sue), wanted=wanted(**odd))

    make()

    assert world.again(export).status is ExportStatus.FAILED
    assert why in world.again(export).error


def test_more_rows_than_a_file_may_have_are_refused(
    world: World, asked: Export, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(exports.MOST_ROWS, ExportFormat.CSV, 1)

    make()

    assert "more than 1 rows" in world.again(asked).error


def test_one_that_never_comes_to_an_end_is_given_up(world: World, asked: Export, db: Session) -> None:
    db.execute(text("UPDATE export_runs SET attempts = 3"))
    db.commit()

    make()

    assert world.again(asked).status is ExportStatus.FAILED
    assert "3 times" in world.again(asked).error


def test_two_workers_at_once_make_each_file_once(app: Flask, world: World, asked: Export, db: Session) -> None:
    other = request_export(as_actor(world.sue), wanted=wanted(search="ann"))
    db.rollback()

    taken = at_once(app, make, make)

    assert sum(taken) == 2
    assert (len(rows(asked.id)), len(rows(other.id))) == (3, 2)


def test_two_that_ignore_each_others_lease_would_write_a_file_twice(world: World, asked: Export, db: Session) -> None:
    """The guard taken away, then with it: the slow one is fenced out and the file stays whole."""
    slow = export_runs.claim(new_id())
    db.rollback()
    db.execute(text("UPDATE export_runs SET lease_until = clock_timestamp() - interval '1 second'"))
    db.commit()
    assert slow
    make()
    whole = rows(asked.id)
    db.rollback()

    db.execute(
        text("INSERT INTO export_parts (export_id, sequence, bytes) VALUES (:id, 1, 'late')"), {"id": slow.export_id}
    )
    broken = rows(asked.id)
    db.rollback()
    assert export_making.make(slow) == 0

    assert broken != whole
    assert rows(asked.id) == whole


@pytest.mark.breaks_invariants  # a date is changed past the audit
def test_cleaning_removes_files_whose_time_is_over(world: World, asked: Export, db: Session, owner: Connection) -> None:
    make()
    with owner.cursor() as cursor:
        cursor.execute(
            "SET session_replication_role = replica; UPDATE exports SET expires_at = now();"
            " SET session_replication_role = origin"
        )

    assert (cleaning.clean_up(), cleaning.clean_up()) == (1, 0)

    assert world.again(asked).status is ExportStatus.EXPIRED
    assert rows(asked.id) == []


def test_a_worker_killed_in_the_middle_is_followed_by_one_that_makes_the_file(
    world: World, asked: Export, db: Session, run: Processes, mine: Servers, owner: Connection
) -> None:
    db.rollback()

    # given a worker that has begun and cannot yet keep a part
    with locked(mine, "export_parts"):
        worker = run.start("jobs.worker", LOCK_TIMEOUT_MS="60000", STATEMENT_TIMEOUT_MS="60000")
        run.start("jobs.scheduler")
        eventually(lambda: waits(owner))
        kill(worker)
    eventually(lambda: not waits(owner))

    # when its lease is over, the next one begins anew
    with owner.cursor() as cursor:
        cursor.execute("UPDATE export_runs SET lease_until = clock_timestamp() - interval '1 second'")
    run.start("jobs.worker")

    # then the file is whole
    eventually(lambda: world.again(asked).status is ExportStatus.READY)
    assert len(rows(asked.id)) == 3
    eventually(lambda: done(owner, "exports.make") >= 1)
