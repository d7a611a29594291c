"""Is it really them? E-mail address, password and second factor, for every door alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from guitaronline import clock, secret_keys
from guitaronline.actor import STAFF_ROLES, Actor, Role
from guitaronline.db import technical_transaction
from guitaronline.errors import Busy, DomainError
from guitaronline.identity import passwords, recovery, throttle, totp
from guitaronline.identity.emails import email_key
from guitaronline.identity.models import User
from guitaronline.identity.refusals import (
    InvalidCredentials,
    OtpInvalid,
    OtpRequired,
    OtpUsed,
    TooManyAttempts,
    TotpUnreadable,
)
from guitaronline.verdict import DEADLOCK, LOCK_TIMEOUT

T = TypeVar("T")


class Person(NamedTuple):
    """What was read of the person before the password was compared."""

    id: UUID
    role: Role
    is_active: bool
    password_hash: str | None
    totp_secret: str | None

    @property
    def actor(self) -> Actor:
        return Actor(self.id, self.role)


COLUMNS = (User.id, User.role, User.is_active, User.password_hash, User.totp_secret)


def sign_in(
    email: str,
    password: str,
    *,
    otp: str | None,
    address: str | None,
    opened: Callable[[Session, Person, datetime], T | DomainError],
) -> T:
    """What `opened` makes for the person, once it is certain that it is them.

    1. wait for one's turn with this account from this address, and refuse when it failed too often;
    2. compare the password (the same time for an account that does not exist);
    3. look again under a share lock: who was deactivated meanwhile, or got another password, does not come in;
    4. compare the second factor, which is used up by that. Whether somebody without one comes in is for `opened` to say.
    A failure is counted and committed before the answer. Raises InvalidCredentials, OtpRequired, OtpInvalid, OtpUsed,
    TotpUnreadable, TooManyAttempts, Busy."""
    key = email_key(email)
    attempt = throttle.Attempt.of(key or email, address)
    with short_transaction() as session:
        now = clock.read(session)
        person = _person(session, User.email_key == key) if key is not None else None
        refusal = _refusal(session, attempt, person, now, password=password, otp=otp)
        answer = refusal or opened(session, person, now)  # type: ignore[arg-type]  # no refusal: there is a person
    if isinstance(answer, DomainError):
        raise answer
    return answer


def confirm_password(user_id: UUID, password: str, *, address: str | None) -> str:
    """The stored hash of the person, when this is their password. Raises InvalidCredentials, TooManyAttempts."""
    attempt = throttle.Attempt.of(str(user_id), address)
    with short_transaction() as session:
        now = clock.read(session)
        person = _person(session, User.id == user_id)
        refusal = _wrong_password(session, attempt, person, password, now)
    if refusal is not None:
        raise refusal
    assert person is not None
    assert person.password_hash is not None
    return person.password_hash


def confirm(
    user_id: UUID,
    password: str,
    *,
    otp: str | None,
    address: str | None,
    then: Callable[[Session, datetime], object],
) -> None:
    """`then` is done in the same transaction, once somebody who is signed in has shown that it is them: by their password, and by
    their second factor where they have one. Failures are counted apart from sign-ins. Raises what `sign_in` raises."""
    attempt = throttle.Attempt.of(str(user_id), address)
    with short_transaction() as session:
        now = clock.read(session)
        person = _person(session, User.id == user_id)
        refusal = _refusal(session, attempt, person, now, password=password, otp=otp)
        if refusal is None:
            then(session, now)
    if refusal is not None:
        raise refusal


@contextmanager
def short_transaction() -> Iterator[Session]:
    """A technical transaction in which waiting too long for a lock is `Busy`."""
    try:
        with technical_transaction() as session:
            yield session
    except DBAPIError as error:
        if getattr(error.orig, "pgcode", None) in (LOCK_TIMEOUT, DEADLOCK):
            raise Busy() from error
        raise


def _refusal(
    session: Session, attempt: throttle.Attempt, person: Person | None, now: datetime, *, password: str, otp: str | None
) -> DomainError | None:
    wrong = _wrong_password(session, attempt, person, password, now)
    if wrong is not None:
        return wrong
    assert person is not None
    if _person(session, User.id == person.id, share=True) != person:
        return InvalidCredentials()
    missing = _second_factor(session, person, otp, now)
    if isinstance(missing, OtpInvalid):
        throttle.count(session, attempt, now)
    if missing is None:
        throttle.forgive(session, attempt)
    return missing


def _wrong_password(
    session: Session, attempt: throttle.Attempt, person: Person | None, password: str, now: datetime
) -> DomainError | None:
    throttle.take_turn(session, attempt)
    wait = throttle.seconds_to_wait(session, attempt, now)
    if wait:
        return TooManyAttempts(retry_after=wait)
    if not passwords.fits(person.password_hash if person else None, password) or person is None or not person.is_active:
        throttle.count(session, attempt, now)
        return InvalidCredentials()
    return None


def _second_factor(session: Session, person: Person, otp: str | None, now: datetime) -> DomainError | None:
    """Why the code is not enough. The person is locked: a code used here and an app replaced elsewhere go one after the other."""
    if person.role not in STAFF_ROLES or person.totp_secret is None:
        return None
    if not otp:
        return OtpRequired()
    if not totp.looks_like_one(otp):
        return None if recovery.use(session, person.id, otp, now) else OtpInvalid()
    try:
        step = totp.step_of(totp.secret_of(person.totp_secret), otp, now)
    except secret_keys.Unsealable:
        return TotpUnreadable()
    if step is None:
        return OtpInvalid()
    return None if totp.use(session, person.id, step) else OtpUsed()


def _person(session: Session, which: Any, *, share: bool = False) -> Person | None:
    query = select(*COLUMNS).where(which)
    row = session.execute(query.with_for_update(read=True) if share else query).one_or_none()
    return Person(*row) if row else None
