"""/calendar: one's own lessons at a secret link, for the calendar on a phone."""

from __future__ import annotations

from flask import Response, request

from guitaronline import clock
from guitaronline.actor import Actor
from guitaronline.api.endpoint import PUBLIC, SIGNED_IN, Answer, Resource
from guitaronline.api.schemas.calendar import FeedAddress, address_json
from guitaronline.booking import feeds, ical
from guitaronline.db import session

resource = Resource("calendar", "One's own lessons, for other calendars")

CALENDAR = "text/calendar; charset=utf-8"


@resource.endpoint("POST", "/secret", Answer(201, FeedAddress, address_json), who=SIGNED_IN)
def new_secret(actor: Actor) -> str:
    """Make the link of one's own calendar feed; an older link stops working"""
    return feeds.new_feed(actor)


@resource.endpoint(
    "GET",
    "/<secret>.ics",
    Answer(200, "string", media=CALENDAR, words="iCalendar (RFC 5545): lessons of 90 days back to a year ahead"),
    Answer(304, words="The same as when you asked with that `If-None-Match`"),
    who=PUBLIC,
)
def feed(actor: Actor, secret: str) -> Response:
    """The lessons of whoever has made this link"""
    found = feeds.read_feed(session(), secret, clock.read(session()))
    answer = Response(status=304, content_type=CALENDAR)
    answer.headers["Cache-Control"] = "private, max-age=0, must-revalidate"
    answer.set_etag(found.tag)
    if not request.if_none_match.contains(found.tag):
        answer.status_code = 200
        answer.set_data(ical.ical_of(found))
    return answer
