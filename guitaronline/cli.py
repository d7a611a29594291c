"""The command line: `flask --app wsgi users|schedule|demo|audit|backup|restore|checks|check-deploy|messages|money|opening|secrets|docs …`."""

from __future__ import annotations

from pathlib import Path

import click
from flask import Flask
from flask.cli import AppGroup

from guitaronline import pages

docs = AppGroup("docs", help="Pages that are made from the code.")


@docs.command("states")
def write_states() -> None:
    """Write docs/states.md from the state tables."""
    for path, text in pages.all_pages().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        click.echo(f"wrote {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}")


@docs.command("check")
def check_pages() -> None:
    """Fail when a generated page is not what the code says."""
    stale = [path for path, text in pages.all_pages().items() if not path.exists() or path.read_text() != text]
    if stale:
        raise click.ClickException(f"not current, run `make states`: {', '.join(path.name for path in stale)}")


def init_cli(app: Flask) -> None:
    from guitaronline.audit.cli import audit, checks
    from guitaronline.backups.cli import backup, restore
    from guitaronline.booking.cli import schedule
    from guitaronline.demo.cli import demo
    from guitaronline.finance.cli import money
    from guitaronline.fitness import check_deploy
    from guitaronline.identity.cli import users
    from guitaronline.notifications.cli import messages
    from guitaronline.office.cli import opening
    from guitaronline.privacy.cli import privacy
    from guitaronline.secrets_cli import secrets

    for each in (
        audit,
        backup,
        check_deploy,
        checks,
        demo,
        docs,
        messages,
        money,
        privacy,
        opening,
        restore,
        schedule,
        secrets,
        users,
    ):
        app.cli.add_command(each)
