"""Reads about people. Each has a limit; the caller has asked whether the actor may."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import or_, select, tuple_
from sqlalchemy.orm import Session, joinedload

from guitaronline.actor import Actor, Role
from guitaronline.identity import access, rules
from guitaronline.identity.access import Permission
from guitaronline.identity.emails import email_key, masked_email, masked_phone
from guitaronline.identity.models import Guardian, Note, Task, TaskStatus, User

LIMIT = 100


def find_people(
    session: Session,
    *,
    q: str | None = None,
    role: Role | None = None,
    active: bool | None = None,
    after: tuple[str, UUID] | None = None,
    limit: int = 20,
    by_email: bool = True,
) -> list[User]:
    """By name, by id; `after` is the last one's (full_name, id). `q`: a part of the name, the e-mail address or the
    reference (trigram indexes). `by_email` False for those who may not see addresses: searching would tell them."""
    query = select(User).order_by(User.full_name, User.id).limit(min(limit, LIMIT))
    if q and not rules.is_text(q):
        return []  # nobody is called that, and the database cannot be asked
    if q:
        part = q.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        places = [User.full_name.ilike(f"%{part}%"), User.reference == q.strip().upper()]
        query = query.where(or_(*places, User.email.ilike(f"%{part}%")) if by_email else or_(*places))
    if role is not None:
        query = query.where(User.role == role)
    if active is not None:
        query = query.where(User.is_active == active)
    if after is not None:
        query = query.where(tuple_(User.full_name, User.id) > after)
    return list(session.scalars(query))


def person_of(session: Session, user_id: UUID) -> User | None:
    return session.get(User, user_id, populate_existing=True)


def person_by_email(session: Session, email: str) -> User | None:
    """However the address is written."""
    key = email_key(email)
    return session.scalars(select(User).where(User.email_key == key)).one_or_none() if key else None


def guardians_of(session: Session, student_id: UUID) -> list[Guardian]:
    """With the adult loaded, oldest link first."""
    return _links(session, Guardian.student_id == student_id)


def children_of(session: Session, guardian_id: UUID) -> list[Guardian]:
    """With the child loaded, oldest link first."""
    return _links(session, Guardian.guardian_id == guardian_id)


def notes_of(session: Session, record_type: str, record_id: UUID, *, limit: int = LIMIT) -> list[Note]:
    """Newest first."""
    query = select(Note).where(Note.record_type == record_type, Note.record_id == record_id)
    return list(session.scalars(query.order_by(Note.id.desc()).limit(limit)))


def tasks_of(session: Session, record_type: str, record_id: UUID, *, limit: int = LIMIT) -> list[Task]:
    """Newest first, closed ones too."""
    query = select(Task).where(Task.record_type == record_type, Task.record_id == record_id)
    return list(session.scalars(query.order_by(Task.id.desc()).limit(limit)))


def open_tasks_of(session: Session, owner_id: UUID, *, limit: int = LIMIT) -> list[Task]:
    """What a member of staff has to do, soonest first, without a day last."""
    query = select(Task).where(Task.owner_id == owner_id, Task.status == TaskStatus.OPEN)
    return list(session.scalars(query.order_by(Task.due_on.nulls_last(), Task.id).limit(limit)))


def shown_email(actor: Actor, user: User) -> str:
    """The address, masked for roles that may read people but not their contacts."""
    return user.email or "" if _sees_contacts(actor, user) else masked_email(user.email)


def shown_phone(actor: Actor, user: User) -> str:
    return user.phone or "" if _sees_contacts(actor, user) else masked_phone(user.phone)


def _sees_contacts(actor: Actor, user: User) -> bool:
    return actor.id == user.id or access.may(actor, Permission.READ_CONTACTS)


def _links(session: Session, which: object) -> list[Guardian]:
    query = select(Guardian).where(which).options(joinedload(Guardian.guardian), joinedload(Guardian.student))  # type: ignore[arg-type]
    return list(session.scalars(query.order_by(Guardian.id).limit(LIMIT)))
