"""Webhooks: partners' programs are told of bookings, lessons and payments, signed, and can ask for it again.

A body carries ids and references only, and an address where a service key reads the rest (docs/webhooks.md)."""
