"""A person is erased: no word of theirs is left anywhere, what the books need stays, and the audit still proves itself."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from threading import Barrier, BrokenBarrierError
from typing import Any

import pytest
from flask import Flask
from psycopg2 import errors
from psycopg2.extensions import connection as Connection
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from guitaronline.actor import Role
from guitaronline.audit import integrity
from guitaronline.audit.models import AuditAction
from guitaronline.billing import granting
from guitaronline.billing.models import CreditEntry
from guitaronline.billing.service import grant_package
from guitaronline.db import session
from guitaronline.errors import DomainError, NotAllowed
from guitaronline.identity import service as identity
from guitaronline.identity import tokens
from guitaronline.identity.models import User
from guitaronline.identity.privacy_models import Erasure
from guitaronline.office.merging.merging import merge_people
from guitaronline.office.merging.undoing import undo_merge
from guitaronline.privacy import erasing, journal
from guitaronline.privacy.erasing import erase_person, preview
from guitaronline.privacy.refusals import JournalInvalid, NotThisPerson, PersonErased, StillOpen
from guitaronline.unit_of_work import Work
from tests.concurrency import at_once, refused
from tests.owner import tamper
from tests.privacy.life import FORMER, NAME, WORDS, places, planted
from tests.world import PASSWORD, World, as_actor

ALONE_SECONDS = 0.5  # how long one waits for the other, who may stand before a lock
WHY = "asked by letter of 3 November"


def erased(world: World, person: User) -> User:
    return erase_person(as_actor(world.ada), person.id, typed=person.reference.lower(), reason=WHY)


def codes(refusal: DomainError) -> set[str]:
    return {each.code for each in refusal.reasons}


def test_no_word_of_theirs_is_left_in_any_column_of_any_table(world: World, db: Session) -> None:
    zeb = planted(world)
    integrity.seal()
    before = places(db, *WORDS)

    erased(world, zeb)

    assert {"users", "notes", "lessons", "bookings", "message_bodies", "audit_personal", "audit_actions"} <= before
    assert {"exports", "saved_views", "console_sessions", "token_families", "billing_addresses", "tasks"} <= before
    assert places(db, *WORDS) == set()


def test_the_sealed_audit_still_proves_itself_and_what_the_books_need_stays(world: World, db: Session) -> None:
    zeb = planted(world)
    integrity.seal()
    entries = len(db.scalars(select(CreditEntry)).all())

    erased(world, zeb)

    db.rollback()
    assert integrity.verify(db).broken == []
    assert integrity.seal() > 0
    assert integrity.verify(db).broken == []
    assert len(db.scalars(select(CreditEntry)).all()) == entries
    kept = db.scalars(select(Erasure)).one()
    assert (kept.person_id, kept.erased_by) == (zeb.id, world.ada.id)
    assert kept.counts["users"] == kept.counts["lessons"] == 1


def test_a_record_that_was_merged_into_theirs_is_erased_with_it(world: World, db: Session) -> None:
    ada = as_actor(world.ada)
    kept = world.person("Zebulon", Role.STUDENT)
    twin = world.person("Zebedee", Role.STUDENT)
    merge = merge_people(ada, kept.id, loser_id=twin.id, reason=WHY, take=("full_name",))
    identity.deactivate_person(ada, kept.id, reason=WHY)
    before = places(db, "zebulon", "zebedee")

    erased(world, world.again(kept))

    assert {"users", "person_merges", "audit_personal"} <= before
    assert places(db, "zebulon", "zebedee") == set()
    assert {each.person_id for each in db.scalars(select(Erasure))} == {kept.id, twin.id}
    with pytest.raises(DomainError) as undone:
        undo_merge(ada, merge.id, reason=WHY)
    assert "erased_since" in codes(undone.value)


@pytest.mark.breaks_invariants
@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE audit_actions SET reason = 'another' WHERE id IN (SELECT action_id FROM audit_redactions)",
        "UPDATE audit_actions SET actor_kind = 'admin' WHERE id IN (SELECT action_id FROM audit_redactions)",
        "UPDATE audit_redactions SET rest = sha256('x')",
        "UPDATE audit_redactions SET whole = sha256('x')",
        "DELETE FROM audit_redactions",
    ],
)
def test_what_an_erasure_left_of_the_audit_cannot_be_changed_unseen(
    world: World, db: Session, owner: Connection, edit: str
) -> None:
    erased(world, planted(world))
    integrity.seal()

    tamper(owner, edit)

    db.rollback()
    assert integrity.verify(db).broken


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_actions SET reason = 'x'",
        "UPDATE notes SET body = 'x'",
        "SELECT erase_reasons(ARRAY[gen_random_uuid()], true)",
        "SELECT erase_personal('users', ARRAY[gen_random_uuid()])",
    ],
)
def test_nobody_takes_words_out_of_the_audit_but_an_erasure(world: World, owner: Connection, statement: str) -> None:
    assert world.ann

    with pytest.raises(errors.InsufficientPrivilege), owner.cursor() as cursor:
        cursor.execute(statement)


def test_somebody_who_is_owed_something_is_not_erased_and_hears_everything_at_once(world: World, db: Session) -> None:
    package = world.package()
    booking = world.booking()

    with pytest.raises(StillOpen) as refusal:
        erased(world, world.ann)

    assert codes(refusal.value) == {"lessons_ahead", "lessons_left"}
    assert booking.reference in refusal.value.reasons[0].detail
    assert package.reference in refusal.value.reasons[1].detail
    assert world.again(world.ann).full_name == "Ann"
    found = preview(session(), world.again(world.ann), now=world.now, actor_id=world.ada.id)
    assert {each.code for each in found.reasons} == codes(refusal.value)


def test_who_still_works_stands_for_a_child_or_has_work_to_do_is_not_erased(world: World) -> None:
    child = world.person("Mia", Role.STUDENT, email=None)
    identity.add_guardian(
        as_actor(world.ada), child.id, guardian_id=world.sue.id, relation="aunt", pays=True, receives_messages=True
    )
    identity.create_task(
        as_actor(world.sue), record_type="users", record_id=child.id, title="Call", owner_id=world.sue.id
    )

    with pytest.raises(StillOpen) as refusal:
        erased(world, world.sue)
    with pytest.raises(StillOpen) as own:
        erased(world, world.ada)

    assert codes(refusal.value) == {"still_active", "stands_for_a_child", "has_tasks"}
    assert codes(own.value) == {"own_account"}


def test_only_admins_erase_and_only_whom_they_name(world: World) -> None:
    with pytest.raises(NotAllowed):
        erase_person(as_actor(world.sue), world.ann.id, typed=world.ann.reference, reason=WHY)
    with pytest.raises(NotThisPerson):
        erase_person(as_actor(world.ada), world.ann.id, typed=world.ben.reference, reason=WHY)


def test_nobody_fills_the_record_again_or_signs_in_with_it(world: World) -> None:
    zeb = planted(world)
    gone = erased(world, zeb)

    assert (gone.full_name, gone.email, gone.is_active) == ("", None, False)
    for attempt in (
        lambda: identity.edit_person(as_actor(world.ada), zeb.id, changes={"full_name": "Zeb"}),
        lambda: identity.reactivate_person(as_actor(world.ada), zeb.id),
        lambda: identity.set_password(as_actor(world.ada), zeb.id, password=PASSWORD),
    ):
        with pytest.raises(PersonErased):
            attempt()
    with pytest.raises(DomainError):
        tokens.login("zq@zeb.example", PASSWORD)
    assert world.person(NAME, Role.STUDENT, email="zq@zeb.example").id != zeb.id


def test_a_teacher_who_left_is_erased_and_their_students_lessons_keep_their_words(world: World, db: Session) -> None:
    planted(world)
    identity.deactivate_person(as_actor(world.ada), world.tom.id, reason="moved away")

    gone = erased(world, world.tom)

    assert (gone.email, gone.role) == (None, Role.TEACHER)
    reasons = dict(db.execute(select(AuditAction.name, AuditAction.reason)).all())
    assert (reasons["booking.cancel"], reasons["person.deactivate"]) == ("my sore thumb", "[erased]")
    assert reasons["person.erase"] == WHY
    assert "lessons" in places(db, "scales in thirds")
    assert db.scalar(text("SELECT display_name FROM teacher_profiles WHERE user_id = :id"), {"id": gone.id}) == ""


def meet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has looked at the student waits until the other has too, or for a moment."""
    barrier = Barrier(2)

    def met(module: Any, name: str) -> None:
        step = getattr(module, name)

        def stepped(*args: Any, **more: Any) -> Any:
            result = step(*args, **more)
            with suppress(BrokenBarrierError):
                barrier.wait(ALONE_SECONDS)
            return result

        monkeypatch.setattr(module, name, stepped)

    met(erasing, "obstacles")
    met(granting, "_lock_student")


def granted_while_erased(app: Flask, world: World) -> list[str]:
    """The refusals of two at once."""
    ada, ann = as_actor(world.ada), world.ann
    session().rollback()
    return refused(
        at_once(
            app,
            lambda: grant_package(ada, student_id=ann.id, lessons_total=5, reason="a gift"),
            lambda: erase_person(ada, ann.id, typed=ann.reference, reason=WHY),
        )
    )


def test_without_the_lock_somebody_is_erased_who_is_owed_lessons(
    app: Flask, world: World, db: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Work, "lock", Work.find)
    meet(monkeypatch)

    assert granted_while_erased(app, world) == []


def test_a_package_granted_while_somebody_is_erased_is_theirs_or_refused(
    app: Flask, world: World, db: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    meet(monkeypatch)

    assert granted_while_erased(app, world) in (["still_open"], ["student_inactive"])


def test_the_journal_is_done_again_after_a_restore(world: World, db: Session, app: Flask, tmp_path: Path) -> None:
    # given a journal from before, and a database in which the person is back
    zeb = planted(world)
    lost = journal.Line(world.now, zeb.id, world.ada.id)
    unknown = journal.Line(world.now, world.slot().id, None)
    kept = tmp_path / "journal"
    kept.write_text(f"{lost}\n{unknown}\n")
    session().rollback()

    # when it is replayed, twice
    first, second = [app.test_cli_runner().invoke(args=["privacy", "replay", str(kept)]) for _ in range(2)]

    # then they are gone again, with their day and who did it then
    assert first.output.startswith("1 erased again, 0 were erased already, 1 are not in this database")
    assert second.output.startswith("0 erased again, 1 were erased already, 1 are not in this database")
    assert places(db, *WORDS) == set()
    assert app.test_cli_runner().invoke(args=["privacy", "journal"]).output == f"{lost}\n"


def test_a_replay_erases_whose_lessons_are_open_again_and_says_so(world: World) -> None:
    world.package()
    booking = world.booking()

    done = journal.replay([journal.Line(world.now, world.ann.id, None)])

    assert done.again == 1
    assert any(booking.reference in each for each in done.open)
    assert world.again(world.ann).full_name == ""


@pytest.mark.parametrize("change", ["", "x", FORMER])
def test_a_line_of_the_journal_that_was_changed_is_told(world: World, change: str) -> None:
    line = str(journal.Line(world.now, world.ann.id, None))

    with pytest.raises(JournalInvalid, match="Line 2"):
        journal.read([line, line[:-1] + change])
