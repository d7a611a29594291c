"""Every setting once: name, type, default, unit, and why it has that default.

A setting is read from the environment variable of the same name. A value that does not parse or is
out of range stops the start with one message that names every bad setting.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, replace
from typing import Any, get_args, get_origin, get_type_hints
from typing import Literal as OneOf
from urllib.parse import urlsplit
from zoneinfo import available_timezones

MINUTES_PER_DAY = 24 * 60
REPORTS = frozenset({"activity", "payouts", "payout_lines"})
SECRET_LENGTH, SECRET_LETTERS = 32, 10  # 32 random hexadecimal digits have about 14 different ones
KNOWN_SECRETS = (
    "only-for-",
    "changeme",
    "change-me",
    "change_me",
    "secret-key",
    "secret_key",
    "0123456789",
    "password",
)


class BadConfig(Exception):
    """One or more settings cannot be used; the message lists all of them."""


def setting(default: Any, why: str, *, unit: str = "", ge: int | None = None, le: int | None = None) -> Any:
    facts = {"why": why, "unit": unit, "ge": ge, "le": le}
    if callable(default):
        return field(default_factory=default, metadata=facts)
    return field(default=default, metadata=facts)


@dataclass(frozen=True)
class Settings:
    # Where it runs
    ENVIRONMENT: OneOf["embedded", "production", "test"] = setting(
        "embedded", "production refuses every shortcut that is fine on a laptop"
    )
    SECRET_KEY: str = setting(
        lambda: secrets.token_urlsafe(48),
        "signs CSRF tokens and makes the links in mails; a random one lasts until the process ends",
        unit="32+ characters",
    )
    SECRET_KEY_FALLBACKS: str = setting(
        "", "earlier ones: what they signed or sealed is believed until they go from here", unit="comma-separated"
    )
    DATABASE_URL: str = setting("", "application role: may work, may not change the schema or the audit")
    DATABASE_READ_URL: str = setting(
        "",
        "application role on a standby: pages of numbers read there, and all that only read while the primary is away",
    )
    DATABASE_OWNER_URL: str = setting("", "owner role: migrates; used by `flask db` only")
    REDIS_URL: str = setting("", "doorbell for the worker and counters for limits; holds no fact")
    PUBLIC_BASE_URL: str = setting("http://127.0.0.1:8000", "links in messages; never taken from a request")
    TRUSTED_HOSTS: str = setting("127.0.0.1,localhost", "host names that are answered", unit="comma-separated")
    PROXY_COUNT: int = setting(0, "reverse proxies in front whose X-Forwarded-* is believed", ge=0, le=5)
    COOKIE_SECURE: bool = setting(False, "production requires it; plain http on a laptop cannot have it")
    METRICS_TOKEN: str = setting("", "Bearer token for /metrics from elsewhere than loopback; empty = loopback only")
    LOG_LEVEL: OneOf["debug", "info", "warning", "error"] = setting("info", "")
    SLOW_QUERY_MS: int = setting(
        1_000, "a statement that takes longer is logged with its command's name; 0 = none", unit="ms", ge=0, le=600_000
    )
    SENTRY_DSN: str = setting("", "where crashes are reported, without personal data; empty = nowhere")
    WEB_CONCURRENCY: int = setting(2, "web processes", ge=1, le=64)
    WEB_THREADS: int = setting(4, "threads a web process", ge=1, le=64)
    DATABASE_POOL_SIZE: int = setting(8, "connections a web process", ge=1, le=100)

    SCHOOL_TIMEZONE: str = setting(
        "UTC",
        "the school's own days: KPIs are counted by them; after a change every day is counted anew",
        unit="IANA zone",
    )

    # Booking
    BOOKING_HOLD_MINUTES: int = setting(
        10, "a card payment with 3-D Secure takes up to 8", unit="minutes", ge=1, le=MINUTES_PER_DAY
    )
    BOOKING_STAFF_HOLD_MAX_MINUTES: int = setting(
        MINUTES_PER_DAY, "staff may wait for money a day", unit="minutes", ge=1, le=MINUTES_PER_DAY
    )
    BOOKING_MIN_NOTICE_MINUTES: int = setting(
        60, "a teacher must be able to read the message", unit="minutes", ge=0, le=30 * MINUTES_PER_DAY
    )
    BOOKING_HORIZON_DAYS: int = setting(56, "slots are offered 8 weeks ahead", unit="days", ge=1, le=366)
    BOOKING_REFUND_WINDOW_HOURS: int = setting(
        24, "notice with which a canceled lesson goes back", unit="hours", ge=0, le=720
    )
    BOOKING_MAX_LIVE_HOLDS: int = setting(3, "holds one student may have at a time", ge=1, le=100)
    BOOKING_MAX_ACTIVE_PER_STUDENT: int = setting(0, "active bookings in the future; 0 = no limit", ge=0, le=1000)
    BOOKING_MAX_PER_TEACHER_DAY: int = setting(0, "active bookings a teacher and local day; 0 = no limit", ge=0, le=96)
    BOOKING_FIRST_LESSON_FIRST: bool = setting(
        False, "whether a student without a lesson so far books one, takes it, and only then books more"
    )
    WAITLIST_KEEP_MINUTES: int = setting(
        5, "a freed slot is kept for those who wait; the job offers it within seconds", unit="minutes", ge=1, le=60
    )
    WAITLIST_OFFER_MINUTES: int = setting(
        120, "time to take what is offered; then the next in line is asked", unit="minutes", ge=5, le=MINUTES_PER_DAY
    )
    WAITLIST_MAX_PER_STUDENT: int = setting(10, "times that one student waits for at once", ge=1, le=100)
    PACKAGE_REINSTATE_DAYS: int = setting(
        30, "life left to a package that gets a lesson back by the school's fault", unit="days", ge=1, le=366
    )
    UNPAID_CHECKOUT_HOURS: int = setting(24, "after this an unpaid package lapses", unit="hours", ge=1, le=720)
    APPROVAL_ABOVE_MINOR: int = setting(
        50_000,
        "money by hand above this (exclusive, summed per payment) needs a second person",
        unit="minor units",
        ge=0,
    )
    INVOICES: OneOf["on", "off"] = setting(
        "on", "off where another program writes them; none is issued before the settings of invoices say who sells"
    )
    WITHDRAWAL_DAYS: int = setting(
        14,
        "consumers in the EU may withdraw from what they bought at a distance; 0 = no such right",
        unit="days",
        ge=0,
        le=366,
    )

    ONE_PERSON_APPROVALS: bool = setting(
        False,
        "a school of one person: what they ask for above the limit is done by the system 24 hours later, the owner is told",
    )
    OWNER_EMAIL: str = setting(
        "", "told of what one person asks for and nobody else allows; ONE_PERSON_APPROVALS needs it"
    )

    # Payment providers
    PAYMENT_PROVIDER: OneOf["sandbox", "stripe", "manual"] = setting(
        "sandbox", "takes the money of purchases; the sandbox takes play money, and production refuses it"
    )
    STRIPE_SECRET_KEY: str = setting("", "of the account that takes the money; only with `PAYMENT_PROVIDER=stripe`")
    STRIPE_API_BASE: str = setting("https://api.stripe.com", "another address is for tests")
    STRIPE_WEBHOOK_SECRETS: str = setting(
        "", "what their events are signed with; two while one replaces the other", unit="comma-separated"
    )
    STRIPE_REPORTS: str = setting(
        "",
        "fetched every day and imported by themselves: `activity`, `payouts`, `payout_lines` (for automatic payouts); empty = people upload them",
        unit="comma-separated",
    )
    STRIPE_REPORTS_ACCOUNT: str = setting(
        "stripe", "what their account is called in the lines; as it is called where its files were uploaded before"
    )
    SANDBOX_SECRET: str = setting("", "signs the events of the sandbox; made of SECRET_KEY when left out")

    WRITE_OFF_FINANCE_MINOR: int = setting(
        500, "a difference that finance may give up alone; more is escalated", unit="minor units", ge=0
    )
    WRITE_OFF_ADMIN_MINOR: int = setting(
        10_000, "a difference that an admin may give up alone; more needs a real answer", unit="minor units", ge=0
    )
    PAY_STUDENT_NO_SHOWS: bool = setting(True, "the teacher was there; the lesson stays used, and so it is paid")
    PAY_LATE_CANCELS: bool = setting(
        True, "a lesson that the student canceled too late to get it back; the teacher kept the hour free"
    )

    # What people are told
    QUIET_HOURS: str = setting(
        "21:00-08:00",
        "reminders and offers wait for their end, on the clock of whoever gets them; `off` = none",
        unit="from-to",
    )
    REMINDER_HOURS: str = setting(
        "48,2", "how long before a lesson its people are reminded; `off` = never", unit="comma-separated hours"
    )
    DEFAULT_LANGUAGE: OneOf["en", "de"] = setting("en", "of messages to people whose language is not known")
    # How they are told
    MAIL_TRANSPORT: OneOf["catcher", "smtp", "off"] = setting(
        "catcher", "the catcher keeps every mail on this machine, for the console to show; production refuses it"
    )
    SMTP_HOST: str = setting("", "server that takes the mail; of the catcher it is filled in by the run")
    SMTP_PORT: int = setting(0, "0 = the usual one: 465 with `tls`, else 587", ge=0, le=65535)
    SMTP_USER: str = setting("", "empty = the server asks for none")
    SMTP_PASSWORD: str = setting("", "")
    SMTP_TLS: OneOf["none", "starttls", "tls"] = setting(
        "starttls", "none only for a server on the same machine; production refuses it"
    )
    SMTP_TIMEOUT_SECONDS: int = setting(
        15, "for one mail from connecting to the answer; below a third of the lease", unit="seconds", ge=1, le=20
    )
    MAIL_FROM: str = setting("school@school.example", "sender; answers and bounces go there", unit="address")
    MAIL_FROM_NAME: str = setting("GuitarOnline", "shown beside the sender's address")
    MAIL_CONNECTIONS: int = setting(
        2, "of one worker to the server at once, when much is to be sent; a server far away wants more", ge=1, le=20
    )
    MAIL_RATE_PER_SECOND: int = setting(
        0, "what the provider allows, all workers together; 0 = no limit", ge=0, le=10_000
    )
    SMS_API_BASE: str = setting("", "Twilio's REST interface or one like it; empty = no text messages", unit="URL")
    SMS_ACCOUNT: str = setting("", "account SID")
    SMS_TOKEN: str = setting("", "auth token")
    SMS_FROM: str = setting("", "sender: number or name")
    SMS_RATE_PER_SECOND: int = setting(1, "what the provider allows, all workers together; 0 = no limit", ge=0, le=1000)
    TELEGRAM_API_BASE: str = setting("https://api.telegram.org", "another address is for tests", unit="URL")
    TELEGRAM_TOKEN: str = setting("", "of the bot; empty = no Telegram")
    TELEGRAM_RATE_PER_SECOND: int = setting(25, "they allow 30 messages a second; 0 = no limit", ge=0, le=1000)
    MESSAGE_WEBHOOK_SECRETS: str = setting(
        "", "what reports of bounces are signed with; two while one replaces the other", unit="comma-separated"
    )

    # Sign-in
    STAFF_TOTP: OneOf["required", "optional"] = setting("optional", "production requires it")
    SESSION_IDLE_MINUTES: int = setting(30, "console and portal", unit="minutes", ge=1, le=MINUTES_PER_DAY)
    SESSION_MAX_HOURS: int = setting(12, "console and portal, whatever is done", unit="hours", ge=1, le=168)
    ACCESS_TOKEN_MINUTES: int = setting(30, "API", unit="minutes", ge=1, le=MINUTES_PER_DAY)
    REFRESH_TOKEN_IDLE_DAYS: int = setting(30, "API", unit="days", ge=1, le=365)
    REFRESH_TOKEN_MAX_DAYS: int = setting(90, "API, whatever is done", unit="days", ge=1, le=365)
    INVITE_HOURS: int = setting(72, "life of an invitation link", unit="hours", ge=1, le=720)
    RESET_MINUTES: int = setting(
        60,
        "life of a link to choose a new password; who finds the mail later must not use it",
        unit="minutes",
        ge=5,
        le=MINUTES_PER_DAY,
    )
    VERIFY_HOURS: int = setting(72, "life of a link that confirms an address", unit="hours", ge=1, le=720)
    LOGIN_MAX_FAILURES: int = setting(10, "failed sign-ins per account and address within the window", ge=1, le=1000)
    LOGIN_WINDOW_MINUTES: int = setting(15, "", unit="minutes", ge=1, le=MINUTES_PER_DAY)
    ARGON2_TIME_COST: int = setting(2, "RFC 9106 second choice, sized for 2 cores", ge=1, le=20)
    ARGON2_MEMORY_KIB: int = setting(19_456, "OWASP minimum for time cost 2", unit="KiB", ge=8, le=4_194_304)
    LIMITS: OneOf["on", "off"] = setting("on", "off for load tests; refused in production")
    LIMIT_LOGIN_PER_ADDRESS: str = setting("20 per minute", "flask-limiter's notation")
    LIMIT_REGISTER_PER_ADDRESS: str = setting("20 per hour", "flask-limiter's notation")
    LIMIT_API_READ: str = setting("600 per minute", "per person, else per address")
    LIMIT_API_WRITE: str = setting("240 per minute", "per person, else per address")

    # Housekeeping
    IDEMPOTENCY_KEEP_DAYS: int = setting(
        7, "how long a repeated request gets its first answer", unit="days", ge=1, le=90
    )
    OUTBOX_KEEP_DAYS: int = setting(30, "closed events", unit="days", ge=1, le=365)
    EXPORT_KEEP_DAYS: int = setting(7, "files of large lists; who took what stays", unit="days", ge=1, le=90)
    BULK_ROWS_KEEP_DAYS: int = setting(
        90,
        "the results row by row of bulk actions; their counts, and the history of each record, stay",
        unit="days",
        ge=1,
        le=3650,
    )
    MESSAGE_KEEP_DAYS: int = setting(
        365, "what was sent to whom, in words; then messages, bodies and attempts go", unit="days", ge=7, le=3650
    )
    LOCK_TIMEOUT_MS: int = setting(5_000, "waiting longer for a row answers `busy`", unit="ms", ge=10, le=60_000)
    STATEMENT_TIMEOUT_MS: int = setting(15_000, "one statement of a command or page", unit="ms", ge=100, le=600_000)

    # Backups
    BACKUP_DIR: str = setting(
        "", "backups lie there, on another disk than the database; empty = this installation makes none itself"
    )
    BACKUP_KEY_FILE: str = setting(
        "", "seals backups; `flask backup key FILE` makes it, and a copy belongs where the backups are not"
    )
    BACKUP_KEEP: int = setting(14, "the newest ones, by `flask backup`; older ones go", ge=2, le=1000)
    BACKUP_REHEARSE_DAYS: int = setting(
        1,
        "a backup that was never restored is a hope; minutes of two cores for a large school, so it may wait for days",
        unit="days",
        ge=1,
        le=31,
    )

    # Embedded run (`make run`)
    PORT: int = setting(8000, "", ge=1, le=65535)
    WEB_HOST: str = setting("127.0.0.1", "address the web listens on; 0.0.0.0 in a container")
    VAR_DIR: str = setting("./var", "data of the embedded servers, logs, run.env")
    DEMO: bool = setting(True, "load the demo school on first start")
    DEMO_STUDENTS: int = setting(120, "size of the demo school", ge=1, le=5000)

    @property
    def is_production(self) -> bool:
        return self.ENVIRONMENT == "production"

    @property
    def secrets_believed(self) -> tuple[str, ...]:
        """SECRET_KEY, with which everything new is made, and then the earlier ones."""
        earlier = (each.strip() for each in self.SECRET_KEY_FALLBACKS.split(","))
        return (self.SECRET_KEY, *(each for each in earlier if each))

    @property
    def hosts_answered(self) -> list[str]:
        return [host.strip() for host in self.TRUSTED_HOSTS.split(",") if host.strip()]


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """The settings of this process. Raises BadConfig naming every value that cannot be used."""
    environ = os.environ if environ is None else environ
    hints = get_type_hints(Settings)
    values: dict[str, Any] = {}
    wrong: list[str] = []
    for each in fields(Settings):
        raw = environ.get(each.name)
        if raw is None or (raw == "" and _has_default(each)):
            continue
        try:
            values[each.name] = _parse(raw.strip(), hints[each.name], each.metadata)
        except ValueError as error:
            wrong.append(f"{each.name}={raw!r}: {error}")
    settings = Settings(**values)
    if not settings.SANDBOX_SECRET:  # the same in every process that was given the same key
        made = hmac.new(settings.SECRET_KEY.encode(), b"events of the sandbox", hashlib.sha256).hexdigest()
        settings = replace(settings, SANDBOX_SECRET=made)
    if settings.SCHOOL_TIMEZONE not in available_timezones():
        wrong.append(f"SCHOOL_TIMEZONE={settings.SCHOOL_TIMEZONE!r}: must be an IANA zone such as Europe/Berlin")
    if settings.ONE_PERSON_APPROVALS and "@" not in settings.OWNER_EMAIL:
        wrong.append("OWNER_EMAIL: must be an address where ONE_PERSON_APPROVALS is on")
    wrong += _unfit_for_stripe(settings)
    wrong += _unreadable_times(settings)
    wrong += _unfit_for_messages(settings)
    wrong += unfit_for_production(settings, environ) if settings.is_production else []
    if wrong:
        raise BadConfig("cannot start with these settings:\n  " + "\n  ".join(wrong))
    return settings


def _has_default(each: Field[Any]) -> bool:
    return each.default is not MISSING or each.default_factory is not MISSING


def _parse(raw: str, kind: Any, facts: Mapping[str, Any]) -> Any:
    if get_origin(kind) is OneOf:
        if raw not in get_args(kind):
            raise ValueError(f"must be one of {', '.join(get_args(kind))}")
        return raw
    if kind is bool:
        if raw not in ("0", "1", "true", "false"):
            raise ValueError("must be 0 or 1")
        return raw in ("1", "true")
    if kind is int:
        if not (raw.isascii() and raw.isdigit()):
            raise ValueError(f"must be a whole number of {facts['unit'] or 'at least 0'}")
        number = int(raw)
        low, high = facts["ge"], facts["le"]
        if (low is not None and number < low) or (high is not None and number > high):
            raise ValueError(
                f"must be {low if low is not None else '…'} to {high if high is not None else '…'} {facts['unit']}".strip()
            )
        return number
    if "\x00" in raw:
        raise ValueError("must not contain NUL")
    return raw


def _unfit_for_stripe(settings: Settings) -> list[str]:
    needed = ("STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRETS") if settings.PAYMENT_PROVIDER == "stripe" else ()
    unset = [f"{name}: must be set with PAYMENT_PROVIDER=stripe" for name in needed if not getattr(settings, name)]
    asked = {each.strip() for each in settings.STRIPE_REPORTS.split(",")} - {""}
    if asked - REPORTS:
        unset.append(f"STRIPE_REPORTS={settings.STRIPE_REPORTS!r}: must be of {', '.join(sorted(REPORTS))}")
    if asked and not (settings.STRIPE_SECRET_KEY and settings.STRIPE_REPORTS_ACCOUNT):
        unset.append("STRIPE_SECRET_KEY, STRIPE_REPORTS_ACCOUNT: must be set with STRIPE_REPORTS")
    return unset


def _unreadable_times(settings: Settings) -> list[str]:
    clock = r"([01]\d|2[0-3]):[0-5]\d"
    quiet, hours = settings.QUIET_HOURS, settings.REMINDER_HOURS
    is_quiet = quiet == "off" or (re.fullmatch(rf"{clock}-{clock}", quiet, re.ASCII) and quiet[:5] != quiet[6:])
    is_hours = hours == "off" or re.fullmatch(r"[1-9]\d{0,2}(,[1-9]\d{0,2}){0,4}", hours, re.ASCII)
    return [
        message
        for fit, message in (
            (is_quiet, f"QUIET_HOURS={quiet!r}: must be two times of day, like 21:00-08:00, or `off`"),
            (is_hours, f"REMINDER_HOURS={hours!r}: must be up to five whole numbers of hours, like 48,2, or `off`"),
        )
        if not fit
    ]


def _unfit_for_messages(settings: Settings) -> list[str]:
    return [
        message
        for unfit, message in (
            (
                settings.MAIL_TRANSPORT == "smtp" and not settings.SMTP_HOST,
                "SMTP_HOST: must be set with MAIL_TRANSPORT=smtp",
            ),
            ("@" not in settings.MAIL_FROM or not settings.MAIL_FROM.isascii(), "MAIL_FROM: must be an address"),
            (bool(settings.SMTP_PASSWORD) and not settings.SMTP_USER, "SMTP_USER: must be set where SMTP_PASSWORD is"),
            (
                bool(settings.SMS_API_BASE) and not (settings.SMS_ACCOUNT and settings.SMS_TOKEN and settings.SMS_FROM),
                "SMS_ACCOUNT, SMS_TOKEN, SMS_FROM: must be set where SMS_API_BASE is",
            ),
        )
        if unfit
    ]


def unfit_for_production(settings: Settings, environ: Mapping[str, str]) -> list[str]:
    """What stands in the way of production, each with what to do. The start refuses it, `flask check-deploy` tells it."""
    return [
        message
        for unfit, message in (
            (not environ.get("SECRET_KEY"), "SECRET_KEY: set one of 32 or more random characters"),
            (
                any(map(_is_weak, settings.secrets_believed)),
                "SECRET_KEY, SECRET_KEY_FALLBACKS: each must be 32 or more random characters that stand nowhere else (docs/runbooks/key-rotation.md)",
            ),
            (
                settings.SECRET_KEY in settings.secrets_believed[1:],
                "SECRET_KEY_FALLBACKS: must hold earlier secrets only, not SECRET_KEY itself",
            ),
            (
                environ.get("FLASK_DEBUG", "0").lower() not in ("", "0", "false", "no"),
                "FLASK_DEBUG: must not be set; it shows the program to whoever meets an error",
            ),
            (settings.LOG_LEVEL == "debug", "LOG_LEVEL: must be info, warning or error"),
            (not settings.DATABASE_URL, "DATABASE_URL: must be set"),
            (
                bool(settings.DATABASE_OWNER_URL)
                and urlsplit(settings.DATABASE_OWNER_URL).username == urlsplit(settings.DATABASE_URL).username,
                "DATABASE_URL: must be of another role than DATABASE_OWNER_URL, one that may not change the schema or the audit",
            ),
            (not settings.REDIS_URL, "REDIS_URL: must be set"),
            (
                not settings.PUBLIC_BASE_URL.startswith("https://"),
                "PUBLIC_BASE_URL: must be the https address people use",
            ),
            (not _is_own_host_answered(settings), "TRUSTED_HOSTS: must name the host of PUBLIC_BASE_URL, and no `*`"),
            (not settings.COOKIE_SECURE, "COOKIE_SECURE: must be 1"),
            (settings.STAFF_TOTP != "required", "STAFF_TOTP: must be required"),
            (settings.LIMITS != "on", "LIMITS: must be on"),
            (settings.PAYMENT_PROVIDER == "sandbox", "PAYMENT_PROVIDER: must be stripe or manual, not play money"),
            (settings.MAIL_TRANSPORT == "catcher", "MAIL_TRANSPORT: must be smtp or off, not the catcher of a laptop"),
            (
                settings.MAIL_TRANSPORT == "smtp" and settings.SMTP_TLS == "none",
                "SMTP_TLS: must be starttls or tls",
            ),
            (
                settings.PAYMENT_PROVIDER == "stripe" and not settings.STRIPE_API_BASE.startswith("https://"),
                "STRIPE_API_BASE: must be an https address",
            ),
        )
        if unfit
    ]


def _is_weak(secret: str) -> bool:
    """Too short, of few characters, one piece again and again, or one that stands in an example."""
    is_short = len(secret) < SECRET_LENGTH or len(set(secret)) < SECRET_LETTERS
    is_repeated = secret in (secret + secret)[1:-1]
    return is_short or is_repeated or any(known in secret.lower() for known in KNOWN_SECRETS)


def _is_own_host_answered(settings: Settings) -> bool:
    own = urlsplit(settings.PUBLIC_BASE_URL).hostname or ""
    hosts = settings.hosts_answered
    named = own in hosts or any(own.endswith(each) for each in hosts if each.startswith("."))
    return named and not any("*" in each for each in hosts)
