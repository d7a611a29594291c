"""Proofs by a button: asked for in the console, done by a job, their result on the page."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from psycopg2.extensions import connection as Connection
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from guitaronline import checks
from guitaronline.admin.checks import checks_failing
from guitaronline.audit import integrity
from guitaronline.audit.models import AskedRun, AuditVerification, CheckRun, RunKind
from guitaronline.db import new_id, session, technical_transaction
from guitaronline.errors import NotAllowed
from guitaronline.office import proofs
from jobs import proofs as job
from tests.admin.browser import Browser, signed_in, words
from tests.admin.conftest import School, actions
from tests.concurrency import at_once
from tests.owner import tamper
from tests.world import World, as_actor

BREAK_A_REASON = "UPDATE audit_actions SET reason = 'nobody knows' WHERE name = 'package.grant'"
BREAK_A_PACKAGE = "UPDATE packages SET available = available - 1, expired = expired + 1"


def page(browser: Browser, path: str) -> str:
    return words(browser.get(f"/admin/{path}/").text)


def runs() -> list[AskedRun]:
    session().rollback()
    return list(session().scalars(select(AskedRun).order_by(AskedRun.id)))


def test_the_chain_page_tells_the_head_and_what_is_not_sealed_yet(ada: Browser, world: World) -> None:
    world.package()
    before = page(ada, "audit-chain")
    integrity.seal()
    head = integrity.newest_checkpoint(session())
    world.slot()
    unsealed = integrity.verify(session()).unsealed

    after = page(ada, "audit-chain")

    assert head
    assert "Nothing is sealed yet" in before
    assert head.head.hex() in after
    assert str(head) in after
    assert f"Not sealed yet {unsealed} actions" in after
    assert unsealed > 0


def test_verify_now_asks_the_job_does_and_the_page_tells(ada: Browser, world: World) -> None:
    world.package()
    integrity.seal()

    ada.post("/admin/audit-chain/verify", {})
    waiting = page(ada, "audit-chain")
    done = (job.run_asked(), job.run_asked())
    after = page(ada, "audit-chain")

    assert "the worker looks every few seconds" in waiting
    assert done == (1, 0)
    assert "Audit chain holds" in after
    assert "holds Ada" in after
    assert "the worker looks" not in after
    assert actions("audit.verify") == 1


@pytest.mark.breaks_invariants
def test_a_chain_that_somebody_changed_is_told_with_what_is_wrong(
    ada: Browser, world: World, owner: Connection
) -> None:
    world.package()
    integrity.seal()
    session().rollback()
    tamper(owner, BREAK_A_REASON)

    ada.post("/admin/audit-chain/verify", {})
    job.run_asked()
    told = page(ada, "audit-chain")

    assert "Audit chain failed" in told
    assert "are not what was sealed" in told


@pytest.mark.breaks_invariants
def test_a_broken_invariant_stands_on_the_page_with_its_record(ada: Browser, school: School, owner: Connection) -> None:
    package = school.package
    session().rollback()
    tamper(owner, BREAK_A_PACKAGE)

    ada.post("/admin/integrity/run", {})
    job.run_asked()
    answer = ada.get("/admin/integrity/")

    assert f'/admin/packages/details/?id={package.id}">' in answer.text
    assert "I1 buckets A package's buckets equal the sums" in words(answer.text)
    assert "I3 overlap No slot, teacher or student has two active bookings at once. holds" in words(answer.text)
    assert checks_failing() > 0


def test_when_all_holds_every_invariant_says_so(ada: Browser, school: School) -> None:
    assert school.booked
    before = page(ada, "integrity")

    checks.run_and_keep()
    after = page(ada, "integrity")

    assert before.count("not run yet") == len(checks.EVERY) + 1
    assert after.count(" holds ") >= len(checks.CHECKS) + 1
    assert "everything holds" in after
    assert checks_failing() == 0


def test_a_check_that_is_newer_than_the_last_run_says_so(ada: Browser, world: World) -> None:
    with technical_transaction() as writing:
        writing.add(CheckRun(id=new_id(), at=world.now, seconds=1.0, findings={"findings": [], "ran": ["I1 buckets"]}))

    assert page(ada, "integrity").count("not run yet") == len(checks.CHECKS) + 1


def test_every_run_stands_in_the_history_with_who_asked(ada: Browser, world: World) -> None:
    checks.run_and_keep()
    ada.post("/admin/integrity/run", {})
    job.run_asked()

    told = page(ada, "integrity")

    assert "all hold Ada" in told
    assert "all hold the timetable" in told


def test_asking_twice_makes_one_run(app: Flask, world: World) -> None:
    auditor, admin = as_actor(world.audrey), as_actor(world.ada)

    at_once(app, lambda: proofs.ask_for_proof(auditor), lambda: proofs.ask_for_proof(admin))

    assert [run.kind for run in runs()] == [RunKind.CHAIN]
    assert actions("audit.verify") == 2


def test_two_jobs_at_once_do_a_run_once(app: Flask, world: World) -> None:
    proofs.ask_for_proof(as_actor(world.ada))

    results = at_once(app, proofs.do_asked, proofs.do_asked)

    assert sum(results) == 1
    assert session().query(AuditVerification).count() == 1


def test_a_job_that_was_killed_leaves_the_run_to_the_next(world: World) -> None:
    proofs.ask_for_proof(as_actor(world.ada))
    assert proofs._begin(RunKind.CHAIN)  # and then the process is gone

    assert job.run_asked() == 1
    assert [(run.attempts, run.finished_at is not None, run.failed) for run in runs()] == [(2, True, False)]


def test_a_run_that_kills_its_job_each_time_is_given_up(ada: Browser, world: World) -> None:
    proofs.ask_for_proof(as_actor(world.ada))
    attempts = [proofs._begin(RunKind.CHAIN) for _ in range(proofs.ATTEMPTS)]

    assert all(attempts)
    assert job.run_asked() == 0
    assert [(run.finished_at is not None, run.failed) for run in runs()] == [(True, True)]
    proofs.ask_for_proof(as_actor(world.ada))
    assert job.run_asked() == 1


def test_a_run_tells_how_long_it_has_been_running(ada: Browser, world: World) -> None:
    proofs.ask_for_proof(as_actor(world.ada))
    proofs._begin(RunKind.CHAIN)

    assert "Running for 0." in page(ada, "audit-chain")


@pytest.mark.parametrize("who", ["sue", "finn", "tom", "ann"])
def test_the_proof_of_the_chain_is_for_who_reads_the_whole_audit(world: World, who: str) -> None:
    with pytest.raises(NotAllowed):
        proofs.ask_for_proof(as_actor(getattr(world, who)))


@pytest.mark.parametrize("who", ["sue", "tom", "ann"])
def test_the_checks_are_run_by_who_may_read_them(world: World, who: str) -> None:
    with pytest.raises(NotAllowed):
        proofs.ask_for_checks(as_actor(getattr(world, who)))


def test_finance_runs_the_checks(app: Flask, world: World) -> None:
    answer = signed_in(app, world.finn).post("/admin/integrity/run", {})

    assert answer.status_code == 303
    assert [run.kind for run in runs()] == [RunKind.INVARIANTS]


def test_a_verification_cannot_be_rewritten(world: World, db: Session, owner: Connection) -> None:
    checks.run_and_keep()
    db.rollback()

    with owner.cursor() as cursor, pytest.raises(Exception, match="what happened stays written"):
        cursor.execute("UPDATE audit_verifications SET broken = '[]'")


def test_old_runs_are_cleaned_up(world: World, db: Session) -> None:
    from jobs import cleaning

    proofs.ask_for_proof(as_actor(world.ada))
    job.run_asked()
    with technical_transaction() as writing:
        writing.execute(text("UPDATE asked_runs SET finished_at = finished_at - :age"), {"age": timedelta(days=91)})

    assert cleaning.delete("asked_runs") == 1
