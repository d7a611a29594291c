"""Viewing as somebody: for a few minutes a member of staff sees, in this browser, what a student or teacher sees.

Start and end stand in the audit. Whether it is still on is judged at every request by `until`; that it ended by the clock or
with the sign-out is written down by a job.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from guitaronline import clock, db
from guitaronline.actor import STAFF_ROLES, SYSTEM
from guitaronline.errors import DomainError, NotFound
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.identity.models import ConsoleSession, User, ViewAsSession
from guitaronline.identity.refusals import AlreadyViewing, NotToBeViewed, PersonInactive, ReasonRequired
from guitaronline.unit_of_work import Work, command

VIEW_FOR = timedelta(minutes=15)
AT_ONCE = 100


def why_not_viewed(person: User) -> DomainError | None:
    """Staff are never viewed: who could, would see what their own role hides. Nor is who cannot sign in."""
    if person.role in STAFF_ROLES:
        return NotToBeViewed()
    return None if person.is_active else PersonInactive("This person is deactivated: they see nothing.")


@command("person.view_as", on="users")
def start_viewing(work: Work, person_id: UUID, *, session_id: UUID, reason: str | None) -> ViewAsSession:
    """The browser of that console session shows what the person sees, for VIEW_FOR.

    Locks the session: one view at a time. Raises ReasonRequired, NotToBeViewed, PersonInactive, AlreadyViewing."""
    access.require(work.actor, Permission.VIEW_AS)
    if not (reason or "").strip():
        raise ReasonRequired()
    person = work.find(User, person_id)
    if refusal := why_not_viewed(person):
        raise refusal
    if work.lock(ConsoleSession, session_id).user_id != work.actor.id:
        raise NotFound()
    if _open_in(work.session, session_id, work.now) is not None:
        raise AlreadyViewing()
    assert work.actor.id is not None
    view = ViewAsSession(
        id=db.new_id(),
        session_id=session_id,
        viewer_id=work.actor.id,
        person_id=person_id,
        started_at=work.now,
        until=work.now + VIEW_FOR,
    )
    work.add(view)
    return view


@command("person.view_as_end", on="users", quiet=True)
def end_viewing(work: Work, person_id: UUID, *, view_id: UUID, reason: str | None = None) -> UUID | None:
    """The view is over: the person's id; None: it was already. One's own only, or by the system. Raises NotFound."""
    view = work.lock(ViewAsSession, view_id)
    if view.person_id != person_id or not (work.actor.is_system or work.actor.id == view.viewer_id):
        raise NotFound()
    if view.ended_at is not None:
        return None
    view.ended_at = min(work.now, view.until)
    return person_id


def end_what_is_over(*, limit: int = AT_ONCE) -> int:
    """Views whose time is up or whose browser was signed out have their end in the audit; returns how many."""
    session = db.session()
    now = clock.read(session)
    query = (
        select(ViewAsSession.id, ViewAsSession.person_id, ViewAsSession.until)
        .outerjoin(ConsoleSession, ConsoleSession.id == ViewAsSession.session_id)
        .where(ViewAsSession.ended_at.is_(None))
        .where(or_(ViewAsSession.until <= now, ConsoleSession.revoked_at.is_not(None), ConsoleSession.id.is_(None)))
        .order_by(ViewAsSession.id)
        .limit(limit)
    )
    over = session.execute(query).all()
    session.rollback()
    for view_id, person_id, until in over:
        reason = "the time was up" if until <= now else "signed out"
        end_viewing(SYSTEM, person_id, view_id=view_id, reason=reason)
    return len(over)


def newest_view(session: Session, session_id: UUID) -> ViewAsSession | None:
    """The browser's last view, on or over. Views of one session are few, and kept for some weeks."""
    query = select(ViewAsSession).where(ViewAsSession.session_id == session_id)
    return session.scalars(query.order_by(ViewAsSession.id.desc()).limit(1)).one_or_none()


def _open_in(session: Session, session_id: UUID, now: datetime) -> UUID | None:
    query = select(ViewAsSession.id).where(
        ViewAsSession.session_id == session_id, ViewAsSession.ended_at.is_(None), ViewAsSession.until > now
    )
    return session.scalar(query)
