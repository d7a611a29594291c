"""What finance says no with. Each name is the `code` that clients see; constraints speak through the same names."""

from __future__ import annotations

from guitaronline.errors import Conflict, Invalid, NotAllowed
from guitaronline.unit_of_work import constraint_errors

# Rates and statements of teachers


class NotATeacher(Invalid):
    detail = "Rates and statements are a teacher's."


class InvalidRate(Invalid):
    detail = "The rate cannot be set like this."


class RateOverlaps(Conflict):
    detail = "Another rate for such lessons begins on that day. Let this one begin on another day."


class RateLocked(Conflict):
    detail = "A statement with lessons of that day is approved. Let the rate begin in a later month."


class RateMissing(Conflict):
    detail = "Some lessons have no rate. Set it first."


class InvalidExtra(Invalid):
    detail = "This cannot be written down for the statement."


class MonthNotOver(Conflict):
    detail = "The month is not over yet."


class StatementApproved(Conflict):
    detail = "The statement of that month is approved already."


class StatementChanged(Conflict):
    detail = "The statement has changed since you looked. Look again."


class NothingToPay(Conflict):
    detail = "There is nothing on the statement of that month."


class ApproverIsTeacher(NotAllowed):
    detail = "Nobody approves their own statement."


# Accounts and journal


class InvalidMapping(Invalid):
    detail = "These accounts cannot be set."


class MonthNotClosed(Conflict):
    detail = "The month is not closed yet; its journal may still change."


class AccountMissing(Conflict):
    detail = "Some events of the month have no accounts. Set them first."


constraint_errors.update(
    {
        "teacher_rates_no_overlap": RateOverlaps,
        "uq_teacher_statements_month": StatementApproved,
        "ck_teacher_statements_four_eyes": ApproverIsTeacher,
        "uq_statement_lines_revision": StatementChanged,
        "uq_statement_lines_extra": StatementChanged,
    }
)
