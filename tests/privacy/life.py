"""Somebody who left traces everywhere: each word below stands in some column, and after erasure in none."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from guitaronline import clock, unit_of_work
from guitaronline.actor import Role
from guitaronline.billing.invoices.addresses import set_billing_address
from guitaronline.billing.invoices.parties import Party
from guitaronline.billing.models import Package
from guitaronline.billing.service import freeze_package, revoke_package, unfreeze_package
from guitaronline.booking.feeds import new_feed
from guitaronline.booking.models import Booking
from guitaronline.booking.service import cancel_booking
from guitaronline.db import Base, new_id, session, technical_transaction
from guitaronline.identity import service as identity
from guitaronline.identity import tokens
from guitaronline.identity.access import Permission
from guitaronline.identity.models import ConsoleSession, KnownDevice, User
from guitaronline.lessons.models import Lesson
from guitaronline.lessons.service import complete_lesson, edit_report, set_join_url
from guitaronline.notifications.models import Message, MessageBody, MessageStatus, Preference
from guitaronline.notifications.preferences import set_preferences
from guitaronline.office import views
from guitaronline.office.export_models import ExportFormat
from guitaronline.office.exports import Wanted, record_export
from guitaronline.unit_of_work import Request
from tests.admin.posted import posted
from tests.world import PASSWORD, World, as_actor

NAME, FORMER = "Zebulon Quagga", "Zebulon Former"
WORDS = (  # planted; lower case, as they are looked for
    *("zebulon", "quagga", "former@zeb.example", "zq@zeb.example", "5550177", "zither", "sore thumb", "broken wrist"),
    *(
        "likes jazz a lot",
        "call his aunt",
        "scales in thirds",
        "a shy one",
        "page 17",
        "tabs.example/zq",
        "meet.example/zq",
    ),
    *("quagga alley", "zeb gmbh", "zeb's phone", "zebbrowser", "203.0.113.77", "hello zebulon"),
)


def planted(world: World) -> User:
    """Erasable: what was open is ended."""
    zeb = world.person(FORMER, Role.STUDENT, email="former@zeb.example", phone="+49 30 5550177", password=PASSWORD)
    ada, sue = as_actor(world.ada), as_actor(world.sue)
    changes = {"full_name": NAME, "email": "zq@zeb.example"}
    identity.edit_person(ada, zeb.id, changes=changes, reason="Zebulon Quagga married")
    identity.write_note(sue, record_type="users", record_id=zeb.id, body="likes jazz a lot")
    task = identity.create_task(
        sue, record_type="users", record_id=zeb.id, title="call his aunt", owner_id=world.sue.id
    )
    identity.finish_task(sue, task.id)
    identity.add_guardian(ada, zeb.id, guardian_id=world.ben.id, relation="uncle", pays=False, receives_messages=True)
    party = Party(name=NAME, company="Zeb GmbH", street="Quagga Alley 1", postal_code="1010", city="Wien", country="AT")
    set_billing_address(ada, zeb.id, party=party)
    _learn(world, zeb)
    _sign_in(zeb)
    _search(world)
    return world.again(zeb)


def _learn(world: World, zeb: User) -> None:
    """Three days ago, and over since."""
    with clock.moved_by(timedelta(hours=-70)):
        package, given = _book(world, zeb)
    lesson_id = session().scalars(select(Lesson.id).where(Lesson.booking_id == given.id)).one()
    said = {"topic": "scales in thirds", "private_note": "a shy one", "homework": "page 17"}
    more = {"notes": "buy a zither", "links": ["https://tabs.example/zq"]}
    edit_report(as_actor(world.tom), lesson_id, changes={**said, **more})
    set_join_url(as_actor(world.tom), lesson_id, join_url="https://meet.example/zq")
    complete_lesson(as_actor(world.tom), lesson_id)
    revoke_package(as_actor(world.ada), package.id, reason="leaves")
    for person in (zeb, world.tom):
        written(posted(given, person, MessageStatus.SENT))
    new_feed(as_actor(zeb))
    set_preferences(as_actor(zeb), zeb.id, wanted={Preference.OFFERS: False})


def _book(world: World, zeb: User) -> tuple[Package, Booking]:
    package = world.package(zeb, lessons=3)
    given, missed = world.booking(world.slot(hours=30), zeb), world.booking(world.slot(hours=60), zeb)
    token = unit_of_work.request.set(Request(address="203.0.113.77"))
    cancel_booking(as_actor(zeb), missed.id, reason="my sore thumb")
    unit_of_work.request.reset(token)
    freeze_package(as_actor(world.ada), package.id, reason="broken wrist")
    unfreeze_package(as_actor(world.ada), package.id)
    return package, given


def written(message: Message) -> None:
    """The message has a body that names them."""
    with technical_transaction() as current:
        current.execute(text("DELETE FROM message_bodies WHERE id = :id"), {"id": message.id})
        facts = {"sent_to": "zq@zeb.example", "language": "en", "subject": "Your lesson", "text": "Hello Zebulon"}
        current.add(MessageBody(id=message.id, **facts))


def _sign_in(zeb: User) -> None:
    tokens.login("zq@zeb.example", PASSWORD, device_label="Zeb's phone", address="203.0.113.77")
    with technical_transaction() as current:
        now = clock.read(current)
        seen = {"created_at": now, "last_seen_at": now, "expires_at": now}  # as of somebody who taught here once
        place = {"address": "203.0.113.77", "device": "ZebBrowser"}
        current.add(ConsoleSession(id=new_id(), user_id=zeb.id, token_hash=b"\x02", **seen, **place))
        current.add(KnownDevice(id=new_id(), user_id=zeb.id, mark=b"\x01", created_at=now, last_seen_at=now))
        current.execute(
            text(
                "INSERT INTO idempotency_keys (id, user_id, method, path, key, body_hash, http_status, answer, created_at)"
                " VALUES (:id, :user, 'POST', '/x', 'k', '\\x00', 201, '{\"full_name\": \"Zebulon\"}', :now)"
            ),
            {"id": new_id(), "user": zeb.id, "now": now},
        )


def _search(world: World) -> None:
    """Sue looked for them, and keeps a view of it."""
    selection = {"search": "zebulon quagga", "filters": {}, "sort": "", "is_descending": False}
    views.save_view(as_actor(world.sue), desk="people", name="One", selection=selection)
    wanted = Wanted("people", Permission.READ_PEOPLE, ["full_name"], ExportFormat.CSV, "UTC", search="Zebulon Quagga")
    record_export(as_actor(world.sue), wanted=wanted, rows=1)


def places(db: Session, *words: str) -> set[str]:
    """The tables in which one of the words stands somewhere, in any column."""
    db.rollback()
    looked = " OR ".join(f"strpos(lower(t::text), :w{number}) > 0" for number in range(len(words)))
    values = {f"w{number}": word for number, word in enumerate(words)}
    return {
        table
        for table in Base.metadata.tables
        if db.scalar(text(f"SELECT count(*) FROM {table} t WHERE {looked}"), values)  # our tables
    }


def erased_at(db: Session, person_id: UUID) -> object:
    db.rollback()
    return db.scalar(text("SELECT erased_at FROM users WHERE id = :id"), {"id": person_id})
