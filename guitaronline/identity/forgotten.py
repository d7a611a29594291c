"""Forgotten passwords: a link to the stored address, good once and for RESET_MINUTES.

Who asks learns nothing: for an address that nobody has, the same statements run, and they find nothing to write. Asking
too often about one account is not refused either, but nothing more is sent; one address asking too often is refused.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.actor import ANONYMOUS
from guitaronline.db import new_id
from guitaronline.identity import links, throttle
from guitaronline.identity.credentials import short_transaction
from guitaronline.identity.emails import email_key
from guitaronline.identity.models import LinkPurpose, User
from guitaronline.identity.refusals import TooManyAttempts
from guitaronline.identity.revocation import revoke_sign_ins
from guitaronline.identity.standing import store_password
from guitaronline.identity.verifying import note_arrival
from guitaronline.unit_of_work import Work, command

WINDOW = timedelta(hours=1)
ASKS_PER_ACCOUNT = 3  # nobody needs more, and a stranger must not fill a mailbox
ASKS_PER_ADDRESS = 30  # a school behind one address
FORGOTTEN = "person.password_forgotten"

# One statement whether there is such a person or not. Earlier links stay good: a stranger who asks again must not void the
# one that the person is about to follow.
WRITE_DOWN = text("""
WITH person AS (SELECT id FROM users WHERE id = :user_id AND is_active),
link AS (
  INSERT INTO sign_in_links (id, user_id, purpose, token_hash, created_at, expires_at)
  SELECT :link_id, id, 'reset', :token_hash, :now, :expires_at FROM person RETURNING id)
INSERT INTO outbox_events (id, topic, record_type, record_id, payload, action_id, created_at, available_at, attempts)
SELECT :event_id, :topic, 'users', p.id, jsonb_build_object('link_id', l.id), :action_id, :now, :now, 0
  FROM person p CROSS JOIN link l
""")


def forgot_password(email: str, *, address: str | None) -> None:
    """Whoever has this address is sent a link, if anybody has; takes as long when nobody has.

    Raises TooManyAttempts when this network address asked too often about whomever."""
    key = email_key(email)
    with short_transaction() as session:
        attempt = throttle.Attempt.of_asking(key or email, address)
        is_allowed = _count(session, attempt, clock.read(session))
        found = session.scalar(select(User.id).where(User.email_key == (key or ""), User.is_active))
    if not is_allowed or not links.is_mailed():
        return
    if found is None:
        _asked_for_nobody(ANONYMOUS, new_id())
    else:
        _asked_for(ANONYMOUS, found)


def _count(session: Session, attempt: throttle.Attempt, now: datetime) -> bool:
    """Whether something may be sent. Raises TooManyAttempts."""
    throttle.take_turn_of_account(session, attempt)
    asked = throttle.asked(
        session, attempt, now, window=WINDOW, per_account=ASKS_PER_ACCOUNT, per_address=ASKS_PER_ADDRESS
    )
    if asked.seconds_to_wait:
        raise TooManyAttempts(retry_after=asked.seconds_to_wait)
    throttle.count(session, attempt, now)
    return not asked.is_enough


def _asked(work: Work, user_id: UUID) -> None:
    link_id = new_id()
    facts = {
        "user_id": user_id,
        "link_id": link_id,
        "token_hash": links.digest(links.token_of(LinkPurpose.RESET, link_id)),
        "now": work.now,
        "expires_at": work.now + links.life_of(LinkPurpose.RESET),
        "event_id": new_id(),
        "topic": FORGOTTEN,
        "action_id": work.action_id,
    }
    work.session.execute(WRITE_DOWN, facts)
    work.topics.add(FORGOTTEN)


_asked_for = command("person.forgot_password", on="users")(_asked)
_asked_for_nobody = command("person.forgot_password")(_asked)  # the same, about no record


@command("person.reset_password")
def reset_password(work: Work, *, token: str, password: str) -> User:
    """The person has this password, their address is confirmed, and everything signed in before is signed out.

    Raises LinkInvalid, PasswordUnfit."""
    user = links.use(work, LinkPurpose.RESET, token)
    store_password(work, user, password)
    note_arrival(work, user)
    revoke_sign_ins(work, user.id, because="password changed")
    work.emit("person.password_changed", user)
    return user


def forgetful_person(session: Session, token: str, now: datetime) -> User | None:
    """Query: who may choose a new password with this link, while it is good."""
    return links.person_of(session, LinkPurpose.RESET, token, now)
