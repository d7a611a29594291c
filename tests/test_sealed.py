"""What is sealed in the database follows SECRET_KEY; nothing is left behind with a secret that is about to go."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session

from guitaronline import policy, sealed, secret_keys
from guitaronline.actor import SYSTEM
from guitaronline.identity.models import User
from guitaronline.identity.service import invite_person
from guitaronline.sealed import Key
from guitaronline.secrets_cli import secrets
from guitaronline.unit_of_work import Work, command
from tests.concurrency import at_once
from tests.world import World, as_actor

OLDEST, OLD, NEW = (
    "wQ8-first-secret-of-all-kT3zVb6Rm",
    "xE5-second-secret-here-pL9sNc2Ud",
    "yR7-third-secret-by-now-hG4fMa1Wj",
)
CODE = Path(sealed.__file__).resolve().parent
OURS = {"sealed.py", "rehearsal.py"}  # they seal again what others sealed
[TOTP] = [each for each in sealed.SEALED if each.purpose == "totp"]

Say = Callable[..., Result]


@pytest.fixture
def say(app: Flask, db: Session) -> Say:
    def run(*words: str) -> Result:
        db.rollback()
        return app.test_cli_runner().invoke(secrets, words)

    return run


@pytest.fixture
def rotated(world: World, db: Session) -> Iterator[None]:
    """Sue's and Finn's values are sealed with an earlier secret, Ada's with the newest, Audrey's with none that is known."""
    plant(world.sue.id, "of sue", OLD)
    plant(world.finn.id, "of finn", OLD)
    plant(world.ada.id, "of ada", NEW)
    plant(world.audrey.id, "of audrey", OLDEST)
    with policy.changed(SECRET_KEY=NEW, SECRET_KEY_FALLBACKS=OLD):
        yield


@command("test.write_totp")
def _write(work: Work, *, person_id: UUID, value: str) -> None:
    work.lock(User, person_id).totp_secret = value


def plant(person_id: UUID, plain: str, secret: str) -> None:
    with policy.changed(SECRET_KEY=secret, SECRET_KEY_FALLBACKS=""):
        _write(SYSTEM, value=secret_keys.seal(plain, "totp"), person_id=person_id)


def opened(db: Session) -> list[str]:
    """What opens with the newest secret alone."""
    with policy.changed(SECRET_KEY_FALLBACKS=""):
        values = [value for _, value in sealed.values_of(db, TOTP) if sealed.key_of(value, "totp") is Key.NEWEST]
        return sorted(secret_keys.unseal(value, "totp") for value in values)


def test_it_is_told_what_opens_with_which_secret(db: Session, rotated: None) -> None:
    assert sealed.keys_of(db, TOTP) == Counter({Key.EARLIER: 2, Key.NEWEST: 1, Key.UNKNOWN: 1})


def test_sealed_again_everything_known_opens_without_the_fallback(db: Session, rotated: None) -> None:
    done = sealed.reseal(db)

    assert done == 2
    assert opened(db) == ["of ada", "of finn", "of sue"]
    assert sealed.keys_of(db, TOTP) == Counter({Key.NEWEST: 3, Key.UNKNOWN: 1})


def test_sealing_again_twice_changes_nothing_and_leaves_no_action(db: Session, rotated: None) -> None:
    sealed.reseal(db)
    actions = text("SELECT count(*) FROM audit_actions WHERE name = 'secrets.reseal'")
    before = db.execute(actions).scalar_one()

    again = sealed.reseal(db)

    assert (again, before, db.execute(actions).scalar_one()) == (0, 1, 1)


def test_sealing_again_says_nothing_of_the_value_in_the_audit(db: Session, rotated: None) -> None:
    sealed.reseal(db)

    changes = db.execute(text("SELECT before::text || after::text FROM audit_changes c JOIN audit_actions a ON a.id = c.action_id"
                              " WHERE a.name = 'secrets.reseal'")).scalars().all()  # fmt: skip
    assert changes == ['{"totp_secret": "***"}{"totp_secret": "***"}'] * 2


def test_two_at_once_seal_each_value_once(app: Flask, db: Session, rotated: None) -> None:
    ids = [row_id for row_id, value in sealed.values_of(db, TOTP) if sealed.key_of(value, "totp") is Key.EARLIER]
    db.rollback()

    def both() -> int:
        return sealed._reseal_rows(SYSTEM, column=TOTP, ids=ids)

    assert sorted(at_once(app, both, both)) == [0, 2]
    assert opened(db) == ["of ada", "of finn", "of sue"]


def test_more_than_one_batch_is_sealed_again(db: Session, rotated: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed, "AT_ONCE", 1)

    assert sealed.reseal(db) == 2


def test_a_value_that_is_not_sealed_stays_as_it_is_where_its_code_reads_none(
    db: Session, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = "JBSWY3DPEHPK3PXP"
    monkeypatch.setattr(sealed, "SEALED", (replace(TOTP, may_be_clear=False),))
    _write(SYSTEM, value=plain, person_id=world.sue.id)

    assert sealed.reseal(db) == 0
    assert sealed.keys_of(db, TOTP) == Counter({Key.NONE: 1})


def test_a_value_from_before_is_sealed_where_its_code_reads_it(db: Session, world: World) -> None:
    _write(SYSTEM, value="JBSWY3DPEHPK3PXP", person_id=world.sue.id)

    assert sealed.reseal(db) == 1
    assert opened(db) == ["JBSWY3DPEHPK3PXP"]


def test_everything_that_the_code_seals_stands_in_the_table() -> None:
    trees = {path.name: ast.parse(path.read_text()) for path in CODE.rglob("*.py") if path.name not in OURS}
    purposes = {purpose for tree in trees.values() for purpose in sealed_in(tree)}
    bare = [path.name for path in CODE.rglob("*.py") if "from guitaronline.secret_keys import seal" in path.read_text()]

    assert purposes - {column.purpose for column in sealed.SEALED} == set()
    assert bare == []


def test_control_a_purpose_is_found_however_it_is_written() -> None:
    assert sealed_in(ast.parse('A, B = "one", "two"\nx = secret_keys.seal(v, B)\nsecret_keys.seal(v, "three")')) == {
        "two",
        "three",
    }
    assert sealed_in(ast.parse("secret_keys.seal(v, made_up())")) == {"made_up()"}


def sealed_in(tree: ast.Module) -> set[str]:
    """The purposes of `secret_keys.seal(…, purpose)`; a name stands for its constant in the same module."""
    calls = [
        node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "secret_keys.seal"
    ]
    known = constants(tree)
    return {known.get(ast.unparse(call.args[1]), ast.unparse(call.args[1]).strip("'")) for call in calls}


def constants(tree: ast.Module) -> dict[str, str]:
    pairs = [(node.targets[0], node.value) for node in tree.body if isinstance(node, ast.Assign)]
    several = [pair for target, value in pairs if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple)
               for pair in zip(target.elts, value.elts, strict=True)]  # fmt: skip
    return {ast.unparse(target): value.value for target, value in [*pairs, *several]
            if isinstance(value, ast.Constant) and isinstance(value.value, str)}  # fmt: skip


def test_status_names_what_is_still_needed_and_ends_with_one(say: Say, rotated: None) -> None:
    told = say("status")

    assert told.exit_code == 1
    assert (
        "users.totp_secret: 1 with SECRET_KEY, 2 with one of SECRET_KEY_FALLBACKS, 1 with a secret that is not known any more"
        in told.output
    )
    assert "Put the secret that is missing back" in told.output


def test_status_after_sealing_again_needs_no_fallback(say: Say, world: World) -> None:
    plant(world.sue.id, "of sue", OLD)
    with policy.changed(SECRET_KEY=NEW, SECRET_KEY_FALLBACKS=OLD):
        before = say("status")
        done = say("reseal")
        after = say("status")

    assert "Run `flask --app wsgi secrets reseal`" in before.output
    assert (done.output, after.exit_code) == ("sealed 1 values again\n", 0)
    assert "Nothing here needs SECRET_KEY_FALLBACKS." in after.output


def test_status_counts_links_that_a_mail_may_still_be_written_with(say: Say, world: World) -> None:
    with policy.changed(SECRET_KEY=OLD, SECRET_KEY_FALLBACKS=""):
        invite_person(as_actor(world.ada), world.ann.id)
    with policy.changed(SECRET_KEY=NEW, SECRET_KEY_FALLBACKS=OLD):
        told = say("status")

    assert "mailed links that are still good: 1 with one of SECRET_KEY_FALLBACKS" in told.output
    assert "may be emptied when the mails with these links are sent" in told.output


def test_the_rehearsal_tries_everything_and_changes_nothing(say: Say, db: Session, world: World) -> None:
    plant(world.sue.id, "of sue", policy.current().SECRET_KEY)
    invite_person(as_actor(world.ada), world.ann.id)
    before = db.execute(text("SELECT totp_secret FROM users WHERE id = :id"), {"id": world.sue.id}).scalar_one()

    told = say("rehearse")

    assert told.exit_code == 0, told.output
    assert told.output.count("works: ") == 4 + len(sealed.SEALED)
    assert "(1 of 1)\nworks: sealed values of users.totp_secret" in told.output
    assert told.output.endswith("SECRET_KEY may be replaced.\n")
    db.rollback()
    assert db.execute(text("SELECT totp_secret FROM users WHERE id = :id"), {"id": world.sue.id}).scalar_one() == before


def test_the_rehearsal_finds_what_a_missing_secret_shuts(say: Say, world: World) -> None:
    plant(world.sue.id, "of sue", OLDEST)

    told = say("rehearse")

    assert told.exit_code == 1
    assert (
        "BREAKS: sealed values of users.totp_secret, opened, sealed again, and opened without the fallbacks (0 of 1)"
        in told.output
    )
    assert "Do not change SECRET_KEY" in told.output
