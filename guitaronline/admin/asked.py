"""Buttons that have a job do something soon: who asked, how far it is, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import flask

from guitaronline.admin import gate, history, show
from guitaronline.admin.command_page import CommandPage, Done
from guitaronline.audit.models import AskedRun


class AskPage(CommandPage):
    """A command page whose command only asks; `parent` is where the result appears."""

    def done(self, result: Any) -> Done:
        return Done("Asked for. The result appears here.", flask.url_for(self.parent))


def progress(run: AskedRun | None, seconds_before: float | None) -> str:
    """What becomes of the run that was asked for, in words; empty when none was."""
    if run is None:
        return ""
    usual = f" The last one took {spent(seconds_before)}." if seconds_before is not None else ""
    if run.started_at is None:
        return f"Asked for {_since(gate.now() - run.asked_at)} ago; the worker looks every few seconds.{usual}"
    again = f" This is attempt {run.attempts}." if run.attempts > 1 else ""
    return f"Running for {_since(gate.now() - run.started_at)}.{usual}{again}"


def spent(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def _since(passed: timedelta) -> str:
    return spent(max(passed.total_seconds(), 0.0))


def names_of(ids: Iterable[UUID | None]) -> dict[UUID, str]:
    return history.names({each for each in ids if each is not None})


def by(person_id: UUID | None, names: Mapping[UUID, str]) -> Any:
    return show.link_to("users", person_id, names.get(person_id) or "somebody") if person_id else "the timetable"
