"""Every door is in a table of rights, or the application does not start.

Routes of the console and the portal name a permission (their gates refuse to stand otherwise), those of the API say who they
admit, and the few doors before anybody has signed in stand in OPEN below, each with the reason. What many records are done
with at once goes by the permission of the action, on its page as in its command. Jobs: `jobs/triggers.py`.
"""

from __future__ import annotations

from collections.abc import Iterator

from flask import Flask

from guitaronline.admin import gate as console
from guitaronline.admin.bulk import BulkPage
from guitaronline.admin.command_page import commands
from guitaronline.api.endpoint import Who
from guitaronline.identity.access import KEY_SCOPES, TABLE, KeyScope, Permission
from guitaronline.office.bulk_actions import ACTIONS
from guitaronline.portal import gate as portal

OPEN = {  # endpoint → why nobody has to be signed in
    "static": "files of the pages; they say nothing about anybody",
    "auth.root": "says what this is and where to sign in",
    "auth.sign_in": "the way in",
    "auth.sign_out": "ends a session, whosever it is",
    "auth.stay_signed_in": "answers only whom a session belongs to",
    "links.forgot": "the way back in; says the same to everybody",
    "links.invitation": "the token of the mail decides",
    "links.reset": "the token of the mail decides",
    "links.verify": "the token of the mail decides",
    "links.change_address": "the token of the mail decides",
    "links.undo_address": "the token of the mail decides",
    "unsubscribe": "the token of the mail decides",
    "thank_you": "says thanks, and nothing about the payment",
    "checkout.page": "play money; the token of the payment decides",
    "checkout.decide": "play money; the token of the payment decides",
    "health.alive": "whether the process is up",
    "health.ready": "whether everything that it needs is there",
    "health.metrics": "from this machine, or with METRICS_TOKEN",
    "openapi": "the description of the API",
    "api_docs": "the same, to be read",
}


class RightsIncomplete(RuntimeError):
    """Something can be reached, and no table says by whom; the message names it."""


def check(app: Flask) -> None:
    """Called when everything stands. Raises RightsIncomplete."""
    missing = [*unnamed_routes(app), *unfit_bulk(), *unfit_tables()]
    if missing:
        raise RightsIncomplete("cannot start, rights are not complete:\n  " + "\n  ".join(missing))


def unnamed_routes(app: Flask) -> Iterator[str]:
    known = set(OPEN) | set(console.console_endpoints(app)) | set(portal.portal_endpoints(app))
    for rule in app.url_map.iter_rules():
        if rule.endpoint not in known and not isinstance(getattr(app.view_functions[rule.endpoint], "who", None), Who):
            yield f"{rule.rule} ({rule.endpoint}): name its permission, or say in OPEN why it needs none"


def unfit_bulk() -> Iterator[str]:
    """An action without a page is an undoing; one whose page asks for less than it does would be a back door."""
    for page in commands.pages:
        if isinstance(page, BulkPage) and page.permission is not ACTIONS[page.action].permission:
            yield f"{page.name}: asks for another permission than the bulk action {page.action}"


def unfit_tables() -> Iterator[str]:
    yield from (f"{each.name}: has no line in TABLE" for each in Permission if each not in TABLE)
    yield from (f"{each}: has no line in KEY_SCOPES" for each in KeyScope if each not in KEY_SCOPES)
