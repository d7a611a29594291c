"""What students read about the teacher, and where the lessons take place."""

from __future__ import annotations

from typing import Any

import flask
from flask.typing import ResponseReturnValue

from guitaronline.booking.feeds import live_feed, new_feed, revoke_feed
from guitaronline.db import new_id, session
from guitaronline.errors import DomainError, NotFound
from guitaronline.identity.access import Permission
from guitaronline.portal import fields
from guitaronline.portal.doing import carry_out
from guitaronline.portal.gate import page
from guitaronline.signed_in import viewer
from guitaronline.teachers import rules
from guitaronline.teachers.models import TeacherProfile
from guitaronline.teachers.queries import profile_of
from guitaronline.teachers.service import edit_profile


class ProfileForm(fields.CommandForm):
    display_name = fields.line("Name that students see", required=True, most=rules.NAME_LENGTH)
    bio = fields.paragraph("About you", most=rules.BIO_LENGTH, rows=6)
    meeting_url = fields.line(
        "Meeting link",
        most=rules.URL_LENGTH,
        help="Your lessons take place there, unless one has a link of its own.",
    )


@page("/profile", Permission.OWN_PROFILE, "GET", "POST")
def profile() -> ResponseReturnValue:
    own = profile_of(session(), viewer().id)
    if own is None:
        raise NotFound()
    form = _form(own)

    def again(refusal: DomainError | None = None) -> str:
        return _page(own, form, refusal)

    if flask.request.method == "GET":
        return again()
    changes = {"display_name": form.display_name.data, "bio": form.bio.data or "", "meeting_url": form.meeting_url.data}
    return carry_out(
        form,
        lambda: edit_profile(viewer().actor, own.id, changes=changes),
        record=own,
        to=lambda _: flask.url_for("portal.profile"),
        say=lambda _: "Your profile is saved.",
        again=again,
    )


@page("/profile/feed", Permission.OWN_PROFILE, "POST")
def new_calendar_feed() -> ResponseReturnValue:
    """The new link, shown this once: no copy of it is kept, so a second click makes another one."""
    form = fields.CommandForm()
    own = profile_of(session(), viewer().id)
    if own is None or not form.validate():
        raise NotFound()
    return _page(own, _form(own), link=new_feed(viewer().actor))


@page("/profile/feed/end", Permission.OWN_PROFILE, "POST")
def end_calendar_feed() -> ResponseReturnValue:
    form = fields.CommandForm()
    own = profile_of(session(), viewer().id)
    if own is None:
        raise NotFound()
    return carry_out(
        form,
        lambda: revoke_feed(viewer().actor, viewer().id),
        to=lambda _: flask.url_for("portal.profile"),
        say=lambda _: "The link to your calendar answers nobody any more.",
        again=lambda refusal: _page(own, _form(own), refusal),
    )


def _form(own: TeacherProfile) -> Any:
    return ProfileForm.about(own, display_name=own.display_name, bio=own.bio, meeting_url=own.meeting_url)


def _page(own: TeacherProfile, form: Any, refusal: DomainError | None = None, link: str = "") -> str:
    return flask.render_template(
        "portal/profile.html",
        profile=own,
        form=form,
        refusal=refusal,
        link=link,
        feed=live_feed(session(), viewer().id),
        key=str(new_id()),
    )
