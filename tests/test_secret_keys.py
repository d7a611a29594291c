"""Keys of purposes, and what is sealed with them while one secret replaces another."""

from __future__ import annotations

import pytest

from guitaronline import policy, secret_keys

OLD, NEW = "an old secret of more than thirty-two characters", "a new secret of more than thirty-two characters"


@pytest.fixture(autouse=True)
def secret(app):
    with policy.changed(SECRET_KEY=OLD, SECRET_KEY_FALLBACKS=""):
        yield


def test_what_is_sealed_opens_for_its_purpose_only():
    sealed = secret_keys.seal("plain words", "totp")

    assert "plain" not in sealed
    assert secret_keys.unseal(sealed, "totp") == "plain words"
    with pytest.raises(secret_keys.Unsealable):
        secret_keys.unseal(sealed, "webhooks")


def test_what_was_changed_does_not_open():
    sealed = secret_keys.seal("plain words", "totp")

    with pytest.raises(secret_keys.Unsealable):
        secret_keys.unseal(sealed[:-6] + "AAAAA=", "totp")


def test_a_new_secret_reads_what_the_old_one_sealed_while_it_is_a_fallback():
    sealed = secret_keys.seal("plain words", "totp")

    with policy.changed(SECRET_KEY=NEW, SECRET_KEY_FALLBACKS=f" {OLD} ,"):
        assert secret_keys.unseal(sealed, "totp") == "plain words"
        assert not secret_keys.is_newest(sealed, "totp")
        assert secret_keys.is_newest(secret_keys.seal("other", "totp"), "totp")


def test_without_the_fallback_it_stays_shut():
    sealed = secret_keys.seal("plain words", "totp")

    with policy.changed(SECRET_KEY=NEW), pytest.raises(secret_keys.Unsealable):
        secret_keys.unseal(sealed, "totp")


def test_keys_of_two_purposes_are_two():
    assert secret_keys.primary("totp") != secret_keys.primary("links")
    assert len(secret_keys.primary("totp")) == 32
