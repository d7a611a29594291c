"""/booking/waitlist: waiting for a time that is taken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from guitaronline import clock
from guitaronline.actor import Actor, Role
from guitaronline.api.booking import resource
from guitaronline.api.endpoint import Answer, may, only
from guitaronline.api.pagination import Order, Page
from guitaronline.api.schemas.waitlist import Waiting, WaitNew, WaitOut, wait_json
from guitaronline.booking import waitlist
from guitaronline.booking.waitlist import TooManyWaits, WaitInvalid, WaitIsOver
from guitaronline.db import session
from guitaronline.errors import NotFound
from guitaronline.identity.access import Permission
from guitaronline.teachers.service import NotATeacher, TeacherNotActive

LATEST_FIRST = Order("waitlist", lambda waiting: (waiting.entry.id,), (UUID,))
STUDENT = only(Role.STUDENT)


@resource.endpoint(
    "POST",
    "/waitlist",
    Answer(201, WaitOut, wait_json),
    who=STUDENT,
    body=WaitNew,
    keyed=True,
    refuses=(WaitInvalid, TooManyWaits, NotATeacher, TeacherNotActive, NotFound),
)
def join(actor: Actor, body: dict[str, Any]) -> Waiting:
    """Wait for a lesson of a teacher; what comes free is offered in order, as a hold that lapses"""
    entry = waitlist.join_waitlist(
        actor,
        teacher_id=body["teacher_id"],
        from_at=body["from_"],
        until_at=body["to"],
        lesson_minutes=body.get("lesson_minutes"),
    )
    return Waiting(entry, entry.created_at)


@resource.listing("/waitlist/my", WaitOut, wait_json, order=LATEST_FIRST, who=STUDENT)
def mine(actor: Actor, page: Page) -> Sequence[Waiting]:
    """What one waits or waited for, the latest first"""
    assert actor.id is not None
    now = clock.read(session())
    after = page.after[0] if page.after else None
    found = waitlist.entries_of(session(), actor.id, after=after, offset=page.offset, limit=page.rows)
    return [Waiting(entry, now) for entry in found]


@resource.endpoint(
    "DELETE",
    "/waitlist/<uuid:entry_id>",
    Answer(204, words="One does not wait any more; an offer is released"),
    who=may(Permission.BOOK),
    refuses=(WaitIsOver,),
)
def leave(actor: Actor, entry_id: UUID) -> None:
    """Stop waiting; a hold that was offered is released"""
    waitlist.leave_waitlist(actor, entry_id)
