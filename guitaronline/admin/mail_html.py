"""A mail's HTML as the reader sees it: a document of its own that may run nothing, load nothing and reach nothing of ours."""

from __future__ import annotations

from uuid import UUID

import flask
from flask import Blueprint, Response

from guitaronline.admin import gate
from guitaronline.db import session
from guitaronline.errors import NotFound
from guitaronline.identity.access import Permission
from guitaronline.notifications import desk

# Mails carry their styles inline; scripts, forms and everything from elsewhere stay out.
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'; sandbox"
)

blueprint = Blueprint("mail_html", __name__, url_prefix=gate.PREFIX)


def document(html: str) -> Response:
    answer = Response(html, content_type="text/html; charset=utf-8")
    answer.headers["Content-Security-Policy"] = POLICY
    answer.headers["X-Frame-Options"] = "SAMEORIGIN"
    return answer


@blueprint.get("/messages/<uuid:id>/html")
@gate.needs(Permission.READ_MESSAGES)
def sent(id: UUID) -> Response:  # noqa: A002  # the route's word
    body = desk.body_of(session(), id)
    if body is None or not body.html:
        raise NotFound("There is no such message, or it has no HTML.")
    return document(body.html)


@blueprint.get("/templates/html")
@gate.needs(Permission.READ_MESSAGES)
def template() -> Response:
    from guitaronline.admin.message_templates import asked

    found = asked()
    if found is None or found.rendered is None or not found.rendered.html:
        raise NotFound("There is no such template, or it has no HTML.")
    return document(found.rendered.html)


@blueprint.get("/caught-mail/html")
@gate.needs(Permission.ADMINISTER)
def caught() -> Response:
    from guitaronline.admin.caught_mail import mail_of

    found = mail_of(flask.request.args.get("mail", ""))
    if not found.html:
        raise NotFound("This mail has no HTML.")
    return document(found.html)
