"""The addresses on invoices, and who pays for whom."""

from __future__ import annotations

from dataclasses import asdict
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from guitaronline.billing.invoices.models import BillingAddress
from guitaronline.billing.invoices.parties import ADDRESS, Party, party_problems
from guitaronline.billing.invoices.refusals import InvalidAddress
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.identity.models import Guardian, User
from guitaronline.unit_of_work import Work, command

MOST_CHILDREN = 50
FIELDS = ("name", "company", "street", "postal_code", "city", "country", "tax_id")


@command("billing_address.set", on="users")
def set_billing_address(work: Work, user_id: UUID, *, party: Party, reason: str | None = None) -> BillingAddress:
    """Invoices issued from now on name this for what the person pays. The same again changes nothing.

    Locks the person. Raises InvalidAddress with every reason, NotFound."""
    access.require(work.actor, Permission.EDIT_ADDRESSES, own=user_id == work.actor.id)
    person = work.lock(User, user_id)
    problems = party_problems(party, needed=("name", *ADDRESS))
    if problems:
        raise InvalidAddress(reasons=problems)
    facts = {name: value for name, value in asdict(party).items() if name in FIELDS}
    address = address_of(work.session, person.id)
    if address is None:
        address = BillingAddress(user_id=person.id, **facts)
        work.add(address)
        return address
    for name, value in facts.items():
        setattr(address, name, value)
    return address


def address_of(session: Session, user_id: UUID) -> BillingAddress | None:
    query = select(BillingAddress).where(BillingAddress.user_id == user_id)
    return session.scalars(query, execution_options={"populate_existing": True}).one_or_none()


def payer_of(session: Session, student: User) -> User:
    """Who pays: the first guardian who pays; the student where there is none. Index: ix_guardians_student_id."""
    return session.scalars(select(User).where(User.id == _payer_id(student))).one()


def paid_for_by(session: Session, person_id: UUID) -> list[UUID]:
    """Whose lessons the person pays for: their own, and those of children for whom they pay. Index: uq_guardians_pair."""
    children = select(Guardian.student_id).where(Guardian.guardian_id == person_id, Guardian.pays)
    return [person_id, *session.scalars(children.order_by(Guardian.id).limit(MOST_CHILDREN))]


def buyer_of(session: Session, student: User) -> Party:
    """The payer with their address; the bare name where nobody gave one. One statement: each payment asks it."""
    query = select(User, BillingAddress).outerjoin(BillingAddress, BillingAddress.user_id == User.id)
    row = session.execute(query.where(User.id == _payer_id(student))).one()
    payer: User = row[0]
    address: BillingAddress | None = row[1]
    return Party.of(address) if address else Party(name=payer.full_name or payer.reference)


def _payer_id(student: User) -> ColumnElement[UUID]:
    pays = select(Guardian.guardian_id).where(Guardian.student_id == student.id, Guardian.pays)
    return func.coalesce(pays.order_by(Guardian.id).limit(1).scalar_subquery(), student.id)
