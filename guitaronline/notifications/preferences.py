"""What people want to be told, as far as they may choose. What nobody said anything about is on."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User
from guitaronline.notifications.models import MessagePreference, Preference
from guitaronline.unit_of_work import Work, command


def preferences_of(session: Session, person_id: UUID) -> dict[Preference, bool]:
    """Query: every preference, on or off. uq_message_preferences_once"""
    query = select(MessagePreference.preference, MessagePreference.is_on).where(
        MessagePreference.person_id == person_id
    )
    said = dict(session.execute(query).all())
    return {preference: said.get(preference, True) for preference in Preference}


@command("notification.prefer", on="users")
def set_preferences(
    work: Work, person_id: UUID, *, wanted: Mapping[Preference, bool], reason: str | None = None
) -> dict[Preference, bool]:
    """The person is told these from now on, or not; what is not named stays. Repeat: no-op. Locks the person.

    One's own, or staff for them. Raises NotFound, NotAllowed."""
    own = work.actor.id == person_id
    access.require(work.actor, Permission.OWN_PROFILE if own else Permission.EDIT_PEOPLE, own=own)
    work.lock(User, person_id)
    query = select(MessagePreference).where(MessagePreference.person_id == person_id)
    known = {each.preference: each for each in work.session.scalars(query)}
    for preference, is_on in wanted.items():
        if preference not in known:
            work.add(MessagePreference(person_id=person_id, preference=preference, is_on=is_on))
        elif known[preference].is_on != is_on:
            known[preference].is_on = is_on
    work.session.flush()
    return preferences_of(work.session, person_id)
