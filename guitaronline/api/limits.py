"""How often one person, else one address, may call. Counts stand in Redis, in memory while that is down."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import Flask, current_app, request
from flask_limiter import Limiter, RateLimitExceeded
from limits import parse_many
from redis.backoff import NoBackoff
from redis.retry import Retry

import config
from guitaronline import policy
from guitaronline.api.auth import caller
from guitaronline.api.errors import TooManyRequests

REDIS_SECONDS = 0.25  # waiting longer for a counter costs more than the counter is worth
READING = frozenset({"GET", "HEAD"})
SETTINGS = ("LIMIT_LOGIN_PER_ADDRESS", "LIMIT_REGISTER_PER_ADDRESS", "LIMIT_API_READ", "LIMIT_API_WRITE")


@dataclass(frozen=True)
class Limits:
    """Each counts the present request and raises RateLimitExceeded; `limiter` knows when there is room again."""

    limiter: Limiter
    read: Callable[[], None]
    write: Callable[[], None]
    login: Callable[[], None]
    register: Callable[[], None]


def init_limits(app: Flask) -> None:
    """Raises BadConfig when a limit cannot be read: an unreadable one would otherwise mean none at all."""
    settings: config.Settings = app.config["SETTINGS"]
    for name in SETTINGS:
        try:
            parse_many(getattr(settings, name))
        except ValueError:
            raise config.BadConfig(f"{name}={getattr(settings, name)!r}: must be like `20 per minute`") from None
    app.config.update(RATELIMIT_ENABLED=settings.LIMITS == "on")
    limiter = Limiter(
        person_or_address,
        storage_uri=settings.REDIS_URL or "memory://",
        storage_options=_options(settings),
        in_memory_fallback_enabled=True,
        key_prefix="api",
    )
    limiter.init_app(app)
    app.extensions["api_limits"] = Limits(
        limiter,
        read=_counter(limiter, "read", lambda: policy.current().LIMIT_API_READ, person_or_address),
        write=_counter(limiter, "write", lambda: policy.current().LIMIT_API_WRITE, person_or_address),
        login=_counter(limiter, "login", lambda: policy.current().LIMIT_LOGIN_PER_ADDRESS, address),
        register=_counter(limiter, "register", lambda: policy.current().LIMIT_REGISTER_PER_ADDRESS, address),
    )


def count(special: str | None = None) -> None:
    """Counts this request against its limit. Raises TooManyRequests."""
    limits: Limits = current_app.extensions["api_limits"]
    if not limits.limiter.enabled:
        return
    try:
        (limits.read if request.method in READING else limits.write)()
        if special is not None:
            getattr(limits, special)()
    except RateLimitExceeded:
        found = limits.limiter.current_limit
        raise TooManyRequests(retry_after=max(1, int(found.reset_at - time.time()) + 1) if found else 60) from None


def person_or_address() -> str:
    person = caller().id
    return str(person) if person else address()


def address() -> str:
    return request.remote_addr or "nowhere"


def _counter(limiter: Limiter, name: str, limit: Callable[[], str], key: Callable[[], str]) -> Callable[[], None]:
    def counted() -> None:
        pass

    counted.__qualname__ = f"api_{name}"  # flask-limiter keeps limits by this name
    decorated: Callable[[], None] = limiter.shared_limit(limit, scope=f"api-{name}", key_func=key)(counted)
    return decorated


def _options(settings: config.Settings) -> dict[str, Any]:
    if not settings.REDIS_URL:
        return {}
    return {"socket_timeout": REDIS_SECONDS, "socket_connect_timeout": REDIS_SECONDS, "retry": Retry(NoBackoff(), 0)}
