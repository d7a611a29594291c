"""Two pages for whoever pays: the school's "thank you", and the sandbox's page to pay play money on. Both are public."""

from __future__ import annotations

import flask
from flask import Blueprint, Flask
from flask.typing import ResponseReturnValue

import config
from guitaronline.billing.providers import sandbox
from guitaronline.billing.sandbox_models import SandboxCheckout, SandboxState
from guitaronline.clock import read
from guitaronline.db import session
from guitaronline.errors import NotFound
from guitaronline.money import Money

TOKEN_LENGTH = 64  # at most

pages = Blueprint("checkout", __name__)


def init_checkout(app: Flask) -> None:
    settings: config.Settings = app.config["SETTINGS"]
    app.add_url_rule("/thank-you", "thank_you", thank_you)
    if not settings.is_production:
        app.register_blueprint(pages)


def thank_you() -> str:
    """Where a provider sends people back to. Says nothing about a payment: that is for whoever is signed in."""
    return flask.render_template("checkout/thank_you.html")


@pages.get("/sandbox/checkout/<token>")
def page(token: str) -> ResponseReturnValue:
    return _shown(_found(token))


@pages.post("/sandbox/checkout/<token>")
def decide(token: str) -> ResponseReturnValue:
    """Pay, or be declined. A second click finds it done."""
    _found(token)
    choice = flask.request.form.get("choice", "")
    if choice in ("pay", "late"):
        paid = sandbox.pay(token, late=choice == "late")
        if paid is not None and paid.state is SandboxState.PAID:
            return flask.redirect(paid.return_url, 303)
    elif choice == "decline":
        sandbox.decline(token)
    else:
        return _shown(_found(token), "Choose what should happen."), 422
    return flask.redirect(flask.url_for("checkout.page", token=token), 303)


def _found(token: str) -> SandboxCheckout:
    known = sandbox.page_of(token) if len(token) <= TOKEN_LENGTH and token.isprintable() else None
    if known is None:
        raise NotFound("There is no such page to pay on.")
    return known


def _shown(asked: SandboxCheckout, problem: str = "") -> str:
    is_open = asked.state is SandboxState.OPEN and asked.expires_at > read(session())
    amount = Money(asked.amount_minor, asked.currency)
    return flask.render_template("checkout/sandbox.html", asked=asked, amount=amount, is_open=is_open, problem=problem)
