"""What the office leaves in the console itself: views of lists that all share, a list taken along as a file, a bulk action."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import func, select

from guitaronline.billing.models import Payment
from guitaronline.db import session
from guitaronline.demo.stage import School
from guitaronline.identity.access import Permission
from guitaronline.office import bulk, bulk_forecast
from guitaronline.office.export_models import ExportFormat
from guitaronline.office.exports import Wanted, record_export
from guitaronline.office.views import save_view

VIEWS = (
    ("bookings", "Lessons of the next 7 days", {"day": "next 7 days", "state": "confirmed"}),
    ("lessons", "No outcome yet", {"outcome": "missing"}),
    ("payments", "Money to come", {"state": "pending"}),
)
BLOCK = "slots.block"


def run(school: School) -> None:
    """Plan what the office does at its desks; the bulk action waits for the worker of the first start."""
    school.on(school.ago(4), partial(_views, school))
    school.on(school.ago(1), partial(_file, school))
    school.on(school.ago(minutes=2), partial(_block_together, school))


def _views(school: School, _: datetime) -> None:
    for desk, name, filters in VIEWS:
        selection = {"search": "", "filters": filters, "sort": "", "is_descending": False}
        save_view(school.support, desk=desk, name=name, selection=selection, is_shared=True)


def _file(school: School, _: datetime) -> None:
    columns = ("reference", "student", "amount_minor", "status", "paid_at")
    wanted = Wanted("payments", Permission.READ_PAYMENTS, columns, ExportFormat.CSV, "UTC")
    rows = session().scalar(select(func.count()).select_from(Payment)) or 0
    record_export(school.finance, wanted=wanted, rows=rows, reason="for the accountant")


def _block_together(school: School, moment: datetime) -> None:
    teacher = school.teachers[0]
    places = [place for place in teacher.places if place.free and place.start > moment + timedelta(days=15)][:3]
    for place in places:
        place.free = False
    ids = [place.slot_id for place in places]
    forecasts = bulk.foresee(session(), school.support, BLOCK, ids, arguments={}, now=moment)
    agreed = bulk_forecast.digest(BLOCK, {}, forecasts)
    session().rollback()
    bulk.request_bulk(school.support, action=BLOCK, record_ids=ids, arguments={}, digest=agreed, reason="recital week")
