"""Signing in and out, invitations, and the public page at the root."""

from __future__ import annotations

from typing import Any

import flask
from flask import Blueprint, Flask
from flask.typing import ResponseReturnValue
from flask_login import current_user
from flask_wtf import FlaskForm
from wtforms import HiddenField, PasswordField, StringField
from wtforms.validators import InputRequired, Length

import config
from guitaronline import logs
from guitaronline.actor import ANONYMOUS, STAFF_ROLES, Role
from guitaronline.admin import gate
from guitaronline.admin.forms import point_out
from guitaronline.admin.gate import Viewer
from guitaronline.db import session
from guitaronline.errors import DomainError
from guitaronline.extensions import login_manager
from guitaronline.identity import service, sessions
from guitaronline.web import safe_next, status_of

blueprint = Blueprint("auth", __name__)
HOME = {Role.TEACHER: "portal.today"}  # everybody else's is the console


class SignIn(FlaskForm):
    email = StringField("E-mail", validators=[InputRequired("Your e-mail address is needed."), Length(max=320)])
    password = PasswordField("Password", validators=[InputRequired("Your password is needed."), Length(max=128)])
    otp = StringField(
        "One-time code", validators=[Length(max=16)], description="From your authenticator app, if you use one."
    )
    next = HiddenField()


class Accept(FlaskForm):
    password = PasswordField(
        "New password",
        validators=[InputRequired("A password is needed."), Length(max=128)],
        description="At least 15 characters; a sentence is good.",
    )
    again = PasswordField("The same again", validators=[InputRequired("Type it twice."), Length(max=128)])


def init_auth(app: Flask) -> None:
    login_manager.init_app(app)
    login_manager.session_protection = None  # the cookie's row decides, nothing in Flask's session does
    login_manager.request_loader(viewer_of_request)
    app.register_blueprint(blueprint)


def cookie_name() -> str:
    return "__Host-gol" if _settings().COOKIE_SECURE else "gol"


def viewer_of_request(request: flask.Request) -> Viewer | None:
    """Who the console's cookie says it is, as their row is now: a role or deactivation holds from the next request."""
    token = request.cookies.get(cookie_name())
    signed = sessions.actor_of_session(token) if token else None
    if signed is None or signed.actor.id is None:
        return None
    logs.bind_actor(signed.actor.id)
    return Viewer(
        signed.actor.id,
        signed.actor.role,
        signed.full_name,
        signed.email,
        signed.timezone,
        signed.session_id,
        signed.seconds_left,
        signed.looking,
    )


@blueprint.get("/")
def root() -> ResponseReturnValue:
    """What this is and where to sign in; for everybody."""
    return flask.render_template("root.html")


@blueprint.route("/sign-in", methods=("GET", "POST"))
def sign_in() -> ResponseReturnValue:
    form = SignIn(data={"next": flask.request.args.get("next", "")})
    if flask.request.method == "GET" and current_user.is_authenticated:
        return flask.redirect(_home(form, gate.viewer().role))
    if not form.validate_on_submit():
        return _sign_in_page(form), 422 if form.is_submitted() else 200
    try:
        opened = sessions.open_session(
            form.email.data or "",
            form.password.data or "",
            otp=tidy_otp(form.otp.data),
            address=flask.request.remote_addr,
            device=flask.request.user_agent.string[:200],
        )
    except DomainError as refusal:
        return _sign_in_page(form, refusal), status_of(refusal)
    return _signed_in(opened.token, _home(form, opened.actor.role))


@blueprint.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    token = flask.request.cookies.get(cookie_name())
    if token:
        sessions.close_session(token)
    flask.session.clear()
    answer = flask.redirect(flask.url_for("auth.sign_in"), 303)
    answer.delete_cookie(cookie_name(), path="/", secure=_settings().COOKIE_SECURE, httponly=True, samesite="Lax")
    return answer


@blueprint.post("/stay-signed-in")
def stay_signed_in() -> ResponseReturnValue:
    """Asked by the page that warns before the session ends. To ask is to be there; the answer says how long it has now."""
    if not current_user.is_authenticated:
        return {"error": "You are signed out."}, 401
    return {"seconds": gate.viewer().session_seconds}, 200


@blueprint.route("/invitation/<token>", methods=("GET", "POST"))
def invitation(token: str) -> ResponseReturnValue:
    """The page that an invitation leads to: choose a password, once."""
    form = Accept()
    if service.invited_person(session(), token, gate.now()) is None:
        raise service.LinkInvalid()
    if form.is_submitted() and form.password.data != form.again.data:
        form.again.errors = ["The two are not the same."]
        return _invitation_page(form, 422)
    if not form.validate_on_submit():
        return _invitation_page(form, 422 if form.is_submitted() else 200)
    try:
        person = service.accept_invitation(ANONYMOUS, token=token, password=form.password.data or "")
    except DomainError as refusal:
        return _invitation_page(form, status_of(refusal), point_out(form, refusal))
    here = person.role in STAFF_ROLES | {Role.TEACHER}
    flask.flash(f"Your password is set. Sign in with it{'' if here else ' in the app'}.", "success")
    return flask.redirect(flask.url_for("auth.sign_in" if here else "auth.root"), 303)


def tidy_otp(given: str | None) -> str | None:
    return "".join((given or "").split()) or None


def _signed_in(token: str, target: str) -> ResponseReturnValue:
    flask.session.clear()  # a form opened by somebody else before is worth nothing now
    answer = flask.redirect(target, 303)
    answer.set_cookie(cookie_name(), token, path="/", secure=_settings().COOKIE_SECURE, httponly=True, samesite="Lax")
    return answer


def _home(form: SignIn, role: Role) -> str:
    """Where they were going, else where their role begins the day."""
    return safe_next(form.next.data, flask.url_for(HOME.get(role, "desk_today.index")))


def _sign_in_page(form: SignIn, refusal: DomainError | None = None) -> str:
    return flask.render_template("sign_in.html", form=form, refusal=refusal, sentence=refusal.text if refusal else "")


def _invitation_page(form: Accept, status: int, refusal: DomainError | None = None) -> ResponseReturnValue:
    answer = flask.make_response(flask.render_template("invitation.html", form=form, refusal=refusal), status)
    answer.headers["Referrer-Policy"] = "no-referrer"  # the address is the secret
    return answer


def _settings() -> config.Settings:
    found: Any = flask.current_app.config["SETTINGS"]
    return found  # type: ignore[no-any-return]
