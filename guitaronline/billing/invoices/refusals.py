"""What invoices say no with."""

from __future__ import annotations

from guitaronline.errors import Busy, Conflict, Invalid
from guitaronline.unit_of_work import constraint_errors


class InvalidSeller(Invalid):
    detail = "Invoices cannot name the school like this."


class InvalidAddress(Invalid):
    detail = "Invoices cannot use this address."


class InvalidTaxRate(Invalid):
    detail = "The tax rate cannot be set like this."


class TaxRateOverlaps(Conflict):
    detail = "There is a rate for this country on some of these days. End that first."


class TaxRateNeeded(Conflict):
    detail = (
        "The seller's country must have a rate on every day, or invoices could not be issued. Set the next rate first."
    )


class TaxRateOver(Conflict):
    detail = "The rate has ended already."


class SellerMissing(Conflict):
    detail = "Invoices cannot be issued yet: nobody said who sells. Fill in the settings of invoices first."


class TaxRateMissing(Conflict):
    detail = "There is no tax rate for this day, neither of the buyer's country nor of the seller's."


class InvoiceExists(Conflict):
    detail = "The payment has its invoice."


class NothingToInvoice(Conflict):
    detail = "Only money that came has an invoice."


class CreditExceedsInvoice(Invalid):
    detail = "Credit notes cannot exceed their invoice."


class NoticeUnknown(Invalid):
    detail = "There is no such text of the notice about withdrawal."


constraint_errors.update(
    {
        "tax_rates_one_a_day": TaxRateOverlaps,
        "uq_invoice_sellers_revision": Busy,
        "uq_billing_addresses_user_id": Busy,
        "uq_invoices_payment_id": InvoiceExists,
    }
)
