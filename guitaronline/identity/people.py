"""People: made, registered and edited."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from sqlalchemy import select, union_all

from guitaronline.actor import PERSON_ROLES, STAFF_ROLES, Actor, Role
from guitaronline.db import new_id
from guitaronline.errors import Reason
from guitaronline.identity import access, rules
from guitaronline.identity.access import Permission
from guitaronline.identity.emails import Email, read_email
from guitaronline.identity.former_addresses import say_goodbye
from guitaronline.identity.links import void_links
from guitaronline.identity.models import LinkPurpose, User
from guitaronline.identity.passwords import hash_password, password_problems
from guitaronline.identity.refusals import EmailTaken, PersonInvalid
from guitaronline.identity.sign_in_models import AddressChange
from guitaronline.identity.verifying import ask_to_verify
from guitaronline.unit_of_work import Work, command

on_role: dict[Role, list[Callable[[Work, User], object]]] = {}  # steps of upper domains when somebody gets a role
EDITABLE = ("email", "timezone", *rules.LENGTHS)


@command("person.create", creates="users")
def create_person(
    work: Work,
    *,
    role: Role,
    full_name: str,
    email: str | None = None,
    timezone: str = "UTC",
    password: str | None = None,
    phone: str | None = None,
    language: str | None = None,
    instrument: str | None = None,
    level: str | None = None,
    is_test: bool = False,
    reason: str | None = None,
) -> User:
    """There is such a person; a child may have neither e-mail nor password.

    Roles beside student are given by admins only. Raises PersonInvalid with every reason, EmailTaken."""
    access.require(work.actor, Permission.EDIT_PEOPLE)
    if role is not Role.STUDENT:
        access.require(work.actor, Permission.ADMINISTER)
    details = {"full_name": full_name, "phone": phone, "language": language, "instrument": instrument, "level": level}
    return add_person(
        work,
        role=role,
        email=email,
        timezone=timezone,
        password=password,
        is_test=is_test,
        person_id=work.record_id,
        **details,
    )


@command("person.register", creates="users")
def register_student(work: Work, *, email: str, password: str, full_name: str = "", timezone: str = "UTC") -> User:
    """The public door: always a student, asked to confirm the address. Raises PersonInvalid with every reason, EmailTaken."""
    user = add_person(
        work,
        role=Role.STUDENT,
        email=email,
        timezone=timezone,
        password=password,
        full_name=full_name,
        person_id=work.record_id,
    )
    ask_to_verify(work, user)
    return user


def add_person(
    work: Work,
    *,
    role: Role,
    email: str | None = None,
    timezone: str = "UTC",
    password: str | None = None,
    is_test: bool = False,
    person_id: UUID | None = None,
    **details: str | None,
) -> User:
    """Step: the person, with the steps of their role done. `details`: the fields of `rules.LENGTHS`.

    Raises PersonInvalid with every reason, EmailTaken."""
    address, problems = _read_email(email, role)
    if role not in PERSON_ROLES:
        problems.append(Reason("role_unknown", "This is not a role that a person can have.", "", "/role"))
    problems += rules.zone_problems(timezone)
    for name, value in details.items():
        problems += rules.field_problems(name, value)
    if password is not None:
        problems += password_problems(password, role)
    if problems:
        raise PersonInvalid(reasons=problems)
    refuse_taken(work, address)
    user = User(
        id=person_id or new_id(),
        role=role,
        email=address.address if address else None,
        email_key=address.key if address else None,
        timezone=timezone,
        password_hash=hash_password(password) if password is not None else None,
        is_active=True,
        is_test=is_test,
        **{name: _stored(name, value) for name, value in details.items()},
    )
    work.add(user)
    work.session.flush()
    take_role(work, user)
    return user


def take_role(work: Work, user: User) -> None:
    """What upper domains do when somebody gets this role, in the same transaction."""
    for step in on_role.get(user.role, ()):
        step(work, user)


@command("person.edit", on="users")
def edit_person(work: Work, user_id: UUID, *, changes: dict[str, str | None], reason: str | None = None) -> User:
    """The named fields have the new values. One's own are open to everybody, the e-mail address aside.

    Locks the person. Raises PersonInvalid with every reason, EmailTaken."""
    own = work.actor.id == user_id
    if own and "email" not in changes:
        access.require(work.actor, Permission.OWN_PROFILE, own=True)
        user = work.lock(User, user_id)
    else:
        access.require(work.actor, Permission.EDIT_PEOPLE)
        user = work.lock(User, user_id)
        require_over(work.actor, user)
    wanted = dict(changes)
    problems = [
        Reason("field_unknown", "There is no such field to edit.", "", f"/{name}")
        for name in wanted
        if name not in EDITABLE
    ]
    if "timezone" in wanted:
        problems += rules.zone_problems(wanted["timezone"])
    for name in rules.LENGTHS.keys() & wanted.keys():
        problems += rules.field_problems(name, wanted[name])
    address = None
    if "email" in wanted:
        address, wrong = _read_email(wanted.pop("email") or None, user.role)
        problems += wrong
    if problems:
        raise PersonInvalid(reasons=problems)
    is_elsewhere = "email" in changes and _set_email(work, user, address)
    _set(user, {name: _stored(name, value) for name, value in wanted.items()})
    if is_elsewhere:
        ask_to_verify(work, user)
    return user


def require_over(actor: Actor, user: User) -> None:
    """Staff accounts are in the hands of admins: who could change them could become them."""
    if user.role in STAFF_ROLES:
        access.require(actor, Permission.ADMINISTER)


def _read_email(typed: str | None, role: Role) -> tuple[Email | None, list[Reason]]:
    if not typed:
        needed = Reason("email_needed", "Only a student can be without an e-mail address.", "Give one.", "/email")
        return None, [] if role is Role.STUDENT else [needed]
    try:
        return read_email(typed), []
    except ValueError as error:
        return None, [Reason("email_invalid", str(error), "Write it like ann@people.example.", "/email")]


def refuse_taken(work: Work, address: Email | None, but: UUID | None = None) -> None:
    """Step: says it politely; who comes at the same moment is refused by the unique index. An address that its owner may still
    get back (`address_change.py`) is taken, too. One statement: between two the change could be made.

    ix_address_changes_kept_free"""
    if address is None:
        return
    owner = select(User.id).where(User.email_key == address.key)
    kept = select(AddressChange.user_id).where(
        AddressChange.former_key == address.key,
        AddressChange.done_at.is_not(None),
        AddressChange.undone_at.is_(None),
        AddressChange.undo_until > work.now,
    )
    if any(each != but for each in work.session.scalars(union_all(owner, kept))):
        raise EmailTaken()


def _set_email(work: Work, user: User, address: Email | None) -> bool:
    """Whether it is another address. Then the old one is told, and links that went there are void."""
    refuse_taken(work, address, but=user.id)
    is_another = (address.key if address else None) != user.email_key
    if is_another:
        void_links(work, user.id, *LinkPurpose)
        say_goodbye(work, user)
        user.email_verified_at = None
    if (address.address if address else None) != user.email:
        user.address_problem = user.address_problem_at = None  # what was known of the old one
    _set(user, {"email": address.address if address else None, "email_key": address.key if address else None})
    return is_another


def _set(user: User, values: dict[str, Any]) -> None:
    for name, value in values.items():
        if getattr(user, name) != value:  # an equal value makes no new version
            setattr(user, name, value)


def _stored(name: str, value: str | None) -> str | None:
    """Without the spaces around it; the name is never missing, the others are when empty."""
    kept = (value or "").strip()
    return kept if name == "full_name" else kept or None
