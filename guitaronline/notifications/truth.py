"""Whether a message is still so, asked when it is about to be sent. Each answer is a code; None: it is.

Between an event and its message somebody may have changed everything again: what is not true any more is not said."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from guitaronline.identity.models import User
from guitaronline.notifications import account_words, lookups, truth_of_lessons, truth_of_money
from guitaronline.notifications.account_kinds import ACCOUNT_KINDS
from guitaronline.notifications.asked import Asked
from guitaronline.notifications.kinds import KINDS, Kind
from guitaronline.notifications.models import Message, Preference


def _account(asked: Asked) -> str | None:
    return account_words.untrue(asked.session, asked.message, asked.now)


TRUTHS = {
    **dict.fromkeys((kind.name for kind in ACCOUNT_KINDS), _account),
    **truth_of_lessons.TRUTHS,
    **truth_of_money.TRUTHS,
}


def untrue(session: Session, message: Message, person: User, now: datetime) -> str | None:
    """Why the message is not sent any more; None: it is true, wanted and in time."""
    kind = KINDS[message.kind]
    asked = Asked(session, message, person, now)
    return _in_general(asked, kind) or (TRUTHS[kind.name](asked) if kind.name in TRUTHS else None)


def preference_of(kind: Kind, facts: dict[str, Any]) -> Preference | None:
    """What switches it off; news that staff write to many is an offer, a letter to one is not."""
    return Preference.OFFERS if kind.name == "from_staff" and facts.get("is_news") else kind.preference


def _in_general(asked: Asked, kind: Kind) -> str | None:
    late = asked.message.not_after
    found = [
        (not asked.person.is_active, "inactive"),
        (late is not None and asked.now > late, "too_late"),
        (lookups.is_switched_off(asked.session, asked.person.id, preference_of(kind, asked.facts)), "switched_off"),
    ]
    return next((code for applies, code in found if applies), None)
