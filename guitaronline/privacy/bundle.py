"""One person's data as a ZIP: an index to read, and each table as CSV and JSON. What it holds is said by the inventory.

Other people stand in it by their id only. Secrets, leases and raw bytes of others are left out.
"""

from __future__ import annotations

import csv
import html
import io
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time
from tempfile import TemporaryFile
from typing import IO, Any
from uuid import UUID
from zipfile import ZIP_DEFLATED, ZipFile
from zoneinfo import ZoneInfo

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from guitaronline.db import Base
from guitaronline.identity.models import User
from guitaronline.office import files
from guitaronline.privacy.holding import Holding
from guitaronline.privacy.inventory import CHAPTERS

MOST_ROWS = 100_000  # of one table; nobody has so many, and a worker's memory has an end
SHOWN = 200  # rows of a table in the index; the files have all
STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem}"
    "table{border-collapse:collapse;font-size:.85rem}td,th{border:1px solid #ccc;padding:.25rem .5rem;text-align:left;"
    "vertical-align:top}div{overflow-x:auto}.kept{color:#555}"
)


@contextmanager
def made(
    session: Session, person: User, *, zone: str, tell: Callable[[int], object]
) -> Iterator[tuple[IO[bytes], int]]:
    """The file, to be read from its beginning, and how many rows it has. `tell` hears after each table how many so far."""
    person_id, reference, name = person.id, person.reference, person.full_name
    page = [_head(reference, name, session.scalar(text("SELECT clock_timestamp()")), ZoneInfo(zone))]
    total = 0
    with TemporaryFile(prefix="person-") as file:
        with ZipFile(file, "w", ZIP_DEFLATED) as archive:
            for chapter, holdings in CHAPTERS.items():
                page.append(f"<h2>{html.escape(chapter)}</h2>")
                for holding in [each for each in holdings if each.given and each.given_out]:
                    rows = _rows(session, holding, person_id)
                    total += len(rows)
                    if rows:
                        _write(archive, holding, rows)
                        page.append(_section(holding, rows))
                    tell(total)
            archive.writestr("index.html", "\n".join([*page, "</body></html>"]))
        file.seek(0)
        yield file, total


def _rows(session: Session, holding: Holding, person_id: UUID) -> Sequence[Sequence[Any]]:
    table = Base.metadata.tables[holding.table]
    query = select(*[table.c[name] for name in holding.given_out]).where(text(f"({holding.given})"))
    if "id" in table.c:
        query = query.order_by(table.c.id)  # by when it was made
    return session.execute(query.limit(MOST_ROWS), {"person": person_id}).all()


def _write(archive: ZipFile, holding: Holding, rows: Sequence[Sequence[Any]]) -> None:
    names = holding.given_out
    written = io.StringIO(newline="")
    writer = csv.writer(written, lineterminator="\r\n")
    writer.writerow(names)
    writer.writerows([files.safe(_said(value)) for value in row] for row in rows)
    archive.writestr(f"{holding.table}.csv", files.BOM + written.getvalue().encode())
    objects = [{name: _plain(value) for name, value in zip(names, row, strict=True)} for row in rows]
    archive.writestr(f"{holding.table}.json", json.dumps(objects, ensure_ascii=False, indent=1))


def _plain(value: Any) -> Any:
    """As JSON has it."""
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value if isinstance(value, str | int | float | bool | dict | None) else str(value)


def _said(value: Any) -> str:
    plain = _plain(value)
    if plain is None:
        return ""
    return json.dumps(plain, ensure_ascii=False) if isinstance(plain, dict | list) else str(plain)


def _head(reference: str, name: str, now: datetime, zone: ZoneInfo) -> str:
    title = html.escape(f"Data about {name or reference} ({reference})")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style></head><body>'
        f"<h1>{title}</h1><p>As it stood on {now.astimezone(zone):%Y-%m-%d at %H:%M} ({zone.key}). Times below are UTC. "
        "Each table is in this archive twice: .csv for spreadsheets, .json for programs. "
        "Other people stand here by their ids only.</p>"
    )


def _section(holding: Holding, rows: Sequence[Sequence[Any]]) -> str:
    head = "".join(f"<th>{_words(name)}</th>" for name in holding.given_out)
    body = "".join(
        f"<tr>{''.join(f'<td>{html.escape(_said(value))}</td>' for value in row)}</tr>" for row in rows[:SHOWN]
    )
    more = f"<p>The first {SHOWN} of {len(rows)}; the files have all.</p>" if len(rows) > SHOWN else ""
    kept = f'<p class="kept">Kept: {html.escape(holding.kept)}.</p>'
    return f"<h3>{_words(holding.table)}</h3>{kept}{more}<div><table><tr>{head}</tr>{body}</table></div>"


def _words(name: str) -> str:
    return html.escape(name.replace("_", " "))
