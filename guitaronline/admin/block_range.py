"""Keep a stretch of a teacher's time free: all open slots in it that nobody has, on one page."""

from __future__ import annotations

from typing import Any

import flask

from guitaronline.actor import Actor, Role
from guitaronline.admin import forms, gate, people_picker, show
from guitaronline.admin.command_page import CommandPage, Consequences, Done, commands
from guitaronline.admin.stretches import StretchForm
from guitaronline.booking import blocking
from guitaronline.db import session
from guitaronline.identity.access import Permission

SHOWN = 25


class RangeForm(StretchForm):
    reason = forms.reason()


class BlockRange(CommandPage):
    path = "slots/block-range"
    title = "Block a stretch of time"
    parent = "desk_slots.index_view"
    button = "Block the slots"
    permission = Permission.MANAGE_SLOTS
    form = RangeForm
    looks = "Look, show which slots"
    lead = "Open slots that nobody has are kept back, one by one, and can be unblocked. When the teacher is away, enter time off."

    def prepare(self, form: Any, record: Any) -> None:
        people_picker.fill(form.teacher_id, form.find.data, role=Role.TEACHER)

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        if not form.is_whole:
            return Consequences()
        start, end = form.start_at(), form.end_at()
        problems = blocking.range_problems(start, end)
        if problems:
            return Consequences(blockers=problems)
        teacher_id = people_picker.picked(form.teacher_id)
        try:
            found = blocking.slots_in_range(session(), teacher_id, start_at=start, end_at=end, now=gate.now())
        except blocking.RangeInvalid as refusal:
            return Consequences(blockers=refusal.reasons)
        lines = [
            ("Time", show.html("{} – {}", show.when(start), show.when(end))),
            ("Blocked", f"{len(found.free)} open slots"),
            ("Left as they are", f"{len(found.occupied)} held or booked"),
        ]
        return Consequences(lines, _table(found))

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return blocking.block_range(
            actor,
            people_picker.picked(form.teacher_id),
            start_at=form.start_at(),
            end_at=form.end_at(),
            reason=form.reason.data,
        )

    def done_with(self, result: Any, form: Any) -> Done:
        words = f"{len(result.free)} slots are blocked."
        words += f" {len(result.occupied)} held or booked ones stay." if result.occupied else ""
        return Done(words, flask.url_for("desk_slots.index_view", teacher=people_picker.picked(form.teacher_id)))


def _table(found: blocking.InRange) -> list[list[Any]]:
    """The occupied ones first: they are what people have to look after."""
    stays = [[show.when(slot.start_at), show.link(slot), show.html("stays: {}", show.link(booking))] for slot, booking in found.occupied]  # fmt: skip
    blocked = [[show.when(slot.start_at), show.link(slot), "is blocked"] for slot in found.free]
    listed = (stays + blocked)[:SHOWN]
    return [["Starts", "Slot", "Then"], *listed] if listed else []


commands.add(BlockRange)
