"""What running a real school leaves behind: a partner's program, files that were tried out, records that were one person, and
somebody who asked to be forgotten."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import select

from guitaronline.actor import Role
from guitaronline.booking.models import Booking, BookingStatus
from guitaronline.db import session
from guitaronline.demo.stage import School
from guitaronline.identity import service as identity
from guitaronline.identity.access import KeyScope
from guitaronline.identity.models import User
from guitaronline.identity.service_keys import create_service_key
from guitaronline.office.merging.finding import find_duplicates
from guitaronline.office.merging.merging import merge_people
from guitaronline.office.opening.importing import check_files
from guitaronline.office.opening_models import Sheet
from guitaronline.privacy.erasing import erase_person
from guitaronline.privacy.readings import note_readings
from guitaronline.webhooks import endpoints, planning

PARTNER = "Music shop"
MOVING_IN = "id,full_name,email\nOLD-1,Rosa Ferrante,rosa.ferrante@people.example\nOLD-2,,nobody\n"
CONFIRMED = "booking.confirmed"


def run(school: School) -> None:
    """Plan it; the partner's program does not run yet, so nothing is sent to it."""
    school.on(school.ago(6), partial(_partner, school))
    school.on(school.ago(5), partial(_try_files, school))
    school.on(school.ago(3), partial(_one_person, school))
    school.on(school.ago(2), partial(_forgotten, school))


def _partner(school: School, moment: datetime) -> None:
    create_service_key(
        school.admin, name=PARTNER, scopes=[KeyScope.BOOKINGS_READ], days=180, reason="rents guitars by the calendar"
    )
    owner_id = school.admin.id
    assert owner_id is not None
    made = endpoints.create_endpoint(
        school.admin,
        name=PARTNER,
        url="https://shop.example/hooks/school",
        topics=[CONFIRMED],
        owner_id=owner_id,
        reason="rents guitars by the calendar",
    ).endpoint
    booking_id = (
        session()
        .scalars(
            select(Booking.id).where(Booking.status == BookingStatus.CONFIRMED).order_by(Booking.id.desc()).limit(1)
        )
        .one()
    )
    planning.plan(planning.Happened(made.id, CONFIRMED, "bookings", booking_id, moment - timedelta(minutes=1)))
    endpoints.disable_endpoint(school.admin, made.id, reason="their program is not finished")


def _try_files(school: School, _: datetime) -> None:
    check_files(school.admin, files={Sheet.PEOPLE: MOVING_IN.encode()})


def _one_person(school: School, _: datetime) -> None:
    kept = _student(school, "Mara Lindholm", "mara.lindholm")
    merge_people(
        school.admin, kept.id, loser_id=_student(school, "Mara Lindholm", "m.lindholm").id, reason="signed up twice"
    )
    for address in ("jonas.falk", "jonas"):
        _student(school, "Jonas Falk", address, phone="+49 30 5550142")
    find_duplicates(school.admin)


def _forgotten(school: School, _: datetime) -> None:
    person = _student(school, "Peter Quandt", "peter.quandt")
    assert school.admin.id is not None
    note_readings(school.admin.id, [person.id])  # whoever wrote down the letter looked them up
    identity.deactivate_person(school.admin, person.id, reason="has moved away")
    erase_person(school.admin, person.id, typed=person.reference, reason="asked for it by letter")


def _student(school: School, name: str, address: str, *, phone: str | None = None) -> User:
    return identity.create_person(
        school.support,
        role=Role.STUDENT,
        full_name=name,
        email=f"{address}@people.example",
        timezone="Europe/Berlin",
        phone=phone,
    )
