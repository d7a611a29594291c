"""Saved views, changed: kept under a name, renamed, shared, made what a role sees first, deleted."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlencode

import flask
from wtforms import HiddenField
from wtforms.validators import Length

from guitaronline.actor import STAFF_ROLES, Actor, Role
from guitaronline.admin import forms, gate, selection, view_tabs
from guitaronline.admin.command_page import CommandPage, Consequences, Done, commands
from guitaronline.errors import NotFound, Reason
from guitaronline.identity.access import Permission
from guitaronline.office import views
from guitaronline.office.view_models import SavedView

LONGEST_QUERY = 4000
ROLES = [(str(role), str(role)) for role in Role if role in STAFF_ROLES]


def desks() -> dict[str, Any]:
    """The lists that the viewer may open, by path."""
    console = flask.current_app.extensions["admin"][0]
    return {path: desk for path, desk in console.desks.items() if gate.may(desk.permission)}


def list_url(desk: str, view: SavedView | None = None) -> str:
    return flask.url_for(f"desk_{desk}.index_view", view=view.id if view else "all")


def asked_in(desk: Any, query: str) -> selection.Asked:
    """What the list's address asked for when somebody chose to keep it."""
    return selection.read(desk, selection.plain(parse_qsl(query, max_num_fields=100)))


def in_words(desk: Any, asked: selection.Asked) -> list[tuple[str, Any]]:
    """What a view shows, one line a filter."""
    by_name = {each.name: each for each in desk.filters}
    filters = asked.selection.filters.items()
    lines: list[tuple[str, Any]] = [(by_name[name].label, by_name[name].shown(value)) for name, value in filters]
    if asked.selection.search:
        lines.append(("Search", asked.selection.search))
    if asked.selection.sort:
        label = next(each.label for each in desk.columns if each.name == asked.selection.sort)
        lines.append(("Sorted by", f"{label}, {'descending' if asked.selection.is_descending else 'ascending'}"))
    return [*lines, ("Columns", ", ".join(each.label for each in asked.columns))]


def chosen_columns(desk: Any, asked: selection.Asked) -> list[str]:
    """Nothing when they are the usual ones: then the view follows what the list usually shows."""
    usual = tuple(each for each in desk.columns if each.is_default)
    return [] if asked.columns == usual else [each.name for each in asked.columns]


class SaveForm(forms.CommandForm):
    linkable = frozenset({"desk", "query"})
    name = forms.line("Name", required=True, most=views.NAME_LENGTH, help="Short: it becomes a tab above the list.")
    desk = forms.SelectField("List")
    query = HiddenField(validators=[Length(max=LONGEST_QUERY), forms.typeable])
    is_shared = forms.BooleanField("Share it with all staff")


class SaveView(CommandPage):
    """Keep what a list shows now."""

    path = "views/new"
    title = "Save this view"
    button = "Save it"
    permission = Permission.OWN_PROFILE
    form = SaveForm

    def back(self, record: Any) -> tuple[str, str]:
        desk = desks().get(flask.request.values.get("desk", ""))
        return (desk.title, list_url(desk.path)) if desk else super().back(record)

    def prepare(self, form: Any, record: Any) -> None:
        form.desk.choices = forms.choices((path, desk.title) for path, desk in desks().items())

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        desk = desks().get(form.desk.data or "")
        if desk is None:
            return Consequences()
        asked = asked_in(desk, form.query.data or "")
        left_out = [Reason("left_out", sentence) for sentence in asked.complaints]
        return Consequences(in_words(desk, asked), blockers=left_out)

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        desk = desks()[form.desk.data]
        asked = asked_in(desk, form.query.data or "")
        return views.save_view(
            actor,
            desk=desk.path,
            name=form.name.data,
            selection=asked.selection.as_json(),
            columns=chosen_columns(desk, asked),
            is_shared=form.is_shared.data,
        )

    def done(self, result: Any) -> Done:
        return Done(f"“{result.name}” is a tab of this list now.", list_url(result.desk, result))


class ViewCommand(CommandPage):
    record = SavedView
    permission = Permission.OWN_PROFILE

    def find(self, record_id: Any) -> Any:
        """Raises NotFound for other people's private views: they look as if they did not exist."""
        found = super().find(record_id)
        if found is not None and not views.may_see(gate.viewer().actor, found):
            raise NotFound("There is no such record.")
        return found

    def refused_because(self, record: Any) -> str | None:
        return None if views.may_change(gate.viewer().actor, record) else views.NotYourView.detail

    def back(self, record: Any) -> tuple[str, str]:
        return record.name, list_url(record.desk, record)

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        desk = desks().get(record.desk)
        if desk is None:
            return Consequences()
        return Consequences(in_words(desk, selection.read(desk, view_tabs.args_of(record))))

    def done(self, result: Any) -> Done:
        return Done(f"“{result.name}” is changed.", list_url(result.desk, result))


class ChangeForm(forms.CommandForm):
    linkable = frozenset({"query"})
    query = HiddenField(validators=[Length(max=LONGEST_QUERY), forms.typeable])


class ChangeView(ViewCommand):
    """Let a view show what its list shows now."""

    path = "views/<uuid:id>/change"
    title = "Keep the changes"
    form = ChangeForm

    def initial(self, record: Any) -> dict[str, Any]:
        return {"query": urlencode(view_tabs.args_of(record))}

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        desk = desks().get(record.desk)
        return Consequences(in_words(desk, asked_in(desk, form.query.data or "")) if desk else [])

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        desk = desks().get(record.desk)
        if desk is None:
            raise NotFound("Your role does not show the list of this view.")
        asked = asked_in(desk, form.query.data or "")
        columns = chosen_columns(desk, asked)
        return views.change_view(actor, record.id, selection=asked.selection.as_json(), columns=columns)


class RenameForm(forms.CommandForm):
    name = forms.line("Name", required=True, most=views.NAME_LENGTH)


class RenameView(ViewCommand):
    path = "views/<uuid:id>/rename"
    title = "Rename"
    form = RenameForm

    def initial(self, record: Any) -> dict[str, Any]:
        return {"name": record.name}

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return views.rename_view(actor, record.id, name=form.name.data)


class ShareView(ViewCommand):
    path = "views/<uuid:id>/share"
    title = "Share with all staff"
    button = "Share it"

    def refused_because(self, record: Any) -> str | None:
        return "It is shared already." if record.is_shared else super().refused_because(record)

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return views.share_view(actor, record.id)


class KeepViewPrivate(ViewCommand):
    path = "views/<uuid:id>/keep"
    title = "Stop sharing"
    lead = "Only its owner sees it afterwards; a role that sees it first sees everything again."

    def refused_because(self, record: Any) -> str | None:
        return super().refused_because(record) if record.is_shared else "It is not shared."

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return views.keep_view_private(actor, record.id)

    def done(self, result: Any) -> Done:
        return Done(f"“{result.name}” is no longer shared.", list_url(result.desk))


class DefaultForm(forms.CommandForm):
    role = forms.choice("Role", ROLES, help="What this role sees first when it opens the list.")


class MakeViewDefault(ViewCommand):
    path = "views/<uuid:id>/make-default"
    title = "Show it to a role first"
    button = "Show it first"
    lead = "It is shared with all staff, and opens when somebody of that role opens the list."
    permission = Permission.ADMINISTER
    form = DefaultForm

    def refused_because(self, record: Any) -> str | None:
        return None

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return views.make_view_default(actor, record.id, role=Role(form.role.data))

    def done(self, result: Any) -> Done:
        return Done(f"“{result.name}” is what {result.default_for} sees first.", list_url(result.desk, result))


class EndViewDefault(ViewCommand):
    path = "views/<uuid:id>/end-default"
    title = "No longer first"
    permission = Permission.ADMINISTER

    def refused_because(self, record: Any) -> str | None:
        return None if record.default_for else "No role sees it first."

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return views.end_view_default(actor, record.id)


class DeleteView(ViewCommand):
    path = "views/<uuid:id>/delete"
    title = "Delete this view"
    tone = "danger"
    lead = "The rows that it shows stay; only the tab goes."

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return views.delete_view(actor, record.id)

    def done(self, result: Any) -> Done:
        return Done("The view is deleted.", list_url(result))


commands.add(
    SaveView,
    ChangeView,
    RenameView,
    ShareView,
    KeepViewPrivate,
    MakeViewDefault,
    EndViewDefault,
    DeleteView,
)
