"""A proof of the chain is kept: when, how long it took, and what it saw. The console shows the last one."""

from __future__ import annotations

import time
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from guitaronline.audit import integrity
from guitaronline.audit.models import AuditVerification
from guitaronline.db import new_id


def verify_in(session: Session, *, asked_by: UUID | None = None) -> AuditVerification:
    """The chain is proved and the verdict is added to the technical transaction; reads the whole history."""
    started = time.monotonic()
    verdict = integrity.verify(session)
    kept = AuditVerification(
        id=new_id(),
        at=session.execute(text("SELECT clock_timestamp()")).scalar_one(),
        seconds=round(time.monotonic() - started, 3),
        asked_by=asked_by,
        sealed=verdict.sealed,
        changes=verdict.changes,
        unsealed=verdict.unsealed,
        sealed_until=verdict.newest,
        broken=verdict.broken,
    )
    session.add(kept)
    return kept


def newest(session: Session, *, limit: int = 1) -> list[AuditVerification]:
    """The last ones, newest first."""
    return list(session.scalars(select(AuditVerification).order_by(AuditVerification.id.desc()).limit(limit)))
