"""Everything about one person, for whoever may ask for it in their name: made by the job that makes large exports."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline.db import new_id
from guitaronline.errors import NotFound
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.identity.models import User
from guitaronline.identity.standing import require_reason
from guitaronline.office.export_models import Export, ExportFormat, ExportStatus
from guitaronline.office.exports import WAITING, Wanted, ask_for
from guitaronline.privacy.refusals import PersonErased
from guitaronline.unit_of_work import Work, command

DESK = "person-data"  # as an export names it; no list has this name
NEEDS = Permission.KEEP_PRIVACY
WITH_FILE = (*WAITING, ExportStatus.READY)


@command("person.give_data", on="users")
def give_data(work: Work, person_id: UUID, *, zone: str, reason: str) -> Export:
    """A job makes one file of everything the inventory has about the person; its owner may take it once.

    Locks the actor. Raises ReasonRequired, PersonErased, TooManyExports."""
    access.require(work.actor, NEEDS)
    require_reason(reason)
    person = work.find(User, person_id)
    if person.erased_at is not None:
        raise PersonErased()
    return ask_for(work, _wanted(person, zone), new_id())


def _wanted(person: User, zone: str) -> Wanted:
    return Wanted(DESK, NEEDS, (), ExportFormat.ZIP, zone, filters={"person": person.reference})


def person_of(session: Session, export: Export) -> User:
    """Query: whom such an export is about. Raises NotFound."""
    found = session.scalars(select(User).where(User.reference == export.filters.get("person"))).one_or_none()
    if found is None:
        raise NotFound()
    return found


def files_of(work: Work, person: User) -> list[Export]:
    """Step: files of the person's data that exist or are being made, locked."""
    about = Export.filters["person"].astext == person.reference
    found = work.session.scalars(select(Export.id).where(Export.desk == DESK, about, Export.status.in_(WITH_FILE)))
    return work.lock_all(Export, list(found))
