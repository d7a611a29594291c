"""/notifications: what people are told."""

from __future__ import annotations

from guitaronline.api.endpoint import Resource

resource = Resource("notifications", "What people are told")
