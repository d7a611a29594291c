"""Who reads a file now: claimed by lease, prolonged as the reading goes on, taken over when a worker was killed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import select, text

from guitaronline import db
from guitaronline.actor import SYSTEM
from guitaronline.billing.settlements import importing
from guitaronline.billing.settlements.models import FileStatus, SettlementFile, SettlementRun
from guitaronline.billing.settlements.refusals import TakenOver

LEASE = timedelta(seconds=120)  # prolonged after each part; the last statement of a million lines takes some seconds
ATTEMPTS_MOST = 3

CLAIM = text("""
UPDATE settlement_runs SET attempts = attempts + 1, lease_token = :token, lease_until = clock_timestamp() + :lease, bytes_done = 0
 WHERE file_id = (SELECT file_id FROM settlement_runs
                    WHERE lease_until IS NULL OR lease_until < clock_timestamp()
                    ORDER BY file_id LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING file_id, attempts
""")
LET_GO = text(
    "UPDATE settlement_runs SET lease_token = NULL, lease_until = NULL, attempts = attempts - 1"
    " WHERE file_id = :file_id AND lease_token = :token"
)
GO_ON = "UPDATE settlement_runs SET bytes_done = %s, lease_until = clock_timestamp() + %s WHERE file_id = %s AND lease_token = %s"


@dataclass(frozen=True)
class Claimed:
    file_id: UUID
    token: UUID
    attempts: int

    @property
    def is_hopeless(self) -> bool:
        """Begun often enough, and never ended."""
        return self.attempts > ATTEMPTS_MOST

    def went_on(self, bytes_done: int) -> None:
        """The lease is prolonged, on a connection of its own. Raises TakenOver when it is not ours any more."""
        with db.quick(alone=True) as connection:
            connection.run(GO_ON, (bytes_done, LEASE, self.file_id, self.token))
            if not connection.cursor.rowcount:
                raise TakenOver()


def claim(token: UUID) -> Claimed | None:
    """The file that waits longest, ours until the lease ends."""
    with db.technical_transaction() as current:
        row = current.execute(CLAIM, {"token": token, "lease": LEASE}).one_or_none()
    return Claimed(row.file_id, token, row.attempts) if row else None


def let_go(claimed: Claimed) -> None:
    """Somebody else may take it at once, and the attempt does not count."""
    with db.technical_transaction() as current:
        current.execute(LET_GO, {"file_id": claimed.file_id, "token": claimed.token})


def carry_out(claimed: Claimed) -> SettlementFile:
    """The file is one step further: checked, imported or refused. Raises TakenOver, Busy."""
    if claimed.is_hopeless:
        why = f"Reading it was begun {ATTEMPTS_MOST} times and never came to an end."
        return importing.give_up(SYSTEM, claimed.file_id, token=claimed.token, why=why)
    status = db.session().scalar(select(SettlementFile.status).where(SettlementFile.id == claimed.file_id))
    step = importing.import_file if status is FileStatus.CONFIRMED else importing.check_file
    return step(SYSTEM, claimed.file_id, token=claimed.token, went_on=claimed.went_on)


def progress_of(file_ids: list[UUID]) -> dict[UUID, int]:
    """How many bytes of those files have been read that wait or are being read."""
    if not file_ids:
        return {}
    found = db.session().execute(
        select(SettlementRun.file_id, SettlementRun.bytes_done).where(SettlementRun.file_id.in_(file_ids))
    )
    return {row.file_id: row.bytes_done for row in found}
