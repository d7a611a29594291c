"""What a person should know before a file is imported, because no rule can decide it: is this the account that they mean, and
were these movements told of before in another form? Lines that are there once stay."""

from __future__ import annotations

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from guitaronline.billing.settlements.models import FileKind, FileStatus, SettlementFile

BY_BANKS = (FileKind.CAMT053, FileKind.MT940, FileKind.BANK_CSV)
SHOWN_MOST = 3


def is_first_of_its_account(session: Session, file: SettlementFile) -> bool:
    """Nothing was imported of the account so far. Index: ix_settlement_files_account."""
    query = select(SettlementFile.id).where(
        SettlementFile.account == file.account, SettlementFile.status == FileStatus.IMPORTED
    )
    return file.account is not None and session.scalar(query.limit(1)) is None


def told_of_before(session: Session, file: SettlementFile) -> list[SettlementFile]:
    """Imported files of the same account and days that are read in another way than this one.

    Each kind of file knows a bank's movement by another id, so what both tell would be there twice.
    Index: ix_settlement_files_account."""
    if file.kind not in BY_BANKS or file.first_on is None:
        return []
    query = select(SettlementFile).where(
        SettlementFile.account == file.account,
        SettlementFile.status == FileStatus.IMPORTED,
        SettlementFile.first_on <= file.last_on,
        SettlementFile.last_on >= file.first_on,
        or_(SettlementFile.kind != file.kind, SettlementFile.mapping.is_distinct_from(file.mapping)),
    )
    return list(session.scalars(query.order_by(SettlementFile.id).limit(SHOWN_MOST)))
