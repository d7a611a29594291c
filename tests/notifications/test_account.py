"""What people are told about their account: to whom, with which link, and until when it is true."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from guitaronline import clock, policy
from guitaronline.actor import ANONYMOUS, SYSTEM
from guitaronline.audit.models import OutboxEvent
from guitaronline.identity import tokens
from guitaronline.identity.models import FormerAddress, LinkPurpose, User
from guitaronline.identity.service import (
    edit_person,
    forgot_password,
    invite_person,
    register_student,
    reset_password,
    verify_email,
)
from guitaronline.notifications import account_words
from guitaronline.notifications.account_kinds import ACCOUNT_KINDS
from guitaronline.notifications.models import Channel, Message
from tests.world import PASSWORD, World

TEMPLATES = Path(__file__).resolve().parents[2] / "templates" / "messages"
KIND_OF = {kind.topic: kind for kind in ACCOUNT_KINDS}
NAMES = [kind.name for kind in ACCOUNT_KINDS]


@pytest.fixture
def kim(world: World) -> User:
    return register_student(ANONYMOUS, email="kim@people.example", password=PASSWORD, full_name="Kim")


def message_of(db: Session, topic: str, person: User) -> Message:
    """As planning makes it of the newest event of that topic."""
    db.rollback()
    query = select(OutboxEvent).where(OutboxEvent.topic == topic).order_by(OutboxEvent.id.desc()).limit(1)
    event = db.scalars(query).one()
    return Message(
        kind=KIND_OF[topic].name,
        person_id=person.id,
        record_type=event.record_type,
        record_id=event.record_id,
        facts=event.payload,
    )


def forgotten(db: Session, kim: User) -> Message:
    forgot_password("kim@people.example", address=None)
    return message_of(db, "person.password_forgotten", kim)


def in_words(kind: str, told: dict[str, Any], links: dict[str, str]) -> str:
    """The template in the language it is written in."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES), extensions=["jinja2.ext.i18n"], undefined=StrictUndefined, autoescape=False,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    made.install_null_translations(newstyle=True)  # type: ignore[attr-defined]
    made.filters["moment"] = lambda moment, zone: f"{moment:%H:%M} {zone}"
    text = made.get_template(f"{kind}.txt").render(**told, links=links, zone="UTC", name="Kim", facts={})
    return text.strip()


def test_what_signs_in_goes_by_mail_alone() -> None:
    with_links = [kind for kind in ACCOUNT_KINDS if kind.name in account_words.PURPOSES]

    assert {kind.channels for kind in with_links} == {(Channel.EMAIL,)}
    assert set(account_words.PURPOSES.values()) == set(LinkPurpose)
    assert {kind.preference for kind in ACCOUNT_KINDS} == {None}
    assert not any(kind.is_quiet for kind in ACCOUNT_KINDS)


def test_the_mail_to_reset_carries_the_link_that_does_it(db: Session, kim: User) -> None:
    message = forgotten(db, kim)

    url = account_words.links_for(db, message)["link"]

    assert url.startswith("http://127.0.0.1:8000/reset/gol_pw_")
    assert reset_password(ANONYMOUS, token=url.rpartition("/")[2], password="eight brass trumpets play").id == kim.id


def test_the_same_link_stands_in_every_attempt(db: Session, kim: User) -> None:
    message = forgotten(db, kim)

    assert account_words.links_for(db, message) == account_words.links_for(db, message)


def test_the_mail_to_confirm_carries_the_link_that_does_it(db: Session, kim: User) -> None:
    url = account_words.links_for(db, message_of(db, "person.verification_asked", kim))["link"]

    assert verify_email(ANONYMOUS, token=url.rpartition("/verify/")[2]).id == kim.id


def test_an_invitation_carries_its_link(db: Session, kim: User) -> None:
    token = invite_person(SYSTEM, kim.id)

    url = account_words.links_for(db, message_of(db, "person.invited", kim))["link"]

    assert url == f"http://127.0.0.1:8000/invitation/{token}"


def test_links_begin_with_the_public_address(db: Session, kim: User) -> None:
    message = forgotten(db, kim)

    with policy.changed(PUBLIC_BASE_URL="https://school.example/"):
        assert account_words.links_for(db, message)["link"].startswith("https://school.example/reset/")
        assert account_words.facts_for(db, message.kind, message.facts)["forgot_url"] == "https://school.example/forgot"


def test_a_link_that_is_over_is_not_sent(db: Session, kim: User) -> None:
    message = forgotten(db, kim)
    now = clock.read(db)
    fresh = account_words.untrue(db, message, now)
    late = account_words.untrue(db, message, now + timedelta(minutes=60))
    reset_password(
        ANONYMOUS,
        token=account_words.links_for(db, message)["link"].rpartition("/")[2],
        password="eight brass trumpets play",
    )

    assert (fresh, late) == (None, "link_over")
    assert account_words.untrue(db, message, now) == "link_over"


def test_a_link_to_a_given_up_address_is_not_sent(db: Session, kim: User) -> None:
    message = message_of(db, "person.verification_asked", kim)

    edit_person(SYSTEM, kim.id, changes={"email": "kim@new.example"})

    assert account_words.untrue(db, message, clock.read(db)) == "link_over"


def test_a_link_that_cannot_be_written_again_is_not_sent(db: Session, kim: User) -> None:
    message = forgotten(db, kim)

    with policy.changed(SECRET_KEY="another key since"):
        assert account_words.untrue(db, message, clock.read(db)) == "gone"
        assert account_words.links_for(db, message) == {}


def test_nobody_else_is_sent_the_link(db: Session, world: World, kim: User) -> None:
    message = forgotten(db, kim)
    message.person_id = world.ben.id

    assert account_words.links_for(db, message) == {}
    assert account_words.untrue(db, message, clock.read(db)) == "gone"


def test_a_link_of_another_purpose_is_not_sent(db: Session, kim: User) -> None:
    message = forgotten(db, kim)
    message.kind = "account_verify"

    assert account_words.links_for(db, message) == {}


def test_the_notice_goes_to_the_address_before_and_only_for_its_owner(db: Session, world: World, kim: User) -> None:
    edited = edit_person(SYSTEM, kim.id, changes={"email": "kim@new.example"})
    message = message_of(db, "person.email_changed", kim)

    assert account_words.address_before(db, message, edited) == "kim@people.example"
    assert account_words.address_before(db, message, world.ben) is None
    assert account_words.untrue(db, message, clock.read(db)) is None


def test_a_notice_whose_address_was_forgotten_is_not_sent(db: Session, kim: User) -> None:
    edited = edit_person(SYSTEM, kim.id, changes={"email": "kim@new.example"})
    message = message_of(db, "person.email_changed", kim)
    db.execute(delete(FormerAddress))
    db.commit()

    assert account_words.address_before(db, message, edited) is None
    assert account_words.untrue(db, message, clock.read(db)) == "gone"


def test_a_new_device_is_named_with_its_moment(db: Session, kim: User) -> None:
    tokens.login("kim@people.example", PASSWORD, device_label="phone")
    tokens.login("kim@people.example", PASSWORD, device_label="tablet")
    message = message_of(db, "person.new_device", kim)

    told = account_words.facts_for(db, message.kind, message.facts)
    text = in_words(message.kind, told, {})

    assert text.splitlines()[0] == "New sign-in: tablet"
    assert f"When: {told['signed_in_at']:%H:%M} UTC" in text
    assert "http://127.0.0.1:8000/forgot" in text


def test_a_device_of_which_nothing_is_known_is_told_all_the_same(db: Session) -> None:
    text = in_words("account_new_device", account_words.facts_for(db, "account_new_device", {}), {})

    assert text.splitlines()[0] == "New sign-in to your account"
    assert "When" not in text


@pytest.mark.parametrize(
    ("minutes", "told"), [(60, (1, "hour")), (90, (90, "minute")), (1440, (1, "day")), (120, (2, "hour"))]
)
def test_the_life_of_a_link_is_told_in_the_unit_that_fits(db: Session, minutes: int, told: tuple[int, str]) -> None:
    with policy.changed(RESET_MINUTES=minutes):
        assert account_words.life_in_units(LinkPurpose.RESET) == told


def test_the_mail_says_how_long_its_link_works(db: Session, kim: User) -> None:
    message = forgotten(db, kim)
    links = account_words.links_for(db, message)

    text = in_words(message.kind, account_words.facts_for(db, message.kind, message.facts), links)

    assert text.splitlines()[0] == "Choose a new password"
    assert links["link"] in text.splitlines()
    assert "The link works once, for 1 hour." in text


@pytest.mark.parametrize("kind", NAMES)
def test_every_kind_has_its_words(db: Session, kind: str) -> None:
    text = in_words(kind, account_words.facts_for(db, kind, {}), {"link": "https://x.example"})

    subject, _, body = text.partition("\n")
    assert 10 < len(subject) < 80
    assert len(body) > 100
