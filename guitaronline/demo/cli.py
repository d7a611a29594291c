"""`flask --app wsgi demo load [--students N]`"""

from __future__ import annotations

import time
from pathlib import Path

import click
from flask.cli import AppGroup

from guitaronline import policy
from guitaronline.demo.load import SEED, NotEmpty, NotForProduction, load_school, write_logins

demo = AppGroup("demo", help="A school to look around in.")


@demo.command("load")
@click.option("--students", default=120, show_default=True, type=click.IntRange(1, 5000), help="How many people learn.")
@click.option("--seed", default=SEED, show_default=True, help="Another number, another school.")
def load(students: int, seed: int) -> None:
    """Fill an empty database with a school that has lived for six weeks."""
    began = time.monotonic()
    try:
        loaded = load_school(students, seed=seed)
    except (NotEmpty, NotForProduction) as refusal:
        raise click.ClickException(refusal.text) from refusal
    path = write_logins(Path(policy.current().VAR_DIR), loaded.logins)
    click.echo(f"{loaded.happenings} things happened in {time.monotonic() - began:.0f} s; logins in {path}")
