"""Signing somebody out everywhere. A step: it commits with what made it necessary."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import update

from guitaronline.identity.models import ConsoleSession, LinkPurpose, SignInLink, TokenFamily
from guitaronline.unit_of_work import Work

BULK = {"synchronize_session": False}
SIGNING_IN = (LinkPurpose.INVITE, LinkPurpose.RESET, LinkPurpose.ADDRESS)  # the others let no stranger in


def revoke_sign_ins(
    work: Work, user_id: UUID, *, because: str, keep_family: UUID | None = None, keep_session: UUID | None = None
) -> None:
    """No browser session, no API token and no unused link that lets them in is worth anything, but for those to keep.

    The person's row is locked by the caller, so that a sign-in running at the same time either ends up here or sees
    the change (`credentials.sign_in` looks again under a share lock)."""
    sessions = update(ConsoleSession).where(ConsoleSession.user_id == user_id, ConsoleSession.revoked_at.is_(None))
    families = update(TokenFamily).where(TokenFamily.user_id == user_id, TokenFamily.revoked_at.is_(None))
    links = update(SignInLink).where(
        SignInLink.user_id == user_id, SignInLink.used_at.is_(None), SignInLink.purpose.in_(SIGNING_IN)
    )
    if keep_session is not None:
        sessions = sessions.where(ConsoleSession.id != keep_session)
    if keep_family is not None:
        families = families.where(TokenFamily.id != keep_family)
    work.session.execute(sessions.values(revoked_at=work.now), execution_options=BULK)
    work.session.execute(families.values(revoked_at=work.now, revoke_reason=because), execution_options=BULK)
    work.session.execute(links.values(used_at=work.now), execution_options=BULK)
