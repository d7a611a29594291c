"""The whole timetable: everything that happens by itself, how often, and why.

Every job claims the rows that are due and may run twice, late, or not at all for a while: a missed tick loses nothing.
Periods count from midnight UTC, so that two schedulers agree on every tick.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class Queue(StrEnum):
    """A queue of the worker. RQ loses jobs of killed workers that listen to two, so each has a process of its own."""

    WORK = "guitaronline"
    MESSAGES = "messages"  # short jobs only: what people are told never waits behind a long one
    BACKUPS = "backups"  # nobody waits for them, and they wait for nobody


@dataclass(frozen=True)
class Job:
    """`name` is the function below `jobs.`; `after` the start within the period; `within` the longest it may take."""

    name: str
    every: timedelta
    why: str
    after: timedelta = timedelta(0)
    within: timedelta = timedelta(seconds=60)
    queue: Queue = Queue.WORK

    @property
    def function(self) -> str:
        return f"jobs.{self.name}"


SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

TIMETABLE = (
    Job("outbox.drain", 5 * SECOND, "what happened is told within seconds", queue=Queue.MESSAGES),
    Job(
        "notifications.deliver",
        5 * SECOND,
        "a message goes out at once by the doorbell; this is for those that wait for their next attempt or the end of the night",
        within=2 * MINUTE,
        queue=Queue.MESSAGES,
    ),
    Job(
        "notifications.take_reports",
        10 * SECOND,
        "a provider says that an address does not work; the webhook itself only stores it",
        queue=Queue.MESSAGES,
    ),
    Job(
        "notifications.remind",
        MINUTE,
        "a reminder is due to the minute; what was due and not told is found again",
        queue=Queue.MESSAGES,
    ),
    Job("bulk.carry_out", 5 * SECOND, "somebody watches the bar of the bulk action that they asked for"),
    Job(
        "booking.expire_holds", 30 * SECOND, "a lapsed hold is free at once for who asks; this tidies up for who looks"
    ),
    Job("waitlist.go_round", 10 * SECOND, "a freed slot is kept for minutes; who waits hears of it within seconds"),
    Job("audit.seal", 30 * SECOND, "what is not sealed yet could still be changed unseen"),
    Job(
        "billing.expire_packages",
        10 * MINUTE,
        "an overdue package is unusable at once; this moves its lessons and tells",
    ),
    Job("billing.warn_of_expiry", HOUR, "whoever has lessons left hears of their end a month and a week before"),
    Job(
        "proofs.run_asked",
        5 * SECOND,
        "somebody pressed a button in the console and waits",
        within=30 * MINUTE,
    ),
    Job(
        "scheduling.extend_horizons",
        MINUTE,
        "a teacher's next day is offered when one has passed; a new zone, a closure or an enabled teacher within minutes",
        within=5 * MINUTE,
    ),
    Job(
        "payments.take_events",
        5 * SECOND,
        "a student who has paid waits for the lessons; the webhook itself only stores what it is told",
    ),
    Job(
        "payments.ask_providers",
        MINUTE,
        "what no event told is asked for, and an unpaid checkout lapses",
        within=5 * MINUTE,  # a provider that hangs is waited for
    ),
    Job("viewing.end_over", MINUTE, "a view is over by itself; this writes its end into the audit"),
    Job(
        "exports.make",
        5 * SECOND,
        "somebody waits for a large file; it is made once and its parts are kept",
        within=10 * MINUTE,
    ),
    Job(
        "settlements.read",
        5 * SECOND,
        "somebody waits to see what is in the file that they uploaded",
        within=10 * MINUTE,
    ),
    Job(
        "settlements.fetch",
        MINUTE,
        "a provider takes some minutes for its report of yesterday; nobody waits for it by name",
        within=10 * MINUTE,
    ),
    Job(
        "kpis.roll_up",
        MINUTE,
        "yesterday's numbers follow a late outcome or refund within minutes; today's are counted live",
        within=10 * MINUTE,  # the first time there are years to count
    ),
    Job(
        "reconciliation.match",
        MINUTE,
        "what was imported shows its matches and exceptions within a minute; once a day even when nothing came",
        within=15 * MINUTE,
    ),
    Job(
        "refunds.ask_providers",
        10 * SECOND,
        "money goes back within seconds; who did not answer is asked again",
        within=5 * MINUTE,  # a provider that hangs is waited for
    ),
    Job(
        "refunds.carry_out_alone",
        10 * MINUTE,
        "where one person runs the school nobody else allows what they asked for",
    ),
    Job(
        "duplicates.find",
        DAY,
        "who is here twice is seen the next morning, before two records have a history of their own",
        after=2 * HOUR,
        within=5 * MINUTE,
    ),
    Job(
        "backups.make",
        DAY,
        "what is younger than the last backup can be lost with the disk; does nothing without BACKUP_DIR",
        after=HOUR,
        within=4 * HOUR,
        queue=Queue.BACKUPS,
    ),
    Job(
        "backups.rehearse",
        DAY,
        "only a backup that was restored and proved is one; does nothing without BACKUP_DIR",
        after=2 * HOUR,
        within=4 * HOUR,
        queue=Queue.BACKUPS,
    ),
    Job(
        "webhooks.deliver",
        5 * SECOND,
        "a partner's program hears of a booking within seconds; who did not answer is asked again",
        within=2 * MINUTE,  # an endpoint that hangs is waited for
    ),
    Job("checks.run", DAY, "a broken invariant is seen the next morning", after=3 * HOUR, within=30 * MINUTE),
    Job(
        "audit.seal_rest",
        DAY,
        "seals what took more than an hour to commit, or came with a restore",
        after=4 * HOUR,
        within=30 * MINUTE,
    ),
    Job(
        "cleaning.clean_up",
        DAY,
        "old keys, sessions, ticks, closed events, files and results of bulk actions only cost space",
        after=5 * HOUR,
        within=30 * MINUTE,
    ),
)

BY_FUNCTION = {job.function: job for job in TIMETABLE}  # nothing else may be asked of the worker
