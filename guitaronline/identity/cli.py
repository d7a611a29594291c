"""`flask users …`: people from the command line, above all the first admin. A door: the same commands, as the system."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import click
from flask.cli import AppGroup

from guitaronline.actor import PERSON_ROLES, SYSTEM, Role
from guitaronline.db import session
from guitaronline.errors import DomainError
from guitaronline.identity import queries, second_factor, service

users = AppGroup("users", help="Create people, set roles, deactivate.")
ROLE = click.Choice(sorted(role.value for role in PERSON_ROLES))
REASON = "by command line"


@users.command("create")
@click.argument("email")
@click.option("--role", type=ROLE, required=True)
@click.option("--password", required=True, help="12 to 128 characters for students, from 15 for everybody else.")
@click.option("--name", default="", help="Full name.")
def create(email: str, role: str, password: str, name: str) -> None:
    """Create a person who can sign in at once."""
    with refusals_in_words():
        person = service.create_person(
            SYSTEM, role=Role(role), full_name=name, email=email, password=password, reason=REASON
        )
    click.echo(f"created {person.reference} {email} as {role}")


@users.command("set-role")
@click.argument("email")
@click.argument("role", type=ROLE)
def set_role(email: str, role: str) -> None:
    """Give a person another role; they have to sign in again."""
    with refusals_in_words():
        service.set_role(SYSTEM, id_of(email), role=Role(role), reason=REASON)
    click.echo(f"{email} is {role} now")


@users.command("deactivate")
@click.argument("email")
def deactivate(email: str) -> None:
    """Close a person's account at once."""
    with refusals_in_words():
        service.deactivate_person(SYSTEM, id_of(email), reason=REASON)
    click.echo(f"{email} is deactivated")


@users.command("set-password")
@click.argument("email")
@click.option("--password", required=True)
def set_password(email: str, password: str) -> None:
    """Set a person's password; they have to sign in again."""
    with refusals_in_words():
        service.set_password(SYSTEM, id_of(email), password=password, reason=REASON)
    click.echo(f"{email} has a new password")


@users.command("set-up-totp")
@click.argument("email")
def set_up_totp(email: str) -> None:
    """Give a person a new authenticator secret; prints the address to put into the app, this once."""
    with refusals_in_words():
        address = service.set_up_totp(SYSTEM, id_of(email), reason=REASON)
    click.echo(address)


@users.command("reset-totp")
@click.argument("email")
@click.option("--reason", default=REASON, help="Kept in the audit.")
def reset_totp(email: str, reason: str) -> None:
    """Take a person's authenticator app and recovery codes away; they set up a new one at the next sign-in."""
    with refusals_in_words():
        second_factor.reset(SYSTEM, id_of(email), reason=reason)
    click.echo(f"{email} has no authenticator app any more")


def id_of(email: str) -> UUID:
    person = queries.person_by_email(session(), email)
    if person is None:
        raise click.ClickException(f"nobody has the e-mail address {email}")
    return person.id


@contextmanager
def refusals_in_words() -> Iterator[None]:
    try:
        yield
    except DomainError as refusal:
        said = [f"{reason.detail} {reason.fix}".strip() for reason in refusal.reasons] or [refusal.text]
        raise click.ClickException(" ".join(said)) from refusal
