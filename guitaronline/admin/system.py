"""What the system did by itself: events and whether they were told, jobs and how they ended. Nobody can write here."""

from __future__ import annotations

from typing import Any

from sqlalchemy.sql.elements import ColumnElement

from guitaronline.admin import exported, gate, show
from guitaronline.admin.base import Column, Desk, ListFilter
from guitaronline.admin.filters import Choice, Days, State
from guitaronline.admin.history import TOLD
from guitaronline.admin.record_page import facts
from guitaronline.audit.models import JobTick, OutboxEvent, OutboxStatus
from guitaronline.audit.queries import failed_lately, state_of_tick
from guitaronline.identity.access import Permission


def told(event: OutboxEvent) -> Any:
    return show.chip(event.status, TOLD[event.status][1])


class Topic(ListFilter):
    """The topic or its beginning: `booking.canceled`, `payment`."""

    def clause(self, value: str) -> ColumnElement[bool]:
        condition: ColumnElement[bool] = OutboxEvent.topic.startswith(value.lower(), autoescape=True)
        return condition


def record_of(event: OutboxEvent) -> Any:
    return show.link_to(
        event.record_type, event.record_id, f"{show.word(event.record_type)} …{str(event.record_id)[-6:]}"
    )


class EventsDesk(Desk):
    model_of = OutboxEvent
    path = "events"
    title = "Events"
    one = "Event"
    permission = Permission.READ_AUDIT
    intro = "What happened and who had to be told. An event whose every attempt failed is dead and waits for a person."
    empty = "Nothing has happened yet, or it is older than the time for which events are kept."
    columns = (
        Column("id", "When", lambda each: show.when(each.created_at), sort=OutboxEvent.id),
        Column("topic", "Event", lambda each: show.link_to("outbox_events", each.id, each.topic)),
        Column("record", "Record", record_of),
        Column("status", "State", told),
        Column("attempts", "Attempts", lambda each: each.attempts, is_number=True),
        Column("last_error", "Last error", lambda each: show.text(each.last_error)),
    )
    filters = (
        State(OutboxEvent.status, OutboxStatus),
        Topic("topic", "Event"),
        Days("day", "Day", OutboxEvent.created_at),
    )
    exported = exported.EVENTS
    default_order = (OutboxEvent.id, True)
    page_title = staticmethod(lambda event: event.topic)

    def record_page(self, event: Any) -> dict[str, Any]:
        found = facts(
            ("Record", record_of(event)),
            ("Happened", show.when(event.created_at)),
            ("Came from", show.link_to("audit_actions", event.action_id, "this action")),
            ("Attempts", event.attempts),
            ("Due", show.when(event.available_at) if event.status is OutboxStatus.PENDING else None),
            ("Closed", show.when(event.closed_at)),
            ("Last error", event.last_error),
        )
        return {"facts": found, "state": told(event)}


def ended(tick: JobTick) -> Any:
    state = state_of_tick(tick.started_at, tick.outcome)
    return show.chip(state, {"pending": "not ended yet", "scheduled": "not started yet"}.get(state, ""))


class JobsDesk(Desk):
    model_of = JobTick
    path = "jobs"
    title = "Jobs"
    one = "Job"
    permission = Permission.READ_CHECKS
    intro = "What happens by itself: each tick of the timetable, and how it ended."
    empty = "No job has run yet. The scheduler starts them."
    columns = (
        Column("id", "Due", lambda each: show.when(each.tick_at), sort=JobTick.id),
        Column("job", "Job", lambda each: show.link_to("job_ticks", each.id, each.job)),
        Column("outcome", "State", ended),
        Column("said", "It said", lambda each: show.text(each.outcome)),
        Column("started_at", "Started", lambda each: show.stamp(each.started_at)),
        Column("finished_at", "Ended", lambda each: show.stamp(each.finished_at)),
    )
    filters = (
        Choice("waiting", "Waiting", ["failed_in_24_hours"], lambda value: failed_lately(gate.now())),
        Days("day", "Day", JobTick.tick_at),
    )
    exported = exported.JOBS
    default_order = (JobTick.id, True)
    page_title = staticmethod(lambda tick: tick.job)

    def record_page(self, tick: Any) -> dict[str, Any]:
        found = facts(
            ("Due", show.when(tick.tick_at)),
            ("Started", show.when(tick.started_at)),
            ("Ended", show.when(tick.finished_at)),
            ("It said", tick.outcome),
        )
        return {"facts": found, "state": ended(tick)}
