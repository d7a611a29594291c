"""Apps and codes in the hands of tests."""

from __future__ import annotations

from datetime import datetime, timedelta

import pyotp

from guitaronline import clock
from guitaronline.actor import SYSTEM
from guitaronline.db import new_id, session, technical_transaction
from guitaronline.identity import totp
from guitaronline.identity.models import TokenFamily, User
from guitaronline.identity.service import set_up_totp


def code_of(secret: str, moment: datetime) -> str:
    """What the authenticator app shows at that moment."""
    return pyotp.TOTP(secret).at(moment)


def now_code(person: User) -> str:
    """What the person's app shows now."""
    session().rollback()
    stored = session().get_one(User, person.id, populate_existing=True).totp_secret
    moment = clock.read(session())
    session().rollback()
    assert stored
    return code_of(totp.secret_of(stored), moment)


def with_app(person: User) -> str:
    """The person has an authenticator app; its secret."""
    return str(pyotp.parse_uri(set_up_totp(SYSTEM, person.id)).secret)


def signed_in_app(person: User, **more: object) -> TokenFamily:
    """An app on another device, in which the person has signed in."""
    with technical_transaction() as current:
        now = clock.read(current)
        moments = {"created_at": now, "last_used_at": now, "expires_at": now + timedelta(days=90)}
        family = TokenFamily(id=new_id(), user_id=person.id, device_label="phone", **moments, **more)
        current.add(family)
    return family
