"""A file that a job makes, as its owner would see the list: checked again, written in parts, stopped when taken over."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import flask
import structlog

from guitaronline.actor import SYSTEM
from guitaronline.admin import gate
from guitaronline.admin.base import Selection
from guitaronline.admin.export_request import SelectionInvalid, columns_of, desk_at, selection_problems
from guitaronline.admin.exporting import Reading, read_ids
from guitaronline.admin.gate import Viewer
from guitaronline.audit.integrity import LONG
from guitaronline.db import session
from guitaronline.errors import DomainError
from guitaronline.identity.models import User
from guitaronline.office import export_runs, exports, files
from guitaronline.office.export_models import Export
from guitaronline.office.export_runs import Claimed, Progress
from guitaronline.office.exports import MOST_ROWS, FencedOut, TooManyRows
from guitaronline.privacy import bundle, giving

PART_BYTES = 1_000_000
TELL_SECONDS = 1.0

log = structlog.get_logger("exports")


def make(claimed: Claimed) -> int:
    """The claimed export is ready, or its page says why not; returns its rows. Needs the console's application context.

    What is not a refusal goes up: the lease runs out, and the export is begun anew."""
    try:
        return _made(claimed)
    except FencedOut:
        log.warning("export taken over or canceled", export_id=str(claimed.export_id))
        return 0


def _made(claimed: Claimed) -> int:
    if claimed.is_hopeless:
        return _failed(claimed, f"It was begun {export_runs.ATTEMPTS_MOST} times and never came to an end.")
    exports.start_export(SYSTEM, claimed.export_id, token=claimed.token)
    try:
        rows = _person_written(claimed) if _is_of_person(claimed) else _written(claimed, _reading(claimed))
    except FencedOut:
        raise
    except DomainError as refusal:
        return _failed(claimed, refusal.text)
    exports.finish_export(SYSTEM, claimed.export_id, token=claimed.token, rows=rows)
    return rows


def _failed(claimed: Claimed, why: str) -> int:
    exports.fail_export(SYSTEM, claimed.export_id, token=claimed.token, why=why)
    return 0


def _reading(claimed: Claimed) -> Reading:
    """What the owner may export still, read anew. Raises NotActive, OtherRole, NotAllowed, SelectionInvalid, TooManyRows."""
    export = session().get_one(Export, claimed.export_id, populate_existing=True)
    owner = session().get_one(User, export.owner_id, populate_existing=True)
    viewer = Viewer(owner.id, owner.role, owner.full_name, owner.email or "", export.zone, export.id)
    with gate.acting_as(viewer):
        desk = desk_at(export.desk)
        exports.require_still_allowed(export, owner, desk.permission)
        asked = Selection(export.search, export.filters, export.sort, export.is_descending)
        problems = selection_problems(desk, asked)
        if problems:
            raise SelectionInvalid(reasons=problems)
        session().execute(LONG)  # of this transaction
        ids = read_ids(desk, asked, most=MOST_ROWS[export.format] + 1)
        if len(ids) > MOST_ROWS[export.format]:
            raise TooManyRows(f"The list has more than {MOST_ROWS[export.format]:,} rows. Narrow your filter.")
        app = flask.current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001  # flask's proxy has no public way
        return Reading(app, desk, columns_of(desk, export.columns), ids, viewer, gate.now())


def _is_of_person(claimed: Claimed) -> bool:
    return session().get_one(Export, claimed.export_id, populate_existing=True).desk == giving.DESK


def _person_written(claimed: Claimed) -> int:
    """Everything about one person is kept; returns its rows. Raises NotActive, OtherRole, NotAllowed, NotFound."""
    export = session().get_one(Export, claimed.export_id, populate_existing=True)
    owner = session().get_one(User, export.owner_id, populate_existing=True)
    exports.require_still_allowed(export, owner, giving.NEEDS)
    person = giving.person_of(session(), export)

    def tell(done: int) -> None:
        export_runs.keep(claimed, sequence=0, part=b"", progress=Progress(done))  # we live, and this far we are

    session().execute(LONG)  # of this transaction
    with bundle.made(session(), person, zone=export.zone, tell=tell) as (file, rows):
        pieces = iter(lambda: file.read(PART_BYTES), b"")
        for sequence, part in enumerate(pieces):
            export_runs.keep(claimed, sequence=sequence, part=part, progress=Progress(rows, rows))
    return rows


def _written(claimed: Claimed, reading: Reading) -> int:
    """Every part of the file is kept; returns the rows written."""
    kind = session().get_one(Export, claimed.export_id).format
    at = Progress(0, len(reading.ids))
    sequence = 0

    def watched() -> Iterator[files.Rows]:
        nonlocal at
        told = time.monotonic()
        for batch in reading.batches():
            at = replace(at, done=at.done + len(batch))
            yield batch
            if time.monotonic() > told + TELL_SECONDS:
                export_runs.keep(claimed, sequence=sequence, part=b"", progress=at)  # we live, and this far we are
                told = time.monotonic()

    sheet = replace(reading.sheet(), batches=watched())
    for part in export_runs.in_parts(files.chunks(kind, sheet), PART_BYTES):
        export_runs.keep(claimed, sequence=sequence, part=part, progress=at)
        sequence += 1
    return at.done
