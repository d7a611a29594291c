"""Telegram by a bot of the school. The address is the chat's number, known once the person has written to the bot."""

from __future__ import annotations

import json

import config
from guitaronline.notifications.channels import http
from guitaronline.notifications.channels.base import Accepted, Outgoing, Permanent
from guitaronline.notifications.channels.sms import as_json
from guitaronline.notifications.channels.smtp import said
from guitaronline.notifications.models import Channel

LENGTH = 4096  # theirs
GONE = ("chat not found", "bot was blocked", "user is deactivated")


class Telegram:
    channel = Channel.TELEGRAM

    def __init__(self, settings: config.Settings) -> None:
        self.settings = settings

    def send(self, outgoing: Outgoing) -> Accepted:
        """Raises Temporary, Permanent, Unknown."""
        settings = self.settings
        url = f"{settings.TELEGRAM_API_BASE.rstrip('/')}/bot{settings.TELEGRAM_TOKEN}/sendMessage"
        words = f"{outgoing.rendered.subject}\n\n{outgoing.rendered.text}"[:LENGTH]
        body = json.dumps({"chat_id": outgoing.address, "text": words}).encode()
        answer = http.post(url, body, {"Content-Type": "application/json"})
        told = as_json(answer.body)
        description = said(str(told.get("description", "")))
        if answer.status == 200 and told.get("ok") is True:
            result = told.get("result")
            number = result.get("message_id") if isinstance(result, dict) else None
            return Accepted(str(number or outgoing.reference), "ok")
        if any(each in description.lower() for each in GONE):  # 400 or 403
            raise Permanent(str(answer.status), description, is_address=True)
        http.refuse_by_status(answer, description)
        raise Permanent(str(answer.status), description)

    def close(self) -> None:
        """Nothing stays open."""
