"""Confirming that it is you: holds for ten minutes, in this browser, and failures are counted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from guitaronline import clock, policy
from guitaronline.actor import Role
from guitaronline.errors import DomainError
from guitaronline.identity import sessions, step_up, tokens
from guitaronline.identity.models import User
from guitaronline.identity.service import InvalidCredentials, TooManyAttempts
from tests.signing_in import code_of, with_app
from tests.world import PASSWORD, World

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOME = "192.0.2.1"


@pytest.fixture
def finn(world: World) -> User:
    return world.person("Finn", Role.FINANCE, password=PASSWORD)


@pytest.fixture
def opened(finn: User) -> sessions.SessionOpened:
    with clock.standing_at(NOON):
        return sessions.open_session("finn@people.example", PASSWORD, address=HOME)


def is_confirmed(opened: sessions.SessionOpened, after: timedelta) -> bool:
    with clock.standing_at(NOON + after):
        signed = sessions.actor_of_session(opened.token)
    assert signed
    return signed.is_confirmed


def confirm(
    finn: User, opened: sessions.SessionOpened, after: timedelta, *, password: str = PASSWORD, otp: str | None = None
) -> str:
    with clock.standing_at(NOON + after):
        try:
            step_up.confirm(finn.id, opened.session_id, password=password, otp=otp, address=HOME)
        except DomainError as refusal:
            return refusal.code
    return "confirmed"


def test_who_signed_in_a_moment_ago_has_proved_it(opened: sessions.SessionOpened) -> None:
    assert is_confirmed(opened, timedelta(minutes=9, seconds=59))
    assert not is_confirmed(opened, timedelta(minutes=10))


def test_the_password_proves_it_again_for_ten_minutes(finn: User, opened: sessions.SessionOpened) -> None:
    later = timedelta(minutes=20)

    assert confirm(finn, opened, later) == "confirmed"
    assert is_confirmed(opened, later + timedelta(minutes=9))
    assert not is_confirmed(opened, later + timedelta(minutes=10))


def test_it_is_proved_in_this_browser_only(finn: User, opened: sessions.SessionOpened) -> None:
    with clock.standing_at(NOON):
        other = sessions.open_session("finn@people.example", PASSWORD, address=HOME)

    assert confirm(finn, opened, timedelta(minutes=20)) == "confirmed"
    assert not is_confirmed(other, timedelta(minutes=20))


def test_nobody_proves_it_for_somebody_elses_browser(world: World, opened: sessions.SessionOpened) -> None:
    eve = world.person("Eve", Role.SUPPORT, password=PASSWORD)

    assert confirm(eve, opened, timedelta(minutes=20)) == "confirmed"
    assert not is_confirmed(opened, timedelta(minutes=20))


def test_a_wrong_password_proves_nothing_and_is_counted(finn: User, opened: sessions.SessionOpened) -> None:
    with policy.changed(LOGIN_MAX_FAILURES=3):
        answers = [confirm(finn, opened, timedelta(minutes=20), password="not it at all") for _ in range(4)]

        assert answers == [InvalidCredentials().code] * 3 + [TooManyAttempts().code]
        assert not is_confirmed(opened, timedelta(minutes=20))
        with clock.standing_at(NOON + timedelta(minutes=20)):
            assert sessions.open_session("finn@people.example", PASSWORD, address=HOME)


def test_with_an_app_its_code_is_asked_for_too_and_used_up(db: Session, finn: User) -> None:
    secret = with_app(finn)
    with clock.standing_at(NOON):
        opened = sessions.open_session("finn@people.example", PASSWORD, code_of(secret, NOON), HOME)
    later = timedelta(minutes=20)
    code = code_of(secret, NOON + later)

    assert confirm(finn, opened, later) == "otp_required"
    assert confirm(finn, opened, later, otp=code) == "confirmed"
    assert confirm(finn, opened, later, otp=code) == "otp_used"


def test_a_token_is_as_fresh_as_the_sign_in_of_its_device(finn: User) -> None:
    secret = with_app(finn)
    with clock.standing_at(NOON):
        pair = tokens.login("finn@people.example", PASSWORD, otp=code_of(secret, NOON))
        fresh = tokens.actor_of_token(pair.access_token)
    with clock.standing_at(NOON + timedelta(minutes=10)):
        next_pair = tokens.refresh(pair.refresh_token)
        refreshed = tokens.actor_of_token(next_pair.access_token)

    assert fresh
    assert refreshed
    assert (fresh.is_confirmed, refreshed.is_confirmed) == (True, False)
