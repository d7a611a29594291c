"""Exports as commands: what left the console, who asked for it, and what became of the files that a job makes.

Before a byte leaves there is an action with the list, the filter and the number of rows: `list.export` for what goes out
with the answer, `list.request_export` and `export.download` for what a job makes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select

from guitaronline import policy
from guitaronline.actor import SYSTEM, Actor, Role
from guitaronline.errors import Conflict, Invalid, NotAllowed, NotFound
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User
from guitaronline.office.export_models import Export, ExportFormat, ExportPart, ExportRun, ExportStatus
from guitaronline.unit_of_work import Work, command

DIRECT_UP_TO = 10_000  # rows that go out with the answer; more are made by a job
MOST_ROWS = {
    ExportFormat.CSV: 1_000_000,
    ExportFormat.XLSX: 200_000,  # a worker writes some 10,000 a second, and spreadsheets become slow
    ExportFormat.ZIP: 1_000_000,
}
WAITING_MOST = 3  # files that one person may have in the making
WAITING = (ExportStatus.REQUESTED, ExportStatus.RUNNING)


class TooManyRows(Invalid):
    detail = "The list has more rows than a file may have. Narrow your filter."


class TooManyExports(Conflict):
    detail = f"{WAITING_MOST} of your exports are in the making. Wait for one of them, or cancel it."


class NotReady(Conflict):
    detail = "There is no file to download."


class OtherRole(NotAllowed):
    detail = "The file shows what another role of yours could see. Export the list again."


class NotActive(NotAllowed):
    detail = "Who asked for the export is not active any more."


class FencedOut(Conflict):
    detail = "Somebody else makes this export now."


@dataclass(frozen=True)
class Wanted:
    """A list as somebody wants it in a file. `needs` is the list's own permission."""

    desk: str
    needs: Permission
    columns: Sequence[str]
    format: ExportFormat
    zone: str
    search: str = ""
    filters: Mapping[str, str] = field(default_factory=dict)
    sort: str = ""
    is_descending: bool = False

    def facts(self) -> dict[str, Any]:
        """As they stand on the row."""
        given = {name: getattr(self, name) for name in ("desk", "format", "zone", "search", "sort", "is_descending")}
        return {**given, "columns": list(self.columns), "filters": dict(self.filters)}


@command("list.export", creates="exports")
def record_export(work: Work, *, wanted: Wanted, rows: int, reason: str | None = None) -> Export:
    """It is written down that these rows go out now."""
    _require(work, wanted.needs)
    made = _new(work, wanted, ExportStatus.SENT, work.record_id)
    made.rows, made.finished_at = rows, work.now
    work.create(made)
    return made


@command("list.request_export", creates="exports")
def request_export(work: Work, *, wanted: Wanted, reason: str | None = None) -> Export:
    """A job will make the file. Asking for the same again while it is in the making gives the same export.

    Locks the person. Raises TooManyExports."""
    return ask_for(work, wanted, work.record_id)


def ask_for(work: Work, wanted: Wanted, export_id: UUID) -> Export:
    """Step: the same, inside another command."""
    _require(work, wanted.needs)
    assert work.actor.id is not None
    work.lock(User, work.actor.id)
    waiting = list(
        work.session.scalars(select(Export).where(Export.owner_id == work.actor.id, Export.status.in_(WAITING)))
    )
    facts = wanted.facts()
    for each in waiting:
        if all(getattr(each, name) == value for name, value in facts.items()):
            return each
    if len(waiting) >= WAITING_MOST:
        raise TooManyExports()
    made = _new(work, wanted, ExportStatus.REQUESTED, export_id)
    work.create(made)
    work.session.flush()
    work.session.add(ExportRun(export_id=made.id))
    return made


@command("export.start", on="exports", quiet=True)
def start_export(work: Work, export_id: UUID, *, token: UUID) -> bool:
    """It is being made by who holds `token`. One that was begun before is simply made anew: False. Raises FencedOut."""
    export = _held(work, export_id, token)
    if export.status is ExportStatus.RUNNING:
        return False
    work.move(export, ExportStatus.RUNNING)
    return True


@command("export.finish", on="exports")
def finish_export(work: Work, export_id: UUID, *, token: UUID, rows: int) -> Export:
    """The file is whole and can be downloaded for EXPORT_KEEP_DAYS. Raises FencedOut."""
    export = _held(work, export_id, token)
    export.rows, export.finished_at = rows, work.now
    export.expires_at = work.now + timedelta(days=policy.current().EXPORT_KEEP_DAYS)
    work.move(export, ExportStatus.READY)
    _forget(work, export_id, with_parts=False)
    return export


@command("export.fail", on="exports")
def fail_export(work: Work, export_id: UUID, *, token: UUID, why: str) -> Export:
    """No file comes of it, and its page says why. Raises FencedOut."""
    export = _held(work, export_id, token)
    if export.status is ExportStatus.REQUESTED:
        work.move(export, ExportStatus.RUNNING)
    export.error, export.finished_at = why, work.now
    work.move(export, ExportStatus.FAILED)
    _forget(work, export_id)
    return export


@command("export.cancel", on="exports")
def cancel_export(work: Work, export_id: UUID, *, reason: str | None = None) -> Export:
    """The file is gone, or never comes; who makes it stops at its next step. Repeating it changes nothing."""
    access.require(work.actor, Permission.EXPORT)
    export = work.lock(Export, export_id)
    if not may_see(export, work.actor.id, work.actor.role):
        raise NotFound()
    if export.status is not ExportStatus.CANCELED:
        call_off(work, export)
    return export


def call_off(work: Work, export: Export) -> None:
    """Step: the locked export comes to nothing, and its file is gone."""
    work.move(export, ExportStatus.CANCELED)
    _forget(work, export.id)


@command("export.download", on="exports")
def record_download(work: Work, export_id: UUID, *, needs: Permission) -> Export:
    """It is written down that its owner takes the file now. Everything about one person is handed out once: locks the export.

    Raises NotFound for others, NotReady, OtherRole, NotAllowed."""
    access.require(work.actor, Permission.EXPORT)
    export = work.lock(Export, export_id)
    if export.owner_id != work.actor.id:
        raise NotFound()
    if effective_status(export, work.now) is not ExportStatus.READY:
        raise NotReady()
    if export.role is not work.actor.role:
        raise OtherRole()
    _require(work, needs)
    if export.format is ExportFormat.ZIP:
        export.expires_at = work.now  # expired for whoever asks from now on; the job takes the bytes away
    return export


@command("export.expire", quiet=True)
def expire_exports(work: Work, *, limit: int = 100) -> int:
    """Files whose time is over are gone; returns how many. Index: ix_exports_expiring."""
    over = select(Export).where(Export.status == ExportStatus.READY, Export.expires_at <= work.now)
    locked = over.order_by(Export.expires_at).limit(limit).with_for_update(skip_locked=True, key_share=True)
    found = list(work.session.scalars(locked, execution_options={"populate_existing": True}))
    for export in found:
        work.move(export, ExportStatus.EXPIRED)
        _forget(work, export.id)
    return len(found)


def expire_all(*, at_once: int = 100) -> int:
    """One batch of `expire_exports`, as the system."""
    return expire_exports(SYSTEM, limit=at_once)


# Rules


def effective_status(export: Export, now: datetime) -> ExportStatus:
    """The status that doors show: a file whose time is over is expired before any job has run."""
    over = export.status is ExportStatus.READY and export.expires_at is not None and export.expires_at <= now
    return ExportStatus.EXPIRED if over else export.status


def may_see(export: Export, person_id: UUID | None, role: Role) -> bool:
    """One's own; an admin sees everybody's."""
    return role is Role.ADMIN or export.owner_id == person_id


def require_still_allowed(export: Export, owner: User, needs: Permission) -> None:
    """What held when it was asked for holds when it is made. Raises NotActive, OtherRole, NotAllowed."""
    if not owner.is_active:
        raise NotActive()
    if owner.role is not export.role:
        raise OtherRole()
    actor = Actor(owner.id, owner.role)
    access.require(actor, Permission.EXPORT)
    access.require(actor, needs)


def _require(work: Work, needs: Permission) -> None:
    access.require(work.actor, Permission.EXPORT)
    access.require(work.actor, needs)


def _new(work: Work, wanted: Wanted, status: ExportStatus, export_id: UUID) -> Export:
    return Export(id=export_id, owner_id=work.actor.id, role=work.actor.role, status=status, **wanted.facts())


def _held(work: Work, export_id: UUID, token: UUID) -> Export:
    """The export and its lease, both locked: nobody takes it over between this look and the commit."""
    export = work.lock(Export, export_id)
    held = select(ExportRun.export_id).where(ExportRun.export_id == export_id, ExportRun.lease_token == token)
    if work.session.scalar(held.with_for_update()) is None:
        raise FencedOut()
    return export


def _forget(work: Work, export_id: UUID, *, with_parts: bool = True) -> None:
    work.session.execute(delete(ExportRun).where(ExportRun.export_id == export_id))
    if with_parts:
        work.session.execute(delete(ExportPart).where(ExportPart.export_id == export_id))
