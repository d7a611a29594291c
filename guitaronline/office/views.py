"""Saved views of lists: kept by anybody on staff, shared with everybody, opened first by a role when an admin says so."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session, joinedload

from guitaronline.actor import STAFF_ROLES, Actor, Role
from guitaronline.errors import Conflict, Invalid, NotAllowed, NotFound, Reason
from guitaronline.identity import access
from guitaronline.identity.access import Permission
from guitaronline.identity.rules import text_problems
from guitaronline.office.view_models import SavedView
from guitaronline.unit_of_work import Work, command, constraint_errors

NAME_LENGTH = 60
VIEWS_OF_ONE_LIST = 30  # a person's; more than fit a screen are looked for, not seen
LARGEST_SELECTION = 4000  # bytes of JSON; the longest address a browser keeps
MOST_COLUMNS = 50
VISIBLE = 60  # views of one list that a page reads


class ViewInvalid(Invalid):
    detail = "The view cannot be kept like this."


class ViewNameTaken(Conflict):
    detail = "You have a view of that name on this list. Take another name, or delete the other view first."


class TooManyViews(Conflict):
    detail = f"You have {VIEWS_OF_ONE_LIST} views of this list. Delete one first."


class NotYourView(NotAllowed):
    detail = "Another person keeps this view. Save your own."


class DefaultTaken(Conflict):
    detail = "Somebody else has just chosen what this role sees first. Look again."


constraint_errors["uq_saved_views_name"] = ViewNameTaken
constraint_errors["uq_saved_views_default"] = DefaultTaken


def may_see(actor: Actor, view: SavedView) -> bool:
    return view.is_shared or view.owner_id == actor.id


def may_change(actor: Actor, view: SavedView) -> bool:
    """Its owner; of shared ones an admin too, for people leave and their views stay."""
    return view.owner_id == actor.id or (view.is_shared and access.may(actor, Permission.ADMINISTER))


def visible_views(session: Session, actor: Actor, desk: str) -> list[SavedView]:
    """What the actor may open on that list: first what the role sees first, then their own, then the others' by name."""
    query = (
        select(SavedView)
        .where(SavedView.desk == desk, or_(SavedView.owner_id == actor.id, SavedView.is_shared))
        .order_by(
            (SavedView.default_for == actor.role.value).is_(True).desc(),
            (SavedView.owner_id == actor.id).desc(),
            SavedView.name,
            SavedView.id,
        )
        .limit(VISIBLE)
        .options(joinedload(SavedView.owner))
    )
    return list(session.scalars(query))


@command("view.save", creates="saved_views")
def save_view(
    work: Work,
    *,
    desk: str,
    name: str,
    selection: dict[str, Any],
    columns: Sequence[str] = (),
    is_shared: bool = False,
) -> SavedView:
    """The actor has a view of that name on the list. Raises ViewInvalid, ViewNameTaken, TooManyViews."""
    _require_staff(work.actor)
    _refuse(_name_problems(name) + _size_problems(selection, columns))
    mine = select(func.count()).where(SavedView.owner_id == work.actor.id, SavedView.desk == desk)
    if work.session.scalar(mine) == VIEWS_OF_ONE_LIST:
        raise TooManyViews()
    view = SavedView(
        id=work.record_id,
        owner_id=work.actor.id,
        desk=desk,
        name=name.strip(),
        selection=selection,
        columns=list(columns),
        is_shared=is_shared,
    )
    work.add(view)
    return view


@command("view.change", on="saved_views")
def change_view(work: Work, view_id: UUID, *, selection: dict[str, Any], columns: Sequence[str] = ()) -> SavedView:
    """The view shows this from now on. Raises ViewInvalid, NotYourView, NotFound."""
    view = _own(work, view_id)
    _refuse(_size_problems(selection, columns))
    view.selection, view.columns = selection, list(columns)
    return view


@command("view.rename", on="saved_views")
def rename_view(work: Work, view_id: UUID, *, name: str) -> SavedView:
    """The view has that name. Raises ViewInvalid, ViewNameTaken, NotYourView, NotFound."""
    view = _own(work, view_id)
    _refuse(_name_problems(name))
    view.name = name.strip()
    return view


@command("view.share", on="saved_views")
def share_view(work: Work, view_id: UUID) -> SavedView:
    """All staff see the view. Repeating it changes nothing. Raises NotYourView, NotFound."""
    view = _own(work, view_id)
    view.is_shared = True
    return view


@command("view.keep", on="saved_views")
def keep_view_private(work: Work, view_id: UUID) -> SavedView:
    """Only its owner sees the view, and no role sees it first. Repeating it changes nothing. Raises NotYourView, NotFound."""
    view = _own(work, view_id)
    view.is_shared, view.default_for = False, None
    return view


@command("view.make_default", on="saved_views")
def make_view_default(work: Work, view_id: UUID, *, role: Role) -> SavedView:
    """The role sees this view when it opens the list; what it saw before is a shared view like others.

    Locks both views. Raises ViewInvalid, DefaultTaken, NotFound."""
    access.require(work.actor, Permission.ADMINISTER)
    if role not in STAFF_ROLES:
        _refuse([Reason("role_not_staff", "Only staff open lists.", "Take a role of staff.", "/role")])
    desk = work.find(SavedView, view_id).desk
    before = select(SavedView.id).where(SavedView.desk == desk, SavedView.default_for == role)
    locked = work.lock_all(SavedView, [view_id, *work.session.scalars(before)])
    view = next((each for each in locked if each.id == view_id), None)
    if view is None or not may_see(work.actor, view):
        raise NotFound(record="saved_views", id=str(view_id))
    for each in locked:
        if each.default_for is role:
            each.default_for = None
    work.session.flush()  # the role is free before it is given again
    view.is_shared, view.default_for = True, role
    return view


@command("view.end_default", on="saved_views")
def end_view_default(work: Work, view_id: UUID) -> SavedView:
    """No role sees this view first. Repeating it changes nothing. Raises NotFound."""
    access.require(work.actor, Permission.ADMINISTER)
    view = work.lock(SavedView, view_id)
    view.default_for = None
    return view


@command("view.delete", on="saved_views")
def delete_view(work: Work, view_id: UUID) -> str:
    """The view is gone; answers the list that it was of. Raises NotYourView, NotFound."""
    view = _own(work, view_id)
    desk = view.desk
    work.session.delete(view)
    return desk


def _own(work: Work, view_id: UUID) -> SavedView:
    """The view, locked, which the actor may change."""
    _require_staff(work.actor)
    view = work.lock(SavedView, view_id)
    if may_change(work.actor, view):
        return view
    raise NotYourView() if may_see(work.actor, view) else NotFound(record="saved_views", id=str(view_id))


def _require_staff(actor: Actor) -> None:
    """What one sees of a list is one's own affair, as one's profile is; but only staff see lists."""
    if not actor.is_staff:
        raise NotAllowed()


def _name_problems(name: str) -> list[Reason]:
    if not name.strip():
        return [Reason("name_empty", "The view has no name.", "Give it one.", "/name")]
    return text_problems("name", name.strip(), NAME_LENGTH)


def _size_problems(selection: dict[str, Any], columns: Sequence[str]) -> list[Reason]:
    if len(json.dumps(selection)) <= LARGEST_SELECTION and len(columns) <= MOST_COLUMNS:
        return []
    return [Reason("view_too_large", "That is more than a view can hold.", "Filter less.", "/selection")]


def _refuse(problems: list[Reason]) -> None:
    if problems:
        raise ViewInvalid(reasons=problems)
