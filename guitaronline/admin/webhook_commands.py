"""What is done with webhooks: endpoints made, changed, disabled, enabled; their secrets replaced; deliveries sent again."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from wtforms.validators import InputRequired

from guitaronline.actor import Actor
from guitaronline.admin import forms, gate, show
from guitaronline.admin.command_page import CommandPage, Consequences, Done, commands
from guitaronline.admin.notes import staff
from guitaronline.admin.series_forms import several
from guitaronline.db import session
from guitaronline.identity.access import Permission
from guitaronline.webhooks import again, endpoints
from guitaronline.webhooks.addresses import URL_LENGTH
from guitaronline.webhooks.models import DeliveryStatus, EndpointStatus, WebhookDelivery, WebhookEndpoint
from guitaronline.webhooks.topics import TOPICS


class WebhookCommand(CommandPage):
    permission = Permission.ADMINISTER
    needs_step_up = True

    def done(self, result: Any) -> Done:
        return Done("It is done.", show.record_url("webhook_endpoints", result.id) or "")


class EndpointForm(forms.CommandForm):
    name = forms.line("Partner", required=True, most=endpoints.NAME_LENGTH)
    url = forms.line("Address", required=True, most=URL_LENGTH, help="Begins with https:// and is on the internet.")
    topics = several("Hears of")
    owner_id = forms.choice("Looked after by", [], help="Gets a task when it does not work for days.")
    reason = forms.reason()


class EndpointCommand(WebhookCommand):
    form = EndpointForm

    def initial(self, record: Any) -> dict[str, Any]:
        return {"owner_id": str(gate.viewer().id)}

    def prepare(self, form: Any, record: Any) -> None:
        form.topics.choices = forms.choices((topic, f"{topic} ({words})") for topic, words in TOPICS.items())
        form.owner_id.choices = forms.choices(staff())

    def typed(self, form: Any) -> dict[str, Any]:
        return {
            "name": form.name.data,
            "url": form.url.data,
            "topics": form.topics.data or [],
            "owner_id": UUID(form.owner_id.data),
            "reason": form.reason.data,
        }


class CreateEndpoint(EndpointCommand):
    path = "webhooks/new"
    title = "New webhook"
    parent = "desk_webhooks.index_view"
    button = "Create"
    is_secret = True

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return endpoints.create_endpoint(actor, **self.typed(form))

    def done(self, result: Any) -> Done:
        return _shown(result)


class EditEndpoint(EndpointCommand):
    record = WebhookEndpoint
    path = "webhooks/<uuid:id>/edit"
    title = "Edit"
    button = "Save"
    lead = "What waits goes to the new address. Other events hold for what happens from now on."

    def initial(self, record: Any) -> dict[str, Any]:
        known = {name: getattr(record, name) for name in ("name", "url", "topics")}
        return {**known, "owner_id": str(record.owner_id)}

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return endpoints.edit_endpoint(actor, record.id, **self.typed(form))


class SecretForm(forms.CommandForm):
    overlap_hours = forms.number(
        "The old secret signs on for, hours",
        least=0,
        most=endpoints.OVERLAP_HOURS_MOST,
        help="Until then everything has both signatures; 0: the old one ends at once.",
    )
    reason = forms.reason()


class RotateWebhookSecret(WebhookCommand):
    record = WebhookEndpoint
    path = "webhooks/<uuid:id>/secret"
    title = "New secret"
    button = "Make the new secret"
    form = SecretForm
    is_secret = True
    is_rare = True

    def initial(self, record: Any) -> dict[str, Any]:
        return {"overlap_hours": 24}

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return endpoints.rotate_secret(actor, record.id, overlap_hours=form.overlap_hours.data, reason=form.reason.data)

    def done(self, result: Any) -> Done:
        return _shown(result)


class DisableEndpoint(WebhookCommand):
    record = WebhookEndpoint
    path = "webhooks/<uuid:id>/disable"
    title = "Disable"
    tone = "danger"
    form = forms.ReasonForm
    targets = (EndpointStatus.DISABLED,)

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        return Consequences(
            [
                ("Nothing more is sent", "What waits stays, and goes when it is enabled again."),
                ("What happens meanwhile", "Is not kept for it; replay the time when it is enabled again."),
            ]
        )

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return endpoints.disable_endpoint(actor, record.id, reason=form.reason.data)


class EnableEndpoint(WebhookCommand):
    record = WebhookEndpoint
    path = "webhooks/<uuid:id>/enable"
    title = "Enable"
    form = forms.ReasonForm
    targets = (EndpointStatus.ACTIVE,)

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        return Consequences([("From now on", "What waited goes, and what happens. To send what it missed, replay it.")])

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return endpoints.enable_endpoint(actor, record.id, reason=form.reason.data)


class ReplayForm(forms.CommandForm):
    first_day = forms.DateField("From", validators=[InputRequired("A day is needed.")])
    first_time = forms.TimeField("at", validators=[InputRequired("A time is needed.")])
    last_day = forms.DateField("Until", validators=[InputRequired("A day is needed.")])
    last_time = forms.TimeField("at", validators=[InputRequired("A time is needed.")])
    reason = forms.reason()

    def stretch(self) -> tuple[datetime, datetime] | None:
        """In the viewer's zone; None while a part of it is not typed."""
        first, last = _moment(self.first_day, self.first_time), _moment(self.last_day, self.last_time)
        return (first, last) if first and last else None


def _moment(day: Any, clock: Any) -> datetime | None:
    if day.data is None or clock.data is None:
        return None
    return datetime.combine(day.data, clock.data, show.zone())


class ReplayWebhooks(WebhookCommand):
    record = WebhookEndpoint
    path = "webhooks/<uuid:id>/replay"
    title = "Replay"
    button = "Send it all again"
    form = ReplayForm
    looks = "Look how many"
    lead = "Everything of a stretch of time goes again, with the same ids; also what was missed while it was disabled."

    def initial(self, record: Any) -> dict[str, Any]:
        local = gate.now().astimezone(show.zone())
        moment = local.time().replace(second=0, microsecond=0)
        return {"last_day": local.date(), "last_time": moment}

    def refused_because(self, record: Any) -> str | None:
        return "It is disabled. Enable it first." if record.status is EndpointStatus.DISABLED else None

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        stretch = form.stretch()
        if stretch is None:
            return Consequences()
        problems = again.replay_problems(session(), record, *stretch)
        if problems:
            return Consequences(blockers=problems)
        found = again.outlook(session(), record, *stretch)
        return Consequences(
            [
                ("Time", show.html("{} – {}", show.when(stretch[0]), show.when(stretch[1]))),
                ("Again", f"{found.again} that were delivered, or given up"),
                ("For the first time", f"{found.missed} that were missed"),
            ]
        )

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        since, until = form.stretch()
        return again.replay(actor, record.id, since=since, until=until, reason=form.reason.data)

    def done(self, result: Any) -> Done:
        words = f"{result.again + result.missed} are on their way."
        return Done(words, show.record_url("webhook_endpoints", result.endpoint_id) or "")


class SendWebhookAgain(WebhookCommand):
    record = WebhookDelivery
    path = "webhook-deliveries/<uuid:id>/again"
    title = "Send again"
    form = forms.ReasonForm
    lead = "It goes once more, with the same webhook-id: a program that took it before can tell."

    def heading(self, record: Any) -> str:
        return f"{self.title}: {record.topic}"

    def back(self, record: Any) -> tuple[str, str]:
        return record.topic, show.record_url("webhook_deliveries", record.id) or ""

    def refused_because(self, record: Any) -> str | None:
        if record.status is DeliveryStatus.PENDING:
            return "It has not been delivered yet, and goes by itself."
        return None if record.endpoint.status is EndpointStatus.ACTIVE else "Its endpoint is disabled. Enable it first."

    def consequences(self, actor: Actor, record: Any, form: Any) -> Consequences:
        return Consequences(
            [("To", show.link(record.endpoint)), ("Address", show.html("<code>{}</code>", record.endpoint.url))]
        )

    def act(self, actor: Actor, record: Any, form: Any) -> Any:
        return again.send_again(actor, record.id, reason=form.reason.data)

    def done(self, result: Any) -> Done:
        return Done("It is on its way.", show.record_url("webhook_deliveries", result.id) or "")


def _shown(told: endpoints.Told) -> Done:
    url = show.record_url("webhook_endpoints", told.endpoint.id) or ""
    return Done(f"The secret that signs what is sent to {told.endpoint.name}", url, told.secret)


commands.add(
    CreateEndpoint,
    EditEndpoint,
    RotateWebhookSecret,
    DisableEndpoint,
    EnableEndpoint,
    ReplayWebhooks,
    SendWebhookAgain,
)
