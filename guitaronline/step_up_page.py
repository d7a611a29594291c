"""The page that asks "is it you?" between a form and what it does. Console and portal share it.

It stands in for the answer of the form that was sent, carries everything that was typed, and sends it on to the same address
with the password; whoever confirmed a moment ago never sees it."""

from __future__ import annotations

from typing import Any

import flask
from flask.typing import ResponseReturnValue
from wtforms import Form, PasswordField, StringField
from wtforms.validators import InputRequired, Length

from guitaronline.errors import DomainError
from guitaronline.identity import step_up
from guitaronline.identity.recovery import LONGEST
from guitaronline.identity.refusals import StepUpRequired
from guitaronline.signed_in import viewer
from guitaronline.web import status_of

PASSWORD, CODE = "confirm_password", "confirm_code"
FIELDS = (PASSWORD, CODE)


class ConfirmForm(Form):
    """Its token is the one of the form that it carries."""

    confirm_password = PasswordField(
        "Your password",
        validators=[InputRequired("Your password is needed."), Length(max=128)],
        render_kw={"autocomplete": "current-password", "autofocus": True},
    )
    confirm_code = StringField(
        "One-time code",
        validators=[Length(max=LONGEST)],
        render_kw={"autocomplete": "one-time-code", "inputmode": "text"},
        description="From your authenticator app, if you use one; or one of your recovery codes.",
    )


def unless_confirmed(what: str, back: str = "") -> ResponseReturnValue | None:
    """None when the viewer proved a moment ago, or just now, that it is them; else the page that asks.

    `what`: they are about to do, in a few words. `back`: where "do nothing" leads; else the page that was sent."""
    if viewer().is_confirmed:
        return None
    if PASSWORD not in flask.request.form:
        return _page(what, back, ConfirmForm()), status_of(StepUpRequired())
    form = ConfirmForm(flask.request.form)
    if not form.validate():
        return _page(what, back, form), 422
    try:
        step_up.confirm(
            viewer().id,
            viewer().session_id,
            password=form.confirm_password.data or "",
            otp=tidy_otp(form.confirm_code.data),
            address=flask.request.remote_addr,
        )
    except DomainError as refusal:
        return _page(what, back, form, refusal), status_of(refusal)
    return None


def tidy_otp(given: str | None) -> str | None:
    return "".join((given or "").split()) or None


def _page(what: str, back: str, form: Any, refusal: DomainError | None = None) -> str:
    carried = [(name, value) for name, value in flask.request.form.items(multi=True) if name not in FIELDS]
    here = flask.request.full_path.rstrip("?")
    return flask.render_template(
        "confirm.html", what=what, form=form, refusal=refusal, carried=carried, here=here, back=back or here
    )
