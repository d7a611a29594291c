"""What reconciliation says no with."""

from __future__ import annotations

from guitaronline.errors import Conflict, Invalid, NotAllowed
from guitaronline.unit_of_work import constraint_errors


class ExceptionDecided(Conflict):
    detail = "This was decided already. Undo that first."


class ExceptionNotDecided(Conflict):
    detail = "There is nothing to undo: it still waits."


class PeriodClosed(Conflict):
    detail = "The period is closed; what comes later belongs to the next one."


class NothingToMatch(Conflict):
    detail = "Only a line of money that came can be a payment, only one of money that went back a refund."


class SidesDiffer(Invalid):
    detail = "Both sides have to be equal to the minor unit, in the same currency."


class AlreadyMatched(Conflict):
    detail = "One of them stands in another match."


class MatchUndone(Conflict):
    detail = "The match was undone already."


class SplitTooSmall(Invalid):
    detail = "A line is split between two payments at least; choose each once."


class WriteOffTooLarge(NotAllowed):
    detail = "This is more than you may write off. Escalate it."


class NoPersonalOwner(Invalid):
    detail = "Escalate to somebody active in finance or to an admin."


class NotAState(Conflict):
    detail = "Only a payment that is pending or failed, with its money there, can be settled by a match."


class PeriodNotOver(Conflict):
    detail = "The period is not over yet."


class PeriodNotNext(Conflict):
    detail = "Periods are closed one after the other, without a gap."


class PeriodNotPrepared(Conflict):
    detail = "Somebody has to prepare the period first."


class PeriodHasExceptions(Conflict):
    detail = "Exceptions of the period still wait for a decision."


class PeriodNotMatched(Conflict):
    detail = "Matching has not looked at everything that came. It does within a minute; try again then."


class PeriodDoesNotAddUp(Conflict):
    detail = "Opening and movements do not make the closing."


class PeriodChanged(Conflict):
    detail = "Something changed after it was prepared. Send it back and prepare it again."


class ReviewerIsPreparer(NotAllowed):
    detail = "What you prepared is reviewed by somebody else."


class ContractExists(Conflict):
    detail = "There is a fee contract of this account and currency from that day."


class InvalidContract(Invalid):
    detail = "The fee contract cannot be written like this."


constraint_errors.update(
    {
        "uq_settlement_matches_line": AlreadyMatched,
        "uq_settlement_matches_payment": AlreadyMatched,
        "uq_settlement_matches_refund": AlreadyMatched,
        "uq_settlement_matches_bank_line": AlreadyMatched,
        "uq_settlement_match_parts_payment": AlreadyMatched,
        "settlement_matches_one_side": AlreadyMatched,
        "settlement_matches_equal": SidesDiffer,
        "uq_reconciliation_periods_first_on": PeriodNotNext,
        "ck_reconciliation_periods_two_people": ReviewerIsPreparer,
        "uq_fee_contracts_from": ContractExists,
    }
)
