"""Saved views: whose they are, who sees them, and what a role sees first."""

from __future__ import annotations

import pytest
from flask import Flask
from psycopg2.extensions import connection as Connection

from guitaronline.actor import Role
from guitaronline.db import session
from guitaronline.errors import Invalid, NotAllowed, NotFound
from guitaronline.office import views
from guitaronline.office.view_models import SavedView
from tests.concurrency import at_once, done
from tests.world import World, as_actor

HELD = {"search": "", "filters": {"state": "hold"}, "sort": "", "is_descending": False}


def saved(world: World, who: str = "sue", name: str = "Held", **more: object) -> SavedView:
    return views.save_view(as_actor(getattr(world, who)), desk="bookings", name=name, selection=HELD, **more)  # type: ignore[arg-type]


def names_for(world: World, who: str) -> list[str]:
    session().rollback()
    return [each.name for each in views.visible_views(session(), as_actor(getattr(world, who)), "bookings")]


@pytest.mark.parametrize("who", ["sue", "finn", "audrey", "ada"])
def test_everybody_on_staff_keeps_views(world: World, who: str) -> None:
    view = saved(world, who)

    assert world.again(view).owner_id == getattr(world, who).id
    assert names_for(world, who) == ["Held"]


@pytest.mark.parametrize("who", ["ann", "tom"])
def test_nobody_else_does(world: World, who: str) -> None:
    with pytest.raises(NotAllowed):
        saved(world, who)


def test_a_view_is_its_owners_alone_until_it_is_shared(world: World) -> None:
    view = saved(world)
    before = names_for(world, "finn")

    views.share_view(as_actor(world.sue), view.id)

    assert (before, names_for(world, "finn")) == ([], ["Held"])


def test_what_is_no_longer_shared_is_nobody_elses_and_no_role_sees_it_first(world: World) -> None:
    view = saved(world)
    views.make_view_default(as_actor(world.ada), views.share_view(as_actor(world.sue), view.id).id, role=Role.FINANCE)

    views.keep_view_private(as_actor(world.sue), view.id)

    assert world.again(view).default_for is None
    assert names_for(world, "finn") == []


def test_another_persons_private_view_looks_as_if_it_did_not_exist(world: World) -> None:
    view = saved(world)

    with pytest.raises(NotFound):
        views.rename_view(as_actor(world.ada), view.id, name="Mine now")


def test_another_persons_shared_view_is_not_changed(world: World) -> None:
    view = saved(world, is_shared=True)

    with pytest.raises(views.NotYourView):
        views.change_view(as_actor(world.finn), view.id, selection={})


def test_an_admin_tidies_up_shared_views(world: World) -> None:
    view = saved(world, is_shared=True)

    views.delete_view(as_actor(world.ada), view.id)

    assert names_for(world, "sue") == []


def test_a_name_is_given_once_a_list_and_person(world: World) -> None:
    saved(world)
    saved(world, "finn")

    with pytest.raises(views.ViewNameTaken):
        saved(world)


@pytest.mark.parametrize("name", ["", "   ", "x" * 61, "a\x00b"])
def test_a_view_has_a_name_that_fits_a_tab(world: World, name: str) -> None:
    with pytest.raises(Invalid):
        saved(world, name=name)


def test_a_view_holds_no_more_than_an_address(world: World) -> None:
    with pytest.raises(views.ViewInvalid):
        views.save_view(as_actor(world.sue), desk="bookings", name="Big", selection={"search": "x" * 5000})


def test_a_person_keeps_no_more_views_than_can_be_seen(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "VIEWS_OF_ONE_LIST", 1)
    saved(world)

    with pytest.raises(views.TooManyViews):
        saved(world, name="One more")


def test_only_an_admin_decides_what_a_role_sees_first(world: World) -> None:
    view = saved(world, is_shared=True)

    with pytest.raises(NotAllowed):
        views.make_view_default(as_actor(world.sue), view.id, role=Role.SUPPORT)


def test_a_role_sees_one_view_first_and_the_one_before_is_like_others(world: World) -> None:
    first, second = saved(world, "ada", "First"), saved(world, "ada", "Second")
    views.make_view_default(as_actor(world.ada), first.id, role=Role.SUPPORT)

    views.make_view_default(as_actor(world.ada), second.id, role=Role.SUPPORT)

    assert (world.again(first).default_for, world.again(second).default_for) == (None, Role.SUPPORT)
    assert names_for(world, "sue") == ["Second", "First"]


def test_a_role_that_is_not_staff_sees_no_lists(world: World) -> None:
    view = saved(world, "ada")

    with pytest.raises(views.ViewInvalid):
        views.make_view_default(as_actor(world.ada), view.id, role=Role.STUDENT)


def test_two_admins_at_once_leave_one_view_first(app: Flask, world: World, owner: Connection) -> None:
    """Each looks before the other writes; without the unique index both views would be the first."""
    ada = as_actor(world.ada)
    one, two = saved(world, "ada", "One").id, saved(world, "ada", "Two").id

    results = at_once(
        app,
        lambda: views.make_view_default(ada, one, role=Role.SUPPORT),
        lambda: views.make_view_default(ada, two, role=Role.SUPPORT),
    )

    with owner.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM saved_views WHERE default_for = 'support'")
        assert cursor.fetchone() == (1,)
    assert done(results)


def test_what_people_search_for_stands_in_the_audit_as_a_digest(world: World, owner: Connection) -> None:
    views.save_view(as_actor(world.sue), desk="people", name="Her", selection={"search": "Ann Secret"})

    with owner.cursor() as cursor:
        cursor.execute("SELECT after ->> 'selection' FROM audit_changes WHERE table_name = 'saved_views'")
        found = cursor.fetchall()

    assert [value.startswith("sha256:") for (value,) in found] == [True]
