"""Where somebody is named in words that belong to others: reasons in the audit, and what staff searched for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from guitaronline.db import array
from guitaronline.privacy.people import RECORDS

ERASED = "[erased]"
SHORTEST = 2  # characters of a name; a single letter would be found in everything
SEARCHED = {  # table → what staff typed into a search
    "exports": "search || ' ' || filters::text",
    "saved_views": "selection::text",
}
LOOKING = """
SELECT id FROM {table} WHERE {words} ~* :names
UNION SELECT c.row_id FROM audit_changes c JOIN audit_personal p ON p.change_id = c.id
 WHERE c.table_name = '{table}' AND concat(p.before, p.after) ~* :names
"""
EMPTIED = {"exports": "search = '', filters = '{}'", "saved_views": "selection = '{}'"}
_OF_THEM = " UNION ALL ".join(
    f"SELECT '{table}' AS record_type, id AS record_id FROM {table} WHERE {condition}"  # constants
    for table, condition in RECORDS
)
ABOUT = text(f"""
SELECT a.id FROM audit_actions a JOIN ({_OF_THEM}) r ON r.record_type = a.record_type AND r.record_id = a.record_id
 WHERE a.reason <> '{ERASED}' AND (a.record_type NOT IN ('payments', 'refunds') OR a.reason ~* CAST(:names AS text))
""")  # constants of this file; ix_audit_actions_record
OWN = text("SELECT id FROM audit_actions WHERE actor_id = :person AND (reason IS NOT NULL OR address IS NOT NULL)")
KNOWN_AS = text("""
SELECT v.value #>> '{}' FROM audit_changes c JOIN audit_personal p ON p.change_id = c.id,
       LATERAL (SELECT * FROM jsonb_each(coalesce(p.before, '{}')) UNION SELECT * FROM jsonb_each(coalesce(p.after, '{}'))) v
 WHERE c.table_name = 'users' AND c.row_id = :person
UNION SELECT unnest(ARRAY[full_name, email, phone]) FROM users WHERE id = :person
""")  # what they were ever called; ix_audit_changes_row


@dataclass(frozen=True)
class Names:
    """Names, addresses and numbers of a person, now and before, as a regular expression of PostgreSQL; None: they have none."""

    pattern: str | None


def known_as(session: Session, person_id: UUID) -> Names:
    found = {each.strip() for each in session.scalars(KNOWN_AS, {"person": person_id}) if each}
    words = sorted(each for each in found if len(each) >= SHORTEST)
    escaped = "|".join(re.sub(r"([^\w\s])", r"\\\1", each) for each in words)
    return Names(rf"(?<!\w)({escaped})(?!\w)" if words else None)


def own_actions(session: Session, person_id: UUID) -> list[UUID]:
    """What they did themselves and said why, or where they sat. ix_audit_actions_actor"""
    return list(session.scalars(OWN, {"person": person_id}))


def actions_about(session: Session, person_id: UUID, names: Names) -> list[UUID]:
    """Actions on their records for which anybody gave a reason; where it is about money, only if it names them."""
    return list(session.scalars(ABOUT, {"person": person_id, "names": names.pattern}))


def quoting_rows(session: Session, names: Names) -> dict[str, list[UUID]]:
    """Exports and saved views in which somebody looks for them, or did: also of a view that is gone. Read whole; they are few."""
    if names.pattern is None:
        return {}
    return {
        table: list(session.scalars(text(LOOKING.format(table=table, words=words)), {"names": names.pattern}))
        for table, words in SEARCHED.items()
    }


def empty(session: Session, rows: dict[str, list[UUID]], *, now: datetime) -> dict[str, int]:
    """Those searches are forgotten; that somebody exported stays."""
    for table, ids in rows.items():
        puts = f"{EMPTIED[table]}, version = version + 1, updated_at = :now"
        query = text(f"UPDATE {table} SET {puts} WHERE id = ANY(CAST(:ids AS uuid[]))")  # constants
        session.execute(query, {"now": now, "ids": array(ids)})
    return {table: len(ids) for table, ids in rows.items()}
