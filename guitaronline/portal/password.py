"""One's own password. The form carries no key for a second click: no digest of a password may lie about, and the present
password, which is asked for, is another one by then."""

from __future__ import annotations

from typing import Any

import flask
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import PasswordField
from wtforms.validators import InputRequired, Length

from guitaronline.errors import DomainError
from guitaronline.identity import service
from guitaronline.identity.access import Permission
from guitaronline.identity.passwords import MIN_LENGTH_STAFF
from guitaronline.portal.fields import point_out
from guitaronline.portal.gate import page
from guitaronline.signed_in import viewer
from guitaronline.web import status_of


class PasswordForm(FlaskForm):
    old = PasswordField(
        "Present password",
        validators=[InputRequired("Your present password is needed."), Length(max=128)],
        render_kw={"autocomplete": "current-password"},
    )
    new = PasswordField(
        "New password",
        validators=[InputRequired("A new password is needed."), Length(max=128)],
        render_kw={"autocomplete": "new-password"},
        description=f"At least {MIN_LENGTH_STAFF} characters; a sentence is good.",
    )


@page("/password", Permission.OWN_PROFILE, "GET", "POST")
def password() -> ResponseReturnValue:
    form: Any = PasswordForm()
    if not form.validate_on_submit():
        return _page(form), 422 if form.is_submitted() else 200
    try:
        service.change_password(
            viewer().actor,
            old=form.old.data,
            new=form.new.data,
            keep_session=viewer().session_id,
            address=flask.request.remote_addr,
        )
    except service.InvalidCredentials as refusal:
        form.old.errors = ["This is not your present password."]
        return _page(form), status_of(refusal)
    except DomainError as refusal:
        point_out(form, refusal)
        return _page(form, refusal), status_of(refusal)
    flask.flash("Your password is changed.", "success")
    return flask.redirect(flask.url_for("portal.today"), 303)


def _page(form: Any, refusal: DomainError | None = None) -> str:
    return flask.render_template("portal/password.html", form=form, refusal=refusal)
