"""Crashes are reported to Sentry, or to what speaks its protocol, where SENTRY_DSN says so; otherwise nothing of it is loaded.

A report says what failed and where in the program: the kinds of the errors, the places in the code, the ids of the request or
job, the command. It holds no words of an error, no local variables, no request, no person: `scrubbed` builds what may go from
the little that is allowed, so that a new version of the library cannot add to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg2

import config
from guitaronline import logs, watching

TAGS = ("request_id", "job", "job_id")  # of the log line; ids of ours
EVENT = ("event_id", "timestamp", "level", "platform", "release", "environment", "server_name", "tags", "logger")
FRAME = (
    "filename",
    "abs_path",
    "function",
    "module",
    "lineno",
    "pre_context",
    "context_line",
    "post_context",
    "in_app",
)
FLUSH_SECONDS = 2.0


def init_crash_reports(settings: config.Settings) -> None:
    """Every error that the logs tell as one is reported from now on; once a process, however many applications it makes."""
    if not settings.SENTRY_DSN or report in logs.crash_listeners:
        return
    import sentry_sdk

    sentry_sdk.init(
        dsn=settings.SENTRY_DSN,
        environment=settings.ENVIRONMENT,
        default_integrations=False,  # they patch, and read requests; nothing is reported but what is handed over here
        auto_enabling_integrations=False,
        include_local_variables=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        traces_sample_rate=0.0,
        auto_session_tracking=False,
        send_client_reports=False,
        enable_backpressure_handling=False,
        before_send=scrubbed,  # type: ignore[arg-type]  # their event is a dict to us
    )
    logs.crash_listeners.append(report)


def report(error: BaseException, line: Mapping[str, Any]) -> None:
    import sentry_sdk
    from sentry_sdk.utils import event_from_exception

    event, hint = event_from_exception(error, client_options=sentry_sdk.get_client().options)
    event["tags"] = {name: str(line[name]) for name in TAGS if line.get(name)}
    event["tags"]["command"] = watching.running.get() or "(none)"
    sentry_sdk.capture_event(event, hint=hint)


def scrubbed(event: dict[str, Any], hint: dict[str, Any]) -> dict[str, Any]:
    """The event made anew of what may leave the house."""
    errors = event.get("exception", {}).get("values", [])
    kept = {name: event[name] for name in EVENT if name in event}
    return {**kept, "exception": {"values": [_error(each, hint) for each in errors]}}


def _error(found: Mapping[str, Any], hint: Mapping[str, Any]) -> dict[str, Any]:
    frames = (found.get("stacktrace") or {}).get("frames", [])
    return {
        "type": found.get("type"),
        "module": found.get("module"),
        "value": _facts(found, hint),
        "stacktrace": {"frames": [{name: frame[name] for name in FRAME if name in frame} for frame in frames]},
    }


def _facts(found: Mapping[str, Any], hint: Mapping[str, Any]) -> str:
    """Of a database error its code and constraint; of any other nothing."""
    error = (hint.get("exc_info") or (None, None, None))[1]
    cause = getattr(error, "orig", None) or error
    is_meant = isinstance(cause, psycopg2.Error) and found.get("type") in (type(cause).__name__, type(error).__name__)
    return logs.in_words(cause) if is_meant and cause is not None else ""


def flush() -> None:
    """What was reported so far has left; for processes that end without looking back."""
    if report in logs.crash_listeners:
        import sentry_sdk

        sentry_sdk.flush(timeout=FLUSH_SECONDS)
