"""Guards taken away, for the canaries: a run with one of these must go red. Never imported but by the harness."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import text


def forget_answers() -> None:
    """An Idempotency-Key is claimed, and its answer is not kept with the effect."""
    from guitaronline import unit_of_work

    unit_of_work._answer = lambda work, result: None


def close_before_telling() -> None:
    """An event counts as told from the moment at which it is claimed."""
    from guitaronline.db import technical_transaction
    from jobs import outbox

    claim = outbox.claim

    def claimed(token: Any) -> Any:
        events = claim(token)
        with technical_transaction() as session:
            session.execute(
                text("UPDATE outbox_events SET status = 'done', closed_at = clock_timestamp() WHERE id = ANY(:ids)"),
                {"ids": [each.id for each in events]},
            )
        return events

    outbox.claim = claimed  # type: ignore[assignment]


def no_locks() -> None:
    """Rows are read and not locked; `school.without_locks` does the same to the functions in the database."""
    from guitaronline.booking import facts
    from guitaronline.unit_of_work import Work

    def unlocked(work: Work, model: Any, record_ids: Any) -> list[Any]:
        return [work.find(model, each) for each in sorted(set(record_ids))]

    Work.lock_all = unlocked  # type: ignore[method-assign]
    facts._student_locked, facts._place_locked = facts._student, facts._place
    read = facts.read_wallet

    def unlocked_wallet(session: Any, *, lock: bool = False, **more: Any) -> Any:
        return read(session, **more)

    facts.read_wallet = unlocked_wallet


def no_second_try() -> None:
    """A command that met a deadlock is not begun again."""
    from guitaronline import unit_of_work

    unit_of_work.RETRIES = 0


def lapsed_holds_stay() -> None:
    """Who comes by does not expire the lapsed hold that is in the way."""
    from guitaronline import unit_of_work
    from guitaronline.booking import steps

    steps.release_lapsed = lambda work, scene: None
    unit_of_work._try_shortcut = lambda work, shortcut: None


def late_is_early() -> None:
    """Notice is not looked at: every canceled lesson returns."""
    from datetime import timedelta

    from guitaronline.booking import cancellation

    cancellation.timedelta = lambda hours: timedelta(0)  # type: ignore[assignment,misc]


def refunds_take_nothing() -> None:
    """A refund leaves the lessons that it pays back."""
    from guitaronline.billing import rules

    rules.lessons_to_revoke = lambda *args, **more: 0


SABOTAGES: dict[str, Callable[[], None]] = {
    each.__name__: each
    for each in (
        forget_answers,
        close_before_telling,
        no_locks,
        no_second_try,
        lapsed_holds_stay,
        late_is_early,
        refunds_take_nothing,
    )
}


def begin(name: str | None) -> None:
    """The guard of that name is gone in this process."""
    if name:
        SABOTAGES[name]()
