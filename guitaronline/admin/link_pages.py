"""What the links in mails lead to: choose a password, confirm or change an address, undo that. Opening a page changes nothing; the button does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flask
from flask import Blueprint
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import PasswordField, StringField
from wtforms.validators import InputRequired, Length

from guitaronline.actor import ANONYMOUS, STAFF_ROLES, Role
from guitaronline.admin import gate
from guitaronline.admin.forms import point_out
from guitaronline.db import session
from guitaronline.errors import DomainError
from guitaronline.identity import links, service
from guitaronline.identity.models import LinkPurpose, User
from guitaronline.identity.passwords import MIN_LENGTH, MIN_LENGTH_STAFF
from guitaronline.web import status_of

blueprint = Blueprint("links", __name__)
WITH_PAGES = STAFF_ROLES | {Role.TEACHER}  # students sign in with the app
IF_KNOWN = "If somebody is registered with that address, a link is on its way to it. It works once, for {} minutes."


class Forgot(FlaskForm):
    email = StringField("E-mail", validators=[InputRequired("Your e-mail address is needed."), Length(max=320)])


class Choose(FlaskForm):
    password = PasswordField("New password", validators=[InputRequired("A password is needed."), Length(max=128)])
    again = PasswordField("The same again", validators=[InputRequired("Type it twice."), Length(max=128)])


@blueprint.route("/forgot", methods=("GET", "POST"))
def forgot() -> ResponseReturnValue:
    """Ask for a link to choose a new password. What is said does not tell whether anybody has the address."""
    form = Forgot()
    if not form.validate_on_submit():
        return _forgot_page(form), 422 if form.is_submitted() else 200
    try:
        service.forgot_password(form.email.data or "", address=flask.request.remote_addr)
    except DomainError as refusal:
        return _forgot_page(form, refusal), status_of(refusal)
    flask.flash(IF_KNOWN.format(int(links.life_of(LinkPurpose.RESET).total_seconds() // 60)), "info")
    return flask.redirect(flask.url_for("auth.sign_in"), 303)


@blueprint.route("/invitation/<token>", methods=("GET", "POST"))
def invitation(token: str) -> ResponseReturnValue:
    person = service.invited_person(session(), token, gate.now())
    return _choose_password(
        person,
        lambda password: service.accept_invitation(ANONYMOUS, token=token, password=password),
        heading="Welcome: choose your password",
    )


@blueprint.route("/reset/<token>", methods=("GET", "POST"))
def reset(token: str) -> ResponseReturnValue:
    person = service.forgetful_person(session(), token, gate.now())
    return _choose_password(
        person,
        lambda password: service.reset_password(ANONYMOUS, token=token, password=password),
        heading="Choose a new password",
        lead="Everywhere you are signed in, you will be signed out.",
    )


@blueprint.route("/verify/<token>", methods=("GET", "POST"))
def verify(token: str) -> ResponseReturnValue:
    person = service.verifying_person(session(), token, gate.now())
    if person is None:
        return _over(may_forget=False)
    form = FlaskForm()
    if not form.validate_on_submit():
        return _secret_page("verify.html", form=form, email=person.email)
    try:
        service.verify_email(ANONYMOUS, token=token)
    except service.LinkInvalid:
        return _over(may_forget=False)
    flask.flash("Your address is confirmed. Thank you.", "success")
    return flask.redirect(flask.url_for("auth.root"), 303)


@blueprint.route("/address/<token>", methods=("GET", "POST"))
def change_address(token: str) -> ResponseReturnValue:
    """The link that went to a new address."""

    def done() -> ResponseReturnValue:
        person = service.change_address(ANONYMOUS, token=token)
        flask.flash(f"You are written to at {person.email} from now on; sign in with it.", "success")
        return flask.redirect(flask.url_for("auth.sign_in" if person.role in WITH_PAGES else "auth.root"), 303)

    found = service.changing_person(session(), token, gate.now())
    return _of_address(found and {"former": found[0].email, "new": found[1].new_email, "is_undo": False}, done)


@blueprint.route("/undo-address/<token>", methods=("GET", "POST"))
def undo_address(token: str) -> ResponseReturnValue:
    """The link that went to the address before: whoever changed it was not them."""

    def done() -> ResponseReturnValue:
        reset = service.undo_change(ANONYMOUS, token=token)
        flask.flash("Your address is as it was, and everything is signed out. Now choose another password.", "success")
        return flask.redirect(flask.url_for("links.reset", token=reset), 303)

    found = service.undoing_person(session(), token, gate.now())
    return _of_address(found and {"former": found[1].former_email, "new": found[0].email, "is_undo": True}, done)


def _of_address(facts: dict[str, Any] | None, done: Callable[[], ResponseReturnValue]) -> ResponseReturnValue:
    """The page that asks whether the address shall change, and what comes of a yes. `facts` None: the link is over."""
    if facts is None:
        return _over(may_forget=False)
    form = FlaskForm()
    if not form.validate_on_submit():
        return _secret_page("change_address.html", form=form, **facts)
    try:
        return done()
    except service.LinkInvalid:
        return _over(may_forget=False)
    except DomainError as refusal:
        return _secret_page("change_address.html", status_of(refusal), refusal=refusal, form=form, **facts)


def _choose_password(
    person: User | None, act: Callable[[str], User], *, heading: str, lead: str = ""
) -> ResponseReturnValue:
    """The page to choose a password, and what is done when it is sent."""
    if person is None:
        return _over()
    form = Choose()
    facts = {"form": form, "heading": heading, "lead": lead, "email": person.email}
    facts["least"] = MIN_LENGTH if person.role is Role.STUDENT else MIN_LENGTH_STAFF
    if form.is_submitted() and form.password.data != form.again.data:
        form.again.errors = ["The two are not the same."]
        return _secret_page("choose_password.html", 422, **facts)
    if not form.validate_on_submit():
        return _secret_page("choose_password.html", 422 if form.is_submitted() else 200, **facts)
    try:
        done = act(form.password.data or "")
    except service.LinkInvalid:
        return _over()  # used by somebody else a moment ago
    except DomainError as refusal:
        return _secret_page("choose_password.html", status_of(refusal), refusal=point_out(form, refusal), **facts)
    here = done.role in WITH_PAGES
    flask.flash(f"Your password is set. Sign in with it{'' if here else ' in the app'}.", "success")
    return flask.redirect(flask.url_for("auth.sign_in" if here else "auth.root"), 303)


def _forgot_page(form: Forgot, refusal: DomainError | None = None) -> str:
    return flask.render_template("forgot.html", form=form, refusal=refusal, is_mailed=links.is_mailed())


def _over(*, may_forget: bool = True) -> ResponseReturnValue:
    """There is nothing to be done with this link, for anybody."""
    return _secret_page("link_over.html", 404, may_forget=may_forget and links.is_mailed())


def _secret_page(template: str, status: int = 200, **facts: Any) -> ResponseReturnValue:
    answer = flask.make_response(flask.render_template(template, **facts), status)
    # The address is the secret and is told to nobody; our own check of forms over https needs to be told the host.
    answer.headers["Referrer-Policy"] = "strict-origin"
    return answer
