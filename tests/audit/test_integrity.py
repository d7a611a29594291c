"""The sealed audit: what was sealed cannot be changed unseen, and what is allowed stays unseen."""

from __future__ import annotations

from pathlib import Path
from threading import Event, Thread

import psycopg2
import pytest
from flask import Flask
from psycopg2.extensions import connection as Connection
from sqlalchemy import text
from sqlalchemy.orm import Session

from guitaronline.actor import SYSTEM
from guitaronline.audit import integrity
from guitaronline.identity.models import User
from guitaronline.unit_of_work import Work, command
from tests.concurrency import at_once
from tests.owner import tamper
from tests.servers import Servers
from tests.world import World


@command("test.rename", on="users")
def rename(work: Work, user_id: object, *, level: str, reason: str | None = None) -> None:
    work.lock(User, user_id).level = level  # type: ignore[arg-type]


@pytest.fixture
def sealed(world: World, db: Session) -> World:
    """Three people and some changes, all sealed."""
    for level, person in enumerate([world.ann, world.ben, world.tom]):
        rename(SYSTEM, person.id, level=str(level), reason="as agreed")
    integrity.seal()
    return world


def broken(db: Session, kept: list[integrity.Checkpoint] | None = None) -> list[str]:
    db.rollback()
    return integrity.verify(db, kept or []).broken


def test_everything_committed_is_sealed_with_all_its_changes(sealed: World, db: Session) -> None:
    verdict = integrity.verify(db)

    actions, changes = db.execute(
        text("SELECT (SELECT count(*) FROM audit_actions), (SELECT count(*) FROM audit_changes)")
    ).one()
    assert (verdict.sealed, verdict.changes, verdict.unsealed, verdict.broken) == (actions, changes, 0, [])
    assert actions > 5


def test_an_empty_chain_is_whole(db: Session) -> None:
    assert integrity.seal() == 0
    assert integrity.verify(db) == integrity.Verdict()


def test_what_came_after_the_last_seal_is_fine(sealed: World, db: Session) -> None:
    rename(SYSTEM, sealed.ann.id, level="more")

    verdict = integrity.verify(db)

    assert (verdict.unsealed, verdict.broken) == (1, [])
    assert integrity.seal() == 1
    assert broken(db) == []


def test_sealing_again_changes_nothing(sealed: World, db: Session) -> None:
    before = integrity.newest_checkpoint(db)

    assert integrity.seal() == 0
    assert integrity.newest_checkpoint(db) == before


def test_an_open_transaction_is_held_back_and_sealed_later(sealed: World, db: Session, mine: Servers) -> None:
    # given an action that is written but not committed, and a later one that is
    other = psycopg2.connect(mine.app_url)
    with other.cursor() as cursor:
        cursor.execute(
            "SELECT begin_action(%s, NULL, 'system', 'test.slow', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
            ["01900000-0000-7000-8000-000000000000"],
        )
        cursor.execute("UPDATE users SET level = 'slow' WHERE id = %s", [str(sealed.ben.id)])
    rename(SYSTEM, sealed.ann.id, level="quick")

    # when it commits after the later one was sealed
    first = integrity.seal()
    other.commit()
    other.close()

    # then it is sealed too, though its id is smaller than any
    assert (first, integrity.seal(everything=True)) == (1, 1)
    assert broken(db) == []


EDITS = {
    "an action's reason": "UPDATE audit_actions SET reason = 'another' WHERE name = 'test.rename'",
    "who did it": "UPDATE audit_actions SET actor_id = gen_random_uuid() WHERE name = 'test.rename'",
    "when": "UPDATE audit_actions SET at = at - interval '1 microsecond' WHERE name = 'test.rename'",
    "a change's value": "UPDATE audit_changes SET after = jsonb_set(after, '{level}', '\"9\"') WHERE after ? 'level' AND before IS NOT NULL",
    "which row": "UPDATE audit_changes SET row_id = gen_random_uuid() WHERE before IS NOT NULL",
    "a missing value for null": "UPDATE audit_changes SET before = 'null' WHERE before IS NULL",
    "a link": "UPDATE audit_seals SET hash = sha256('x') WHERE sequence = 2",
}
DELETIONS = {
    "a change": "DELETE FROM audit_changes WHERE id = (SELECT min(id) FROM audit_changes)",
    "an action, its changes left": "DELETE FROM audit_actions WHERE id = (SELECT min(id::text)::uuid FROM audit_actions)",
    "an action with everything": """
        WITH gone AS (DELETE FROM audit_seals WHERE sequence = 2 RETURNING action_id),
             changes AS (DELETE FROM audit_changes WHERE action_id IN (SELECT action_id FROM gone))
        DELETE FROM audit_actions WHERE id IN (SELECT action_id FROM gone)""",
    "the sealed end": """
        WITH gone AS (DELETE FROM audit_seals WHERE sequence >= 4 RETURNING action_id),
             changes AS (DELETE FROM audit_changes WHERE action_id IN (SELECT action_id FROM gone))
        DELETE FROM audit_actions WHERE id IN (SELECT action_id FROM gone)""",
    "every link": "DELETE FROM audit_seals",
}
INSERTIONS = {
    "a change into a sealed action": """
        INSERT INTO audit_changes (action_id, table_name, row_id, after)
        SELECT action_id, 'users', gen_random_uuid(), '{"level": "9"}' FROM audit_seals WHERE sequence = 2""",
    "a change of no action": """
        INSERT INTO audit_changes (action_id, table_name, row_id, after) VALUES (gen_random_uuid(), 'users', gen_random_uuid(), '{}')""",
    "an action of last week": """
        INSERT INTO audit_actions (id, at, recorded_at, actor_kind, name)
        VALUES (gen_random_uuid(), now() - interval '7 days', now() - interval '7 days', 'admin', 'payment.set_status')""",
}
REORDERINGS = {
    "two links change places": """
        UPDATE audit_seals SET sequence = -sequence WHERE sequence IN (2, 3);
        UPDATE audit_seals SET sequence = 5 + sequence WHERE sequence < 0""",
    "two actions change places": """
        CREATE TEMP TABLE swap ON COMMIT DROP AS SELECT sequence, action_id, hash FROM audit_seals WHERE sequence IN (2, 3);
        DELETE FROM audit_seals WHERE sequence IN (2, 3);
        INSERT INTO audit_seals SELECT a.sequence, b.action_id, a.hash FROM swap a JOIN swap b ON b.sequence = 5 - a.sequence""",
}
ATTACKS = EDITS | DELETIONS | INSERTIONS | REORDERINGS


@pytest.mark.breaks_invariants
@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_every_attack_is_found(sealed: World, db: Session, owner: Connection, attack: str) -> None:
    assert broken(db) == []

    tamper(owner, attack)

    assert broken(db) != []


@pytest.mark.breaks_invariants
def test_a_forged_old_action_is_still_found_after_it_was_sealed(sealed: World, db: Session, owner: Connection) -> None:
    tamper(owner, INSERTIONS["an action of last week"])
    integrity.seal(everything=True)

    assert "claims to be older" in broken(db)[0]


@pytest.mark.breaks_invariants
def test_a_chain_that_was_made_anew_is_found_by_a_checkpoint_kept_elsewhere(
    sealed: World, db: Session, owner: Connection
) -> None:
    # given somebody who owns the database, and knows how sealing works
    kept = integrity.newest_checkpoint(db)
    assert kept is not None
    db.rollback()
    tamper(owner, EDITS["an action's reason"], "DELETE FROM audit_seals", "DELETE FROM audit_checkpoints")
    integrity.seal(everything=True)

    # then the database alone tells nothing, the copy does
    assert broken(db) == []
    assert broken(db, [kept]) != []


@pytest.mark.breaks_invariants
def test_a_cut_off_end_is_found_by_a_checkpoint_kept_elsewhere(sealed: World, db: Session, owner: Connection) -> None:
    kept = integrity.newest_checkpoint(db)
    assert kept is not None
    db.rollback()
    tamper(owner, DELETIONS["the sealed end"], "DELETE FROM audit_checkpoints")

    assert broken(db) == []
    assert broken(db, [kept]) == [f"the chain ends at link 3, but a checkpoint says that link {kept.sequence} existed"]


@pytest.mark.breaks_invariants
def test_the_sealer_does_not_go_on_over_a_cut(sealed: World, db: Session, owner: Connection) -> None:
    db.rollback()
    tamper(owner, DELETIONS["the sealed end"])
    rename(SYSTEM, sealed.ann.id, level="more")

    with pytest.raises(integrity.ChainBroken):
        integrity.seal()


def test_erased_personal_values_break_nothing(sealed: World, db: Session, owner: Connection) -> None:
    tamper(owner, "DELETE FROM audit_personal")

    assert broken(db) == []


@pytest.mark.breaks_invariants
def test_forged_personal_values_are_found(sealed: World, db: Session, owner: Connection) -> None:
    tamper(
        owner,
        """UPDATE audit_personal SET after = jsonb_set(after, '{full_name}', '"Eve"') WHERE after ? 'full_name'""",
    )

    assert "clear values" in broken(db)[0]


def test_after_a_restore_sealing_goes_on(sealed: World, db: Session, owner: Connection) -> None:
    """Transaction ids begin anew in a restored cluster; those that are stored may lie in its future."""
    rename(SYSTEM, sealed.ann.id, level="unsealed when it was dumped")
    tamper(
        owner,
        "UPDATE audit_actions SET xid = '9000000000000000' WHERE NOT EXISTS (SELECT FROM audit_seals s WHERE s.action_id = id)",
    )

    assert integrity.seal() == 1
    assert broken(db) == []


def test_two_sealers_at_once_make_one_chain(sealed: World, db: Session, app: Flask) -> None:
    for level in range(20):
        rename(SYSTEM, sealed.ann.id, level=f"again {level}")

    made = at_once(app, integrity.seal, integrity.seal, integrity.seal)

    assert sum(made) + integrity.seal() == 20
    assert broken(db) == []


def test_sealing_while_others_write_misses_nothing(sealed: World, db: Session, app: Flask) -> None:
    stop = Event()

    def write() -> None:
        with app.app_context():
            while not stop.is_set():
                rename(SYSTEM, sealed.ann.id, level="busy")

    writer = Thread(target=write)
    writer.start()
    made = [integrity.seal() for _ in range(10)]
    stop.set()
    writer.join()

    assert integrity.seal() >= 0
    assert sum(made) > 0
    assert integrity.verify(db).unsealed == 0
    assert broken(db) == []


def test_batches_follow_each_other(sealed: World, db: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(integrity, "AT_ONCE", 2)
    for level in range(5):
        rename(SYSTEM, sealed.ann.id, level=str(level + 10))

    assert integrity.seal() == 5
    assert broken(db) == []


def test_a_checkpoint_is_what_its_line_says(sealed: World, db: Session, tmp_path: Path) -> None:
    checkpoint = integrity.newest_checkpoint(db)
    assert checkpoint is not None
    file = tmp_path / "kept.log"
    integrity.append_checkpoint(file, checkpoint)
    integrity.append_checkpoint(file, checkpoint)

    kept = integrity.read_checkpoints(file.read_text().splitlines())

    assert [(each.sequence, each.changes, each.head) for each in kept] == [
        (checkpoint.sequence, checkpoint.changes, checkpoint.head)
    ] * 2
    with pytest.raises(ValueError, match="not a checkpoint"):
        integrity.read_checkpoints(["2026-01-01T00:00:00+00:00 1 2 abc"])
