"""Reading what a provider reports: a JSON object of our own simple shape, Twilio's form, or a bounce mail (RFC 3464)."""

from __future__ import annotations

import email
import email.policy
import json
import re
from dataclasses import dataclass
from email.message import EmailMessage, Message
from typing import Any
from urllib.parse import parse_qs

from guitaronline.notifications.channels.smtp import said

REFERENCE = re.compile(r"<[^<>\s]{3,250}>")
FAILED_FOR_GOOD = re.compile(r"5\.\d+\.\d+")
SMS_FAILED = frozenset({"failed", "undelivered"})
LENGTH = 250


@dataclass(frozen=True)
class Bounce:
    """A message that did not arrive after all. `reference`: its Message-ID, or the provider's id."""

    reference: str
    code: str
    answer: str


def event_id_of(raw: bytes) -> str | None:
    """The report's own id, where it has one."""
    told = _json(raw)
    found = told.get("id") if told else None
    return found[:LENGTH] if isinstance(found, str) and found else None


def bounce_in(raw: bytes) -> Bounce | None:
    """None: it reports nothing that changes what we know (delivered, delayed, opened). Raises ValueError when it is no report."""
    told = _json(raw)
    if told is not None:
        return _of_json(told)
    if raw[:400].startswith((b"MessageSid=", b"SmsSid=", b"AccountSid=")) or b"&MessageSid=" in raw[:4000]:
        return _of_form(raw)
    return _of_mail(email.message_from_bytes(raw, policy=email.policy.default))


def _of_json(told: dict[str, Any]) -> Bounce | None:
    kind, reference = told.get("kind"), told.get("reference")
    if not isinstance(kind, str) or not isinstance(reference, str) or not reference:
        raise ValueError("kind and reference are needed")
    if kind != "bounce":
        return None
    return Bounce(reference[:LENGTH], str(told.get("code") or "bounced")[:20], said(str(told.get("detail") or "")))


def _of_form(raw: bytes) -> Bounce | None:
    form = parse_qs(raw.decode("utf-8", "replace"), max_num_fields=100)
    status, reference = form.get("MessageStatus", [""])[0], form.get("MessageSid", [""])[0]
    if not reference:
        raise ValueError("no MessageSid")
    code = form.get("ErrorCode", ["bounced"])[0]
    return Bounce(reference[:LENGTH], code[:20], status) if status in SMS_FAILED else None


def _of_mail(mail: Message) -> Bounce | None:
    if mail.get_content_type() != "multipart/report":
        raise ValueError("no report")
    parts = list(mail.walk())
    reports = [part for part in parts if part.get_content_type() == "message/delivery-status"]
    fields = [block for report in reports for block in report.get_payload() if isinstance(block, Message)]
    failed = [each for each in fields if str(each.get("Action", "")).strip().lower() == "failed"]
    if not failed:
        return None
    status = FAILED_FOR_GOOD.search(str(failed[0].get("Status", "")))
    reference = _reference_in(parts)
    if status is None or reference is None:
        return None
    return Bounce(reference, status[0], said(str(failed[0].get("Diagnostic-Code", ""))))


def _reference_in(parts: list[Message]) -> str | None:
    """The Message-ID of the mail that came back, whole or as headers only."""
    for part in parts:
        kind = part.get_content_type()
        if kind == "text/rfc822-headers" and isinstance(part, EmailMessage):
            found = REFERENCE.search(str(email.message_from_string(str(part.get_content())).get("Message-ID", "")))
        elif kind == "message/rfc822":
            inner = part.get_payload(0)
            found = REFERENCE.search(str(inner.get("Message-ID", "")) if isinstance(inner, Message) else "")
        else:
            continue
        if found:
            return found[0]
    return None


def _json(raw: bytes) -> dict[str, Any] | None:
    if raw.lstrip()[:1] != b"{":
        return None
    try:
        told = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) else None
