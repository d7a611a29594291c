"""Every resource, in the order of the documentation."""

from __future__ import annotations

from guitaronline.api import audit, billing, booking, calendar, identity, kpis, lessons, scheduling, teachers

RESOURCES = [
    module.resource for module in (identity, teachers, scheduling, booking, billing, lessons, calendar, audit, kpis)
]
