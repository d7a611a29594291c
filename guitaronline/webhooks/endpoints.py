"""Endpoints: made, changed, disabled and enabled by people; disabled by the system when they do not work for days."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import text

from guitaronline import policy
from guitaronline.actor import STAFF_ROLES
from guitaronline.errors import Reason
from guitaronline.identity import access, rules
from guitaronline.identity.access import Permission
from guitaronline.identity.models import Task, TaskStatus, User
from guitaronline.unit_of_work import Work, command
from guitaronline.webhooks import signing
from guitaronline.webhooks.addresses import url_problems
from guitaronline.webhooks.models import EndpointStatus, WebhookEndpoint
from guitaronline.webhooks.refusals import EndpointInvalid, ReasonRequired
from guitaronline.webhooks.topics import TOPICS

NAME_LENGTH = 100
OVERLAP_HOURS_MOST = 7 * 24
WORKS_AGAIN = text("UPDATE webhook_health SET failing_since = NULL WHERE id = :id")


@dataclass(frozen=True)
class Told:
    """An endpoint with a new secret, which is shown this once."""

    endpoint: WebhookEndpoint
    secret: str


@command("webhook.create", creates="webhook_endpoints")
def create_endpoint(work: Work, *, name: str, url: str, topics: Collection[str], owner_id: UUID, reason: str) -> Told:
    """What happens from now on is sent there. Raises EndpointInvalid with every reason, ReasonRequired."""
    _require(work, reason)
    _refuse(work, name, url, topics, owner_id)
    secret = signing.new_secret()
    endpoint = WebhookEndpoint(
        id=work.record_id,
        name=name.strip(),
        url=url,
        topics=sorted(set(topics)),
        status=EndpointStatus.ACTIVE,
        owner_id=owner_id,
        secret_sealed=signing.seal(secret),
    )
    work.create(endpoint)
    return Told(endpoint, secret)


@command("webhook.edit", on="webhook_endpoints")
def edit_endpoint(
    work: Work, endpoint_id: UUID, *, name: str, url: str, topics: Collection[str], owner_id: UUID, reason: str
) -> WebhookEndpoint:
    """What waits goes to the new address; other topics hold for what happens from now on. Locks the endpoint.

    Raises EndpointInvalid, ReasonRequired."""
    _require(work, reason)
    endpoint = work.lock(WebhookEndpoint, endpoint_id)
    _refuse(work, name, url, topics, owner_id)
    endpoint.name, endpoint.url, endpoint.owner_id = name.strip(), url, owner_id
    endpoint.topics = sorted(set(topics))
    return endpoint


@command("webhook.rotate_secret", on="webhook_endpoints")
def rotate_secret(work: Work, endpoint_id: UUID, *, overlap_hours: int, reason: str) -> Told:
    """Everything is signed with a new secret; for `overlap_hours` with the old one too. One still older signs no more.

    Locks the endpoint. Raises EndpointInvalid, ReasonRequired."""
    _require(work, reason)
    if not 0 <= overlap_hours <= OVERLAP_HOURS_MOST:
        words = f"The old secret signs 0 to {OVERLAP_HOURS_MOST} hours more."
        raise EndpointInvalid(reasons=[Reason("overlap_out_of_range", words, "", "/overlap_hours")])
    endpoint = work.lock(WebhookEndpoint, endpoint_id)
    secret, keeps = signing.new_secret(), overlap_hours > 0
    endpoint.former_secret_sealed = endpoint.secret_sealed if keeps else None
    endpoint.former_until = work.now + timedelta(hours=overlap_hours) if keeps else None
    endpoint.secret_sealed = signing.seal(secret)
    return Told(endpoint, secret)


@command("webhook.disable", on="webhook_endpoints")
def disable_endpoint(work: Work, endpoint_id: UUID, *, reason: str) -> WebhookEndpoint:
    """Nothing more is sent there; what waits stays. Repeat: no-op. Locks the endpoint. Raises ReasonRequired."""
    _require(work, reason)
    endpoint = work.lock(WebhookEndpoint, endpoint_id)
    if endpoint.status is EndpointStatus.ACTIVE:
        _disable(work, endpoint, reason)
    return endpoint


@command("webhook.enable", on="webhook_endpoints")
def enable_endpoint(work: Work, endpoint_id: UUID, *, reason: str) -> WebhookEndpoint:
    """What waited goes, and what happens from now on. Repeat: no-op. Locks the endpoint. Raises ReasonRequired."""
    _require(work, reason)
    endpoint = work.lock(WebhookEndpoint, endpoint_id)
    if endpoint.status is EndpointStatus.DISABLED:
        endpoint.disabled_because = None
        work.move(endpoint, EndpointStatus.ACTIVE)
        work.session.execute(WORKS_AGAIN, {"id": endpoint.id})  # its days of failing are counted anew
    return endpoint


@command("webhook.give_up", on="webhook_endpoints", quiet=True)
def give_up_endpoint(work: Work, endpoint_id: UUID, *, reason: str) -> bool:
    """It is disabled and its owner has a task, unless it is disabled already. Locks the endpoint."""
    access.require(work.actor, Permission.ADMINISTER)
    endpoint = work.lock(WebhookEndpoint, endpoint_id)
    if endpoint.status is not EndpointStatus.ACTIVE:
        return False
    _disable(work, endpoint, reason)
    task = Task(
        record_type=WebhookEndpoint.__tablename__,
        record_id=endpoint.id,
        title=f"Webhooks to {endpoint.name} are disabled: talk to the partner, enable it, replay",
        owner_id=endpoint.owner_id,
        due_on=work.now.astimezone(ZoneInfo(policy.current().SCHOOL_TIMEZONE)).date(),
        status=TaskStatus.OPEN,
    )
    work.create(task)
    return True


def _disable(work: Work, endpoint: WebhookEndpoint, reason: str) -> None:
    endpoint.disabled_because = reason.strip()
    work.move(endpoint, EndpointStatus.DISABLED)


def _require(work: Work, reason: str) -> None:
    access.require(work.actor, Permission.ADMINISTER)
    if not reason.strip():
        raise ReasonRequired(reasons=[Reason("reason_required", ReasonRequired.detail, "", "/reason")])


def _refuse(work: Work, name: str, url: str, topics: Collection[str], owner_id: UUID) -> None:
    problems = rules.text_problems("name", name, NAME_LENGTH) + url_problems(url)
    if not name.strip():
        problems.append(Reason("name_empty", "An endpoint is named after whose it is.", "Name it.", "/name"))
    unknown = sorted(set(topics) - set(TOPICS))
    if unknown or not topics:
        words = f"There is no event {', '.join(unknown)}." if unknown else "It would never hear anything."
        problems.append(Reason("topics_unfit", words, "Choose at least one.", "/topics"))
    owner = work.session.get(User, owner_id, populate_existing=True)
    if owner is None or owner.role not in STAFF_ROLES or not owner.is_active:
        problems.append(Reason("owner_not_staff", "It is looked after by an active member of staff.", "", "/owner_id"))
    if problems:
        raise EndpointInvalid(reasons=problems)
