"""The inventory of the office's own work, the audit, and what jobs keep."""

from __future__ import annotations

from guitaronline.identity.access import Permission
from guitaronline.privacy.holding import holding
from guitaronline.privacy.people import RECORDS

AUDIT = "for good: the chain proves that nothing was changed"
IN_BULK = " OR ".join(
    f"record_id IN (SELECT id FROM {table} WHERE {condition})" for table, condition in RECORDS
)  # constants
QUOTED = "quotes somebody only where staff searched for them by name: erasure looks for the person's name, address and number"

OFFICE = (
    holding(
        "saved_views",
        kept="until its owner removes it",
        seen=Permission.READ_PEOPLE,
        stays=QUOTED,
        key="id owner_id",
        state="desk name columns is_shared default_for version",
        copy="selection",
        time="created_at updated_at",
    ),
    holding(
        "exports",
        kept="for good: says who took what",
        seen=Permission.EXPORT,
        stays=QUOTED,
        key="id owner_id",
        words="search",
        copy="filters",
        state="desk sort is_descending columns format zone role status rows error version",
        time="finished_at expires_at created_at updated_at",
    ),
    holding(
        "export_runs",
        kept="while a file is made",
        key="export_id",
        technical="attempts lease_token lease_until rows_done rows_total",
    ),
    holding(
        "export_parts",
        kept="EXPORT_KEEP_DAYS",
        seen=Permission.EXPORT,
        stays="a file cannot be changed; all of them are gone after EXPORT_KEEP_DAYS",
        key="export_id",
        state="sequence",
        copy="bytes",
    ),
    holding(
        "bulk_runs",
        kept=AUDIT,
        seen=Permission.RUN_BULK,
        key="id reference owner_id digest undoes_run_id",
        state="action arguments status rows_total rows_done succeeded refused failed stopped_because version",
        reason="reason",
        time="started_at stop_asked_at finished_at undo_until created_at updated_at",
    ),
    holding(
        "bulk_rows",
        kept="BULK_ROWS_KEEP_DAYS",
        seen=Permission.RUN_BULK,
        whose=IN_BULK,
        given="",
        emptied="label='[erased]'; sentence=''",
        key="id run_id record_id result_id",
        name="label",
        words="sentence",
        state="position seen_version status code result_version",
        technical="attempts",
        time="done_at",
    ),
    holding("bulk_queue", kept="while the action runs", key="run_id", technical="lease_token lease_until"),
    holding(
        "idempotency_keys",
        kept="IDEMPOTENCY_KEEP_DAYS",
        whose="user_id = :person OR answer LIKE '%' || CAST(:person AS text) || '%'",
        given="",
        goes=True,
        key="id user_id",
        technical="method path key body_hash http_status",
        copy="answer",
        time="created_at",
    ),
    holding(
        "audit_actions",
        kept=AUDIT,
        seen=Permission.READ_AUDIT,
        whose="actor_id = :person",
        emptied="reason='[erased]'; address=NULL",
        key="id actor_id record_id request_id",
        state="actor_kind name record_type facts",
        words="reason",
        place="address",
        technical="xid",
        time="at recorded_at",
    ),
    holding(
        "audit_changes",
        kept=AUDIT,
        seen=Permission.READ_AUDIT,
        key="id action_id row_id",
        state="table_name before after",  # personal values stand here as digests only
    ),
    holding(
        "audit_personal",
        kept="until the person is erased",
        seen=Permission.READ_MASKED,
        stays="goes with the person that the changed record is about; without its salt nobody can try values on the digest",
        key="change_id",
        secret="salt",  # the name of a column
        copy="before after",
    ),
    holding(
        "audit_redactions",
        kept=AUDIT,
        seen=Permission.READ_AUDIT,
        key="id action_id",
        technical="step whole rest",
    ),
    holding("audit_seals", kept=AUDIT, key="sequence action_id", technical="hash"),
    holding("audit_checkpoints", kept=AUDIT, key="id", technical="sequence changes head", time="at"),
    holding(
        "audit_verifications",
        kept=AUDIT,
        seen=Permission.READ_CHECKS,
        key="id asked_by",
        state="seconds sealed changes unsealed broken",
        time="at sealed_until",
    ),
    holding(
        "check_runs",
        kept="90 days",
        seen=Permission.READ_CHECKS,
        key="id asked_by",
        state="seconds findings",
        time="at",
    ),
    holding(
        "asked_runs",
        kept="90 days",
        key="id asked_by",
        state="kind failed",
        technical="attempts",
        time="asked_at started_at finished_at",
    ),
    holding(
        "job_ticks",
        kept="3 days",
        seen=Permission.READ_AUDIT,
        key="id",
        state="job outcome",
        time="tick_at started_at finished_at",
    ),
    holding(
        "outbox_events",
        kept="OUTBOX_KEEP_DAYS",
        seen=Permission.READ_AUDIT,
        key="id record_id action_id",
        state="topic record_type payload status",
        technical="attempts lease_token lease_until last_error",
        time="created_at available_at closed_at",
    ),
    holding(
        "kpi_days",
        kept="for good; numbers only",
        seen=Permission.READ_KPIS,
        state="metric dimension currency value",
        time="day counted_at",
    ),
    holding(
        "kpi_progress",
        kept="one row",
        key="id",
        technical="timezone cluster counted_until seen_xid change_id ceiling_id ceiling_xid",
        time="looked_at",
    ),
    holding("kpi_touched", kept="until the day is counted again", time="day touched_at"),
)
