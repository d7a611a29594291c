"""Service keys of partners: made, replaced and revoked; the whole of a key is shown once."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import literal
from sqlalchemy.orm import joinedload

from guitaronline.actor import Actor
from guitaronline.admin import exported_rights, forms, gate, show
from guitaronline.admin.ahead import Ahead
from guitaronline.admin.base import Column, Desk
from guitaronline.admin.command_page import CommandPage, Consequences, Done, button_of, buttons_of, commands
from guitaronline.admin.filters import Choice, contains
from guitaronline.admin.record_page import Page, Section, facts, rows, whole
from guitaronline.admin.series_forms import several
from guitaronline.db import session
from guitaronline.identity import service_keys
from guitaronline.identity.access import KEY_SCOPES, KeyScope, Permission
from guitaronline.identity.key_models import ServiceKey
from guitaronline.identity.service_keys import DAYS_MOST, OVERLAP_HOURS_MOST, SOON, KeyState, state_of

MEANINGS = {
    KeyState.ACTIVE: "calls with it are answered",
    KeyState.EXPIRED: "its time is over",
    KeyState.REVOKED: "somebody ended it",
}
LAST_USES = Ahead[UUID, Any]("last_uses", lambda ids: service_keys.last_uses(session(), ids))
SUCCESSORS = Ahead[UUID, UUID]("successors", lambda ids: service_keys.successor_of(session(), ids))


def state(key: ServiceKey) -> Any:
    found = state_of(key, gate.now())
    chip = show.chip(found, MEANINGS[found])
    if found is KeyState.ACTIVE and key.expires_at - gate.now() < SOON:
        return show.html('{} <span class="badge chip bg-orange-lt">ends soon</span>', chip)
    return chip


def last_used(key: ServiceKey) -> Any:
    moment = LAST_USES.of(key.id)
    return show.stamp(moment) if moment else "never"


def shown_prefix(key: ServiceKey) -> Any:
    return show.html("<code>{}{}_…</code>", service_keys.BEGINS, key.prefix)


class ServiceKeysDesk(Desk):
    model_of = ServiceKey
    path = "service-keys"
    title = "Service keys"
    one = "Service key"
    permission = Permission.READ_SETTINGS
    intro = "Programs of partners call the API with a key of their own, for what the key was made for."
    empty = "No program of a partner has a key yet."
    search_words = "Name"
    columns = (
        Column("name", "Program", show.link, sort=ServiceKey.name),
        Column("prefix", "Key", shown_prefix),
        Column("scopes", "May", lambda key: show.joined(key.scopes)),
        Column("state", "State", state),
        Column("last_used_at", "Last used", last_used),
        Column("expires_at", "Ends", lambda key: show.stamp(key.expires_at)),
        Column("created_by", "Made by", lambda key: show.link(key.maker)),
        Column("id", "Made", lambda key: show.stamp(key.created_at), sort=ServiceKey.id),
    )
    filters = (
        Choice("state", "State", list(KeyState), lambda value: service_keys.is_in_state(value, gate.now())),
        Choice("scope", "May", list(KeyScope), lambda value: literal(value) == ServiceKey.scopes.any_()),
    )
    exported = exported_rights.SERVICE_KEYS
    default_order = (ServiceKey.id, True)
    load = (joinedload(ServiceKey.maker),)
    row_actions = staticmethod(buttons_of)

    def prepare_rows(self, rows: list[Any]) -> None:
        LAST_USES.look(each.id for each in rows)
        SUCCESSORS.look(each.id for each in rows)

    def search_clauses(self, words: str) -> list[Any]:
        return [contains(ServiceKey.name, words)]

    def list_extras(self) -> dict[str, Any]:
        return {"buttons": [button_of(commands.named(CreateServiceKey))]}

    def record_page(self, key: Any) -> dict[str, Any]:
        successor = SUCCESSORS.of(key.id)
        found = facts(
            ("Key", shown_prefix(key)),
            ("Last used", last_used(key)),
            ("Ends", show.when(key.expires_at)),
            ("Revoked", show.when(key.revoked_at) if key.revoked_at else None),
            ("Made", show.when(key.created_at)),
            ("By", show.link(key.maker)),
            ("Took over from", show.link_to("service_keys", key.replaces_id, "this key") if key.replaces_id else None),
            ("Replaced by", show.link_to("service_keys", successor, "this key") if successor else None),
        )
        may = rows(key.scopes, str, lambda scope: show.joined(_words(scope)))
        return whole(key, Page(found, state=state(key), sections=[Section("What it may", ("Scope", "Opens"), may)]))


def _words(scope: str) -> list[str]:
    return sorted(each.value for each in KEY_SCOPES.get(scope, ()))  # type: ignore[call-overload]


class KeyForm(forms.CommandForm):
    name = forms.line("Program", required=True, most=service_keys.NAME_LENGTH, help="Whose it is and what it does.")
    scopes = several("It may", help="As little as it needs. Contacts of people, money going out and settings: never.")
    days = forms.number("Ends after, days", least=1, most=DAYS_MOST)
    reason = forms.reason()


class KeyCommand(CommandPage):
    permission = Permission.ADMINISTER
    needs_step_up = True


class CreateServiceKey(KeyCommand):
    path = "service-keys/new"
    title = "New service key"
    parent = "desk_service-keys.index_view"
    button = "Make the key"
    form = KeyForm
    is_secret = True

    def initial(self, record: Any) -> dict[str, Any]:
        return {"days": 180}

    def prepare(self, form: Any, record: Any) -> None:
        form.scopes.choices = forms.choices((each, f"{each} ({', '.join(_words(each))})") for each in KeyScope)

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service_keys.create_service_key(
            actor,
            name=form.name.data,
            scopes=form.scopes.data or [],
            days=form.days.data,
            reason=form.reason.data,
        )

    def done(self, result: Any) -> Done:
        return _shown(result)


class RotateForm(forms.CommandForm):
    days = forms.number("The new key ends after, days", least=1, most=DAYS_MOST)
    overlap_hours = forms.number(
        "The old key works on for, hours",
        least=0,
        most=OVERLAP_HOURS_MOST,
        help="Time for the partner to change over; 0: none.",
    )
    reason = forms.reason()


class RotateServiceKey(KeyCommand):
    record = ServiceKey
    path = "service-keys/<uuid:id>/rotate"
    title = "Replace"
    button = "Make the new key"
    form = RotateForm
    is_secret = True

    def initial(self, record: Any) -> dict[str, Any]:
        return {"days": 180, "overlap_hours": 48}

    def refused_because(self, record: Any) -> str | None:
        found = state_of(record, gate.now())
        if found is not KeyState.ACTIVE:
            return f"It is {found}: {MEANINGS[found]}."
        return "Another key has taken over from it already." if SUCCESSORS.of(record.id) else None

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        return Consequences(
            [
                ("The new key", f"For {record.name}, with the same scopes: {', '.join(record.scopes)}."),
                ("The old key", "Works on for the hours below, at most until its own end."),
            ]
        )

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service_keys.rotate_service_key(
            actor,
            record.id,
            days=form.days.data,
            overlap_hours=form.overlap_hours.data,
            reason=form.reason.data,
        )

    def done(self, result: Any) -> Done:
        return _shown(result)


class RevokeServiceKey(KeyCommand):
    record = ServiceKey
    path = "service-keys/<uuid:id>/revoke"
    title = "Revoke"
    tone = "danger"
    form = forms.ReasonForm

    def refused_because(self, record: Any) -> str | None:
        return "It is revoked already." if record.revoked_at is not None else None

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        return Consequences([("The program", "Is refused from its next call on."), ("Last used", last_used(record))])

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return service_keys.revoke_service_key(actor, record.id, reason=form.reason.data)

    def done(self, result: Any) -> Done:
        return Done(
            f"The key of {result.name} is worth nothing any more.", show.record_url("service_keys", result.id) or ""
        )


def _shown(issued: service_keys.Issued) -> Done:
    key = issued.key
    return Done(f"The key of {key.name}", show.record_url("service_keys", key.id) or "", issued.whole)


commands.add(CreateServiceKey, RotateServiceKey, RevokeServiceKey)
