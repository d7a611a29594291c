"""`flask users …`"""

from __future__ import annotations

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline.actor import Role
from guitaronline.audit.models import AuditAction
from guitaronline.identity import tokens
from guitaronline.identity.cli import users
from guitaronline.identity.models import User
from tests.world import PASSWORD


@pytest.fixture
def say(app: Flask, db: Session) -> object:
    def run(*words: str) -> Result:
        db.rollback()
        return app.test_cli_runner().invoke(users, words)

    return run


def test_an_admin_is_made_on_the_command_line(say, db: Session) -> None:  # type: ignore[no-untyped-def]
    done = say("create", "Ada@people.example", "--role", "admin", "--password", PASSWORD, "--name", "Ada")

    assert done.exit_code == 0, done.output
    assert "Ada@people.example as admin" in done.output
    assert PASSWORD not in done.output
    assert tokens.login("ada@people.example", PASSWORD)
    action = db.scalars(select(AuditAction)).one()
    assert (action.name, action.actor_kind, action.reason) == ("person.create", "system", "by command line")


def test_a_refusal_is_said_in_words(say, db: Session) -> None:  # type: ignore[no-untyped-def]
    done = say("create", "ada", "--role", "admin", "--password", "short")

    assert done.exit_code == 1
    assert "not an e-mail address" in done.output
    assert "at least 15 characters" in done.output
    assert "Traceback" not in done.output
    assert db.scalars(select(User)).all() == []


def test_a_taken_address_an_unknown_one_and_an_unknown_role(say) -> None:  # type: ignore[no-untyped-def]
    say("create", "ada@people.example", "--role", "admin", "--password", PASSWORD)

    assert (
        "registered with this e-mail"
        in say("create", "ADA@people.example", "--role", "admin", "--password", PASSWORD).output
    )
    assert "nobody has" in say("deactivate", "who@people.example").output
    assert say("set-role", "ada@people.example", "king").exit_code == 2


def test_roles_passwords_and_deactivation(say, db: Session) -> None:  # type: ignore[no-untyped-def]
    for name in ("ada", "abe"):
        say("create", f"{name}@people.example", "--role", "admin", "--password", PASSWORD)

    assert say("set-role", "abe@people.example", "support").exit_code == 0
    assert "last active admin" in say("deactivate", "ada@people.example").output
    assert say("deactivate", "ABE@people.example").exit_code == 0
    assert say("set-password", "ada@people.example", "--password", "another long password").exit_code == 0
    assert say("set-up-totp", "ada@people.example").output.startswith("otpauth://totp/GuitarOnline:")
    db.rollback()
    abe = db.scalars(select(User).where(User.email_key == "abe@people.example")).one()
    assert (abe.role, abe.is_active) == (Role.SUPPORT, False)
