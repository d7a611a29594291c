from __future__ import annotations

from typing import Any

from marshmallow import fields

from guitaronline.api.fields import Id, Input, Output, Text, Texts, Whole
from guitaronline.api.schemas.common import moment, time
from guitaronline.teachers.models import TeacherProfile, TeacherStatus
from guitaronline.teachers.rules import BIO_LENGTH, EXPERIENCE_YEARS, NAME_LENGTH, TAG_LENGTH, TAGS, URL_LENGTH


def _tags() -> Texts:
    return Texts(Text(most=TAG_LENGTH), most=TAGS, metadata={"example": ["jazz", "fingerstyle"]})


class ProfileEdit(Input):
    display_name = Text(least=1, most=NAME_LENGTH, metadata={"example": "Tom Reyes"})
    bio = Text(most=BIO_LENGTH)
    experience_years = Whole(least=0, most=EXPERIENCE_YEARS, metadata={"example": 12})
    tags = _tags()
    meeting_url = Text(most=URL_LENGTH, allow_none=True, metadata={"description": "https; seen by own students only"})


class ProfileNew(Input):
    user_id = Id(required=True, metadata={"description": "a person with the role teacher"})
    display_name = Text(required=True, least=1, most=NAME_LENGTH, metadata={"example": "Tom Reyes"})
    bio = Text(most=BIO_LENGTH)
    experience_years = Whole(least=0, most=EXPERIENCE_YEARS, metadata={"example": 12})
    tags = _tags()
    meeting_url = Text(most=URL_LENGTH, allow_none=True, metadata={"description": "https; seen by own students only"})


class ProfileOut(Output):
    id = fields.UUID(required=True)
    user_id = fields.UUID(required=True, metadata={"description": "what other places call `teacher_id`"})
    display_name = fields.String(required=True)
    bio = fields.String(required=True)
    experience_years = fields.Integer(required=True)
    tags = fields.List(fields.String(), required=True)
    status = fields.String(required=True, metadata={"enum": list(TeacherStatus)})
    created_at = time()
    updated_at = time()


def profile_json(profile: TeacherProfile) -> dict[str, Any]:
    return {
        "id": str(profile.id),
        "user_id": str(profile.user_id),
        "display_name": profile.display_name,
        "bio": profile.bio,
        "experience_years": profile.experience_years,
        "tags": profile.tags,
        "status": profile.status.value,
        "created_at": moment(profile.created_at),
        "updated_at": moment(profile.updated_at),
    }
