"""Browser tests need a browser: they run in one process, and where there is none the run says so in its last lines."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

from tests.browser import chromium

HERE = Path(__file__).parent
FOLDER = "tests/browser/"


# Begins first, in this order: a process that comes to it last keeps the others waiting.
LONG = (
    FOLDER,
    "tests/migrations/",
    "tests/scenarios/",
    "tests/demo/",
    "tests/local/",
    "tests/jobs/",
    "tests/api/test_fuzz",
)


class OneBrowser(LoadFileScheduling):
    """Files go to processes as they become free; the browser's files stay together, so that one school is started for all."""

    def _split_scope(self, nodeid: str) -> str:
        return FOLDER if nodeid.startswith(FOLDER) else super()._split_scope(nodeid)

    def _assign_work_unit(self, node: WorkerController) -> None:
        """What takes long first, then files with many tests."""
        self.workqueue.move_to_end(min(self.workqueue, key=rank), last=False)
        super()._assign_work_unit(node)


def rank(scope: str) -> int:
    return next((place for place, long in enumerate(LONG) if scope.startswith(long)), len(LONG))


class Presence:
    """Counts the browser tests of a run. With BROWSER_TESTS=required a run without any has failed."""

    def __init__(self) -> None:
        self.ran = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.ran += report.when == "call" and report.nodeid.startswith(FOLDER)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if not self.ran and session.exitstatus == 0 and os.environ.get("BROWSER_TESTS") == "required":
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any, config: pytest.Config) -> None:
        if not self.ran and chromium.find() is None and are_asked_for(config):
            terminalreporter.section("not run", sep="-", yellow=True)
            terminalreporter.line(f"{FOLDER}: there is no browser here. To run them too: {chromium.HOW}.")


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # the process that speaks to the terminal
        config.pluginmanager.register(Presence(), "browser-presence")


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    return OneBrowser(config, log) if config.getoption("dist") == "loadfile" else None


def are_asked_for(config: pytest.Config) -> bool:
    """The folder stands below a path of the command line, or the other way round."""
    paths = [Path(config.invocation_params.dir, each.partition("::")[0]).resolve() for each in config.args]
    return any(HERE.is_relative_to(path) or path.is_relative_to(HERE) for path in paths)
