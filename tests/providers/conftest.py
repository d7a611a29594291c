from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress

import pytest

from guitaronline import policy
from guitaronline.billing.providers import stripe as stripe_module
from tests.jobs.processes import eventually
from tests.providers.fake_stripe import FakeStripe, running


@pytest.fixture(scope="session")
def localstripe() -> Iterator[str]:
    """The address of a stateful stand-in for Stripe, empty at first."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "localstripe", "--port", str(port), "--from-scratch"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        eventually(lambda: answers(port))
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
        return True
    return False


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeStripe]:
    """A scripted Stripe; whoever waits for it is impatient."""
    monkeypatch.setattr(stripe_module, "TIMEOUT_SECONDS", 0.3)
    monkeypatch.setattr(stripe_module, "RETRIES", 0)
    with running() as made:
        yield made


@pytest.fixture
def with_stripe(fake: FakeStripe) -> Iterator[FakeStripe]:
    """The school takes its money by the scripted Stripe."""
    with policy.changed(
        PAYMENT_PROVIDER="stripe",
        STRIPE_SECRET_KEY="sk_test_1",
        STRIPE_API_BASE=fake.base,
        STRIPE_WEBHOOK_SECRETS="whsec_old, whsec_new",
    ):
        yield fake
