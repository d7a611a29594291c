"""What students read about the teacher, and where the lessons take place."""

from __future__ import annotations

import flask
from flask.typing import ResponseReturnValue

from guitaronline.db import session
from guitaronline.errors import DomainError, NotFound
from guitaronline.identity.access import Permission
from guitaronline.portal import fields
from guitaronline.portal.doing import carry_out
from guitaronline.portal.gate import page
from guitaronline.signed_in import viewer
from guitaronline.teachers import rules
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
    form = ProfileForm.about(own, display_name=own.display_name, bio=own.bio, meeting_url=own.meeting_url)

    def again(refusal: DomainError | None = None) -> str:
        return flask.render_template("portal/profile.html", profile=own, form=form, refusal=refusal)

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
