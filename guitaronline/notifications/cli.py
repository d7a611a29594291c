"""`flask messages report`: a bounce mail from the mail server of the same machine (`|flask --app wsgi messages report`)."""

from __future__ import annotations

import sys

import click

from guitaronline.notifications import reports
from guitaronline.notifications.models import Channel


@click.group("messages", help="What people are told.")
def messages() -> None:
    pass


@messages.command("report")
def report() -> None:
    """Store a bounce mail from standard input; the worker does the rest."""
    reports.store(Channel.EMAIL, sys.stdin.buffer.read(reports.MAX_BYTES))
