"""Files on their way into the books, as the job takes them."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import Any

from sqlalchemy import select

from guitaronline.actor import Actor
from guitaronline.billing.settlements.importing import Received, confirm_file, receive_file
from guitaronline.billing.settlements.models import FileKind, SettlementFile, SettlementLine
from guitaronline.billing.settlements.reading.readers import NAME_THEMSELVES
from guitaronline.db import session
from jobs.settlements import read as read_files


def received(content: bytes, kind: FileKind = FileKind.STRIPE_PAYOUTS, **more: Any) -> Received:
    facts = {"account": None if kind in NAME_THEMSELVES else "shop", "file_name": "report.csv", **more}
    digest = hashlib.sha256(content).hexdigest()
    size = 7  # several parts, also of small files
    parts = [content[at : at + size] for at in range(0, len(content), size)] if len(content) < 5000 else [content]
    return Received(kind, sha256=digest, size_bytes=len(content), parts=lambda: parts, **facts)


def uploaded(actor: Actor, content: bytes, kind: FileKind = FileKind.STRIPE_PAYOUTS, **more: Any) -> SettlementFile:
    return receive_file(actor, received=received(content, kind, **more))


def checked(actor: Actor, content: bytes, kind: FileKind = FileKind.STRIPE_PAYOUTS, **more: Any) -> SettlementFile:
    """Uploaded, and read by the job."""
    file = uploaded(actor, content, kind, **more)
    read_files()
    return again(file)


def imported(actor: Actor, content: bytes, kind: FileKind = FileKind.STRIPE_PAYOUTS, **more: Any) -> SettlementFile:
    """Uploaded, read, confirmed, imported."""
    file = checked(actor, content, kind, **more)
    confirm_file(actor, file.id)
    read_files()
    return again(file)


def again(file: SettlementFile) -> SettlementFile:
    session().rollback()
    return session().get_one(SettlementFile, file.id, populate_existing=True)


def lines() -> list[SettlementLine]:
    session().rollback()
    found = select(SettlementLine).order_by(SettlementLine.external_id, SettlementLine.account)
    return list(session().scalars(found.execution_options(populate_existing=True)))


def content_of(line: SettlementLine, *, but: Collection[str] = ("file_id", "line_no")) -> tuple[Any, ...]:
    """Everything of a line but which file brought it, and where in that it stood."""
    return tuple(str(getattr(line, each.name)) for each in SettlementLine.__table__.columns if each.name not in but)
