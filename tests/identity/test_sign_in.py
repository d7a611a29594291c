"""Signing in: one answer for everything that is wrong, a second factor for staff, and a limit that locks nobody out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pyotp
import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guitaronline import clock, policy
from guitaronline.actor import SYSTEM, Role
from guitaronline.errors import DomainError
from guitaronline.identity import credentials, passwords, throttle, tokens
from guitaronline.identity.models import FailedLogin, TokenFamily, User
from guitaronline.identity.service import (
    InvalidCredentials,
    OtpInvalid,
    OtpRequired,
    TooManyAttempts,
    TotpNotSetUp,
    deactivate_person,
    set_up_totp,
)
from tests.concurrency import at_once, refused
from tests.statements import statements
from tests.world import PASSWORD, World

WRONG = "something else entirely"
HOME, CAFE = "192.0.2.1", "198.51.100.7"
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def ann(world: World) -> User:
    return world.person("Ann", Role.STUDENT, password=PASSWORD)


@pytest.fixture
def few_tries() -> Iterator[None]:
    with policy.changed(LOGIN_MAX_FAILURES=3, LOGIN_WINDOW_MINUTES=15):
        yield


def attempt(email: str = "ann@people.example", password: str = PASSWORD, **more: Any) -> str:
    """What came of it: `signed in`, or the code of the refusal."""
    try:
        tokens.login(email, password, **{"address": HOME, **more})
    except DomainError as refusal:
        return refusal.code
    return "signed in"


def failures(db: Session) -> int:
    db.rollback()
    return db.scalar(select(func.count()).select_from(FailedLogin)) or 0


@pytest.mark.parametrize("email", ["ann@people.example", "ANN@people.example", " ａｎｎ@People.example"])
def test_the_address_may_be_written_anyhow(ann: User, email: str) -> None:
    assert attempt(email) == "signed in"


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("ann@people.example", WRONG),
        ("ann@people.example", ""),
        ("ann@people.example", "x" * 100_000),
        ("ann@people.example", "\ud800\x00"),
        ("nobody@people.example", PASSWORD),
        ("no address", PASSWORD),
        ("\ud800\x00", PASSWORD),
        ("", ""),
    ],
)
def test_whatever_is_wrong_gets_the_same_answer_and_is_counted(
    db: Session, ann: User, email: str, password: str
) -> None:
    assert attempt(email, password) == "invalid_credentials"
    assert failures(db) == 1


def test_a_person_without_a_password_or_deactivated_does_not_come_in(db: Session, ann: User, world: World) -> None:
    deactivate_person(SYSTEM, ann.id, reason="left")

    assert attempt() == "invalid_credentials"
    assert attempt(world.ben.email or "", "") == "invalid_credentials"


def test_the_digests_tell_nobody_who_mistyped(db: Session, ann: User) -> None:
    attempt(password=WRONG)

    row = db.scalars(select(FailedLogin)).one()
    with policy.changed(SECRET_KEY="another one"):
        other = throttle.Attempt.of("ann@people.example", HOME)
    same = throttle.Attempt.of("ann@people.example", HOME)
    assert (row.account_digest, row.address_digest) == (same.account, same.address)
    assert row.account_digest != other.account


def test_too_many_failures_have_to_wait_for_the_window(few_tries: None, ann: User) -> None:
    with clock.standing_at(NOON):
        assert [attempt(password=WRONG) for _ in range(3)] == ["invalid_credentials"] * 3
        assert attempt() == "too_many_attempts"
    with clock.standing_at(NOON + timedelta(minutes=14, seconds=59)), pytest.raises(TooManyAttempts) as refusal:
        tokens.login("ann@people.example", PASSWORD, address=HOME)
    with clock.standing_at(NOON + timedelta(minutes=15)):
        assert attempt() == "signed in"
    assert refusal.value.retry_after_seconds == 1


def test_a_refused_attempt_is_not_counted_again(few_tries: None, db: Session, ann: User) -> None:
    assert [attempt(password=WRONG) for _ in range(6)][3:] == ["too_many_attempts"] * 3
    assert failures(db) == 3


def test_accounts_that_do_not_exist_are_limited_alike(few_tries: None, db: Session) -> None:
    assert [attempt("nobody@people.example") for _ in range(4)] == ["invalid_credentials"] * 3 + ["too_many_attempts"]


def test_the_right_password_forgives_this_address_only(few_tries: None, db: Session, ann: User) -> None:
    attempt(password=WRONG)
    attempt(password=WRONG, address=CAFE)

    assert attempt() == "signed in"
    assert failures(db) == 1


def test_an_attacker_does_not_lock_the_owner_out(few_tries: None, ann: User) -> None:
    assert [attempt(password=WRONG, address=CAFE) for _ in range(4)][-1] == "too_many_attempts"

    assert attempt() == "signed in"


def test_an_attack_from_everywhere_leaves_the_owner_three_tries(db: Session, ann: User) -> None:
    with clock.standing_at(NOON):
        fail_from_everywhere(db, failures=200)
        assert attempt(password=WRONG) == "invalid_credentials"
        assert attempt(password=WRONG) == "invalid_credentials"
        assert attempt(password=WRONG) == "invalid_credentials"
        assert attempt() == "too_many_attempts"
        assert attempt(address=CAFE) == "signed in"


def fail_from_everywhere(db: Session, *, failures: int) -> None:
    for number in range(failures):
        throttle.count(db, throttle.Attempt.of("ann@people.example", f"2001:db8:{number:x}::1"), NOON)
    db.commit()


def test_one_address_that_fails_everywhere_has_to_wait(db: Session, ann: User) -> None:
    with clock.standing_at(NOON):
        for number in range(200):
            throttle.count(db, throttle.Attempt.of(f"nobody{number}@people.example", CAFE), NOON)
        db.commit()
        assert attempt(address=CAFE) == "too_many_attempts"
        assert attempt() == "signed in"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        (None, "192.0.2.2", False),
    ],
)
def test_what_one_address_is(app: Flask, one: str | None, other: str, same: bool) -> None:
    assert (throttle.Attempt.of("a", one) == throttle.Attempt.of("a", other)) is same


def test_many_at_once_get_no_more_tries(few_tries: None, app: Flask, db: Session, ann: User) -> None:
    results = at_once(app, *[lambda: tokens.login("ann@people.example", WRONG, address=HOME)] * 10)

    assert refused(results) == ["invalid_credentials"] * 3 + ["too_many_attempts"] * 7


def test_control_without_taking_turns_many_at_once_get_more(
    few_tries: None, app: Flask, db: Session, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    meet = Meeting(6)
    monkeypatch.setattr(throttle, "take_turn", lambda *_: None)
    monkeypatch.setattr(credentials.passwords, "fits", lambda *_: meet.all_here())

    results = at_once(app, *[lambda: tokens.login("ann@people.example", WRONG, address=HOME)] * 6)

    assert refused(results) == ["invalid_credentials"] * 6


class Meeting:
    def __init__(self, parties: int) -> None:
        from threading import Barrier

        self.barrier = Barrier(parties, timeout=20)

    def all_here(self) -> bool:
        self.barrier.wait()
        return False


def test_who_is_deactivated_while_the_password_is_compared_does_not_come_in(
    db: Session, ann: User, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def meanwhile(stored: str | None, password: str) -> bool:
        at_once(app, lambda: deactivate_person(SYSTEM, ann.id, reason="left"))
        return True

    monkeypatch.setattr(credentials.passwords, "fits", meanwhile)

    assert attempt() == "invalid_credentials"
    db.rollback()
    assert db.scalars(select(TokenFamily)).all() == []


def test_staff_with_a_second_factor_send_its_code(world: World, db: Session) -> None:
    secret = with_totp(world)
    with clock.standing_at(NOON):
        code = pyotp.TOTP(secret).at(NOON)
        with pytest.raises(OtpRequired):
            tokens.login("sue@people.example", PASSWORD)
        with pytest.raises(OtpInvalid):
            tokens.login("sue@people.example", PASSWORD, otp="000000" if code != "000000" else "111111")
        assert attempt("sue@people.example", otp=code) == "signed in"
    with clock.standing_at(NOON + timedelta(seconds=90)):
        assert attempt("sue@people.example", otp=code) == "otp_invalid"


def with_totp(world: World) -> str:
    sue = world.person("Sue", Role.SUPPORT, password=PASSWORD)
    return str(pyotp.parse_uri(set_up_totp(SYSTEM, sue.id)).secret)


def test_without_the_password_nobody_learns_that_there_is_a_second_factor(world: World) -> None:
    with_totp(world)

    with pytest.raises(InvalidCredentials):
        tokens.login("sue@people.example", WRONG)


@pytest.mark.parametrize("otp", ["", "12345", "abcdef", "\ud800", "٣٣٣٣٣٣", "1" * 1000])
def test_a_code_that_is_none_is_refused_in_words(world: World, otp: str) -> None:
    with_totp(world)

    assert attempt("sue@people.example", otp=otp) in ("otp_required", "otp_invalid")


def test_guessing_the_code_is_limited_too(few_tries: None, world: World) -> None:
    with_totp(world)
    with clock.standing_at(NOON):
        codes = [attempt("sue@people.example", otp="12345") for _ in range(4)]

    assert codes == ["otp_invalid"] * 3 + ["too_many_attempts"]


def test_where_it_is_required_staff_without_one_do_not_come_in(world: World) -> None:
    world.person("Sue", Role.SUPPORT, password=PASSWORD)
    world.person("Tom", Role.TEACHER, password=PASSWORD)
    with policy.changed(STAFF_TOTP="required"):
        with pytest.raises(TotpNotSetUp):
            tokens.login("sue@people.example", PASSWORD)
        assert attempt("tom@people.example") == "signed in"
    assert attempt("sue@people.example") == "signed in"


def fail_on_everything(db: Session, *, failures: int) -> None:
    for number in range(failures):
        throttle.count(db, throttle.Attempt.of(f"nobody{number}@people.example", f"2001:db8:{number:x}::1"), NOON)
    db.commit()


def test_when_all_accounts_are_tried_from_everywhere_each_address_has_three_tries_for_one(
    few_tries: None, db: Session, ann: User, world: World
) -> None:
    world.person("Bob", Role.STUDENT, password=PASSWORD)
    with policy.changed(LOGIN_MAX_FAILURES=5), clock.standing_at(NOON):
        calm = [attempt(password=WRONG) for _ in range(3)]
        fail_on_everything(db, failures=1000)

        assert calm == ["invalid_credentials"] * 3
        assert attempt() == "too_many_attempts"
        assert attempt("bob@people.example") == "signed in"
        assert attempt(address=CAFE) == "signed in"
    with policy.changed(LOGIN_MAX_FAILURES=5), clock.standing_at(NOON + timedelta(minutes=15)):
        assert attempt() == "signed in"


def test_one_failure_less_everywhere_changes_nothing(few_tries: None, db: Session, ann: User) -> None:
    with policy.changed(LOGIN_MAX_FAILURES=5), clock.standing_at(NOON):
        assert [attempt(password=WRONG) for _ in range(3)] == ["invalid_credentials"] * 3
        fail_on_everything(db, failures=996)

        assert attempt() == "signed in"


def test_then_one_address_has_as_many_tries_over_all_accounts(few_tries: None, db: Session, ann: User) -> None:
    with policy.changed(LOGIN_MAX_FAILURES=5), clock.standing_at(NOON):
        fail_on_everything(db, failures=1000)
        others = [attempt(f"who{number}@people.example") for number in range(5)]

        assert others == ["invalid_credentials"] * 5
        assert attempt() == "too_many_attempts"
        assert attempt(address=CAFE) == "signed in"


def test_the_same_statements_and_one_hash_whether_there_is_such_an_account(
    db: Session, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[str | None] = []
    turn = passwords._turn
    monkeypatch.setattr(passwords, "_turn", lambda: hashed.append("one") or turn())

    with statements() as for_ann:
        attempt(password=WRONG)
    with statements() as for_nobody:
        attempt("nobody@people.example", WRONG)

    assert for_ann == for_nobody
    assert hashed == ["one", "one"]
