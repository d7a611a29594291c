"""`flask opening template|check|import`: a school moves in from the command line. A door: the same commands, as the system.

Plain click: the office knows nothing of Flask, which gives its commands the application context by itself."""

from __future__ import annotations

import time
from pathlib import Path
from uuid import UUID

import click

from guitaronline.actor import SYSTEM
from guitaronline.errors import DomainError
from guitaronline.office.opening import importing
from guitaronline.office.opening.sheets import file_name, template
from guitaronline.office.opening_models import OpeningImport, Sheet

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.group("opening", help="A school moves in: people, packages and bookings from CSV files.")
def opening() -> None:
    pass


@opening.command("template")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def write_templates(folder: Path) -> None:
    """Write the empty files, each with its heading and an example that is passed over. Files that are there stay."""
    folder.mkdir(parents=True, exist_ok=True)
    for sheet in Sheet:
        path = folder / file_name(sheet)
        if path.exists():
            click.echo(f"{path} is there already")
        else:
            path.write_bytes(template(sheet))
            click.echo(f"wrote {path}")


@opening.command("check")
@click.argument("folder", type=FOLDER)
def check(folder: Path) -> None:
    """Try out the files of the folder and take everything back; exit code 1 when something is wrong."""
    if _checked(folder).problems_total:
        raise SystemExit(1)


@opening.command("import")
@click.argument("folder", type=FOLDER)
def bring_in(folder: Path) -> None:
    """Check the files of the folder, and bring all of them in when nothing is wrong; exit code 1 otherwise."""
    found = _checked(folder)
    if found.problems_total:
        raise SystemExit(1)
    started = time.monotonic()
    try:
        importing.import_files(SYSTEM, UUID(str(found.id)), reason="by command line")
    except DomainError as refusal:
        said = [each.detail for each in refusal.reasons] or [refusal.text]
        raise click.ClickException("\n".join(said)) from refusal
    click.echo(f"{found.reference} is imported: {found.rows_new:,} new rows in {time.monotonic() - started:.0f} s")


def _checked(folder: Path) -> OpeningImport:
    files = {sheet: path.read_bytes() for sheet in Sheet if (path := folder / file_name(sheet)).exists()}
    if not files:
        names = ", ".join(file_name(sheet) for sheet in Sheet)
        raise click.ClickException(f"there is none of these files in {folder}: {names}")
    started = time.monotonic()
    found = importing.check_files(SYSTEM, files=files, reason="by command line")
    for kind, label in (("problems", "WRONG"), ("notices", "look at")):
        for each in found.report[kind]:
            column = f", {each['column']}" if each["column"] else ""
            click.echo(f"{label}: {each['file']}, line {each['line']}{column}: {each['words']}")
    for sheet in files:
        new, same = (found.report[kind].get(sheet.value, 0) for kind in ("new", "same"))
        click.echo(f"{file_name(sheet)}: {new:,} new, {same:,} as they came in before")
    seconds = time.monotonic() - started
    click.echo(f"{found.reference}: {found.problems_total or 'no'} problems, checked in {seconds:.0f} s")
    return found
