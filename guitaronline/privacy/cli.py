"""`flask privacy …`: the journal of erasures, and doing it again after a restore."""

from __future__ import annotations

from typing import TextIO

import click
from flask.cli import AppGroup

from guitaronline.db import session
from guitaronline.identity.cli import refusals_in_words
from guitaronline.privacy import journal

privacy = AppGroup("privacy", help="The journal of erasures.")


@privacy.command("journal")
def write_journal() -> None:
    """Write the journal of erasures, one line a person; keep it away from this machine and its backups."""
    for line in journal.lines(session()):
        click.echo(line)


@privacy.command("replay")
@click.argument("file", type=click.File(encoding="ascii"))
def replay_journal(file: TextIO) -> None:
    """Erase everybody in FILE again, after a restore. Safe to repeat."""
    with refusals_in_words():
        done = journal.replay(journal.read(file))
    click.echo(
        f"{done.again} erased again, {done.already} were erased already, {done.unknown} are not in this database"
    )
    for each in done.open:
        click.echo(f"open: {each}")
