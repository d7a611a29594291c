"""Text messages by Twilio's REST interface, or one that speaks like it."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import urlencode

import config
from guitaronline.notifications.channels import http
from guitaronline.notifications.channels.base import Accepted, Outgoing, Permanent
from guitaronline.notifications.channels.mail import plain
from guitaronline.notifications.channels.smtp import said
from guitaronline.notifications.models import Channel

LENGTH = 320  # two text messages; the whole stands in the mail
ADDRESS_CODES = frozenset(
    {21211, 21214, 21217, 21401, 21407, 21421, 21610, 21612, 21614}
)  # no such number, or not wanted


class Sms:
    channel = Channel.SMS

    def __init__(self, settings: config.Settings) -> None:
        self.settings = settings

    def send(self, outgoing: Outgoing) -> Accepted:
        """Raises Temporary, Permanent, Unknown."""
        settings = self.settings
        url = f"{settings.SMS_API_BASE.rstrip('/')}/2010-04-01/Accounts/{settings.SMS_ACCOUNT}/Messages.json"
        said_to = {"To": outgoing.address, "From": settings.SMS_FROM, "Body": short(outgoing)}
        login = base64.b64encode(f"{settings.SMS_ACCOUNT}:{settings.SMS_TOKEN}".encode()).decode()
        headers = {
            "Authorization": f"Basic {login}",
            "Content-Type": "application/x-www-form-urlencoded",
            "Idempotency-Key": outgoing.reference,
        }
        answer = http.post(url, urlencode(said_to).encode(), headers)
        told = as_json(answer.body)
        words = said(str(told.get("message", "")))
        if answer.status // 100 == 2:
            return Accepted(str(told.get("sid") or outgoing.reference), str(told.get("status", "")))
        http.refuse_by_status(answer, words)
        code = told.get("code")
        raise Permanent(str(code or answer.status), words, is_address=code in ADDRESS_CODES)

    def close(self) -> None:
        """Nothing stays open."""


def short(outgoing: Outgoing) -> str:
    """The subject carries the news; the text follows where there is room."""
    return plain(f"{outgoing.rendered.subject}. {outgoing.rendered.text}", LENGTH)


def as_json(body: bytes) -> dict[str, Any]:
    """What a provider said, empty where it is no JSON object."""
    try:
        told = json.loads(body)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
