"""`python -m guitaronline.local.catcher`: a real mail server that delivers nothing. Every mail becomes a file in `VAR_DIR/mail`.

The console shows them. Addresses at `nowhere.example` do not exist here, so that one can see what becomes of a mail that no
mailbox takes.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import config
from guitaronline.local.ports import HOST

KEPT = 2000  # files; the oldest go
TIDY_EVERY = 100
MAX_BYTES = 5_000_000
NO_SUCH_DOMAIN = "nowhere.example"


class Keeper:
    """What aiosmtpd asks for each mail."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.number = folder, 0

    async def handle_RCPT(
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:  # aiosmtpd's name
        domain = address.rpartition("@")[2].lower()
        if domain == NO_SUCH_DOMAIN or domain.endswith(f".{NO_SUCH_DOMAIN}"):
            return "550 5.1.1 There is no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # aiosmtpd's name
        return f"250 2.0.0 Kept as {self.keep(envelope.content).name}"

    def keep(self, content: bytes) -> Path:
        """The file appears whole, for its owner only."""
        self.number += 1
        path = self.folder / f"{time.time_ns()}-{self.number}.eml"
        part = path.with_suffix(".part")
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
        part.replace(path)
        if self.number % TIDY_EVERY == 1:
            self.tidy()
        return path

    def tidy(self) -> None:
        names = sorted(each.name for each in self.folder.glob("*.eml"))  # begins with the moment, so by age
        for name in names[:-KEPT]:
            (self.folder / name).unlink(missing_ok=True)


async def serve(folder: Path, port: int) -> None:
    from aiosmtpd.smtp import SMTP

    def made() -> Any:
        return SMTP(keeper, hostname="catcher.example", data_size_limit=MAX_BYTES, enable_SMTPUTF8=True)

    keeper = Keeper(folder)
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    server = await loop.create_server(made, HOST, port, reuse_address=True)
    async with server:
        await ended.wait()


def main() -> int:
    settings = config.load()
    folder = Path(settings.VAR_DIR) / "mail"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    asyncio.run(serve(folder, settings.SMTP_PORT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
