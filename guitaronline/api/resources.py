"""Every resource, in the order of the documentation."""

from __future__ import annotations

from guitaronline.api import audit, billing, booking, calendar, identity, kpis, lessons, scheduling, teachers
from guitaronline.api import invoices as _of_billing  # noqa: F401
from guitaronline.api import time_off as _of_scheduling  # noqa: F401  # adds itself to the resource of that name
from guitaronline.api import waitlist as _of_booking  # noqa: F401

RESOURCES = [
    module.resource for module in (identity, teachers, scheduling, booking, billing, lessons, calendar, audit, kpis)
]
