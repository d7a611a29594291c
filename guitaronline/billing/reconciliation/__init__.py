"""Reconciliation: what the school says of its money and what providers and banks say of it are made to agree, or explained."""
