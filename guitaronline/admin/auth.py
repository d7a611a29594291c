"""Signing in and out, and the public page at the root."""

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
from guitaronline.actor import Role
from guitaronline.admin import gate, link_pages
from guitaronline.admin.gate import Viewer
from guitaronline.errors import DomainError
from guitaronline.extensions import login_manager
from guitaronline.identity import links, sessions
from guitaronline.step_up_page import tidy_otp
from guitaronline.web import safe_next, status_of

blueprint = Blueprint("auth", __name__)
BROWSER_SECONDS = 400 * 24 * 3600  # as long as browsers keep any
HOME = {Role.TEACHER: "portal.today"}  # everybody else's is the console


class SignIn(FlaskForm):
    email = StringField("E-mail", validators=[InputRequired("Your e-mail address is needed."), Length(max=320)])
    password = PasswordField("Password", validators=[InputRequired("Your password is needed."), Length(max=128)])
    otp = StringField(
        "One-time code",
        validators=[Length(max=40)],
        description="From your authenticator app, if you use one; or one of your recovery codes.",
    )
    next = HiddenField()


def init_auth(app: Flask) -> None:
    login_manager.init_app(app)
    login_manager.session_protection = None  # the cookie's row decides, nothing in Flask's session does
    login_manager.request_loader(viewer_of_request)
    app.register_blueprint(blueprint)
    app.register_blueprint(link_pages.blueprint)


def cookie_name() -> str:
    return "__Host-gol" if _settings().COOKIE_SECURE else "gol"


def browser_cookie_name() -> str:
    """By this one a browser is known again; it signs nobody in, and signing out leaves it."""
    return f"{cookie_name()}-browser"


def viewer_of_request(request: flask.Request) -> Viewer | None:
    """Who the console's cookie says it is, as their row is now: a role or deactivation holds from the next request."""
    token = None if "database_is_away" in flask.g else request.cookies.get(cookie_name())
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
        signed.is_confirmed,
        signed.must_enroll,
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
            browser=flask.request.cookies.get(browser_cookie_name()),
        )
    except DomainError as refusal:
        return _sign_in_page(form, refusal), status_of(refusal)
    return _signed_in(opened, _home(form, opened.actor.role))


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


def _signed_in(opened: sessions.SessionOpened, target: str) -> ResponseReturnValue:
    flask.session.clear()  # a form opened by somebody else before is worth nothing now
    answer = flask.redirect(target, 303)
    facts: Any = {"path": "/", "secure": _settings().COOKIE_SECURE, "httponly": True, "samesite": "Lax"}
    answer.set_cookie(cookie_name(), opened.token, **facts)
    answer.set_cookie(browser_cookie_name(), opened.browser, max_age=BROWSER_SECONDS, **facts)
    return answer


def _home(form: SignIn, role: Role) -> str:
    """Where they were going, else where their role begins the day."""
    return safe_next(form.next.data, flask.url_for(HOME.get(role, "desk_today.index")))


def _sign_in_page(form: SignIn, refusal: DomainError | None = None) -> str:
    sentence = refusal.text if refusal else ""
    return flask.render_template(
        "sign_in.html", form=form, refusal=refusal, sentence=sentence, may_forget=links.is_mailed()
    )


def _settings() -> config.Settings:
    found: Any = flask.current_app.config["SETTINGS"]
    return found  # type: ignore[no-any-return]
