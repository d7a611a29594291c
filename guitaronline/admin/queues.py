"""The work queues of Today, as one table: what waits, who looks after it, since when, and in which list it stands.

A queue is a list with filters. What it counts and what a click shows are one query, so they cannot disagree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import flask
from sqlalchemy import Select, cast, func, literal, null, select, union_all

from guitaronline.actor import Role
from guitaronline.admin import ages, backups, gate, show
from guitaronline.admin.base import Desk, Selection
from guitaronline.admin.checks import findings_of
from guitaronline.audit.models import JobTick, OutboxEvent
from guitaronline.audit.queries import last_check
from guitaronline.billing.dispute_models import Dispute
from guitaronline.billing.models import Approval, Package, Payment, Refund
from guitaronline.billing.provider_models import PaymentException, ProviderEvent
from guitaronline.billing.reconciliation.models import ReconciliationException
from guitaronline.billing.settlements.models import SettlementFile
from guitaronline.booking import waiting
from guitaronline.booking.models import Booking
from guitaronline.db import UtcDateTime, session
from guitaronline.identity.access import Permission
from guitaronline.identity.models import Task, User
from guitaronline.lessons.models import Lesson
from guitaronline.notifications.models import Message

COUNT_UP_TO = 1000  # more is as bad


@dataclass(frozen=True)
class Queue:
    """Rows of a desk's list that wait for people. `owner` None: the viewer. `due`: when it will be too late."""

    title: str
    why: str
    owner: Role | None
    desk: str  # the path of its list
    filters: Mapping[str, str]
    since: Any  # SQL over the desk's table: waits since then
    due: Any = None
    also: str = ""  # what can be done with all of them in the list, in words
    sort: str = ""  # of the list, where the usual order would hide the most urgent

    @property
    def list(self) -> Desk:
        console: Any = flask.current_app.extensions["admin"][0]
        found: Desk = console.desks[self.desk]
        return found

    @property
    def url(self) -> str:
        asked: dict[str, Any] = self.list.to_args(Selection(filters=self.filters, sort=self.sort))
        return flask.url_for(f"{self.list.endpoint}.index_view", **asked)

    def counted(self, position: int) -> Select[*tuple[Any, ...]]:
        """(position, number up to the cap and one more, waits since, first due), the most urgent rows counted first."""
        ids, _ = self.list.ids(Selection(filters=self.filters))
        due = cast(null(), UtcDateTime) if self.due is None else self.due
        urgent = self.since if self.due is None else self.due
        columns = (self.since.label("since"), due.label("due"))
        rows = ids.order_by(None).with_only_columns(*columns).order_by(urgent).limit(COUNT_UP_TO + 1).subquery()
        return select(literal(position), func.count(), func.min(rows.c.since), func.min(rows.c.due)).select_from(rows)


@dataclass(frozen=True)
class Standing:
    """How a queue stands now."""

    title: str
    why: str
    owner: Role
    is_mine: bool
    url: str
    number: int
    since: datetime | None
    due: datetime | None = None
    also: str = ""
    is_alarm: bool = False  # the page is red until it is mended

    @property
    def count(self) -> str:
        return f"{self.number}" if self.number <= COUNT_UP_TO else f"{COUNT_UP_TO:,}+"

    @property
    def age(self) -> str:
        """How long the oldest has waited, in words."""
        return f"oldest waits {ages.length(gate.now() - self.since)}" if self.since else ""

    @property
    def deadline(self) -> str:
        return f"first {ages.ago(self.due, gate.now())}" if self.due else ""


QUEUES: Sequence[Queue] = (  # the most urgent first
    Queue(
        "Holds about to lapse",
        "Free again within the hour, unless they are confirmed.",
        Role.SUPPORT,
        "bookings",
        {"waiting": "about_to_lapse"},
        since=Booking.created_at,
        due=Booking.hold_expires_at,
    ),
    Queue(
        "Bookings that need a decision",
        "Their teacher is away or not active any more, or the school is closed: find a substitute, move, cancel or keep them.",
        Role.SUPPORT,
        "bookings",
        {"waiting": "needs_a_decision"},
        since=waiting.undecided_since(),
        due=Booking.start_at,
        sort="start_at",
    ),
    Queue(
        "People to call",
        "Something changed at short notice: ring them up, a mail may come too late.",
        Role.SUPPORT,
        "tasks",
        {"waiting": "to_call"},
        since=Task.created_at,
    ),
    Queue(
        "Lessons soon without a join link",
        "They start within 48 hours, and nobody knows where to meet.",
        Role.SUPPORT,
        "lessons",
        {"waiting": "no_join_link"},
        since=Lesson.created_at,
        due=Lesson.scheduled_start_at,
    ),
    Queue(
        "Your tasks",
        "Open tasks that you own.",
        None,
        "tasks",
        {"owner": "me", "state": "open"},
        since=Task.created_at,
    ),
    Queue(
        "Approvals waiting",
        "A second person has to allow them.",
        Role.FINANCE,
        "approvals",
        {"state": "pending"},
        since=Approval.created_at,
    ),
    Queue(
        "Exceptions given to you",
        "Money that does not agree, and that waits for you by name.",
        None,
        "exceptions",
        {"state": "escalated", "owner": "me"},
        since=ReconciliationException.created_at,
    ),
    Queue(
        "Reconciliation exceptions",
        "Our payments and the files of providers and banks do not agree.",
        Role.FINANCE,
        "exceptions",
        {"state": "open"},
        since=ReconciliationException.created_at,
    ),
    Queue(
        "Disputes to answer",
        "A bank asks for money back; hand in the evidence in time.",
        Role.FINANCE,
        "disputes",
        {"waiting": "to_answer"},
        since=Dispute.created_at,
        due=Dispute.evidence_due_at,
        sort="evidence_due_at",
    ),
    Queue(
        "Files that wait to be imported",
        "They were read and nothing in them is wrong; somebody has to say that they are wanted.",
        Role.FINANCE,
        "imports",
        {"state": "checked"},
        since=SettlementFile.updated_at,
    ),
    Queue(
        "Refunds to look at",
        "They came unasked, or came back.",
        Role.FINANCE,
        "refunds",
        {"waiting": "to_look_at"},
        since=Refund.updated_at,
    ),
    Queue(
        "Approvals that nobody else will give",
        "One person runs the school: the system does them a day after they were asked for.",
        Role.ADMIN,
        "approvals",
        {"alone": "waits"},
        since=Approval.created_at,
        due=Approval.due_alone_at,
    ),
    Queue(
        "Payments failed",
        "The money did not come, not in another way either.",
        Role.FINANCE,
        "payments",
        {"waiting": "failed"},
        since=Payment.updated_at,
    ),
    Queue(
        "Payments pending too long",
        "Awaited for more than 24 hours.",
        Role.FINANCE,
        "payments",
        {"waiting": "awaited_too_long"},
        since=Payment.created_at,
    ),
    Queue(
        "Payment exceptions",
        "Money came that does not fit what was agreed.",
        Role.FINANCE,
        "payment-exceptions",
        {"state": "open"},
        since=PaymentException.created_at,
    ),
    Queue(
        "Provider events that could not be applied",
        "Every attempt failed, or their payment never came.",
        Role.FINANCE,
        "provider-events",
        {"state": "dead"},
        since=ProviderEvent.received_at,
    ),
    Queue(
        "Payments whose provider does not answer",
        "Nobody knows what came of them; the provider is asked again by itself.",
        Role.FINANCE,
        "payments",
        {"waiting": "provider_silent"},
        since=Payment.created_at,
    ),
    Queue(
        "Refunds to pay out",
        "Promised, not yet paid out.",
        Role.FINANCE,
        "refunds",
        {"state": "pending"},
        since=Refund.created_at,
    ),
    Queue(
        "Lessons in use but unpaid",
        "Packages on account that are used, and not paid in full.",
        Role.FINANCE,
        "packages",
        {"waiting": "used_but_unpaid"},
        since=Package.created_at,
    ),
    Queue(
        "Lessons without an outcome",
        "Over, and nobody said how it went.",
        Role.SUPPORT,
        "lessons",
        {"outcome": "missing"},
        since=Lesson.scheduled_end_at,
        also="Mark all as taken",
    ),
    Queue(
        "Dead messages",
        "Every attempt to send them failed: mend the cause, then drive them again.",
        Role.SUPPORT,
        "messages",
        {"waiting": "dead"},
        since=Message.happened_at,
    ),
    Queue(
        "Addresses that do not work",
        "Mail to these people comes back: ask them for another address.",
        Role.SUPPORT,
        "people",
        {"waiting": "address_problem"},
        since=User.address_problem_at,
    ),
    Queue(
        "Events that could not be handled",
        "Every attempt to tell somebody failed.",
        Role.ADMIN,
        "events",
        {"state": "dead"},
        since=OutboxEvent.created_at,
    ),
    Queue(
        "Jobs that failed",
        "Within the last 24 hours.",
        Role.ADMIN,
        "jobs",
        {"waiting": "failed_in_24_hours"},
        since=JobTick.tick_at,
    ),
    Queue(
        "Packages that expire within 7 days",
        "With lessons left: tell the student, or extend.",
        Role.SUPPORT,
        "packages",
        {"waiting": "expires_within_7_days"},
        since=waiting.expiring_since(waiting.EXPIRES_SOON),
        due=Package.expires_at,
    ),
    Queue(
        "Trials with nothing bought",
        "The trial lesson was given, and no package followed.",
        Role.SUPPORT,
        "packages",
        {"waiting": "trial_and_nothing_bought"},
        since=Package.little_left_at,
    ),
    Queue(
        "Packages running out",
        "One lesson left at most, and no newer package.",
        Role.SUPPORT,
        "packages",
        {"waiting": "running_out"},
        since=Package.little_left_at,
    ),
    Queue(
        "Students without a lesson for 21 days",
        "They had lessons before, and have none ahead.",
        Role.SUPPORT,
        "people",
        {"waiting": "no_lesson_for_21_days"},
        since=waiting.last_lesson(),
    ),
    Queue(
        "Payments awaited",
        "Recorded within the last 24 hours, the money is not there yet.",
        Role.FINANCE,
        "payments",
        {"waiting": "awaited"},
        since=Payment.created_at,
    ),
    Queue(
        "Packages that expire in 8 to 30 days",
        "With lessons left.",
        Role.SUPPORT,
        "packages",
        {"waiting": "expires_in_8_to_30_days"},
        since=waiting.expiring_since(waiting.EXPIRES_LATER),
        due=Package.expires_at,
    ),
)


def standings() -> list[Standing]:
    """The queues that the viewer may read: their own first, then by urgency. One statement for all lists, one for the checks."""
    readable = [queue for queue in QUEUES if gate.may(queue.list.permission)]
    rows = session().execute(union_all(*(queue.counted(position) for position, queue in enumerate(readable))))
    counted = {position: facts for position, *facts in rows}
    found = [
        *_backups(),
        *_failing_checks(),
        *(_standing(queue, *counted[place]) for place, queue in enumerate(readable)),
    ]
    return sorted(found, key=lambda each: (not each.is_alarm, not each.is_mine))


def _standing(queue: Queue, number: int, since: datetime | None, due: datetime | None) -> Standing:
    mine = gate.viewer().role
    owner = queue.owner or mine
    return Standing(queue.title, queue.why, owner, owner is mine, queue.url, number, since, due, queue.also)


def _backups() -> list[Standing]:
    """Red while there is no good backup, or none that was restored lately to prove it; nothing where nobody expects any."""
    if not gate.may(Permission.READ_CHECKS) or not backups.are_expected():
        return []
    wrong = backups.worries()
    why = " ".join(wrong) or "Made and rehearsed as they should be."
    mine, url = gate.viewer().role is Role.ADMIN, flask.url_for("desk_backups.index_view")
    return [Standing("Backups", why, Role.ADMIN, mine, url, len(wrong), None, is_alarm=bool(wrong))]


def _failing_checks() -> list[Standing]:
    """What the last run of the invariants found; its page lists them."""
    if not gate.may(Permission.READ_CHECKS):
        return []
    run = last_check(session())
    number = len(findings_of(run)) if run else 0
    url = show.record_url("check_runs", run.id) if run and number else flask.url_for("desk_checks.index_view")
    mine = gate.viewer().role is Role.ADMIN
    since = run.at if run and number else None
    return [Standing("Failed checks", "Facts that must not be.", Role.ADMIN, mine, url or "", number, since)]
