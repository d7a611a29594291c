"""`flask money verify`: the proof that the books agree, from the command line.

Plain click: finance knows nothing of Flask, which gives its commands the application context by itself.
"""

from __future__ import annotations

import sys

import click

from guitaronline.db import session
from guitaronline.finance import verify as proofs


@click.group("money", help="The books.")
def money() -> None:
    pass


@money.command("verify")
def verify() -> None:
    """Replay every ledger and compare it with what is stored; exit code 1 when something differs."""
    found = 0
    for each in proofs.run(session()):
        found += 1
        click.echo(f"DIFFERS: {each.ledger}: {each.reference}: {each.words}")
    replayed = [each.name for each in proofs.PROOFS]
    click.echo(f"{', '.join(replayed)} replayed: {found or 'no'} {'difference' if found == 1 else 'differences'}")
    sys.exit(1 if found else 0)
