"""What is in a database, counted: the rows of every table with a checksum, and its shape down to the last grant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg2 import sql

from guitaronline.backups.manifest import Counted, Manifest

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

# A row is compared by its text, which depends on these.
STABLE = (
    "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres'; SET bytea_output = 'hex';"
    " SET extra_float_digits = 1; SET search_path = public, pg_catalog"
)
TABLES = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY relname"
ROWS = "SELECT count(*), coalesce(sum(hashtextextended(whole_row::text, 0)), 0)::text FROM public.{} AS whole_row"
SEQUENCES = "SELECT sequencename, coalesce(last_value, 0) FROM pg_sequences WHERE schemaname = 'public'"
IN_PUBLIC = "relnamespace = 'public'::regnamespace"
OF_NO_EXTENSION = "NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')"
# PostgreSQL writes casts and brackets of an expression otherwise once it has read its own text again.
MEANT = r"regexp_replace({}, '::(text|character varying|bpchar)(\[\])?|[() ]', '', 'g')"
GRANTS_OF = """SELECT '{kind} ' || {name} || ': ' || CASE WHEN a.grantee = 0 THEN 'public' ELSE a.grantee::regrole::text END || ' ' || a.privilege_type AS line
  FROM {source}, aclexplode({acl}) a WHERE a.grantee <> {owner}"""
SHAPE = {
    "columns": f"""SELECT format('%s.%s %s %s %s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid)) AS line
      FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
      LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum WHERE c.relkind = 'r' AND c.{IN_PUBLIC}""",
    "indexes": f"SELECT {MEANT.format('pg_get_indexdef(i.indexrelid)')} AS line FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE c.{IN_PUBLIC} AND i.indisvalid",
    "constraints": f"""SELECT format('%s %s %s', c.relname, k.conname, {MEANT.format("pg_get_constraintdef(k.oid)")}) AS line
      FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid WHERE c.{IN_PUBLIC} AND k.contype <> 'n' AND k.convalidated""",
    "triggers": f"""SELECT t.tgenabled::text || ' ' || pg_get_triggerdef(t.oid) AS line
      FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE c.{IN_PUBLIC} AND NOT t.tgisinternal""",
    "functions": f"""SELECT p.oid::regprocedure::text || ' ' || p.prosecdef || ' ' || coalesce(p.proconfig::text, '') || ' ' || md5(p.prosrc) AS line
      FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace AND {OF_NO_EXTENSION}""",
    "grants": " UNION ALL ".join(
        (
            GRANTS_OF.format(kind="relation", name="c.relname", source="pg_class c", acl="c.relacl", owner="c.relowner")
            + f" AND c.{IN_PUBLIC}",
            GRANTS_OF.format(
                kind="column",
                name="c.relname || '.' || k.attname",
                source="pg_class c JOIN pg_attribute k ON k.attrelid = c.oid",
                acl="k.attacl",
                owner="c.relowner",
            )
            + f" AND c.{IN_PUBLIC}",
            GRANTS_OF.format(
                kind="function",
                name="p.oid::regprocedure::text",
                source="pg_proc p",
                acl="coalesce(p.proacl, acldefault('f', p.proowner))",
                owner="p.proowner",
            )
            + f" AND p.pronamespace = 'public'::regnamespace AND {OF_NO_EXTENSION}",
        )
    ),
}
DIGEST = "SELECT count(*), md5(coalesce(string_agg(line, E'\\n' ORDER BY line COLLATE \"C\"), '')) FROM ({}) found"


def tables(cursor: Cursor) -> dict[str, Counted]:
    """Every table with the number of its rows and their checksum. Reads everything."""
    cursor.execute(STABLE)
    cursor.execute(TABLES)
    return {name: _table(cursor, name) for (name,) in cursor.fetchall()}


def _table(cursor: Cursor, name: str) -> Counted:
    cursor.execute(sql.SQL(ROWS).format(sql.Identifier(name)))
    return Counted(*_row(cursor))


def shape(cursor: Cursor) -> dict[str, Counted]:
    """Columns, indexes, constraints, triggers, functions and grants: their number, and a digest of what they say."""
    cursor.execute(STABLE)
    return {kind: _digest(cursor, query) for kind, query in SHAPE.items()}


def _digest(cursor: Cursor, query: str) -> Counted:
    cursor.execute(DIGEST.format(query))
    return Counted(*_row(cursor))


def _row(cursor: Cursor) -> tuple[int, str]:
    row = cursor.fetchone()
    assert row is not None
    return row[0], row[1]


def sequences(cursor: Cursor) -> dict[str, int]:
    """How far each sequence is; 0 where it was never used."""
    cursor.execute(SEQUENCES)
    return dict(cursor.fetchall())


def differences(manifest: Manifest, cursor: Cursor, *, server_major: int) -> list[str]:
    """What a restored database has otherwise than its backup says, in sentences; empty is the good news."""
    found = tables(cursor)
    wrong = [
        sentence
        for name in sorted({*manifest.tables, *found})
        if (sentence := _otherwise(f"table {name}", "rows", manifest.tables.get(name), found.get(name)))
    ]
    for kind, counted in shape(cursor).items():
        meant = manifest.shape.get(kind)
        if meant and server_major != manifest.server_major:  # another version words the same thing otherwise
            meant = Counted(meant.number, counted.checksum)
        if sentence := _otherwise(kind, "", meant, counted):
            wrong.append(sentence)
    far = sequences(cursor)
    wrong += [f"sequence {name} is behind" for name, value in manifest.sequences.items() if far.get(name, -1) < value]
    return wrong


def _otherwise(what: str, of: str, meant: Counted | None, found: Counted | None) -> str:
    if meant is None:
        return f"{what} is not in the backup"
    if found is None:
        return f"{what} is missing"
    if meant.number != found.number:
        return f"{what}: {found.number} {of}".rstrip() + f", the backup had {meant.number}"
    return "" if meant == found else f"{what}: what they say is not what the backup had"
