"""`flask audit verify`, `flask audit seal`, `flask checks run`: the proofs, from the command line.

Plain click: the audit knows nothing of Flask, which gives its commands the application context by itself.
"""

from __future__ import annotations

import json
import sys
from typing import TextIO

import click

from guitaronline.audit import integrity
from guitaronline.db import session


@click.group("audit", help="The sealed history.")
def audit() -> None:
    pass


@audit.command("verify")
@click.option("--checkpoint", "kept", type=click.File("r"), help="File of checkpoints that was kept off this machine.")
def verify(kept: TextIO | None) -> None:
    """Prove that nothing was edited, removed, put in or reordered since it was sealed; exit code 1 when something was."""
    try:
        verdict = integrity.verify(session(), integrity.read_checkpoints(kept) if kept else ())
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    for sentence in verdict.broken:
        click.echo(f"BROKEN: {sentence}")
    click.echo(f"{verdict.sealed} actions with {verdict.changes} changes are sealed, {verdict.unsealed} not yet")
    sys.exit(0 if verdict.is_whole else 1)


@audit.command("seal")
def seal() -> None:
    """Seal everything that has no seal yet, however old (after a restore, or when no worker runs)."""
    click.echo(f"sealed {integrity.seal(everything=True)} actions")


@click.group("checks", help="The invariants of the domain.")
def checks() -> None:
    pass


@checks.command("run")
def run() -> None:
    """Look for rows that break an invariant; exit code 1 when there are some."""
    from guitaronline import checks as invariants  # above the audit; here only this command needs it

    findings = invariants.run_and_keep()
    for finding in findings:
        click.echo(f"{finding.check}: {finding.sentence}: {json.dumps(finding.facts, default=str, ensure_ascii=False)}")
    click.echo(f"{len(invariants.CHECKS)} invariants, {len(findings)} rows break one")
    sys.exit(1 if findings else 0)
