"""`Dockerfile` and `docker-compose.yml` say what the code says: commands, settings, roles, and rights that are as few as can be."""

from __future__ import annotations

import fnmatch
import re
import secrets
from pathlib import Path
from typing import Any

import pytest
import yaml

import config
from guitaronline.local import commands

ROOT = Path(__file__).resolve().parents[2]
FILE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = FILE["services"]
IMAGE = (ROOT / "Dockerfile").read_text()
OURS = ("web-a", "web-b", "worker", "scheduler", "migrate")
FOREIGN = sorted(set(SERVICES) - set(OURS))
GUIDE = (ROOT / "docs" / "runbooks" / "deploy.md").read_text()
FOR_THE_CONSOLE_OF_OTHERS = {
    "ALERTS_SMTP_USER",
    "ALERTS_SMTP_PASSWORD",
    "SHARED_BUFFERS",
    "WEB_CONCURRENCY",
    "SECRET_KEY_FALLBACKS",
}


def environment(service: str) -> dict[str, str]:
    return {name: str(value) for name, value in SERVICES[service].get("environment", {}).items()}


def test_containers_run_the_commands_of_the_procfile() -> None:
    run = {name: SERVICES[name]["command"][-1].replace("$$", "$").removeprefix("exec ") for name in OURS}

    assert run == {
        "web-a": commands.WEB,
        "web-b": commands.WEB,
        "worker": commands.WORKER,
        "scheduler": commands.SCHEDULER,
        "migrate": commands.RELEASE,
    }
    assert f'CMD ["sh", "-c", "exec {commands.WEB}"]' in IMAGE


def test_settings_are_settings_and_every_one_that_must_be_chosen_is_in_the_guide() -> None:
    named = {name for service in OURS for name in environment(service)}
    asked = set(re.findall(r"(?<!\$)\$\{([A-Z_]+)", (ROOT / "docker-compose.yml").read_text()))

    assert named <= set(config.Settings.__dataclass_fields__)
    assert asked - FOR_THE_CONSOLE_OF_OTHERS == set(re.findall(r"^ +([A-Z_]+)=", GUIDE.split("END\n")[1], re.MULTILINE))


def test_what_stands_in_the_file_is_enough_for_production() -> None:
    given = {"SITE": "school.example", "SECRET_KEY": secrets.token_urlsafe(48)}
    filled = {name: filled_in(value, given) for name, value in environment("web-a").items()}
    decided = {"PAYMENT_PROVIDER": "manual", "MAIL_TRANSPORT": "off"}  # in settings.env, as the guide says

    settings = config.load({**filled, **decided})

    assert settings.is_production
    assert settings.PUBLIC_BASE_URL == "https://school.example"
    assert {"school.example", "127.0.0.1", "web-a", "web-b"} == set(settings.TRUSTED_HOSTS.split(","))


def filled_in(value: str, given: dict[str, str]) -> str:
    return re.sub(
        r"\$\{(\w+)(?::([-?])([^}]*))?\}", lambda m: given.get(m[1], m[3] if m[2] == "-" else "x" * 24), value
    )


def test_only_the_migration_knows_the_owner_of_the_database() -> None:
    knows = [name for name, service in SERVICES.items() if "OWNER_PASSWORD" in yaml.safe_dump(service)]

    assert knows == ["migrate"]
    assert FILE["configs"]["roles"]["content"].count("NOSUPERUSER") == 2


def test_nobody_waits_for_the_database_but_through_the_migration() -> None:
    waits = {name: set(SERVICES[name].get("depends_on", {})) for name in OURS}

    assert waits.pop("migrate") == {"postgres"}
    assert all(each == {"migrate", "redis"} for each in waits.values())
    assert SERVICES["web-a"]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_has_a_read_only_root_and_no_right_that_it_does_not_need(name: str) -> None:
    service = SERVICES[name]
    to_become_another_user = {"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"}
    rights = {"proxy": {"NET_BIND_SERVICE"}, "postgres": to_become_another_user, "redis": to_become_another_user}

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert set(service.get("cap_add", [])) == rights.get(name, set())
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "pid", "network_mode", "devices"} & set(service)
    assert "docker.sock" not in str(service)


@pytest.mark.parametrize("name", sorted(set(SERVICES) - {"migrate"}))
def test_a_container_that_stays_says_how_it_is(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"
    assert SERVICES[name]["restart"] == "unless-stopped"


def test_the_database_has_no_way_out_and_no_door() -> None:
    assert SERVICES["postgres"]["networks"] == SERVICES["redis"]["networks"] == ["inside"]
    assert FILE["networks"]["inside"] == FILE["networks"]["watching"] == {"internal": True}
    doors = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert doors == {"proxy": ["80:80", "443:443", "443:443/udp"], "grafana": ["127.0.0.1:3000:3000"]}


def test_images_of_others_have_a_version() -> None:
    assert [name for name in FOREIGN if not re.fullmatch(r"[\w./-]+:v?\d[\w.]*", SERVICES[name]["image"])] == []


def test_the_proxy_tries_the_other_web_and_tells_the_world_nothing_of_the_inside() -> None:
    words = FILE["configs"]["proxy"]["content"].replace("$$", "$").split()

    upstreams = words[words.index("reverse_proxy") + 1 : words.index("reverse_proxy") + 3]
    assert upstreams == ["web-a:8000", "web-b:8000"]
    assert {"lb_try_duration", "health_uri"} <= set(words)
    assert "fail_duration" not in words  # one broken request would take the only web that is left out of service
    hidden = words[words.index("path") + 1 : words.index("respond")]
    assert {"/metrics", "/ready", "/health"} == set(hidden)


def test_prometheus_reads_both_webs_with_the_token_and_every_rule() -> None:
    read = yaml.safe_load(FILE["configs"]["prometheus"]["content"])

    assert read["scrape_configs"][0]["static_configs"] == [{"targets": ["web-a:8000", "web-b:8000"]}]
    assert read["scrape_configs"][0]["authorization"] == {"credentials_file": "/run/secrets/metrics_token"}
    assert FILE["secrets"]["metrics_token"] == {"environment": "METRICS_TOKEN"}
    assert "./docs/alerts:/etc/prometheus/alerts:ro" in SERVICES["prometheus"]["volumes"]
    assert list((ROOT / "docs" / "alerts").glob("*.rules.yml"))


def test_alerts_of_both_kinds_reach_somebody() -> None:
    told = yaml.safe_load(FILE["configs"]["alertmanager"]["content"])

    assert told["route"]["receiver"] in {each["name"] for each in told["receivers"]}
    assert told["route"]["routes"][0]["matchers"] == ['severity="page"']


def test_the_image_is_nobodys_and_holds_only_what_runs() -> None:
    stages = re.findall(r"^FROM (\S+)", IMAGE, re.MULTILINE)
    kept = [each[1:] for each in (ROOT / ".dockerignore").read_text().split("\n") if each.startswith("!")]

    assert set(stages) == {"python:3.13-slim"}
    assert re.findall(r"^USER (.+)$", IMAGE, re.MULTILINE) == ["10001:10001"]
    assert "--require-hashes -r /requirements.txt" in IMAGE
    assert set(kept) == {"config.py", "wsgi.py", "requirements.txt", "guitaronline", "jobs", "migrations", "templates"}
    assert not any(fnmatch.fnmatch(".env", each) for each in kept)


def test_a_container_stops_in_time_for_what_it_has_begun() -> None:
    grace = {name: SERVICES[name].get("stop_grace_period") for name in ("web-a", "web-b", "worker", "postgres")}
    kill_after = re.findall(r"--workers-kill-timeout (\d+)", commands.WEB)

    assert grace == {"web-a": "30s", "web-b": "30s", "worker": "3m", "postgres": "1m"}
    assert [int(each) < 30 for each in kill_after] == [True]
    assert int(kill_after[0]) * 1000 > config.Settings().STATEMENT_TIMEOUT_MS
