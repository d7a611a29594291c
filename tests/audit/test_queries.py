"""Who did what, as the doors read it."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from guitaronline.actor import SYSTEM
from guitaronline.audit.queries import Filters, actions_page, history_of
from guitaronline.identity.models import User
from guitaronline.unit_of_work import Work, command
from tests.owner import tamper
from tests.world import World, as_actor


@command("test.rename", on="users")
def rename(work: Work, user_id: UUID, *, name: str, reason: str | None = None) -> None:
    work.lock(User, user_id).full_name = name


@command("test.sweep")
def sweep(work: Work, *user_ids: UUID) -> None:
    for user in work.lock_all(User, user_ids):
        user.level = "swept"


def test_history_tells_newest_first_who_did_what_and_why(world: World, db: Session) -> None:
    rename(as_actor(world.ada), world.ann.id, name="Anna", reason="she married")

    newest, first = history_of(db, "users", world.ann.id)

    assert (newest.name, newest.actor_id, newest.actor_kind, newest.reason) == (
        "test.rename",
        world.ada.id,
        "admin",
        "she married",
    )
    [change] = newest.changes
    assert (change.table_name, change.row_id) == ("users", world.ann.id)
    assert {"full_name", "updated_at", "version"} == {name for name, _, _ in change.columns}
    assert first.changes[0].before is None


def test_personal_values_are_clear_only_when_asked_for(world: World, db: Session) -> None:
    rename(SYSTEM, world.ann.id, name="Anna")

    [masked, *_] = history_of(db, "users", world.ann.id)
    [clear, *_] = history_of(db, "users", world.ann.id, clear=True)

    assert masked.changes[0].after is not None
    assert str(masked.changes[0].after["full_name"]).startswith("sha256:")
    assert ("full_name", "Ann", "Anna") in clear.changes[0].columns


def test_erased_values_stay_digests(world: World, db: Session, owner: object) -> None:
    world.ann  # noqa: B018  # made on first use
    db.rollback()
    tamper(owner, "DELETE FROM audit_personal")  # type: ignore[arg-type]

    [entry] = history_of(db, "users", world.ann.id, clear=True)

    assert entry.changes[0].after is not None
    assert str(entry.changes[0].after["full_name"]).startswith("sha256:")


def test_of_a_sweep_a_record_shows_only_its_own_part(world: World, db: Session) -> None:
    sweep(SYSTEM, world.ann.id, world.ben.id)

    [entry, *_] = history_of(db, "users", world.ann.id)

    assert entry.name == "test.sweep"
    assert [change.row_id for change in entry.changes] == [world.ann.id]


def test_an_action_on_a_record_shows_what_it_did_to_others(world: World, db: Session) -> None:
    [entry] = history_of(db, "users", world.tom.id)

    assert {change.table_name for change in entry.changes} == {"users", "teacher_profiles"}


def test_history_is_limited_to_the_newest(world: World, db: Session) -> None:
    for name in ("A", "B", "C"):
        rename(SYSTEM, world.ann.id, name=name, reason=name)

    assert [entry.reason for entry in history_of(db, "users", world.ann.id, limit=2)] == ["C", "B"]


def test_pages_follow_each_other_without_gap_or_repeat(world: World, db: Session) -> None:
    people = [world.ann, world.ben, world.tom, world.tina, world.sue]

    first = actions_page(db, Filters(), limit=3)
    second = actions_page(db, Filters(), limit=3, cursor=first.cursor)

    seen = [entry.record_id for entry in [*first.entries, *second.entries]]
    assert seen == [person.id for person in reversed(people)]
    assert second.cursor is None


def test_actions_are_found_by_actor_record_name_and_time(world: World, db: Session) -> None:
    rename(as_actor(world.ada), world.ann.id, name="Anna", reason="she_married")
    moment = db.execute(text("SELECT max(at) FROM audit_actions")).scalar_one()

    found = {
        how: [entry.reason for entry in actions_page(db, filters).entries]
        for how, filters in {
            "actor": Filters(actor_id=world.ada.id),
            "name": Filters(names=["test.re", "nothing."]),
            "since": Filters(since=moment),
            "wildcards are letters": Filters(names=["test_re"]),
        }.items()
    }

    assert found == {
        "actor": ["she_married"],
        "name": ["she_married"],
        "since": ["she_married"],
        "wildcards are letters": [],
    }
    assert len(actions_page(db, Filters(record_type="users", record_id=world.ann.id)).entries) == 2
    assert moment not in [entry.at for entry in actions_page(db, Filters(until=moment)).entries]
