"""The mail server of the embedded run: takes everything, delivers nothing, keeps it for the console."""

from __future__ import annotations

import smtplib
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import config
from guitaronline.local import catcher, supervisor
from guitaronline.local.ports import free_port
from tests.jobs.processes import Processes, eventually

MAIL = "From: school@school.example\r\nTo: ann@people.example\r\nSubject: x\r\n\r\n.\r\nbye\r\n"


@pytest.fixture
def port(run: Processes) -> Iterator[int]:
    chosen = free_port()
    started: subprocess.Popen[bytes] = run.start("guitaronline.local.catcher", SMTP_PORT=str(chosen))
    eventually(lambda: answers(chosen))
    yield chosen
    started.terminate()
    assert started.wait(10) == 0


def answers(port: int) -> bool:
    try:
        with smtplib.SMTP("127.0.0.1", port, timeout=2, local_hostname="x"):
            return True
    except OSError:
        return False


def test_a_mail_becomes_a_file_of_its_owner_only(port: int, run: Processes) -> None:
    with smtplib.SMTP("127.0.0.1", port, local_hostname="x") as server:
        server.sendmail("school@school.example", ["ann@people.example"], MAIL)

    [kept] = (run.place / "mail").iterdir()
    assert (kept.suffix, stat.S_IMODE(kept.stat().st_mode)) == (".eml", 0o600)
    assert kept.read_bytes() == MAIL.encode()


def test_a_mailbox_that_is_nowhere_is_refused(port: int) -> None:
    with (
        smtplib.SMTP("127.0.0.1", port, local_hostname="x") as server,
        pytest.raises(smtplib.SMTPRecipientsRefused, match=r"5\.1\.1"),
    ):
        server.sendmail("school@school.example", ["ann@nowhere.example"], MAIL)


def test_the_oldest_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catcher, "KEPT", 3)
    keeper = catcher.Keeper(tmp_path)
    kept = [keeper.keep(b"x").name for _ in range(5)]

    keeper.tidy()

    assert sorted(each.name for each in tmp_path.iterdir()) == sorted(kept)[-3:]


def test_the_run_tells_everybody_where_it_listens() -> None:
    settings = supervisor.with_catcher(config.Settings())

    assert settings.SMTP_HOST == "127.0.0.1"
    assert settings.SMTP_PORT > 0
    assert supervisor.with_catcher(config.Settings(MAIL_TRANSPORT="off")).SMTP_PORT == 0


SECRET = "a-Kv7qXw2Zt9_mRb4Yc8NsEo1LdHf6Ju"
PRODUCTION = {
    "ENVIRONMENT": "production",
    "SECRET_KEY": SECRET,
    "TRUSTED_HOSTS": "school.example",
    "DATABASE_URL": "postgresql://a@b/c",
    "REDIS_URL": "redis://b",
    "PUBLIC_BASE_URL": "https://school.example",
    "COOKIE_SECURE": "1",
    "STAFF_TOTP": "required",
    "PAYMENT_PROVIDER": "manual",
}


def test_production_starts_with_a_real_server_or_none() -> None:
    smtp = {"MAIL_TRANSPORT": "smtp", "SMTP_HOST": "mail.school.example"}

    assert config.load({**PRODUCTION, **smtp}).SMTP_TLS == "starttls"
    assert config.load({**PRODUCTION, "MAIL_TRANSPORT": "off"}).MAIL_TRANSPORT == "off"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "MAIL_TRANSPORT: must be smtp or off"),
        ({"MAIL_TRANSPORT": "smtp"}, "SMTP_HOST: must be set"),
        ({"MAIL_TRANSPORT": "smtp", "SMTP_HOST": "x", "SMTP_TLS": "none"}, "SMTP_TLS: must be"),
        ({"MAIL_TRANSPORT": "off", "MAIL_FROM": "nobody"}, "MAIL_FROM: must be an address"),
        ({"MAIL_TRANSPORT": "off", "SMS_API_BASE": "https://sms.example"}, "SMS_ACCOUNT, SMS_TOKEN, SMS_FROM"),
        ({"MAIL_TRANSPORT": "off", "SMTP_PASSWORD": "x"}, "SMTP_USER: must be set"),
    ],
)
def test_what_cannot_work_stops_the_start(given: dict[str, str], words: str) -> None:
    with pytest.raises(config.BadConfig, match=words):
        config.load({**PRODUCTION, **given})
