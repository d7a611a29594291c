"""Invoices, credit notes, receipts and statements, and what they need to know: the seller, addresses, taxes."""
