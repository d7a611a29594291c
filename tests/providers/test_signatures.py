"""Only who has the secret speaks, about exactly these bytes, within five minutes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from stripe import WebhookSignature

from guitaronline.billing.providers import BadSignature
from guitaronline.billing.providers.signatures import signed, verify

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
RAW = b'{"id": "evt_1"}'


def test_what_was_signed_is_accepted_by_any_of_several_secrets() -> None:
    verify(RAW, signed(RAW, "new", at=NOW), ["old", "new"], now=NOW)


@pytest.mark.parametrize("seconds", [300, -300, 0])
def test_five_minutes_are_fresh(seconds: int) -> None:
    verify(RAW, signed(RAW, "s", at=NOW - timedelta(seconds=seconds)), ["s"], now=NOW)


@pytest.mark.parametrize("seconds", [301, -301])
def test_a_second_more_is_not(seconds: int) -> None:
    with pytest.raises(BadSignature):
        verify(RAW, signed(RAW, "s", at=NOW - timedelta(seconds=seconds)), ["s"], now=NOW)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "t=",
        "v1=0",
        "t=1,t=2,v1=0",
        "t=1e9,v1=0",
        "t=-1,v1=0",
        "t=99999999999999999999,v1=0",
        "t=1795780800,v1=",
        "t=1795780800,v0=" + "0" * 64,
        "x" * 3000,
        "t=1795780800,v1=é",
    ],
)
def test_a_header_that_is_none_is_refused(header: str | None) -> None:
    with pytest.raises(BadSignature):
        verify(RAW, header, ["s"], now=NOW)


def test_an_empty_secret_signs_nothing() -> None:
    with pytest.raises(BadSignature):
        verify(RAW, signed(RAW, "", at=NOW), [""], now=NOW)


def test_other_bytes_and_other_secrets_are_refused() -> None:
    header = signed(RAW, "s", at=NOW)

    with pytest.raises(BadSignature):
        verify(RAW + b"\n", header, ["s"], now=NOW)
    with pytest.raises(BadSignature):
        verify(RAW, header, ["t"], now=NOW)


def test_one_good_signature_among_several_is_enough_while_secrets_change() -> None:
    good = signed(RAW, "s", at=NOW)

    verify(RAW, f"{good},v1={'0' * 64}", ["s"], now=NOW)


def test_it_is_the_scheme_of_the_stripe_library() -> None:
    now = datetime.now(UTC)

    assert WebhookSignature.verify_header(RAW.decode(), signed(RAW, "whsec_1", at=now), "whsec_1", tolerance=300)
