"""The JSON API, version 1. `init_api` is all that the app needs to know of it."""

from __future__ import annotations

from flask import Flask


def init_api(app: Flask) -> None:
    """The app answers below /api/v1 and at /docs."""
    from guitaronline.api import auth, docs, errors, json, limits, openapi
    from guitaronline.api.resources import RESOURCES
    from guitaronline.extensions import csrf

    app.json = json.StrictProvider(app)
    app.session_interface = auth.SessionOutsideApi()
    errors.init_errors(app)
    limits.init_limits(app)
    api = openapi.init_openapi(app)
    for resource in RESOURCES:
        csrf.exempt(resource)  # cookies mean nothing here
        api.register_blueprint(resource)
    docs.init_docs(app)
