"""Whether a restored database is the school's: the sealed history, the books and every invariant, as its own role sees them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sqlalchemy.exc import DBAPIError

import config
from guitaronline import checks, create_core, logs, policy
from guitaronline.audit import integrity
from guitaronline.db import database, session
from guitaronline.finance import verify as books
from guitaronline.kpis import proof as numbers

TELL_AT_MOST = 20
AS_LONG_AS_IT_TAKES_MS = 3_600_000
# These compare what is stored with the present moment, at which a restored school stands still.
OF_THE_MOMENT = frozenset({"I8 told in time"})


def problems(settings: config.Settings, *, application_url: str) -> list[str]:
    """What does not hold in the database at that address, in sentences without a person in them; empty is the good news.

    Works in an application of its own, as the role that works in the school: what it cannot read is a problem too."""
    before = policy.current()
    restored = replace(
        settings,
        DATABASE_URL=application_url,
        DATABASE_OWNER_URL=application_url,
        DATABASE_READ_URL="",
        STATEMENT_TIMEOUT_MS=AS_LONG_AS_IT_TAKES_MS,
    )
    app = create_core(restored, pool_size=1, max_overflow=1)
    try:
        with app.app_context():
            return [*_all_of_it()][:TELL_AT_MOST]
    except DBAPIError as error:
        return [f"it cannot be read by its own role: {logs.in_words(error)}"]
    finally:
        with app.app_context():
            database.session.remove()
            database.engine.dispose()
        policy.set_current(before)


def _all_of_it() -> Iterator[str]:
    verdict = integrity.verify(session())
    yield from (f"the audit: {sentence}" for sentence in verdict.broken)
    yield from (f"the books: {each.ledger} {each.reference}: {each.words}" for each in books.run(session()))
    session().rollback()
    session().execute(integrity.LONG)
    for check in checks.CHECKS:
        if check.name not in OF_THE_MOMENT and (found := checks.run_one(session(), check)):
            yield f"{check.name}: {len(found)} rows break it: {check.sentence}"
    if found_days := numbers.findings(session()):
        yield f"{numbers.NAME}: {len(found_days)} numbers differ: {numbers.SENTENCE}"
