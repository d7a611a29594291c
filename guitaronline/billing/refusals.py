"""What billing says no with. Each name is the `code` that clients see; constraints speak through the same names."""

from __future__ import annotations

from guitaronline.errors import Busy, Conflict, Invalid, NotAllowed
from guitaronline.unit_of_work import constraint_errors

# Packages and lessons


class NoLessonsLeft(Conflict):
    detail = "The package has no lesson left for this."


class AlreadyCounted(Conflict):
    detail = "This has been counted in the ledger already."


class PackageNotActive(Conflict):
    detail = "The package is not active."


class PackageExpired(Conflict):
    detail = "The package has expired."


class PackageFrozen(Conflict):
    detail = "The package is frozen."


class PackageInUse(Conflict):
    detail = "Lessons of the package are reserved by bookings. Decide those first."


class PackageRevoked(Conflict):
    detail = "The package was revoked: record the money for another package, or give it back."


class NothingToReinstate(Conflict):
    detail = "The package has no expired lesson. Grant a package instead."


class AdjustmentTooLarge(Invalid):
    detail = "That many lessons cannot be moved within this package. For more lessons, grant a package."


class TrialUsed(Conflict):
    detail = "This person has had a trial."


class InvalidPackage(Invalid):
    detail = "The package cannot be made like this."


class NotAStudent(Invalid):
    detail = "Packages belong to students."


class StudentInactive(Conflict):
    detail = "The student is deactivated. Reactivate them first."


class ReasonRequired(Invalid):
    detail = "Say why: the reason is kept with the change."


# Plans


class InvalidPlan(Invalid):
    detail = "The plan cannot be made like this."


class PlanNameTaken(Conflict):
    detail = "There is a plan of that name."


class PlanNotOnSale(Conflict):
    detail = "The plan is not on sale."


class PlanCostsNothing(Conflict):
    detail = "This plan costs nothing, so there is nothing to pay: ask the school for it."


# Purchases


class ProviderNotOffered(Invalid):
    detail = "Payments are not taken in this way here."


class NothingToPay(Conflict):
    detail = "There is nothing to pay for this any more."


class PaidByHand(Conflict):
    detail = "This payment is paid to the school directly; there is no page for it."


class PaymentOfProvider(Conflict):
    detail = "What becomes of this payment is said by its provider, not by hand. Ask the provider again instead."


class AlreadyResolved(Conflict):
    detail = "Somebody has resolved this already."


class EventClosed(Conflict):
    detail = "This event has had its effect; there is nothing to try again."


# Payments, refunds, approvals


class InvalidPayment(Invalid):
    detail = "The payment cannot be recorded like this."


class DuplicateReference(Conflict):
    detail = "There is a payment with this external reference."


class EvidenceMissing(Invalid):
    detail = "Say how it is known that the money came."


class PaymentNotSucceeded(Conflict):
    detail = "Only money that came can be given back."


class RefundExceedsPayment(Invalid):
    detail = "Refunds cannot exceed the payment."


class NothingToRefund(Conflict):
    detail = "Nothing of this payment is left to refund."


class RefundPending(Conflict):
    detail = "A refund of this payment is still on its way. Settle it first."


class NotByHand(Conflict):
    detail = "What a provider takes or pays back changes by its own word or by reconciliation, never by hand."


class RefundUnknown(Conflict):
    detail = (
        "Nobody knows yet whether an earlier refund of this payment was paid out. The provider is asked again now: "
        "try again in a moment."
    )


class RefundUnderWay(Conflict):
    detail = "The provider has been asked for this refund already; it says how it ends."


class NothingToCredit(Conflict):
    detail = "The amount is worth no whole lesson of this package."


class CreditTooLarge(Invalid):
    detail = "The amount is not worth that many lessons."


class BookingsChanged(Conflict):
    detail = "The bookings of the package have changed. Look at the page again."


class ApproverIsRequester(NotAllowed):
    detail = "What you asked for is decided by somebody else."


class ApprovalAlreadyPending(Conflict):
    detail = "Something else asked for on this payment still waits for its approval."


class ApprovalOutdated(Conflict):
    detail = "The payment changed after this was asked for. Reject it and ask again."


class ApprovalDecided(Conflict):
    detail = "This was decided already."


class ApprovalNotDue(Conflict):
    detail = (
        "Only what was asked for in one-person mode is done without a second person, and not before a day has passed."
    )


class NotRequester(NotAllowed):
    detail = "Only whoever asked for it can withdraw it. Reject it instead."


# Disputes


class InvalidDispute(Invalid):
    detail = "The dispute cannot be recorded like this."


class DisputeExceedsPayment(Invalid):
    detail = "Disputes cannot exceed the payment."


class DuplicateDispute(Conflict):
    detail = "There is a dispute with this reference."


class PackageDisputed(Conflict):
    detail = "The package stays frozen until its dispute is decided."


constraint_errors.update(
    {
        "uq_credit_entries_op_key": AlreadyCounted,
        "ix_credit_entries_package": Busy,
        "ck_packages_buckets_not_negative": NoLessonsLeft,
        "uq_plans_name": PlanNameTaken,
        "uq_plan_prices_revision": Busy,
        "uq_payments_external_reference": DuplicateReference,
        "uq_payment_transitions_cause": AlreadyCounted,
        "uq_payment_transitions_sequence": Busy,
        "uq_approvals_pending": ApprovalAlreadyPending,
        "uq_disputes_provider_reference": DuplicateDispute,
        "uq_refunds_provider_reference": Busy,  # told twice at once; the second finds it
        "ck_approvals_four_eyes": ApproverIsRequester,
    }
)


def require_reason(reason: str | None) -> str:
    """The reason, trimmed. Raises ReasonRequired when there is none."""
    said = (reason or "").strip()
    if not said:
        raise ReasonRequired()
    return said
