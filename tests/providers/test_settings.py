"""Who takes the money is said by the settings; production takes no play money."""

from __future__ import annotations

import pytest

import config

SECRET = "a-Kv7qXw2Zt9_mRb4Yc8NsEo1LdHf6Ju"
PRODUCTION = {
    "ENVIRONMENT": "production",
    "SECRET_KEY": SECRET,
    "TRUSTED_HOSTS": "school.example",
    "DATABASE_URL": "postgresql://app@db/school",
    "REDIS_URL": "redis://redis",
    "PUBLIC_BASE_URL": "https://school.example",
    "COOKIE_SECURE": "1",
    "STAFF_TOTP": "required",
    "MAIL_TRANSPORT": "off",
}
STRIPE = {"PAYMENT_PROVIDER": "stripe", "STRIPE_SECRET_KEY": "sk_live_1", "STRIPE_WEBHOOK_SECRETS": "whsec_1"}


def wrong(**more: str) -> str:
    with pytest.raises(config.BadConfig) as bad:
        config.load({**PRODUCTION, **more})
    return str(bad.value)


def test_production_refuses_play_money() -> None:
    assert "PAYMENT_PROVIDER: must be stripe or manual" in wrong()


@pytest.mark.parametrize("more", [{"PAYMENT_PROVIDER": "manual"}, STRIPE])
def test_production_takes_real_money(more: dict[str, str]) -> None:
    assert config.load({**PRODUCTION, **more}).PAYMENT_PROVIDER == more["PAYMENT_PROVIDER"]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"STRIPE_REPORTS": "activity"}, "must be set with STRIPE_REPORTS"),
        (
            {"STRIPE_REPORTS": "activity,nonsense", "STRIPE_SECRET_KEY": "sk"},
            "must be of activity, payout_lines, payouts",
        ),
    ],
)
def test_reports_are_fetched_with_a_key_and_of_kinds_that_are_known(more: dict[str, str], told: str) -> None:
    with pytest.raises(config.BadConfig, match=told):
        config.load(more)


def test_stripe_needs_its_keys_everywhere() -> None:
    with pytest.raises(config.BadConfig) as bad:
        config.load({"PAYMENT_PROVIDER": "stripe"})

    assert all(name in str(bad.value) for name in ("STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRETS"))


def test_production_talks_to_stripe_over_https_only() -> None:
    assert "STRIPE_API_BASE" in wrong(**STRIPE, STRIPE_API_BASE="http://127.0.0.1:1")


def test_the_sandboxs_secret_is_the_same_in_every_process_with_the_same_key() -> None:
    one, other = (config.load({"SECRET_KEY": key * 40}).SANDBOX_SECRET for key in "xy")

    assert config.load({"SECRET_KEY": "x" * 40}).SANDBOX_SECRET == one
    assert len({"", one, other}) == 3
    assert config.load({"SANDBOX_SECRET": "given"}).SANDBOX_SECRET == "given"


def test_a_provider_that_is_none_is_refused() -> None:
    assert "must be one of" in wrong(PAYMENT_PROVIDER="paypal")
