"""API tokens: rotation, reuse, repeats, and what they are worth when."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from guitaronline import clock
from guitaronline.actor import Role
from guitaronline.db import Quick, new_id
from guitaronline.identity.housekeeping import forget_old_sign_ins
from guitaronline.identity.models import ApiToken, FailedLogin, TokenFamily, User
from guitaronline.identity.service import RefreshTokenInvalid
from guitaronline.identity.tokens import TokenPair, actor_of_token, login, logout, refresh
from tests.world import PASSWORD, World, as_actor

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def ann(world: World) -> User:
    return world.person("Ann", Role.STUDENT, password=PASSWORD)


@pytest.fixture
def pair(ann: User) -> TokenPair:
    """Signed in at noon."""
    with clock.standing_at(NOON):
        return login("ann@people.example", PASSWORD, device_label="Ann's phone")


def worth(token: str, after: timedelta = timedelta(0)) -> bool:
    with clock.standing_at(NOON + after):
        return actor_of_token(token) is not None


def refreshed(token: str, after: timedelta = timedelta(0)) -> TokenPair:
    with clock.standing_at(NOON + after):
        return refresh(token)


def refresh_refused(token: str, after: timedelta = timedelta(0)) -> bool:
    try:
        refreshed(token, after)
    except RefreshTokenInvalid:
        return True
    return False


def test_a_token_says_who_it_is(ann: User, pair: TokenPair, db: Session) -> None:
    with clock.standing_at(NOON):
        signed = actor_of_token(pair.access_token)

    assert signed is not None
    assert (signed.actor, signed.family_id) == (as_actor(ann), pair.family_id)
    assert pair.expires_in == 30 * 60
    assert db.scalars(select(TokenFamily.device_label)).one() == "Ann's phone"


def test_tokens_have_256_bits_and_are_stored_as_digests_only(pair: TokenPair, db: Session) -> None:
    row = db.scalars(select(ApiToken)).one()

    assert re.fullmatch(r"gol_at_[A-Za-z0-9_-]{43}", pair.access_token)
    assert re.fullmatch(r"gol_rt_[A-Za-z0-9_-]{43}", pair.refresh_token)
    assert row.access_hash == sha256(pair.access_token.encode()).digest()
    assert row.refresh_hash == sha256(pair.refresh_token.encode()).digest()


@pytest.mark.parametrize("token", ["", "gol_at_", "gol_at_" + "x" * 43, "\ud800", "' OR 1=1 --", "x" * 10_000])
def test_anything_else_says_nobody(pair: TokenPair, token: str) -> None:
    assert not worth(token)
    assert refresh_refused(token)


def test_one_token_is_not_the_other(pair: TokenPair) -> None:
    assert not worth(pair.refresh_token)
    assert refresh_refused(pair.access_token)
    assert worth(pair.access_token)


def test_access_ends_after_half_an_hour(pair: TokenPair) -> None:
    assert worth(pair.access_token, timedelta(minutes=29, seconds=59))
    assert not worth(pair.access_token, timedelta(minutes=30))


def test_refreshing_makes_the_next_pair_and_ends_the_one_before(pair: TokenPair) -> None:
    second = refreshed(pair.refresh_token, timedelta(minutes=31))

    assert worth(second.access_token, timedelta(minutes=31))
    assert not worth(pair.access_token, timedelta(minutes=1))
    assert second.family_id == pair.family_id
    assert refreshed(second.refresh_token, timedelta(minutes=32))


def test_a_refresh_token_waits_thirty_days(pair: TokenPair) -> None:
    assert refresh_refused(pair.refresh_token, timedelta(days=30))
    assert refreshed(pair.refresh_token, timedelta(days=29, hours=23))


def test_a_family_ends_after_ninety_days_whatever_is_done(pair: TokenPair) -> None:
    last = pair
    for days in (29, 58, 87):
        last = refreshed(last.refresh_token, timedelta(days=days))
    nearly = refreshed(last.refresh_token, timedelta(days=90) - timedelta(minutes=10))

    assert nearly.expires_in == 10 * 60
    assert worth(nearly.access_token, timedelta(days=90) - timedelta(seconds=1))
    assert not worth(nearly.access_token, timedelta(days=90))
    assert refresh_refused(nearly.refresh_token, timedelta(days=90))


def test_a_repeat_of_a_lost_answer_gets_a_new_pair_and_voids_the_lost_one(pair: TokenPair, db: Session) -> None:
    lost = refreshed(pair.refresh_token)
    again = refreshed(pair.refresh_token, timedelta(seconds=20))

    assert again.refresh_token != lost.refresh_token
    assert [worth(each.access_token, timedelta(seconds=20)) for each in (pair, lost, again)] == [False, False, True]
    assert live_pairs(db) == 1


def live_pairs(db: Session) -> int:
    db.rollback()
    return len(db.scalars(select(ApiToken).where(ApiToken.used_at.is_(None), ApiToken.revoked_at.is_(None))).all())


def test_the_repeats_time_runs_from_the_first_use(pair: TokenPair) -> None:
    refreshed(pair.refresh_token)
    refreshed(pair.refresh_token, timedelta(seconds=15))

    assert refresh_refused(pair.refresh_token, timedelta(seconds=21))


def test_using_one_twice_ends_the_whole_family_and_that_stays(pair: TokenPair, db: Session) -> None:
    second = refreshed(pair.refresh_token)

    assert refresh_refused(pair.refresh_token, timedelta(seconds=21))

    assert not worth(second.access_token, timedelta(seconds=22))
    assert refresh_refused(second.refresh_token, timedelta(seconds=22))
    db.rollback()
    family = db.scalars(select(TokenFamily)).one()
    assert (family.revoked_at, family.revoke_reason) == (NOON + timedelta(seconds=21), "a refresh token was used twice")


def test_a_repeat_after_the_successor_was_used_is_no_lost_answer(pair: TokenPair) -> None:
    second = refreshed(pair.refresh_token)
    third = refreshed(second.refresh_token, timedelta(seconds=1))

    assert refresh_refused(pair.refresh_token, timedelta(seconds=2))
    assert not worth(third.access_token, timedelta(seconds=3))


def test_who_comes_with_the_voided_pair_ends_the_family(pair: TokenPair) -> None:
    lost = refreshed(pair.refresh_token)
    again = refreshed(pair.refresh_token, timedelta(seconds=1))

    assert refresh_refused(lost.refresh_token, timedelta(seconds=2))
    assert not worth(again.access_token, timedelta(seconds=3))


def test_another_device_is_not_touched(pair: TokenPair) -> None:
    with clock.standing_at(NOON):
        tablet = login("ann@people.example", PASSWORD)
    refreshed(pair.refresh_token)
    assert refresh_refused(pair.refresh_token, timedelta(minutes=1))

    assert worth(tablet.access_token, timedelta(minutes=2))


def test_signing_out_ends_this_device_only(ann: User, pair: TokenPair, world: World) -> None:
    with clock.standing_at(NOON):
        tablet = login("ann@people.example", PASSWORD)
        logout(as_actor(world.ben), pair.family_id)
        assert worth(pair.access_token)
        logout(as_actor(ann), pair.family_id)
        logout(as_actor(ann), pair.family_id)

    assert not worth(pair.access_token)
    assert refresh_refused(pair.refresh_token)
    assert worth(tablet.access_token)


def test_the_database_refuses_a_second_live_pair(pair: TokenPair, db: Session) -> None:
    with pytest.raises(IntegrityError, match="uq_api_tokens_live"):
        db.execute(
            text(
                "INSERT INTO api_tokens (id, family_id, access_hash, refresh_hash, created_at, access_expires_at, refresh_expires_at)"
                " SELECT :id, family_id, 'a', 'b', created_at, access_expires_at, refresh_expires_at FROM api_tokens"
            ),
            {"id": new_id()},
        )
    db.rollback()


def test_asking_whose_a_token_is_takes_one_statement(
    pair: TokenPair, db: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    ask = Quick.one
    monkeypatch.setattr(Quick, "one", lambda quick, what, *facts: said.append(what.name) or ask(quick, what, *facts))  # type: ignore[func-returns-value]

    actor_of_token(pair.access_token)

    assert said == ["whose_token"]


def test_the_plan_outlives_what_happens_to_its_transaction(pair: TokenPair, db: Session) -> None:
    assert worth(pair.access_token)
    db.rollback()
    assert worth(pair.access_token)
    db.connection().invalidate()
    db.rollback()
    assert worth(pair.access_token)


def test_old_sign_ins_are_forgotten_and_live_ones_are_not(pair: TokenPair, db: Session) -> None:
    refreshed(pair.refresh_token)
    with clock.standing_at(NOON + timedelta(days=119)):
        fresh = login("ann@people.example", PASSWORD)
        with pytest.raises(Exception, match="wrong"):
            login("ann@people.example", "not the password")
        assert forget_old_sign_ins() == 0
    with clock.standing_at(NOON + timedelta(days=121)):
        assert forget_old_sign_ins() == 3

    db.rollback()
    assert db.scalars(select(TokenFamily.id)).all() == [fresh.family_id]
    assert len(db.scalars(select(FailedLogin)).all()) == 1
