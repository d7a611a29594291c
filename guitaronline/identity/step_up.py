"""Confirm that it is you: before something that a thief of an open browser would want, the password is asked for again.

Whoever signed in a moment ago has just proved it. An API token is as fresh as the sign-in of its device; refreshing proves
nothing. There it is asked of people with a second factor only: an app that has nothing but the password kept it anyway."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.orm import Session

from guitaronline.identity import credentials
from guitaronline.identity.models import ConsoleSession
from guitaronline.identity.revocation import BULK

FRESH_FOR = timedelta(minutes=10)


def is_fresh(proved_at: datetime, now: datetime) -> bool:
    return now - proved_at < FRESH_FOR


def confirm(user_id: UUID, session_id: UUID, *, password: str, otp: str | None, address: str | None) -> None:
    """The person has proved in this browser that it is them; that holds for FRESH_FOR.

    Raises InvalidCredentials, OtpRequired, OtpInvalid, TooManyAttempts."""

    def note(session: Session, now: datetime) -> None:
        row = update(ConsoleSession).where(ConsoleSession.id == session_id, ConsoleSession.user_id == user_id)
        session.execute(row.values(confirmed_at=now), execution_options=BULK)

    credentials.confirm(user_id, password, otp=otp, address=address, then=note)
