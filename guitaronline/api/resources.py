"""Every resource, in the order of the documentation."""

from __future__ import annotations

from guitaronline.api import (
    audit,
    billing,
    booking,
    calendar,
    identity,
    kpis,
    lessons,
    message_reports,
    notifications,
    scheduling,
    teachers,
)
from guitaronline.api import delivery as _delivery  # noqa: F401
from guitaronline.api import invoices as _invoices  # noqa: F401  # these add themselves to a resource above
from guitaronline.api import purchases as _purchases  # noqa: F401
from guitaronline.api import time_off as _time_off  # noqa: F401
from guitaronline.api import waitlist as _waitlist  # noqa: F401

RESOURCES = [
    module.resource
    for module in (
        identity,
        teachers,
        scheduling,
        booking,
        billing,
        lessons,
        calendar,
        notifications,
        message_reports,
        audit,
        kpis,
    )
]
