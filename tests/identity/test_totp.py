"""The authenticator app: it counts once a code of it was typed, each code opens once, and a recovery code stands in for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from psycopg2.extensions import connection as Connection
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from guitaronline import clock, policy, sealed
from guitaronline.actor import Role
from guitaronline.audit.models import OutboxEvent
from guitaronline.db import session
from guitaronline.errors import DomainError
from guitaronline.identity import recovery, second_factor, sessions, tokens, totp
from guitaronline.identity.models import User
from guitaronline.identity.refusals import NotForStaff, OwnSecondFactor, SecondFactorChanged
from guitaronline.identity.service import OtpInvalid, ReasonRequired, TotpNotSetUp
from guitaronline.identity.sign_in_models import RecoveryCode, TotpUse
from tests.concurrency import at_once, done, refused
from tests.signing_in import code_of, signed_in_app, with_app
from tests.world import PASSWORD, World, as_actor

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOME = "192.0.2.1"


@pytest.fixture
def sue(world: World) -> User:
    return world.person("Sue", Role.SUPPORT, password=PASSWORD)


def attempt(otp: str | None, *, address: str = HOME) -> str:
    """What came of it: `signed in`, or the code of the refusal."""
    try:
        tokens.login("sue@people.example", PASSWORD, otp=otp, address=address)
    except DomainError as refusal:
        return refusal.code
    return "signed in"


def browser_of(person: User) -> sessions.SessionOpened:
    return sessions.open_session(person.email or "", PASSWORD, address=HOME)


def shown_to(opened: sessions.SessionOpened, stored: str | None = None) -> str:
    """The secret that the page shows in that browser."""
    return next(totp.new_secrets(opened.session_id, stored))


def enroll(person: User, opened: sessions.SessionOpened) -> tuple[str, list[str]]:
    """The secret, and the recovery codes."""
    secret = shown_to(opened)
    code = code_of(secret, NOON)
    return secret, second_factor.enroll(as_actor(person), person.id, code=code, session_id=opened.session_id)


def stored_of(db: Session, person: User) -> str | None:
    db.rollback()
    return db.scalar(select(User.totp_secret).where(User.id == person.id))


# Setting it up


def test_the_page_shows_one_secret_a_browser_and_nothing_is_stored(db: Session, sue: User) -> None:
    here, there = browser_of(sue), browser_of(sue)

    assert shown_to(here) == shown_to(here)
    assert shown_to(here) != shown_to(there)
    assert len(shown_to(here)) == 32
    assert stored_of(db, sue) is None
    assert attempt(None) == "signed in"


def test_it_counts_once_a_code_of_it_was_typed(db: Session, sue: User) -> None:
    with clock.standing_at(NOON):
        opened = browser_of(sue)
        with pytest.raises(OtpInvalid):
            second_factor.enroll(as_actor(sue), sue.id, code="000000", session_id=opened.session_id)
        before = attempt(None)
        secret, codes = enroll(sue, opened)

        assert before == "signed in"
        assert attempt(None) == "otp_required"
    with clock.standing_at(NOON + timedelta(seconds=30)):
        assert attempt(code_of(secret, NOON + timedelta(seconds=30))) == "signed in"
    assert len(set(codes)) == recovery.HOW_MANY


def test_the_code_that_set_it_up_opens_nothing_any_more(sue: User) -> None:
    with clock.standing_at(NOON):
        secret, _ = enroll(sue, browser_of(sue))

        assert attempt(code_of(secret, NOON)) == "otp_used"


def test_neither_secret_nor_recovery_code_lies_open_anywhere(db: Session, sue: User) -> None:
    with clock.standing_at(NOON):
        secret, codes = enroll(sue, browser_of(sue))

    rows = db.execute(
        text(
            "SELECT string_agg(t::text, ' ') FROM (SELECT u::text AS t FROM users u UNION ALL SELECT c::text FROM audit_changes c"
            " UNION ALL SELECT a::text FROM audit_actions a UNION ALL SELECT o::text FROM outbox_events o"
            " UNION ALL SELECT r::text FROM recovery_codes r) found"
        )
    ).scalar_one()
    assert secret not in rows
    assert not [code for code in codes if code in rows or code.replace("-", "") in rows]
    assert (stored_of(db, sue) or "").partition(".")[0] not in ("", secret)


def test_everywhere_else_they_are_signed_out(db: Session, sue: User) -> None:
    with clock.standing_at(NOON):
        here, there = browser_of(sue), browser_of(sue)
        app = tokens.login("sue@people.example", PASSWORD)
        enroll(sue, here)

        assert sessions.actor_of_session(here.token)
        assert sessions.actor_of_session(there.token) is None
        assert tokens.actor_of_token(app.access_token) is None


def test_another_app_takes_its_place(db: Session, sue: User) -> None:
    with clock.standing_at(NOON):
        opened = browser_of(sue)
        first, _ = enroll(sue, opened)
        second = shown_to(opened, stored_of(db, sue))
        second_factor.enroll(as_actor(sue), sue.id, code=code_of(second, NOON), session_id=opened.session_id)
    later = NOON + timedelta(seconds=60)
    with clock.standing_at(later):
        assert first != second
        assert attempt(code_of(first, later)) == "otp_invalid"
        assert attempt(code_of(second, later)) == "signed in"


def test_only_staff_and_only_their_own(world: World, sue: User) -> None:
    tom = world.person("Tom", Role.TEACHER, password=PASSWORD)
    opened = browser_of(tom)
    with pytest.raises(NotForStaff):
        second_factor.enroll(as_actor(tom), tom.id, code="123456", session_id=opened.session_id)
    with pytest.raises(DomainError):
        second_factor.enroll(as_actor(world.ada), sue.id, code="123456", session_id=opened.session_id)


# Its codes


def test_a_code_opens_once_and_none_before_it_does(sue: User) -> None:
    secret = with_app(sue)
    codes = [code_of(secret, NOON + timedelta(seconds=30 * step)) for step in (-1, 0, 1)]
    with clock.standing_at(NOON):
        assert attempt(codes[1]) == "signed in"
        assert attempt(codes[1]) == "otp_used"
        assert attempt(codes[0]) == "otp_used"
        assert attempt(codes[2]) == "signed in"


@pytest.mark.parametrize(
    ("seconds", "answer"), [(-31, "otp_invalid"), (-30, "signed in"), (59, "signed in"), (60, "otp_invalid")]
)
def test_a_clock_may_be_half_a_minute_wrong(sue: User, seconds: int, answer: str) -> None:
    secret = with_app(sue)
    code = code_of(secret, NOON)

    with clock.standing_at(NOON + timedelta(seconds=seconds)):
        assert attempt(code) == answer


def race(app: Flask, code: str) -> list[Any]:
    """Four at once with the same code, each from an address of its own: no two wait for each other's turn."""
    addresses = [f"198.51.100.{number}" for number in range(4)]
    return at_once(
        app,
        *[lambda each=each: tokens.login("sue@people.example", PASSWORD, otp=code, address=each) for each in addresses],
    )


def test_of_four_at_once_with_one_code_one_comes_in(app: Flask, db: Session, sue: User) -> None:
    secret = with_app(sue)
    with clock.standing_at(NOON):
        results = race(app, code_of(secret, NOON))

    assert len(done(results)) == 1
    assert refused(results) == ["otp_used"] * 3


def test_control_without_the_condition_on_the_row_all_come_in(
    app: Flask, db: Session, sue: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = with_app(sue)
    meeting = Barrier(4, timeout=20)

    def look_then_write(current: Session, user_id: UUID, step: int) -> bool:
        used = current.scalar(select(TotpUse.last_step).where(TotpUse.user_id == user_id))
        meeting.wait()
        return used is None or used < step

    monkeypatch.setattr(totp, "use", look_then_write)
    with clock.standing_at(NOON):
        results = race(app, code_of(secret, NOON))

    assert len(done(results)) == 4


# Recovery codes


@pytest.mark.parametrize(
    "spelled",
    [str, str.lower, lambda code: code.replace("-", ""), lambda code: code.replace("O", "0").replace("I", "1")],
)
def test_a_recovery_code_stands_in_for_the_app_once(db: Session, sue: User, spelled: Any) -> None:
    with clock.standing_at(NOON):
        _, codes = enroll(sue, browser_of(sue))

        assert attempt(spelled(codes[3])) == "signed in"
        assert attempt(spelled(codes[3])) == "otp_invalid"
        assert attempt(codes[4]) == "signed in"
        assert recovery.left(db, sue.id) == 8


def test_of_two_at_once_with_one_recovery_code_one_comes_in(app: Flask, db: Session, sue: User) -> None:
    with clock.standing_at(NOON):
        _, codes = enroll(sue, browser_of(sue))
        results = race(app, codes[0])

    assert len(done(results)) == 1
    assert refused(results) == ["otp_invalid"] * 3


def test_a_recovery_code_of_somebody_else_is_none(world: World, sue: User) -> None:
    with clock.standing_at(NOON):
        enroll(sue, browser_of(sue))
        finn = world.person("Finn", Role.FINANCE, password=PASSWORD)
        _, codes = enroll(finn, browser_of(finn))

        assert attempt(codes[0]) == "otp_invalid"


def test_new_recovery_codes_void_the_ones_before(sue: User) -> None:
    with clock.standing_at(NOON):
        _, before = enroll(sue, browser_of(sue))
        after = second_factor.renew_codes(as_actor(sue), sue.id)

        assert attempt(before[0]) == "otp_invalid"
        assert attempt(after[0]) == "signed in"


def test_without_an_app_there_are_no_recovery_codes(sue: User) -> None:
    with pytest.raises(TotpNotSetUp):
        second_factor.renew_codes(as_actor(sue), sue.id)


# At rest


def store(owner: Connection, person: User, value: str) -> None:
    with owner.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("UPDATE users SET totp_secret = %s WHERE id = %s", [value, str(person.id)])
        cursor.execute("SET session_replication_role = origin")


@pytest.mark.breaks_invariants  # the column is written behind the audit's back, as it lay there before
def test_a_secret_that_lies_open_works_and_is_sealed_by_the_command(db: Session, owner: Connection, sue: User) -> None:
    secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
    db.rollback()
    store(owner, sue, secret)
    with clock.standing_at(NOON):
        open_one = attempt(code_of(secret, NOON))
    first, again = sealed.reseal(db), sealed.reseal(db)
    with clock.standing_at(NOON + timedelta(seconds=30)):
        sealed_one = attempt(code_of(secret, NOON + timedelta(seconds=30)))

    assert (open_one, sealed_one) == ("signed in", "signed in")
    assert (first, again) == (1, 0)
    assert secret not in (stored_of(db, sue) or "")


def test_an_earlier_key_still_opens_it_until_it_is_sealed_again(db: Session, sue: User) -> None:
    secret = with_app(sue)
    old = policy.current().SECRET_KEY
    with policy.changed(SECRET_KEY="another key, long enough for all", SECRET_KEY_FALLBACKS=old):
        with clock.standing_at(NOON):
            assert attempt(code_of(secret, NOON)) == "signed in"
        assert sealed.reseal(db) == 1
    with policy.changed(SECRET_KEY="another key, long enough for all"), clock.standing_at(NOON + timedelta(seconds=30)):
        assert attempt(code_of(secret, NOON + timedelta(seconds=30))) == "signed in"


def test_when_no_key_opens_it_that_is_said_and_a_recovery_code_still_works(db: Session, sue: User) -> None:
    with clock.standing_at(NOON):
        _, codes = enroll(sue, browser_of(sue))
    with policy.changed(SECRET_KEY="another key, long enough for all"), clock.standing_at(NOON):
        assert attempt("123456") == "totp_unreadable"
        assert sealed.reseal(db) == 0
        assert attempt(codes[0]) == "signed in"


# Where it is required


def test_where_it_is_required_a_browser_opens_for_setting_it_up_and_nothing_else(db: Session, sue: User) -> None:
    app = signed_in_app(sue)
    assert app
    with policy.changed(STAFF_TOTP="required"), clock.standing_at(NOON):
        opened = browser_of(sue)
        before = sessions.actor_of_session(opened.token)
        enroll(sue, opened)
        after = sessions.actor_of_session(opened.token)

    assert before
    assert after
    assert (before.must_enroll, after.must_enroll) == (True, False)


def test_a_token_from_before_it_was_required_does_not_count(sue: User) -> None:
    pair = tokens.login("sue@people.example", PASSWORD)

    with policy.changed(STAFF_TOTP="required"):
        signed = tokens.actor_of_token(pair.access_token)
    assert signed
    assert signed.must_enroll


# Reset


def test_an_admin_resets_it_with_a_reason_and_the_person_is_told(db: Session, world: World, sue: User) -> None:
    with clock.standing_at(NOON):
        opened = browser_of(sue)
        enroll(sue, opened)
        with pytest.raises(ReasonRequired):
            second_factor.reset(as_actor(world.ada), sue.id, reason=" ")
        second_factor.reset(as_actor(world.ada), sue.id, reason="lost the phone")

        assert stored_of(db, sue) is None
        assert db.scalars(select(RecoveryCode)).all() == []
        assert sessions.actor_of_session(opened.token) is None
        assert attempt(None) == "signed in"
    assert db.scalars(select(OutboxEvent).where(OutboxEvent.topic == "person.totp_reset")).one().record_id == sue.id
    with pytest.raises(SecondFactorChanged):
        second_factor.reset(as_actor(world.ada), sue.id, reason="again")


def test_nobody_resets_their_own_and_only_admins_do(world: World, sue: User) -> None:
    with_app(sue)
    with_app(world.ada)

    with pytest.raises(OwnSecondFactor):
        second_factor.reset(as_actor(world.ada), world.ada.id, reason="mine")
    with pytest.raises(DomainError):
        second_factor.reset(as_actor(sue), world.ada.id, reason="hers")
    assert session().is_active
