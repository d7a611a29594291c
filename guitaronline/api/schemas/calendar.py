from __future__ import annotations

from typing import Any

from marshmallow import fields

from guitaronline.api.fields import Output


class FeedAddress(Output):
    url = fields.String(
        required=True,
        metadata={
            "description": "secret, shown once: whoever has it reads the lessons",
            "example": "https://school.example/api/v1/calendar/gol_cf_….ics",
        },
    )


def address_json(url: str) -> dict[str, Any]:
    return {"url": url}
