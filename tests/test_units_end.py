"""Steps that a unit of work puts off to its end."""

from __future__ import annotations

from uuid import UUID

import pytest

from guitaronline.errors import Conflict
from guitaronline.identity.models import User
from guitaronline.unit_of_work import Work, command
from tests.world import World, as_actor


@command("test.at_end", on="users")
def noted_at_end(work: Work, user_id: UUID, *, refusal: str = "") -> list[str]:
    """The level says what the person was called when the last step ran."""
    person, seen = work.lock(User, user_id), []

    def last() -> None:
        seen.append(person.full_name)
        person.level = person.full_name

    work.at_end(last)
    person.full_name = "Anna"
    if refusal == "kept":
        raise work.refuse_but_keep(Conflict("no, but what was done stays"))
    if refusal:
        raise Conflict("no")
    return seen


def test_the_last_step_runs_after_everything_else_and_is_committed(world: World) -> None:
    assert noted_at_end(as_actor(world.ada), world.ann.id) == ["Anna"]
    assert world.again(world.ann).level == "Anna"


def test_a_refusal_that_keeps_what_was_done_keeps_the_last_step_too(world: World) -> None:
    with pytest.raises(Conflict):
        noted_at_end(as_actor(world.ada), world.ann.id, refusal="kept")

    assert world.again(world.ann).level == "Anna"


def test_after_a_refusal_no_last_step_has_run(world: World) -> None:
    with pytest.raises(Conflict):
        noted_at_end(as_actor(world.ada), world.ann.id, refusal="whole")

    assert (world.again(world.ann).full_name, world.again(world.ann).level) == ("Ann", None)
