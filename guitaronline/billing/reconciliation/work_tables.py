"""Where a run of the matching works: tables without a log, emptied at its beginning. Technical.

(Not temporary ones: the application's role may make none.)
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Date, String, Table, Text
from sqlalchemy import Uuid as SqlUuid
from sqlalchemy.dialects.postgresql import JSONB

from guitaronline.db import Base


def _table(name: str, **columns: Any) -> Table:
    return Table(name, Base.metadata, *(Column(each, kind) for each, kind in columns.items()), prefixes=["UNLOGGED"])


ID, CURRENCY = SqlUuid(), String(3)

files = _table("matching_files", id=ID, through=Date())
kept = _table("matching_kept", line_id=ID, bank_line_id=ID, payment_id=ID, refund_id=ID, amount_minor=BigInteger())
barred = _table("matching_barred", line_id=ID, other_id=ID)
found = _table(
    "matching_found",
    line_id=ID,
    file_id=ID,
    kind=Text(),
    side=Text(),
    amount_minor=BigInteger(),
    currency=CURRENCY,
    booked_on=Date(),
    payment_id=ID,
    refund_id=ID,
    their_status=Text(),
    rule=Text(),
    seen=Text(),
    verdict=Text(),
)
customers = _table("matching_customers", line_id=ID, student_id=ID)
pairs = _table("matching_pairs", line_id=ID, payment_id=ID, status=Text())
payouts = _table("matching_payouts", line_id=ID, bank_line_id=ID, rule=Text(), is_unique=Boolean())
wrong = _table(
    "matching_wrong",
    category=Text(),
    natural_key=Text(),
    line_id=ID,
    payment_id=ID,
    refund_id=ID,
    file_id=ID,
    currency=CURRENCY,
    value_minor=BigInteger(),
    detail=JSONB(),
    booked_on=Date(),
)

ALL = (files, kept, barred, found, customers, pairs, payouts, wrong)
