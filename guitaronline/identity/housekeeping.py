"""What is left of sign-ins that are over. Nothing depends on this having run."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, or_, select

from guitaronline import clock
from guitaronline.db import technical_transaction
from guitaronline.identity.models import (
    ApiToken,
    ConsoleSession,
    FailedLogin,
    FormerAddress,
    KnownDevice,
    SignInLink,
    TokenFamily,
)
from guitaronline.identity.sign_in_models import AddressChange

KEEP_DAYS = 30  # support can still see when somebody was signed in
KEEP_FAILURES_DAYS = 2  # the longest window is one day
KEEP_DEVICES_DAYS = 400  # as long as browsers keep a cookie
BULK = {"synchronize_session": False}


def forget_old_sign_ins(*, limit: int = 1000) -> int:
    """Removes up to `limit` rows of each kind that ended KEEP_DAYS ago; returns how many."""
    with technical_transaction() as session:
        now = clock.read(session)
        old = now - timedelta(days=KEEP_DAYS)
        families = list(
            session.scalars(
                select(TokenFamily.id)
                .where(or_(TokenFamily.revoked_at < old, TokenFamily.expires_at < old))
                .limit(limit)
            )
        )
        gone = 0
        for statement in (
            delete(ApiToken).where(ApiToken.family_id.in_(families)),
            delete(TokenFamily).where(TokenFamily.id.in_(families)),
            *(
                delete(model).where(model.id.in_(select(model.id).where(over).limit(limit)))
                for model, over in (
                    (ConsoleSession, ConsoleSession.expires_at < old),
                    (SignInLink, SignInLink.expires_at < old),
                    (FormerAddress, FormerAddress.created_at < old),
                    (AddressChange, AddressChange.created_at < old),
                    (KnownDevice, KnownDevice.last_seen_at < now - timedelta(days=KEEP_DEVICES_DAYS)),
                    (FailedLogin, FailedLogin.at < now - timedelta(days=KEEP_FAILURES_DAYS)),
                )
            ),
        ):
            gone += session.execute(statement, execution_options=BULK).rowcount  # type: ignore[attr-defined]
    return gone
