"""The browser of the tests: found, or installed where that needs nobody's leave. `python -m tests.browser.chromium` does both."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
FLAGS = [
    *("--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
    *(["--no-sandbox"] if os.geteuid() == 0 else []),  # Chromium refuses to run as root with it
]
PACKAGES = ("chromium", "fonts-liberation")
APT = (
    "apt-get",
    "-q",
    "-q",
    "-o",
    "Acquire::Retries=1",
    "-o",
    "Acquire::http::Timeout=20",
    "-o",
    "DPkg::Lock::Timeout=60",
)
INSTALL_SECONDS = 600
HOW = "install Debian's chromium (apt-get install chromium), or set CHROMIUM to the path of a Chromium or Chrome"


def find() -> str | None:
    """The program: what CHROMIUM says, else the first that is on the path. None when there is none."""
    given = os.environ.get("CHROMIUM", "")
    return shutil.which(given) if given else next((path for name in NAMES if (path := shutil.which(name))), None)


def install() -> None:
    """Debian's package is installed where apt-get is and may be used without a question; else nothing has happened."""
    leave = _leave()
    if leave is None or shutil.which("apt-get") is None:
        return
    sys.stderr.write("installing chromium for the browser tests (once)\n")
    packages = (*APT, "install", "-y", "--no-install-recommends", *PACKAGES)
    if not _run(*leave, *packages) and _run(*leave, *APT, "update"):
        _run(*leave, *packages)


def _leave() -> tuple[str, ...] | None:
    """What to put before a command of root; None when root's commands are not ours to give."""
    if os.geteuid() == 0:
        return ("env", "DEBIAN_FRONTEND=noninteractive")
    return ("sudo", "-n", "env", "DEBIAN_FRONTEND=noninteractive") if _run("sudo", "-n", "true") else None


def _run(*command: str) -> bool:
    try:
        return (
            subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=INSTALL_SECONDS,
                check=False,
            ).returncode
            == 0
        )
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return False


if __name__ == "__main__" and find() is None and not os.environ.get("CHROMIUM"):
    install()
