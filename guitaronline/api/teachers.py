"""/teachers: the profiles that students choose from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from guitaronline.actor import Actor
from guitaronline.api.endpoint import PUBLIC, Answer, Resource, Who, may
from guitaronline.api.fields import Text
from guitaronline.api.pagination import Order, Page
from guitaronline.api.schemas.teachers import ProfileEdit, ProfileNew, ProfileOut, profile_json
from guitaronline.db import session
from guitaronline.errors import NotFound
from guitaronline.identity.access import Permission
from guitaronline.teachers import queries, service
from guitaronline.teachers.models import TeacherProfile

resource = Resource("teachers", "Who teaches")

OLDEST_FIRST = Order("teachers", lambda profile: (profile.id,), (UUID,))
SEARCH = {
    "q": Text(most=100, metadata={"description": "part of the name"}),
    "tag": Text(most=40, metadata={"example": "jazz"}),
}
PROFILE = Answer(200, ProfileOut, profile_json)
EDITORS = Who(
    f"that teacher, {may(Permission.EDIT_PEOPLE).words}", lambda actor: not actor.is_service
)  # a teacher's own is the command's question


@resource.listing("/profiles", ProfileOut, profile_json, order=OLDEST_FIRST, who=PUBLIC, query=SEARCH)
def profiles(actor: Actor, query: dict[str, Any], page: Page) -> Sequence[TeacherProfile]:
    """Active teachers"""
    after = page.after[0] if page.after else None
    return queries.active_teachers(
        session(), q=query.get("q"), tag=query.get("tag"), after=after, offset=page.offset, limit=page.rows
    )


@resource.endpoint("GET", "/profiles/<uuid:profile_id>", PROFILE, who=PUBLIC, tagged=True)
def profile(actor: Actor, profile_id: UUID) -> TeacherProfile:
    """An active teacher"""
    found = queries.active_profile(session(), profile_id)
    if found is None:
        raise NotFound()
    return found


@resource.endpoint(
    "POST",
    "/profiles",
    Answer(201, ProfileOut, profile_json),
    who=may(Permission.EDIT_PEOPLE),
    body=ProfileNew,
    tagged=True,
    keyed=True,
    refuses=(service.ProfileInvalid, service.NotATeacher, service.ProfileExists, NotFound),
)
def create(actor: Actor, body: dict[str, Any]) -> TeacherProfile:
    """Write the profile of a teacher who has none yet, or whose profile nobody has edited yet"""
    return service.create_profile(actor, **body)


@resource.endpoint(
    "PATCH",
    "/profiles/<uuid:profile_id>",
    PROFILE,
    who=EDITORS,
    body=ProfileEdit,
    tagged=True,
    edits="profile_id",
    refuses=(service.ProfileInvalid,),
)
def edit(actor: Actor, profile_id: UUID, body: dict[str, Any]) -> TeacherProfile:
    """Edit a profile"""
    return service.edit_profile(actor, profile_id, changes=body)
