"""The teacher's account: where they are signed in, and the address they are written to."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import flask
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import PasswordField
from wtforms.validators import InputRequired, Length

from guitaronline.db import new_id, session
from guitaronline.errors import DomainError
from guitaronline.identity import links, service
from guitaronline.identity.access import Permission
from guitaronline.identity.address_change import pending_change
from guitaronline.identity.signed_in_devices import devices_of
from guitaronline.portal import fields
from guitaronline.portal.doing import carry_out
from guitaronline.portal.fields import point_out
from guitaronline.portal.gate import page
from guitaronline.signed_in import now, viewer
from guitaronline.web import status_of


class EmailForm(FlaskForm):
    email = fields.line("New e-mail address", required=True, most=320, render_kw={"autocomplete": "email"})
    password = PasswordField(
        "Your password",
        validators=[InputRequired("Your password is needed."), Length(max=128)],
        render_kw={"autocomplete": "current-password"},
    )


@page("/account", Permission.OWN_PROFILE)
def account() -> ResponseReturnValue:
    return _page()


@page("/account/devices/<uuid:id>/sign-out", Permission.OWN_PROFILE, "POST")
def sign_out_device(id: UUID) -> ResponseReturnValue:  # noqa: A002  # the route's word
    return _act(lambda: service.sign_out_device(viewer().actor, viewer().id, device_id=id), "The device is signed out.")


@page("/account/sign-out-elsewhere", Permission.OWN_PROFILE, "POST")
def sign_out_elsewhere() -> ResponseReturnValue:
    return _act(
        lambda: service.sign_out_elsewhere(viewer().actor, viewer().id, keep_session=viewer().session_id),
        "You are signed in here only.",
    )


@page("/account/email", Permission.OWN_PROFILE, "GET", "POST")
def change_email() -> ResponseReturnValue:
    """The form carries no key for a second click, as it carries a password: a second link takes the place of the first."""
    form: Any = EmailForm()
    if not form.validate_on_submit():
        return _email_page(form), 422 if form.is_submitted() else 200
    try:
        change = service.ask_to_change(
            viewer().actor, email=form.email.data, password=form.password.data, address=flask.request.remote_addr
        )
    except service.InvalidCredentials as refusal:
        form.password.errors = ["This is not your password."]
        return _email_page(form), status_of(refusal)
    except DomainError as refusal:
        point_out(form, refusal)
        return _email_page(form, refusal), status_of(refusal)
    flask.flash(f"A link is on its way to {change.new_email}.", "success")
    return flask.redirect(flask.url_for("portal.account"), 303)


def _act(command: Any, sentence: str) -> ResponseReturnValue:
    return carry_out(
        fields.CommandForm(),
        command,
        to=lambda _: flask.url_for("portal.account"),
        say=lambda _: sentence,
        again=_page,
    )


def _page(refusal: DomainError | None = None) -> str:
    return flask.render_template(
        "portal/account.html",
        refusal=refusal,
        devices=devices_of(session(), viewer().id, now=now()),
        pending=pending_change(session(), viewer().id, now()),
        is_mailed=links.is_mailed(),
        new_key=lambda: str(new_id()),
    )


def _email_page(form: Any, refusal: DomainError | None = None) -> str:
    return flask.render_template("portal/change_email.html", form=form, refusal=refusal)
