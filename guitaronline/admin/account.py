"""One's own account: where one is signed in, the authenticator app and its recovery codes, and the e-mail address."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import flask
import segno
from markupsafe import Markup
from wtforms import PasswordField, StringField
from wtforms.validators import InputRequired, Length

from guitaronline.actor import Actor
from guitaronline.admin import forms, gate, show
from guitaronline.admin.base import ConsolePage
from guitaronline.admin.command_page import CommandPage, Consequences, Done, button_of, commands
from guitaronline.db import session
from guitaronline.identity import links, recovery, second_factor, service, totp
from guitaronline.identity.access import Permission
from guitaronline.identity.address_change import pending_change
from guitaronline.identity.models import User
from guitaronline.identity.signed_in_devices import Device, devices_of
from guitaronline.step_up_page import tidy_otp

FEW_CODES = 3


class Account(ConsolePage):
    path = "account"
    title = "Your account"
    permission = Permission.OWN_PROFILE

    def page(self) -> Any:
        person = _oneself()
        return self.render(
            "admin/your_account.html",
            person=person,
            devices=[_row(each) for each in devices_of(session(), person.id, now=gate.now())],
            codes_left=recovery.left(session(), person.id) if person.totp_secret else None,
            few_codes=FEW_CODES,
            pending=pending_change(session(), person.id, gate.now()),
            is_mailed=links.is_mailed(),
            elsewhere=button_of(commands.named(SignOutElsewhere)),
        )


def _oneself() -> User:
    return session().get_one(User, gate.viewer().id)


def name_of(device: Device) -> str:
    return device.name or ("a browser" if device.is_browser else "an app without a name")


def _row(device: Device) -> list[Any]:
    is_here = device.id == gate.viewer().session_id
    button = button_of(commands.named(SignOutDevice), device_id=device.id)
    return [
        show.html("<strong>{}</strong>{}", name_of(device), show.html(" {}", show.chip("this one")) if is_here else ""),
        "console, in a browser" if device.is_browser else "app",
        show.text(device.address),
        show.stamp(device.last_used_at),
        show.stamp(device.signed_in_at),
        show.NOTHING if is_here else show.action_link(button),
    ]


class AccountCommand(CommandPage):
    """Something one does with one's own account; afterwards it is shown."""

    parent = "desk_account.index"
    permission = Permission.OWN_PROFILE

    def back(self, record: Any) -> tuple[str, str]:
        return Account.title, flask.url_for(self.parent)

    def said(self, sentence: str, *, once: str = "") -> Done:
        return Done(sentence, flask.url_for(self.parent), shown_once=once)


# The authenticator app


class EnrollForm(forms.CommandForm):
    code = StringField(
        "The six digits that the app shows now",
        validators=[InputRequired("The code is needed."), Length(max=16)],
        render_kw={"autocomplete": "one-time-code", "inputmode": "numeric"},
    )


class EnrollTotp(AccountCommand):
    path = "account/authenticator"
    title = "Set up your authenticator app"
    button = "Turn it on"
    form = EnrollForm
    is_secret = True
    needs_step_up = True
    template = "admin/enroll.html"
    once_template = "admin/recovery_codes.html"

    def prepare(self, form: Any, record: Any) -> None:
        person = _oneself()
        form.secret = next(totp.new_secrets(gate.viewer().session_id, person.totp_secret))
        form.picture = _picture(totp.uri_of(form.secret, person.email or person.reference))
        form.replaces = person.totp_secret is not None

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        assert actor.id is not None
        code = tidy_otp(form.code.data) or ""
        return second_factor.enroll(actor, actor.id, code=code, session_id=gate.viewer().session_id)

    def done(self, result: Any) -> Done:
        return self.said("Your authenticator app works", once="\n".join(result))


def _picture(uri: str) -> Markup:
    """The address as a QR code, drawn in the page: no picture is loaded, no style and no script is needed."""
    drawn = segno.make(uri, error="m", micro=False).svg_inline(
        dark="#000",
        light="#fff",
        svgclass="qr",
        lineclass=None,
        omitsize=True,
        title="QR code for your authenticator app",
    )
    return Markup(drawn)  # noqa: S704  # made of modules and our own title


class RenewRecoveryCodes(AccountCommand):
    path = "account/recovery-codes"
    title = "New recovery codes"
    button = "Make new ones"
    is_secret = True
    needs_step_up = True
    once_template = "admin/recovery_codes.html"
    lead = "Ten codes that each stand in for your authenticator app once, for the day on which the phone is gone."

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        left = recovery.left(session(), gate.viewer().id)
        return Consequences(
            [("Codes before", f"The {left} that are unused stop working." if left else "None is left.")]
        )

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        assert actor.id is not None
        return second_factor.renew_codes(actor, actor.id)

    def done(self, result: Any) -> Done:
        return self.said("Your new recovery codes", once="\n".join(result))


# Devices


class DeviceForm(forms.CommandForm):
    linkable = frozenset({"device_id"})
    device_id = forms.SelectField("Device", validators=[InputRequired("Choose a device.")])


class SignOutDevice(AccountCommand):
    path = "account/devices/sign-out"
    title = "Sign out a device"
    button = "Sign it out"
    form = DeviceForm
    lead = "It has to sign in again before it sees anything."

    def prepare(self, form: Any, record: Any) -> None:
        found = devices_of(session(), gate.viewer().id, now=gate.now())
        form.device_id.choices = forms.choices((str(each.id), _words(each)) for each in found)
        form.device_id.validate_choice = False  # one that is signed out already says so by itself

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        assert actor.id is not None
        return service.sign_out_device(actor, actor.id, device_id=forms.id_or_none(form.device_id.data) or UUID(int=0))

    def done(self, result: Any) -> Done:
        return self.said("The device is signed out.")


def _words(device: Device) -> str:
    here = " (this one)" if device.id == gate.viewer().session_id else ""
    local = device.last_used_at.astimezone(show.zone())
    return f"{name_of(device)}{here}, last used {local.day} {local:%b %H:%M}"


class SignOutElsewhere(AccountCommand):
    path = "account/sign-out-elsewhere"
    title = "Sign out everywhere else"
    tone = "danger"

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        here = gate.viewer().session_id
        others = [name_of(each) for each in devices_of(session(), gate.viewer().id, now=gate.now()) if each.id != here]
        return Consequences(
            [
                ("Signed out", show.joined(others) if others else "nothing: you are signed in here only"),
                ("Links", "Links to choose a password that were mailed to you stop working, too."),
            ]
        )

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        assert actor.id is not None
        return service.sign_out_elsewhere(actor, actor.id, keep_session=gate.viewer().session_id)

    def done(self, result: Any) -> Done:
        return self.said("You are signed in here only.")


# The address


class EmailForm(forms.CommandForm):
    email = forms.line("New e-mail address", required=True, most=320, render_kw={"autocomplete": "email"})
    password = PasswordField(
        "Your password",
        validators=[InputRequired("Your password is needed."), Length(max=128)],
        render_kw={"autocomplete": "current-password"},
    )


class ChangeEmail(AccountCommand):
    path = "account/email"
    title = "Change your e-mail address"
    button = "Send the link"
    form = EmailForm
    is_secret = True

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        return Consequences(
            [
                ("Now", gate.viewer().email),
                ("New address", "A link is mailed to it. Until you follow that, nothing changes."),
                ("Old address", "It is told then, with a link that undoes it for 72 hours."),
            ]
        )

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service.ask_to_change(
            actor, email=form.email.data or "", password=form.password.data, address=flask.request.remote_addr
        )

    def done(self, result: Any) -> Done:
        return self.said(f"A link is on its way to {result.new_email}.")


commands.add(EnrollTotp, RenewRecoveryCodes, SignOutDevice, SignOutElsewhere, ChangeEmail)
