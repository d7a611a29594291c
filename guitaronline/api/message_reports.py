"""/message-reports: what providers of messages tell afterwards."""

from __future__ import annotations

from flask import Response, request

from guitaronline.actor import Actor
from guitaronline.api.endpoint import JSON, PUBLIC, Answer, Resource
from guitaronline.errors import NotFound
from guitaronline.notifications import reports
from guitaronline.notifications.models import Channel
from guitaronline.notifications.reports import ReportUnsigned

resource = Resource("message-reports", "Bounces, told by who sends the school's messages")


@resource.endpoint(
    "POST",
    "/<channel>",
    Answer(200, words="Stored; it is applied at once afterwards"),
    who=PUBLIC,
    raw=True,
    refuses=(ReportUnsigned,),
)
def report(actor: Actor, channel: str) -> Response:
    """For providers of messages: a signed report, as JSON, as Twilio's form, or as the bounce mail itself"""
    if channel not in (Channel.EMAIL, Channel.SMS):
        raise NotFound()
    reports.receive(Channel(channel), request.get_data(cache=False), request.headers.get(reports.HEADER))
    return Response(status=200, content_type=JSON)
