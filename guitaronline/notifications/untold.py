"""Events that nobody is told of by a message, and why. Every event stands here or in `kinds.KINDS`; a test holds them together."""

from __future__ import annotations

_REASONS = {
    "it only wakes who sends": "message.queued_again message.written",
    "whoever did it sees it at once": "booking.held booking.hold_released waitlist.joined waitlist.canceled waitlist.fulfilled"
    " slot.created slot.blocked slot.unblocked slot.withdrawn schedule.regenerated",
    "the news of its booking says it": "lesson.created lesson.canceled",
    "the lapsed hold says it": "waitlist.passed",
    "the time is over; there is nothing left to do": "waitlist.expired",
    "the lists of lessons show it; nobody has to do anything": "lesson.completed lesson.no_show lesson.outcome_corrected",
    "the lessons inside get messages of their own": "closure.created closure.canceled closure.changed",
    "the office arranges it with the teacher": "teacher.created teacher.disabled teacher.enabled statement.approved",
    "the payment or the lesson that caused it says it": "package.created package.depleted package.refilled package.reopened"
    " payment.created payment.reopened payment.refunded refund.credited refund.created refund.canceled",
    "the office speaks with the student about it": "package.frozen package.unfrozen package.reinstated package.revoked"
    " package.given_back payment.refund_returned refund.failed refund.returned refund.unexpected",
    "a desk of the console shows it, with its due time": "task.created task.done task.canceled task.reopened"
    " approval.requested approval.approved approval.rejected"
    " dispute.opened dispute.won dispute.lost dispute.answered"
    " exception.opened exception.resolved exception.ignored exception.written_off exception.escalated exception.reopened"
    " match.made match.undone period.opened period.prepared period.sent_back period.closed"
    " webhook.created webhook.disabled webhook.enabled"
    " settlement.received settlement.checked settlement.refused settlement.confirmed settlement.imported settlement.discarded",
    "the page on which it was asked for shows it": "opening.checked opening.imported opening.discarded export.sent export.requested export.started export.ready export.failed"
    " export.canceled export.expired bulk.requested bulk.started bulk.finished bulk.stopped proof.asked",
}

TOLD_TO_NOBODY: dict[str, str] = {topic: reason for reason, topics in _REASONS.items() for topic in topics.split()}
