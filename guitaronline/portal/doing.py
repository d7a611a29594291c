"""One form, one command: a second click changes nothing, a stale page is told so, and a refusal keeps what was typed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import flask
from flask.typing import ResponseReturnValue

from guitaronline import unit_of_work
from guitaronline.errors import DomainError
from guitaronline.portal.fields import point_out
from guitaronline.signed_in import viewer
from guitaronline.unit_of_work import AlreadyAnswered, Claim, StaleVersion
from guitaronline.web import status_of

DONE_BEFORE = "This was done before; nothing was changed now."
NOT_HASHED = {"csrf_token", "key", "version"}
Again = Callable[[DomainError | None], str]  # the page once more, with the refusal when there is one


def carry_out(
    form: Any,
    act: Callable[[], Any],
    *,
    record: Any = None,
    to: Callable[[Any], str],
    say: Callable[[Any], str],
    again: Again,
) -> ResponseReturnValue:
    """The command was called once and the browser is sent where `to` says; else the page stands again with the reasons."""
    if not form.validate():
        return again(None), 422
    try:
        with _asked_of_unit(record, form, to):
            result = act()
    except AlreadyAnswered as before:
        flask.flash(DONE_BEFORE, "info")
        return flask.redirect(before.answer, 303)
    except StaleVersion as stale:
        form.start_anew(stale.facts["now"])
        return again(stale), 409
    except DomainError as refusal:
        point_out(form, refusal)
        return again(refusal), status_of(refusal)
    flask.flash(say(result), "success")
    return flask.redirect(to(result), 303)


@contextmanager
def _asked_of_unit(record: Any, form: Any, to: Callable[[Any], str]) -> Iterator[None]:
    """The unit of work knows this request's key and the version that the person saw."""
    seen = (record.id, form.version.data) if record is not None and form.version.data is not None else None
    typed = sorted((name, value) for name, value in flask.request.form.items(multi=True) if name not in NOT_HASHED)
    digest = hashlib.sha256(repr(typed).encode("utf-8", "surrogatepass")).digest()
    claim = Claim(viewer().id, "POST", flask.request.path, form.key.data, digest, lambda result: (303, to(result)))
    token = unit_of_work.request.set(replace(unit_of_work.request.get(), claim=claim, expected=seen))
    try:
        yield
    finally:
        unit_of_work.request.reset(token)
