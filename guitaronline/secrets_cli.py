"""`flask secrets status|reseal|rehearse`: one SECRET_KEY after another, without losing anything. docs/runbooks/key-rotation.md"""

from __future__ import annotations

import sys
from collections import Counter

import click
from flask.cli import AppGroup

from guitaronline import policy, sealed
from guitaronline.db import session
from guitaronline.sealed import Key

secrets = AppGroup("secrets", help="SECRET_KEY, and what is made with it.")
WORDS = {
    Key.NEWEST: "with SECRET_KEY",
    Key.EARLIER: "with one of SECRET_KEY_FALLBACKS",
    Key.UNKNOWN: "with a secret that is not known any more",
    Key.NONE: "not sealed",
}


@secrets.command("status")
def status() -> None:
    """What stands sealed or mailed with which secret; exit code 1 when something cannot be opened."""
    newest, *earlier = policy.current().secrets_believed
    click.echo(f"SECRET_KEY, and {len(earlier)} earlier that are believed")
    found = {str(column): sealed.keys_of(session(), column) for column in sealed.SEALED}
    for name, keys in found.items():
        click.echo(f"{name}: {_in_words(keys)}")
    mailed = Counter(sealed.key_of_link(link, newest) for link in sealed.open_links(session()))
    click.echo(f"mailed links that are still good: {_in_words(mailed)}")
    lost = sum(keys[Key.UNKNOWN] for keys in found.values())
    click.echo(_advice(lost, sum(keys[Key.EARLIER] for keys in found.values()), mailed[Key.EARLIER]))
    sys.exit(1 if lost else 0)


@secrets.command("reseal")
def reseal() -> None:
    """Seal again with SECRET_KEY what was sealed with an earlier one; may be run again."""
    click.echo(f"sealed {sealed.reseal(session())} values again")


@secrets.command("rehearse")
def rehearse() -> None:
    """Try on the data of this instance what a new SECRET_KEY would do, and change nothing; exit code 1 when something would break."""
    from guitaronline import rehearsal

    steps = rehearsal.rehearse(session())
    for step in steps:
        click.echo(f"{'BREAKS' if step.failed else 'works'}: {step.what} ({step.tried - step.failed} of {step.tried})")
    failed = sum(step.failed for step in steps)
    click.echo("Do not change SECRET_KEY before this is mended." if failed else "SECRET_KEY may be replaced.")
    sys.exit(1 if failed else 0)


def _in_words(keys: Counter[Key]) -> str:
    return ", ".join(f"{keys[key]} {words}" for key, words in WORDS.items() if keys[key]) or "none"


def _advice(lost: int, earlier: int, mailed: int) -> str:
    if lost:
        return "Put the secret that is missing back into SECRET_KEY_FALLBACKS, if anybody has it."
    if earlier:
        return "Run `flask --app wsgi secrets reseal` before SECRET_KEY_FALLBACKS is emptied."
    if mailed:
        return "SECRET_KEY_FALLBACKS may be emptied when the mails with these links are sent."
    return "Nothing here needs SECRET_KEY_FALLBACKS."
