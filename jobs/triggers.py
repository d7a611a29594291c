"""Who can give a job work by hand: one line a job of the timetable. Nobody: it follows the clock and what happened.

A job runs as the system, so whoever can make it do something acts through it. The permission is asked where the work is
asked for; this table says which, and worker and scheduler do not start while a job is not in it."""

from __future__ import annotations

from guitaronline.identity.access import Permission
from jobs.schedule import TIMETABLE

NOBODY: frozenset[Permission] = frozenset()
TRIGGERS: dict[str, frozenset[Permission]] = {
    "outbox.drain": NOBODY,
    "notifications.deliver": frozenset({Permission.SEND_MESSAGES}),
    "notifications.take_reports": NOBODY,
    "notifications.remind": NOBODY,
    "bulk.carry_out": frozenset({Permission.RUN_BULK}),
    "booking.expire_holds": frozenset({Permission.ADMINISTER}),
    "waitlist.go_round": NOBODY,
    "audit.seal": NOBODY,
    "billing.expire_packages": frozenset({Permission.ADMINISTER}),
    "billing.warn_of_expiry": NOBODY,
    "proofs.run_asked": frozenset({Permission.READ_AUDIT, Permission.READ_CHECKS}),
    "scheduling.extend_horizons": frozenset({Permission.MANAGE_SLOTS}),
    "payments.take_events": frozenset({Permission.EDIT_PAYMENTS}),
    "payments.ask_providers": frozenset({Permission.EDIT_PAYMENTS}),
    "viewing.end_over": NOBODY,
    "exports.make": frozenset({Permission.EXPORT}),
    "settlements.read": frozenset({Permission.EDIT_PAYMENTS}),
    "settlements.fetch": NOBODY,
    "kpis.roll_up": NOBODY,
    "reconciliation.match": NOBODY,
    "refunds.ask_providers": frozenset({Permission.EDIT_PAYMENTS}),
    "refunds.carry_out_alone": NOBODY,
    "duplicates.find": frozenset({Permission.EDIT_PEOPLE}),
    "backups.make": NOBODY,
    "backups.rehearse": NOBODY,
    "webhooks.deliver": frozenset({Permission.ADMINISTER}),
    "checks.run": NOBODY,
    "audit.seal_rest": NOBODY,
    "cleaning.clean_up": NOBODY,
}


class TriggersIncomplete(RuntimeError):
    """A job that no line says who can trigger, or a line without its job; the message names them."""


def check() -> None:
    """Called by worker and scheduler before they begin. Raises TriggersIncomplete."""
    jobs = {job.name for job in TIMETABLE}
    if jobs != set(TRIGGERS):
        raise TriggersIncomplete(
            f"jobs/triggers.py and the timetable differ: {', '.join(sorted(jobs ^ set(TRIGGERS)))}"
        )
