"""From the asking to the mail: planned by the event, rendered with its link, in the language of the reader."""

from __future__ import annotations

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.actor import ANONYMOUS, SYSTEM, Actor, Role
from guitaronline.identity import second_factor, tokens
from guitaronline.identity.models import User
from guitaronline.identity.service import (
    ask_to_change,
    change_address,
    edit_person,
    forgot_password,
    reset_password,
    undo_change,
)
from guitaronline.notifications import addresses, rendering
from guitaronline.notifications.account_kinds import ACCOUNT_KINDS
from guitaronline.notifications.models import Message
from guitaronline.notifications.rendered import Rendered, Untrue
from jobs import outbox
from tests.signing_in import with_app
from tests.world import PASSWORD, World


@pytest.fixture
def ann(world: World) -> User:
    return world.person("Ann", Role.STUDENT, password=PASSWORD, language="Deutsch", timezone="Europe/Berlin")


def told(db: Session, kind: str) -> list[tuple[Message, Rendered | Untrue]]:
    """The messages of that kind, as they would be sent now."""
    outbox.drain()
    db.rollback()
    messages = db.scalars(select(Message).where(Message.kind == kind).order_by(Message.channel)).all()
    return [(each, rendering.render(db, each, each.person, clock.read(db))) for each in messages]


def test_the_link_is_sent_and_kept_nowhere(db: Session, ann: User) -> None:
    forgot_password("ann@people.example", address=None)

    ((message, rendered),) = told(db, "account_reset")

    assert isinstance(rendered, Rendered)
    assert rendered.language == "de"
    assert rendered.subject == "Wähle ein neues Passwort"
    assert rendered.secrets[0] in rendered.text
    assert f'href="{rendered.secrets[0]}"' in (rendered.html or "")
    assert reset_password(ANONYMOUS, token=rendered.secrets[0].rpartition("/")[2], password="eight brass trumpets play")
    assert told(db, "account_reset")[0][1] == Untrue("link_over")
    assert "gol_pw" not in str(message.facts)


def test_a_new_device_is_told_by_mail_and_in_the_app(db: Session, ann: User) -> None:
    tokens.login("ann@people.example", PASSWORD, device_label="phone")
    tokens.login("ann@people.example", PASSWORD, device_label="tablet")

    found = told(db, "account_new_device")

    assert [message.channel for message, _ in found] == ["email", "in_app"]
    assert [getattr(rendered, "subject", rendered) for _, rendered in found] == ["Neue Anmeldung: tablet"] * 2


def test_a_change_of_address_is_two_mails(db: Session, ann: User) -> None:
    edit_person(SYSTEM, ann.id, changes={"email": "ann@new.example"})

    (notice,), (asking,) = told(db, "address_changed"), told(db, "account_verify")

    assert isinstance(notice[1], Rendered)
    assert isinstance(asking[1], Rendered)
    assert notice[1].secrets == ()


def test_a_change_of_ones_own_asks_there_tells_here_and_tells_there_when_undone(db: Session, ann: User) -> None:
    ask_to_change(Actor(ann.id, ann.role), email="ann@new.example", password=PASSWORD, address=None)
    ((asked, question),) = told(db, "account_new_address")
    assert isinstance(question, Rendered)
    change_address(ANONYMOUS, token=question.secrets[0].rpartition("/")[2])
    ((noticed, notice),) = told(db, "account_address_undo")
    assert isinstance(notice, Rendered)
    undo_change(ANONYMOUS, token=notice.secrets[0].rpartition("/")[2])
    ((undone, news),) = told(db, "account_address_undone")

    assert isinstance(news, Rendered)
    assert [addresses.address_of(db, each, each.person) for each in (asked, noticed, undone)] == [
        "ann@new.example",
        "ann@people.example",
        "ann@new.example",
    ]
    assert "/address/gol_ea_" in question.text
    assert "/undo-address/gol_eu_" in notice.text
    assert news.secrets == ()
    assert told(db, "account_address_undo")[0][1] == Untrue("link_over")


def test_a_reset_app_is_told(db: Session, world: World) -> None:
    with_app(world.sue)
    second_factor.reset(SYSTEM, world.sue.id, reason="lost the phone")

    found = told(db, "account_totp_reset")

    assert [message.channel for message, _ in found] == ["email", "in_app"]
    assert [getattr(rendered, "subject", rendered) for _, rendered in found] == ["Your authenticator app was reset"] * 2


@pytest.mark.parametrize("kind", [kind.name for kind in ACCOUNT_KINDS])
@pytest.mark.parametrize("language", ["en", "de"])
def test_every_kind_can_be_previewed_and_gives_no_link_away(db: Session, ann: User, kind: str, language: str) -> None:
    shown = rendering.preview(db, kind, ann.id, ann, language)

    assert "gol_" not in shown.text
    assert shown.secrets == ()
